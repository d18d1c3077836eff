"""Chat messages -> token ids, the same way in training and in serving.

A chat template mixes two kinds of text: its own (role markers, the end-of-turn token) and people's. Only the template's
own text may become special tokens. A user who types "<|im_end|>" must not end the turn. So the template is rendered once
with placeholders for the contents, and the pieces are encoded apart: the template's with special tokens, people's without.
The ids of a growing conversation are then prefixes of each other, which training (one sequence a conversation) and
serving (a cached prefix) both rely on.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

# ChatML's own marks. Source: https://github.com/openai/openai-python/blob/release-v0.28.0/chatml.md
_CHATML_END = "<|im_end|>"
_CHATML_MESSAGES = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + END + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class ChatTemplateError(ValueError):
    """The tokenizer's chat template cannot carry a growing conversation. The message says why."""


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
    # Blanks between an answer and the token that ends it (Llama 2's " </s>") would themselves be taken for the end.
    return [piece.lstrip() if i and roles[i - 1] == "assistant" else piece for i, piece in enumerate(pieces)]


def encode_content(tokenizer: Any, text: str) -> list[int]:
    """Encode people's text: special tokens and the template's markers spelled in it become plain text."""
    return _encode_plain(tokenizer, text.strip(), _reserved_ids(tokenizer, str(tokenizer.chat_template)))


def _encode_plain(tokenizer: Any, text: str, reserved: frozenset[int]) -> list[int]:
    ids = _encode_going_on(tokenizer, text, split_special_tokens=True)
    if reserved.isdisjoint(ids):
        return ids
    # A Unigram vocabulary finds "</s>" in plain text too, and a token that was added without being special is always found.
    cuts = _cuts_within(tokenizer, text, reserved)
    if not cuts:
        return [token for token in ids if token not in reserved]
    parts = itertools.pairwise([0, *cuts, len(text)])
    return [token for start, end in parts for token in _encode_plain(tokenizer, text[start:end], reserved)]


def _cuts_within(tokenizer: Any, text: str, reserved: frozenset[int]) -> list[int]:
    """Say where to cut a text so that no part of it spells a reserved token: after the first character of each."""
    if not tokenizer.is_fast:  # it cannot give the places of its tokens
        return [len(text) // 2] if len(text) > 1 else []
    read = tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    places = zip(read["input_ids"], read["offset_mapping"], strict=True)
    return [start + 1 for token, (start, end) in places if token in reserved and end - start > 1]


@functools.lru_cache(maxsize=8)
def _reserved_ids(tokenizer: Any, template: str) -> frozenset[int]:
    """Return the tokens that people's text must not become: those that the template writes, and those that end a text."""
    return _reserved(tokenizer, template + _sample(tokenizer))


def _reserved(tokenizer: Any, written: str) -> frozenset[int]:
    """Return the tokens in what a template has `written` that are more than text, and those around texts (BOS, EOS)."""
    around = {tokenizer.bos_token, tokenizer.eos_token}
    added = {token.content for token in tokenizer.added_tokens_decoder.values()}
    found = {token for token in added | around if token and (token in around or token in written)}
    # One character alone cannot be kept out of people's text, nor can an unknown word, unless the same token ends a text (GPT-2).
    kept_out = {token for token in found if len(token.strip()) > 1}
    if tokenizer.unk_token not in around:
        kept_out.discard(tokenizer.unk_token)
    return frozenset(tokenizer.convert_tokens_to_ids(sorted(kept_out)))


def _sample(tokenizer: Any) -> str:
    """Render a short conversation: a template may put its markers together from parts."""
    for roles in (["system", "user", "assistant", "user"], ["user", "assistant", "user"]):
        try:
            return "".join(_rendered_pieces(tokenizer, roles, add_generation_prompt=True))
        except ChatTemplateError:
            continue
    return ""


def _encode_going_on(tokenizer: Any, text: str, **options: Any) -> list[int]:
    """Encode a text that follows another: without the blank that some tokenizers put before whole texts."""
    for anchor in _anchors(tokenizer):
        before = tokenizer.encode(anchor, add_special_tokens=False)
        found: list[int] = tokenizer.encode(anchor + text, add_special_tokens=False, **options)
        if found[: len(before)] == before:
            return found[len(before) :]
    alone: list[int] = tokenizer.encode(text, add_special_tokens=False, **options)
    return alone


@functools.lru_cache(maxsize=8)
def _anchors(tokenizer: Any) -> tuple[str, ...]:
    """Return texts after which another text is encoded as within a text, or none if it makes no difference."""
    alone = tokenizer.encode("a", add_special_tokens=False)
    found = []
    for anchor in ("\n", "."):
        before = tokenizer.encode(anchor, add_special_tokens=False)
        both = tokenizer.encode(f"{anchor}a", add_special_tokens=False)
        if before and both[: len(before)] == before and both[len(before) :] != alone:
            found.append(anchor)
    return tuple(found)


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
    encoded = {piece: _encode_going_on(tokenizer, piece) for piece in set(pieces[1:])}
    ids: list[int] = []
    spans = []
    for place, (piece, message) in enumerate(zip(pieces, messages, strict=False)):
        ids += encoded[piece] if place else tokenizer.encode(piece, add_special_tokens=False)
        start = len(ids)
        ids += encode(tokenizer, message["content"])
        spans.append((start, len(ids)))
    ids += encoded[pieces[-1]]
    return EncodedChat(ids=ids, content_spans=spans)


def end_of_turn_id(tokenizer: Any) -> int:
    """Return the token that ends an assistant turn: the first that the template writes after its content.

    Raises:
        ChatTemplateError: the template writes nothing there, or what an answer may hold itself.
    """
    return _ending_id(tokenizer, _template_pieces(tokenizer, ["user", "assistant"], add_generation_prompt=False)[-1])


def _ending_id(tokenizer: Any, written: str) -> int:
    ids = _encode_going_on(tokenizer, written)
    if not ids:
        raise ChatTemplateError("The chat template writes nothing after an assistant turn, so an answer could not end.")
    if ids[0] not in _reserved_ids(tokenizer, str(tokenizer.chat_template)):
        first = tokenizer.decode(ids[:1])
        raise ChatTemplateError(
            f"The chat template ends an answer with plain text ({written[:40]!r}), so each answer would stop at its first "
            f"{first!r}. Use another base model, or set a template that ends turns with the tokenizer's end-of-text token."
        )
    return ids[0]


def stop_ids(tokenizer: Any, suggested: Iterable[int]) -> frozenset[int]:
    """Return the tokens that end an answer: the template's, the tokenizer's, and those of `suggested` that are never text.

    Configurations name tokens that end a text by number. A number of another vocabulary would be an ordinary word here.
    """
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    special |= {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return frozenset({end_of_turn_id(tokenizer), tokenizer.eos_token_id, *(special & set(suggested))} - {None})


def ensure_chat_template(tokenizer: Any) -> bool:
    """Give the tokenizer ChatML if it has no chat template or one without a system role. Return whether it changed.

    No token is added, so the adapter stays small and the base model unchanged: where the vocabulary lacks `<|im_end|>`, the
    tokenizer's own end-of-text token ends each turn. The token that begins each text (BOS) begins each chat.

    Raises:
        ChatTemplateError: the template rewrites earlier turns (for example by dropping earlier answers) or ends answers
            with plain text, or there is no template and no token to end turns with.
    """
    changed = not _takes_a_system_message(tokenizer)
    if changed:
        tokenizer.chat_template = _chatml(tokenizer)
    _require_growing_prefix(tokenizer, ["system", "user", "assistant", "user", "assistant"])
    return changed


def _takes_a_system_message(tokenizer: Any) -> bool:
    if not getattr(tokenizer, "chat_template", None):
        return False
    try:
        _template_pieces(tokenizer, ["system", "user"], add_generation_prompt=True)
    except ChatTemplateError:
        return False
    return True


def _chatml(tokenizer: Any) -> str:
    """Write ChatML with the tokens that this tokenizer has."""
    beginning = _beginning(tokenizer)
    head = f"{{{{ {beginning!r} }}}}" if beginning else ""
    return head + _CHATML_MESSAGES.replace("END", repr(_ending(tokenizer)))


def _ending(tokenizer: Any) -> str:
    """Return the token that can end turns."""
    reserved = _reserved(tokenizer, _CHATML_END)
    for token in (_CHATML_END, tokenizer.eos_token):
        ids = tokenizer.encode(token, add_special_tokens=False) if token else []
        if len(ids) == 1 and ids[0] in reserved:
            return str(token)
    raise ChatTemplateError(
        "The tokenizer has no chat template that takes a system message, and neither <|im_end|> nor an end-of-text token "
        "that could end turns. Use another base model, or set its chat_template and eos_token."
    )


def _beginning(tokenizer: Any) -> str:
    """Return the tokens before each text: those that the tokenizer adds, else BOS where the chat template wrote it."""
    alone = tokenizer.encode("a", add_special_tokens=False)
    whole = tokenizer.encode("a")
    start = next((i for i in range(len(whole)) if whole[i : i + len(alone)] == alone), 0)
    if start:
        return "".join(tokenizer.convert_ids_to_tokens(whole[:start]))
    bos = tokenizer.bos_token
    return bos if bos and _template_begins_with(tokenizer, bos) else ""


def _template_begins_with(tokenizer: Any, bos: str) -> bool:
    template = getattr(tokenizer, "chat_template", None)
    if not template:
        return False
    for roles in (["user"], ["user", "assistant"]):
        try:
            return _rendered_pieces(tokenizer, roles)[0].lstrip().startswith(bos)
        except ChatTemplateError:
            continue
    return "bos_token" in str(template) or bos in str(template)


def require_vocabulary(tokenizer: Any, size: int) -> None:
    """Refuse a tokenizer whose texts or chats have tokens that a model of `size` tokens does not know.

    Raises:
        ChatTemplateError: it has some.
    """
    written = [{"role": role, "content": "a"} for role in ("system", "user", "assistant")]
    highest = max(tokenizer.vocab_size - 1, *encode_chat(tokenizer, written, add_generation_prompt=False).ids)
    if highest >= size:
        raise ChatTemplateError(
            f"The tokenizer writes the token {highest} ({tokenizer.convert_ids_to_tokens(highest)!r}), and the base model knows "
            f"{size} tokens, 0 to {size - 1}: they do not belong together. Use the base model's own tokenizer."
        )


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
        if _ending_id(tokenizer, pieces[end + 1]) != end_of_turn_id(tokenizer):
            raise ChatTemplateError(
                f"The chat template ends an answer in the middle of a conversation ({pieces[end + 1]!r}) with another "
                "token than the last one. Use another base model, or set a template with an end-of-turn token."
            )
