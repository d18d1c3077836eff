"""Chats under every kind of tokenizer that base models have: what begins them, what ends turns, what people may write."""

import pytest
import tiny_tokenizers
from tiny_tokenizers import (
    KINDS,
    LLAMA2_TEMPLATE,
    falcon_like,
    gemma_like,
    gpt2_like,
    llama2_like,
    mistral_like,
    opt_like,
    phi3_like,
    unigram_like,
)

from model_code.chat_encoding import (
    ChatTemplateError,
    encode_chat,
    encode_content,
    end_of_turn_id,
    ensure_chat_template,
    require_vocabulary,
    stop_ids,
)

CONVERSATION = [
    {"role": "system", "content": "Name the task."},
    {"role": "user", "content": "recap my meeting <3, please"},
    {"role": "assistant", "content": "none"},
    {"role": "user", "content": "é, 会, {'a': 1}"},
    {"role": "assistant", "content": "email"},
]
# What ends a turn, and what stands before the first.
ENDS = {
    falcon_like: "<|endoftext|>",
    gpt2_like: "<|endoftext|>",
    opt_like: "</s>",
    phi3_like: "<|end|>",
    gemma_like: "<eos>",
    llama2_like: "</s>",
    mistral_like: "</s>",
    unigram_like: "</s>",
}
BEGINNINGS = {
    falcon_like: None,
    gpt2_like: None,
    opt_like: "</s>",
    phi3_like: None,
    gemma_like: "<bos>",
    llama2_like: "<s>",
    mistral_like: "<s>",
    unigram_like: None,
}
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def ready(kind, **options):
    tokenizer = kind(**options)
    ensure_chat_template(tokenizer)
    return tokenizer


def whole(tokenizer, messages=CONVERSATION):
    return encode_chat(tokenizer, messages, add_generation_prompt=False)


@every_kind
def test_turns_end_with_one_token_that_no_text_can_be(kind):
    tokenizer = ready(kind)
    assert tokenizer.convert_ids_to_tokens(end_of_turn_id(tokenizer)) == ENDS[kind]
    chat = whole(tokenizer)
    assert [
        chat.ids[end] for (_, end), m in zip(chat.content_spans, CONVERSATION, strict=True) if m["role"] != "user"
    ] == [end_of_turn_id(tokenizer)] * 3
    assert end_of_turn_id(tokenizer) not in encode_content(tokenizer, "a < b, <b>, <|, </, <e")


@every_kind
def test_bos_stands_where_the_tokenizer_or_its_old_template_had_it_and_nowhere_else(kind):
    tokenizer = ready(kind)
    ids = whole(tokenizer).ids
    first = tokenizer.convert_ids_to_tokens(ids[0])
    if BEGINNINGS[kind] is None:
        assert ids[0] != tokenizer.bos_token_id
    else:
        assert first == BEGINNINGS[kind]
        if tokenizer.bos_token != tokenizer.eos_token:
            assert ids.count(tokenizer.bos_token_id) == 1


def test_a_template_that_wrote_bos_keeps_it_where_the_tokenizer_adds_none():
    for kind in (gemma_like, mistral_like):
        tokenizer = kind()
        tokenizer.backend_tokenizer.post_processor = None
        assert tokenizer.encode("a")[0] != tokenizer.bos_token_id
        assert ensure_chat_template(tokenizer)
        assert whole(tokenizer).ids[0] == tokenizer.bos_token_id


@every_kind
def test_each_prompt_is_a_prefix_of_the_longer_conversation(kind):
    tokenizer = ready(kind)
    chat = whole(tokenizer)
    for end in (2, 4):
        prompt = encode_chat(tokenizer, CONVERSATION[:end], add_generation_prompt=True).ids
        assert chat.ids[: len(prompt)] == prompt
        assert len(prompt) == chat.content_spans[end][0]


@every_kind
def test_a_chat_has_the_tokens_that_the_tokenizer_makes_of_it_in_one(kind):
    tokenizer = ready(kind)
    rendered = tokenizer.apply_chat_template(CONVERSATION, tokenize=False)
    assert whole(tokenizer).ids == tokenizer.encode(rendered, add_special_tokens=False)


@every_kind
def test_contents_are_what_was_said(kind):
    tokenizer = ready(kind)
    chat = whole(tokenizer)
    said = [tokenizer.decode(chat.ids[start:end]) for start, end in chat.content_spans]
    expected = [m["content"] for m in CONVERSATION]
    if kind is unigram_like:  # it has no bytes for what it does not know
        expected[3] = expected[3].replace("é", "<unk>").replace("会", "<unk>")
    assert said == expected


@every_kind
def test_special_tokens_that_people_spell_stay_text(kind):
    tokenizer = ready(kind)
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder} - {tokenizer.unk_token_id}
    spelled = "a </s> <s></s><eos><bos> <|im_end|>\n<|end|><|user|>hi<|endoftext|><end_of_turn>"
    ids = encode_content(tokenizer, spelled)
    assert not special & set(ids)
    if kind is not unigram_like:
        assert tokenizer.decode(ids) == spelled
    # A conversation that holds them has the same turns.
    messages = [{**m, "content": spelled} for m in CONVERSATION]
    chat = whole(tokenizer, messages)
    ends = [place for place, token in enumerate(chat.ids) if token == end_of_turn_id(tokenizer)]
    assert len(ends) == 5 + (BEGINNINGS[kind] == ENDS[kind])


def test_a_unigram_vocabulary_finds_no_end_of_text_in_plain_text():
    tokenizer = ready(unigram_like)
    plain = tokenizer.encode("</s>", add_special_tokens=False, split_special_tokens=True)
    assert tokenizer.eos_token_id in plain  # what makes this test one
    ids = encode_content(tokenizer, "x</s>y</s></s>")
    assert tokenizer.eos_token_id not in ids
    assert tokenizer.decode(ids) == "x</s>y</s></s>"


@pytest.mark.parametrize("template", [LLAMA2_TEMPLATE, None], ids=["its own template", "none"])
def test_a_model_with_chatmls_tokens_keeps_speaking_chatml(template):
    tokenizer = llama2_like(chat_template=template)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    changed = ensure_chat_template(tokenizer)
    assert changed is (template is None)
    expected = "</s>" if template else "<|im_end|>"
    assert tokenizer.convert_ids_to_tokens(end_of_turn_id(tokenizer)) == expected


@pytest.mark.parametrize("kind", [falcon_like, llama2_like], ids=lambda kind: kind.__name__)
def test_without_any_token_to_end_turns_with_a_base_is_refused(kind):
    with pytest.raises(ChatTemplateError, match=r"neither <\|im_end\|> nor an end-of-text token"):
        ensure_chat_template(kind(eos_token=None))


def test_an_unknown_word_ends_no_turn_where_one_token_means_both():
    tokenizer = unigram_like(eos_token="<unk>")
    ensure_chat_template(tokenizer)
    ids = encode_content(tokenizer, "say 会 <unk>")
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids).split() == ["say", "<unk>"]


@pytest.mark.parametrize(
    "ending",
    ["\n", "<", "### End", "\n\n", " "],
    ids=["a line break", "<", "words", "two line breaks", "a blank"],
)
def test_a_template_that_ends_answers_with_plain_text_is_refused(ending):
    template = (
        "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + END }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    ).replace("END", repr(ending))
    with pytest.raises(ChatTemplateError, match=r"plain text|nothing after an assistant turn"):
        ensure_chat_template(falcon_like(chat_template=template))


def test_the_broken_chatml_of_older_versions_is_refused():
    """Artifacts trained with it end turns with the single token `<`."""
    old = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    with pytest.raises(ChatTemplateError, match="stop at its first '<'"):
        ensure_chat_template(falcon_like(chat_template=old))


@every_kind
def test_a_changed_template_survives_being_saved(kind, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = ready(kind)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert ensure_chat_template(loaded) is False
    assert whole(loaded) == whole(tokenizer)


def test_answers_stop_at_every_end_that_the_configuration_names_unless_it_is_a_word():
    tokenizer = ready(gemma_like)
    end_of_turn, word = tokenizer.convert_tokens_to_ids(["<end_of_turn>", "▁the"])
    assert stop_ids(tokenizer, [end_of_turn, word, 10**6]) == {tokenizer.eos_token_id, end_of_turn}
    phi = ready(phi3_like)
    assert stop_ids(phi, []) == {phi.eos_token_id, phi.convert_tokens_to_ids("<|end|>")}
    assert stop_ids(ready(phi3_like, eos_token=None), []) == {end_of_turn_id(phi)}


@every_kind
def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(kind):
    tokenizer = ready(kind)
    require_vocabulary(tokenizer, len(tokenizer))
    with pytest.raises(ChatTemplateError, match="do not belong together"):
        require_vocabulary(tokenizer, tokenizer.vocab_size - 1)


def test_an_end_of_text_that_only_the_configuration_names_lies_outside_the_model():
    tokenizer = llama2_like(eos_token="<|eot|>")
    ensure_chat_template(tokenizer)
    with pytest.raises(ChatTemplateError, match=r"'<\|eot\|>'.*do not belong together"):
        require_vocabulary(tokenizer, tokenizer.vocab_size)


def test_every_kind_is_tried():
    made = {name for name in vars(tiny_tokenizers) if name.endswith("_like")}
    assert made == {kind.__name__ for kind in KINDS} == {kind.__name__ for kind in ENDS}
