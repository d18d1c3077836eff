"""The options that several commands share, and their common meaning."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mojo_toolbox.cli.terminal.endings import UsageError, goes_on
from mojo_toolbox.cli.terminal.output import note
from mojo_toolbox.errors import ConfigurationError

if TYPE_CHECKING:
    from mojo_toolbox.hub import Hub

_MODEL = "Which model"
_WHERE = "Where"
_HOW = "How to run"
ASKING = "How to ask"

Cloud = Annotated[
    Literal["aws", "local"] | None,
    typer.Option(
        "--cloud-service",
        "--cloud",
        help="AWS, or the local cloud on this machine. Unset: MOJO_CLOUD_SERVICE, else aws.",
        metavar="aws|local",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region-name",
        "--region",
        help="AWS region. Unset: MOJO_REGION_NAME, else boto3's own.",
        metavar="NAME",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]
Role = Annotated[
    str | None,
    typer.Option(
        help="Execution role of SageMaker, by name or ARN. Unset: MOJO_ROLE or SAGEMAKER_ROLE.",
        metavar="ROLE",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]
Bucket = Annotated[
    str | None,
    typer.Option(
        help="S3 bucket. Unset: MOJO_BUCKET, else mojo-toolbox-REGION-ACCOUNT.",
        metavar="NAME",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]
Product = Annotated[
    str | None,
    typer.Option(
        help="The application. Unset: MOJO_PRODUCT, else mojo.toml's.",
        metavar="NAME",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="The model's purpose, such as routing. Unset: MOJO_TASK, else mojo.toml's.",
        metavar="NAME",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
ModelId = Annotated[
    str | None,
    typer.Option(
        help="The fine-tuned model's name. Unset: MOJO_MODEL_ID, else mojo.toml's.",
        metavar="NAME",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
Stage = Annotated[
    str | None,
    typer.Option(
        help="dev, prod or another. Unset: MOJO_STAGE, else mojo.toml's, else dev.",
        metavar="NAME",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
AllowHashedNames = Annotated[
    bool | None,
    typer.Option(
        "--allow-hashed-names",
        help="Agree to names that end with a hash, if AWS does not take the given ones.",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
ImageUri = Annotated[
    str | None, typer.Option(help="A container image other than the pinned one.", metavar="URI", show_default=False)
]
RequestOverrides = Annotated[
    Path | None,
    typer.Option(
        help='JSON file of fields to merge into requests: {"CreateTrainingJob": {"VpcConfig": …}}.',
        metavar="FILE",
        show_default=False,
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until it is ready, with progress.", rich_help_panel=_HOW)
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check everything and print the requests, but send nothing.", rich_help_panel=_HOW),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.", rich_help_panel=_HOW)]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="Address of an OpenAI-compatible server. Unset: OPENAI_BASE_URL, else OpenAI.",
        metavar="URL",
        show_default=False,
        rich_help_panel=ASKING,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.", rich_help_panel=_HOW)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, on one line.", rich_help_panel=_HOW)]


def open_hub(cloud: Literal["aws", "local"] | None, region: str | None, **settings: Any) -> Hub:
    """Return the administrator's door that the options describe."""
    from mojo_toolbox.hub import Hub

    return Hub(cloud_service=cloud, region_name=region, **settings)


def is_local(cloud: Literal["aws", "local"] | None) -> bool:
    """Whether the local cloud is meant, by the option or by the environment."""
    from mojo_toolbox.settings import load_settings

    return load_settings(cloud_service=cloud).cloud_service == "local"


def require_model(**names: str | None) -> dict[str, str]:
    """Return product, task and model_id as the options, the environment or the project file name them.

    Raises:
        UsageError: none of these names one of them.
    """
    from mojo_toolbox.settings import load_settings, require_names

    settings = load_settings()
    try:
        return require_names(settings, **names)
    except ConfigurationError as error:
        raise UsageError(str(error)) from None


def require_consent(question: str, *, yes: bool) -> None:
    """Ask before something costs money or removes something; where nobody can be asked, refuse.

    Raises:
        UsageError: neither `--yes` nor a terminal to ask at.
        typer.Exit: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody can be asked here (no terminal): add --yes to go ahead.")
    with goes_on("Nothing was changed."):
        typer.echo(f"{question}\nGo ahead? [y/N]: ", err=True, nl=False)
        answer = sys.stdin.readline()
    if answer.strip().lower() not in {"y", "yes"}:
        note("Nothing was changed.")
        raise typer.Exit(1)


def require_free(*files: Path | None, overwrite: bool) -> None:
    """Refuse to replace a file that nobody said may be replaced, before anything is read or made.

    Raises:
        UsageError: a file is there already.
    """
    for file in files:
        if file is not None and file.is_file() and not overwrite:
            raise UsageError(f"{file} exists already. Replace it with --overwrite, or give another name.")


def pairs(given: list[str] | None, *, option: str) -> dict[str, str]:
    """Take `NAME=VALUE` apart."""
    found = {}
    for pair in given or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} takes NAME=VALUE, not {pair!r}.")
        found[name.strip()] = value
    return found


def json_file(path: Path | None, *, option: str) -> Any:
    """Read a JSON file that an option names; None when it was not given."""
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"{option}: there is no file {path}.") from None
    except ValueError as error:
        raise UsageError(f"{option}: {path} is not JSON: {error}.") from error


def command(name: str, *, argument: str | None = None, **options: str | None) -> str:
    """Return a command to suggest: with the options that this one was called with, ready to be pasted."""
    words = ["mojo", *name.split(), *([] if argument is None else [argument])]
    for option, value in options.items():
        if value is not None:
            words += [f"--{option.replace('_', '-')}", value]
    return shlex.join(words)
