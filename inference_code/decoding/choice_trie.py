"""The choices as a trie of tokens, each ended by the end-of-turn token. Constrained decoding walks it."""

from __future__ import annotations

from dataclasses import dataclass, field


class AmbiguousChoicesError(ValueError):
    """Two choices are the same tokens, so no answer could tell them apart. `first` and `second` are their places."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"choices {first} and {second} are the same tokens")
        self.first = first
        self.second = second


@dataclass
class _Node:
    token: int
    parent: int
    depth: int
    choices: int = 0
    children: dict[int, int] = field(default_factory=dict)


class ChoiceTrie:
    """A trie of token sequences.

    A node's *place* is its index in `nodes`. The root is 0 and a parent's place is lower than its children's. Only
    `shared` nodes (two choices or more go through them) matter to the model: below the others one candidate is left.
    """

    def __init__(self, sequences: list[list[int]], end_id: int) -> None:
        self.nodes = [_Node(token=-1, parent=-1, depth=0)]
        # For each choice, the places of its nodes from the root (included) to its leaf.
        self.paths = [self._insert([*sequence, end_id]) for sequence in sequences]
        ends: dict[int, int] = {}
        for i, path in enumerate(self.paths):
            if path[-1] in ends:
                raise AmbiguousChoicesError(ends[path[-1]], i)
            ends[path[-1]] = i
        # Where the end of a turn is spelled in plain text ("<", "|", ...), one choice's end can be another's middle.
        for i, path in enumerate(self.paths):
            for place in path[:-1]:
                if place in ends:
                    raise AmbiguousChoicesError(ends[place], i)
        self.shared = [place for place, node in enumerate(self.nodes) if place and node.choices > 1]
        self.branching = [place for place, node in enumerate(self.nodes) if len(node.children) > 1]

    @property
    def depth(self) -> int:
        """Tokens below the prompt that the model must see at most to tell all choices apart."""
        return max((self.nodes[place].depth for place in self.shared), default=0)

    def tokens_to(self, place: int) -> list[int]:
        """Tokens from the root to the node at `place`."""
        tokens: list[int] = []
        while place:
            tokens.append(self.nodes[place].token)
            place = self.nodes[place].parent
        return tokens[::-1]

    def _insert(self, sequence: list[int]) -> list[int]:
        place = 0
        self.nodes[0].choices += 1
        path = [0]
        for token in sequence:
            node = self.nodes[place]
            following = node.children.get(token)
            if following is None:
                following = node.children[token] = len(self.nodes)
                self.nodes.append(_Node(token=token, parent=place, depth=node.depth + 1))
            place = following
            self.nodes[place].choices += 1
            path.append(place)
        return path
