"""The database: opened by URL, brought up to date, written in short transactions; its errors in plain words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from mojo_toolbox.errors import ConfigurationError, ReviewDatabaseError
from mojo_toolbox.errors.extras import needed_for

MIGRATIONS = Path(__file__).parent / "migrations"
# Writers queue inside SQLite; a checkpoint of a large write-ahead log on a slow disk takes seconds.
_BUSY_SECONDS = 60.0
# Any number that no other program on the same PostgreSQL database takes for a lock.
_MIGRATING = 70_614_001
_FULL = ("disk is full", "no space left", "could not extend file")
_BEGIN = "Begin one: mojo review import FILE, or mojo review serve --create"
# Tables that every version of ours has.
_OURS = {"reviewers", "conversations", "seats", "events", "imports"}


class ReviewDatabase:
    """Connections to one database, lent to one thread at a time."""

    def __init__(self, url: os.PathLike[str] | str, *, create: bool = True, migrations: Path = MIGRATIONS) -> None:
        """Open it, make it, or bring it up to date; ReviewDatabaseError and ConfigurationError as `ReviewStore.open`."""
        self._url = database_url(url)
        self._opening = True
        self._create = create
        self.is_new = False
        if not create and self._url.drivername == "sqlite" and not Path(str(self._url.database)).exists():
            raise ReviewDatabaseError(f"There is no database {self._url.database}. {_BEGIN}")
        self.engine = _engine(self._url)
        self.postgres = self.engine.dialect.name == "postgresql"
        # SQLite lets one write at a time and makes the others sleep; threads of one process need not.
        self._turn: AbstractContextManager[Any] = contextlib.nullcontext() if self.postgres else threading.Lock()
        try:
            self._bring_up_to_date(migrations)
        except BaseException:
            self.engine.dispose()
            raise
        self._opening = False

    @property
    def name(self) -> str:
        """What errors call it: the file, or the URL without its password."""
        return str(self._url if self.postgres else self._url.database)

    @contextmanager
    def writing(self, *, lazily: bool = False) -> Iterator[Connection]:
        """Run a block as one write: all of it is on disk at the end, or none of it after an exception.

        What is written `lazily` outlives the end of this process, but not a power cut in the next second: for what can be
        done again, such as giving out a conversation. It waits for no disk.
        """
        options: dict[str, Any] = {"lazily": True} if lazily else {}
        with (
            self._plain_words(),
            self._turn,
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            if lazily and self.postgres:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run a block that only reads; on SQLite it sees one state of the database throughout."""
        with self._plain_words(), self.engine.connect().execution_options(reading=True) as connection:
            yield connection

    def remove(self) -> None:
        """Close it and delete its files; a server's database stays, empty."""
        self.close()
        if not self.postgres:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._url.database}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """Close what is idle."""
        self.engine.dispose()

    def _bring_up_to_date(self, migrations: Path) -> None:
        config = Config()
        config.set_main_option("script_location", str(migrations).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        with self.reading() as connection:
            if not self._steps_to_go(connection, config):
                return
        with self.writing() as connection:
            if self.postgres:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))
            # Another process may have been quicker.
            if self._steps_to_go(connection, config):
                config.attributes["connection"] = connection
                self.is_new = MigrationContext.configure(connection).get_current_revision() is None
                command.upgrade(config, "head")

    def _steps_to_go(self, connection: Connection, config: Config) -> bool:
        """Say whether the database is older than this library; refuse one that is newer or somebody else's."""
        versions = ScriptDirectory.from_config(config)
        there = MigrationContext.configure(connection).get_current_revision()
        self._require_ours(set(inspect(connection).get_table_names()), migrated=there is not None)
        known = {step.revision for step in versions.walk_revisions()}
        if there is not None and there not in known:
            raise ReviewDatabaseError(
                f"{self.name} was written by a newer version of mojo-toolbox (database version {there}, this one knows up to "
                f"{versions.get_current_head()}). Update the checkout, then: pip install '.[review]'"
            )
        return there != versions.get_current_head()

    def _require_ours(self, tables: set[str], *, migrated: bool) -> None:
        """Refuse what another program made, and what nobody has begun where nothing may be made.

        A PostgreSQL database may hold tables of other programs next to ours; a file may not.
        """
        if migrated and tables >= _OURS:
            return
        # alembic_version: many programs keep the version of their tables so.
        if migrated or tables & _OURS or (tables and not self.postgres):
            raise ReviewDatabaseError(f"{self.name} is a database of another program. Give another file or database.")
        if not self._create:
            raise ReviewDatabaseError(
                f"The database {self.name} is empty: no conversations were ever put there. {_BEGIN}"
            )

    @contextmanager
    def _plain_words(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            said = " ".join(str(error.orig).split())
            if any(sign in said.lower() for sign in _FULL):
                raise ReviewDatabaseError(
                    f"The disk with {self.name} is full: this action was not stored, all earlier ones are. "
                    "Make room, then do it again."
                ) from error
            what = "cannot be opened" if self._opening else "failed; nothing of this action was stored"
            raise ReviewDatabaseError(f"The database {self.name} {what}: {said:.300}") from error


def database_url(given: os.PathLike[str] | str) -> URL:
    """Return the URL of a path, a `sqlite:///` or a `postgresql://` URL; a `Path` is always that of a file.

    Raises:
        ConfigurationError: it is none of these.
    """
    if isinstance(given, os.PathLike):
        return URL.create("sqlite", database=str(os.fspath(given)))
    if not isinstance(given, str):
        raise ConfigurationError(f"A database is a path or a URL, not {type(given).__name__} ({given!r:.80}).")
    if "://" not in given:
        if not given.strip():
            raise ConfigurationError("No database: give a file, such as review.db, or postgresql://…")
        return URL.create("sqlite", database=given)
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError("The database's URL cannot be read: postgresql://USER:PASSWORD@HOST/NAME") from error
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database and url.database != ":memory:":
        return url
    if url.drivername != "postgresql+psycopg":
        raise ConfigurationError(
            f"A database {url.drivername}:// is not supported: give a file, such as review.db, or postgresql://…"
        )
    return url


def _engine(url: URL) -> Engine:
    if url.drivername != "sqlite":
        try:
            # Asked before use, so that a server that was started again is only noticed by the log.
            with needed_for("A PostgreSQL database", extra="postgres"):
                return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=40)
        except NoSuchModuleError as error:
            raise ConfigurationError(f"SQLAlchemy knows no database {url.drivername!r}: {error}") from error
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS}, pool_size=10, max_overflow=40)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Transactions begin where we say so, below.
    connection.isolation_level = None
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        _use_write_ahead_log(connection)
    connection.execute("PRAGMA foreign_keys=ON")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch to it; two processes that open a new file at once do not wait for each other here by themselves."""
    give_up = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("reading"):
        connection.exec_driver_sql("BEGIN")
        return
    # FULL: in WAL mode only this syncs at each commit, and what is acknowledged has to survive a power cut.
    connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if options.get('lazily') else 'FULL'}")
    # IMMEDIATE takes the write lock at once: a read that turns into a write later could only fail.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
