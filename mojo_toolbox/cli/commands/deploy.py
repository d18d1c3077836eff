"""`mojo deploy`: put a model on an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import typer

from mojo_toolbox.cli.terminal.endings import UsageError, goes_on
from mojo_toolbox.cli.terminal.options import (
    AllowHashedNames,
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
    require_model,
)
from mojo_toolbox.cli.terminal.output import data, data_as_json, note, print_requests
from mojo_toolbox.errors import AccessDeniedError

EXAMPLES = """
mojo deploy --cloud local \\
    --product mojodex --task routing --model-id smollm2-router
mojo deploy --product mojodex --task routing --model-id smollm2-router \\
    --stage prod --instance-type ml.g5.xlarge --yes
mojo deploy --cloud local --encoder JOB_OF_AN_ENCODER_ROUTER
mojo deploy --cloud local --product mojodex --task chat --model-id plain \\
    --base-model HuggingFaceTB/SmolLM2-135M-Instruct
"""


def deploy(
    *,
    product: Product = None,
    task: TaskName = None,
    model_id: ModelId = None,
    stage: Stage = None,
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
        typer.Option(help="Deploy an untrained model: id, folder or s3:// URI.", metavar="MODEL", show_default=False),
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
        str | None,
        typer.Option(
            help="SageMaker's instance type. Unset: ml.c7i.xlarge for an encoder, ml.g5.xlarge for a language model. The local "
            "cloud uses this machine.",
            metavar="TYPE",
            show_default=False,
        ),
    ] = None,
    instance_count: Annotated[int, typer.Option(min=1, help="Number of instances.", metavar="N")] = 1,
    environment: Annotated[
        list[str] | None,
        typer.Option(
            help="Environment variable of the container. May be repeated.", metavar="NAME=VALUE", show_default=False
        ),
    ] = None,
    image_uri: ImageUri = None,
    request_overrides: RequestOverrides = None,
    cloud_service: Cloud = None,
    region_name: Region = None,
    role: Role = None,
    bucket: Bucket = None,
    allow_hashed_names: AllowHashedNames = None,
    wait: Wait = True,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deploy a model to a stage's endpoint, or update the endpoint without an interruption.

    Prints the endpoint's name. AWS bills an endpoint until you remove it, so the command asks you first.

    --dry-run reads the trained model's artifact, which needs credentials on AWS. With --base-model alone it works without them.
    """
    if job is not None and model_data is not None:
        raise UsageError("Give either --job or --model-data: they name the same thing.")
    names = {"product": product, "task": task, "model_id": model_id}
    require_model(**names)
    names["stage"] = stage
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
    hub = open_hub(cloud_service, region_name, role=role, bucket=bucket, allow_hashed_names=allow_hashed_names)
    if dry_run:
        with _reading_what_was_trained(base_model):
            requests = hub.deploy(dry_run=True, **options)
        print_requests(requests, as_json=as_json)
        return
    where = instance_type or _default_instance_types()
    cost = f"An endpoint on {instance_count} x {where} is billed by AWS until it is removed."
    confirm = None if is_local(cloud_service) else partial(require_consent, cost, yes=yes)
    place = {"cloud": cloud_service, "region_name": region_name}
    look, remove = command("ls endpoints", **place), command("rm", **names, **place)
    there = f"Look at it: {look}\nRemove it: {remove}"
    with goes_on(f"If the deployment has begun, it goes on.\n{there}"):
        endpoint = hub.deploy(**options, confirm=confirm)
    started = f"Endpoint {endpoint.name} is on its way."
    if wait:
        with goes_on(f"The deployment of {endpoint.name} goes on.\n{there}"):
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


@contextmanager
def _reading_what_was_trained(base_model: str | None) -> Iterator[None]:
    """Say why a dry run needs credentials, and how it needs none."""
    try:
        yield
    except AccessDeniedError as error:
        if base_model is not None:
            raise
        raise AccessDeniedError(
            f"{error}\nThe dry run reads the trained model's artifact. Without credentials: --base-model MODEL --dry-run",
            code=error.code,
            operation=error.operation,
            request_id=error.request_id,
        ) from error


def _default_instance_types() -> str:
    """Name them all: the model's kind is known once its artifact is read, which is too late to ask."""
    from mojo_toolbox.serving.containers import DEFAULT_CONTAINER, find_container

    default = find_container(DEFAULT_CONTAINER).instance_type
    return f"{default('encoder')} (an encoder) or {default('language_model')} (a language model)"
