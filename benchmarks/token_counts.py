"""Tokens read for each labelled decision: a conversation as one sequence, against one prompt a decision."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from mojo_toolbox.data import Conversation, Message, measuring_points
from mojo_toolbox.purposes.routing import routing_prompt, validation_example
from mojo_toolbox.purposes.routing.prompt import answer_for
from mojo_toolbox.shipped import training_scripts_dir

# The script's modules import each other by plain name, as in a container.
sys.path.insert(0, str(training_scripts_dir()))

from model_code.chat_encoding import encode_chat


def prompt_a_decision(conversation: Conversation) -> Iterable[list[dict[str, str]]]:
    """Yield the chat of each labelled turn as a prompt of its own, with its answer.

    The conversation stands in one message without the earlier decisions: the fewest tokens that such a prompt can have.
    """
    bare = [Message(role=message.role, content=message.content) for message in conversation.messages]
    for point in measuring_points(conversation):
        asked = routing_prompt(bare[: point.turn + 1], conversation.tasks)
        yield [*asked.messages, {"role": "assistant", "content": answer_for(point.gold)}]


def count_tokens(tokenizer: Any, conversations: Iterable[Conversation]) -> dict[str, Any]:
    """Count both ways on each conversation as it stands, every labelled turn borne loss by once."""
    counted = decisions = ours = apart = 0
    for conversation in conversations:
        chats = list(prompt_a_decision(conversation))
        if not chats:
            continue
        counted += 1
        decisions += len(chats)
        ours += _length(tokenizer, validation_example(conversation)["messages"])
        apart += sum(_length(tokenizer, chat) for chat in chats)
    if not decisions:
        raise SystemExit("No user turn is labelled, so there is nothing to count. Give another file.")
    return {
        "conversations": counted,
        "decisions": decisions,
        "one_sequence_a_conversation": ours / decisions,
        "one_prompt_a_decision": apart / decisions,
        "ratio": ours / apart,
    }


def padding_share(lengths: Sequence[Sequence[int]]) -> float:
    """Return the share of padding among the tokens of batches, each given by the lengths of its rows."""
    real = sum(map(sum, lengths))
    return 1 - real / sum(len(batch) * max(batch) for batch in lengths)


def _length(tokenizer: Any, messages: list[dict[str, Any]]) -> int:
    return len(encode_chat(tokenizer, messages, add_generation_prompt=False).ids)
