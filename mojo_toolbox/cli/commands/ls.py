"""`mojo ls`: list the jobs, endpoints and models that this library made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mojo_toolbox.cli.terminal.options import AsJson, Cloud, Region, open_hub
from mojo_toolbox.cli.terminal.output import age, data, data_as_json, note, print_table, shortened

if TYPE_CHECKING:
    from mojo_toolbox.hub import Hub

EXAMPLES = """
mojo ls --cloud local
mojo ls jobs --product mojodex --limit 5
mojo ls endpoints --json
"""

_Wanted = dict[str, str]


@dataclass(frozen=True)
class _Kind:
    """A kind of thing to list: its fields, the ones that a narrow terminal shows first."""

    fetch: Callable[[Hub, _Wanted, int], Sequence[Any]]
    fields: tuple[str, ...]
    narrow: int


_KINDS = {
    "jobs": _Kind(
        lambda hub, wanted, limit: hub.jobs(**wanted, limit=limit),
        ("name", "status", "created", "product", "task", "model_id"),
        3,
    ),
    "endpoints": _Kind(
        lambda hub, wanted, limit: _matching(hub.endpoints(), wanted)[:limit],
        ("name", "status", "created", "stage", "product", "task", "model_id"),
        3,
    ),
    "models": _Kind(
        lambda hub, wanted, limit: _matching(hub.models(), wanted)[:limit],
        ("name", "created", "stage", "product", "task", "model_id"),
        2,
    ),
}


def ls(
    *,
    kind: Annotated[
        Literal["jobs", "endpoints", "models"] | None,
        typer.Argument(help="jobs, endpoints or models. Unset: all three.", metavar="KIND", show_default=False),
    ] = None,
    product: Annotated[
        str | None, typer.Option(help="Only of this product.", metavar="NAME", show_default=False)
    ] = None,
    task: Annotated[str | None, typer.Option(help="Only of this task.", metavar="NAME", show_default=False)] = None,
    model_id: Annotated[
        str | None, typer.Option(help="Only of this model.", metavar="NAME", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="List at most N of each kind, the newest first.", metavar="N")
    ] = 100,
    cloud_service: Cloud = None,
    region_name: Region = None,
    as_json: AsJson = False,
) -> None:
    """List the training jobs, endpoints and deployed models that mojo made, the newest first."""
    hub = open_hub(cloud_service, region_name)
    given = {"product": product, "task": task, "model_id": model_id}
    wanted = {field: value for field, value in given.items() if value is not None}
    kinds = list(_KINDS) if kind is None else [kind]
    found = {name: [_record(row) for row in _KINDS[name].fetch(hub, wanted, limit)] for name in kinds}
    if as_json:
        data_as_json(found if kind is None else found[kind])
        return
    for number, (name, records) in enumerate(found.items()):
        if number and records:
            data("")
        _print(name, records, titled=kind is None)


def _matching(summaries: Sequence[Any], wanted: _Wanted) -> list[Any]:
    from mojo_toolbox.clouds.aws.names import tag_value

    # Names come back from tags, in which AWS spells some characters otherwise.
    return [s for s in summaries if all(getattr(s.key, field) == tag_value(v) for field, v in wanted.items())]


def _record(summary: Any) -> dict[str, Any]:
    """Flatten a summary: its own fields, with those of its key beside them."""
    own = {field: value for field, value in vars(summary).items() if field != "key"}
    return {**own, **vars(summary.key)}


def _print(name: str, records: list[dict[str, Any]], *, titled: bool) -> None:
    if not records:
        note(f"No {name}.")
        return
    kind = _KINDS[name]
    rows = [[_cell(record[field]) for field in kind.fields] for record in records]
    columns = [field.replace("_", " ") for field in kind.fields]
    print_table(name.capitalize() if titled else None, columns, rows, narrow=kind.narrow)
    for record in records:
        if record.get("failure_reason"):
            note(f"{record['name']} failed: {shortened(record['failure_reason'])}")


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else age(value)
