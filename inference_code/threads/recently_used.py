"""Memory of the values that were used last, for any number of threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class RecentlyUsed(Generic[_Key, _Value]):
    """Forgets the values that were not used for the longest time. `most` limits the sum of sizes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[_Key, tuple[_Value, int]] = OrderedDict()
        self._size = 0
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: _Key) -> _Value | None:
        """Return the value of `key` and count that as its use, or None if there is none."""
        with self._guard:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: _Key, value: _Value, *, size: int = 1) -> None:
        """Keep a value, in place of the one that `key` had."""
        with self._guard:
            if key in self._kept:
                self._size -= self._kept.pop(key)[1]
            self._kept[key] = (value, size)
            self._size += size
            while self._size > self._most:
                self._size -= self._kept.popitem(last=False)[1][1]
