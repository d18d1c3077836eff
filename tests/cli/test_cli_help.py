"""What the command line shows: help, the reference page, tables."""

import inspect
import subprocess
import sys
import time

import pytest
from mojo_shell import ROOT
from typer.main import get_command
from typer.testing import CliRunner

from mojo_toolbox.cli.application import application
from mojo_toolbox.cli.reference import reference
from mojo_toolbox.cli.terminal.output import print_table
from mojo_toolbox.hub import Hub

COMMANDS = ("train", "deploy", "predict", "ls", "logs", "rm", "local")
WITH_EXAMPLES = [(name,) for name in COMMANDS[:-1]] + [("local", name) for name in ("up", "down", "status", "env")]


def run_python(code, mojo):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=mojo.environment, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_command():
    outcome = CliRunner().invoke(application, ["--help"])
    assert outcome.exit_code == 0
    assert [name for name in COMMANDS if name not in outcome.stdout] == []


@pytest.mark.parametrize("command", WITH_EXAMPLES, ids=" ".join)
def test_help_of_a_command_ends_with_examples_that_fit_80_columns(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(application, [*command, "--help"])
    examples = shown.stdout.partition("Examples")[2].strip().splitlines()
    assert shown.exit_code == 0
    assert len(examples) >= 1
    # A line that was folded begins with neither a command nor an indent.
    assert [line for line in examples if not line.strip().startswith(("mojo ", "echo ", "eval ", "--"))] == []


def test_help_loads_no_heavy_library(mojo):
    code = (
        "import sys; sys.argv = ['mojo', 'train', '--help']\n"
        "from mojo_toolbox.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'boto3', 'botocore', 'moto', 'transformers'} & set(sys.modules)), file=sys.stderr)"
    )
    assert run_python(code, mojo).stderr.strip() == "[]"


def test_help_comes_quickly(mojo):
    mojo("--help")  # compiles what was never imported before
    began = time.perf_counter()
    mojo("--help")
    assert time.perf_counter() - began < 3


def test_base_install_is_told_which_extra_the_command_line_needs(mojo):
    code = "import sys; sys.modules['typer'] = None\nfrom mojo_toolbox.cli import main\nmain()"
    done = run_python(code, mojo)
    assert done.returncode == 1
    said = "error: The command line needs typer, which is not installed. Install the extra mojo-toolbox[admin]: pip install "
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["train", "deploy"])
def test_defaults_are_those_of_the_hub(command):
    hub = inspect.signature(getattr(Hub, command)).parameters
    options = {p.name: p for p in get_command(application).commands[command].params}
    shared = [n for n, p in options.items() if n in hub and hub[n].default is not inspect.Parameter.empty]
    assert len(shared) > 5
    assert {n: options[n].default for n in shared} == {n: hub[n].default for n in shared}


def test_reference_page_is_the_generated_one():
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == reference(), "write it again: python -m mojo_toolbox.cli.reference > docs/cli.md"


def test_ls_leaves_columns_away_rather_than_fold_names_in_a_narrow_terminal(monkeypatch, capsys):
    name = "acme--routing--tiny--20260131-235959-ab12"
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    for columns, shown in (("80", False), ("120", True)):
        monkeypatch.setenv("COLUMNS", columns)
        print_table(None, ["name", "status", "model id"], [[name, "Completed", "m" * 30]], narrow=2)
        printed = capsys.readouterr().out
        assert name in printed
        assert ("MODEL ID" in printed) is shown
