"""Divide conversations into a training and a test part, by conversation or by task, with near-duplicates on one side."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mojo_toolbox.data.conversations import Conversation, parse_conversation
from mojo_toolbox.data.likeness.conversation_index import ConversationIndex, TextsOf, require_packages
from mojo_toolbox.data.likeness.near_duplicates import SIMILAR, Groups
from mojo_toolbox.data.unseen_tasks import LabelSet, choose_unseen_tasks
from mojo_toolbox.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

By = Literal["conversation", "task"]

# When so large a share of distinct conversations hangs together, and so many, it is by the template that they were made
# from: then only what is more alike counts as near-duplicates, in these steps, in the end only what is the same.
_TEMPLATE_SHARE, _TEMPLATE_COUNT = 0.1, 20
_STEPS = (SIMILAR, 0.8, 0.9)


@dataclass(frozen=True)
class Division:
    """The numbers of the test conversations, and the decisions on the way.

    `unseen` are the tasks that only the test part has. It is empty for a split by conversation. `similar_from` is the least
    similarity of conversations that stay on one side. `together` is the number of conversations that stay with another.
    """

    test: NDArray[Any]
    unseen: frozenset[str]
    similar_from: float
    together: int


def labels_of(conversation: Conversation) -> LabelSet:
    """Return the tasks that are in charge somewhere in the conversation."""
    return frozenset(message.task for message in conversation.messages if message.task is not None)


def split(
    conversations: Iterable[Conversation],
    *,
    by: By = "conversation",
    test_share: float = 0.2,
    seed: int = 0,
    similar_from: float | None = None,
) -> tuple[list[Conversation], list[Conversation]]:
    """Return (train, test), both in the given order. The choice of the parts does not depend on the order.

    By conversation, each task has about its share of both parts.

    By task, only the test part has some of the tasks. No training conversation lists them, and no other task is in charge in
    the test part. A conversation in which one of them is in charge is a test conversation. Tasks of the training part that are
    in charge in it too are taken off its list, and their turns become none. A task that is listed but never in charge may be a
    training task in both parts.

    Args:
        conversations: the conversations to divide.
        by: "conversation" or "task".
        test_share: the test part's share of the conversations, as nearly as groups of similar ones allow.
        seed: another seed gives other parts.
        similar_from: the least similarity (0 to 1) of conversations that stay on one side. None means 0.65, or more if 0.65
            would keep a tenth of all together, because they come from a template.

    Raises:
        DataError: there are too few conversations or tasks, or all of them are alike.
        ConfigurationError: a share is out of its range.
    """
    require_packages()
    given = list(conversations)
    facts = Facts()
    for conversation in given:
        facts.add(conversation)
    division = divide(
        facts,
        lambda number: [message.content for message in given[number].messages],
        by=by,
        test_share=test_share,
        seed=seed,
        similar_from=similar_from,
    )
    parts: tuple[list[Conversation], list[Conversation]] = ([], [])
    for conversation, is_test in zip(given, division.test.tolist(), strict=True):
        fitted = fit(conversation, division.unseen, is_test=is_test)
        if fitted is not None:
            parts[is_test].append(fitted)
    return parts


class Facts:
    """The facts about conversations that a division needs, some 150 bytes each."""

    def __init__(self) -> None:
        self.index = ConversationIndex()
        self._numbers: dict[LabelSet, int] = {}
        self._label_sets = array("I")

    def __len__(self) -> int:
        return len(self.index)

    def add(self, conversation: Conversation) -> None:
        """Take the next conversation."""
        self.index.add(conversation)
        self._label_sets.append(self._numbers.setdefault(labels_of(conversation), len(self._numbers)))

    def labels_of_groups(self, group_of: NDArray[Any], count: int) -> list[LabelSet]:
        """Return the tasks in charge in each group of conversations."""
        sets = list(self._numbers)
        labels: list[LabelSet] = [frozenset()] * count
        for group, number in zip(group_of.tolist(), self._label_sets, strict=True):
            labels[group] = labels[group] | sets[number] if labels[group] else sets[number]
        return labels


def divide(
    facts: Facts, texts_of: TextsOf, *, by: By, test_share: float, seed: int, similar_from: float | None
) -> Division:
    """Choose the test conversations (see `split`). `texts_of` reads a conversation's messages again."""
    import numpy as np

    if by not in {"conversation", "task"}:
        raise ConfigurationError(f'by={by!r} must be "conversation" or "task".')
    if not 0 < test_share < 1:
        raise ConfigurationError(f"test_share={test_share!r} must be a number between 0 and 1, such as 0.2.")
    if not len(facts):
        raise DataError("There are no conversations to divide.")
    roots, similar_from = _near_duplicates(facts.index, texts_of, similar_from)
    _, group_of = np.unique(roots, return_inverse=True)
    sizes = np.bincount(group_of)
    if len(sizes) == 1:
        alike = f"{len(facts)} conversations that are all alike" if len(facts) > 1 else "One conversation"
        raise DataError(f"{alike} cannot be divided: near-duplicates stay on one side. Give others too.")
    labels = facts.labels_of_groups(group_of, len(sizes))
    order = _order(facts.index.digests(), group_of, labels, seed)
    unseen: frozenset[str] = frozenset()
    if by == "task":
        unseen = choose_unseen_tasks(_weights(labels, sizes), share=test_share, seed=seed)
    fixed = [None if not unseen or not of_group else bool(of_group & unseen) for of_group in labels]
    test = _deal(order, sizes.tolist(), fixed, test_share)
    together = int(sizes[sizes > 1].sum())
    return Division(np.array(test)[group_of], unseen, similar_from, together)


def fit(conversation: Conversation, unseen: frozenset[str], *, is_test: bool) -> Conversation | None:
    """Return the conversation for its part of a split by task, or None when no task is left on its list."""
    withheld = labels_of(conversation) - unseen if is_test else unseen
    kept = [task for task in conversation.tasks if task.name not in withheld] if unseen else conversation.tasks
    if len(kept) == len(conversation.tasks):
        return conversation
    if not kept:
        return None
    record = conversation.as_record()
    record["tasks"] = [task.model_dump() for task in kept]
    for message in record["messages"]:
        if message.get("task") in withheld:
            message["task"] = None
    return parse_conversation(record)


def _near_duplicates(
    index: ConversationIndex, texts_of: TextsOf, similar_from: float | None
) -> tuple[NDArray[Any], float]:
    """Return for each conversation the one that stands for its group, and the similarity from which groups were made."""
    import numpy as np

    same = index.same()
    distinct = np.unique(same)
    for least in _STEPS if similar_from is None else (similar_from,):
        groups = Groups(same.copy())
        for _ in index.join_similar(groups, texts_of, least=least):
            pass
        largest = int(np.bincount(groups.roots(distinct)).max())
        if similar_from is not None or largest <= max(_TEMPLATE_COUNT, _TEMPLATE_SHARE * len(distinct)):
            return groups.roots(), least
    return same, 1.0


def _order(digests: NDArray[Any], group_of: NDArray[Any], labels: list[LabelSet], seed: int) -> list[int]:
    """Return groups by their rarest task, and in random order where that is the same; not in the order of the file."""
    import numpy as np

    lowest = np.full(len(labels), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, group_of, digests)
    by_content = np.argsort(lowest, kind="stable")
    shuffled = by_content[np.random.default_rng(seed).permutation(len(labels))].tolist()
    frequency = Counter(label for of_group in labels for label in of_group)

    def stratum(group: int) -> tuple[int, str]:
        return min(((frequency[label], label) for label in labels[group]), default=(0, ""))

    return sorted(shuffled, key=stratum)


def _deal(order: list[int], sizes: list[int], fixed: list[bool | None], share: float) -> list[bool]:
    """Return for each group whether it is test: in turn, so that every stretch of the order has its share."""
    test = [bool(side) for side in fixed]
    free = [group for group in order if fixed[group] is None]
    owed = 0.0
    for group in free:
        owed += share * sizes[group]
        if owed >= sizes[group] / 2:
            test[group] = True
            owed -= sizes[group]
    for side in (True, False):
        if side not in test:
            # Few conversations, or large groups: the smallest makes a part of its own.
            test[min(reversed(free), key=sizes.__getitem__)] = side
    return test


def _weights(labels: list[LabelSet], sizes: NDArray[Any]) -> dict[LabelSet, int]:
    weights: Counter[LabelSet] = Counter()
    for of_group, size in zip(labels, sizes.tolist(), strict=True):
        weights[of_group] += size
    return dict(weights)
