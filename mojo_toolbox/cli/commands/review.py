"""`mojo review`: let a team validate conversations in a page in the browser."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mojo_toolbox.cli.commands.review_database import Create, Database, is_shared, open_store
from mojo_toolbox.cli.commands.review_serve import DEFAULT_PORT, serve
from mojo_toolbox.cli.tables.review_tables import show_import, show_overview
from mojo_toolbox.cli.terminal.endings import UsageError, goes_on
from mojo_toolbox.cli.terminal.options import AsJson, Cloud, Overwrite, Region, require_free
from mojo_toolbox.cli.terminal.output import age, data, data_as_json, note, print_table
from mojo_toolbox.errors import DataError
from mojo_toolbox.review.wording import left_out_line

_ORDER = "Order"

EXAMPLES = {
    "import": """
mojo review import generated.jsonl
mojo review import generated.jsonl --overlap 0.1 \\
    --predictions evaluation-generated/predictions.jsonl
mojo review import generated.jsonl \\
    --router endpoint:mojodex/routing/smollm2-router
""",
    "serve": """
mojo review serve
mojo review serve --host 0.0.0.0 --port 8443 --lock-minutes 10
mojo review serve --cloud local --router mojodex/routing/smollm2-router
""",
    "invite": """
mojo review invite Ann
mojo review invite Ann --admin --url https://review.example.com
mojo review invite Ann --renew
""",
    "revoke": "mojo review revoke Ann",
    "people": "mojo review people --json",
    "export": """
mojo review export reviewed.jsonl
mojo review export all.jsonl --include undecided --include disagreement
""",
    "status": "mojo review status --json",
}


def import_files(
    *,
    files: Annotated[
        list[Path], typer.Argument(help="Conversations, JSON Lines.", metavar="FILE...", show_default=False)
    ],
    database: Database = None,
    overlap: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share that two people judge, to measure their agreement.", metavar="SHARE"),
    ] = 0.0,
    source: Annotated[
        str | None,
        typer.Option(
            help="Name of the source. Changed conversations replace those of the same source and id. Unset: the file's name.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="predictions.jsonl of mojo evaluate on this file. Conversations that the router disagrees with come first, "
            "and unsure ones next.",
            metavar="FILE",
            show_default=False,
            rich_help_panel=_ORDER,
        ),
    ] = None,
    router: Annotated[
        str | None,
        typer.Option(
            help="Ask this router now, named as in mojo evaluate. Its answers are kept in the folder evaluation-FILE.",
            metavar="NAME",
            show_default=False,
            rich_help_panel=_ORDER,
        ),
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(
            min=1, help="Conversations that the router is asked about at once.", metavar="N", rich_help_panel=_ORDER
        ),
    ] = 1,
    cloud: Cloud = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Put conversations in the queue. Known conversations keep their decisions.

    The database knows a conversation by its text and task list, not by its id. It checks all lines before it stores the first.
    """
    if len(files) > 1 and (predictions or router or source):
        raise UsageError("--predictions, --router and --source are for one file: import the files one by one.")
    if predictions and router:
        raise UsageError("Give --predictions or --router, not both.")
    for given in [*files, *([predictions] if predictions else [])]:
        # Before a database is begun for nothing.
        if not given.exists():
            raise DataError("no such file.", path=given)
    if router:
        predictions = _predicted(files[0], router, concurrency, cloud, region)
    from mojo_toolbox.progress import progress_bar

    done: dict[str, Any] = {}
    with open_store(database, create=True) as store, store.removed_unless_used():
        for file in files:
            with progress_bar(f"Import {file.name}") as bar:
                report = store.import_file(file, source=source, overlap=overlap, predictions=predictions, report=bar)
            done[str(file)] = report.as_dict()
            if not as_json:
                show_import(file, report)
    if as_json:
        data_as_json(done[str(files[0])] if len(files) == 1 else done)


def invite(
    *,
    name: Annotated[
        str, typer.Argument(help="The person's name, shown with each decision.", metavar="NAME", show_default=False)
    ],
    database: Database = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="This person sees the overview and settles disagreements.")
    ] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new link for a known person, and end the old one.")
    ] = False,
    url: Annotated[str, typer.Option(help="Address of the page.", metavar="URL")] = (
        f"http://127.0.0.1:{DEFAULT_PORT}"
    ),
    create: Create = False,
    as_json: AsJson = False,
) -> None:
    """Let somebody review, and print their personal link, once. The link is as good as a password.

    The database keeps only a hash of its token. `mojo review revoke NAME` ends the link.
    """
    with open_store(database, create=create) as store:
        first = not is_shared(store)
        token = store.invite(name, admin=admin, renew=renew)
    link = f"{url.rstrip('/')}/join/{token}"
    if as_json:
        data_as_json({"name": name, "admin": admin, "link": link, "token": token})
        return
    data(link)
    note(f"Send this link to {name}. It is not shown again, and whoever has it acts as {name}.")
    note(f"It leads to {url}. --url gives another address, such as another port.")
    if first:
        yours = "" if admin else " Make yourself one: mojo review invite YOUR-NAME --admin"
        note(f"From its next start, mojo review serve lets nobody in without a link, even on this machine.{yours}")


def revoke(
    *,
    name: Annotated[str, typer.Argument(help="The person's name.", metavar="NAME", show_default=False)],
    database: Database = None,
) -> None:
    """End somebody's link. Their decisions stay, and their open conversations go back to the queue."""
    with open_store(database) as store:
        store.revoke(name)
    note(f"The link of {name} has ended.")


def people(*, database: Database = None, as_json: AsJson = False) -> None:
    """List the people with a link."""
    with open_store(database) as store:
        found = store.people()
    if as_json:
        data_as_json([_with_times(asdict(person)) for person in found])
        return
    rows = [
        [
            person.name,
            "admin" if person.admin else "reviewer",
            "local" if person.local else "revoked" if person.revoked_at else "invited",
            "never" if person.seen_at is None else age(datetime.fromtimestamp(person.seen_at, UTC)),
        ]
        for person in found
    ]
    print_table(None, ["name", "role", "link", "last action"], rows, narrow=3)


def export(
    *,
    output: Annotated[Path, typer.Argument(help="File to write, JSON Lines.", metavar="FILE", show_default=False)],
    database: Database = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            help="Write these too: undecided, wrong (thrown out), check (to be checked), disagreement (disputed turns lose their "
            "label). May be repeated.",
            metavar="KIND",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the decided conversations with their final labels.

    The key meta.reviewed has the people, their decisions, times and changes. Thrown out conversations are left out.
    """
    require_free(output, overwrite=overwrite)
    with open_store(database) as store:
        report = store.export_file(output, include=include or ())
    if as_json:
        data_as_json(report.as_dict())
        return
    data(f"{output}: {report.written:,} conversations, {report.changed:,} of them with changed labels")
    note(f"content hash: {report.sha256}")
    if report.left_out:
        note(left_out_line(report))


def status(*, database: Database = None, as_json: AsJson = False) -> None:
    """Show the progress of reviewing: by reviewer and task, agreement, and conversations to be checked."""
    with open_store(database) as store:
        overview = store.overview()
    if as_json:
        data_as_json(_with_times(asdict(overview)))
    else:
        show_overview(overview)


def _predicted(
    file: Path, router: str, concurrency: int, cloud: Literal["aws", "local"] | None, region: str | None
) -> Path:
    """Ask a router about a file as `mojo evaluate` does, and return where its predictions are."""
    from mojo_toolbox.cli.spelling.router_names import Asked, routers
    from mojo_toolbox.evaluation import evaluate

    folder = Path(f"evaluation-{file.stem}")
    asked = Asked([], None, None, cloud, region, 60.0)
    with (
        redirect_stdout(sys.stderr),
        goes_on(f"The answers so far are kept in {folder}. The same command goes on from there."),
    ):
        found = routers([router], asked)
        evaluate(found[0], file, output=folder, concurrency=concurrency, reuse=True)
    return folder / "predictions.jsonl"


def _with_times(value: Any) -> Any:
    """Return a document with its times in ISO 8601."""
    if isinstance(value, dict):
        return {k: _time(v) if k == "at" or str(k).endswith("_at") else _with_times(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_with_times(part) for part in value]
    return value


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


COMMANDS: dict[str, Callable[..., None]] = {
    "import": import_files,
    "serve": serve,
    "invite": invite,
    "revoke": revoke,
    "people": people,
    "export": export,
    "status": status,
}
