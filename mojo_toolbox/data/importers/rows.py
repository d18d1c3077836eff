"""Rows of an utterance and its label, from a table or a data set, as conversations."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from mojo_toolbox.data.conversations import Conversation, means_none
from mojo_toolbox.data.importers.summary import ImportSummary, Note
from mojo_toolbox.data.importers.task_lists import TaskLists
from mojo_toolbox.errors import DataError
from mojo_toolbox.spelling import canonical

# Labels that say "no task", unless a task has such a name; upper and lower case are alike.
NONE_LABELS = ("none", "null", "oos", "out_of_scope")
USER_ROLES = ("user", "human", "customer", "client", "caller", "u")
ASSISTANT_ROLES = ("assistant", "agent", "bot", "gpt", "model", "a")
# A conversation of more messages is a column that does not tell conversations apart, and would fill the memory.
_MOST_MESSAGES = 10_000

UNKNOWN_LABEL = "the label is not in the task list"
NO_LABEL = "the label is empty"


@dataclass(frozen=True)
class Row:
    """One utterance: its place, its speaker, its label as written, and its conversation."""

    path: str
    line: int | None
    place: str
    key: str
    text: str
    label: str
    role: Literal["user", "assistant"] = "user"


@dataclass(frozen=True)
class Labels:
    """The rules for labels: the tasks that they may name, the words for no task, and the treatment of other labels."""

    lists: TaskLists
    none_labels: Collection[str] = NONE_LABELS
    skip_unknown: bool = False

    def means_none(self, label: str) -> bool:
        """Whether a label says that there is no task."""
        if means_none(label):
            return True
        spelt = canonical(label)
        words = {canonical(word).casefold() for word in self.none_labels}
        return spelt not in self.lists.names and spelt.casefold() in words

    def require_known(self, row: Row) -> bool:
        """Return whether the row's label names a task.

        Raises:
            DataError: it does not name a task, and unknown labels are not skipped.
        """
        known = canonical(row.label) in self.lists.names
        if known or self.skip_unknown:
            return known
        near = difflib.get_close_matches(row.label, self.lists.names, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        where = "" if row.line is not None else f"{row.place}: "
        raise DataError(
            f"{where}the label {row.label[:80]!r} is not one of the {len(self.lists.names)} tasks.{meant} "
            "Add it to the task file, name it as a label for no task (--none-label), or leave such rows out (--skip-unknown).",
            path=row.path,
            line=row.line,
        )


def conversations_of_rows(rows: Iterable[Row], labels: Labels, summary: ImportSummary) -> Iterator[Conversation]:
    """Yield a conversation for each run of rows with the same key.

    A conversation of one row with an unknown label is left out. In a longer one the turn stays without a label.
    """
    for key, run in groupby(rows, key=lambda row: row.key):
        turns = _limited(key, run)
        first = turns[0]
        if all(turn.role != "user" for turn in turns):
            summary.skip_conversation("has no user row", first.place)
            continue
        messages, notes = _messages(turns, labels)
        if len(turns) == 1 and notes and notes[0].reason == UNKNOWN_LABEL:
            summary.skip_conversation(UNKNOWN_LABEL, notes[0].place)
            continue
        tasks, withheld = labels.lists.draw(key, {m["task"] for m in messages if m.get("task") is not None})
        for message in messages:
            if message.get("task") in withheld:
                message["task"] = None
        record: dict[str, Any] = {"id": key, "tasks": tasks, "messages": messages}
        if withheld:
            record["meta"] = {"withheld": sorted(withheld)}
        conversation = summary.accept(record, place=first.place, notes=notes)
        if conversation is not None:
            yield conversation


def _limited(key: str, run: Iterable[Row]) -> list[Row]:
    turns: list[Row] = []
    for row in run:
        if len(turns) == _MOST_MESSAGES:
            raise DataError(
                f"the conversation {key[:80]!r} has more than {_MOST_MESSAGES:,} rows: does that column name conversations?",
                path=row.path,
                line=row.line,
            )
        turns.append(row)
    return turns


def _messages(turns: Iterable[Row], labels: Labels) -> tuple[list[dict[str, Any]], list[Note]]:
    messages: list[dict[str, Any]] = []
    notes: list[Note] = []
    for row in turns:
        message: dict[str, Any] = {"role": row.role, "content": row.text}
        # Tables often repeat a label on the rows of both sides; the user's is the one that counts.
        if row.role == "user":
            if labels.means_none(row.label):
                message["task"] = None
            elif not row.label:
                notes.append(Note("label", NO_LABEL, row.place))
            elif labels.require_known(row):
                message["task"] = canonical(row.label)
            else:
                notes.append(Note("label", UNKNOWN_LABEL, f"{row.place}: {row.label[:80]!r}"))
        messages.append(message)
    return messages, notes
