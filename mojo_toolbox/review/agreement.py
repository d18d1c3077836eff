"""How far people agree: what two decisions on one conversation come to, and Cohen's kappa over its turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from mojo_toolbox.review.records import Kappa, Labels, PastDecision

Verdict = Literal["undecided", "decided", "wrong", "check", "disagreement"]
# A turn that one of the two left without a label; no task is named so, since names have no blanks around them.
_UNLABELLED = " unlabelled"
_NO_TASK = " none"


def verdict(decisions: Sequence[PastDecision], settled: PastDecision | None) -> Verdict:
    """Say what a conversation's decisions come to; an admin who settled it has the last word."""
    deciding = [settled] if settled is not None else decisions
    actions = {decision.action for decision in deciding}
    if not deciding:
        return "undecided"
    if "check" in actions:
        return "check"
    if "wrong" in actions:
        return "wrong" if actions == {"wrong"} else "disagreement"
    first = deciding[0].labels
    return "decided" if all(decision.labels == first for decision in deciding) else "disagreement"


def common_labels(decisions: Sequence[PastDecision]) -> Labels:
    """Return the labels that all decisions share; where they differ nobody knows."""
    shared = decisions[0].labels if decisions else {}
    return {
        turn: label
        for turn, label in shared.items()
        if all(turn in other.labels and other.labels[turn] == label for other in decisions)
    }


def turns_apart(decisions: Sequence[PastDecision]) -> list[int]:
    """Return the message indexes at which decisions differ; who threw the conversation out says nothing of its turns."""
    every = [decision.labels for decision in decisions if decision.action != "wrong"]
    turns = sorted({turn for labels in every for turn in labels})
    return [turn for turn in turns if len({_category(labels, turn) for labels in every}) > 1]


class Agreement:
    """Counts turns that two people judged. Unordered pairs: the first is whose name comes first."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], Counter[tuple[str, str]]] = {}

    def add(self, one: PastDecision, other: PastDecision) -> None:
        """Count the turns of a conversation, unless one of the two threw it out or was unsure."""
        if not {one.action, other.action} <= {"okay", "change"}:
            return
        first, second = sorted((one, other), key=lambda decision: decision.by)
        counted = self._pairs.setdefault((first.by, second.by), Counter())
        counted.update(_judged_twice(first.labels, second.labels))

    def overall(self) -> Kappa:
        """Return the agreement of all pairs together."""
        together: Counter[tuple[str, str]] = Counter()
        for counted in self._pairs.values():
            together.update(counted)
        return cohens_kappa(None, together)

    def by_pair(self) -> tuple[Kappa, ...]:
        """Return the agreement of each pair, by name."""
        return tuple(cohens_kappa(pair, self._pairs[pair]) for pair in sorted(self._pairs))


def _judged_twice(first: Labels, second: Labels) -> Iterator[tuple[str, str]]:
    for turn in sorted({*first, *second}):
        yield _category(first, turn), _category(second, turn)


def _category(labels: Labels, turn: int) -> str:
    if turn not in labels:
        return _UNLABELLED
    label = labels[turn]
    return _NO_TASK if label is None else label


def cohens_kappa(pair: tuple[str, str] | None, counted: Counter[tuple[str, str]]) -> Kappa:
    """Return the agreement in `counted` judgements, by category of the one and of the other.

    Kappa is (observed - expected) / (1 - expected) agreement (Cohen 1960, "A Coefficient of Agreement for Nominal Scales"); None
    where nothing was judged or chance explains all.
    """
    total = counted.total()
    agreed = sum(count for (one, other), count in counted.items() if one == other)
    firsts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for (one, other), count in counted.items():
        firsts[one] += count
        seconds[other] += count
    # In whole numbers, so that "chance explains all" is exact.
    by_chance = sum(firsts[category] * seconds[category] for category in firsts)
    left = total * total - by_chance
    return Kappa(pair, total, agreed, (agreed * total - by_chance) / left if left else None)
