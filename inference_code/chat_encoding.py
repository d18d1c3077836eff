"""Chat messages -> token ids, the same way in training and in serving.

A chat template mixes two kinds of text: its own (role markers, the end-of-turn token) and people's. Only the template's
own text may become special tokens; a user who types "<|im_end|>" must not end the turn. So the template is rendered once
with placeholders for the contents, and the pieces are encoded apart: the template's with special tokens, people's without.
The ids of a growing conversation are then prefixes of each other, which training (one sequence a conversation) and
serving (a cached prefix) both rely on.

`training_scripts/chat_encoding.py` is a link to this file: either folder works alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# ChatML, for base models without a chat template (Falcon) or whose template knows no system role.
# Source: https://github.com/openai/openai-python/blob/release-v0.28.0/chatml.md
CHATML_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class ChatTemplateError(ValueError):
    """The tokenizer's chat template cannot carry a growing conversation; the message says why."""


@dataclass(frozen=True)
class EncodedChat:
    """Token ids of a chat.

    `content_spans[i]` is the half-open range of `ids` that holds the content of message i, the end-of-turn token excluded.
    """

    ids: list[int]
    content_spans: list[tuple[int, int]]


def _placeholder(index: int) -> str:
    # Private-use characters: no template trims or rewrites them, and no conversation should hold them.
    return f"\ue000{index}\ue001"


_PLACEHOLDER = re.compile("\ue000([0-9]+)\ue001")


def _template_pieces(tokenizer: Any, roles: list[str], *, add_generation_prompt: bool) -> list[str]:
    """The template's own text before, between and after the contents of messages with these roles.

    The generation prompt is what the template writes before an answer that is there, not what it writes to ask for one:
    Llama 2's differ by a space, and serving must ask just as training answered.
    """
    if add_generation_prompt:
        return _rendered_pieces(tokenizer, [*roles, "assistant"])[:-1]
    return _rendered_pieces(tokenizer, roles)


def _rendered_pieces(tokenizer: Any, roles: list[str], *, add_generation_prompt: bool = False) -> list[str]:
    messages = [{"role": role, "content": _placeholder(i)} for i, role in enumerate(roles)]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=add_generation_prompt)
    except Exception as error:
        raise ChatTemplateError(f"The chat template refuses the roles {roles}: {error}") from error
    # Text before the first placeholder, its number, text, number, ... text: one pass, however many messages.
    parts = _PLACEHOLDER.split(text)
    pieces, written = parts[::2], [int(number) for number in parts[1::2]]
    if written != list(range(len(roles))):
        i = next((i for i in range(len(roles)) if written[i : i + 1] != [i]), len(roles) - 1)
        raise ChatTemplateError(
            f"The chat template drops, repeats or moves message {i} ({roles[i]}) of {roles[:20]}, so earlier decisions "
            "would change as the conversation grows. Use a base model whose template keeps earlier turns."
        )
    # A space between an answer and the token that ends it (Llama 2's " </s>") would itself be taken for the end.
    return [piece.lstrip(" ") if i and roles[i - 1] == "assistant" else piece for i, piece in enumerate(pieces)]


def encode_content(tokenizer: Any, text: str) -> list[int]:
    """Encode people's text: special tokens and the template's markers spelled in it become plain text."""
    ids: list[int] = []
    for part in _split_markers(text.strip(), _unprotected_markers(tokenizer, str(tokenizer.chat_template))):
        ids += tokenizer.encode(part, add_special_tokens=False, split_special_tokens=True)
    return ids


@functools.lru_cache(maxsize=8)
def _unprotected_markers(tokenizer: Any, template: str) -> tuple[str, ...]:
    """Added tokens that the template writes but the tokenizer does not count as special, so that it would not split them."""
    added = (token for token in tokenizer.added_tokens_decoder.values() if not token.special)
    return tuple(token.content for token in added if token.content.strip() and token.content in template)


def _split_markers(text: str, markers: tuple[str, ...]) -> list[str]:
    """Cut the text within every marker spelled in it, after the marker's first character."""
    parts = [text]
    for marker in markers:
        head, tail = marker[0], marker[1:]
        cut = []
        for part in parts:
            first, *others = part.split(marker)
            cut.append(first)
            for other in others:
                cut[-1] += head
                cut.append(tail + other)
        parts = cut
    return [part for part in parts if part]


def encode_chat(
    tokenizer: Any,
    messages: list[dict[str, Any]],
    *,
    add_generation_prompt: bool,
    encode: Callable[[Any, str], list[int]] = encode_content,
) -> EncodedChat:
    """Encode `messages` (each with `role` and `content`) by the tokenizer's chat template.

    With `add_generation_prompt` the ids end where the assistant's next answer begins. `encode` may remember contents.

    Raises:
        ChatTemplateError: the template rewrites earlier turns or refuses a role.
    """
    pieces = _template_pieces(tokenizer, [m["role"] for m in messages], add_generation_prompt=add_generation_prompt)
    # The template writes the same few texts again and again.
    encoded: dict[str, list[int]] = {piece: tokenizer.encode(piece, add_special_tokens=False) for piece in set(pieces)}
    ids: list[int] = []
    spans = []
    for piece, message in zip(pieces, messages, strict=False):
        ids += encoded[piece]
        start = len(ids)
        ids += encode(tokenizer, message["content"])
        spans.append((start, len(ids)))
    ids += encoded[pieces[-1]]
    return EncodedChat(ids=ids, content_spans=spans)


def end_of_turn_id(tokenizer: Any) -> int:
    """Return the token that ends an assistant turn: the first that the template writes after its content."""
    tail = _template_pieces(tokenizer, ["user", "assistant"], add_generation_prompt=False)[-1]
    ids: list[int] = tokenizer.encode(tail, add_special_tokens=False)
    if not ids:
        raise ChatTemplateError("The chat template writes nothing after an assistant turn, so an answer could not end.")
    return ids[0]


def ensure_chat_template(tokenizer: Any) -> bool:
    """Give the tokenizer ChatML if it has no chat template or one without a system role; return whether it changed.

    A changed tokenizer knows `<|im_start|>` and `<|im_end|>` only as plain text unless its vocabulary has them: no
    embedding is added, so the adapter stays small and the base model unchanged.

    Raises:
        ChatTemplateError: the template rewrites earlier turns, for example by dropping earlier answers.
    """
    changed = False
    conversation = ["system", "user", "assistant", "user", "assistant"]
    if getattr(tokenizer, "chat_template", None):
        try:
            _template_pieces(tokenizer, ["system", "user"], add_generation_prompt=True)
        except ChatTemplateError:
            tokenizer.chat_template, changed = CHATML_TEMPLATE, True
    else:
        tokenizer.chat_template, changed = CHATML_TEMPLATE, True
    _require_growing_prefix(tokenizer, conversation)
    return changed


def _require_growing_prefix(tokenizer: Any, roles: list[str]) -> None:
    """Refuse a template under which an earlier rendering is no prefix of a later one."""
    pieces = _template_pieces(tokenizer, roles, add_generation_prompt=False)
    for end in range(2, len(roles), 2):
        as_last_answer = _template_pieces(tokenizer, roles[:end], add_generation_prompt=True)
        asking = _rendered_pieces(tokenizer, roles[:end], add_generation_prompt=True)[-1]
        if as_last_answer != pieces[: end + 1] or not pieces[end].startswith(asking.rstrip()):
            changed = asking if as_last_answer == pieces[: end + 1] else as_last_answer[-1]
            raise ChatTemplateError(
                f"The chat template renders the first {end} messages differently once more messages follow "
                f"({changed!r} becomes {pieces[end]!r}). Each rendering of a growing conversation must be a prefix "
                "of the next; use another base model or set a template that keeps earlier turns."
            )
        after_answer = tokenizer.encode(pieces[end + 1], add_special_tokens=False)
        if after_answer[:1] != [end_of_turn_id(tokenizer)]:
            raise ChatTemplateError(
                f"The chat template ends an answer in the middle of a conversation ({pieces[end + 1]!r}) with another "
                "token than the last one. Use another base model, or set a template with an end-of-turn token."
            )
