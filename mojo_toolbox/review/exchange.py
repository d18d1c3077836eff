"""Files in and out: imports that keep earlier decisions, exports that say who decided what."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Any, cast

from sqlalchemy import and_, select

from mojo_toolbox.data import write_records
from mojo_toolbox.data.content_hash import ContentHash
from mojo_toolbox.errors import ConfigurationError, DataError
from mojo_toolbox.progress import Progress
from mojo_toolbox.review.agreement import common_labels, verdict
from mojo_toolbox.review.database import ReviewDatabase
from mojo_toolbox.review.events import log
from mojo_toolbox.review.intake import RunningImport, begin_import
from mojo_toolbox.review.items import past_decision, read_labels
from mojo_toolbox.review.prepared import Prepared, prepare_file
from mojo_toolbox.review.records import ExportReport, ImportReport, Labels, PastDecision
from mojo_toolbox.review.schema import DECIDED, SETTLING, conversations, reviewers, seats
from mojo_toolbox.review.wording import LEFT_OUT_WORDS

_BATCH = 250
# Of the time that a batch took, so that others get their turn at a database with one writer.
_REST = 0.1


def import_file(
    database: ReviewDatabase,
    path: Path,
    *,
    source: str,
    overlap: float,
    predictions: Path | None,
    at: float,
    by: int | None,
    max_bytes: int | None,
    report: Progress,
) -> ImportReport:
    """Read a file into the queue. See `ReviewStore.import_file`."""
    if not 0 <= overlap <= 1:
        raise ConfigurationError(f"overlap={overlap!r} must be a share between 0 and 1.")
    # Checked rows wait in a file: nothing is stored before the last line is known to be right.
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as waiting:
        report(text="checking")
        count = _put_down(prepare_file(path, predictions, max_bytes=max_bytes, report=report), waiting)
        waiting.seek(0)
        report(done=0, total=count, text="storing")
        with database.writing() as connection:
            intake = RunningImport(source, begin_import(connection), at, overlap, reorder=predictions is not None)
        rows = (Prepared(*json.loads(line)) for line in waiting)
        for batch in iter(lambda: list(islice(rows, _BATCH)), []):
            began = time.monotonic()
            # What ends the import syncs it all; one that ends before is done again.
            with database.writing(lazily=True) as connection:
                intake.store(connection, batch)
            report(done=intake.counted["read"])
            time.sleep(_REST * (time.monotonic() - began))
    with database.writing() as connection:
        intake.retire_replaced(connection)
        number, counted = intake.number, intake.counted
        log(connection, "import", at=at, reviewer_id=by, source=source, file=path.name, number=number, counted=counted)
    return ImportReport(**{name: intake.counted[name] for name in ImportReport.__dataclass_fields__})


def export_file(database: ReviewDatabase, path: Path, *, include: Collection[str]) -> ExportReport:
    """Write the decided conversations. See `ReviewStore.export_file`."""
    unknown = set(include) - set(LEFT_OUT_WORDS)
    if unknown:
        raise ConfigurationError(f"include: there is no {min(unknown)!r}; {', '.join(LEFT_OUT_WORDS)}.")
    if path.is_dir():
        raise DataError("is a folder; give a file to write to.", path=path)
    export = _Export(frozenset(include))
    with database.reading() as connection:
        rows = connection.execution_options(yield_per=500).execute(_everything())
        written = write_records(path, export.records(rows))
    return ExportReport(written, export.changed, dict(export.left_out), export.digest.hexdigest())


def _put_down(rows: Iterator[Prepared], waiting: IO[str]) -> int:
    count = 0
    for row in rows:
        waiting.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count


def _everything() -> Any:
    """Return the query for all conversations that are not replaced, each with its decisions, in the order of import."""
    decided = and_(seats.c.conversation_id == conversations.c.id, seats.c.state == DECIDED)
    return (
        select(
            conversations.c.id,
            conversations.c.body,
            conversations.c.identity,
            seats.c.seat,
            seats.c.action,
            seats.c.labels_before,
            seats.c.labels_after,
            seats.c.note,
            seats.c.reason,
            seats.c.decided_at,
            reviewers.c.name.label("by"),
        )
        .outerjoin(seats, decided)
        .outerjoin(reviewers, reviewers.c.id == seats.c.reviewer_id)
        .where(conversations.c.replaced_by.is_(None))
        .order_by(conversations.c.id, seats.c.seat)
    )


class _Export:
    """What is written, and what is counted on the way."""

    def __init__(self, include: frozenset[str]) -> None:
        self._include = include
        self.left_out: Counter[str] = Counter()
        self.changed = 0
        self.digest = ContentHash()

    def records(self, rows: Any) -> Iterator[dict[str, Any]]:
        for _, group in groupby(rows, key=lambda row: cast("int", row.id)):
            record = self._record(list(group))
            if record is not None:
                self.digest.add(record)
                yield record

    def _record(self, rows: list[Any]) -> dict[str, Any] | None:
        decided = [(row, past_decision(row, row.by)) for row in rows if row.seat is not None]
        settled = next((past for row, past in decided if row.seat == SETTLING), None)
        decisions = [past for row, past in decided if row.seat != SETTLING]
        found = verdict(decisions, settled)
        if found != "decided" and found not in self._include:
            self.left_out[found] += 1
            return None
        record: dict[str, Any] = json.loads(rows[0].body)
        if found == "undecided":
            return record
        labels = settled.labels if settled else common_labels(decisions)
        before = read_labels(next(row.labels_before for row, _ in decided))
        self.changed += labels != before
        return _with_provenance(_relabelled(record, labels), found, decisions, settled, before)


def _relabelled(record: dict[str, Any], labels: Labels) -> dict[str, Any]:
    for index, message in enumerate(record["messages"]):
        message.pop("task", None)
        if index in labels:
            message["task"] = labels[index]
    return record


def _with_provenance(
    record: dict[str, Any], found: str, decisions: list[PastDecision], settled: PastDecision | None, before: Labels
) -> dict[str, Any]:
    reviewed: dict[str, Any] = {"verdict": found, "decisions": [_decision(past, before) for past in decisions]}
    if settled is not None:
        reviewed["settled"] = _decision(settled, before)
    meta = dict(record.get("meta", {}))
    if isinstance(earlier := meta.get("reviewed"), dict):
        # It was reviewed before it came here.
        reviewed["earlier"] = earlier
    return record | {"meta": meta | {"reviewed": reviewed}}


def _decision(past: PastDecision, before: Labels) -> dict[str, Any]:
    told: dict[str, Any] = {
        "by": past.by,
        "at": datetime.fromtimestamp(past.at, UTC).isoformat(timespec="seconds"),
        "action": past.action,
        "labels": {str(turn): label for turn, label in sorted(past.labels.items())},
    }
    if past.changes:
        told["changes"] = [
            {"message": turn, **({"from": before[turn]} if turn in before else {}), "to": label}
            for turn, label in sorted(past.changes.items())
        ]
    told |= {"reason": past.reason} if past.reason else {}
    return told | ({"note": past.note} if past.note else {})
