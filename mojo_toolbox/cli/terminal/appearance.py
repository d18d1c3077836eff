"""How help texts look, where typer's own look misleads."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class PlainFlags:
    """Flags are shown without a type: `--yes <bool>` reads as if a value had to follow."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's parameters, the help option among them."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of the command this is mixed into
        for parameter in parameters:
            if getattr(parameter, "is_flag", False) and parameter.metavar is None:
                parameter.metavar = ""
        return parameters


class PlainCommand(PlainFlags, TyperCommand):
    """A command."""


class PlainGroup(PlainFlags, TyperGroup):
    """A group of commands."""


def examples(lines: str) -> str:
    """Return examples as the end of a help text; the blank line keeps their line breaks, brackets are no markup."""
    return "[bold]Examples[/bold]\n\n" + lines.strip().replace("[", "\\[")
