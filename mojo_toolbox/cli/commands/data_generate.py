"""`mojo data generate`: let a language model write conversations to plans, so that labels come with the text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.spelling.provider_names import Reached, provider, require_provider_name, router_judge
from mojo_toolbox.cli.terminal.endings import Interrupted, UsageError
from mojo_toolbox.cli.terminal.options import ASKING, AsJson, BaseUrl, Cloud, Region, pairs
from mojo_toolbox.cli.terminal.output import data, data_as_json, note
from mojo_toolbox.errors import ConfigurationError

if TYPE_CHECKING:
    from mojo_toolbox.generation.generating import Outcome
    from mojo_toolbox.generation.judging import Judge
    from mojo_toolbox.generation.prices import TokenPrices
    from mojo_toolbox.generation.providers import Provider
    from mojo_toolbox.generation.task_file import TaskFile

_WHAT = "Content"
_MONEY = "Cost"
# Names for codes that people type; any other text stands in the prompts as it is.
_LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_SHOWN_PROMPTS = 3

EXAMPLES = """
mojo data generate --provider replay
mojo data generate tasks.jsonl --output talks.jsonl --count 500 \\
    --provider openai:gpt-4.1-mini --concurrency 8 --max-cost 5 \\
    --price-per-million-input 0.4 --price-per-million-output 1.6
mojo data generate tasks.jsonl --provider openai:qwen3 --two-sided \\
    --base-url http://127.0.0.1:8000/v1 --language en=4 --language fr=1
mojo data generate tasks.jsonl --provider openai:gpt-4.1-mini --dry-run
"""


def generate_file(
    *,
    tasks: Annotated[
        Path | None,
        typer.Argument(
            help="Tasks: JSON Lines or JSON of {name, description, examples}. With replay alone: unset, for the example's.",
            metavar="TASKS",
            show_default=False,
        ),
    ] = None,
    provider_name: Annotated[
        str,
        typer.Option(
            "--provider",
            help="The model that writes: openai:MODEL (any OpenAI-compatible server), endpoint:PRODUCT/TASK/MODEL_ID (with "
            "/STAGE if not dev), local:FOLDER_OR_HUB_ID, replay:FILE (recorded answers), or replay alone (the example's).",
            metavar="NAME",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write. A second start goes on with it.", metavar="FILE")
    ] = Path("generated.jsonl"),
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            "-n",
            min=1,
            help="Number of conversations in the file. Unset: 100, or with replay alone all recorded ones.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other conversations.", metavar="N")] = 0,
    scenario_shares: Annotated[
        str | None,
        typer.Option(
            help="Shares of the scenarios, such as switch=2,ending=1. Scenarios: one_task, switch, return, ending, "
            "uncovered, small_talk, two_wishes, correction.",
            metavar="NAME=SHARE,...",
            show_default=False,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(
            help="A language and its share, such as fr=0.2 or 'Swiss German'=1. May be repeated. Unset: English.",
            metavar="NAME=SHARE",
            show_default=False,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    two_sided: Annotated[
        bool,
        typer.Option(
            "--two-sided",
            help="Ask for each message separately, user and agent in turn. Less tidy, with some ten times as many questions.",
            rich_help_panel=_WHAT,
        ),
    ] = False,
    template: Annotated[
        list[str] | None,
        typer.Option(
            help="Your own prompt. A file named after a scenario (switch.md) is for this one, others are for all. May be "
            "repeated.",
            metavar="FILE",
            show_default=False,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0, max=2, help="Temperature of the writing.", metavar="T", rich_help_panel=_WHAT)
    ] = 0.9,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="Judge that marks turns which do not fit their label: writer (the same model), another provider, or "
            "router:NAME as in mojo evaluate. May be repeated. Plain checks always run, except with --judge none.",
            metavar="NAME",
            show_default=False,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Conversations written at the same time.", metavar="N", rich_help_panel=ASKING)
    ] = 1,
    attempts: Annotated[
        int,
        typer.Option(
            min=1, help="Attempts for a conversation whose replies are malformed.", metavar="N", rich_help_panel=ASKING
        ),
    ] = 3,
    retries: Annotated[
        int,
        typer.Option(min=0, help="Further tries when there is no answer.", metavar="N", rich_help_panel=ASKING),
    ] = 5,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds to wait for an answer.", metavar="S", rich_help_panel=ASKING)
    ] = 180.0,
    base_url: BaseUrl = None,
    record: Annotated[
        Path | None,
        typer.Option(
            help="File to add all answers to, for replay:FILE.", metavar="FILE", show_default=False, rich_help_panel=ASKING
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show some prompts and the expected cost, without asking.", rich_help_panel=ASKING),
    ] = False,
    price_read: Annotated[
        float,
        typer.Option(
            "--price-per-million-input", min=0, help="US dollars for a million input tokens.", metavar="X",
            rich_help_panel=_MONEY,
        ),
    ] = 0.0,
    price_written: Annotated[
        float,
        typer.Option(
            "--price-per-million-output", min=0, help="US dollars for a million output tokens.", metavar="Y",
            rich_help_panel=_MONEY,
        ),
    ] = 0.0,
    max_cost: Annotated[
        float | None,
        typer.Option(
            min=0, help="End the run before its cost, earlier starts included, exceeds this, in US dollars.", metavar="Z",
            show_default=False, rich_help_panel=_MONEY,
        ),
    ] = None,
    cloud_service: Cloud = None,
    region_name: Region = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write conversations with a language model. The plan with the labels comes first, and the model writes to it.

    If it was killed, start it again, and it asks only for the rest. Malformed replies are kept in NAME.malformed.jsonl.

    The seed draws scenario, tasks, persona, tone, language, typing habits and lengths, so that no two plans are alike.
    """
    from mojo_toolbox.generation.asking import Retries
    from mojo_toolbox.generation.example import EXAMPLE_COUNT
    from mojo_toolbox.generation.generating import generate
    from mojo_toolbox.generation.prices import TokenPrices
    from mojo_toolbox.generation.replay import RecordingProvider

    require_provider_name(provider_name)
    spec = _tasks(tasks, provider_name)
    prices = TokenPrices(price_read, price_written)
    shares = _shares(scenario_shares.split(",") if scenario_shares else None, option="--scenario-shares")
    what = _What(
        spec,
        count or (EXAMPLE_COUNT if provider_name == "replay" else 100),
        seed,
        shares,
        _languages(language),
        template or [],
        two_sided=two_sided,
    )
    if dry_run:
        _show_plan(what, prices, judged=_asks_for_judging(judge), as_json=as_json)
        return
    _require_ready(what, output, record, prices, max_cost)
    reached = Reached(base_url, timeout, cloud_service, region_name)
    # Who judges is looked at before a model is loaded that writes.
    judges, judge_provider = _judges(judge, reached)
    writes = provider(provider_name, reached)
    if record is not None:
        writes = RecordingProvider(writes, record)
    outcome = generate(
        spec,
        output,
        provider=writes,
        **what.options(),
        temperature=temperature,
        judges=judges,
        judge_provider=judge_provider,
        concurrency=concurrency,
        attempts=attempts,
        retries=Retries(tries=retries + 1),
        prices=prices,
        max_cost=max_cost,
    )
    _print(outcome, as_json=as_json)
    if outcome.stopped == "interrupted":
        raise Interrupted(f"{outcome.written:,} conversations are kept. The same command goes on with the rest.")
    if outcome.stopped == "max_cost":
        needed = math.ceil((outcome.cap_needed or 0) * 1e4) / 1e4
        note(f"The next question might have passed --max-cost. For the rest, start again with more than ${needed:.4f}.")
        raise typer.Exit(1)
    if outcome.given_up and not outcome.written:
        raise typer.Exit(1)


@dataclass
class _What:
    """What is to be written."""

    spec: TaskFile
    count: int
    seed: int
    shares: dict[str, float] | None
    languages: dict[str, float] | None
    templates: list[str]
    two_sided: bool

    def options(self) -> dict[str, Any]:
        """Return it as `generate()` takes it."""
        return {name: value for name, value in vars(self).items() if name != "spec"}


def _require_ready(what: _What, output: Path, record: Path | None, prices: TokenPrices, max_cost: float | None) -> None:
    """Refuse what would only come out once a model is loaded."""
    from mojo_toolbox.generation.generating import writer_for
    from mojo_toolbox.generation.plan import plan
    from mojo_toolbox.generation.templates import load_template
    from mojo_toolbox.whole_files import require_writable

    if max_cost is not None and not (prices.read or prices.written):
        raise ConfigurationError(
            "--max-cost needs prices: give --price-per-million-input, --price-per-million-output, or both."
        )
    for path in (output, record):
        if path is not None:
            require_writable(path)
    plan(0, what.spec, seed=what.seed, shares=what.shares, languages=what.languages)
    writer_for([load_template(name) for name in what.templates], two_sided=what.two_sided)


def _tasks(path: Path | None, provider_name: str) -> TaskFile:
    from mojo_toolbox.generation.example import EXAMPLE_TASKS
    from mojo_toolbox.generation.task_file import read_task_file

    if path is None and provider_name != "replay":
        raise UsageError(
            "TASKS is missing: name a file of tasks. To see an example: mojo data generate --provider replay"
        )
    spec = read_task_file(path or EXAMPLE_TASKS)
    if path is not None and provider_name == "replay" and spec.sha256 != read_task_file(EXAMPLE_TASKS).sha256:
        raise UsageError(
            f"--provider replay has answers for the example's tasks only, not for {path}: leave TASKS out. For your own tasks "
            "name a model, such as openai:MODEL, or replay:FILE with answers that you recorded for them."
        )
    return spec


def _shares(given: list[str] | None, *, option: str) -> dict[str, float] | None:
    """Take NAME=SHARE apart; a name alone has the share 1."""
    if given is None:
        return None
    found = {}
    for name, share in pairs([pair if "=" in pair else f"{pair}=1" for pair in given], option=option).items():
        try:
            found[name] = float(share)
        except ValueError:
            raise UsageError(f"{option}: {share!r} is not a number. Give a share such as {name}=0.5.") from None
    return found


def _languages(given: list[str] | None) -> dict[str, float] | None:
    shares = _shares(given, option="--language")
    return None if shares is None else {_LANGUAGES.get(name, name): share for name, share in shares.items()}


def _asks_for_judging(names: list[str] | None) -> bool:
    return any(name != "none" and not name.startswith("router:") for name in names or ())


def _judges(names: list[str] | None, reached: Reached) -> tuple[list[Any] | None, Provider | None]:
    """Return the judges, of which those that ask a chat model are made of its provider, and that provider."""
    from mojo_toolbox.generation.judging import PromptJudge
    from mojo_toolbox.generation.turn_checks import PlainChecks

    if names == ["none"]:
        return [], None
    judges: list[Judge | type[PromptJudge]] = [PlainChecks()]
    asked: Provider | None = None
    for name in names or ():
        if name.startswith("router:"):
            judges.append(router_judge(name.removeprefix("router:"), reached))
        elif PromptJudge in judges:
            raise UsageError("--judge: only one chat model can judge. Routers may be any number.")
        else:
            judges.append(PromptJudge)
            asked = None if name == "writer" else provider(name, reached, option="--judge")
    return judges, asked


def _show_plan(what: _What, prices: Any, *, judged: bool, as_json: bool) -> None:
    from functools import partial

    from mojo_toolbox.generation.generating import writer_for
    from mojo_toolbox.generation.language import unchecked_languages
    from mojo_toolbox.generation.plan import plan
    from mojo_toolbox.generation.prices import dollars
    from mojo_toolbox.generation.projection import project
    from mojo_toolbox.generation.templates import load_template

    planned = partial(plan, spec=what.spec, seed=what.seed, shares=what.shares, languages=what.languages)
    writer = writer_for([load_template(name) for name in what.templates], two_sided=what.two_sided)
    projection = project(planned, what.count, writer, prices, judged=judged)
    shown = [planned(number) for number in range(min(_SHOWN_PROMPTS, what.count))]
    if warning := unchecked_languages(what.languages or ()):
        note(warning)
    if as_json:
        prompts = [{"plan": plan.as_record(), "messages": writer.first(plan)} for plan in shown]
        data_as_json({"conversations": what.count, **vars(projection), "prompts": prompts})
        return
    for drawn in shown:
        data(f"──── {drawn.id} ({drawn.scenario})")
        for message in writer.first(drawn):
            data(f"[{message['role']}]\n{message['content']}\n")
    note(
        f"Dry run: nothing was asked. {what.count:,} conversations take about {projection.requests:,} questions, "
        f"{projection.read:,} input tokens and {projection.written:,} output tokens"
        + (f": {dollars(projection.cost)}." if projection.cost else ". With --price-per-million-... also dollars.")
    )


def _print(outcome: Outcome, *, as_json: bool) -> None:
    from mojo_toolbox.generation.prices import dollars

    if as_json:
        data_as_json(outcome.as_dict())
        return
    cost = f", {dollars(outcome.cost)}" if outcome.cost else ""
    data(f"{outcome.output}: {outcome.written:,} of {outcome.wanted:,} conversations{cost}")
    if outcome.put_aside:
        data(f"malformed replies, in {outcome.malformed}:")
        for reason, times in outcome.put_aside.items():
            data(f"  {times:,} x {reason}")
    if outcome.given_up:
        note(
            f"{outcome.given_up:,} conversations were given up. A higher --attempts asks for them again, with other seeds."
        )
