"""A run: plans that are not written yet go to lanes that ask, and what comes back goes to the files at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mojo_toolbox.contract import Usage
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.generation.asking import Asker, Retries, Terms
from mojo_toolbox.generation.attempts import Drafting
from mojo_toolbox.generation.judging import Judge
from mojo_toolbox.generation.lanes import Ended, Lanes
from mojo_toolbox.generation.language import unchecked_languages
from mojo_toolbox.generation.plan import Plan, plan
from mojo_toolbox.generation.prices import Budget, TokenPrices, dollars, expected
from mojo_toolbox.generation.projection import project
from mojo_toolbox.generation.providers import Provider, fingerprint
from mojo_toolbox.generation.run_files import Output, finish, open_output
from mojo_toolbox.generation.task_file import TaskFile, read_task_file
from mojo_toolbox.generation.templates import PromptTemplate, load_template
from mojo_toolbox.generation.turn_checks import PlainChecks
from mojo_toolbox.generation.two_sided import TwoSidedWriter
from mojo_toolbox.generation.writers import WholeWriter, Writer
from mojo_toolbox.progress import Progress, reporting_to

_log = logging.getLogger(__name__)

_MOST_LANES = 1000
# Prompts that tell one run from another: all scenarios occur in the first few.
_TELLING = 32
# A conversation may cost this many times what was projected.
_DEARER = 2.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    output: Path
    written: int
    """Conversations in the file, including those of earlier starts."""
    wanted: int
    given_up: int
    """Plans without a conversation after all attempts."""
    put_aside: Mapping[str, int]
    """Attempts without a conversation, by reason, including those of earlier starts."""
    malformed: Path | None
    """The file of these replies, or None without such replies."""
    usage: Usage | None
    cost: float
    """US dollars, including those of earlier starts."""
    stopped: Ended | None = None
    """The reason for an early end."""
    cap_needed: float | None = None
    """US dollars of a `max_cost` with room for the next question."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "output": str(self.output),
            "written": self.written,
            "wanted": self.wanted,
            "given_up": self.given_up,
            "put_aside": dict(self.put_aside),
            "malformed": None if self.malformed is None else str(self.malformed),
            "prompt_tokens": 0 if self.usage is None else self.usage.prompt_tokens,
            "completion_tokens": 0 if self.usage is None else self.usage.completion_tokens,
            "cost": round(self.cost, 6),
            "stopped": self.stopped,
            "cap_needed": self.cap_needed,
        }


def generate(
    tasks: TaskFile | Path | str,
    output: Path | str,
    *,
    provider: Provider,
    count: int,
    seed: int = 0,
    shares: Mapping[str, float] | None = None,
    languages: Mapping[str, float] | None = None,
    templates: Sequence[Path | str] = (),
    two_sided: bool = False,
    temperature: float = 0.9,
    judges: Sequence[Judge | Callable[[Provider], Judge]] | None = None,
    judge_provider: Provider | None = None,
    concurrency: int = 1,
    attempts: int = 3,
    retries: Retries | None = None,
    prices: TokenPrices | None = None,
    max_cost: float | None = None,
    progress: bool | Progress = True,
) -> Outcome:
    """Write `count` conversations to a file, one a line, and return when all are written or given up.

    After a kill, a start with the same arguments asks only for the rest. Malformed replies are kept next to the file, with
    their reason. With a deterministic provider the file is the same, whatever the concurrency.

    Args:
        tasks: the task file, or the result of `read_task_file()`.
        output: file to write, JSON Lines. NAME.malformed.jsonl and NAME.run.json are next to it.
        provider: the model that writes.
        count: the number of conversations in the file. A later start may ask for more, and the first ones stay.
        seed: the seed of the plans and of the requests.
        shares: the share of each scenario.
        languages: the share of each language.
        templates: prompt files in place of shipped ones. A file named after a scenario is for this one, and any other is for
            all scenarios. With `two_sided`, they are those that write the user or the agent.
        two_sided: ask for each message separately, for the user and the agent in turn.
        temperature: the temperature of the writing. A judge is always asked at 0.
        judges: the judges that mark turns for review, by default `PlainChecks`. A function, such as `PromptJudge`, makes a
            judge of a provider. Such a judge is asked on the writer's terms and counts towards the cost.
        judge_provider: the provider for such a judge. By default the writer.
        concurrency: conversations written at the same time.
        attempts: the most questions for a conversation whose replies are malformed.
        retries: the patience with a provider that does not answer.
        prices: prices of the provider's tokens, to show and to cap the cost.
        max_cost: the run ends before its cost, earlier starts included, exceeds this, in US dollars.
        progress: True shows a bar. A function gets the progress.

    Raises:
        ConfigurationError: an argument cannot be used.
        DataError: a task file, or a line in the output, cannot be read.
        GenerationError: the provider cannot be asked, the output holds another run, or too many replies in a row are
            malformed. The written conversations are kept.
    """
    _check(count=count, concurrency=concurrency, attempts=attempts, max_cost=max_cost, temperature=temperature)
    if max_cost is not None and not (prices and (prices.read or prices.written)):
        raise ConfigurationError("max_cost needs prices: without them nothing has a cost.")
    spec = tasks if isinstance(tasks, TaskFile) else read_task_file(tasks)
    planned = partial(plan, spec=spec, seed=seed, shares=shares, languages=languages)
    own = [load_template(name) for name in templates]
    writer = writer_for(own, two_sided=two_sided)
    if warning := unchecked_languages(languages or ()):
        _log.warning(warning)
    budget = Budget(prices or TokenPrices(), max_cost)
    with reporting_to(progress, "Generate") as report:
        terms = Terms(
            budget, retries or Retries(), lanes=min(concurrency, count), on_wait=lambda text: report(text=text)
        )
        asker = Asker(provider, terms)
        judging = _judges(judges, asker if judge_provider is None else Asker(judge_provider, terms))
        projection = project(planned, count, writer, budget.prices, judged=any(map(callable, judges or ())))
        drafting = Drafting(writer, asker, terms.tab, seed, temperature, judging)
        run = _description(spec, planned, drafting, {"shares": shares, "languages": languages, "templates": own})
        with open_output(output, run) as files:
            budget.spent = budget.prices.of(files.usage)
            budget.usual = _DEARER * projection.cost / count
            lanes = Lanes(drafting, planned, files, terms, count=count, attempts=attempts)
            lanes.report = partial(_show, report, files, budget, count, projection.cost)
            stopped = lanes.run()
            files.in_order()
            outcome = _outcome(files, lanes, count, attempts, cost=budget.spent, stopped=stopped)
            finish(files.path, run, outcome.as_dict())
    return outcome


def writer_for(templates: Sequence[PromptTemplate], *, two_sided: bool) -> Writer:
    """Return the way of writing that is meant.

    Raises:
        ConfigurationError: a template of the other way.
    """
    for template in templates:
        if two_sided == (template.writes == "conversation"):
            way = "two-sided, so it takes templates that write: user or agent" if two_sided else "of one answer, so"
            raise ConfigurationError(
                f"{template.path} writes: {template.writes}. This run is "
                + (f"{way}." if two_sided else f"{way} it takes templates that write: conversation.")
            )
    return TwoSidedWriter(templates) if two_sided else WholeWriter(templates)


def _judges(given: Sequence[Judge | Callable[[Provider], Judge]] | None, asker: Asker) -> tuple[Judge, ...]:
    if given is None:
        return (PlainChecks(),)
    return tuple(judge(asker) if callable(judge) else judge for judge in given)


def _description(
    spec: TaskFile, planned: Callable[[int], Plan], drafting: Drafting, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what makes a run this one. How many, how fast and for how much do not: they may change on the way."""
    prompts = [[dict(message) for message in drafting.writer.first(planned(number))] for number in range(_TELLING)]
    return {
        "format": 1,
        "task_file": None if spec.path is None else spec.path.name,
        "tasks_sha256": spec.sha256,
        "seed": drafting.seed,
        "model": drafting.asker.name,
        "writing": drafting.writer.name,
        "temperature": drafting.temperature,
        "scenario_shares": given["shares"],
        "languages": given["languages"],
        "templates": {template.name: template.sha256[:12] for template in given["templates"]},
        "judges": [judge.name for judge in drafting.judges],
        "judges_sha256": fingerprint([judge.fingerprint for judge in drafting.judges]),
        "prompts_sha256": fingerprint(prompts),
    }


def _show(report: Progress, files: Output, budget: Budget, count: int, projected: float) -> None:
    done = len(files)
    words = [f"{done:,} of {count:,}"]
    if aside := files.reasons.total():
        words.append(f"{aside:,} put aside")
    if budget.prices != TokenPrices():
        whole = expected(budget.spent, done, count, projected=projected)
        words.append(f"{dollars(budget.spent)} of about {dollars(whole)}")
    report(done=done, total=count, text=", ".join(words))


def _outcome(files: Output, lanes: Lanes, count: int, attempts: int, *, cost: float, stopped: Ended | None) -> Outcome:
    given_up = sum(number not in files and files.attempts[number] >= attempts for number in range(count))
    return Outcome(
        output=files.path,
        written=len(files),
        wanted=count,
        given_up=given_up,
        put_aside=dict(files.reasons.most_common()),
        malformed=files.malformed_path if files.reasons else None,
        usage=files.usage,
        cost=cost,
        stopped=stopped,
        cap_needed=lanes.cap_needed,
    )


def _check(*, count: int, concurrency: int, attempts: int, max_cost: float | None, temperature: float) -> None:
    for name, value, least, most in (
        ("count", count, 1, 10**7),
        ("concurrency", concurrency, 1, _MOST_LANES),
        ("attempts", attempts, 1, 100),
        ("temperature", temperature, 0, 2),
        ("max_cost", max_cost, 0, 10**9),
    ):
        if value is not None and not least <= value <= most:
            raise ConfigurationError(f"{name}={value} must be between {least} and {most:,}.")
