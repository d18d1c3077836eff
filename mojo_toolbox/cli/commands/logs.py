"""`mojo logs`: print the log of a training job or an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.terminal.endings import goes_on
from mojo_toolbox.cli.terminal.options import Cloud, Region, command, open_hub
from mojo_toolbox.cli.terminal.output import data, note
from mojo_toolbox.errors import NotFoundError

if TYPE_CHECKING:
    from mojo_toolbox.clouds.aws.endpoints import Endpoint
    from mojo_toolbox.clouds.aws.jobs import TrainingJob

EXAMPLES = """
mojo logs mojodex--routing--smollm2-router--20260131-235959-ab12 --follow
mojo logs --cloud local mojodex--routing--smollm2-router--dev
"""


def logs(
    *,
    name: Annotated[
        str,
        typer.Argument(
            help="Name of a training job or of an endpoint. See mojo ls.", metavar="NAME", show_default=False
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job ends, or for an endpoint until Ctrl-C.")
    ] = False,
    cloud_service: Cloud = None,
    region_name: Region = None,
) -> None:
    """Print the log of a training job or an endpoint."""
    printer: TrainingJob | Endpoint
    try:
        printer = open_hub(cloud_service, region_name).job(name)
    except NotFoundError:
        printer = _endpoint(cloud_service, region_name, name)
        goes_on_there = f"The endpoint {name} goes on."
    else:
        stop = command("rm", job=name, cloud=cloud_service, region_name=region_name)
        goes_on_there = f"If the training job has not ended, it goes on.\nStop it: {stop}"
    printed = False
    with goes_on(goes_on_there):
        for line in printer.logs(follow=follow):
            data(line)
            printed = True
    reason = _failure_reason(printer)
    if reason is not None:
        note(f"{name} failed: {reason}")
    elif not printed:
        note(f"{name} has printed nothing yet.")


def _failure_reason(printer: TrainingJob | Endpoint) -> str | None:
    try:
        return printer.failure_reason
    except NotFoundError:  # an endpoint that was removed: its lines are still there
        return None


def _endpoint(cloud: Any, region: str | None, name: str) -> Endpoint:
    from mojo_toolbox.clouds.aws.endpoints import Endpoint
    from mojo_toolbox.clouds.aws.session import Session
    from mojo_toolbox.settings import load_settings

    endpoint = Endpoint(Session(load_settings(cloud_service=cloud, region_name=region)), name, version_base="")
    try:
        endpoint.describe()
    except NotFoundError as error:
        # What an endpoint printed outlives it.
        if next(endpoint.logs(), None) is None:
            raise NotFoundError(
                f"There is no training job and no endpoint named {name!r}. "
                f"See: {command('ls', cloud=cloud, region_name=region)}",
                code=error.code,
            ) from error
    return endpoint
