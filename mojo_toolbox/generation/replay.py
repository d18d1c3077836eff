"""Recorded answers, replayed offline and without cost, the same ones every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mojo_toolbox.contract import Usage
from mojo_toolbox.data.jsonl import read_records
from mojo_toolbox.errors import DataError, GenerationError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.generation.growing_lines import GrowingLines
from mojo_toolbox.generation.providers import Messages, Provider, Reply, fingerprint, most_tokens


class ReplayProvider:
    """A provider that answers from a file of recorded answers. A question that was not recorded ends the run."""

    def __init__(self, path: Path | str) -> None:
        """Read the file.

        Raises:
            DataError: it is no such file; the line is named.
        """
        self.path = Path(path)
        self.name = ""
        self._replies: dict[str, Reply] = {}
        self._seeds: set[int] = set()
        for line, record in read_records(self.path):
            self._take(record, line)

    def __len__(self) -> int:
        """Return how many answers were recorded."""
        return len(self._replies)

    def _take(self, record: dict[str, Any], line: int) -> None:
        try:
            key, seed, model, text = record["request_sha256"], record["seed"], record["model"], record["text"]
            usage = None if record.get("usage") is None else Usage.model_validate(record["usage"])
        except (KeyError, ValidationError) as error:
            problem = f"{error} is missing" if isinstance(error, KeyError) else "usage is wrong"
            raise self._wrong(line, problem) from error
        if not all(isinstance(field, str) for field in (key, model, text)) or type(seed) is not int:
            raise self._wrong(line, "a field is of another type")
        # The model that answered, so that a replayed set is the recorded one to the byte.
        self.name = self.name or model
        self._replies[key] = Reply(text, usage, record.get("cut_off") is True)
        self._seeds.add(seed)

    def _wrong(self, line: int, problem: str) -> DataError:
        return DataError(
            f"no recorded answer: {sentence(problem)} mojo data generate --record writes such files.",
            path=self.path,
            line=line,
        )

    def complete(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:
        """Return the recorded answer.

        Raises:
            GenerationError: the file has no answer to this question.
        """
        reply = self._replies.get(request_key(messages, max_tokens=max_tokens, temperature=temperature, seed=seed))
        if reply is not None:
            return reply
        what = (
            "answers another prompt there: the tasks, a template or a setting was another"
            if seed in self._seeds
            else "was not asked there: it needs the seed and the options of the recording, and no higher --count"
        )
        raise GenerationError(f"{self.path} holds no answer to this question: it {what}.")


class RecordingProvider:
    """A provider that records another one's answers in a file. Each answer is on disk before it is passed on."""

    def __init__(self, provider: Provider, path: Path | str) -> None:
        """Record what `provider` answers at the end of the file `path`, which is made if it is missing.

        Raises:
            GenerationError: the file cannot be written.
        """
        self._provider = provider
        self._lines = GrowingLines(path)
        self.name = provider.name

    def most_tokens(self, max_tokens: int) -> int:
        """Return the most tokens that an answer of the recorded provider may cost."""
        return most_tokens(self._provider, max_tokens)

    def complete(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:
        """Ask, and record the answer."""
        reply = self._provider.complete(messages, max_tokens=max_tokens, temperature=temperature, seed=seed)
        key = request_key(messages, max_tokens=max_tokens, temperature=temperature, seed=seed)
        self._lines.append(recorded(key, seed, self.name, reply))
        return reply


def recorded(key: str, seed: int, model: str, reply: Reply) -> dict[str, Any]:
    """Return the row of a recorded answer."""
    usage = None if reply.usage is None else reply.usage.model_dump()
    return {
        "request_sha256": key,
        "seed": seed,
        "model": model,
        "text": reply.text,
        "usage": usage,
        "cut_off": reply.cut_off,
    }


def request_key(messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> str:
    """Return the key of a question. It depends on the whole question, and not on the provider."""
    said = [dict(message) for message in messages]
    return fingerprint({"messages": said, "max_tokens": max_tokens, "temperature": float(temperature), "seed": seed})
