"""An example that runs offline: the tasks of a sales assistant, and answers to replay, two of them malformed on purpose."""

from pathlib import Path

_FOLDER = Path(__file__).parent
EXAMPLE_TASKS = _FOLDER / "tasks.json"
EXAMPLE_ANSWERS = _FOLDER / "answers.jsonl"
EXAMPLE_COUNT = 12
"""So many conversations were asked for, with seed 0 and all else as it is by default."""
