"""How intervals are made."""

from __future__ import annotations

from collections.abc import Iterator

from mojo_toolbox.evaluation.drawing.readable import count, percent
from mojo_toolbox.evaluation.sections.section import Section, Shown


def _explains(shown: Shown) -> Iterator[tuple[str, str]]:
    settings = [report["settings"] for report in shown.reports]
    held = " or ".join(dict.fromkeys(percent(one["confidence"], digits=0) for one in settings))
    resamples = " or ".join(dict.fromkeys(count(one["resamples"]) for one in settings))
    yield (
        "Intervals",
        (
            f"They hold {held} of {resamples} bootstrap resamples (percentiles). Whole conversations are resampled, since "
            "decisions of one conversation depend on each other."
        ),
    )


INTERVALS = Section(name="intervals", explains=_explains)
