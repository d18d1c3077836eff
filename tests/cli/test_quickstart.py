"""The quickstart from its first step to its last, with a tiny model in place of the real one."""

import json
import re
from contextlib import suppress

import pytest
from tiny_base import save_tiny_base

from mojo_toolbox import AWSModel, Hub, evaluation
from mojo_toolbox.cli.commands import quickstart
from mojo_toolbox.cli.terminal.endings import Interrupted
from mojo_toolbox.clouds.aws.endpoints import Endpoint
from mojo_toolbox.clouds.aws.jobs import TrainingJob
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.data import POINTS
from mojo_toolbox.errors import EndpointNotFoundError, NotFoundError
from mojo_toolbox.settings import load_settings

NAMES = ["recap", "email", "quote", "post", "forecast"]
KEY = {"product": "mojodex", "task": "routing", "model_id": "smollm2-router", "stage": "dev"}
ENDPOINT = "mojodex--routing--smollm2-router"
QUICK = {"max_steps": 1, "load_in_4bit": False, "dtype": "float32", "warmup_steps": 0, "lora_r": 2}


def conversation(number):
    one, other = NAMES[number % 5], NAMES[(number + 1) % 5]
    labels = [None, None, one, one, other, None]
    turns = [{"role": "user", "content": f"{number} {i} {task}", "task": task} for i, task in enumerate(labels)]
    tasks = [{"name": name, "description": f"does a {name}"} for name in NAMES]
    return {"id": str(number), "tasks": tasks, "messages": turns}


@pytest.fixture
def tiny_quickstart(tmp_path, monkeypatch, local_home):
    base = save_tiny_base(tmp_path / "base", max_position_embeddings=4096)
    monkeypatch.setattr(quickstart, "_BASE_MODEL", str(base))
    monkeypatch.setattr(quickstart, "_HYPERPARAMETERS", QUICK)
    monkeypatch.setattr(quickstart, "_TEST_DECISIONS", 20)
    monkeypatch.setenv("MOJO_HOME", str(local_home))
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(conversation(number)) + "\n" for number in range(20)), encoding="utf-8")
    return data


INTERRUPTED_AT = {
    "deploy untrained": (Endpoint, "wait", 1, f"The endpoint {ENDPOINT}--untrained goes on."),
    "ask untrained": (evaluation, "evaluate", 1, f"The endpoint {ENDPOINT}--untrained goes on."),
    "remove untrained": (
        Endpoint,
        "delete",
        1,
        f"The endpoint {ENDPOINT}--untrained goes on if it was not removed yet.",
    ),
    "ask baseline": (evaluation, "evaluate", 2, "The local cloud goes on."),
    "start training": (Hub, "train", 1, "The training job goes on if it was begun."),
    "deploy trained": (Hub, "deploy", 2, "The deployment at stage dev goes on if it was begun."),
    "wait for trained": (Endpoint, "wait", 2, f"The endpoint {ENDPOINT}--dev goes on."),
    "ask trained": (evaluation, "evaluate", 3, f"The endpoint {ENDPOINT}--dev goes on."),
}


@pytest.mark.parametrize("step", INTERRUPTED_AT)
def test_interrupted_it_names_what_goes_on_and_how_to_stop_it(step, tiny_quickstart, monkeypatch):
    place, name, time, goes_on = INTERRUPTED_AT[step]
    with monkeypatch.context() as patched:
        interrupt(patched, place, name, time)
        with pytest.raises(Interrupted) as caught:
            quickstart.quickstart(data=tiny_quickstart)
    settle()
    assert str(caught.value) == f"{goes_on}\nStop everything: mojo local down"


def test_interrupted_while_it_trains_it_names_the_job(tiny_quickstart, monkeypatch):
    with monkeypatch.context() as patched:
        interrupt(patched, TrainingJob, "wait", 1)
        with pytest.raises(Interrupted) as caught:
            quickstart.quickstart(data=tiny_quickstart)
    said = str(caught.value)
    (name,) = re.findall(r"The training job (\S+) goes on\.", said)
    assert f"Follow it: mojo logs {name} --cloud local --follow" in said
    assert f"Stop it: mojo rm --job {name} --cloud local" in said
    assert "endpoint" not in said
    TrainingJob(Session(load_settings(cloud_service="local")), name).stop()


def interrupt(monkeypatch, place, name, time):
    """Press Ctrl-C at the given call of a function, the first or a later one."""
    real, calls = getattr(place, name), []

    def interrupted(*arguments, **options):
        calls.append(name)
        if len(calls) == time:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(place, name, interrupted)


def settle():
    """Wait for the endpoints that go on: the next test wants to deploy there."""
    for stage in ("untrained", "dev"):
        with suppress(NotFoundError, EndpointNotFoundError):
            Hub(cloud_service="local").endpoint(**{**KEY, "stage": stage}).wait(progress=False)


def test_it_ends_with_commands_that_run(tiny_quickstart, capsys, monkeypatch):
    monkeypatch.setattr(quickstart, "runnable", lambda text: text.replace("mojo ", "env/bin/mojo "))
    monkeypatch.setattr(quickstart, "python", lambda: "env/bin/python")
    quickstart.quickstart(data=tiny_quickstart)
    out = capsys.readouterr().out
    assert out.endswith("Stop everything: env/bin/mojo local down\n")
    assert "Ask it from Python (env/bin/python):" in out


@pytest.mark.long
def test_the_quickstart_trains_deploys_asks_and_leaves_the_endpoint_running(
    tiny_quickstart, capsys, local_home, monkeypatch
):
    asked = names_of_what_is_asked(monkeypatch)
    quickstart.quickstart(data=tiny_quickstart, as_json=True)
    told = json.loads(capsys.readouterr().out)
    for part in ("before", "after", "baseline"):
        assert set(told[part]) == set(POINTS)
        assert all(0 <= score["right"] <= score["n"] for score in told[part].values())
    counts = [{point: score["n"] for point, score in told[part].items()} for part in ("before", "after", "baseline")]
    assert counts[0] == counts[1] == counts[2]
    assert 0 < sum(counts[0].values()) <= 20
    assert len(told["unseen_tasks"]) >= 2
    assert told["train_conversations"] > 0
    model = AWSModel(**KEY, cloud_service="local", home=local_home)
    assert model.name == told["endpoint"] == f"{ENDPOINT}--dev"
    # The untrained model takes no stage from a trained one, and does not stay.
    assert [asked[0], asked[2]] == [f"{ENDPOINT}--untrained", f"{ENDPOINT}--dev"]
    assert Hub(cloud_service="local").endpoint(**{**KEY, "stage": "untrained"}).removable() == []
    tasks = [{"name": name} for name in NAMES]
    assert model.predict([{"role": "user", "content": "hello"}], tasks=tasks).task in {*NAMES, None}


def names_of_what_is_asked(monkeypatch):
    real, asked = evaluation.evaluate, []

    def evaluate(router, *arguments, **options):
        asked.append(router.name)
        return real(router, *arguments, **options)

    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    return asked
