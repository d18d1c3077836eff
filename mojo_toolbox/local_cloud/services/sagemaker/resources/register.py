"""Jobs, models, configurations and endpoints as documents in SQLite, by kind and name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.local_cloud.state.database import CloudDatabase

_TABLE = """CREATE TABLE IF NOT EXISTS sagemaker_records (
    kind TEXT NOT NULL, name TEXT NOT NULL, created REAL NOT NULL, modified REAL NOT NULL, status TEXT NOT NULL,
    document TEXT NOT NULL, private TEXT NOT NULL, PRIMARY KEY (kind, name))"""


@dataclass
class ResourceRecord:
    """One resource: `document` is the answer of Describe, and `private` holds facts that only the local cloud knows."""

    name: str
    created: float
    modified: float
    status: str
    document: dict[str, Any]
    private: dict[str, Any]


class NameTakenError(Exception):
    """A record of this kind exists under this name, or under one that differs only in case: `name` as it is spelled."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ResourceRegister:
    """All records of one kind. A change is on disk when the call returns."""

    def __init__(self, database: CloudDatabase, kind: str) -> None:
        self._database = database
        self._kind = kind
        database.execute(_TABLE)

    def insert(
        self, name: str, document: dict[str, Any], *, status: str = "", private: dict[str, Any] | None = None
    ) -> ResourceRecord:
        """Add a record.

        Raises:
            NameTakenError: there is one of that name, in any case.
        """
        now = time.time()
        record = ResourceRecord(name, now, now, status, document, private or {})
        with self._database.transaction():
            # SageMaker's names are kept as they are spelled, and compared without their case where they are made.
            taken = self._database.execute(
                "SELECT name FROM sagemaker_records WHERE kind = ? AND name = ? COLLATE NOCASE", (self._kind, name)
            )
            if taken:
                raise NameTakenError(taken[0]["name"])
            self._database.execute(
                "INSERT INTO sagemaker_records VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._kind, name, now, now, status, json.dumps(document), json.dumps(record.private)),
            )
        return record

    def get(self, name: str) -> ResourceRecord | None:
        """Return a record, or None if it does not exist."""
        rows = self._database.execute("SELECT * FROM sagemaker_records WHERE kind = ? AND name = ?", (self._kind, name))
        return _record(rows[0]) if rows else None

    def all(self) -> list[ResourceRecord]:
        """Return every record, oldest first."""
        rows = self._database.execute(
            "SELECT * FROM sagemaker_records WHERE kind = ? ORDER BY created, name", (self._kind,)
        )
        return [_record(row) for row in rows]

    def change(self, name: str, edit: Callable[[ResourceRecord], None]) -> ResourceRecord | None:
        """Let `edit` change a record as one transaction. Return None if it is gone (a job was deleted meanwhile)."""
        with self._database.transaction():
            record = self.get(name)
            if record is None:
                return None
            edit(record)
            record.modified = time.time()
            self._database.execute(
                "UPDATE sagemaker_records SET modified = ?, status = ?, document = ?, private = ? "
                "WHERE kind = ? AND name = ?",
                (
                    record.modified,
                    record.status,
                    json.dumps(record.document),
                    json.dumps(record.private),
                    self._kind,
                    name,
                ),
            )
        return record

    def delete(self, name: str) -> bool:
        """Remove a record. Return False if there was none."""
        with self._database.transaction():
            there = self.get(name) is not None
            self._database.execute("DELETE FROM sagemaker_records WHERE kind = ? AND name = ?", (self._kind, name))
        return there


def _record(row: Any) -> ResourceRecord:
    return ResourceRecord(
        name=row["name"],
        created=row["created"],
        modified=row["modified"],
        status=row["status"],
        document=json.loads(row["document"]),
        private=json.loads(row["private"]),
    )
