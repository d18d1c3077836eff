"""`mojo.toml`: the settings of a project, in the folder that you work in or in the nearest one above it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mojo_toolbox.errors import ConfigurationError

FILE_NAME = "mojo.toml"
_SYNTAX = re.compile(r"(?P<problem>.*) \(at line (?P<line>\d+), column \d+\)")


@dataclass(frozen=True)
class ProjectFile:
    """A project file that could be read. Its keys and values are not checked yet."""

    path: Path
    text: str
    values: Mapping[str, Any]

    def checked(self, kinds: Mapping[str, Any], *, secrets: Iterable[str]) -> dict[str, Any]:
        """Return the values, if each is of a known key and of the type that `kinds` names for it.

        Raises:
            ConfigurationError: an unknown key, a secret or a value of another type, with file and line.
        """
        for key, value in self.values.items():
            if key in secrets:
                raise self._refusal(key, f"{key!r} is a secret, and this file is shared. Set MOJO_{key.upper()}.")
            if key not in kinds:
                raise self._refusal(key, f"there is no setting {key!r}. {_hint(key, list(kinds))}")
            try:
                TypeAdapter(kinds[key]).validate_python(value)
            except ValidationError as error:
                raise self._refusal(key, f"{key!r}: {error.errors()[0]['msg']}.") from None
        return dict(self.values)

    def _refusal(self, key: str, problem: str) -> ConfigurationError:
        written = rf"""\s*(\[+\s*)?["']?{re.escape(key)}["']?\s*[=.\]]"""
        lines = (number for number, line in enumerate(self.text.splitlines(), start=1) if re.match(written, line))
        return ConfigurationError(f"{self.path}:{next(lines, 1)}: {problem}")


def find_project_file(folder: Path) -> Path | None:
    """Return the project file of `folder` or of the nearest folder above it, or None."""
    return next((path for up in (folder, *folder.parents) if (path := up / FILE_NAME).is_file()), None)


def read_project_file(path: Path) -> ProjectFile:
    """Read a project file.

    Raises:
        ConfigurationError: it cannot be read, or is not TOML. The message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        return ProjectFile(path, text, tomllib.loads(text))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        found = _SYNTAX.fullmatch(str(error))
        where, problem = (f":{found['line']}", found["problem"]) if found else ("", str(error))
        raise ConfigurationError(f'{path}{where}: not TOML: {problem}. A line reads: product = "mojodex"') from error


def _hint(key: str, known: list[str]) -> str:
    near = [name for name in known if key in name.split("_")] or difflib.get_close_matches(key, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(map(repr, known))}."
