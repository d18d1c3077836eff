"""Which database the commands of `mojo review` use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

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


def open_store(database: str | None, *, create: bool = False, lock_minutes: float = LOCK_MINUTES) -> ReviewStore:
    """Return the store that the options and the settings name; without `create` a file has to be there."""
    from mojo_toolbox.review.store import ReviewStore
    from mojo_toolbox.settings import load_settings

    if database is None:
        setting = load_settings().review_database
        database = _DEFAULT if setting is None else setting.get_secret_value()
    return ReviewStore.open(database, create=create, lock_seconds=60 * lock_minutes)
