"""The database of the commands of `mojo review`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mojo_toolbox.cli.terminal.output import note

if TYPE_CHECKING:
    from mojo_toolbox.review.store import ReviewStore

_DEFAULT = "review.db"
LOCK_MINUTES = 30.0

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        "-d",
        help="A file, or postgresql://USER:PASSWORD@HOST/NAME. Unset: MOJO_REVIEW_DATABASE, else review.db.",
        metavar="URL",
        show_default=False,
    ),
]


Create = Annotated[
    bool, typer.Option("--create", help="Create the database if it does not exist. Otherwise that is an error.")
]


def open_store(database: str | None, *, create: bool = False, lock_minutes: float = LOCK_MINUTES) -> ReviewStore:
    """Return the store that the options and the settings name. Without `create` it must exist."""
    from mojo_toolbox.review.store import ReviewStore
    from mojo_toolbox.settings import load_settings

    if database is None:
        setting = load_settings().review_database
        database = _DEFAULT if setting is None else setting.get_secret_value()
    store = ReviewStore.open(database, create=create, lock_seconds=60 * lock_minutes)
    if store.is_new:
        note(f"Created a new database: {store.name}")
    return store


def is_shared(store: ReviewStore) -> bool:
    """Whether somebody has a link. If so, the page asks everybody for one."""
    return any(not person.local and person.revoked_at is None for person in store.people())
