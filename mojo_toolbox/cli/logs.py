"""`mojo logs`: what a training job or an endpoint printed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.endings import goes_on
from mojo_toolbox.cli.options import Cloud, Region, command, open_hub
from mojo_toolbox.cli.output import data, note
from mojo_toolbox.errors import NotFoundError

if TYPE_CHECKING:
    from mojo_toolbox.aws.session import Session

EXAMPLES = """
mojo logs mojodex--routing--router--20260131-235959-ab12 --follow
mojo logs --cloud local mojodex--routing--router--dev
"""


def logs(
    *,
    name: Annotated[
        str, typer.Argument(help="Name of a training job or of an endpoint; see mojo ls.", show_default=False)
    ],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended, or until Ctrl-C for an endpoint.")
    ] = False,
    cloud_service: Cloud = None,
    region_name: Region = None,
) -> None:
    """Print the lines that a training job, or else an endpoint, printed."""
    try:
        job = open_hub(cloud_service, region_name).job(name)
    except NotFoundError:
        lines = _endpoint_lines(_session(cloud_service, region_name), name, follow=follow)
        goes_on_there = f"The endpoint {name} goes on."
    else:
        lines = job.logs(follow=follow)
        stop = command("rm", job=name, cloud=cloud_service, region_name=region_name)
        goes_on_there = f"The training job goes on if it had not ended.\nStop it: {stop}"
    printed = False
    with goes_on(goes_on_there):
        for line in lines:
            data(line)
            printed = True
    if not printed:
        note(f"{name} has printed nothing yet.")


def _session(cloud: Any, region: str | None) -> Session:
    from mojo_toolbox.aws.session import Session
    from mojo_toolbox.settings import load_settings

    return Session(load_settings(cloud_service=cloud, region_name=region))


def _endpoint_lines(session: Session, name: str, *, follow: bool) -> Iterator[str]:
    """Yield the lines of all of an endpoint's containers, oldest first; with `follow` without end."""
    newest, seen = 0, set[str]()
    _require_endpoint(session, name)
    while True:
        for event in _events(session, name, since=newest):
            if event["eventId"] not in seen:
                # Lines of several containers may share a millisecond: those of the newest one are asked for again.
                seen = seen if event["timestamp"] == newest else set()
                newest = event["timestamp"]
                seen.add(event["eventId"])
                yield str(event["message"]).rstrip("\n")
        if not follow:
            return
        time.sleep(0.5 if session.is_local else 5.0)


def _events(session: Session, name: str, *, since: int) -> Iterator[dict[str, Any]]:
    page: dict[str, Any] = {"logGroupName": f"/aws/sagemaker/Endpoints/{name}", "startTime": since}
    while True:
        try:
            answer = session.call("logs", "filter_log_events", **page)
        except NotFoundError:
            return  # the group is there from the first line on
        yield from answer["events"]
        if "nextToken" not in answer:
            return
        page["nextToken"] = answer["nextToken"]


def _require_endpoint(session: Session, name: str) -> None:
    try:
        session.call("sagemaker", "describe_endpoint", EndpointName=name)
    except NotFoundError as error:
        # What an endpoint printed outlives it.
        if next(_events(session, name, since=0), None) is None:
            raise NotFoundError(
                f"There is no training job and no endpoint named {name!r}. See: mojo ls", code=error.code
            ) from error
