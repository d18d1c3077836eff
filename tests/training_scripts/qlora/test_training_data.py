"""What bears loss, and how bad data is refused: with file and line, and nothing dropped unseen."""

from types import SimpleNamespace

import pytest
from tiny_base import SYSTEM, conversation, conversations, write_channel

import job.environment
import job.settings
from job.errors import TrainingInputError
from qlora.examples import IGNORED, encode_example, load_examples, pad_batch
from qlora.settings import QloraSettings
from qlora.trainer import NextVersion


def texts_that_bear_loss(tokenizer, record):
    batch = pad_batch([encode_example(tokenizer, record["messages"])._asdict()])
    labels = batch["labels"][0].tolist()
    spans, current = [], []
    for label in [*labels, IGNORED]:
        if label != IGNORED:
            current.append(label)
        elif current:
            spans.append(tokenizer.decode(current))
            current = []
    return spans


def test_loss_lies_on_answers_and_the_token_that_ends_them(tokenizer):
    assert texts_that_bear_loss(tokenizer, conversation("a recap", "meeting_recap")) == [
        "meeting_recap<|im_end|>",
        "none<|im_end|>",
    ]


def test_an_answer_with_train_false_bears_no_loss(tokenizer):
    record = conversation("a recap", "email")
    record["messages"][2]["train"] = False
    assert texts_that_bear_loss(tokenizer, record) == ["none<|im_end|>"]


def test_padding_stands_on_the_right_and_bears_no_loss(tokenizer):
    rows = [encode_example(tokenizer, record["messages"])._asdict() for record in conversations(2)]
    batch = pad_batch(rows)
    shorter = min(range(2), key=lambda row: len(rows[row]["input_ids"]))
    length = len(rows[shorter]["input_ids"])
    assert batch["input_ids"].shape[1] > length
    assert batch["attention_mask"][shorter].sum() == length
    assert (batch["labels"][shorter, length:] == IGNORED).all()


def test_a_line_that_is_no_json_is_named(tokenizer, tmp_path):
    channel = write_channel(tmp_path / "train", conversations(1), "calls.jsonl")
    with (channel / "calls.jsonl").open("a") as file:
        file.write("\n{'messages': []}\n")
    with pytest.raises(TrainingInputError, match=r"^calls.jsonl:3: this line is no JSON"):
        load_examples(channel, tokenizer, 512)


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ([], "expected"),
        ({"messages": []}, "expected"),
        ({"messages": [{"role": "user"}]}, "a content of text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "needs a role"),
        ({"messages": [SYSTEM, {"role": "user", "content": "hi"}]}, "no assistant message bears loss"),
        ({"messages": [SYSTEM, {"role": "assistant", "content": "none", "train": False}]}, "bears loss"),
    ],
)
def test_a_record_that_cannot_be_learnt_from_is_named(tokenizer, tmp_path, record, complaint):
    channel = write_channel(tmp_path, [*conversations(1), record])
    with pytest.raises(TrainingInputError, match=rf"^data.jsonl:2: .*{complaint}"):
        load_examples(channel, tokenizer, 512)


def test_an_empty_channel_is_refused(tokenizer, tmp_path):
    with pytest.raises(TrainingInputError, match="holds no conversations"):
        load_examples(write_channel(tmp_path, []), tokenizer, 512)


def test_bytes_that_are_no_text_are_refused(tokenizer, tmp_path):
    (tmp_path / "data.jsonl").write_bytes(b'{"messages": "\xff"}\n')
    with pytest.raises(TrainingInputError, match=r"data.jsonl is not encoded in UTF-8"):
        load_examples(tmp_path, tokenizer, 512)


def test_conversations_over_max_length_are_counted_not_dropped(tokenizer, tmp_path):
    channel = write_channel(tmp_path, [*conversations(2), conversation("please " * 300, "none")])
    with pytest.raises(TrainingInputError, match=r"1 of 3 .* max_length=200 tokens, the longest has \d{3}\."):
        load_examples(channel, tokenizer, 200)


def test_an_epoch_sees_its_own_version_of_the_data(tokenizer, tmp_path):
    texts = [f"{name} {version}" for name in ("one", "two") for version in range(3)]
    channel = write_channel(tmp_path, [conversation(text, "email") for text in texts])
    examples = load_examples(channel, tokenizer, 512, versions=3)
    all_of_them = list(load_examples(channel, tokenizer, 512))
    assert (len(examples), len(all_of_them), len(examples.all_versions())) == (2, 6, 6)
    next_version = NextVersion(examples)
    # Trainer's count of epochs, from None before the first to where a resumed job had come.
    for epoch, version in [(None, 0), (1.0, 1), (2.0, 2), (3.0, 0), (4.4, 1)]:
        next_version.on_epoch_begin(None, SimpleNamespace(epoch=epoch), None)
        assert list(examples) == [all_of_them[version], all_of_them[3 + version]]


@pytest.mark.parametrize("versions", [0, 2])
def test_lines_that_are_not_so_many_versions_are_refused(tokenizer, tmp_path, versions):
    channel = write_channel(tmp_path, conversations(3))
    with pytest.raises(TrainingInputError, match=rf"3 lines, which are not data_versions={versions} of each"):
        load_examples(channel, tokenizer, 512, versions=versions)


def test_a_job_without_a_train_channel_is_refused(monkeypatch):
    monkeypatch.delenv("SM_CHANNEL_TRAIN", raising=False)
    with pytest.raises(TrainingInputError, match="no train channel"):
        job.environment.read_environment()


def test_hyperparameters_come_as_flags_in_any_spelling_of_true_and_false():
    def read(*flags):
        return job.settings.read_settings(QloraSettings, flags, description="")

    settings = read("--load_in_4bit", "False", "--merge_weights", "true", "--lora_r", "8")
    assert (settings.load_in_4bit, settings.merge_weights, settings.lora_r) == (False, True, 8)
    assert read() == QloraSettings()


def weighted(**message):
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "ok"},
    ]
    return {"messages": [*turns, {"role": "assistant", "content": "two", **message}]}


@pytest.mark.parametrize(
    ("message", "learnt"),
    [
        ({"weight": 0}, ["one"]),
        ({"weight": 0, "train": None}, ["one"]),
        ({"weight": 1}, ["one", "two"]),
        ({"weight": None, "train": None}, ["one", "two"]),
        ({"train": False}, ["one"]),
    ],
)
def test_openais_weight_says_what_bears_loss(tokenizer, tmp_path, message, learnt):
    write_channel(tmp_path, [weighted(**message)])
    (example,) = load_examples(tmp_path, tokenizer, 4096).all_versions()
    texts = [tokenizer.decode(example.input_ids[start:end]) for start, end in example.decisions]
    assert [text.removesuffix("<|im_end|>") for text in texts] == learnt


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"weight": 0.5}, "0 or 1"),
        ({"weight": True}, "0 or 1"),
        ({"weight": "0"}, "0 or 1"),
        ({"train": "false"}, "true or false"),
        ({"train": 0}, "true or false"),
        ({"weight": 0, "train": True}, "contradict"),
        ({"tool_calls": [{"id": "1"}]}, "tool call"),
    ],
)
def test_what_would_be_dropped_or_misread_is_refused(tokenizer, tmp_path, message, words):
    write_channel(tmp_path, [weighted(**message)])
    with pytest.raises(TrainingInputError, match=words):
        load_examples(tmp_path, tokenizer, 4096)


def test_a_chat_with_tools_is_refused(tokenizer, tmp_path):
    write_channel(tmp_path, [weighted() | {"tools": [{"type": "function"}]}])
    with pytest.raises(TrainingInputError, match="tools"):
        load_examples(tmp_path, tokenizer, 4096)
