"""Asking a provider until it answers: waiting as it wants, trying again within a budget, holding to the cap on cost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mojo_toolbox.contract import Usage
from mojo_toolbox.errors import GenerationError, ProviderUnavailableError
from mojo_toolbox.generation.prices import Budget, most_read
from mojo_toolbox.generation.providers import Messages, Provider, Reply, most_tokens, together


@dataclass(frozen=True)
class Retries:
    """How often and how long to wait for a provider; seconds."""

    tries: int = 6
    """The most tries of one request. Waits for rate limits do not count."""
    first_wait: float = 0.5
    """Doubled each time."""
    longest_wait: float = 30.0
    longest_asked: float = 900.0
    """The run ends when a server asks for more."""
    rate_limits: int = 20
    """In a row, for each lane, before the run ends."""


class Stopped(Exception):  # noqa: N818 - the user's wish, not an error
    """The run was told to end, so nothing is waited for."""


class Tab(threading.local):
    """The tokens of what this thread writes now: all that it asks, whomever it asks, is added up."""

    usage: Usage | None = None


@dataclass(frozen=True)
class Terms:
    """What all that a run asks has in common."""

    budget: Budget
    retries: Retries = field(default_factory=Retries)
    lanes: int = 1
    on_wait: Callable[[str], None] = lambda _: None
    """Gets the reason of a wait, in words."""
    closing: threading.Event = field(default_factory=threading.Event)
    """When set, waits end at once. Questions under way are still answered."""
    tab: Tab = field(default_factory=Tab)


class Asker:
    """A provider that all lanes of a run ask through: they wait together when it wants to be left alone."""

    def __init__(self, provider: Provider, terms: Terms) -> None:
        """Ask `provider` on these terms."""
        self.name = provider.name
        self._provider = provider
        self._terms = terms
        self._retries = terms.retries
        self._lock = threading.Lock()
        self._closed_until = 0.0
        self._faults_in_a_row = 0
        self._rate_limits_in_a_row = 0
        # Only spreads waiting; what is written does not depend on it.
        self._spread = random.Random()

    def most_tokens(self, max_tokens: int) -> int:
        """Return how many tokens an answer may cost."""
        return most_tokens(self._provider, max_tokens)

    def complete(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:
        """Ask until there is an answer.

        Raises:
            Stopped: the run is told to end, and this would have to wait.
            CapReached: the request might pass the cap on cost.
            ProviderUnavailableError: this request was tried often enough.
            GenerationError: nothing was answered for too long, whatever was asked.
        """
        faults = rate_limits = 0
        while True:
            self._wait_for_opening()
            try:
                reply = self._once(messages, max_tokens=max_tokens, temperature=temperature, seed=seed)
            except ProviderUnavailableError as error:
                faults += not error.rate_limited
                rate_limits += error.rate_limited
                self._count_failure(error)
                if faults >= self._retries.tries:
                    raise
                self._wait_after(error, faults + rate_limits)
            else:
                with self._lock:
                    self._faults_in_a_row = self._rate_limits_in_a_row = 0
                return reply

    def _once(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:
        prices = self._terms.budget.prices
        most = prices.of_tokens(most_read(messages), self.most_tokens(max_tokens))
        with self._terms.budget.request(most) as bill:
            try:
                reply = self._provider.complete(messages, max_tokens=max_tokens, temperature=temperature, seed=seed)
            except ProviderUnavailableError as error:
                bill.unknown = error.maybe_paid
                raise
            if reply.usage is None and most:
                reply = replace(reply, usage=_most_used(messages, reply.text))
            bill.cost = prices.of(reply.usage)
        tab = self._terms.tab
        tab.usage = together(tab.usage, reply.usage)
        return reply

    def _count_failure(self, error: ProviderUnavailableError) -> None:
        limits = self._retries
        if error.retry_after is not None and error.retry_after > limits.longest_asked:
            raise GenerationError(
                f"{_sentence(error)} It wants to be left alone for {error.retry_after:.0f} s: start again then."
            )
        with self._lock:
            self._faults_in_a_row += not error.rate_limited
            self._rate_limits_in_a_row += error.rate_limited
            over = (
                # One lane more: a single request that nobody can answer does not end the run.
                self._faults_in_a_row >= limits.tries * (self._terms.lanes + 1)
                or self._rate_limits_in_a_row >= limits.rate_limits * self._terms.lanes
            )
            tries = self._faults_in_a_row + self._rate_limits_in_a_row
        if over:
            raise GenerationError(f"{_sentence(error)} None of {tries} tries in a row brought an answer.") from error

    def _wait_after(self, error: ProviderUnavailableError, failures: int) -> None:
        limits = self._retries
        longest = min(limits.longest_wait, limits.first_wait * 2 ** (failures - 1))
        wait = longest * self._spread.uniform(0.5, 1)
        if error.retry_after is not None:
            wait = error.retry_after + self._spread.uniform(0, min(limits.first_wait, error.retry_after))
            with self._lock:
                self._closed_until = max(self._closed_until, time.monotonic() + error.retry_after)
        self._terms.on_wait(f"{_sentence(error)} Trying again in {wait:.1f} s.")
        self._sleep(wait)

    def _wait_for_opening(self) -> None:
        while (wait := self._closed_until - time.monotonic()) > 0:
            self._sleep(wait)

    def _sleep(self, seconds: float) -> None:
        if self._terms.closing.wait(seconds):
            raise Stopped


def _sentence(error: Exception) -> str:
    said = str(error)
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def _most_used(messages: Messages, text: str) -> Usage:
    """Return the most tokens that an answer can have had, of a server that counts none."""
    read, written = most_read(messages), len(text.encode(errors="replace"))
    return Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)
