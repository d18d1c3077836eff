"""A chat model and a prompt, as a router: ask, and read the answer as strictly as it is counted.

An answer is the exact name of a listed task or "none". Only blanks and line breaks around it are forgiven. Quotation marks,
a full stop, another case, a sentence, several names, or nothing at all make it invalid, and so does running out of tokens.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from mojo_toolbox.contract import Usage
from mojo_toolbox.data import NONE_ANSWER
from mojo_toolbox.data.conversations import means_none
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.evaluation.routers.chat_completions import Completion, Structured
from mojo_toolbox.evaluation.routers.chat_models import ChatModel
from mojo_toolbox.evaluation.routers.prompt_files import RouterPrompt, load_prompt
from mojo_toolbox.evaluation.routers.question import Answer, Question, checked_answer

__all__ = ["PromptedRouter", "load_prompt"]

_ACTION = re.compile(r"Action:\s*(?P<action>\w+)\[(?P<task>.*)\]")


class PromptedRouter:
    """Asks a chat model with a prompt."""

    def __init__(
        self, model: ChatModel, prompt: RouterPrompt, *, structured: Structured | None = None, name: str | None = None
    ) -> None:
        """Take a model and a prompt. `structured` holds the answer to the listed names where the server can.

        Raises:
            ConfigurationError: `structured` with a prompt whose answer is more than a name, or unknown.
        """
        if structured not in (None, "choice", "json_schema"):
            raise ConfigurationError(f'structured={structured!r:.80} must be "choice", "json_schema" or None.')
        if structured is not None and prompt.reading != "whole":
            raise ConfigurationError(
                f"The prompt {prompt.name} lets the model think before it answers, so its answer cannot be held to the list. "
                "Leave structured out, or take a prompt with answer: whole, such as zero-shot."
            )
        self.name = f"{model.name}/{prompt.name}" if name is None else name
        self.prompt_name = prompt.name
        self.fingerprint = hashlib.sha256(f"{model.name} {prompt.sha256} {structured}".encode()).hexdigest()
        """Another one after a change of the prompt's file, whatever its name."""
        self._model = model
        self._prompt = prompt
        self._structured = structured

    def require_reachable(self) -> None:
        """Raise when the model says by itself that it cannot be asked."""
        check = getattr(self._model, "require_reachable", None)
        if check is not None:
            check()

    def ask(self, question: Question) -> Answer:
        """Ask, and keep the written text if it is more than a name."""
        if self._prompt.reading == "actions":
            return _Steps(self._model, self._prompt, question).answer()
        completion = self._model.chat(
            self._prompt.messages(question),
            max_tokens=self._prompt.max_tokens,
            stop=self._prompt.stop,
            choices=None if self._structured is None else [*question.names, NONE_ANSWER],
            structured=self._structured or "choice",
        )
        return self._read(completion, question)

    def _read(self, completion: Completion, question: Question) -> Answer:
        if self._prompt.reading == "line":
            said = _after_marker(completion.content, self._prompt.marker)
            answer = _answer(said, question, text=completion.content, usage=completion.usage)
        else:
            answer = _answer(completion.content.strip(), question, text=None, usage=completion.usage)
        if completion.cut_off:
            return Answer(None, valid=False, text=completion.content, usage=completion.usage)
        return replace(answer, probability=completion.probability)


class _Steps:
    """ReAct's loop: the model thinks and acts, what it looked up comes back as an observation."""

    def __init__(self, model: ChatModel, prompt: RouterPrompt, question: Question) -> None:
        self._model = model
        self._prompt = prompt
        self._question = question
        self._messages = prompt.messages(question)
        self._written: list[str] = []
        self._usage: Usage | None = None

    def answer(self) -> Answer:
        for _ in range(self._prompt.steps):
            completion = self._model.chat(self._messages, max_tokens=self._prompt.max_tokens, stop=self._prompt.stop)
            self._usage = _sum(self._usage, completion.usage)
            step, action = _first_action(completion.content)
            self._written.append(step)
            if action is None:
                break  # neither a look-up nor a decision: nothing to go on with
            if action["action"] == "finish":
                return _answer(action["task"].strip(), self._question, text=self._text, usage=self._usage)
            observation = f"Observation: {self._observe(action['action'], action['task'].strip())}"
            self._written.append(observation)
            self._messages += [{"role": "assistant", "content": step}, {"role": "user", "content": observation}]
        return Answer(None, valid=False, text=self._text, usage=self._usage)

    @property
    def _text(self) -> str:
        return "\n".join(self._written)

    def _observe(self, action: str, name: str) -> str:
        if action != "describe":
            return f"There is no action {action:.80}. Use describe[task] or finish[task]."
        for task in self._question.tasks:
            if task["name"] == name:
                return task["description"] or "The list does not say more about it."
        return f"There is no task {name:.80} in the list."


def _answer(said: str | None, question: Question, *, text: str | None, usage: Usage | None) -> Answer:
    if not said:  # no answer is not the answer "none"
        return Answer(None, valid=False, text=text or "", usage=usage)
    if means_none(said) and said != NONE_ANSWER:  # a model is held to the letter of what it was asked to write
        return Answer(None, valid=False, text=said if text is None else text, usage=usage)
    return checked_answer(said, question, text=text, usage=usage)


def _after_marker(content: str, marker: str) -> str | None:
    """Return the text behind `marker` on the last line. None without it, or where other lines begin with it as well."""
    lines = [line.strip() for line in content.strip().splitlines()]
    answers = [line for line in lines if line.startswith(marker)]
    return lines[-1].removeprefix(marker).strip() if len(answers) == 1 and lines[-1] is answers[0] else None


def _first_action(content: str) -> tuple[str, re.Match[str] | None]:
    """Return the reply up to its first action, and the action. What it goes on to imagine does not count."""
    lines = content.strip().splitlines()
    for index, line in enumerate(lines):
        if line.strip().startswith("Action:"):
            return "\n".join(lines[: index + 1]), _ACTION.fullmatch(line.strip())
    return content.strip(), None


def _sum(total: Usage | None, usage: Usage | None) -> Usage | None:
    if total is None or usage is None:
        return usage or total
    return Usage(**{name: count + getattr(total, name) for name, count in usage.model_dump().items()})
