"""Finding texts that resemble each other among millions: MinHash signatures in compact arrays, verified on the texts.

A signature takes 125 bytes (one of 125 permutations each, its lowest 8 bits: Li & König, "b-Bit Minwise Hashing", 2010);
datasketch's own index would take some 3 KB of dictionaries. Two texts are compared when one of 25 bands of five bytes is
the same, which finds 95% of the pairs that have 0.65 in common, 99% of those with 0.7, and all from 0.8 on. The signatures
then tell how alike they are to about 0.04; where that leaves a doubt, the texts themselves are read again and decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mojo_toolbox.data.likeness.shingles import similarity

if TYPE_CHECKING:
    from datasketch import MinHash
    from numpy.typing import NDArray

# From here on two conversations are near-duplicates (shingles.py has what lies below and above).
SIMILAR = 0.65
_BANDS, _BAND_LENGTH = 25, 5
# Of a band that many texts share only neighbours are compared: the cost stays linear. In order of the bytes that follow
# the band, so that the most alike are neighbours.
_WINDOW = 64
# So few that all pairs can be compared.
_FEW = 2000
# More than three standard deviations of an estimate from 125 permutations, sqrt(0.65 * 0.35 / 125) = 0.043 each.
_DOUBT = 0.14
# Refused pairs that are remembered, some 100 bytes each: another band may bring them again.
_MOST_REFUSED = 500_000
_PAIRS_AT_ONCE = 100_000

ShinglesOf = Callable[[int], "NDArray[Any]"]


class Signatures:
    """The signatures of texts, in the order in which they were added."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._empty: MinHash | None = None

    def __len__(self) -> int:
        return len(self._bytes) // (_BANDS * _BAND_LENGTH)

    def add(self, shingles: NDArray[Any]) -> None:
        """Take the next text, by its shingles."""
        import numpy as np
        from datasketch import MinHash

        if self._empty is None:
            # The shingles are hashes already, and go in all at once: as one "value" that is an array.
            self._empty = MinHash(_BANDS * _BAND_LENGTH, seed=1, hashfunc=lambda hashes: hashes)
        sketch = self._empty.copy()
        sketch.update_batch([shingles.astype(np.uint32)])
        self._bytes += sketch.hashvalues.astype(np.uint8).tobytes()

    def rows(self) -> NDArray[Any]:
        """Return one row a text; a view, to be dropped before the next text is added."""
        import numpy as np

        # numpy refuses a buffer of nothing.
        flat = np.frombuffer(self._bytes, dtype=np.uint8) if self._bytes else np.empty(0, dtype=np.uint8)
        return flat.reshape(-1, _BANDS * _BAND_LENGTH)


class Groups:
    """Groups of similar texts, similar directly or over others. Each text has an earlier one of its group, or itself."""

    def __init__(self, parents: NDArray[Any]) -> None:
        self._parents = parents

    def root(self, member: int) -> int:
        """Return the first text of the group of `member`."""
        while (parent := int(self._parents[member])) != member:
            self._parents[member] = self._parents[parent]
            member = int(self._parents[member])
        return member

    def roots(self, members: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the first text of each member's group, for all texts or for some."""
        found: NDArray[Any] = self._parents if members is None else self._parents[members]
        while (found != (above := self._parents[found])).any():
            found = above
        return found.copy()

    def join(self, one: int, other: int) -> None:
        """Make one group of two. Its first text represents it."""
        low, high = sorted((self.root(one), self.root(other)))
        self._parents[high] = low


def join_similar(
    groups: Groups, rows: NDArray[Any], members: NDArray[Any], shingles_of: ShinglesOf, *, least: float
) -> Iterator[tuple[int, int]]:
    """Join the groups of `members` that resemble each other; yield each pair that joined two.

    Args:
        groups: what belongs together already, such as exact duplicates.
        rows: signatures of all texts.
        members: texts to compare, by number, in ascending order.
        shingles_of: gives a text's shingles again.
        least: similarity from which two texts belong together.
    """
    judge = _Judge(shingles_of, shingles_of, least)
    # Picking rows copies them: twice the memory, where there is nothing to leave out.
    compared = rows if len(members) == len(rows) else rows[members]
    for left, right in _pairs_within(compared):
        for one, other in _in_blocks(members[left], members[right]):
            apart = groups.roots(one) != groups.roots(other)
            one, other = one[apart], other[apart]  # noqa: PLW2901 - fewer of the same
            estimates = _estimates(rows[one], rows[other])
            for place in (estimates >= least - _DOUBT).nonzero()[0]:
                pair = int(one[place]), int(other[place])
                if groups.root(pair[0]) != groups.root(pair[1]) and judge.alike(*pair, estimates[place]):
                    groups.join(*pair)
                    yield min(pair), max(pair)


def nearest(
    rows: NDArray[Any],
    other_rows: NDArray[Any],
    shingles_of: ShinglesOf,
    other_shingles_of: ShinglesOf,
    *,
    least: float = SIMILAR,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return, for each row, the most similar text of the others, or -1 where none is similar; and how similar it seems."""
    import numpy as np

    judge = _Judge(shingles_of, other_shingles_of, least)
    found = np.full(len(rows), -1, dtype=np.int64)
    best = np.full(len(rows), least - _DOUBT)
    for left, right in _pairs_across(rows, other_rows):
        for one, other in _in_blocks(left, right):
            estimates = _estimates(rows[one], other_rows[other])
            for place in (estimates > best[one]).nonzero()[0]:
                pair = int(one[place]), int(other[place])
                if estimates[place] > best[pair[0]] and judge.alike(*pair, estimates[place]):
                    found[pair[0]], best[pair[0]] = pair[1], estimates[place]
    return found, best


class _Judge:
    """Tells whether two texts are alike: by the estimate where it leaves no doubt, else by their shingles."""

    def __init__(self, shingles_of: ShinglesOf, other_shingles_of: ShinglesOf, least: float) -> None:
        self._shingles_of, self._other_shingles_of = shingles_of, other_shingles_of
        self._least = least
        self._refused: set[tuple[int, int]] = set()

    def alike(self, one: int, other: int, estimate: float) -> bool:
        if estimate >= self._least + _DOUBT:
            return True
        if (one, other) in self._refused:
            return False
        if similarity(self._shingles_of(one), self._other_shingles_of(other)) >= self._least:
            return True
        if len(self._refused) < _MOST_REFUSED:
            self._refused.add((one, other))
        return False


def _estimates(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Return the similarities that signatures tell: the share of equal bytes, less those that are equal by chance."""
    import numpy as np

    equal = np.count_nonzero(one == other, axis=1) / one.shape[1]
    estimates: NDArray[Any] = (equal - 1 / 256) / (1 - 1 / 256)
    return estimates


def _pairs_within(rows: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    import numpy as np

    count = len(rows)
    if count <= _FEW:
        for step in range(1, count):
            yield np.arange(count - step), np.arange(step, count)
        return
    for band in range(_BANDS):
        keys = _keys(rows, band)
        order = np.argsort(keys, kind="stable")
        buckets = keys[order] >> _BEHIND
        for step in range(1, _WINDOW + 1):
            together = np.flatnonzero(buckets[step:] == buckets[:-step])
            if not len(together):
                break
            yield order[together], order[together + step]


def _pairs_across(rows: NDArray[Any], others: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    import numpy as np

    if not len(rows) or not len(others):
        return
    if len(rows) * len(others) <= _FEW**2:
        for other in range(len(others)):
            yield np.arange(len(rows)), np.full(len(rows), other)
        return
    for band in range(_BANDS):
        keys, other_keys = _keys(rows, band), _keys(others, band)
        order = np.argsort(other_keys, kind="stable")
        sorted_keys = other_keys[order]
        places = np.searchsorted(sorted_keys, keys)
        for step in range(-_WINDOW // 2, _WINDOW // 2):
            beside = np.clip(places + step, 0, len(order) - 1)
            together = np.flatnonzero(sorted_keys[beside] >> _BEHIND == keys >> _BEHIND)
            yield together, order[beside[together]]


# A band's key: its own five bytes, then the first three of the next.
_BEHIND = 24


def _keys(rows: NDArray[Any], band: int) -> NDArray[Any]:
    import numpy as np

    columns = (np.arange(8) + band * _BAND_LENGTH) % rows.shape[1]
    return np.ascontiguousarray(rows[:, columns]).view(">u8").ravel().astype(np.uint64)


def _in_blocks(one: NDArray[Any], other: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Divide pairs, of which there can be as many as texts: each takes 250 bytes while it is estimated."""
    for start in range(0, len(one), _PAIRS_AT_ONCE):
        yield one[start : start + _PAIRS_AT_ONCE], other[start : start + _PAIRS_AT_ONCE]
