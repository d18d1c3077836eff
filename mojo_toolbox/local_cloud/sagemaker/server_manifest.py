"""Whether multi-model-server, which the Hugging Face serving container runs, would take an unpacked archive for a model.

The rules are those of its class ModelArchive (1.1.11): MAR-INF/MANIFEST.json says what the model is. Without it, any
MANIFEST.json is taken for a manifest of version 0.1, at the root or one folder deep and in any case. With neither, the
server serves the folder by its defaults.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MANIFEST = "MANIFEST.json"
_OWN = f"MAR-INF/{MANIFEST}"
_RUNTIMES = ("python", "python2", "python3")


class UnloadableModelError(Exception):
    """Why multi-model-server would not start on this model."""


def require_loadable(model: Path) -> None:
    """Refuse an unpacked archive on which the real server does not start.

    Raises:
        UnloadableModelError: the message says which file is in the way.
    """
    own = model / _OWN
    if own.exists():
        _check(_read(own))
        return
    for found in _taken_for_manifests(model):
        document = _read(found)
        if not isinstance(document.get("Model"), dict):
            raise UnloadableModelError(
                f"The serving container would not start: its multi-model-server takes {found.relative_to(model)} for its own "
                f"manifest. Add {_OWN} to the archive, with the keys model.modelName, model.handler and runtime."
            )


def _taken_for_manifests(model: Path) -> list[Path]:
    """Return what the server finds when it looks for a manifest of version 0.1."""
    folders = [model, *sorted(path for path in model.iterdir() if path.is_dir())]
    return [path for folder in folders for path in folder.iterdir() if path.name.lower() == MANIFEST.lower()]


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise UnloadableModelError(
            f"The serving container would not start: {path.name} is no JSON ({error})."
        ) from error
    if not isinstance(document, dict):
        raise UnloadableModelError(f"The serving container would not start: {path.name} is no JSON object.")
    return document


def _check(manifest: dict[str, Any]) -> None:
    model = manifest.get("model")
    told = model if isinstance(model, dict) else {}
    missing = [f"model.{key}" for key in ("modelName", "handler") if not isinstance(told.get(key), str)]
    if manifest.get("runtime") not in _RUNTIMES:
        missing.append(f"runtime ({', '.join(_RUNTIMES)})")
    if missing:
        raise UnloadableModelError(
            f"The serving container would not start: {_OWN} does not say {' and '.join(missing)}."
        )
