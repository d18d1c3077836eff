"""What the review room takes and hands out: items, decisions, figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from mojo_toolbox.data import Conversation

Action = Literal["okay", "change", "check", "wrong"]
ACTIONS: tuple[Action, ...] = get_args(Action)
LONGEST_NOTE = 10_000
LONGEST_REASON = 200
# Label by the index of a user message, from 0. None is a label too: no listed task; a turn without one has no key.
Labels = dict[int, str | None]


@dataclass(frozen=True)
class Reviewer:
    """The person of an action. Every action of the store has one."""

    id: int
    name: str
    admin: bool = False


@dataclass(frozen=True)
class Person:
    """A reviewer in the list of people. Tokens are kept as hashes, and `invite()` shows them once."""

    name: str
    admin: bool
    local: bool
    """Whether this is the single person of a page on this machine, without a token."""
    invited_at: float
    """Seconds since 1970, as all times here."""
    revoked_at: float | None
    seen_at: float | None
    """Time of the last action, or None before the first."""


@dataclass(frozen=True)
class ReviewMark:
    """A doubt about a turn from before the review: from the generator's second pass, or from the import."""

    message: int | None
    """Index in the conversation's messages, from 0, or None for the whole conversation."""
    reason: str


@dataclass(frozen=True)
class RouterDecision:
    """A router's answer at a user turn."""

    task: str | None
    probability: float | None = None


@dataclass(frozen=True)
class PastDecision:
    """A decision as it was stored."""

    by: str
    at: float
    action: Action
    labels: Labels
    """All labels after the decision."""
    changes: Labels
    """The labels that differ from the imported ones."""
    note: str = ""
    reason: str = ""
    """The reason for throwing the conversation out. Empty for other actions, or without a reason."""


@dataclass(frozen=True)
class Item:
    """A conversation that is given to a reviewer."""

    id: int
    conversation: Conversation
    """The conversation as imported. Labels that are not on its task list are taken off and marked."""
    labels: Labels
    """The current labels."""
    version: int
    """It changes after each action on the item. In `ReviewDecision.version` it shows that a page is out of date."""
    marks: tuple[ReviewMark, ...] = ()
    router: Mapping[int, RouterDecision] = field(default_factory=dict)
    """By message index, if a router was asked."""
    source: str = ""
    due: float = 0.0
    """The time at which it goes back to the queue without an action, in seconds since 1970."""
    undone: PastDecision | None = None
    """The decision that BACK has just taken back, to show it or to start from it."""
    others: tuple[PastDecision, ...] = ()
    """The reviewers' decisions, for an admin who settles the item. Empty for all others, because they must judge alone."""
    settling: bool = False


@dataclass(frozen=True)
class ReviewDecision:
    """One of the actions on an item.

    `okay` takes the labels as they are, `change` changes some, `check` asks a colleague to look (and may change some too),
    `wrong` throws the conversation out, for a `reason`.
    """

    action: Action
    labels: Labels = field(default_factory=dict)
    """Changed labels by message index. The other labels stay."""
    note: str = ""
    reason: str = ""
    """The reason for throwing the conversation out, in a few words. Only with `wrong`. The page always asks for it."""
    key: str = ""
    """The page makes one for each press of a key. A key that is sent twice counts once. Empty means no such protection."""
    version: int | None = None
    """The `Item.version` of the decision. None means the current one."""


@dataclass(frozen=True)
class ReviewProgress:
    """The progress of reviewing. It counts decisions, and an overlapping conversation needs two."""

    done: int
    total: int
    mine: int
    per_hour: float | None
    """My speed at work, without pauses of more than five minutes. None before the third decision of a day."""
    seconds_left: float | None
    """The remaining time with everybody at work now. None while no speed is known."""


@dataclass(frozen=True)
class ReviewerFigures:
    """The figures of one reviewer."""

    name: str
    decided: int
    actions: Mapping[Action, int]
    changed_labels: int
    per_hour: float | None
    holding: int
    """Conversations that are locked for them now."""
    last_at: float | None


@dataclass(frozen=True)
class TaskLabelFigures:
    """The labels of a task (None: no task) in decided conversations, and their changes."""

    task: str | None
    turns: int
    """Turns with this label at import."""
    changed_away: int
    changed_to: int


@dataclass(frozen=True)
class Kappa:
    """Agreement of two people beyond chance."""

    pair: tuple[str, str] | None
    """The two reviewers, or None for all pairs together."""
    turns: int
    agreed: int
    kappa: float | None
    """Cohen's kappa. None if nothing was judged twice, or if only one label occurs, so that chance explains everything."""


@dataclass(frozen=True)
class Open:
    """A conversation that an admin may settle."""

    item_id: int
    name: str
    """Its own id in the file that it came from."""
    decisions: tuple[PastDecision, ...]
    settled: PastDecision | None
    """The admin's decision, which counts."""
    user_turns: tuple[int, ...]
    """The message index of each user turn. People count user turns, from 1."""


@dataclass(frozen=True)
class Overview:
    """The admin's view."""

    conversations: int
    decided: int
    """Conversations with all decisions that they need."""
    decisions: int
    decisions_needed: int
    reviewers: tuple[ReviewerFigures, ...]
    tasks: tuple[TaskLabelFigures, ...]
    checks: tuple[Open, ...]
    """To be checked: the first hundred."""
    checks_total: int
    disagreements: tuple[Open, ...]
    """Decided twice, differently, and not settled: the first hundred."""
    disagreements_total: int
    thrown_out: tuple[Open, ...]
    """Thrown out: the first hundred."""
    thrown_out_total: int
    reasons: Mapping[str, int]
    """The number of thrown out conversations for each reason. "" means without a reason."""
    agreement: Kappa
    """The agreement on all turns that two reviewers labelled."""
    agreement_by_pair: tuple[Kappa, ...]


@dataclass(frozen=True)
class ImportReport:
    """The result of an import of a file."""

    read: int
    new: int
    known: int
    """Known conversations with the same text and task list. Their decisions stay."""
    updated: int
    """Known and undecided conversations with other labels now. The new labels count."""
    kept: int
    """Known and decided conversations with other labels in the file. The reviewers' decision counts."""
    replaced: int
    """Conversations that left the queue, because another text of the same source has their id. Their decisions are kept, not exported."""
    repeated: int
    """Conversations that occur twice in the file."""
    unlisted_labels: int
    """Labels that are not on the task list. They are taken off and marked, and their conversations come first."""
    disagreements: int
    """Conversations in which the router disagrees with the labels."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON takes them."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class ExportReport:
    """The result of an export: the written conversations, and the ones left out with the reasons."""

    written: int
    changed: int
    """Written conversations with a changed label."""
    left_out: Mapping[str, int]
    """Conversations that were left out, by reason: undecided, wrong, check, disagreement."""
    sha256: str
    """Content hash of the written conversations."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON takes them."""
        return {**self.__dict__, "left_out": dict(self.left_out)}
