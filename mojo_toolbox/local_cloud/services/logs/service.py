"""CloudWatch Logs: the output of jobs and endpoints, kept in SQLite."""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mojo_toolbox.local_cloud.identity.incoming import Incoming
from mojo_toolbox.local_cloud.services.logs.filters import filter_pattern
from mojo_toolbox.local_cloud.services.logs.request_rules import check_logs_request
from mojo_toolbox.local_cloud.state.account import ACCOUNT_ID, REGION
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.wire.http import HttpAnswer
from mojo_toolbox.local_cloud.wire.json_protocol import json_answer
from mojo_toolbox.local_cloud.wire.protocol import ServiceError, bounded_number
from mojo_toolbox.local_cloud.wire.threads import in_thread

# GetLogEvents answers at most this many events, or this many bytes of messages.
MAX_EVENTS = 10_000
MAX_BYTES = 1024 * 1024
# One event of CloudWatch holds 256 KB, its own 26 bytes included.
MAX_MESSAGE_BYTES = 256 * 1024 - 26
DEFAULT_PAGE = 50
# More than a training of weeks prints. A job or an endpoint that prints for ever must not fill the disk.
MOST_STREAM_BYTES = 256 * 1024 * 1024
_EVENT_OVERHEAD_BYTES = 100
_REMOVED_AT_ONCE = 20_000
_LOG = logging.getLogger(__name__)

_TABLES = (
    """CREATE TABLE IF NOT EXISTS log_groups (
        name TEXT PRIMARY KEY, created INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS log_streams (
        id INTEGER PRIMARY KEY AUTOINCREMENT, log_group TEXT NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL,
        first_event INTEGER, last_event INTEGER, last_ingestion INTEGER, UNIQUE (log_group, name))""",
    """CREATE TABLE IF NOT EXISTS log_events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, time INTEGER NOT NULL,
        ingestion INTEGER NOT NULL, message TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS log_events_of_stream ON log_events (stream, id)",
)


class LogsService:
    """Groups, streams and events. `append` is for the local cloud's own jobs and endpoints."""

    def __init__(self, database: CloudDatabase, *, region: str = REGION, account_id: str = ACCOUNT_ID) -> None:
        self._database = database
        self._arn = f"arn:aws:logs:{region}:{account_id}:log-group:"
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "CreateLogGroup": self._create_group,
            "CreateLogStream": self._create_stream,
            "DeleteLogGroup": self._delete_group,
            "DeleteLogStream": self._delete_stream,
            "DescribeLogGroups": self._describe_groups,
            "DescribeLogStreams": self._describe_streams,
            "FilterLogEvents": self._filter_events,
            "GetLogEvents": self._get_events,
            "PutLogEvents": self._put_events,
        }
        # The growth of each stream since this start.
        self._grown: Counter[tuple[str, str]] = Counter()
        for statement in _TABLES:
            database.execute(statement)

    async def answer(self, incoming: Incoming) -> HttpAnswer | None:
        """Answer the requests that are signed for CloudWatch Logs.

        Raises:
            ServiceError: it is refused, with CloudWatch's code.
        """
        if incoming.service != "logs":
            return None
        return await in_thread(self._answer, incoming)

    def _answer(self, incoming: Incoming) -> HttpAnswer:
        if incoming.operation not in self._operations:
            raise ServiceError(
                "UnknownOperationException", f"The local cloud's logs do not offer {incoming.operation}."
            )
        return json_answer(self.handle(incoming.operation, incoming.document()), incoming.request)

    def handle(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request.

        Raises:
            ServiceError: it is refused, with CloudWatch's code.
        """
        check_logs_request(operation, request)
        return self._operations[operation](request)

    def append(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Add events (milliseconds since 1970, line), making group and stream where they are missing.

        On a full disk they are lost: a job goes on without its log rather than dying of it. A stream that grows for ever loses
        its oldest events.
        """
        try:
            self._append(group, stream, events)
            self._grown[group, stream] += sum(len(line) + _EVENT_OVERHEAD_BYTES for _, line in events)
            if self._grown[group, stream] > MOST_STREAM_BYTES:
                self._grown[group, stream] = MOST_STREAM_BYTES // 2
                self._remove_older_half(group, stream)
        except sqlite3.OperationalError as error:
            _LOG.warning("%d log lines of %s %s could not be kept: %s", len(events), group, stream, error)

    def _append(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        with self._database.transaction():
            now = _now()
            self._database.execute("INSERT OR IGNORE INTO log_groups VALUES (?, ?)", (group, now))
            self._database.execute(
                "INSERT OR IGNORE INTO log_streams (log_group, name, created) VALUES (?, ?, ?)", (group, stream, now)
            )
            self._insert(self._stream_id(group, stream), events)

    def _remove_older_half(self, group: str, stream: str) -> None:
        identity = self._stream_id(group, stream)
        first, last = self._database.execute(
            "SELECT min(id) AS first, max(id) AS last FROM log_events WHERE stream = ?", (identity,)
        )[0]
        # In steps: others write in between.
        for end in range(first, (first + last) // 2, _REMOVED_AT_ONCE):
            self._database.execute(
                "DELETE FROM log_events WHERE stream = ? AND id < ?", (identity, end + _REMOVED_AT_ONCE)
            )
        self._append(group, stream, [(_now(), "The oldest lines of this log were removed: it became too long.")])

    def tail(self, group: str, stream: str, lines: int) -> list[str]:
        """Return the last lines of a stream, oldest first, or none if it does not exist."""
        rows = self._database.execute(
            "SELECT e.message FROM log_events e JOIN log_streams s ON s.id = e.stream "
            "WHERE s.log_group = ? AND s.name = ? ORDER BY e.id DESC LIMIT ?",
            (group, stream, lines),
        )
        return [row["message"] for row in reversed(rows)]

    def _insert(self, stream_id: int, events: Sequence[tuple[int, str]]) -> None:
        if not events:
            return
        now = _now()
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO log_events (stream, time, ingestion, message) VALUES (?, ?, ?, ?)",
                [(stream_id, at, now, part) for at, message in events for part in _parts(message)],
            )
            times = [at for at, _ in events]
            connection.execute(
                "UPDATE log_streams SET first_event = min(coalesce(first_event, ?), ?), "
                "last_event = max(coalesce(last_event, ?), ?), last_ingestion = ? WHERE id = ?",
                (min(times), min(times), max(times), max(times), now, stream_id),
            )

    def _stream_id(self, group: str, stream: str) -> int:
        self._require_group(group)
        rows = self._database.execute("SELECT id FROM log_streams WHERE log_group = ? AND name = ?", (group, stream))
        if not rows:
            raise ServiceError("ResourceNotFoundException", "The specified log stream does not exist.")
        return int(rows[0]["id"])

    def _require_group(self, group: str) -> None:
        if not self._database.execute("SELECT 1 FROM log_groups WHERE name = ?", (group,)):
            raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")

    def _group_name(self, request: Mapping[str, Any]) -> str:
        given = request.get("logGroupName") or request.get("logGroupIdentifier")
        if not given:
            raise ServiceError("InvalidParameterException", "Either logGroupName or logGroupIdentifier is required.")
        return str(given).removeprefix(self._arn).removesuffix(":*")

    def _create_group(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._database.transaction():
            name = request["logGroupName"]
            if self._database.execute("SELECT 1 FROM log_groups WHERE name = ?", (name,)):
                raise ServiceError("ResourceAlreadyExistsException", "The specified log group already exists")
            self._database.execute("INSERT INTO log_groups VALUES (?, ?)", (name, _now()))
        return {}

    def _create_stream(self, request: dict[str, Any]) -> dict[str, Any]:
        group, name = request["logGroupName"], request["logStreamName"]
        with self._database.transaction():
            self._require_group(group)
            if self._database.execute("SELECT 1 FROM log_streams WHERE log_group = ? AND name = ?", (group, name)):
                raise ServiceError("ResourceAlreadyExistsException", "The specified log stream already exists")
            self._database.execute(
                "INSERT INTO log_streams (log_group, name, created) VALUES (?, ?, ?)", (group, name, _now())
            )
        return {}

    def _delete_group(self, request: dict[str, Any]) -> dict[str, Any]:
        group = request["logGroupName"]
        with self._database.transaction():
            self._require_group(group)
            self._database.execute(
                "DELETE FROM log_events WHERE stream IN (SELECT id FROM log_streams WHERE log_group = ?)", (group,)
            )
            self._database.execute("DELETE FROM log_streams WHERE log_group = ?", (group,))
            self._database.execute("DELETE FROM log_groups WHERE name = ?", (group,))
        return {}

    def _delete_stream(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._database.transaction():
            stream_id = self._stream_id(request["logGroupName"], request["logStreamName"])
            self._database.execute("DELETE FROM log_events WHERE stream = ?", (stream_id,))
            self._database.execute("DELETE FROM log_streams WHERE id = ?", (stream_id,))
        return {}

    def _describe_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        rows = self._database.execute("SELECT * FROM log_groups ORDER BY name")
        prefix, pattern = request.get("logGroupNamePrefix", ""), request.get("logGroupNamePattern", "")
        rows = [row for row in rows if row["name"].startswith(prefix) and pattern in row["name"]]
        groups = [
            {
                "logGroupName": row["name"],
                "creationTime": row["created"],
                "arn": f"{self._arn}{row['name']}:*",
                "logGroupArn": f"{self._arn}{row['name']}",
                "metricFilterCount": 0,
                "storedBytes": 0,
                "logGroupClass": "STANDARD",
            }
            for row in rows
        ]
        return _page(groups, request, "logGroups")

    def _describe_streams(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self._group_name(request)
        self._require_group(group)
        rows = self._database.execute("SELECT * FROM log_streams WHERE log_group = ? ORDER BY name", (group,))
        rows = [row for row in rows if row["name"].startswith(request.get("logStreamNamePrefix", ""))]
        if request.get("orderBy") == "LastEventTime":
            rows.sort(key=lambda row: (row["last_event"] or 0, row["name"]))
        if request.get("descending"):
            rows.reverse()
        streams = []
        for row in rows:
            stream = {
                "logStreamName": row["name"],
                "creationTime": row["created"],
                "arn": f"{self._arn}{group}:log-stream:{row['name']}",
                "storedBytes": 0,
                "uploadSequenceToken": str(row["id"]),
            }
            if row["last_event"] is not None:
                stream |= {
                    "firstEventTimestamp": row["first_event"],
                    "lastEventTimestamp": row["last_event"],
                    "lastIngestionTime": row["last_ingestion"],
                }
            streams.append(stream)
        return _page(streams, request, "logStreams")

    def _put_events(self, request: dict[str, Any]) -> dict[str, Any]:
        events = [(event["timestamp"], event["message"]) for event in request["logEvents"]]
        with self._database.transaction():
            stream_id = self._stream_id(request["logGroupName"], request["logStreamName"])
            self._insert(stream_id, events)
        return {"nextSequenceToken": str(stream_id)}

    def _get_events(self, request: dict[str, Any]) -> dict[str, Any]:
        stream_id = self._stream_id(self._group_name(request), request["logStreamName"])
        token = request.get("nextToken")
        match = re.fullmatch(r"([fb])/0*([0-9]{1,18})", token) if token else None
        if token and match is None:
            raise ServiceError("InvalidParameterException", "The specified nextToken is invalid.")
        forward = match[1] == "f" if match else bool(request.get("startFromHead"))
        # A token names the last event that was seen: forward continues after it, backward before it.
        anchor = int(match[2]) if match else (0 if forward else 2**62)
        comparison, order = (">", "ASC") if forward else ("<", "DESC")
        rows = self._database.execute(
            # Ids count up in the order of writing, which is the order of time for everything but odd PutLogEvents.
            f"SELECT * FROM log_events WHERE stream = ? AND id {comparison} ? AND time >= ? AND time < ? "  # noqa: S608 - two fixed words
            f"ORDER BY id {order} LIMIT ?",
            (
                stream_id,
                anchor,
                request.get("startTime", 0),
                request.get("endTime", 2**62),
                min(request.get("limit", MAX_EVENTS), MAX_EVENTS),
            ),
        )
        rows = _within_bytes(rows)
        if not forward:
            rows.reverse()
        first, last = (rows[0]["id"], rows[-1]["id"]) if rows else self._empty_page(stream_id, anchor)
        return {
            "events": [
                {"timestamp": row["time"], "message": row["message"], "ingestionTime": row["ingestion"]} for row in rows
            ],
            # At the end of the stream the token that was given comes back, which is how callers notice.
            "nextForwardToken": token if token and forward and not rows else f"f/{last:056d}",
            "nextBackwardToken": token if token and not forward and not rows else f"b/{first:056d}",
        }

    def _empty_page(self, stream_id: int, anchor: int) -> tuple[int, int]:
        """Anchors around nothing: later events must still come after the forward token."""
        if anchor < 2**62:
            return anchor + 1 if anchor else 0, max(anchor, 0)
        last = self._database.execute("SELECT max(id) AS id FROM log_events WHERE stream = ?", (stream_id,))[0]["id"]
        return (last or 0) + 1, last or 0

    def _filter_events(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self._group_name(request)
        self._require_group(group)
        names = request.get("logStreamNames")
        prefix = request.get("logStreamNamePrefix", "")
        rows = self._database.execute("SELECT id, name FROM log_streams WHERE log_group = ?", (group,))
        streams = {
            row["id"]: row["name"]
            for row in rows
            if row["name"].startswith(prefix) and (names is None or row["name"] in names)
        }
        after = _token(request)
        matches = filter_pattern(request.get("filterPattern", ""))
        limit = min(request.get("limit", MAX_EVENTS), MAX_EVENTS)
        found: list[dict[str, Any]] = []
        size = 0
        while True:
            batch = self._database.execute(
                "SELECT e.* FROM log_events e JOIN log_streams s ON s.id = e.stream WHERE s.log_group = ? AND e.id > ? "
                "AND e.time >= ? AND e.time <= ? ORDER BY e.id LIMIT 1000",
                (group, after, request.get("startTime", 0), request.get("endTime", 2**62)),
            )
            for row in batch:
                if row["stream"] in streams and matches(row["message"]):
                    size += len(row["message"])
                    if found and (len(found) == limit or size > MAX_BYTES):
                        return {"events": found, "searchedLogStreams": [], "nextToken": str(after)}
                    found.append(
                        {
                            "logStreamName": streams[row["stream"]],
                            "timestamp": row["time"],
                            "message": row["message"],
                            "ingestionTime": row["ingestion"],
                            "eventId": f"{row['id']:056d}",
                        }
                    )
                after = row["id"]
            if not batch:
                return {"events": found, "searchedLogStreams": []}


def _within_bytes(rows: Sequence[Any]) -> list[Any]:
    kept: list[Any] = []
    size = 0
    for row in rows:
        size += len(row["message"]) + 26
        if kept and size > MAX_BYTES:
            break
        kept.append(row)
    return kept


def _parts(message: str) -> Iterable[str]:
    if len(message) * 4 <= MAX_MESSAGE_BYTES or len(message.encode()) <= MAX_MESSAGE_BYTES:
        return [message]
    step = MAX_MESSAGE_BYTES // 4
    return [message[start : start + step] for start in range(0, len(message), step)]


def _page(items: list[dict[str, Any]], request: Mapping[str, Any], key: str) -> dict[str, Any]:
    start, limit = _token(request), request.get("limit", DEFAULT_PAGE)
    answer: dict[str, Any] = {key: items[start : start + limit]}
    if start + limit < len(items):
        answer["nextToken"] = str(start + limit)
    return answer


def _token(request: Mapping[str, Any]) -> int:
    """Return the position that a token of ours names, or 0 if there is none."""
    number = bounded_number(request.get("nextToken", "0"), 2**62)
    if number is None:
        raise ServiceError("InvalidParameterException", "The specified nextToken is invalid.")
    return number


def _now() -> int:
    return int(time.time() * 1000)
