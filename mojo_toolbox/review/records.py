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
    """Whether this is the single person of a page on this machine, who has no token."""
    invited_at: float
    """Seconds since 1970, as all times here."""
    revoked_at: float | None
    seen_at: float | None
    """Of the last action; None before the first."""


@dataclass(frozen=True)
class Mark:
    """A doubt about a turn from before the review: from the generator's second pass, or from the import."""

    message: int | None
    """Index in the conversation's messages, from 0; None for the whole conversation."""
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
    """All labels as the reviewer left them."""
    changes: Labels
    """Those of them that differ from what was imported."""
    note: str = ""
    reason: str = ""
    """Why the conversation was thrown out; empty for other actions, and where nobody said why."""


@dataclass(frozen=True)
class Item:
    """A conversation that is given to a reviewer."""

    id: int
    conversation: Conversation
    """As imported, but for labels that its task list lacks: those are taken off and marked."""
    labels: Labels
    """Labels as they stand now."""
    version: int
    """Another one after each action on it; in `Decision.version` it tells a page that is out of date."""
    marks: tuple[Mark, ...] = ()
    router: Mapping[int, RouterDecision] = field(default_factory=dict)
    """By message index, where a router was asked."""
    source: str = ""
    due: float = 0.0
    """When it goes back to the queue if nobody acts on it before, in seconds since 1970."""
    undone: PastDecision | None = None
    """The decision that BACK has just taken back, to show it or to start from it."""
    others: tuple[PastDecision, ...] = ()
    """What reviewers decided, shown to an admin who settles it; empty for everybody else, who must judge alone."""
    settling: bool = False


@dataclass(frozen=True)
class Decision:
    """One of the actions on an item.

    `okay` takes the labels as they are, `change` changes some, `check` asks a colleague to look (and may change some too),
    `wrong` throws the conversation out, for a `reason`.
    """

    action: Action
    labels: Labels = field(default_factory=dict)
    """Changed labels by message index; what is left out stays."""
    note: str = ""
    reason: str = ""
    """Why the conversation is thrown out, in a few words; only with `wrong`. The page always asks for it."""
    key: str = ""
    """Made by the page for each press of a key: sent twice, it counts once. Empty: no such protection."""
    version: int | None = None
    """The `Item.version` that was decided on; None: whatever it is now."""


@dataclass(frozen=True)
class Progress:
    """The progress of reviewing. It counts decisions, and an overlapping conversation needs two."""

    done: int
    total: int
    mine: int
    per_hour: float | None
    """My speed at work, pauses of more than five minutes left out; None before the third decision of a day."""
    seconds_left: float | None
    """With all who are at work now; None while no speed is known."""


@dataclass(frozen=True)
class ReviewerFigures:
    """What one reviewer did."""

    name: str
    decided: int
    actions: Mapping[Action, int]
    changed_labels: int
    per_hour: float | None
    holding: int
    """Conversations that are locked for them now."""
    last_at: float | None


@dataclass(frozen=True)
class TaskFigures:
    """What became of the labels of a task (None: no task) in decided conversations."""

    task: str | None
    turns: int
    """Labelled so at import."""
    changed_away: int
    changed_to: int


@dataclass(frozen=True)
class Kappa:
    """Agreement of two people beyond chance."""

    pair: tuple[str, str] | None
    """Whose; None for all pairs together."""
    turns: int
    agreed: int
    kappa: float | None
    """Cohen's kappa; None where nothing was judged twice, or where only one label occurs, so that chance explains all."""


@dataclass(frozen=True)
class Open:
    """A conversation that an admin may settle."""

    item_id: int
    name: str
    """Its own id in the file that it came from."""
    decisions: tuple[PastDecision, ...]
    settled: PastDecision | None
    """What an admin decided above them."""
    user_turns: tuple[int, ...]
    """The message index of each user turn: people count user turns, from 1."""


@dataclass(frozen=True)
class Overview:
    """The admin's view."""

    conversations: int
    decided: int
    """Conversations with all decisions that they need."""
    decisions: int
    decisions_needed: int
    reviewers: tuple[ReviewerFigures, ...]
    tasks: tuple[TaskFigures, ...]
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
    """How many were thrown out for each reason; "" where nobody said why."""
    agreement: Kappa
    """Of all turns that two reviewers labelled."""
    agreement_by_pair: tuple[Kappa, ...]


@dataclass(frozen=True)
class ImportReport:
    """The result of an import of a file."""

    read: int
    new: int
    known: int
    """There already, with the same text and task list: decisions on them stay."""
    updated: int
    """Known, undecided, and labelled differently now: the new labels count."""
    kept: int
    """Known and decided, but labelled differently in the file: the reviewers' decision counts."""
    replaced: int
    """Left the queue, since another text came under their id from the same source; decisions on them are kept, not exported."""
    repeated: int
    """Twice in the file."""
    unlisted_labels: int
    """Labels that are not on the task list: taken off, marked, and put first."""
    disagreements: int
    """Conversations in which the router decided otherwise than the labels."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON takes them."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class ExportReport:
    """The result of an export: the written conversations, and the ones left out with the reasons."""

    written: int
    changed: int
    """Of those written, with a label that is not the imported one."""
    left_out: Mapping[str, int]
    """By reason: undecided, wrong, check, disagreement."""
    sha256: str
    """Content hash of what was written."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON takes them."""
        return {**self.__dict__, "left_out": dict(self.left_out)}
