"""Counts the running invocations of a serverless variant, which its MaxConcurrency limits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class ServerlessConcurrency:
    """How many invocations each variant answers now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def place(self, endpoint: str, variant: str, *, most: int | None) -> Iterator[bool]:
        """Hold one of `most` places of a variant while answering. Return False if none is free. `most=None` sets no limit."""
        key = (endpoint, variant)
        with self._lock:
            free = most is None or self._busy[key] < most
            self._busy[key] += free
        try:
            yield free
        finally:
            with self._lock:
                self._busy[key] -= free
                if not self._busy[key]:
                    del self._busy[key]
