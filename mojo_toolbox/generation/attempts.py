"""An attempt at a conversation: asked for, read, judged; a conversation comes of it, or a row that says why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mojo_toolbox.contract import Usage
from mojo_toolbox.data import Conversation, Message
from mojo_toolbox.errors import DataError, ModelError, ProviderUnavailableError
from mojo_toolbox.generation.asking import Asker, Stopped, Tab
from mojo_toolbox.generation.judging import Judge, JudgeMark
from mojo_toolbox.generation.plan import Plan
from mojo_toolbox.generation.prices import CapReached
from mojo_toolbox.generation.providers import Messages, fingerprint, request_seed
from mojo_toolbox.generation.reading import MalformedReply
from mojo_toolbox.generation.run_files import Aside
from mojo_toolbox.generation.writers import Writer


class PutAside(Exception):  # noqa: N818 - counted and kept, not an error
    """No conversation came of an attempt."""

    def __init__(self, why: Aside, reason: str, row: dict[str, Any]) -> None:
        super().__init__(reason)
        self.why = why
        self.reason = reason
        self.row = row


@dataclass(frozen=True)
class Drafting:
    """How conversations are asked for."""

    writer: Writer
    asker: Asker
    tab: Tab
    seed: int
    temperature: float
    judges: Sequence[Judge] = ()

    def conversation(self, plan: Plan, attempt: int) -> Conversation:
        """Return the conversation of a plan, with its marks; `attempt` counts from 1.

        Raises:
            PutAside: what came back is no such conversation, or nothing came back.
            Stopped, CapReached: the run ends before anything was asked.
            MojoError: nothing can be asked at all.
        """
        self.tab.usage = None
        draft = _Draft(self, plan, attempt)
        try:
            messages = self.writer.write(plan, draft.ask)
            conversation = self._conversation(plan, messages)
            marks = self._marks(conversation, plan)
        except MalformedReply as error:
            raise draft.aside("malformed", error.reason) from error
        except (DataError, ModelError) as error:
            raise draft.aside("refused", str(error)) from error
        except ProviderUnavailableError as error:
            raise draft.aside("no answer", str(error)) from error
        except (Stopped, CapReached) as error:
            if draft.texts:
                raise draft.aside("ended", "the run ended in the middle of it") from error
            raise
        review = {"review": [mark.as_dict() for mark in marks]} if self.judges else {}
        return conversation.model_copy(update={"meta": draft.meta() | review})

    def _conversation(self, plan: Plan, messages: Sequence[Message]) -> Conversation:
        try:
            return Conversation(id=plan.id, tasks=plan.tasks, messages=tuple(messages))
        except ValueError as error:
            raise MalformedReply("no conversation of the format") from error

    def _marks(self, conversation: Conversation, plan: Plan) -> list[JudgeMark]:
        found = [mark for judge in self.judges for mark in _judged(judge, conversation, plan)]
        return sorted(found, key=lambda mark: mark.turn)


def _judged(judge: Judge, conversation: Conversation, plan: Plan) -> Sequence[JudgeMark]:
    try:
        return judge.marks(conversation, plan)
    except (ModelError, ProviderUnavailableError) as error:
        # The conversation is written and paid for: that nobody judged it is for the review to know.
        reason = f"The judge gave no answer: {' '.join(str(error).split())}"
        turn = next(number for number, message in enumerate(conversation.messages) if message.role == "user")
        return [JudgeMark(turn, reason, kind="unjudged", by=judge.name)]


@dataclass
class _Draft:
    """What was asked and answered in an attempt."""

    drafting: Drafting
    plan: Plan
    attempt: int
    texts: list[str] = field(default_factory=list)
    prompts: list[Messages] = field(default_factory=list)

    def ask(self, messages: Messages, max_tokens: int) -> str:
        """Ask once, with a seed that no other question has."""
        how = self.drafting
        seed = request_seed(how.seed, self.plan.number, self.attempt, len(self.prompts))
        self.prompts.append(messages)
        reply = how.asker.complete(messages, max_tokens=max_tokens, temperature=how.temperature, seed=seed)
        self.texts.append(reply.text)
        if reply.cut_off:
            raise MalformedReply("cut off")
        return reply.text

    def meta(self) -> dict[str, Any]:
        return {"origin": "generated", "plan": self.plan.as_record(), **self._facts()}

    def aside(self, why: Aside, reason: str) -> PutAside:
        row = {"id": self.plan.id, "scenario": self.plan.scenario, **self._facts(), "replies": self.texts}
        return PutAside(why, reason, row)

    def _facts(self) -> dict[str, Any]:
        usage: Usage | None = self.drafting.tab.usage
        return {
            "model": self.drafting.asker.name,
            "prompt_sha256": fingerprint([dict(message) for message in self.prompts[0]]),
            "seed": self.drafting.seed,
            "attempt": self.attempt,
            "usage": None if usage is None else usage.model_dump(exclude={"dropped_messages", "cached_tokens"}),
        }
