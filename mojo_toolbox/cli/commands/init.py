"""`mojo init`: write the project file that names the model, so that no command has to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from mojo_toolbox.cli.terminal.endings import UsageError
from mojo_toolbox.cli.terminal.options import AllowHashedNames, AsJson, Bucket, Cloud, Region, Role
from mojo_toolbox.cli.terminal.output import data, data_as_json, note

EXAMPLES = """
mojo init --product mojodex --model-id smollm2-router --cloud local
mojo init --product mojodex --model-id smollm2-router --stage prod \\
    --region-name eu-west-1 --role MojoSageMaker --json
"""
_HEAD = """\
# Settings for every mojo command, Hub and AWSModel in this folder and below it.
# An argument or option wins over the environment (MOJO_PRODUCT, ...), and the environment wins over this file.
"""
# Settings that are shown as comments while nobody set them.
_PROPOSED = {"cloud_service": "local", "region_name": "eu-west-1", "role": "MojoSageMaker", "bucket": "my-bucket"}


def init(
    *,
    product: Annotated[
        str | None,
        typer.Option(help="The application. Unset: this folder's name.", metavar="NAME", show_default=False),
    ] = None,
    task: Annotated[str, typer.Option(help="The model's purpose.", metavar="NAME")] = "routing",
    model_id: Annotated[str, typer.Option(help="The fine-tuned model's name.", metavar="NAME")] = "router",
    stage: Annotated[str, typer.Option(help="dev, prod or another.", metavar="NAME")] = "dev",
    cloud_service: Cloud = None,
    region_name: Region = None,
    role: Role = None,
    bucket: Bucket = None,
    allow_hashed_names: AllowHashedNames = None,
    as_json: AsJson = False,
) -> None:
    """Write mojo.toml here, with product, task, model_id and stage. Then commands need no options for these names.

    Prints the file's path. An existing file is never changed.
    """
    from mojo_toolbox.clouds.aws.names import require_unhashed
    from mojo_toolbox.names import ModelKey
    from mojo_toolbox.settings.project_file import FILE_NAME, find_project_file

    path = Path.cwd() / FILE_NAME
    outer = find_project_file(path.parent.parent)
    product = _folder_as_name(path.parent) if product is None else product
    names = {"product": product, "task": task, "model_id": model_id, "stage": stage}
    key = ModelKey(product=product, task=task, model_id=model_id)
    if not allow_hashed_names:
        require_unhashed(key, stage)
    given = {"cloud_service": cloud_service, "region_name": region_name, "role": role, "bucket": bucket}
    values = {**names, **{name: value for name, value in given.items() if value is not None}}
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(_document(values, allow_hashed_names=bool(allow_hashed_names)))
    except FileExistsError:
        raise UsageError(f"{path} exists already, and is not overwritten. Edit it, or remove it first.") from None
    if as_json:
        data_as_json({"path": str(path), **values, "allow_hashed_names": bool(allow_hashed_names)})
    else:
        data(str(path))
    if outer is not None:
        note(f"{outer} is no longer read here, because only the nearest file counts.")


def _folder_as_name(folder: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")
    if not name:
        raise UsageError(f"No name can be made of the folder {folder}: give --product.")
    return name


def _document(values: dict[str, str], *, allow_hashed_names: bool) -> str:
    # A JSON string is a TOML string too.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    if allow_hashed_names:
        lines.append("allow_hashed_names = true")
    lines += [f'# {name} = "{example}"' for name, example in _PROPOSED.items() if name not in values]
    return "\n".join([_HEAD, *lines]) + "\n"
