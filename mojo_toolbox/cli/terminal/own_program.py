"""How this very `mojo`, and its Python, are started from the current folder: what suggested commands begin with."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

# The commands of `mojo`: "mojo" before another word is no command.
_COMMANDS = "init|train|deploy|predict|evaluate|ls|logs|rm|data|report|review|local|quickstart"
_SUGGESTED = re.compile(rf"(?<![\w./'\"-])mojo (?=(?:{_COMMANDS})\b)")
# Folders of programs that only choose which installation's program runs, such as pyenv's.
_SHIMS = "shims"


def runnable(text: str) -> str:
    """Return a text whose `mojo …` commands run as they are: with a path where the shell would not find this `mojo`."""
    return text if program() == "mojo" else _SUGGESTED.sub(lambda _: f"{program()} ", text)


@cache
def program() -> str:
    """Return what starts this `mojo`: its name where PATH has it, else its path, else its Python with the module."""
    own = _own_script()
    if own is None:
        return f"{python()} -m mojo_toolbox.cli"
    return "mojo" if _on_path("mojo", own) else _from_here(own)


@cache
def python() -> str:
    """Return what starts the Python that has this library: `python` where PATH has it, else its path."""
    own = Path(sys.executable)
    return "python" if _on_path("python", own.with_name("python")) else _from_here(own)


def _own_script() -> Path | None:
    begun, beside = Path(sys.argv[0]), Path(sys.executable).with_name("mojo")
    return next((path for path in (begun, beside) if path.name == "mojo" and path.is_file()), None)


def _on_path(name: str, own: Path) -> bool:
    found = shutil.which(name)
    if found is None:
        return False
    # A link to the script is the script. All environments' Pythons are links to one: their folders tell them apart.
    same = Path(found).absolute().parent == own.absolute().parent
    return same or Path(found).parent.name == _SHIMS or (name == "mojo" and Path(found).resolve() == own.resolve())


def _from_here(path: Path) -> str:
    path = path.absolute()
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
