"""All sections of a report, in the order in which page, Markdown and terminal show them."""

from mojo_toolbox.evaluation.sections.confidence import CONFIDENCE
from mojo_toolbox.evaluation.sections.detection import DETECTION
from mojo_toolbox.evaluation.sections.differences import DIFFERENCES
from mojo_toolbox.evaluation.sections.failures import FAILURES, NOT_ANSWERED
from mojo_toolbox.evaluation.sections.fine_print import FINE_PRINT
from mojo_toolbox.evaluation.sections.intervals import INTERVALS
from mojo_toolbox.evaluation.sections.latency import LATENCY
from mojo_toolbox.evaluation.sections.mistakes import MISTAKES
from mojo_toolbox.evaluation.sections.points import MEASURING_POINTS
from mojo_toolbox.evaluation.sections.position_bias import POSITION_BIAS
from mojo_toolbox.evaluation.sections.prompt_grid import PROMPT_GRID
from mojo_toolbox.evaluation.sections.section import Section
from mojo_toolbox.evaluation.sections.tasks import TASKS
from mojo_toolbox.evaluation.sections.thresholds import THRESHOLDS
from mojo_toolbox.evaluation.sections.tokens import TOKENS

SECTIONS: tuple[Section, ...] = (
    MEASURING_POINTS,
    PROMPT_GRID,
    DIFFERENCES,
    DETECTION,
    TASKS,
    INTERVALS,
    NOT_ANSWERED,
    CONFIDENCE,
    THRESHOLDS,
    FAILURES,
    LATENCY,
    TOKENS,
    POSITION_BIAS,
    MISTAKES,
    FINE_PRINT,
)
