"""The command tree of `mojo`. Commands import the library when they run, so that `mojo --help` stays quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from mojo_toolbox import __version__
from mojo_toolbox.cli.commands import (
    data_augment,
    data_check,
    data_generate,
    data_import,
    data_quality,
    data_split,
    data_starter,
    deploy,
    evaluate,
    init,
    local,
    logs,
    ls,
    predict,
    quickstart,
    report,
    review,
    rm,
    train,
)
from mojo_toolbox.cli.terminal.appearance import PlainGroup, examples
from mojo_toolbox.cli.terminal.endings import MojoGroup, show_library_log
from mojo_toolbox.cli.terminal.wording import SpokenCommand

application = typer.Typer(
    name="mojo",
    cls=MojoGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 an error, 2 a wrong command line, 130 interrupted.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mojo-toolbox {__version__}")
        raise typer.Exit


@application.callback()
def _root(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error. Works anywhere on the line.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Fine-tune, deploy and ask your own language models, on Amazon SageMaker or on this machine.

    With --cloud local everything runs on this machine, without an account and without cost. Begin with `mojo quickstart`.
    """
    show_library_log(debug=debug)


def _group(parent: typer.Typer, name: str, help_text: str) -> typer.Typer:
    group = typer.Typer(
        cls=PlainGroup, no_args_is_help=True, rich_markup_mode="rich", context_settings=parent.info.context_settings
    )
    parent.add_typer(group, name=name, help=help_text)
    return group


_data = _group(
    application, "data", "Import, generate, check, split and augment conversations, or write ready-made ones."
)
_import = _group(_data, "import", "Import conversations from other formats.")
_report = _group(application, "report", "Compare reports of mojo evaluate, and show them again.")
_review = _group(application, "review", "Validate conversations, alone or as a team, in a page in the browser.")
_local = _group(application, "local", "Start, stop and use the local cloud on this machine.")

# Where each command hangs, its name, what it runs, and the examples that end its help.
_COMMANDS: tuple[tuple[typer.Typer, str, Callable[..., None], str], ...] = (
    (application, "init", init.init, init.EXAMPLES),
    (application, "train", train.train, train.EXAMPLES),
    (application, "deploy", deploy.deploy, deploy.EXAMPLES),
    (application, "predict", predict.predict, predict.EXAMPLES),
    (application, "evaluate", evaluate.evaluate, evaluate.EXAMPLES),
    (application, "ls", ls.ls, ls.EXAMPLES),
    (application, "logs", logs.logs, logs.EXAMPLES),
    (application, "rm", rm.rm, rm.EXAMPLES),
    (_data, "check", data_check.check_file, data_check.EXAMPLES),
    (_data, "quality", data_quality.describe_quality, data_quality.EXAMPLES),
    (_data, "split", data_split.split_conversations, data_split.EXAMPLES),
    (_data, "augment", data_augment.augment_file, data_augment.EXAMPLES),
    (_data, "generate", data_generate.generate_file, data_generate.EXAMPLES),
    (_data, "starter", data_starter.write_starter, data_starter.EXAMPLES),
    *((_import, name, command, data_import.EXAMPLES[name]) for name, command in data_import.COMMANDS.items()),
    *((_report, name, command, report.EXAMPLES[name]) for name, command in report.COMMANDS.items()),
    *((_review, name, command, review.EXAMPLES[name]) for name, command in review.COMMANDS.items()),
    *((_local, name, command, local.EXAMPLES[name]) for name, command in local.COMMANDS.items()),
)
application.command("quickstart", cls=SpokenCommand)(quickstart.quickstart)
for _parent, _name, _command, _examples in _COMMANDS:
    _parent.command(_name, cls=SpokenCommand, epilog=examples(_examples))(_command)
