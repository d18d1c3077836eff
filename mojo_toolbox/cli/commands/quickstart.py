"""`mojo quickstart`: the main job on real input, end to end on this machine."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.terminal.endings import goes_on
from mojo_toolbox.cli.terminal.options import command
from mojo_toolbox.cli.terminal.output import note
from mojo_toolbox.cli.terminal.own_program import python, runnable
from mojo_toolbox.data import POINTS, Conversation, read_conversations
from mojo_toolbox.data.augmentation import Augmentation
from mojo_toolbox.data.splits import labels_of, split
from mojo_toolbox.errors.extras import require
from mojo_toolbox.progress import Progress, progress_bar
from mojo_toolbox.shipped import example_data_dir

if TYPE_CHECKING:
    from mojo_toolbox import AWSModel
    from mojo_toolbox.clouds.aws.endpoints import Endpoint
    from mojo_toolbox.clouds.aws.jobs import TrainingJob
    from mojo_toolbox.evaluation import Interval, Report

# Of the `local` extra: what serving, training and measuring import first.
_PACKAGES = ("moto", "starlette", "uvicorn", "torch", "transformers", "peft", "sagemaker_training", "sklearn")
_BASE_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
# The names of README, docs and notebooks: what is left running is what their lines ask.
_STOP = "mojo local down"
_NAMES: dict[str, Any] = {"product": "mojodex", "task": "routing", "model_id": "smollm2-router"}
_STAGE, _UNTRAINED = "dev", "untrained"
# What fits ten minutes on two cores: 0.4 tokens a character, 360 tokens of training and 6 decisions a second.
_TRAIN_CHARACTERS = 320_000
_TEST_DECISIONS = 320
# Plain LoRA in bfloat16 on the upper half of the layers: on a CPU that is faster, and quantising saves nothing. One
# conversation a step learns most from the few there is time for.
_HYPERPARAMETERS = {
    "num_train_epochs": 1,
    "learning_rate": 7e-4,
    "load_in_4bit": False,
    "layers_to_transform": "15-29",
    "autocast_adapter_dtype": False,
    "per_device_train_batch_size": 1,
    "group_by_length": False,
}
# Milder than the default: the quickstart asks with the earlier decisions known, and has no time to learn to do without.
_AUGMENTATION = Augmentation(withheld_task=0.05, hidden_decisions=0.0)


@dataclass(frozen=True)
class _Result:
    before: Report
    after: Report
    baseline: Report
    unseen_tasks: list[str]
    train_conversations: int
    test_conversations: int
    endpoint: str
    seconds: float


def quickstart(
    data: Annotated[Path | None, typer.Option(help="Conversations (JSON Lines) in place of the shipped ones.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Train a router, deploy it and ask it, on this machine, in ten minutes, without an account and without cost.

    Prints the share of right decisions before and after training, by measuring point, next to a baseline that learns nothing. The
    conversations and some of their tasks are new to the router.

    The untrained model answers at stage `untrained`, and its endpoint is removed. The trained model's endpoint, at stage `dev`,
    stays up.

    For example `mojo quickstart --data my-conversations.jsonl --json`.
    """
    # An installation without them would fail at the third of six steps.
    require("The quickstart", *_PACKAGES, extra="local")
    train, test = _load(data)
    result = _run(train, test)
    for when, report in (("before", result.before), ("after", result.after)):
        if report.overall.errors:
            kind = next(iter(report.error_kinds))
            note(
                f"{report.overall.errors} of {report.overall.n} calls {when} training failed and count as wrong: {kind}"
            )
    if as_json:
        print(json.dumps(_as_json(result), indent=2, ensure_ascii=False))
    else:
        _show(result)


def _load(data: Path | None) -> tuple[list[Conversation], list[Conversation]]:
    if data is None:
        folder = example_data_dir()
        train, test = list(read_conversations(folder / "train.jsonl")), list(read_conversations(folder / "test.jsonl"))
    else:
        train, test = split(read_conversations(data), by="task")
        # A file may be sorted, and only so many of the first are taken.
        random.Random(0).shuffle(train)
        random.Random(0).shuffle(test)
    return _first(train, _TRAIN_CHARACTERS, _characters), _first(test, _TEST_DECISIONS, _decisions)


def _first(conversations: list[Conversation], limit: int, size: Any) -> list[Conversation]:
    """Return the first conversations whose sizes add up to `limit` at most, one at the least."""
    kept: list[Conversation] = []
    used = 0
    for conversation in conversations:
        used += size(conversation)
        if kept and used > limit:
            break
        kept.append(conversation)
    return kept


def _characters(conversation: Conversation) -> int:
    tasks = sum(len(task.name) + len(task.description) for task in conversation.tasks)
    return tasks + sum(len(message.content) for message in conversation.messages)


def _decisions(conversation: Conversation) -> int:
    return sum(message.labelled for message in conversation.messages)


def _run(train: list[Conversation], test: list[Conversation]) -> _Result:
    from mojo_toolbox.evaluation import baseline as baseline_router

    started = time.monotonic()
    # At a stage of its own: what an earlier quickstart left at the other one goes on answering meanwhile.
    untrained = _deploy("1/6 Deploy untrained", _UNTRAINED, base_model=_BASE_MODEL)
    serving = f"The endpoint {untrained.name} goes on."
    with _step("2/6 Ask untrained", serving) as report:
        before = _ask(_model(_UNTRAINED), test, report)
    _remove(untrained)
    with _step("3/6 Ask baseline", "The local cloud goes on.") as report:
        baseline = _ask(baseline_router("tfidf"), test, report)
    endpoint = _deploy("5/6 Deploy trained", _STAGE, job=_train(train))
    with _step("6/6 Ask trained", f"The endpoint {endpoint.name} goes on.") as report:
        after = _ask(_model(_STAGE), test, report)
    seen = {task.name for conversation in train for task in conversation.tasks}
    return _Result(
        before=before,
        after=after,
        baseline=baseline,
        unseen_tasks=sorted({name for conversation in test for name in labels_of(conversation)} - seen),
        train_conversations=len(train),
        test_conversations=len(test),
        endpoint=endpoint.name,
        seconds=time.monotonic() - started,
    )


@contextmanager
def _step(title: str, going_on: str) -> Iterator[Progress]:
    """Show the progress of a step; on Ctrl-C say what it leaves running, and how to end all of it."""
    with goes_on(_still_there(going_on)), progress_bar(title) as report:
        yield report


def _deploy(title: str, stage: str, **source: Any) -> Endpoint:
    from mojo_toolbox import Hub

    with _step(title, f"The deployment at stage {stage} goes on if it was begun.") as report:
        report(text="the first time, the base model is converted")
        endpoint: Endpoint = Hub(cloud_service="local").deploy(**_NAMES, stage=stage, **source)
        with goes_on(_still_there(f"The endpoint {endpoint.name} goes on.")):
            endpoint.wait(progress=False)
        report(done=1, total=1, text=f"serving at stage {stage}")
    return endpoint


def _remove(endpoint: Endpoint) -> None:
    """Remove an endpoint that has been asked; what could not be removed costs memory only, and is said."""
    with goes_on(_still_there(f"The endpoint {endpoint.name} goes on if it was not removed yet.")):
        deletion = endpoint.delete()
    if deletion.failed:
        note(str(deletion))


def _train(train: list[Conversation]) -> TrainingJob:
    from mojo_toolbox import Hub

    with _step("4/6 Train", "The training job goes on if it was begun.") as report:
        report(text="starting the job")
        job: TrainingJob = Hub(cloud_service="local").train(
            base_model=_BASE_MODEL,
            train_data=train,
            augmentation=_AUGMENTATION,
            **_NAMES,
            hyperparameters=_HYPERPARAMETERS,
        )
        follow, stop = command("logs", argument=job.name, cloud="local"), command("rm", job=job.name, cloud="local")
        with goes_on(
            _still_there(f"The training job {job.name} goes on.\nFollow it: {follow} --follow\nStop it: {stop}")
        ):
            job.wait(progress=report)
    return job


def _model(stage: str) -> AWSModel:
    from mojo_toolbox import AWSModel

    return AWSModel(**_NAMES, stage=stage, cloud_service="local")


def _ask(router: Any, test: list[Conversation], report: Progress) -> Report:
    from mojo_toolbox.evaluation import evaluate

    return evaluate(router, test, progress=report)


def _still_there(what: str) -> str:
    """Say what Ctrl-C leaves running, and how to end all of it."""
    return f"{what}\nStop everything: {_STOP}"


def _as_json(result: _Result) -> dict[str, Any]:
    reports = {"before": result.before, "after": result.after, "baseline": result.baseline}
    return {
        **{name: _counts(report) for name, report in reports.items()},
        "unseen_tasks": result.unseen_tasks,
        "train_conversations": result.train_conversations,
        "test_conversations": result.test_conversations,
        "endpoint": result.endpoint,
        "seconds": round(result.seconds, 1),
    }


def _counts(report: Report) -> dict[str, dict[str, int]]:
    return {point: {"n": figures.n, "right": figures.right} for point, figures in report.points.items()}


def _show(result: _Result) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Right decisions on conversations never seen", title_justify="left")
    table.add_column("at")
    table.add_column("decisions", justify="right")
    columns = {"before": result.before, "after": result.after, "TF-IDF": result.baseline}
    for name in columns:
        table.add_column(name, justify="right")
    for point in POINTS:
        shares = [_percent(report.points[point].accuracy) for report in columns.values()]
        table.add_row(point, str(result.after.points[point].n), *shares)
    table.add_section()
    totals = [_percent(report.overall.accuracy) for report in columns.values()]
    table.add_row("all", str(result.after.overall.n), *totals, style="bold")
    console = Console()
    console.print(table)
    console.print(
        f"The router trained on {result.train_conversations} conversations and was asked about {result.test_conversations} "
        f"others. These tasks were never seen in training: {', '.join(result.unseen_tasks)}. It took "
        f"{result.seconds / 60:.1f} minutes."
    )
    console.print(f"\nThe endpoint stays up. Ask it from Python ({python()}):\n", markup=False, soft_wrap=True)
    print("from mojo_toolbox import AWSModel")
    names = ", ".join(f'{option}="{name}"' for option, name in _NAMES.items())
    tasks = '[{"name": "meeting_recap", "description": "Summarise a meeting"}]'
    print(
        f'print(AWSModel({names}, stage="{_STAGE}", cloud_service="local")'
        f'.predict([{{"role": "user", "content": "help me sum up my meeting"}}], tasks={tasks}))'
    )
    print(f"\nStop everything: {runnable(_STOP)}")


def _percent(share: Interval | None) -> str:
    return "\N{EN DASH}" if share is None else f"{share.value:.0%}"
