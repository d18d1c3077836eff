"""The answers so far, on disk: a killed run goes on where it was.

SQLite keeps each answer as it comes, in any order and from any thread, gives them back in the data's order without holding
them, and refuses a second process. The final files are written from it, whole.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mojo_toolbox.errors import EvaluationError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    conversation INTEGER, turn INTEGER, shuffle INTEGER, failed INTEGER, record TEXT,
    PRIMARY KEY (conversation, turn, shuffle)
) WITHOUT ROWID;
"""


class AnswerJournal:
    """The answers of one run. `shuffle` 0 is the list in its own order. Safe to share between threads."""

    def __init__(self, path: Path | None) -> None:
        """Open or begin the journal at `path`. Without a path it lasts as long as the object.

        Raises:
            EvaluationError: it is damaged, or another process writes it.
        """
        self._path = path
        self._lock = threading.Lock()
        # "" is SQLite's name for a file of its own that vanishes when it is closed.
        self._database = sqlite3.connect(path or "", check_same_thread=False, isolation_level=None, timeout=1)
        try:
            # Locked while open. Written to the system at once, not forced to disk: kill -9 loses nothing.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.executescript(_SCHEMA)
            self._database.execute("DELETE FROM answers WHERE 0")  # takes the lock
        except sqlite3.OperationalError as error:
            self._database.close()
            raise EvaluationError(
                f"{path}: {error}. Is another evaluation writing here? Wait for it, or name another folder: output=…"
            ) from error
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise EvaluationError(f"{path}: {error}. Remove it to begin again.") from error

    def get(self, conversation: int, turn: int, shuffle: int = 0) -> Any:
        """Return the row of an answer, or None."""
        with self._lock:
            found = self._database.execute(
                "SELECT record FROM answers WHERE conversation = ? AND turn = ? AND shuffle = ?",
                (conversation, turn, shuffle),
            ).fetchone()
        return None if found is None else json.loads(found[0])

    def put(self, row: Mapping[str, Any]) -> None:
        """Keep a row of either kind."""
        place = (row["conversation"], row["turn"], row.get("shuffle", 0))
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
                (*place, row["error"] is not None, json.dumps(row, ensure_ascii=False)),
            )

    def put_all(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep many rows at once."""
        self._database.execute("BEGIN")
        for row in rows:
            self.put(row)
        self._database.execute("COMMIT")

    def forget_all(self) -> None:
        """Drop all rows."""
        with self._lock:
            self._database.execute("DELETE FROM answers")

    def forget_errors(self, *, and_what_followed: bool) -> None:
        """Drop the rows of failed calls, so that they are asked again, or all rows of a conversation from the first on."""
        # Only decisions on the list in its own order go into the history of later ones.
        followed = """DELETE FROM answers WHERE failed OR EXISTS (
            SELECT 1 FROM answers AS e
            WHERE e.failed AND e.shuffle = 0 AND e.conversation = answers.conversation AND e.turn <= answers.turn
        )"""
        with self._lock:
            self._database.execute(followed if and_what_followed else "DELETE FROM answers WHERE failed")

    def __len__(self) -> int:
        """Return the number of rows."""
        with self._lock:
            count: int = self._database.execute("SELECT count(*) FROM answers").fetchone()[0]
        return count

    def predictions(self) -> Iterator[Any]:
        """Yield the rows of the list in its own order, in the data's order."""
        return self._rows(0, 0)

    def shuffled(self, shuffles: int) -> Iterator[Any]:
        """Yield the rows of the first `shuffles` other orders, in the data's order."""
        return self._rows(1, shuffles)

    def _rows(self, first: int, last: int) -> Iterator[Any]:
        query = "SELECT record FROM answers WHERE shuffle BETWEEN ? AND ? ORDER BY conversation, turn, shuffle"
        for (record,) in self._database.execute(query, (first, last)):
            yield json.loads(record)

    def close(self) -> None:
        """Close. The answers stay on disk."""
        with self._lock:
            self._database.close()

    def remove(self) -> None:
        """Close and delete: the final files have its rows."""
        self.close()
        if self._path is not None:
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
