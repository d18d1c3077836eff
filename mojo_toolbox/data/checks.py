"""One report on a file of conversations: is it good for training, and does it share nothing with a test file?"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mojo_toolbox.data.checking.problems import Problem, Severity
from mojo_toolbox.data.checking.statistics import Statistics
from mojo_toolbox.data.checking.survey import Place, Survey, texts_of
from mojo_toolbox.data.checking.task_inventory import SimilarTasks
from mojo_toolbox.data.checking.tokens import estimated_tokens, token_counter
from mojo_toolbox.data.jsonl import require_file_on_disk
from mojo_toolbox.data.likeness.conversation_index import require_packages
from mojo_toolbox.data.likeness.near_duplicates import SIMILAR, Groups
from mojo_toolbox.data.likeness.shingles import shingles, similarity
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.progress import Progress, reporting_to

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of pairs, in a report.
_MOST_EXAMPLES = 20


@dataclass(frozen=True)
class Pair:
    """Two conversations with the same messages (similarity 1, exact) or similar ones. Their labels and task lists may differ."""

    exact: bool
    similarity: float
    first: Place
    second: Place


@dataclass(frozen=True)
class Duplicates:
    """Conversations of a file that repeat others of it.

    `exact` counts conversations whose messages occurred before, to the letter. `near` counts those that resemble an earlier
    one, directly or over others. `share` is the share of both together. `examples` go from the most similar to the least.
    """

    exact: int
    near: int
    share: float
    similar_from: float
    examples: list[Pair]


@dataclass(frozen=True)
class Contamination:
    """Test conversations that the training file contains too. In `examples` the first of a pair is the test conversation.

    `shared_tasks` are names of test tasks that the training file has too. `unseen_tasks` are in charge in the test file and not
    in the training file. `similar_tasks` are test tasks that the training file has under another name.
    """

    path: str
    sha256: str | None
    conversations: int
    exact: int
    near: int
    share: float
    similar_from: float
    examples: list[Pair]
    tasks: int
    shared_tasks: list[str]
    shared_task_share: float
    unseen_tasks: list[str]
    similar_tasks: list[SimilarTasks]


@dataclass(frozen=True)
class CheckReport:
    """The findings of `check`. `sha256` is None if lines cannot be read.

    `errors` and `warnings` count the problems of both files by their kind. `problems` has the first 10,000 of each kind.
    """

    path: str
    sha256: str | None
    errors: dict[str, int]
    warnings: dict[str, int]
    problems: list[Problem]
    statistics: Statistics
    duplicates: Duplicates
    contamination: Contamination | None

    def exceeded(
        self,
        *,
        max_problems: int | None = 0,
        max_warnings: int | None = None,
        max_near_duplicates: float | None = None,
        max_contamination: float | None = None,
        max_shared_tasks: float | None = None,
    ) -> list[str]:
        """Return a sentence for each limit that the file exceeds. None means no limit, and shares are from 0 to 1.

        Raises:
            ConfigurationError: a limit of contamination without a test file for `check`.
        """
        found = self.contamination
        if found is None and (max_contamination is not None or max_shared_tasks is not None):
            raise ConfigurationError("Contamination is of a test file: check(path, against=...).")
        problems, warnings = sum(self.errors.values()), sum(self.warnings.values())
        limits = (
            ("problem" if problems == 1 else "problems", problems, max_problems),
            ("warning" if warnings == 1 else "warnings", warnings, max_warnings),
            ("of the conversations repeat or resemble others", self.duplicates.share, max_near_duplicates),
            ("of the test conversations are in the training file", found.share if found else 0.0, max_contamination),
            ("of the test tasks are in the training file", found.shared_task_share if found else 0.0, max_shared_tasks),
        )
        return [
            f"{_amount(value)} {what}, {_amount(type(value)(most))} allowed"
            for what, value, most in limits
            if most is not None and value > most
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a document for JSON."""
        return asdict(self)


def check(
    path: Path | str,
    against: Path | str | None = None,
    *,
    tokenizer: Path | str | None = None,
    similar_from: float = SIMILAR,
    progress: bool | Progress = False,
) -> CheckReport:
    """Read a file of conversations once, and report every problem, statistics and duplicates.

    Args:
        path: a JSON Lines file of conversations, of any size. Each conversation takes some 200 bytes of memory.
        against: a test file, which is checked too. Its conversations that `path` also contains are contamination.
        tokenizer: a folder or a model's name, to count tokens exactly. None estimates them from the number of bytes.
        similar_from: the least similarity (0 to 1) of near-duplicates.
        progress: True draws a bar.

    Raises:
        DataError: there is no such file, or it is empty. Problems of lines are in the report.
        ConfigurationError: there is no such tokenizer, or a package is missing.
    """
    if not 0 < similar_from <= 1:
        raise ConfigurationError(f"similar_from={similar_from!r} must be a number above 0, and 1 at the most.")
    require_packages()
    count_tokens = estimated_tokens if tokenizer is None else token_counter(tokenizer)
    name = None if tokenizer is None else str(tokenizer)
    train = _survey(path, count_tokens, name, progress)
    test = None if against is None else _survey(against, count_tokens, name, progress)
    surveys = [train] if test is None else [train, test]
    with reporting_to(progress, "Compare") as report:
        report(text="conversations with each other")
        duplicates = _duplicates(train, similar_from)
        contamination = None
        if test is not None:
            report(text="test conversations with training conversations")
            contamination = _contamination(train, test, similar_from)
        report(done=1, total=1, text="")
    return CheckReport(
        path=str(path),
        sha256=train.sha256,
        errors=_counts(surveys, "error"),
        warnings=_counts(surveys, "warning"),
        problems=[problem for survey in surveys for problem in survey.problems.kept],
        statistics=train.statistics(),
        duplicates=duplicates,
        contamination=contamination,
    )


def _survey(
    path: Path | str, count_tokens: Callable[[Sequence[str]], int], tokenizer: str | None, progress: bool | Progress
) -> Survey:
    path = Path(path)
    require_file_on_disk(path)
    survey = Survey(path, count_tokens=count_tokens, tokenizer=tokenizer)
    with reporting_to(progress, f"Read {path.name}") as report:
        survey.read(report)
    return survey


def _counts(surveys: list[Survey], severity: Severity) -> dict[str, int]:
    return dict(sum((survey.problems.counts[severity] for survey in surveys), Counter()))


def _duplicates(survey: Survey, similar_from: float) -> Duplicates:
    import numpy as np

    same = survey.index.same()
    exact = np.flatnonzero(same != np.arange(len(same)))
    firsts, seconds = array("Q"), array("Q")
    with survey.lines() as lines:
        for first, second in survey.index.join_similar(Groups(same.copy()), texts_of(lines), least=similar_from):
            firsts.append(first)
            seconds.append(second)
    examples = [_pair(survey, int(same[number]), survey, int(number), exact=True) for number in _some(exact)]
    pairs = zip(_some(firsts), _some(seconds), strict=True)
    examples += [_pair(survey, first, survey, second, exact=False) for first, second in pairs]
    return Duplicates(
        exact=len(exact),
        near=len(firsts),
        share=_share(len(exact) + len(firsts), len(survey)),
        similar_from=similar_from,
        examples=_by_similarity(examples),
    )


def _contamination(train: Survey, test: Survey, similar_from: float) -> Contamination:
    import numpy as np

    matches = _exact_matches(train.index.digests(), test.index.digests())
    exact, others = np.flatnonzero(matches >= 0), np.flatnonzero(matches < 0)
    with train.lines() as train_lines, test.lines() as test_lines:
        texts, train_texts = texts_of(test_lines), texts_of(train_lines)
        matches[others] = test.index.nearest(others, train.index, texts, train_texts, least=similar_from)
    near = others[matches[others] >= 0]
    examples = [_pair(test, int(number), train, int(matches[number]), exact=True) for number in _some(exact)]
    examples += [_pair(test, int(number), train, int(matches[number]), exact=False) for number in _some(near)]
    shared = test.tasks.shared_names(train.tasks)
    return Contamination(
        path=str(test.path),
        sha256=test.sha256,
        conversations=len(test),
        exact=len(exact),
        near=len(near),
        share=_share(len(exact) + len(near), len(test)),
        similar_from=similar_from,
        examples=_by_similarity(examples),
        tasks=len(test.tasks.names),
        shared_tasks=shared,
        shared_task_share=_share(len(shared), len(test.tasks.names)),
        unseen_tasks=sorted(test.tasks.in_charge - set(shared)),
        similar_tasks=test.tasks.similar(train.tasks),
    )


def _exact_matches(train: NDArray[Any], test: NDArray[Any]) -> NDArray[Any]:
    """Return for each test conversation a training conversation with the same messages, -1 where there is none."""
    import numpy as np

    if not len(train):
        return np.full(len(test), -1)
    order = np.argsort(train, kind="stable")
    places = np.clip(np.searchsorted(train, test, sorter=order), 0, len(train) - 1)
    found: NDArray[Any] = np.where(train[order[places]] == test, order[places], -1)
    return found


def _pair(first: Survey, a: int, second: Survey, b: int, *, exact: bool) -> Pair:
    with first.lines() as first_lines, second.lines() as second_lines:
        alike = similarity(shingles(texts_of(first_lines)(a)), shingles(texts_of(second_lines)(b)))
        return Pair(exact, round(alike, 3), first.place(a, first_lines), second.place(b, second_lines))


def _some(found: Any) -> Any:
    """Return some of an array, from all over it."""
    return found[:: -(-len(found) // _MOST_EXAMPLES) or 1]


def _by_similarity(pairs: list[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: (not pair.exact, -pair.similarity, pair.first.line, pair.second.line))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _amount(value: float) -> str:
    return f"{value:.1%}" if isinstance(value, float) else f"{value:,}"
