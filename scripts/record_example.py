"""Record the answers of `mojo data generate --provider replay` again, after prompts have changed: same texts, new questions.

What was written is found again by its seed, which follows from the conversation's number and the attempt. Where plans have
changed too, a text does not fit its plan any more, and this says which: write another one into answers.jsonl by hand.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from mojo_toolbox.contract import Usage
from mojo_toolbox.generation import generate
from mojo_toolbox.generation.example import EXAMPLE_ANSWERS, EXAMPLE_COUNT, EXAMPLE_TASKS
from mojo_toolbox.generation.prices import about_read, about_tokens
from mojo_toolbox.generation.providers import Messages, Reply
from mojo_toolbox.generation.replay import RecordingProvider


class Written:
    """The texts of the recording, by their seeds; tokens counted anew."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.name = rows[0]["model"]
        self._texts = {row["seed"]: row["text"] for row in rows}

    def complete(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:  # noqa: ARG002
        """Return what was written for this conversation and attempt."""
        text = self._texts[seed]
        read, written = about_read(messages), about_tokens(text)
        return Reply(text, Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written))


def main() -> None:
    """Ask again what was asked, and put the recording in its place."""
    rows = [json.loads(line) for line in EXAMPLE_ANSWERS.read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "answers.jsonl"
        provider = RecordingProvider(Written(rows), recording)
        outcome = generate(EXAMPLE_TASKS, Path(folder) / "talks.jsonl", provider=provider, count=EXAMPLE_COUNT)
        print(f"{outcome.written} of {outcome.wanted} conversations; put aside: {outcome.put_aside}")
        EXAMPLE_ANSWERS.write_bytes(recording.read_bytes())


if __name__ == "__main__":
    main()
