"""`mojo deploy`: put a model on an endpoint."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mojo_toolbox.cli.endings import UsageError, goes_on
from mojo_toolbox.cli.options import (
    AsJson,
    Bucket,
    Cloud,
    DryRun,
    ImageUri,
    ModelId,
    Product,
    Region,
    RequestOverrides,
    Role,
    Stage,
    TaskName,
    Wait,
    Yes,
    command,
    is_local,
    json_file,
    open_hub,
    pairs,
    require_consent,
)
from mojo_toolbox.cli.output import data, data_as_json, note, print_requests

EXAMPLES = """
mojo deploy --cloud local --product mojodex --task routing --model-id router
mojo deploy --product mojodex --task routing --model-id router --stage prod \\
    --instance-type ml.g5.xlarge --yes
mojo deploy --cloud local --product mojodex --task routing --model-id router \\
    --encoder JOB_OF_AN_ENCODER_ROUTER
mojo deploy --cloud local --product mojodex --task chat --model-id plain \\
    --base-model HuggingFaceTB/SmolLM2-135M-Instruct
"""


def deploy(
    *,
    product: Product,
    task: TaskName,
    model_id: ModelId,
    stage: Stage = "dev",
    job: Annotated[
        str | None,
        typer.Option(
            help="Deploy this training job's model. Unset: the newest completed.", metavar="NAME", show_default=False
        ),
    ] = None,
    model_data: Annotated[
        str | None, typer.Option(help="Deploy this artifact, a model.tar.gz in S3.", metavar="URI", show_default=False)
    ] = None,
    base_model: Annotated[
        str | None,
        typer.Option(
            help="Deploy a model that nobody trained: id, folder or s3:// URI.", metavar="MODEL", show_default=False
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Training job of an encoder router that answers together with this model.",
            metavar="JOB",
            show_default=False,
        ),
    ] = None,
    instance_type: Annotated[
        str, typer.Option(help="SageMaker's; the local cloud uses this machine.", metavar="TYPE")
    ] = "ml.g5.xlarge",
    instance_count: Annotated[int, typer.Option(min=1, help="Instances that answer.", metavar="N")] = 1,
    environment: Annotated[
        list[str] | None,
        typer.Option(
            help="Variable for the container. Give it once for each.", metavar="NAME=VALUE", show_default=False
        ),
    ] = None,
    image_uri: ImageUri = None,
    request_overrides: RequestOverrides = None,
    cloud_service: Cloud = None,
    region_name: Region = None,
    role: Role = None,
    bucket: Bucket = None,
    wait: Wait = True,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deploy a model to a stage's endpoint, or update the endpoint without an interruption.

    Prints the endpoint's name. On AWS an endpoint is billed until it is removed, so you are asked first.
    """
    if job is not None and model_data is not None:
        raise UsageError("Give either --job or --model-data: they name the same thing.")
    names = {"product": product, "task": task, "model_id": model_id, "stage": stage}
    options: dict[str, Any] = {
        **names,
        "instance_type": instance_type,
        "instance_count": instance_count,
        "job": job,
        "model_data": model_data,
        "base_model": base_model,
        "encoder": encoder,
        "image_uri": image_uri,
        "environment": pairs(environment, option="--environment"),
        "request_overrides": json_file(request_overrides, option="--request-overrides"),
    }
    hub = open_hub(cloud_service, region_name, role=role, bucket=bucket)
    if dry_run:
        print_requests(hub.deploy(dry_run=True, **options), as_json=as_json)
        return
    if not is_local(cloud_service):
        require_consent(
            f"An endpoint on {instance_count} x {instance_type} is billed by AWS until it is removed.", yes=yes
        )
    endpoint = hub.deploy(**options)
    place = {"cloud": cloud_service, "region_name": region_name}
    started = f"Endpoint {endpoint.name} is on its way."
    if wait:
        look, remove = command("ls endpoints", **place), command("rm", **names, **place)
        with goes_on(f"The deployment goes on.\nLook at it: {look}\nRemove it: {remove}"):
            note(started)
            endpoint.wait()
    else:
        note(started)
    if as_json:
        data_as_json({"endpoint_name": endpoint.name, "status": endpoint.status})
    else:
        data(endpoint.name)
    if wait:
        note(f"Ask it: {command('predict', **names, **place)} --message '…' --tasks tasks.json")
