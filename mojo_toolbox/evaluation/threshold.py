"""From a precision that is wanted to the threshold on the answer's probability that reaches it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.evaluation.counting.bootstrap import Interval
from mojo_toolbox.evaluation.counting.figures import AcceptanceCurve, Confidence

# Reports show the thresholds for these precisions.
SHOWN_TARGETS = (0.9, 0.95, 0.98, 0.99)
# Fewer accepted decisions say nothing: three right ones of three are no precision of 100%.
FEWEST = 20
_SHOWN_COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


class Acceptance(BaseModel):
    """The decisions that a threshold accepts: their answers have at least that probability."""

    model_config = ConfigDict(frozen=True)

    threshold: float
    """Give it as `abstain_below`."""
    accepted: int
    right: int
    coverage: float
    """accepted / all decisions that were asked: invalid answers and errors are never accepted."""
    precision: Interval
    """right / accepted. The interval is the wider of the bootstrap over conversations and Wilson's."""


class Threshold(BaseModel):
    """The loosest threshold that reaches a precision."""

    model_config = ConfigDict(frozen=True)

    target: float
    found: Acceptance | None
    """None if no threshold that accepts 20 decisions reaches the target."""
    best: Acceptance | None
    """The highest precision of 20 accepted decisions or more, at the loosest threshold that has it. With `sure`
    it is the one with the highest low end of the interval."""
    certain: bool
    """Whether the whole interval is at or above the target. Otherwise the data are too few to be sure."""

    @property
    def value(self) -> float | None:
        """The value for `abstain_below`, or None if the target is out of reach."""
        return None if self.found is None else self.found.threshold


def threshold_for(confidence: Confidence, *, precision: float, sure: bool = False) -> Threshold:
    """Return the loosest threshold whose accepted decisions are right in at least a share `precision`.

    With `sure`, the low end of the interval has to reach it. Thresholds that accept fewer than 20 decisions do not count.

    Raises:
        ConfigurationError: `precision` is not a share above 0.
    """
    if isinstance(precision, bool) or not isinstance(precision, int | float) or not 0 < precision <= 1:
        raise ConfigurationError(f"precision={precision!r:.80} must be a share above 0, at most 1: 0.95 is 95%.")
    levels = [level for level in acceptances(confidence) if level.accepted >= FEWEST]
    # Shares are fractions of whole numbers: a share that equals the target must not fail by rounding.
    least = precision - 1e-12
    reaching = [level for level in levels if _low(level) >= least or (not sure and level.precision.value >= least)]
    found = reaching[-1] if reaching else None
    return Threshold(
        target=precision,
        found=found,
        best=max(reversed(levels), key=_low if sure else _value, default=None),
        certain=found is not None and _low(found) >= least,
    )


def acceptances(confidence: Confidence) -> list[Acceptance]:
    """Return the decisions that each threshold of a report accepts, from strict to loose."""
    curve = confidence.curve
    return [_acceptance(curve, place, confidence.asked) for place in range(len(curve.threshold))]


def shown_acceptances(confidence: Confidence) -> list[Acceptance]:
    """Return some of them, from loose to strict, whose coverages are some way apart."""
    levels = acceptances(confidence)
    shown = {}
    for coverage in _SHOWN_COVERAGES:
        within = [level for level in levels if level.coverage <= coverage + 1e-12]
        if within:
            shown[within[-1].threshold] = within[-1]
    return list(shown.values())


def _acceptance(curve: AcceptanceCurve, place: int, asked: int) -> Acceptance:
    accepted, right = curve.accepted[place], curve.right[place]
    precision = Interval(value=right / accepted, low=curve.low[place], high=curve.high[place])
    return Acceptance(
        threshold=curve.threshold[place],
        accepted=accepted,
        right=right,
        coverage=accepted / asked,
        precision=precision,
    )


def _value(level: Acceptance) -> float:
    return level.precision.value


def _low(level: Acceptance) -> float:
    assert level.precision.low is not None  # Wilson's interval always has one
    return level.precision.low
