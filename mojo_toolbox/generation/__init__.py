"""A language model writes conversations to plans, so that labels come with the text."""

from mojo_toolbox.generation.generating import Outcome, generate
from mojo_toolbox.generation.plan import DEFAULT_SHARES, Plan, PlannedTurn, Voice
from mojo_toolbox.generation.reading import MalformedReply
from mojo_toolbox.generation.task_file import Example, TaskFile, read_task_file
from mojo_toolbox.generation.templates import TEMPLATES, PromptTemplate, load_template

__all__ = [
    "DEFAULT_SHARES",
    "TEMPLATES",
    "Example",
    "MalformedReply",
    "Outcome",
    "Plan",
    "PlannedTurn",
    "PromptTemplate",
    "TaskFile",
    "Voice",
    "generate",
    "load_template",
    "read_task_file",
]
