"""`mojo local`: the local cloud on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mojo_toolbox.cli.terminal.options import AsJson
from mojo_toolbox.cli.terminal.output import data, data_as_json, note
from mojo_toolbox.errors import LocalCloudError

_GOING_ON = {"InProgress", "Stopping"}
_NOT_SERVING = {"Failed", "Deleting", "OutOfService"}

EXAMPLES = {
    "up": "mojo local up\nmojo local up --port 5000 --json",
    "down": "mojo local down",
    "status": "mojo local status --json",
    "env": 'eval "$(mojo local env)" && aws s3 ls\nmojo local env --json',
}


def up(
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="Port to listen on. Unset: the port of the last start.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the local cloud in the background, unless it runs already, and return once it answers.

    MOJO_HOME holds its state, else ~/.mojo. Commands with --cloud local start it by themselves.
    """
    from mojo_toolbox.local_cloud import lifecycle

    home = _home()
    _print_connection(lifecycle.up(home, port), home, as_json=as_json)


def down(as_json: AsJson = False) -> None:
    """Stop the local cloud with its jobs and endpoints, and name the running ones.

    A running job becomes Failed. Endpoints serve again after the next start.
    """
    from mojo_toolbox.local_cloud import lifecycle

    home = _home()
    running = _running() if lifecycle.status(home) is not None else {"jobs": [], "endpoints": []}
    stopped = lifecycle.down(home)
    if as_json:
        data_as_json({"stopped": stopped, **running})
        return
    note("Stopped." if stopped else "The local cloud did not run.")
    for job in running["jobs"]:
        note(f"The training job {job} was running and is Failed now. From a checkpoint: mojo train ... --resume {job}")
    for endpoint in running["endpoints"]:
        note(f"The endpoint {endpoint} serves again after the next start.")


def _running() -> dict[str, list[str]]:
    """Return the jobs and endpoints that end with the local cloud; none of a kind where it does not tell in seconds."""
    from mojo_toolbox.clouds.aws.session import Session
    from mojo_toolbox.settings import load_settings

    session = Session(load_settings(cloud_service="local"), start_local_cloud=False)
    answer = session.glance("sagemaker", "list_training_jobs", MaxResults=100) or {}
    jobs = [row for row in answer.get("TrainingJobSummaries", []) if row["TrainingJobStatus"] in _GOING_ON]
    answer = session.glance("sagemaker", "list_endpoints", MaxResults=100) or {}
    endpoints = [row for row in answer.get("Endpoints", []) if row["EndpointStatus"] not in _NOT_SERVING]
    return {
        "jobs": [row["TrainingJobName"] for row in jobs],
        "endpoints": [row["EndpointName"] for row in endpoints],
    }


def status(as_json: AsJson = False) -> None:
    """Show whether the local cloud runs, and its address. The exit status is 1 when it does not run."""
    from mojo_toolbox.local_cloud import lifecycle

    home = _home()
    connection = lifecycle.status(home)
    if connection is not None:
        _print_connection(connection, home, as_json=as_json, running=True)
        return
    if as_json:
        data_as_json({"running": False, "home": str(home)})
    else:
        note(f"The local cloud does not run (home {home}). Start it: mojo local up")
    raise typer.Exit(1)


def env(as_json: AsJson = False) -> None:
    """Print shell lines that make other AWS clients use the local cloud.

    The lines also unset variables that would lead them elsewhere, such as AWS_SESSION_TOKEN and AWS_PROFILE. --json prints only
    the variables to set.
    """
    from mojo_toolbox.local_cloud import client_environment, lifecycle

    connection = lifecycle.status(_home())
    if connection is None:
        raise LocalCloudError("The local cloud does not run. Start it: mojo local up")
    if as_json:
        data_as_json(client_environment.to_set(connection, os.environ))
    else:
        data(client_environment.shell_lines(connection, os.environ))


def _home() -> Path:
    from mojo_toolbox.settings import load_settings

    return load_settings().home.expanduser().resolve()


def _print_connection(connection: Any, home: Path, *, as_json: bool, **more: object) -> None:
    if as_json:
        data_as_json({**more, "endpoint_url": connection.endpoint_url, "pid": connection.pid, "home": str(home)})
    else:
        data(connection.endpoint_url)
        note(f"The local cloud answers (pid {connection.pid}, home {home}).")


COMMANDS: dict[str, Callable[..., None]] = {"up": up, "down": down, "status": status, "env": env}
