"""The administrator's door in help, editors and type checkers: its arguments are listed in classes of their own."""

import inspect
import subprocess
import sys

import pytest
from pages import ROOT

from mojo_toolbox import Hub

USES = """
from typing import assert_type

from mojo_toolbox import Endpoint, Hub, TrainingJob
from mojo_toolbox.clouds.aws.requests import Request

hub = Hub(cloud_service="local")
choice: bool = input() == "dry"
assert_type(hub.train(train_data="train.jsonl"), TrainingJob)
assert_type(hub.train(train_data="train.jsonl", recipe="router", dry_run=False), TrainingJob)
assert_type(hub.train(train_data="train.jsonl", dry_run=True), list[Request])
assert_type(hub.train(train_data="train.jsonl", dry_run=choice), TrainingJob | list[Request])
assert_type(hub.deploy(stage="prod", confirm=lambda: None), Endpoint)
assert_type(hub.deploy(stage="prod", dry_run=True), list[Request])
"""
MISUSES = """
from mojo_toolbox import Hub

hub = Hub(cloud_service="local")
hub.train()
hub.train("train.jsonl")
hub.train(train_data="train.jsonl", recipee="router")
hub.train(train_data="train.jsonl", copies="2")
hub.deploy(stages="prod")
hub.deploy(instance_count="2")
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Mypy's findings on right and on wrong uses of the door."""
    folder = tmp_path_factory.mktemp("typed")
    for name, text in (("uses.py", USES), ("misuses.py", MISUSES)):
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", str(folder / "uses.py"), str(folder / "misuses.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.slow
def test_a_type_checker_knows_what_the_door_returns(checked):
    assert [line for line in checked if "/uses.py" in line and " error: " in line] == []


@pytest.mark.slow
def test_a_type_checker_refuses_wrong_names_and_types(checked):
    wrong = [int(line.split(":")[1]) for line in checked if "misuses.py" in line and " error: " in line]
    lines = MISUSES.splitlines()
    assert wrong == [number for number, line in enumerate(lines, start=1) if line.startswith(("hub.train", "hub.dep"))]


@pytest.mark.parametrize("method", ["train", "deploy"])
def test_help_shows_each_argument_with_its_default_and_its_meaning(method):
    door = getattr(Hub, method)
    parameters = inspect.signature(door).parameters
    assert next(iter(parameters)) == "self"
    assert {"product", "instance_type", "image_uri", "confirm", "dry_run"} < set(parameters)
    documented = door.__doc__.partition("Args:\n")[2].partition("\n\nRaises:")[0].splitlines()
    told = [line.strip().partition(":")[0] for line in documented if not line.startswith("     ")]
    assert told == [name for name in parameters if name not in {"self", "dry_run"}]
    assert "`dry_run=True`" in door.__doc__
    assert parameters["dry_run"].default is False
    assert parameters["instance_count"].default == 1


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("train", {"train_datum": []}, "train_datum"),
        ("train", {}, "train_data"),
        ("train", {"train_data": [], "dry_run": True, "recipee": "router"}, "recipee"),
        ("deploy", {"stages": "prod"}, "stages"),
    ],
)
def test_a_wrong_name_is_a_type_error(tmp_path, method, arguments, words):
    with pytest.raises(TypeError, match=rf"Hub\.{method}\(\) .*{words}"):
        getattr(Hub(cloud_service="local", home=tmp_path), method)(**arguments)


def test_arguments_are_given_by_their_names(tmp_path):
    with pytest.raises(TypeError, match="positional"):
        Hub(cloud_service="local", home=tmp_path).train("train.jsonl")
