"""One SQLite file that many threads use. A transaction's changes are on disk when it returns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Writers queue inside SQLite. A checkpoint of a large write-ahead log on a slow disk takes seconds.
BUSY_TIMEOUT_SECONDS = 60.0


class CloudDatabase:
    """Connections to one SQLite file, lent to one thread at a time.

    Each room creates its own tables (`CREATE TABLE IF NOT EXISTS`) with `execute`. Rows are `sqlite3.Row`.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Requests hold the inputs of jobs, perhaps tokens. SQLite makes its other files with the mode of this one.
        path.touch(mode=0o600)
        path.chmod(0o600)
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._mine = threading.local()

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Run one statement and return its rows. A write is on disk afterwards.

        Inside `transaction()` of the same thread it is part of that transaction.
        """
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is not None:
            return connection.execute(statement, parameters).fetchall()
        with self._lent() as connection:
            return connection.execute(statement, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block as one write: all of it is on disk at the end, or none of it after an exception.

        Blocks nest: an inner one is part of the outer one. Keep them short, since only one can write at a time.
        """
        outer: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if outer is not None:
            yield outer
            return
        with self._lent() as connection:
            # IMMEDIATE takes the write lock at once: a read that turns into a write later could only fail.
            connection.execute("BEGIN IMMEDIATE")
            self._mine.connection = connection
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            else:
                connection.execute("COMMIT")
            finally:
                self._mine.connection = None

    def close(self) -> None:
        """Close the idle connections now, and the lent ones when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.rollback()
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        # FULL: in WAL mode only this syncs at each commit, and an acknowledged write has to survive a power cut.
        connection.execute("PRAGMA synchronous=FULL")
        return connection
