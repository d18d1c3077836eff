"""A lock that is handed on in the order in which it was asked for.

`threading.Lock` is not: a thread that releases it and asks again at once, as a long answer does after each token, mostly
gets it again before those that wait.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class FairLock:
    """First come, first served. There is no limit to the waiting. Not to be entered twice by one thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        # Each waiting thread waits for a lock of its own, so that exactly the first is woken.
        self._waiting: deque[threading.Lock] = deque()

    @property
    def waiting(self) -> int:
        """Threads in the queue, without the one that holds the lock."""
        return len(self._waiting)

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        try:
            turn.acquire()
        except BaseException:  # an interrupt: who leaves the queue must not be handed the lock
            self._leave(turn)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()  # still held, by the next one
            else:
                self._held = False

    def _leave(self, turn: threading.Lock) -> None:
        with self._guard:
            queued = turn in self._waiting
            if queued:
                self._waiting.remove(turn)
        if not queued:  # it was handed over just now
            self.__exit__(None, None, None)
