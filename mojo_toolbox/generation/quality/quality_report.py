"""The quality of a file of conversations: all figures, beside those of a reference file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mojo_toolbox.data.likeness.conversation_index import require_packages
from mojo_toolbox.generation.quality.diversity import diversity, words_said
from mojo_toolbox.generation.quality.meanings import FIGURES, Figure, Value
from mojo_toolbox.generation.quality.profile import Profile
from mojo_toolbox.generation.quality.two_samples import LEAST, TwoSampleTest, two_sample_tests
from mojo_toolbox.progress import Progress, reporting_to

SAMPLE = 2000
_MOST_TASKS = 1000


@dataclass(frozen=True)
class QualityReport:
    """The findings of `quality`."""

    path: str
    reference: str | None
    figures: list[Figure]
    tests: list[TwoSampleTest]
    """The results of a classifier that tells the files apart. Empty without a reference, or for a reason in `notes`."""
    tasks: dict[str, int]
    """User turns after which a task is in charge, the most first, for at most 1,000 tasks."""
    marks: dict[str, int]
    """Marked turns by the kind of mark, if a second pass left marks."""
    sampled: dict[str, int]
    """The number of conversations for wording and the classifier, and the number of words for distinct n-grams."""
    notes: list[str]
    """Notes for readers of the figures, in sentences."""

    def figure(self, name: str) -> Figure:
        """Return a figure by its name. An unknown name raises KeyError."""
        return {figure.name: figure for figure in self.figures}[name]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a document for JSON, with the figures by their names."""
        figures = {figure.name: {k: v for k, v in asdict(figure).items() if k != "name"} for figure in self.figures}
        return asdict(self) | {"figures": figures}


def quality(
    path: Path | str,
    reference: Path | str | None = None,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
    progress: bool | Progress = False,
) -> QualityReport:
    """Read a file of conversations, and a reference to compare it with, such as conversations of real users.

    Files may have any size. Each conversation takes some 200 bytes of memory, each turn 12, and the sample its own size.

    Args:
        path: the conversations to measure, JSON Lines.
        reference: other conversations, JSON Lines.
        sample: conversations of each file, drawn at random, for wording and for the classifier.
        seed: another seed gives another sample.
        progress: True draws a bar.

    Raises:
        DataError: a file cannot be read. The error names the line.
        ConfigurationError: a package is missing.
    """
    require_packages()
    here = _profile(path, progress)
    there = None if reference is None else _profile(reference, progress)
    with reporting_to(progress, "Compare") as report:
        report(text="conversations with each other")
        found = _Comparison(here, there, sample=max(1, sample), seed=seed)
        values = found.values()
        report(text="the files with each other" if there else "")
        tests = found.tests()
        report(done=1, total=1, text="")
    return QualityReport(
        path=str(path),
        reference=None if reference is None else str(reference),
        figures=_figures(*values),
        tests=tests,
        tasks=dict(here.tasks.most_common(_MOST_TASKS)),
        marks=dict(here.marks.most_common()),
        sampled=found.sampled(),
        notes=found.notes(tests),
    )


def _profile(path: Path | str, progress: bool | Progress) -> Profile:
    profile = Profile(path)
    with reporting_to(progress, f"Read {profile.path.name}") as report:
        profile.read(report)
    return profile


class _Comparison:
    """Two profiles, or one, and their samples."""

    def __init__(self, here: Profile, there: Profile | None, *, sample: int, seed: int) -> None:
        self._here, self._there, self._seed = here, there, seed
        self._profiles = [here] if there is None else [here, there]
        # The same seed for both: of the same file given twice it is the same sample.
        self._samples = [profile.sample(sample, seed=seed) for profile in self._profiles]
        self._words = min(map(words_said, self._samples))

    def values(self) -> tuple[dict[str, Value], dict[str, Value] | None]:
        found = [
            profile.values() | diversity(sample, words=self._words)
            for profile, sample in zip(self._profiles, self._samples, strict=True)
        ]
        if self._there is None:
            return found[0], None
        return found[0] | {"near the reference": Value(self._here.near(self._there))}, found[1]

    def tests(self) -> list[TwoSampleTest]:
        if self._there is None:
            return []
        return two_sample_tests(*self._samples, seed=self._seed)

    def sampled(self) -> dict[str, int]:
        names = ("conversations", "reference conversations")
        sizes = dict(zip(names, map(len, self._samples), strict=False))
        return sizes | {"words": self._words}

    def notes(self, tests: list[TwoSampleTest]) -> list[str]:
        sizes = " and ".join(
            f"{len(sample):,} of {len(p):,}" for sample, p in zip(self._samples, self._profiles, strict=True)
        )
        what, each = "Wording and classifier" if tests else "Wording", " in each file" if self._there else ""
        sampling = (
            f"{what}: of {sizes} conversations, drawn at random (seed {self._seed}), one of each group of near-duplicates; "
            f"distinct n-grams are those of {self._words:,} words{each}."
        )
        if self._there is None or tests:
            return [sampling]
        return [
            sampling,
            f"No classifier: it needs {LEAST} conversations that differ in each file, and words that occur again.",
        ]


def _figures(here: Mapping[str, Value], there: Mapping[str, Value] | None) -> list[Figure]:
    return [
        Figure(name, group, unit, meaning, here[name], None if there is None else there.get(name))
        for group, named in FIGURES.items()
        for name, (unit, meaning) in named.items()
        # Nothing was compared, nobody looked: then there is no such figure.
        if name in here and not (name == "marked" and here[name].value is None)
    ]
