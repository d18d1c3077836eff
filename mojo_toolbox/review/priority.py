"""What comes first: what a router disagrees with, then what it is unsure of, by the predictions of `mojo evaluate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mojo_toolbox.data import read_records
from mojo_toolbox.data.conversations import read_label
from mojo_toolbox.errors import DataError
from mojo_toolbox.review.records import Labels, RouterDecision

UNLISTED = 3.0
DOUBTED = 1.5
# Of a router that says no probability.
_UNSAID = 0.5


def priority(labels: Labels, router: Mapping[int, RouterDecision], *, marked: bool, unlisted: bool) -> float:
    """Return how early a conversation should be looked at; higher is earlier.

    3: labels that are not on the task list. From 1 to 2: a router disagrees, the surer it is the higher; 1.5 at least for
    turns that were marked. Below 1: a router agrees, the less sure it is the higher.
    """
    if unlisted:
        return UNLISTED
    found = DOUBTED if marked else 0.0
    for turn, decision in router.items():
        sure = _UNSAID if decision.probability is None else decision.probability
        if disagrees(labels, turn, decision):
            found = max(found, 1 + sure)
        elif decision.probability is not None:
            found = max(found, min(1 - sure, 0.999))
    return found


def disagrees(labels: Labels, turn: int, decision: RouterDecision) -> bool:
    """Whether a router decided otherwise than a label; a turn without one has nothing to disagree with."""
    return turn in labels and labels[turn] != decision.task


class Predictions:
    """A router's decisions on a file, read along with it: both are in the same order, neither is held."""

    def __init__(self, path: Path | str | None) -> None:
        self._path = path
        self._rows: Iterator[tuple[int, dict[str, Any]]] = iter(()) if path is None else read_records(path)
        self._ahead = next(self._rows, None)

    def of(self, number: int, name: str, labels: Labels) -> dict[int, RouterDecision]:
        """Return the decisions on the conversation with this number, from 0.

        Raises:
            DataError: they were made of other conversations, or the file is no predictions.jsonl.
        """
        found = {}
        while self._ahead is not None and self._number(*self._ahead) == number:
            line, row = self._ahead
            self._require_same(line, row, name, labels)
            if row.get("valid") is True:
                found[row["turn"]] = RouterDecision(_label(row, "task"), self._probability(line, row))
            self._ahead = next(self._rows, None)
        return found

    def finish(self) -> None:
        """Refuse what is left over.

        Raises:
            DataError: predictions of conversations that the file does not hold, or out of order.
        """
        if self._ahead is not None:
            line, row = self._ahead
            raise DataError(
                f"predicts conversation {row.get('conversation')!r} (from 0), which the file does not have, or not in this "
                "order: the predictions were made of other data.",
                path=self._path,
                line=line,
            )

    def _number(self, line: int, row: dict[str, Any]) -> int:
        number, turn, task = row.get("conversation"), row.get("turn"), row.get("task")
        if type(number) is not int or type(turn) is not int or not (task is None or isinstance(task, str)):
            raise DataError(
                "no prediction: conversation, turn and task were expected, as in predictions.jsonl of mojo evaluate.",
                path=self._path,
                line=line,
            )
        return number

    def _require_same(self, line: int, row: dict[str, Any], name: str, labels: Labels) -> None:
        turn = row["turn"]
        other_label = turn not in labels or ("gold" in row and _label(row, "gold") != labels[turn])
        if row.get("id", name) != name or other_label:
            raise DataError(
                f"predicts turn {turn} of {row.get('id')!r} as labelled {row.get('gold')!r}, and the conversation in this "
                f"place is {name!r} with other labels: the predictions were made of other data. Make them anew: mojo evaluate",
                path=self._path,
                line=line,
            )

    def _probability(self, line: int, row: dict[str, Any]) -> float | None:
        given = row.get("probability")
        if given is None:
            return None
        if type(given) not in {int, float} or not 0 <= given <= 1:
            raise DataError(f"probability {given!r:.40} is not between 0 and 1.", path=self._path, line=line)
        return float(given)


def _label(row: dict[str, Any], key: str) -> Any:
    given = row.get(key)
    # An empty text names no task: it is compared as it is, and agrees with no label.
    return read_label(given) if isinstance(given, str) and given.strip() else given
