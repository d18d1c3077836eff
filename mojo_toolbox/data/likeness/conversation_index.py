"""What conversations say, by number, in some 150 bytes each: which say the same, and which resemble each other."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from mojo_toolbox.data.conversations import Conversation
from mojo_toolbox.data.likeness.near_duplicates import Groups, Signatures, join_similar, nearest
from mojo_toolbox.data.likeness.shingles import shingles
from mojo_toolbox.errors.extras import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Gives the texts of a conversation's messages again, by its number.
TextsOf = Callable[[int], Sequence[str]]


def digest(*parts: object) -> int:
    """Return 64 bits that tell one sequence of texts, numbers and None from another, in any process."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def require_packages() -> None:
    """Refuse early, because a missing package would otherwise fail after minutes.

    Raises:
        ConfigurationError: datasketch or numpy is not installed.
    """
    require("Comparing conversations", "datasketch", "numpy", extra="evaluation")


class ConversationIndex:
    """An index of conversations by the messages of both sides. Ids, labels and task lists make no difference."""

    def __init__(self) -> None:
        self._signatures = Signatures()
        self._digests = array("Q")

    def __len__(self) -> int:
        return len(self._digests)

    def add(self, conversation: Conversation) -> None:
        """Take the next conversation."""
        self._signatures.add(shingles(message.content for message in conversation.messages))
        self._digests.append(digest(*((message.role, message.content) for message in conversation.messages)))

    def digests(self) -> NDArray[Any]:
        """Return 64 bits a conversation. Conversations with the same messages, to the letter, have the same bits."""
        import numpy as np

        return np.array(self._digests, dtype=np.uint64)

    def same(self) -> NDArray[Any]:
        """Return for each conversation the first one with the same messages, which may be itself."""
        import numpy as np

        _, firsts, inverse = np.unique(self.digests(), return_index=True, return_inverse=True)
        found: NDArray[Any] = firsts[inverse].astype(np.int64)
        return found

    def join_similar(self, groups: Groups, texts_of: TextsOf, *, least: float) -> Iterator[tuple[int, int]]:
        """Join similar conversations in `groups`, which begin with `same()`, and yield the pairs that joined two groups."""
        import numpy as np

        members = np.unique(self.same())
        return join_similar(
            groups, self._signatures.rows(), members, lambda number: shingles(texts_of(number)), least=least
        )

    def nearest(
        self,
        members: NDArray[Any],
        other: ConversationIndex,
        texts_of: TextsOf,
        other_texts_of: TextsOf,
        *,
        least: float,
    ) -> NDArray[Any]:
        """Return for each of `members` the most similar conversation of the other index, or -1 without a similar one."""
        found, _ = nearest(
            self._signatures.rows()[members],
            other._signatures.rows(),
            lambda place: shingles(texts_of(int(members[place]))),
            lambda number: shingles(other_texts_of(number)),
            least=least,
        )
        return found
