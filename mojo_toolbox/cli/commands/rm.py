"""`mojo rm`: remove a stage's endpoint, or stop a training job."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mojo_toolbox.cli.terminal.endings import UsageError
from mojo_toolbox.cli.terminal.options import (
    AsJson,
    Cloud,
    ModelId,
    Product,
    Region,
    Stage,
    TaskName,
    Yes,
    command,
    open_hub,
    require_consent,
    require_model,
)
from mojo_toolbox.cli.terminal.output import data, data_as_json, note
from mojo_toolbox.errors import MojoError, NotFoundError

EXAMPLES = """
mojo rm --cloud local --product mojodex --task routing \\
    --model-id smollm2-router --stage dev
mojo rm --stage prod --yes   # names from mojo.toml
mojo rm --job mojodex--routing--smollm2-router--20260131-235959-ab12
"""


def rm(
    *,
    product: Product = None,
    task: TaskName = None,
    model_id: ModelId = None,
    stage: Stage = None,
    job: Annotated[
        str | None,
        typer.Option(
            help="Stop this training job instead. Its record and logs stay.", metavar="NAME", show_default=False
        ),
    ] = None,
    cloud_service: Cloud = None,
    region_name: Region = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove a stage: its endpoint, endpoint configurations and models.

    Training jobs and the files in S3 stay, so you can deploy the model again. The command asks you first, on every cloud.
    """
    names = {"product": product, "task": task, "model_id": model_id}
    if job is not None:
        if any(value is not None for value in (*names.values(), stage)):
            raise UsageError("Give either --job, or --product, --task, --model-id and --stage.")
        _stop(job, cloud_service, region_name, yes=yes, as_json=as_json)
        return
    hub = open_hub(cloud_service, region_name)
    endpoint = hub.endpoint(**require_model(**names), stage=stage)
    if not endpoint.removable():
        see = command("ls", argument="endpoints", cloud=cloud_service, region_name=region_name)
        raise NotFoundError(
            f"There is no endpoint {endpoint.name}: nothing was removed.{endpoint.about_name} See: {see}"
        )
    require_consent(f"This removes the endpoint {endpoint.name} with its configurations and models.", yes=yes)
    deletion = endpoint.delete()
    if as_json:
        data_as_json({"removed": deletion.removed, "failed": deletion.failed})
    elif deletion.removed:
        data("\n".join(f"removed {what}" for what in deletion.removed))
    if deletion.failed:
        reasons = "; ".join(f"{what} ({reason})" for what, reason in deletion.failed.items())
        raise MojoError(f"Not removed: {reasons}")


def _stop(name: str, cloud: Any, region: str | None, *, yes: bool, as_json: bool) -> None:
    job = open_hub(cloud, region).job(name)
    status = job.status
    if status != "InProgress":
        raise MojoError(f"The training job {name} is {status}: there is nothing to stop.")
    require_consent(f"This stops the training job {name}.", yes=yes)
    job.stop()
    if as_json:
        data_as_json({"job_name": name, "status": job.status})
    else:
        data(name)
    note("The job stops. Its training so far is kept.")
