"""Whether multi-model-server, which the Hugging Face serving container runs, would take an unpacked archive for a model.

The rules are those of its classes ModelArchive and Manifest (1.1.11): MAR-INF/MANIFEST.json describes the model. Without
it, any MANIFEST.json is taken for a manifest of version 0.1, at the root or one folder deep and in any case. With neither,
the server serves the folder by its defaults. The local cloud runs code/inference.py as the container's own handler does, so a
manifest that names another handler is refused too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

MANIFEST = "MANIFEST.json"
_OWN = f"MAR-INF/{MANIFEST}"
_HANDLER = "sagemaker_huggingface_inference_toolkit.handler_service"


class UnloadableModelError(Exception):
    """Why multi-model-server would not start on this model."""


def _own_handler(handler: str) -> str:
    if handler not in {_HANDLER, f"{_HANDLER}:handle"}:
        raise ValueError(f"the local cloud runs {_HANDLER} and no other handler")
    return handler


class _ServedModel(BaseModel):
    model_config = ConfigDict(extra="ignore")

    modelName: str  # noqa: N815 - the server's names
    handler: Annotated[str, AfterValidator(_own_handler)]
    description: str | None = None
    modelVersion: str | None = None  # noqa: N815
    extensions: dict[str, Any] | None = None


class _Engine(BaseModel):
    model_config = ConfigDict(extra="ignore")

    engineName: str  # noqa: N815
    engineVersion: str | None = None  # noqa: N815


class _Publisher(BaseModel):
    model_config = ConfigDict(extra="ignore")

    author: str | None = None
    email: str | None = None


class _Manifest(BaseModel):
    """A manifest of version 1.0. The containers have no python2."""

    model_config = ConfigDict(extra="ignore")

    model: _ServedModel
    runtime: Literal["python", "python3"]
    specificationVersion: str | None = None  # noqa: N815
    implementationVersion: str | None = None  # noqa: N815
    modelServerVersion: str | None = None  # noqa: N815
    description: str | None = None
    license: str | None = None
    engine: _Engine | None = None
    publisher: _Publisher | None = None


def require_loadable(model: Path) -> None:
    """Refuse an unpacked archive on which the real server does not start, or would run another program.

    Raises:
        UnloadableModelError: the message says which file is in the way.
    """
    own = model / _OWN
    if own.exists():
        _check(own)
        return
    for found in _taken_for_manifests(model):
        raise UnloadableModelError(
            f"The serving container would not start: its multi-model-server takes {found.relative_to(model)} for its own "
            f"manifest. Add {_OWN} to the archive, with the keys model.modelName, model.handler ({_HANDLER}) and runtime "
            '("python").'
        )


def _taken_for_manifests(model: Path) -> list[Path]:
    """Return the file that the server finds when it looks for a manifest of version 0.1."""
    folders = [model, *sorted(path for path in model.iterdir() if path.is_dir())]
    return [path for folder in folders for path in folder.iterdir() if path.name.lower() == MANIFEST.lower()]


def _check(own: Path) -> None:
    try:
        _Manifest.model_validate(json.loads(own.read_bytes()))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the document"
        raise UnloadableModelError(
            f"The serving container would not start: {_OWN} is not as its multi-model-server reads it: {where}: "
            f"{problem['msg']}."
        ) from error
    except (ValueError, RecursionError, OSError) as error:
        raise UnloadableModelError(f"The serving container would not start: {_OWN} is no JSON ({error}).") from error
