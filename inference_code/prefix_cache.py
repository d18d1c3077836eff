"""Keys and values of earlier prompts, so that a growing conversation pays only for its new turn.

Entries never change once stored and are copied on the way in and out: two conversations that share a prefix can go
different ways at once without seeing each other.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch

# Keys and values of each layer, of shape (1, heads, tokens, head size).
LayerStates = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class _Entry:
    ids: np.ndarray
    layers: LayerStates
    size: int


class PrefixCache:
    """Prompts' keys and values, the least recently used dropped once they exceed `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._entries: OrderedDict[tuple[str, bytes], _Entry] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    def longest_prefix(self, model: str, ids: list[int]) -> LayerStates:
        """Copy the states of the longest stored prefix of `ids`; an empty list when none is stored.

        The last token is never part of it: its logits are what the caller is after.
        """
        wanted = np.asarray(ids[:-1], dtype=np.int64)
        best, best_key = 0, None
        with self._lock:
            for key, entry in self._entries.items():
                if key[0] == model and (length := _common_prefix(entry.ids, wanted)) > best:
                    best, best_key = length, key
            if best_key is None:
                return []
            self._entries.move_to_end(best_key)
            layers = self._entries[best_key].layers
        # Tensors of an entry are never written to, so they can be copied outside the lock.
        return [(keys[..., :best, :].clone(), values[..., :best, :].clone()) for keys, values in layers]

    def store(self, model: str, ids: list[int], layers: LayerStates) -> None:
        """Keep a copy of the first `len(ids)` positions of `layers`."""
        length = len(ids)
        size = sum(2 * keys[..., :length, :].numel() * keys.element_size() for keys, _ in layers)
        if not layers or size > self.max_bytes:
            return
        stored = np.asarray(ids, dtype=np.int64)
        with self._lock:
            for key, entry in list(self._entries.items()):
                if key[0] != model:
                    continue
                common = _common_prefix(entry.ids, stored)
                if common == length:  # an entry that holds all of it
                    self._entries.move_to_end(key)
                    return
                if common == len(entry.ids):  # an earlier turn of this conversation
                    self._drop(key)
        copied = [(keys[..., :length, :].clone(), values[..., :length, :].clone()) for keys, values in layers]
        with self._lock:
            key = (model, stored.tobytes())
            if key in self._entries:
                self._drop(key)
            self._entries[key] = _Entry(stored, copied, size)
            self._size += size
            while self._size > self.max_bytes:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: tuple[str, bytes]) -> None:
        self._size -= self._entries.pop(key).size


def _common_prefix(a: np.ndarray, b: np.ndarray) -> int:
    length = min(len(a), len(b))
    different = np.flatnonzero(a[:length] != b[:length])
    return int(different[0]) if len(different) else length
