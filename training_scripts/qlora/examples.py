"""Chats as a language model learns from them: token ids, and which of them are decisions that bear loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from job.errors import TrainingInputError
from job.records import check_versions, checked_messages, read_records
from model_code.chat_encoding import ChatTemplateError, encode_chat

IGNORED = -100  # the label that cross_entropy leaves out


class EncodedConversation(NamedTuple):
    """A conversation as tokens. `decisions` are the half-open ranges of `input_ids` that bear loss."""

    input_ids: list[int]
    decisions: list[tuple[int, int]]


class Examples(torch.utils.data.Dataset[dict[str, Any]]):
    """Conversations, as the dictionaries that Trainer and its length grouping expect: one version of them at a time."""

    def __init__(self, examples: Sequence[EncodedConversation], *, versions: int = 1) -> None:
        self._examples = examples
        self._versions = versions
        self._current = 0

    def __len__(self) -> int:
        return len(self._examples) // self._versions

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index >= len(self):
            raise IndexError(index)
        return self._examples[index * self._versions + self._current]._asdict()

    def turn_to(self, epoch: int) -> None:
        """Show the version of this epoch. After the last one the first comes again."""
        self._current = epoch % self._versions

    def all_versions(self) -> Sequence[EncodedConversation]:
        """Return the examples that any epoch may read."""
        return self._examples


def check_channel(channel: Path, *, versions: int = 1) -> None:
    """Refuse a channel whose records cannot be learnt from, before a tokenizer or a model is loaded."""
    lines = 0
    for where, record in read_records(channel):
        try:
            decided_messages(checked_messages(record))
        except TrainingInputError as error:
            raise TrainingInputError(f"{where}: {error}") from error
        lines += 1
    check_versions(channel, lines, versions)


def load_examples(
    channel: Path, tokenizer: Any, max_length: int, *, versions: int = 1, context_length: int | None = None
) -> Examples:
    """Read and encode every conversation of a channel. Any that cannot be trained on whole is an error.

    `context_length` is how many tokens the base model reads, where that is known.
    """
    examples = []
    for where, record in read_records(channel):
        try:
            examples.append(encode_example(tokenizer, checked_messages(record)))
        except (TrainingInputError, ChatTemplateError) as error:
            raise TrainingInputError(f"{where}: {error}") from error
    check_versions(channel, len(examples), versions)
    too_long = [len(example.input_ids) for example in examples if len(example.input_ids) > max_length]
    if too_long:
        # Cutting would lose the task list (at the front) or decisions (at the end), dropping would lose data unseen.
        raise TrainingInputError(
            f"{len(too_long)} of {len(examples)} conversations of {channel} are longer than max_length={max_length} "
            f"tokens, the longest has {max(too_long)}. Raise max_length to that, or split them."
        )
    longest = max(len(example.input_ids) for example in examples)
    if context_length is not None and longest > context_length:
        raise TrainingInputError(
            f"The longest conversation of {channel} has {longest} tokens, and the base model reads {context_length} at most. "
            "Split it, or use a base model with a longer context."
        )
    return Examples(examples, versions=versions)


def decided_messages(messages: list[dict[str, Any]]) -> list[int]:
    """Return the places of the assistant messages that bear loss. There must be one."""
    found = [i for i, message in enumerate(messages) if message["role"] == "assistant" and message.get("train", True)]
    if not found:
        raise TrainingInputError("no assistant message bears loss, so there is nothing to learn from it.")
    return found


def encode_example(tokenizer: Any, messages: list[dict[str, Any]]) -> EncodedConversation:
    """Encode a conversation. Its decisions are the assistant's contents, each with the token that ends the turn."""
    decided = decided_messages(messages)
    chat = encode_chat(tokenizer, messages, add_generation_prompt=False)
    decisions = [(start, end + 1) for start, end in (chat.content_spans[place] for place in decided)]
    return EncodedConversation(input_ids=chat.ids, decisions=decisions)


def pad_batch(examples: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad conversations on the right: (B, T) input_ids, attention_mask, and labels that are set on decisions only."""
    length = max(len(example["input_ids"]) for example in examples)
    input_ids = torch.zeros(len(examples), length, dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORED)
    for row, example in enumerate(examples):
        ids = torch.tensor(example["input_ids"])
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
        for start, end in example["decisions"]:
            labels[row, start:end] = ids[start:end]
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
