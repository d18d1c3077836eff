"""Keys and values of earlier prompts, so that a growing conversation pays only for its new turn.

Tensors never change once stored: a model's cache grows by writing keys and values anew, not by adding to them. So two
conversations that share a prefix read the same tensors and go different ways without seeing each other.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

# Keys and values of each layer, of shape (1, heads, tokens, head size).
LayerStates = list[tuple[torch.Tensor, torch.Tensor]]
# A pass ends with the choices' tokens, which are not kept: as a rule some 20 after hundreds. Copying the others for their
# sake took a fifth of a decision's time in a conversation of 1,600 tokens.
_MOST_A_VIEW_MAY_HOLD = 1.25


# Fewer tokens than these are read twice rather than waited for.
_WORTH_WAITING = 32


@dataclass(frozen=True, eq=False)
class _Reading:
    model: str
    ids: np.ndarray
    over: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class _KeptPrefix:
    ids: np.ndarray
    layers: LayerStates
    size: int


class PrefixCache:
    """Prompts' keys and values, the least recently used dropped once they exceed `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._entries: OrderedDict[tuple[str, bytes], _KeptPrefix] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._readings: list[_Reading] = []  # in the order of their coming

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    @contextmanager
    def reading(self, model: str, ids: list[int]) -> Iterator[LayerStates]:
        """Give the states of the longest prefix to who reads the rest of `ids` and stores it within this context.

        Who comes while another reads more of the same waits for it: a new task list is read once, not by each of those who
        ask about it at the same time.
        """
        own = _Reading(model, np.asarray(ids, dtype=np.int64))
        with self._lock:
            self._readings.append(own)
        try:
            while (other := self._worth_waiting_for(own)) is not None:
                other.over.wait()
            yield self.longest_prefix(model, ids)
        finally:
            with self._lock:
                self._readings.remove(own)
            own.over.set()

    def _worth_waiting_for(self, own: _Reading) -> _Reading | None:
        """Return an earlier reading that will leave more of `own` than is stored now: nobody waits in a circle."""
        with self._lock:
            before = self._readings[: self._readings.index(own)]
            shared = [(_common_prefix(r.ids, own.ids), r) for r in before if r.model == own.model]
            if not shared:
                return None
            stored = (_common_prefix(e.ids, own.ids) for key, e in self._entries.items() if key[0] == own.model)
            length, longest = max(shared, key=lambda pair: pair[0])
            return longest if length >= max(stored, default=0) + _WORTH_WAITING else None

    def longest_prefix(self, model: str, ids: list[int]) -> LayerStates:
        """Return the states of the longest stored prefix of `ids`, not to be written to. An empty list when none is stored.

        The last token is never part of it: the caller wants its logits.
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
        return [(keys[..., :best, :], values[..., :best, :]) for keys, values in layers]

    def store(self, model: str, ids: list[int], layers: LayerStates) -> None:
        """Keep the first `len(ids)` positions of `layers`, which nobody may write to any more."""
        length = len(ids)
        views = [(keys[..., :length, :], values[..., :length, :]) for keys, values in layers]
        if not views or sum(keys.nbytes + values.nbytes for keys, values in views) > self.max_bytes:
            return
        stored = np.asarray(ids, dtype=np.int64)
        with self._lock:
            if self._holds(model, stored):
                return
        kept = [(_compact(keys), _compact(values)) for keys, values in views]
        size = sum(_held_bytes(keys) + _held_bytes(values) for keys, values in kept)
        if size > self.max_bytes:
            return
        with self._lock:
            if self._holds(model, stored):  # another thread was faster
                return
            for key, entry in list(self._entries.items()):
                # An earlier turn of this conversation.
                if key[0] == model and _common_prefix(entry.ids, stored) == len(entry.ids):
                    self._drop(key)
            self._entries[model, stored.tobytes()] = _KeptPrefix(stored, kept, size)
            self._size += size
            while self._size > self.max_bytes:
                self._drop(next(iter(self._entries)))

    def _holds(self, model: str, ids: np.ndarray) -> bool:
        """Say whether an entry holds all of `ids`, and count that as its use."""
        for key, entry in self._entries.items():
            if key[0] == model and _common_prefix(entry.ids, ids) == len(ids):
                self._entries.move_to_end(key)
                return True
        return False

    def _drop(self, key: tuple[str, bytes]) -> None:
        self._size -= self._entries.pop(key).size


def _compact(states: torch.Tensor) -> torch.Tensor:
    """Copy a part of a larger tensor, unless it is nearly all of it: a view keeps the whole alive."""
    return states if _held_bytes(states) <= _MOST_A_VIEW_MAY_HOLD * states.nbytes else states.clone()


def _held_bytes(states: torch.Tensor) -> int:
    return states.untyped_storage().nbytes()


def _common_prefix(a: np.ndarray, b: np.ndarray) -> int:
    length = min(len(a), len(b))
    different = np.flatnonzero(a[:length] != b[:length])
    return int(different[0]) if len(different) else length
