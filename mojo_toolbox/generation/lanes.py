"""Lanes: threads that take plans and write them, each attempt to the files at once."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

from mojo_toolbox.errors import GenerationError
from mojo_toolbox.generation.asking import Stopped, Terms
from mojo_toolbox.generation.attempts import Drafting, PutAside
from mojo_toolbox.generation.plan import Plan
from mojo_toolbox.generation.prices import CapReached
from mojo_toolbox.generation.run_files import Output

_log = logging.getLogger(__name__)

# Replies of no use in a row from which on the model, or the template, is at fault: to ask on would only cost.
_MOST_UNUSABLE = 20

Ended = Literal["max_cost", "interrupted"]
"""Why a run ended before all was written."""


class Lanes:
    """Threads that take plans and write them. The caller's thread waits, so that Ctrl-C arrives."""

    def __init__(
        self,
        drafting: Drafting,
        planned: Callable[[int], Plan],
        files: Output,
        terms: Terms,
        *,
        count: int,
        attempts: int,
    ) -> None:
        self.report: Callable[[], None] = lambda: None
        self._drafting = drafting
        self._planned = planned
        self._files = files
        self._terms = terms
        self._attempts = attempts
        self._numbers = iter(_left(files, count, attempts))
        self._lock = threading.Lock()
        self._unusable: Counter[str] = Counter()
        self._failure: BaseException | None = None
        self.cap_needed: float | None = None
        """A cap that has room for what there was none for, when the cap is reached."""
        self._ended = [threading.Event() for _ in range(terms.lanes)]

    def run(self) -> Ended | None:
        """Write until nothing is left; return why it ended before."""
        self.report()
        for ended in self._ended:
            threading.Thread(target=self._lane, args=(ended,), daemon=True).start()
        interrupted = False
        try:
            self._join()
        except KeyboardInterrupt:
            interrupted = True
            self._terms.closing.set()
            _log.warning("Finishing the conversations under way, which are paid for. Ctrl-C again to leave them.")
            self._join()
        if self._failure is not None:
            raise self._failure
        return "interrupted" if interrupted else None if self.cap_needed is None else "max_cost"

    def _join(self) -> None:
        # Not thread.join(): of a thread that it waits for when Ctrl-C arrives, Python 3.11 says ever after that it has ended.
        for ended in self._ended:
            while not ended.wait(timeout=0.2):  # in pieces, so that Ctrl-C arrives
                pass

    def _lane(self, ended: threading.Event) -> None:
        try:
            while not self._terms.closing.is_set() and (number := self._next()) is not None:
                self._write(number)
        except Stopped:
            pass
        except CapReached as reached:
            self.cap_needed = reached.needed
            self._terms.closing.set()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            with self._lock:
                self._failure = self._failure or error
            self._terms.closing.set()
        finally:
            ended.set()

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)

    def _write(self, number: int) -> None:
        """Attempt a conversation as often as is left of its attempts."""
        plan = self._planned(number)
        for attempt in range(self._files.attempts[number] + 1, self._attempts + 1):
            with self._terms.budget.conversation():
                ended = self._attempt(plan, attempt)
            if ended:
                return

    def _attempt(self, plan: Plan, attempt: int) -> bool:
        """Attempt once; return whether that is the end of it."""
        try:
            conversation = self._drafting.conversation(plan, attempt)
        except PutAside as aside:
            self._files.put_aside(plan.number, why=aside.why, reason=aside.reason, row=aside.row)
            self.report()
            if isinstance(aside.__cause__, Stopped | CapReached):
                raise aside.__cause__ from aside
            self._count_unusable(aside.reason)
            return aside.why == "no answer"
        self._files.put(plan.number, conversation)
        self._terms.budget.learn(self._terms.tab.usage)
        with self._lock:
            self._unusable.clear()
        self.report()
        return True

    def _count_unusable(self, reason: str) -> None:
        with self._lock:
            self._unusable[reason] += 1
            total = self._unusable.total()
        if total >= max(_MOST_UNUSABLE, 2 * self._terms.lanes):
            often, times = self._unusable.most_common(1)[0]
            raise GenerationError(
                f"{total} replies in a row were of no use, {times} of them for this: {often.rstrip('.')}. "
                f"They are in {self._files.malformed_path}. Try another model or template."
            )


def _left(files: Output, count: int, attempts: int) -> Iterator[int]:
    return (number for number in range(count) if number not in files and files.attempts[number] < attempts)
