"""`mojo quickstart`: the main job on real input, end to end on this machine."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.endings import goes_on
from mojo_toolbox.cli.options import command
from mojo_toolbox.cli.output import note
from mojo_toolbox.cli.own_program import python, runnable
from mojo_toolbox.data import POINTS, Conversation, read_conversations
from mojo_toolbox.data.augmentation import Augmentation
from mojo_toolbox.data.splits import labels_of, split
from mojo_toolbox.errors.extras import require
from mojo_toolbox.progress import progress_bar
from mojo_toolbox.shipped import example_data_dir

if TYPE_CHECKING:
    from mojo_toolbox.evaluation import Interval, Report

# Of the `local` extra: what serving, training and measuring import first.
_PACKAGES = ("moto", "starlette", "uvicorn", "torch", "transformers", "peft", "sagemaker_training", "sklearn")
_BASE_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
# The names of README, docs and notebooks: what is left running is what their lines ask.
_STOP = "mojo local down"
_PRODUCT, _TASK, _MODEL_ID, _STAGE = "mojodex", "routing", "smollm2-router", "dev"
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
    data: Annotated[
        Path | None, typer.Option(help="Conversations to use in place of the ones that come along (JSON Lines).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Train a router, deploy it and ask it, on this machine: ten minutes, no account, nothing to pay.

    Prints how often the right task is named before and after training, by measuring point, on conversations and tasks that
    training never sees, beside a baseline that learns nothing. The endpoint stays up.

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
                f"{report.overall.errors} of {report.overall.n} calls {when} training failed, and count as wrong: {kind}"
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
    from mojo_toolbox import AWSModel, Hub
    from mojo_toolbox.evaluation import baseline as baseline_router
    from mojo_toolbox.evaluation import evaluate

    started = time.monotonic()
    names: dict[str, Any] = {"product": _PRODUCT, "task": _TASK, "model_id": _MODEL_ID}
    model = AWSModel(product=_PRODUCT, task=_TASK, model_id=_MODEL_ID, stage=_STAGE, cloud_service="local")
    with goes_on(_still_there("The endpoint goes on if it was begun.")), progress_bar("1/6 Start") as report:
        report(text="starting; the base model is converted once")
        hub = Hub(cloud_service="local")
        endpoint = hub.deploy(**names, stage=_STAGE, base_model=_BASE_MODEL)
        endpoint.wait(progress=False)
        report(done=1, total=1, text="serving the untrained model")
    serving = f"The endpoint {endpoint.name} goes on."
    with goes_on(_still_there(serving)), progress_bar("2/6 Ask untrained") as report:
        before = evaluate(model, test, progress=report)
    with goes_on(_still_there(serving)), progress_bar("3/6 Ask baseline") as report:
        baseline = evaluate(baseline_router("tfidf"), test, progress=report)
    with goes_on(_still_there(serving)), progress_bar("4/6 Train") as report:
        report(text="starting the job")
        job = hub.train(
            base_model=_BASE_MODEL,
            train_data=train,
            augmentation=_AUGMENTATION,
            **names,
            hyperparameters=_HYPERPARAMETERS,
        )
        follow, stop = command("logs", argument=job.name, cloud="local"), command("rm", job=job.name, cloud="local")
        training = f"The training job {job.name} goes on.\nFollow it: {follow} --follow\nStop it: {stop}\n{serving}"
        with goes_on(_still_there(training)):
            job.wait(progress=report)
    with (
        goes_on(_still_there(f"The deployment of {endpoint.name} goes on if it was begun.")),
        progress_bar("5/6 Deploy") as report,
    ):
        hub.deploy(**names, stage=_STAGE, job=job).wait(progress=False)
        report(done=1, total=1, text="serving the trained model")
    with goes_on(_still_there(serving)), progress_bar("6/6 Ask trained") as report:
        after = evaluate(model, test, progress=report)
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
        f"Trained on {result.train_conversations} conversations, asked about {result.test_conversations} others, among them "
        f"tasks never seen in training: {', '.join(result.unseen_tasks)}. {result.seconds / 60:.1f} minutes."
    )
    console.print(f"\nThe endpoint stays up. Ask it from Python ({python()}):\n", markup=False, soft_wrap=True)
    print("from mojo_toolbox import AWSModel")
    names = f'product="{_PRODUCT}", task="{_TASK}", model_id="{_MODEL_ID}"'
    tasks = '[{"name": "meeting_recap", "description": "Summarise a meeting"}]'
    print(
        f'print(AWSModel({names}, stage="{_STAGE}", cloud_service="local")'
        f'.predict([{{"role": "user", "content": "help me sum up my meeting"}}], tasks={tasks}))'
    )
    print(f"\nStop everything: {runnable(_STOP)}")


def _percent(share: Interval | None) -> str:
    return "\N{EN DASH}" if share is None else f"{share.value:.0%}"
