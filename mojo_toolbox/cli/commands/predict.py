"""`mojo predict`: ask a deployed model once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.terminal.endings import UsageError
from mojo_toolbox.cli.terminal.options import AsJson, Cloud, ModelId, Product, Region, Stage, TaskName, require_model
from mojo_toolbox.cli.terminal.output import data, data_as_json, note

if TYPE_CHECKING:
    from mojo_toolbox.model import ChatAnswer, Decision

# How a decision for no task is written; a task cannot have this name.
_NO_TASK = "none"

EXAMPLES = """
mojo predict --cloud local --product mojodex --task routing \\
    --model-id smollm2-router --message 'help me sum up my meeting' \\
    --tasks examples/data/test.jsonl
mojo predict ... conversation.json --tasks tasks.json --previous meeting_recap
mojo predict ... conversation.json --tasks tasks.json --abstain-below 0.83
echo '{"messages": [{"role": "user", "content": "hi"}]}' | mojo predict ... --chat
"""


def predict(
    *,
    product: Product = None,
    task: TaskName = None,
    model_id: ModelId = None,
    stage: Stage = None,
    file: Annotated[
        str | None,
        typer.Argument(
            help='JSON file: {"messages": [...], "tasks": [...]}. Unset or -: standard input.',
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", help="Ask about this one user message.", metavar="TEXT", show_default=False),
    ] = None,
    tasks: Annotated[
        Path | None,
        typer.Option(
            help="Tasks to choose from: a JSON list of {name, description}, or conversations (the first one's tasks).",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    previous: Annotated[
        str | None,
        typer.Option(
            help="The decision at the last earlier user turn: a task, or none. Unset: unknown.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    abstain_below: Annotated[
        float | None,
        typer.Option(
            help="Report when the answer's probability is below P. mojo report threshold finds P.",
            metavar="P",
            show_default=False,
        ),
    ] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Ask for a chat reply, without tasks.")] = False,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest chat reply, in tokens.", metavar="N")] = 128,
    temperature: Annotated[float, typer.Option(min=0, help="Temperature of a chat reply.", metavar="T")] = 0.0,
    cloud_service: Cloud = None,
    region_name: Region = None,
    as_json: AsJson = False,
) -> None:
    """Ask a deployed model which of the tasks is in charge now, or with --chat for a chat reply.

    Prints the task's name (or none), or the reply. --json adds probabilities, latency and tokens.

    With --abstain-below an unsure answer is still printed, and a note on standard error says that it is unsure.
    """
    if previous is not None and previous.strip().lower() != _NO_TASK and message is not None:
        raise UsageError("--previous is the decision at an earlier user turn: give the conversation as a file.")
    names = require_model(product=product, task=task, model_id=model_id)
    routing = {"--tasks": tasks, "--previous": previous, "--abstain-below": abstain_below}
    for option in (option for option, value in routing.items() if chat and value is not None):
        raise UsageError(f"{option} belongs to routing, and --chat asks for a chat reply: leave one of them out.")
    messages, listed = _question(file, message)
    if tasks is not None:
        listed = _tasks(tasks)
    if chat:
        listed = None
    elif listed is None:
        raise UsageError(
            'There are no tasks to choose from: give --tasks FILE, or "tasks" in the document. For a chat reply: --chat'
        )

    from mojo_toolbox.model import AWSModel

    model = AWSModel(
        **names,
        stage=stage,
        cloud_service=cloud_service,
        region_name=region_name,
    )
    if listed is None:
        _print_reply(model.predict(messages, max_tokens=max_tokens, temperature=temperature), as_json=as_json)
        return
    known = {} if previous is None else {"previous": previous}
    decision = model.predict(messages, tasks=listed, abstain_below=abstain_below, **known)
    _print_decision(decision, as_json=as_json)
    if decision.abstained and not as_json:
        note(f"Abstained: the probability of this answer is {decision.probability:.4g}, below {abstain_below:g}.")


def _question(file: str | None, message: str | None) -> tuple[list[Any], list[Any] | None]:
    """Return the messages, and the tasks if the document names them."""
    if message is not None:
        if file is not None:
            raise UsageError("Give either --message or a file, not both.")
        return [{"role": "user", "content": message}], None
    if file in (None, "-"):
        if sys.stdin.isatty():
            raise UsageError("Nothing to ask: give --message TEXT, a JSON file, or JSON on standard input.")
        source, text = "standard input", sys.stdin.read()
    else:
        source, text = str(file), _read(Path(str(file)))
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        hint = " Give one conversation, not a file of several." if error.msg == "Extra data" else ""
        raise UsageError(f"{source} is not JSON: {error.msg} in line {error.lineno}.{hint}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or thousands of brackets
        raise UsageError(f"{source} cannot be read as JSON: {error}.") from error
    if isinstance(document, list):
        return document, None
    if not isinstance(document, dict) or not isinstance(document.get("messages"), list):
        raise UsageError(f'{source}: {{"messages": [...], "tasks": [...]}} was expected. You may leave tasks out.')
    _refuse_dropped(document, source)
    return document["messages"], document.get("tasks")


def _refuse_dropped(document: dict[str, Any], source: str) -> None:
    """Refuse keys of the file that would change the answer, and that are options here."""
    from mojo_toolbox.data.keys import QUESTION
    from mojo_toolbox.errors.sentences import sentence

    for name in ("previous", "abstain_below", "max_tokens", "temperature"):
        if name in document:
            raise UsageError(f"{source}: {name!r} is not read from the file. Give --{name.replace('_', '-')}.")
    if problem := QUESTION.dropped(document):
        raise UsageError(f"{source}: {sentence(problem)}")


def _tasks(path: Path) -> list[Any]:
    """Read a JSON list of tasks, or the tasks of the first conversation in a file of conversations."""
    text = _read(path)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        from mojo_toolbox.data import read_records

        _, document = next(read_records(path))
    if isinstance(document, dict):
        document = document.get("tasks")
    if not isinstance(document, list):
        raise UsageError(f'--tasks: {path} is not a list of tasks such as [{{"name": "…", "description": "…"}}].')
    return [_without_examples(task) for task in document]


def _without_examples(task: Any) -> Any:
    """Return a task of a task file without the examples, which are for `mojo data generate`."""
    if not isinstance(task, dict) or not task.get("examples"):
        return task
    note(f"The examples of {str(task.get('name'))[:80]!r} are ignored, because routers do not use them yet.")
    return {key: value for key, value in task.items() if key != "examples"}


def _read(path: Path) -> str:
    from mojo_toolbox.data.packed_files import open_data

    if not path.exists():
        raise UsageError(f"There is no file {path}.")
    try:
        with open_data(path) as file:
            return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text.") from error


def _print_decision(decision: Decision, *, as_json: bool) -> None:
    if not as_json:
        data(decision.task or _NO_TASK)
        return
    probabilities = decision.probabilities
    data_as_json(
        {
            "task": decision.task,
            "abstained": decision.abstained,
            "probabilities": None if probabilities is None else {k or _NO_TASK: p for k, p in probabilities.items()},
            **_facts(decision),
        }
    )


def _print_reply(reply: ChatAnswer, *, as_json: bool) -> None:
    if as_json:
        data_as_json({"content": reply.content, **_facts(reply)})
    else:
        data(reply.content)


def _facts(answer: Decision | ChatAnswer) -> dict[str, Any]:
    return {
        "latency_ms": round(answer.latency_ms, 1),
        "usage": answer.usage.model_dump(),
        "request_id": answer.request_id,
    }
