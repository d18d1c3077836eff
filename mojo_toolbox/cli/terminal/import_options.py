"""The options that the importers of `mojo data import` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

WHAT = "What to read"
LISTS = "Task lists"


def import_option(*names: str, text: str, metavar: str) -> Any:
    """Return an option on the input that may stay unset."""
    return typer.Option(*names, help=text, metavar=metavar, rich_help_panel=WHAT, show_default=False)


Output = Annotated[Path, typer.Option("--output", "-o", help="File to write, whole or not at all.", metavar="FILE")]
Limit = Annotated[
    int | None,
    typer.Option(min=1, help="Stop after N conversations.", metavar="N", rich_help_panel=WHAT, show_default=False),
]
Seed = Annotated[int, typer.Option(help="Another seed gives other lists.", metavar="N", rich_help_panel=LISTS)]
Withhold = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Share of the conversations in which a wanted task is left off the list, so that its turns have no task.",
        metavar="SHARE",
        rich_help_panel=LISTS,
    ),
]
TextColumn = Annotated[
    str, typer.Option("--text", help="Column of the utterances.", metavar="COLUMN", rich_help_panel=WHAT)
]
LabelColumn = Annotated[
    str, typer.Option("--label", help="Column of the labels.", metavar="COLUMN", rich_help_panel=WHAT)
]
_TASKS = "Task file: a JSON list of {name, description}, or conversations."
RequiredTasks = Annotated[Path, typer.Option("--tasks", help=_TASKS, metavar="FILE", rich_help_panel=WHAT)]
OptionalTasks = Annotated[Path | None, import_option("--tasks", text=_TASKS, metavar="FILE")]
TasksPerList = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Draw lists of this length. Unset: all tasks.",
        metavar="N",
        rich_help_panel=LISTS,
        show_default=False,
    ),
]
NoneLabels = Annotated[
    list[str] | None,
    import_option(
        "--none-label",
        text="A label that means no task. May be repeated. Unset: none, null, oos, out_of_scope.",
        metavar="LABEL",
    ),
]
SkipUnknown = Annotated[
    bool, typer.Option("--skip-unknown", help="Leave out labels that are not tasks.", rich_help_panel=WHAT)
]
NoCall = Annotated[
    Literal["unlabelled", "none"],
    typer.Option(help="Meaning of an answer without a tool call.", metavar="unlabelled|none", rich_help_panel=WHAT),
]
