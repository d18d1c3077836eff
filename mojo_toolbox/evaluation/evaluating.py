"""`evaluate()`: any router, any conversations -> a report.

conversations -> survey (all read, nothing asked yet) -> asking, each answer kept in the journal -> predictions.jsonl ->
tally -> report. The journal on disk decides where a second start goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from mojo_toolbox import __version__
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.errors.extras import require
from mojo_toolbox.evaluation.counting.bootstrap import CONFIDENCE
from mojo_toolbox.evaluation.counting.figures import Cost, Data, MeasurementSettings, Tokens
from mojo_toolbox.evaluation.counting.tally import Tally
from mojo_toolbox.evaluation.report import Report
from mojo_toolbox.evaluation.routers.question import Router, RouterFunction, as_router
from mojo_toolbox.evaluation.runs.answer_journal import AnswerJournal
from mojo_toolbox.evaluation.runs.asking import Asking, Previous, ask_all
from mojo_toolbox.evaluation.runs.file_names import PREDICTIONS_FILE
from mojo_toolbox.evaluation.runs.predictions import Prediction, is_right
from mojo_toolbox.evaluation.runs.run_folder import RunFolder, open_run, require_usable
from mojo_toolbox.evaluation.runs.source import Conversations, Source, SourceContents
from mojo_toolbox.evaluation.sections import table
from mojo_toolbox.evaluation.sections.section import FinishedRun
from mojo_toolbox.model import Model
from mojo_toolbox.progress import Progress, reporting_to

_MOST_LANES = 1000


@dataclass(frozen=True)
class Price:
    """The price of a million tokens."""

    prompt: float
    completion: float
    currency: str = "USD"

    def of(self, tokens: Tokens, decisions: int) -> Cost:
        """Return the cost of `tokens`, spread over `decisions`."""
        total = (tokens.prompt * self.prompt + tokens.completion * self.completion) / 1e6
        return Cost(currency=self.currency, total=total, per_1000_decisions=1000 * total / max(decisions, 1))


@dataclass(frozen=True)
class _Counting:
    latency_limit_ms: float
    price: Price | None
    resamples: int


def evaluate(
    router: Router | Model | RouterFunction,
    conversations: Conversations,
    *,
    previous: Previous = "labelled",
    output: Path | str | None = None,
    name: str | None = None,
    limit: int | None = None,
    concurrency: int = 1,
    timeout: float = 60.0,
    shuffles: int = 0,
    latency_limit_ms: float = 300.0,
    price: Price | None = None,
    seed: int = 0,
    resamples: int = 1000,
    retry_errors: bool = False,
    reuse: bool = False,
    overwrite: bool = False,
    progress: bool | Progress = True,
) -> Report:
    """Ask a router about every labelled user turn and report its right answers. Waits until all is asked.

    A call that raises, or takes longer than `timeout`, becomes an error row. It counts as wrong, and the report shows it.
    With `output` you can start a killed run again with the same arguments, and it goes on where it was.

    Args:
        router: a deployed model, a function `(messages, tasks, previous) -> name or None`, or a `Router`.
        conversations: a path, or conversations (or records of them).
        previous: "labelled" shows the router the earlier decisions as labelled. "own" shows it its own earlier decisions,
            so that its errors carry on, as live. The points follow from the labels either way.
        output: folder for predictions.jsonl, report.json, report.html and report.md. Without one nothing is kept.
        name: the router's name in the report. A router that has a name keeps its own.
        limit: ask about this many conversations only, the first ones.
        concurrency: conversations asked at the same time. More than the router can take lengthens its latencies.
        timeout: seconds to wait for a decision.
        shuffles: ask every decision this many times more, each with the list in another order, to measure position bias.
        latency_limit_ms: the report counts the answers above it.
        price: the price of a million tokens, for routers that count tokens.
        seed: the seed of the shuffled lists and the bootstrap.
        resamples: the resamples of the bootstrap behind each interval.
        retry_errors: repeat the calls that failed in an earlier run in `output`.
        reuse: take the answers of this very run, if `output` holds it finished. Without `reuse` a finished run is an
            error, since the router behind a name may be another by now.
        overwrite: begin again, whatever `output` holds.
        progress: whether to show a bar, or a function to report to.

    Raises:
        DataError: conversations that cannot be read. Nothing has been asked then.
        EvaluationError: `output` holds another run, or this one finished, or the router cannot be asked at all.
        ConfigurationError: an argument out of its range, or the `evaluation` extra is missing.
        EndpointNotFoundError: the router is an endpoint that does not exist.
        EndpointNotReadyError: the router is an endpoint that is not in service.
    """
    asking = Asking(previous, concurrency, timeout, shuffles, seed)
    counting = _Counting(latency_limit_ms, price, resamples)
    _check(asking, counting, limit)
    asked = as_router(router, name=name)
    if output is not None:
        require_usable(Path(output))
    source = Source(conversations, limit=limit)
    source.look_at_first()
    require_askable(asked, output, again=overwrite or retry_errors)
    with reporting_to(progress, f"Ask {asked.name}") as shown:
        shown(text="reading")
        survey = source.survey()
        run = run_of(asked, survey, previous=previous, seed=seed)
        with _folder(output, run, overwrite=overwrite, retry_errors=retry_errors, reuse=reuse) as (folder, journal):
            measurement = _Measurement(asked, source, survey, journal, asking, counting)
            seconds = measurement.ask(shown)
            if folder is not None:
                folder.finish(shuffles)
            report = measurement.report(seconds)
            if folder is not None:
                report.save(folder.path)
                folder.clear()
    return report


def require_askable(router: Router, output: Path | str | None, *, again: bool) -> None:
    """Refuse a router that says by itself that it cannot be asked, unless its answers are all there and not wanted `again`.

    Raises:
        MojoError: there is no such endpoint, no server, or there are no credentials.
    """
    finished = output is not None and not again and (Path(output) / PREDICTIONS_FILE).exists()
    require_reachable = getattr(router, "require_reachable", None)
    if require_reachable is not None and not finished:
        require_reachable()


def run_of(router: Router, survey: SourceContents, *, previous: Previous, seed: int) -> dict[str, object]:
    """Return the facts that make a run this one."""
    return {
        "router": router.name,
        # A prompt's file may change under its name.
        "fingerprint": getattr(router, "fingerprint", None),
        "source": getattr(router, "source", None),
        "previous": previous,
        "data": survey.sha256,
        "seed": seed,
    }


def _check(asking: Asking, counting: _Counting, limit: int | None) -> None:
    if asking.previous not in get_args(Previous):
        raise ConfigurationError(f'previous={asking.previous!r} must be "labelled" or "own".')
    for name, value, least in (
        ("concurrency", asking.concurrency, 1),
        ("shuffles", asking.shuffles, 0),
        ("seed", asking.seed, 0),
        ("resamples", counting.resamples, 1),
        ("limit", 1 if limit is None else limit, 1),
    ):
        if not isinstance(value, int) or value < least:
            raise ConfigurationError(f"{name}={value!r} must be a whole number of at least {least}.")
    if asking.concurrency > _MOST_LANES:
        raise ConfigurationError(f"concurrency={asking.concurrency} is more than {_MOST_LANES}, a thread or two each.")
    for name, number in (("timeout", asking.timeout), ("latency_limit_ms", counting.latency_limit_ms)):
        if not isinstance(number, int | float) or not 0 < number < 1e9:  # noqa: PLR2004 - threads wait no longer
            raise ConfigurationError(f"{name}={number!r} must be a number above 0.")
    require("Measuring", "numpy", "sklearn", "jinja2", extra="evaluation")


@contextmanager
def _folder(
    output: Path | str | None, run: dict[str, object], **how: bool
) -> Iterator[tuple[RunFolder | None, AnswerJournal]]:
    if output is None:
        journal = AnswerJournal(None)
        try:
            yield None, journal
        finally:
            journal.close()
        return
    with open_run(Path(output), run, **how) as folder:
        yield folder, folder.journal


@dataclass(frozen=True)
class _Measurement:
    router: Router
    source: Source
    survey: SourceContents
    journal: AnswerJournal
    asking: Asking
    counting: _Counting

    def ask(self, shown: Progress) -> float:
        """Ask the decisions that the journal lacks, and return the seconds it took."""
        lock = threading.Lock()
        done = right = failed = 0

        def count(row: Prediction) -> None:
            nonlocal done, right, failed
            with lock:
                done += 1
                right += is_right(row)
                failed += row["error"] is not None
                errors = f", {failed} failed" if failed else ""
                shown(done=done, text=f"{right / done:.0%} right{errors}")

        shown(done=0, total=self.survey.decisions)
        started = time.monotonic()
        ask_all(self.router, self.source, self.journal, self.asking, on_answer=count)
        return time.monotonic() - started

    def report(self, seconds: float) -> Report:
        """Count the journal's answers."""
        tally = Tally.of(self.journal.predictions(), resamples=self.counting.resamples, seed=self.asking.seed)
        overall, tokens, price = tally.overall(), tally.tokens(), self.counting.price
        return Report(
            mojo_toolbox=__version__,
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            router=self.router.name,
            baseline=getattr(self.router, "is_baseline", False),
            prompt=getattr(self.router, "prompt_name", None),
            previous=self.asking.previous,
            data=self._data(),
            settings=self._settings(),
            seconds=seconds,
            overall=overall,
            points=tally.points(),
            none_detection=tally.none_detection(),
            tasks=tally.tasks(),
            latency_ms=tally.latency(limit=self.counting.latency_limit_ms),
            tokens=tokens,
            cost=price.of(tokens, overall.n) if price and tokens else None,
            error_kinds=dict(tally.error_kinds.most_common(20)),
            **self._measured(),
        )

    def _measured(self) -> dict[str, Any]:
        """Return the figures that sections count themselves, by their names."""
        run = FinishedRun(self.journal, self.source, self.asking.shuffles, self.counting.resamples, self.asking.seed)
        return {section.name: section.measure(run) for section in table.SECTIONS if section.measure}

    def _data(self) -> Data:
        return Data(
            source=None if self.source.path is None else str(self.source.path),
            sha256=self.survey.sha256,
            conversations=self.survey.conversations,
            decisions=self.survey.decisions,
        )

    def _settings(self) -> MeasurementSettings:
        return MeasurementSettings(
            concurrency=self.asking.concurrency,
            timeout_s=self.asking.timeout,
            shuffles=self.asking.shuffles,
            seed=self.asking.seed,
            resamples=self.counting.resamples,
            confidence=CONFIDENCE,
        )
