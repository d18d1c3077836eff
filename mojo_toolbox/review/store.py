"""`ReviewStore`: the one door to reviewed conversations, for the web page and the command line."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from mojo_toolbox.data import Conversation
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.errors.extras import needed_for
from mojo_toolbox.progress import Progress, silent
from mojo_toolbox.review.records import (
    ExportReport,
    ImportReport,
    Item,
    Overview,
    Person,
    ReviewDecision,
    Reviewer,
    ReviewMark,
    ReviewProgress,
    RouterDecision,
)

with needed_for("Reviewing", extra="review"):
    from sqlalchemy import select

    from mojo_toolbox.review import decisions, exchange, intake, overview, people, queue
    from mojo_toolbox.review.database import ReviewDatabase
    from mojo_toolbox.review.events import log
    from mojo_toolbox.review.items import load_item
    from mojo_toolbox.review.prepared import prepare_one
    from mojo_toolbox.review.schema import conversations

__all__ = [
    "LOCK_SECONDS",
    "ExportReport",
    "ImportReport",
    "Item",
    "Overview",
    "Person",
    "ReviewDecision",
    "ReviewMark",
    "ReviewProgress",
    "ReviewStore",
    "Reviewer",
    "RouterDecision",
]

# A conversation that nobody acts on for so long goes to somebody else, in seconds.
LOCK_SECONDS = 1800.0


class ReviewStore:
    """Conversations, their reviewers, and the decisions. Safe to share between threads and processes.

    Each method is one transaction. When it returns, its changes are on disk with the person and the time. When it raises,
    nothing has changed. All methods wait for the database, usually for milliseconds. In an async server, call them from threads.

    Raises (all methods):
        ReviewDatabaseError: the database cannot be reached or written, such as on a full disk.
    """

    @classmethod
    def open(
        cls,
        url: os.PathLike[str] | str,
        *,
        create: bool = True,
        lock_seconds: float = LOCK_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> ReviewStore:
        """Open a database, and create it if there is none. A database of an older version is brought up to date.

        Args:
            url: a path (`str` or `Path`), `sqlite:///review.db` or `postgresql://…`.
            create: whether to create a missing or empty database. Without it that is an error.
            lock_seconds: a conversation that somebody holds for this time without an action goes back to the queue.
            clock: the time now, in seconds since 1970.

        Raises:
            ReviewDatabaseError: it has a newer version, is not a review database, or cannot be reached.
            ConfigurationError: the `review` (or `postgres`) extra is missing, or `url` is neither a path nor such a URL.
        """
        if not lock_seconds > 0:
            raise ConfigurationError(f"lock_seconds={lock_seconds!r} must be above 0.")
        return cls(ReviewDatabase(url, create=create), lock_seconds=lock_seconds, clock=clock)

    def __init__(self, database: ReviewDatabase, *, lock_seconds: float, clock: Callable[[], float]) -> None:
        """Take an open database: `open()` is the way in."""
        self._database = database
        self._lock_seconds = lock_seconds
        self._clock = clock
        with database.reading() as connection:
            self._identity = intake.database_identity(connection)

    @property
    def identity(self) -> str:
        """The identity of this database, wherever it is served."""
        return self._identity

    @property
    def name(self) -> str:
        """The name of the database in errors: the file, or the URL without its password."""
        return self._database.name

    @property
    def is_new(self) -> bool:
        """Whether `open()` created the database."""
        return self._database.is_new

    @contextmanager
    def removed_unless_used(self) -> Iterator[None]:
        """Remove a database file that this store created, if the block fails before anything is in it."""
        try:
            yield
        except BaseException:
            if self.is_new and self.is_empty:
                self._database.remove()
            raise

    @property
    def is_empty(self) -> bool:
        """Whether the database never had a conversation."""
        with self._database.reading() as connection:
            return connection.execute(select(conversations.c.id).limit(1)).first() is None

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------ people

    def invite(self, name: str, *, admin: bool = False, renew: bool = False) -> str:
        """Add a reviewer and return their token. Only its hash is stored, so it is never shown again.

        With `renew`, a known person gets a new token and the old one ends. A revoked person may review again.

        Raises:
            ReviewError: the name is taken and `renew` is not set, or the name is not usable.
        """
        with self._database.writing() as connection:
            return people.invite(connection, name, admin=admin, renew=renew, now=self._clock())

    def revoke(self, name: str) -> None:
        """End a reviewer's token. Their open conversations go back to the queue, and their decisions stay.

        Raises:
            ReviewError: nobody has that name.
        """
        with self._database.writing() as connection:
            people.revoke(connection, name, now=self._clock())

    def people(self) -> list[Person]:
        """Return all people that were ever invited, by name."""
        with self._database.reading() as connection:
            return people.people(connection)

    def reviewer(self, token: str) -> Reviewer | None:
        """Return the owner of a token, or None for a wrong or revoked one."""
        with self._database.reading() as connection:
            return people.reviewer_of(connection, token)

    def local_reviewer(self) -> Reviewer:
        """Return the single person of a page on this machine, an admin with the name of the login."""
        with self._database.reading() as connection:
            known = people.known_local(connection)
        if known is not None:
            return known
        with self._database.writing() as connection:
            return people.make_local(connection, now=self._clock())

    # ------------------------------------------------------------------------------------------------ reviewing

    def next(self, reviewer: Reviewer) -> Item | None:
        """Return the reviewer's current conversation, locked for them. It stays the same until they decide.

        Return None when nothing is left for them.
        """
        return self._held(reviewer, 1)

    def upcoming(self, reviewer: Reviewer) -> Item | None:
        """Return the conversation after the current one, locked too, so that a page can load it early."""
        return self._held(reviewer, 2)

    def get(self, reviewer: Reviewer, item_id: int) -> Item:
        """Return an item that the reviewer holds or decided. An admin sees all items.

        Raises:
            ReviewError: there is no such item, or it is somebody else's.
        """
        with self._reading(reviewer) as turn:
            return decisions.get(turn, item_id)

    def keep(self, reviewer: Reviewer) -> None:
        """Restart the time-out of the reviewer's conversations. An open page calls this every few minutes."""
        with self._turn(reviewer, lazily=True) as turn:
            queue.begin(turn)
            queue.keep(turn)

    def decide(self, reviewer: Reviewer, item_id: int, decision: ReviewDecision) -> None:
        """Store a decision. A decision with a stored `key` changes nothing, so a page may send it again.

        Raises:
            ReviewConflictError: the item was decided or changed elsewhere meanwhile (another tab), or timed out and went to
                somebody else. Nothing is stored. Show `next()`.
            ReviewError: there is no such item, it is not theirs, or a label is not on its task list or not on a user turn.
        """
        with self._turn(reviewer) as turn:
            decisions.decide(turn, item_id, decision)

    def back(self, reviewer: Reviewer, *, key: str = "") -> Item | None:
        """Undo the reviewer's last valid decision, and return its item, locked. Return None without such a decision.

        A second call undoes the decision before. The open conversation stays theirs and comes next. With a `key` that was used
        already, nothing more is undone, and the same item is returned.
        """
        with self._turn(reviewer) as turn:
            return decisions.back(turn, key)

    def settle(self, admin: Reviewer, item_id: int) -> Item:
        """Give an admin a decided conversation to settle, to be checked or judged differently. `next()` returns it too.

        The admin's decision then counts. The reviewers' decisions are kept.

        Raises:
            ReviewError: the reviewer is not an admin, or there is no such item.
            ReviewConflictError: another admin has it open.
        """
        with self._turn(admin) as turn:
            return decisions.settle(turn, item_id)

    def leave(self, admin: Reviewer, item_id: int, *, key: str = "") -> None:
        """End settling a conversation without a decision. Its earlier decisions count again.

        With a `key` that was used already, nothing happens.

        Raises:
            ReviewError: the admin is not settling it.
        """
        with self._turn(admin) as turn:
            decisions.leave(turn, item_id, key)

    # ------------------------------------------------------------------------------------------------ figures

    def progress(self, reviewer: Reviewer) -> ReviewProgress:
        """Return the progress of all, and this reviewer's share and speed."""
        with self._reading(reviewer) as turn:
            return overview.progress(turn)

    def overview(self) -> Overview:
        """Return the admin's view: figures by reviewer and task, conversations to be checked, disagreements, and agreement."""
        with self._database.reading() as connection:
            return overview.overview(connection, now=self._clock())

    # ------------------------------------------------------------------------------------------------ in and out

    def enqueue(
        self,
        conversation: Conversation,
        *,
        source: str = "playground",
        by: Reviewer | None = None,
        marks: Sequence[ReviewMark] = (),
        router: Mapping[int, RouterDecision] | None = None,
    ) -> int:
        """Put one conversation in the queue, near its front, and return its item id. A known one keeps its decisions."""
        row = prepare_one(conversation, marks, router or {}, first=True)
        now = self._clock()
        with self._database.writing() as connection:
            intake.RunningImport(source, intake.begin_import(connection), now).store(connection, [row])
            number = intake.number_of(connection, row.identity)
            log(
                connection,
                "enqueue",
                at=now,
                reviewer_id=None if by is None else by.id,
                conversation_id=number,
                source=source,
            )
            return number

    def import_file(
        self,
        path: Path | str,
        *,
        source: str | None = None,
        overlap: float = 0.0,
        predictions: Path | str | None = None,
        by: Reviewer | None = None,
        max_bytes: int | None = None,
        report: Progress = silent,
    ) -> ImportReport:
        """Read conversations into the queue. All lines are checked before the first one is stored.

        The store knows a conversation by its text and task list, not by its id, and its decisions stay. If another text has the
        id of an earlier one of the same source, the earlier one leaves the queue.

        Args:
            path: JSON Lines in the project's format.
            source: the name of the source. Unset: the file's name without the folder.
            overlap: share of the conversations that two people judge, from 0 to 1. Their text decides which ones.
            predictions: `predictions.jsonl` of `mojo evaluate` on this file. Conversations that a router disagrees with come
                first, and unsure ones next.
            by: the person that imports, for the log.
            max_bytes: refuse a file with more bytes. A packed file is counted unpacked.
            report: takes the progress.

        Raises:
            DataError: a line is not a conversation, or the predictions are of other data. Nothing is stored then.
        """
        path = Path(path)
        return exchange.import_file(
            self._database,
            path,
            source=path.name if source is None else source,
            overlap=overlap,
            predictions=None if predictions is None else Path(predictions),
            at=self._clock(),
            by=None if by is None else by.id,
            max_bytes=max_bytes,
            report=report,
        )

    def export_file(self, path: Path | str, *, include: Collection[str] = ()) -> ExportReport:
        """Write the decided conversations with their final labels, and people and decisions in `meta["reviewed"]`.

        Args:
            path: JSON Lines to write, whole or not at all.
            include: kinds to write in addition: "undecided", "wrong", "check", "disagreement". A turn about which two people
                disagree is written without a label.
        """
        return exchange.export_file(self._database, Path(path), include=include)

    def _held(self, reviewer: Reviewer, number: int) -> Item | None:
        """Return the first or second item that the reviewer holds; what is missing is given out."""
        with self._reading(reviewer) as turn:
            mine = queue.still_at_hand(turn, number)
            if len(mine) == number:
                return load_item(turn.connection, mine[-1])
        with self._turn(reviewer, lazily=True) as turn:
            queue.begin(turn)
            mine = queue.at_hand(turn, number)
            return load_item(turn.connection, mine[-1]) if len(mine) == number else None

    @contextmanager
    def _turn(self, reviewer: Reviewer, *, lazily: bool = False) -> Iterator[queue.ReviewerTransaction]:
        with self._database.writing(lazily=lazily) as connection:
            now = self._clock()
            yield queue.ReviewerTransaction(connection, reviewer, now, now + self._lock_seconds)

    @contextmanager
    def _reading(self, reviewer: Reviewer) -> Iterator[queue.ReviewerTransaction]:
        with self._database.reading() as connection:
            now = self._clock()
            yield queue.ReviewerTransaction(connection, reviewer, now, now + self._lock_seconds)
