"""What is spent, what it will have been in the end, and a cap that is never passed, requests under way included."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mojo_toolbox.contract import Usage
from mojo_toolbox.generation.providers import Messages

# What a chat template writes around each message, generously.
_TOKENS_AROUND = 16
# Bytes a token in most texts and vocabularies; for projections only, never for the cap.
_BYTES_PER_TOKEN = 4
_MILLION = 1e6
# Floating point: what adds up to the cap is within it.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class TokenPrices:
    """US dollars for a million tokens read and written."""

    read: float = 0.0
    written: float = 0.0

    def of(self, usage: Usage | None) -> float:
        """Return the price of an answer; cached tokens at the full price."""
        return 0.0 if usage is None else self.of_tokens(usage.prompt_tokens, usage.completion_tokens)

    def of_tokens(self, read: int, written: int) -> float:
        """Return the price of so many tokens."""
        return (read * self.read + written * self.written) / _MILLION


def most_read(messages: Messages) -> int:
    """Return a number of tokens that no tokenizer exceeds for these messages: one a byte."""
    return sum(len(message["content"].encode(errors="replace")) + _TOKENS_AROUND for message in messages)


def about_read(messages: Messages) -> int:
    """Return about how many tokens these messages have."""
    return sum(_TOKENS_AROUND // 4 + about_tokens(message["content"]) for message in messages)


def about_tokens(text: str) -> int:
    """Return about how many tokens a text has."""
    return len(text.encode(errors="replace")) // _BYTES_PER_TOKEN + 1


class CapReached(Exception):  # noqa: N818 - the user's wish, not an error
    """The next request might pass the cap; one of `needed` would have room for it."""

    def __init__(self, needed: float) -> None:
        super().__init__(needed)
        self.needed = needed


class Budget:
    """The money of a run. A request holds the most it can cost until it is known what it did cost.

    A request that would pass the cap waits for those under way, which mostly cost less than they hold. When none is under
    way and there is still no room for it, the cap is reached.
    """

    def __init__(self, prices: TokenPrices, cap: float | None = None) -> None:
        """Begin with nothing spent; without a cap only counting is done."""
        self.prices = prices
        self.cap = cap
        self.spent = 0.0
        self.usual = 0.0
        """What a conversation costs, as was projected, then the dearest so far: none is begun that would end half written."""
        self._seen = 0.0
        self._open = 0
        self._held = 0.0
        # Of requests without an answer: their server may ask money for them all the same.
        self._unknown = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def conversation(self) -> Iterator[None]:
        """Begin a conversation when there is room for it and for those under way.

        Raises:
            CapReached: there is none.
        """
        with self._changed:
            while not self._fits(self.usual * (self._open + 1)):
                if not self._open:
                    raise CapReached(self.spent + self._unknown + self.usual)
                self._changed.wait()
            self._open += 1
        try:
            yield
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def learn(self, usage: Usage | None) -> None:
        """Take note of what an attempt at a conversation took."""
        with self._changed:
            self._seen = max(self._seen, self.prices.of(usage))
            self.usual = self._seen

    @contextmanager
    def request(self, most: float) -> Iterator[Bill]:
        """Hold the most that a request can cost while the block runs, which writes what it did cost into the bill.

        Raises:
            CapReached: there is no room for it.
        """
        bill = Bill()
        self._hold(most)
        try:
            yield bill
        finally:
            with self._changed:
                self._held -= most
                self.spent += bill.cost
                self._unknown += most if bill.unknown else 0.0
                self._changed.notify_all()

    def _hold(self, most: float) -> None:
        with self._changed:
            while not self._fits(self._held + most):
                if self._held <= _ROUNDING:
                    raise CapReached(self.spent + self._unknown + most)
                self._changed.wait()
            self._held += most

    def _fits(self, more: float) -> bool:
        return self.cap is None or self.spent + self._unknown + more <= self.cap + _ROUNDING


class Bill:
    """What a request did cost."""

    def __init__(self) -> None:
        self.cost = 0.0
        self.unknown = False
        """There was no answer, yet it may have been written, and be paid for."""


def expected(spent: float, done: int, total: int, *, projected: float) -> float:
    """Return what a run will have cost when all is done: by the mean so far, or as projected before the first."""
    return spent + projected * (total - done) / max(total, 1) if not done else spent * total / done


def dollars(amount: float) -> str:
    """Write an amount with as many digits as it takes to see something."""
    for digits in (2, 4):
        if amount >= 10 ** (1 - digits) or amount == 0:
            return f"${amount:,.{digits}f}"
    return f"${amount:.2g}"
