"""Suggested commands run where they are printed, whether or not `mojo` is on PATH."""

import os
import re
import subprocess
import sys

import pytest

from mojo_toolbox.cli.application import application
from mojo_toolbox.cli.terminal import own_program


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An environment's folder of programs with `mojo` and `python`, from which this process was started."""
    programs = tmp_path / "my venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("mojo", "python"):
        make_program(programs / name)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setattr(sys, "argv", [str(programs / "mojo")])
    monkeypatch.setenv("PATH", os.devnull)
    own_program.program.cache_clear()
    own_program.python.cache_clear()
    yield programs
    own_program.program.cache_clear()
    own_program.python.cache_clear()


def make_program(path):
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_the_name_is_enough_where_path_has_this_very_mojo(installed, monkeypatch):
    monkeypatch.setenv("PATH", str(installed))
    assert own_program.runnable("Stop it: mojo local down") == "Stop it: mojo local down"
    assert own_program.python() == "python"


@pytest.mark.parametrize("kind", ["link", "shim"])
def test_what_path_has_may_lead_to_this_mojo(installed, monkeypatch, tmp_path, kind):
    folder = tmp_path / ("links" if kind == "link" else "shims")
    folder.mkdir()
    if kind == "link":
        (folder / "mojo").symlink_to(installed / "mojo")
    else:
        make_program(folder / "mojo")
    monkeypatch.setenv("PATH", str(folder))
    assert own_program.program() == "mojo"


def test_a_path_is_named_from_the_folder_one_works_in(installed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert own_program.runnable("Stop it: mojo local down") == "Stop it: 'my venv/bin/mojo' local down"
    assert own_program.python() == "'my venv/bin/python'"


def test_another_program_of_the_name_is_not_suggested(installed, monkeypatch, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    make_program(other / "mojo")
    monkeypatch.setenv("PATH", str(other))
    assert own_program.program() == f"'{installed}/mojo'"


def test_a_module_that_runs_without_its_script_is_started_as_a_module(installed):
    (installed / "mojo").unlink()
    assert own_program.program() == f"'{installed}/python' -m mojo_toolbox.cli"


def test_only_commands_are_replaced(installed):
    text = "a fault of mojo itself; see ~/.mojo and mojo.toml, or the job mojo--train"
    assert own_program.runnable(text) == text


def test_every_command_is_known():
    groups = [group.name for group in application.registered_groups]
    commands = [command.name for command in application.registered_commands]
    assert {*groups, *commands} == set(own_program._COMMANDS.split("|"))


def test_an_error_suggests_a_command_that_runs_without_path(mojo):
    mojo.environment["PATH"] = "/usr/bin:/bin"
    (command,) = re.findall(r"Start it: (.+)$", mojo("local", "status").stderr, re.MULTILINE)
    assert not command.startswith("mojo ")
    done = subprocess.run(
        f"{command} --help", shell=True, env=mojo.environment, cwd=mojo.folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
