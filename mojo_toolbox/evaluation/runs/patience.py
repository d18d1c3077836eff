"""Calls that may hang, waited for so long and no longer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from mojo_toolbox.errors import EvaluationError

# Python cannot end a thread: calls that never return pile up, each with its stack.
_MOST_HANGING = 200


class Patience:
    """Calls functions one after the other in a thread of its own. A call that takes too long is left behind."""

    _hanging: list[threading.Thread] = []  # noqa: RUF012 - of all of them, on purpose
    _lock = threading.Lock()

    def __init__(self, timeout: float) -> None:
        """Wait `timeout` seconds for each call."""
        self._timeout = timeout
        self._thread: threading.Thread | None = None
        self._begin()

    def call(self, function: Callable[[], Any]) -> Any:
        """Return the function's result, or raise its exception.

        Raises:
            TimeoutError: it did not return in time. It goes on in the background.
            EvaluationError: too many calls hang already.
        """
        if self._thread is None:
            self._begin()
        self._calls.put(function)
        try:
            value, error = self._results.get(timeout=self._timeout)
        except queue.Empty:
            self._leave_behind()
            raise TimeoutError(f"no answer within {self._timeout:g} s") from None
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread = None

    def _begin(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=_serve, args=(self._calls, self._results), daemon=True)
        self._thread.start()

    def _leave_behind(self) -> None:
        assert self._thread is not None
        self._calls.put(None)  # should it ever return, it ends
        with self._lock:
            self._hanging[:] = [thread for thread in self._hanging if thread.is_alive()] + [self._thread]
            count = len(self._hanging)
        self._thread = None
        if count >= _MOST_HANGING:
            raise EvaluationError(
                f"{count} calls of the router hang at the same time. Let it give up by itself, or raise the time-out."
            )


def _serve(
    calls: queue.SimpleQueue[Callable[[], Any] | None], results: queue.SimpleQueue[tuple[Any, BaseException | None]]
) -> None:
    while (function := calls.get()) is not None:
        try:
            results.put((function(), None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
            results.put((None, error))
