"""The changes that moto acknowledged, in order: it keeps everything in memory, so they are made again at each start."""

from __future__ import annotations

from dataclasses import dataclass

from mojo_toolbox.local_cloud.state.database import CloudDatabase

_TABLE = """CREATE TABLE IF NOT EXISTS moto_journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, seed TEXT NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, query TEXT NOT NULL, content_type TEXT NOT NULL, target TEXT NOT NULL,
    authorization TEXT NOT NULL, body BLOB NOT NULL)"""


@dataclass(frozen=True)
class AcknowledgedChange:
    """One request as moto got it. With the same `seed` and `time` it makes the same ids, secrets and dates."""

    time: float
    seed: str
    method: str
    path: str
    query: str
    content_type: str
    target: str
    authorization: str
    body: bytes


class AcknowledgedChanges:
    """The entries of one local cloud."""

    def __init__(self, database: CloudDatabase) -> None:
        self._database = database
        database.execute(_TABLE)

    def append(self, entry: AcknowledgedChange) -> None:
        """Write an entry. It is on disk when this returns."""
        columns = ", ".join(vars(entry))
        marks = ", ".join("?" * len(vars(entry)))
        self._database.execute(
            f"INSERT INTO moto_journal ({columns}) VALUES ({marks})",  # noqa: S608 - names of our own fields
            tuple(vars(entry).values()),
        )

    def entries(self) -> list[AcknowledgedChange]:
        """Return all entries, oldest first."""
        rows = self._database.execute("SELECT * FROM moto_journal ORDER BY id")
        return [
            AcknowledgedChange(**{name: row[name] for name in AcknowledgedChange.__dataclass_fields__}) for row in rows
        ]

    def __bool__(self) -> bool:
        return bool(self._database.execute("SELECT 1 FROM moto_journal LIMIT 1"))
