"""How a conversation comes to be written: what is asked, and the turns that come of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mojo_toolbox.data import Message
from mojo_toolbox.generation.plan import Plan
from mojo_toolbox.generation.providers import Messages
from mojo_toolbox.generation.reading import read_reply
from mojo_toolbox.generation.scenarios import DEFAULT_SHARES
from mojo_toolbox.generation.templates import PromptTemplate, messages_for, template_for

# (a chat, the longest answer in tokens) -> what was written. Raises MalformedReply for an answer that was cut off.
Ask = Callable[[Messages, int], str]


class Writer(Protocol):
    """Turns a plan into a conversation by asking."""

    @property
    def name(self) -> str:
        """What the way of writing is called."""

    def first(self, plan: Plan) -> Messages:
        """Return the chat that is asked first."""

    def write(self, plan: Plan, ask: Ask) -> Sequence[Message]:
        """Return the messages, user turns labelled by the plan.

        Raises:
            MalformedReply: what was written is no such conversation.
        """


class WholeWriter:
    """The whole conversation in one answer."""

    name = "whole"

    def __init__(self, templates: Sequence[PromptTemplate] = ()) -> None:
        """Ask by the shipped template of each scenario.

        One of `templates` stands in for the scenario that it is named after; of another name, for all others.
        """
        self._by_scenario = {template.name: template for template in templates if template.name in DEFAULT_SHARES}
        self._for_all = next((template for template in templates if template.name not in DEFAULT_SHARES), None)

    def first(self, plan: Plan) -> Messages:
        """Return the only chat that is asked."""
        return messages_for(plan, self._template(plan))

    def write(self, plan: Plan, ask: Ask) -> Sequence[Message]:
        """Ask once, and read the answer."""
        return read_reply(ask(self.first(plan), self._template(plan).max_tokens), plan)

    def _template(self, plan: Plan) -> PromptTemplate:
        return self._by_scenario.get(plan.scenario) or self._for_all or template_for(plan)
