"""What the library's errors say to a Python programmer, in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mojo_toolbox.cli.terminal.appearance import PlainCommand
from mojo_toolbox.errors import MojoError

# What a programmer would write, and what says the same on the command line.
_CALLS = {
    "hub.jobs()": "mojo ls jobs",
    "hub.endpoints()": "mojo ls endpoints",
    "hub.models()": "mojo ls models",
    'cloud_service="local"': "--cloud local",
}
_VALUE = r"""True|False|'[^']*'|"[^"]*"|…|\.\.\.|[\w./:+-]*[\w/+-]|"""


class SpokenCommand(PlainCommand):
    """A command whose errors name its options, not the arguments of the functions behind it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MojoError as error:
            if error.args and isinstance(error.args[0], str):
                error.args = (in_options(error.args[0], self.params), *error.args[1:])
            raise


def in_options(text: str, parameters: Iterable[Any]) -> str:
    """Return an error's text with the options of a command in place of Python's arguments.

    `region_name=…` becomes `--region-name …`, `overwrite=True` becomes `--overwrite`, and `job_name` `--job-name`.
    """
    options = _options(parameters)
    for call, command in _CALLS.items():
        text = text.replace(call, command)
    if not options:
        return text
    known = "|".join(sorted(map(re.escape, options), key=len, reverse=True))
    long = "|".join(re.escape(name) for name in options if "_" in name)
    text = re.sub(rf"(?<![\w.'\"-])({known})=({_VALUE})", lambda found: _spelled(options[found[1]], found[2]), text)
    if long:
        text = re.sub(rf"(?<![\w./'\"-])({long})(?![\w.='\"/-])", lambda found: options[found[1]], text)
    # What was said both ways is said once.
    return re.sub(r"(--[\w-]+), \1(?![\w-])", r"\1", text)


def _options(parameters: Iterable[Any]) -> dict[str, str]:
    """Return the option that is meant by each name that the library may call it by."""
    found = {}
    for parameter in parameters:
        if parameter.param_type_name == "option":
            option = next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0])
            for name in (parameter.name, *parameter.opts):
                found[name.lstrip("-").replace("-", "_")] = option
    return found


def _spelled(option: str, value: str) -> str:
    if value in {"", "True"}:
        return option
    if value[0] in "'\"" and " " not in value and len(value) > 2:  # noqa: PLR2004 - two quotes around nothing
        value = value[1:-1]
    return f"{option} {value}"
