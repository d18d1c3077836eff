"""Asking any router about labelled conversations, and reporting what it gets right."""

from mojo_toolbox.evaluation.comparison import Comparison, compare
from mojo_toolbox.evaluation.counting.bootstrap import Interval
from mojo_toolbox.evaluation.counting.figures import Confidence, Detection, PointFigures
from mojo_toolbox.evaluation.evaluating import Price, evaluate
from mojo_toolbox.evaluation.grid import evaluate_all
from mojo_toolbox.evaluation.report import Report, read_report
from mojo_toolbox.evaluation.routers.baselines import BASELINES, baseline
from mojo_toolbox.evaluation.routers.chat_models import ChatModel, EndpointChat, OpenAIChat
from mojo_toolbox.evaluation.routers.prompted import PromptedRouter, load_prompt
from mojo_toolbox.evaluation.routers.question import Answer, Question, Record, Router, RouterFunction
from mojo_toolbox.evaluation.threshold import Acceptance, Threshold

__all__ = [
    "BASELINES",
    "Acceptance",
    "Answer",
    "ChatModel",
    "Comparison",
    "Confidence",
    "Detection",
    "EndpointChat",
    "Interval",
    "OpenAIChat",
    "PointFigures",
    "Price",
    "PromptedRouter",
    "Question",
    "Record",
    "Report",
    "Router",
    "RouterFunction",
    "Threshold",
    "baseline",
    "compare",
    "evaluate",
    "evaluate_all",
    "load_prompt",
    "read_report",
]
