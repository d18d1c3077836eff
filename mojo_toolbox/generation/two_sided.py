"""A conversation of two players: one writes the user, another the agent, each seeing its own side's instructions only.

Nobody who writes knows what comes next, so that answers miss the point now and then, as they do in life. It costs about as
many questions as there are messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from mojo_toolbox.data import Message
from mojo_toolbox.generation.plan import Plan
from mojo_toolbox.generation.providers import Messages
from mojo_toolbox.generation.reading import read_message
from mojo_toolbox.generation.templates import PromptTemplate, agent_messages, load_template, user_messages
from mojo_toolbox.generation.writers import Ask


class TwoSidedWriter:
    """Each message in an answer of its own. The conversation ends with the user: what is said after decides nothing."""

    name = "two-sided"

    def __init__(self, templates: Sequence[PromptTemplate] = ()) -> None:
        """Ask by the shipped templates of the two sides, or by those of `templates` that write a side."""
        own = {template.writes: template for template in templates}
        self._user = own.get("user") or load_template("user")
        self._agent = own.get("agent") or load_template("agent")

    def first(self, plan: Plan) -> Messages:
        """Return the chat that asks for the user's first message."""
        return user_messages(plan, 0, (), self._user)

    def write(self, plan: Plan, ask: Ask) -> Sequence[Message]:
        """Ask the two sides by turns."""
        said: list[Message] = []
        for number, turn in enumerate(plan.turns):
            if said:
                reply = read_message(ask(agent_messages(plan, said, self._agent), self._agent.max_tokens))
                said.append(Message(role="assistant", content=reply))
            question = user_messages(plan, number, said, self._user)
            wish = read_message(ask(question, self._user.max_tokens))
            said.append(Message(role="user", content=wish, task=turn.task))
        return said
