"""The packages that only some of the work needs: one error, in one line, for each that is not installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mojo_toolbox.errors import MissingExtraError

_PACKAGE, _DISTRIBUTION = "mojo_toolbox", "mojo-toolbox"


@contextmanager
def needed_for(purpose: str, *, extra: str) -> Iterator[None]:
    """Import packages in this block. `purpose`, such as "A report's page", begins the sentence when one is missing.

    Raises:
        MissingExtraError: one is not installed, or cannot be loaded.
    """
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package == _PACKAGE:
            raise
        raise _missing(purpose, package, extra, error) from error


def require(purpose: str, *packages: str, extra: str) -> None:
    """Refuse work that a missing package would end later. Nothing is imported.

    Raises:
        MissingExtraError: one is not installed.
    """
    for package in packages:
        if not _is_installed(package):
            raise _missing(purpose, package, extra, None)


def require_local_cloud() -> None:
    """Refuse to start the local cloud without its server's packages. Otherwise its log would be a traceback.

    Raises:
        MissingExtraError: the `local` extra is not installed.
    """
    require("The local cloud", "uvicorn", "starlette", "moto", "psutil", "awscrt", "re2", extra="local")


def install_command(extra: str) -> str:
    """Return the command that installs an extra from this library's source: a folder, a file, an address or an index."""
    wanted = f"{_DISTRIBUTION}[{extra}]"
    source = _source()
    url = str(source.get("url", ""))
    if source.get("dir_info", {}).get("editable"):
        return f"pip install -e '{unquote(urlsplit(url).path)}[{extra}]'"
    if not url or (url.startswith("file:") and not Path(unquote(urlsplit(url).path)).exists()):
        return f"pip install '{wanted}'"
    vcs = source.get("vcs_info", {})
    return (
        f"pip install '{wanted} @ {vcs['vcs']}+{url}@{vcs['commit_id']}'" if vcs else f"pip install '{wanted} @ {url}'"
    )


def _source() -> dict[str, Any]:
    """Return pip's note of the library's source (PEP 610), or an empty dict if it came from an index."""
    try:
        noted = importlib.metadata.distribution(_DISTRIBUTION).read_text("direct_url.json")
        found = json.loads(noted or "{}")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _missing(purpose: str, package: str, extra: str, error: ImportError | None) -> MissingExtraError:
    lacks = f"{purpose} needs {package or 'a package'}, which is not installed."
    if error is not None and not isinstance(error, ModuleNotFoundError):
        reason = " ".join(str(error).split())[:200].rstrip(".")
        lacks = f"{purpose} needs {package or 'a package'}, which cannot be loaded: {reason}."
    remedy = f"Install the extra {_DISTRIBUTION}[{extra}]: {install_command(extra)}"
    return MissingExtraError(f"{lacks} {remedy}", package=package, extra=extra)
