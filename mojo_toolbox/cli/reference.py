"""`python -m mojo_toolbox.cli.reference`: the command-line reference page, in Markdown, from the commands themselves."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer

from mojo_toolbox.cli.application import application

_INTRODUCTION = """\
# The command line

Which commands does `mojo` have, and which options do they take? This page lists them. Each command prints its own part:

```bash
mojo train --help
```

`pip install '.[admin]'` in the checkout installs `mojo`. `make quickstart` installs it as `.venv/bin/mojo`. `python -m mojo_toolbox.cli`
is the same program. Data goes to standard output. Progress and notes go to standard error. `--debug`, anywhere on the line, shows the
traceback of an error.

| Exit status | Meaning |
|---|---|
| 0 | done |
| 1 | an error, or the answer "no" to a question |
| 2 | a wrong command line, or a question that nobody can answer, because there is no terminal |
| 130 | interrupted, with a line about everything that goes on running |

<!-- Written by `python -m mojo_toolbox.cli.reference`; a test compares. Do not edit. -->
"""


def reference() -> str:
    """Return the page."""
    root: Any = typer.main.get_command(application)
    context = root.make_context("mojo", ["--help"], resilient_parsing=True)
    return "\n".join([_INTRODUCTION, *_commands(root, context)])


def _commands(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = type(context)(command, info_name=name, parent=context)
        if hasattr(command, "list_commands"):
            yield from _commands(command, inner)
        else:
            yield _section(command, inner)


def _section(command: Any, context: Any) -> str:
    parts = [f"## `{context.command_path}`", inspect.cleandoc(command.help)]
    parameters = [p for p in command.get_params(context) if p.name != "help" and not getattr(p, "hidden", False)]
    if parameters:
        rows = [f"| {_names(p)} | {_meaning(p, context)} |" for p in parameters]
        parts.append("\n".join(["| Option | Meaning |", "|---|---|", *rows]))
    if command.epilog:
        # The epilog is a heading and a blank line, then the examples, with brackets escaped for rich.
        lines = command.epilog.partition("\n\n")[2].replace("\\[", "[")
        parts.append(f"```sh\n{lines}\n```")
    return "\n\n".join(parts) + "\n"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return _cell(f"`{parameter.metavar}`")
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    spelled = [f"`{name}{value}`" for name in parameter.opts]
    return _cell(", ".join([*spelled, *(f"`{name}`" for name in parameter.secondary_opts)]))


def _meaning(parameter: Any, context: Any) -> str:
    text = parameter.help or ""
    if parameter.required:
        return _cell(f"{text} **Required.**")
    default = parameter.get_default(context)
    shown = default is not None and parameter.show_default and not getattr(parameter, "is_flag", False)
    return _cell(f"{text} Default: `{default}`." if shown else text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
