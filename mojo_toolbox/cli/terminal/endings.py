"""How commands end: every error in one place, as a line on standard error with an exit status.

0    done
1    an error, or the answer "no" to a question
2    a wrong command line, or a question that nobody can answer, because there is no terminal
130  interrupted, with a line about everything that goes on running
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from mojo_toolbox.cli.terminal.appearance import PlainGroup
from mojo_toolbox.cli.terminal.output import note, note_after_interrupt
from mojo_toolbox.errors import MojoError

_INTERRUPTED = 130
# typer carries a copy of click since 0.20 and exports only this kind of its errors: UsageError is the base it shares.
_ParsingError = typer.BadParameter.__mro__[1]


class UsageError(MojoError):
    """The command line lacks something, or contradicts itself."""


class Interrupted(MojoError):  # noqa: N818 - the user's wish, not an error
    """Ctrl-C while waiting for something that goes on without us."""


@contextmanager
def goes_on(what: str) -> Iterator[None]:
    """Say on Ctrl-C what goes on running, and how to follow or end it."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(what) from None


class MojoGroup(PlainGroup):
    """The root command: ends the process as this file says, and takes `--debug` anywhere on the line."""

    def main(  # type: ignore[override]  # the parser's further options pass as they are
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **options: Any
    ) -> NoReturn:
        """Run the command line and exit."""
        given = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in given
        if debug:
            # People add it at the end of the line that failed; the parser knows it as an option of `mojo` itself.
            given = ["--debug", *(word for word in given if word != "--debug")]
        options["standalone_mode"] = False
        try:
            # The same name in usage and hints whether this runs as `mojo` or as `python -m mojo_toolbox.cli`.
            status = super().main(given, prog_name or "mojo", **options)
            sys.stdout.flush()
        except BrokenPipeError:
            # `mojo ls | head` has read enough; Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the border: whatever it is becomes one line
            if debug:
                traceback.print_exc()
            sys.exit(_report(error))
        if status == _INTERRUPTED:
            note_after_interrupt("Interrupted.")
        sys.exit(status if isinstance(status, int) else 0)


def show_library_log(*, debug: bool) -> None:
    """Send what the library logs to standard error: what it is doing, and with `debug` the details."""
    logger = logging.getLogger("mojo_toolbox")
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    if not any(isinstance(handler, _Notes) for handler in logger.handlers):
        logger.addHandler(_Notes())


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(self.format(record))


def _report(error: BaseException) -> int:
    """Print the line that an error becomes; return the exit status."""
    if isinstance(error, Interrupted):
        note_after_interrupt(f"Interrupted. {error}")
        return _INTERRUPTED
    if isinstance(error, KeyboardInterrupt):
        note_after_interrupt("Interrupted.")
        return _INTERRUPTED
    if isinstance(error, typer.Abort):
        note("Nothing was changed.")
        return 1
    if isinstance(error, _ParsingError):
        return _report_parsing(error)
    if isinstance(error, MojoError | OSError):
        _error(_what_happened(error))
        return 2 if isinstance(error, UsageError) else 1
    _error(f"unexpected {type(error).__name__}: {error} (a fault of mojo itself; --debug shows where)")
    return 1


def _what_happened(error: MojoError | OSError) -> str:
    # Python's own text of an OSError begins with "[Errno 21]".
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}."
    return str(error)


def _report_parsing(error: Any) -> int:
    """Say what the parser refused; a command without its subcommand shows its help instead."""
    context = error.ctx
    if type(error).__name__ == "NoArgsIsHelpError":
        # Formatting the help has printed it already (typer with rich) or made it the message (plain).
        if error.format_message():
            note(error.format_message())
        return 2
    # pydantic's prefix, which typer passes on.
    _error(error.format_message().replace("Value error, ", ""))
    if context is not None:
        note(f"Try: {context.command_path} --help")
    return 2


def _error(message: str) -> None:
    note(typer.style("error:", fg=typer.colors.RED) + f" {message}")
