"""Figures: how far reviewing is, how fast it goes, what each reviewer did, what became of each task's labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from typing import Any, cast

from sqlalchemy import Connection, func, select

from mojo_toolbox.review import counts
from mojo_toolbox.review.agreement import Agreement, Verdict, verdict
from mojo_toolbox.review.items import past_decision, read_labels
from mojo_toolbox.review.queue import ReviewerTransaction
from mojo_toolbox.review.records import (
    ACTIONS,
    Action,
    Open,
    Overview,
    PastDecision,
    ReviewerFigures,
    ReviewProgress,
    TaskLabelFigures,
)
from mojo_toolbox.review.schema import DECIDED, HELD, SETTLING, conversations, reviewers, seats

# Between two decisions that are further apart nobody was at work, in seconds.
_PAUSE = 300.0
_AT_WORK = 900.0
_SPEED_WINDOW = 8 * 3600.0
_FEWEST_FOR_SPEED = 3
_SPEED_FROM = 50
_SHOWN = 100
# What an admin may settle.
_OPEN: tuple[Verdict, ...] = ("check", "disagreement", "wrong")


def progress(turn: ReviewerTransaction) -> ReviewProgress:
    """Return how far all are, and one reviewer's share and speed. See `ReviewStore.progress`."""
    done, total, mine = counts.kept(turn.connection, turn.reviewer.id)
    # "+ 0": for a bare column SQLite would walk another index from end to end.
    lately = select(seats.c.reviewer_id + 0).where(seats.c.decided_at > turn.now - _AT_WORK).distinct()
    who = {turn.reviewer.id, *turn.connection.execute(lately).scalars()}
    times = _recent_times(turn.connection, who, turn.now)
    speeds = {reviewer: _per_hour(found) for reviewer, found in times.items()}
    at_work = [
        speed
        for reviewer, speed in speeds.items()
        if speed and (reviewer == turn.reviewer.id or turn.now - times[reviewer][0] < _AT_WORK)
    ]
    return ReviewProgress(
        done=done,
        total=total,
        mine=mine,
        per_hour=speeds.get(turn.reviewer.id),
        seconds_left=3600 * (total - done) / sum(at_work) if at_work else None,
    )


def overview(connection: Connection, *, now: float) -> Overview:
    """Return the admin's view. See `ReviewStore.overview`."""
    done, needed = counts.counted(connection)
    waiting = select(seats.c.conversation_id).where(seats.c.active, seats.c.state != DECIDED, seats.c.seat != SETTLING)
    every = select(func.count()).where(conversations.c.replaced_by.is_(None))
    undecided = select(func.count(waiting.distinct().subquery().c.conversation_id))
    total = int(connection.execute(every).scalar_one())
    tally = _Tally()
    for conversation_id, name, decisions, settled in _decided(connection):
        tally.add(conversation_id, name, decisions, settled)
    opened = {found: _with_turns(connection, tally.waiting.get(found, [])) for found in _OPEN}
    return Overview(
        conversations=total,
        decided=total - int(connection.execute(undecided).scalar_one()),
        decisions=done,
        decisions_needed=needed,
        reviewers=tuple(_reviewer_figures(connection, tally, now)),
        tasks=tally.task_figures(),
        checks=opened["check"],
        checks_total=tally.counts["check"],
        disagreements=opened["disagreement"],
        disagreements_total=tally.counts["disagreement"],
        thrown_out=opened["wrong"],
        thrown_out_total=tally.counts["wrong"],
        reasons=dict(tally.reasons),
        agreement=tally.agreement.overall(),
        agreement_by_pair=tally.agreement.by_pair(),
    )


@dataclass
class _Tally:
    """What is counted in one pass over the decided seats."""

    agreement: Agreement = field(default_factory=Agreement)
    actions: dict[str, Counter[Action]] = field(default_factory=dict)
    changed_by: Counter[str] = field(default_factory=Counter)
    turns: Counter[str | None] = field(default_factory=Counter)
    away: Counter[str | None] = field(default_factory=Counter)
    to: Counter[str | None] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    waiting: dict[Verdict, list[Open]] = field(default_factory=dict)

    def add(self, item_id: int, name: str, decisions: list[_Decided], settled: _Decided | None) -> None:
        for decided in [*decisions, *([settled] if settled else [])]:
            self.actions.setdefault(decided.past.by, Counter())[decided.past.action] += 1
            self.changed_by[decided.past.by] += len(decided.past.changes)
        past = tuple(decided.past for decided in decisions)
        if len(past) > 1:
            self.agreement.add(*past)
        found = verdict(past, settled.past if settled else None)
        self.counts[found] += 1
        shown = self.waiting.setdefault(found, [])
        if found in _OPEN and len(shown) < _SHOWN:
            shown.append(Open(item_id, name, past, settled.past if settled else None, ()))
        # What stands: the admin's decision, else the first.
        standing = settled or decisions[0]
        if found == "wrong":
            self.reasons[standing.past.reason] += 1
        self._count_tasks(standing)

    def _count_tasks(self, decided: _Decided) -> None:
        if decided.past.action == "wrong":
            return
        self.turns.update(decided.before.values())
        for turn, label in decided.past.changes.items():
            if turn in decided.before:
                self.away[decided.before[turn]] += 1
            self.to[label] += 1

    def task_figures(self) -> tuple[TaskLabelFigures, ...]:
        every = sorted({*self.turns, *self.to}, key=lambda task: (task is None, task or ""))
        return tuple(TaskLabelFigures(task, self.turns[task], self.away[task], self.to[task]) for task in every)


@dataclass(frozen=True)
class _Decided:
    past: PastDecision
    before: dict[int, str | None]


def _decided(connection: Connection) -> Iterator[tuple[int, str, list[_Decided], _Decided | None]]:
    """Yield each conversation with its decisions and the one that settles it, in the order of import."""
    rows = connection.execution_options(yield_per=1000).execute(
        select(seats, reviewers.c.name.label("by"), conversations.c.name)
        .join(reviewers, reviewers.c.id == seats.c.reviewer_id)
        .join(conversations, conversations.c.id == seats.c.conversation_id)
        .where(seats.c.active, seats.c.state == DECIDED)
        .order_by(seats.c.conversation_id, seats.c.seat)
    )
    for conversation_id, group in groupby(rows, key=lambda row: cast("int", row.conversation_id)):
        decisions, settled, name = [], None, ""
        for row in group:
            decided = _Decided(past_decision(row, row.by), read_labels(row.labels_before))
            name = row.name
            if row.seat == SETTLING:
                settled = decided
            else:
                decisions.append(decided)
        if decisions or settled:
            yield conversation_id, name, decisions, settled


def _with_turns(connection: Connection, waiting: Sequence[Open]) -> tuple[Open, ...]:
    """Return conversations with the places of their user turns: read for those that are shown only."""
    ids = [found.item_id for found in waiting]
    rows = connection.execute(select(conversations.c.id, conversations.c.body).where(conversations.c.id.in_(ids)))
    turns = {
        row.id: tuple(
            place for place, message in enumerate(json.loads(row.body)["messages"]) if message["role"] == "user"
        )
        for row in rows
    }
    return tuple(replace(found, user_turns=turns[found.item_id]) for found in waiting)


def _reviewer_figures(connection: Connection, tally: _Tally, now: float) -> Iterator[ReviewerFigures]:
    every = connection.execute(select(reviewers.c.id, reviewers.c.name).order_by(func.lower(reviewers.c.name))).all()
    times = _recent_times(connection, {row.id for row in every}, now)
    holding = _by_reviewer(connection, func.count(), state=HELD)
    last = _by_reviewer(connection, func.max(seats.c.decided_at), state=DECIDED)
    for row in every:
        actions = tally.actions.get(row.name, Counter())
        yield ReviewerFigures(
            name=row.name,
            decided=actions.total(),
            actions={action: actions[action] for action in ACTIONS},
            changed_labels=tally.changed_by[row.name],
            per_hour=_per_hour(times.get(row.id, [])),
            holding=int(holding.get(row.id, 0)),
            last_at=last.get(row.id),
        )


def _by_reviewer(connection: Connection, figure: Any, *, state: str) -> dict[int, Any]:
    found = select(seats.c.reviewer_id, figure).where(seats.c.state == state).group_by(seats.c.reviewer_id)
    return {row[0]: row[1] for row in connection.execute(found)}


def _recent_times(connection: Connection, who: Collection[int], now: float) -> dict[int, list[float]]:
    """Return when these reviewers decided in the last hours, the latest first, the last fifty at most."""
    found = {}
    for reviewer in who:
        # Fifty steps along an index, however many there are.
        last = (
            select(seats.c.decided_at)
            .where(seats.c.reviewer_id == reviewer, seats.c.state == DECIDED)
            .order_by(seats.c.event_id.desc())
            .limit(_SPEED_FROM)
        )
        times = [at for at in connection.execute(last).scalars() if at > now - _SPEED_WINDOW]
        if times:
            found[reviewer] = sorted(times, reverse=True)
    return found


def _per_hour(times: Sequence[float]) -> float | None:
    """Return the speed between the given times, the latest first, without pauses."""
    gaps = [later - earlier for later, earlier in pairwise(times) if later - earlier < _PAUSE]
    if len(times) < _FEWEST_FOR_SPEED or not gaps or not sum(gaps):
        return None
    return 3600 * len(gaps) / sum(gaps)
