"""The command tree of `mojo`. Commands import the library when they run, so that `mojo --help` stays quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from mojo_toolbox import __version__
from mojo_toolbox.cli import deploy, local, logs, ls, predict, quickstart, rm, train
from mojo_toolbox.cli.appearance import PlainCommand, PlainGroup, examples
from mojo_toolbox.cli.endings import MojoGroup, show_library_log

application = typer.Typer(
    name="mojo",
    cls=MojoGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 an error, 2 a wrong command line, 130 interrupted.",
)
_local = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, rich_markup_mode="rich", context_settings=application.info.context_settings
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mojo-toolbox {__version__}")
        raise typer.Exit


@application.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Fine-tune, deploy and ask your own language models, on Amazon SageMaker or on this machine.

    With --cloud local everything runs on this machine: no account, no cost. `mojo quickstart` shows the whole way.
    """
    show_library_log(debug=debug)


_COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("train", train.train, train.EXAMPLES),
    ("deploy", deploy.deploy, deploy.EXAMPLES),
    ("predict", predict.predict, predict.EXAMPLES),
    ("ls", ls.ls, ls.EXAMPLES),
    ("logs", logs.logs, logs.EXAMPLES),
    ("rm", rm.rm, rm.EXAMPLES),
)
_LOCAL_COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("up", local.up),
    ("down", local.down),
    ("status", local.status),
    ("env", local.env),
)
application.command("quickstart", cls=PlainCommand)(quickstart.quickstart)
for _name, _command, _examples in _COMMANDS:
    application.command(_name, cls=PlainCommand, epilog=examples(_examples))(_command)
for _name, _command in _LOCAL_COMMANDS:
    _local.command(_name, cls=PlainCommand, epilog=examples(local.EXAMPLES[_name]))(_command)
application.add_typer(_local, name="local", help="Start, stop and use the local cloud on this machine.")
