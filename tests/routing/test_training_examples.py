"""Training examples: varied so that a router becomes robust, and always the same from the same seed."""

import json

import pytest

from mojo_toolbox.data import parse_conversation
from mojo_toolbox.errors import DataError
from mojo_toolbox.routing import routing_prompt
from mojo_toolbox.routing.dataset import prepare_training_data, prepare_validation_data
from mojo_toolbox.routing.training import Variation, training_example, training_examples, validation_example

NAMES = ["recap", "email", "quote", "translate"]
AS_IT_STANDS = Variation(withheld_task=0, hidden_decisions=0, wrong_decisions=0)


def record(number=0, labels=("recap", "recap", "email", None)):
    turns = []
    for i, task in enumerate(labels):
        turns += [{"role": "user", "content": f"{number}.{i}", "task": task}, {"role": "assistant", "content": "ok"}]
    tasks = [{"name": name, "description": f"does {name}"} for name in NAMES]
    return {"id": str(number), "tasks": tasks, "messages": turns}


def conversation(number=0, **options):
    return parse_conversation(record(number, **options))


def listed(example):
    lines = example["messages"][0]["content"].splitlines()[1:-1]
    return [line.split(": ")[-1] for line in lines]


def decisions(example):
    return [m for m in example["messages"] if m["role"] == "assistant"]


def test_a_validation_example_is_the_conversation_as_it_stands():
    example = validation_example(conversation())
    assert listed(example) == NAMES
    assert [m["content"] for m in decisions(example)] == ["recap", "recap", "email", "none"]
    assert example["messages"][-1]["role"] == "assistant"
    # What is learnt is what is asked: the last decision follows the prompt that a caller sends.
    asked = routing_prompt(conversation().messages[:-1], conversation().tasks)
    assert example["messages"][:-1] == asked.messages


def test_a_seed_gives_the_same_examples_again():
    def make(seed):
        return list(training_examples(map(conversation, range(20)), seed=seed, copies=2))

    assert make(1) == make(1)
    assert make(1) != make(2)
    assert len(make(1)) == 40


def test_the_list_is_in_another_order_each_time():
    orders = {tuple(listed(training_example(conversation(), seed=s, variation=AS_IT_STANDS))) for s in range(30)}
    assert len(orders) > 10
    assert all(sorted(order) == sorted(NAMES) for order in orders)


def test_a_withheld_task_leaves_the_list_and_its_turns_become_none():
    for seed in range(10):
        example = training_example(conversation(), seed=seed, variation=Variation(1.0, 0, 0))
        (gone,) = set(NAMES) - set(listed(example))
        assert gone in {"recap", "email"}
        expected = ["none" if task in {gone, None} else task for task in ("recap", "recap", "email", None)]
        assert [m["content"] for m in decisions(example)] == expected


def test_the_only_task_is_never_withheld():
    tasks = [{"name": "recap"}]
    one = parse_conversation({"tasks": tasks, "messages": [{"role": "user", "content": "x", "task": "recap"}]})
    example = training_example(one, seed=0, variation=Variation(1.0, 1.0, 1.0))
    assert [m["content"] for m in decisions(example)] == ["recap"]


def test_hidden_decisions_are_the_first_ones_and_one_is_always_left():
    counts = set()
    for seed in range(30):
        example = training_example(conversation(), seed=seed, variation=Variation(0, 1.0, 0))
        left = [m["content"] for m in decisions(example)]
        assert left == ["recap", "recap", "email", "none"][-len(left) :]
        counts.add(len(left))
    assert counts == {1, 2, 3, 4}


def test_wrong_decisions_are_listed_ones_that_bear_no_loss_and_never_the_last():
    for seed in range(10):
        example = training_example(conversation(), seed=seed, variation=Variation(0, 0, 1.0))
        *earlier, last = decisions(example)
        assert last == {"role": "assistant", "content": "none"}
        for message, right in zip(earlier, ["recap", "recap", "email"], strict=True):
            assert message["train"] is False
            assert message["content"] != right
            assert message["content"] in [*NAMES, "none"]


def test_conversations_without_a_label_teach_nothing():
    silent = parse_conversation({"tasks": [{"name": "a"}], "messages": [{"role": "user", "content": "x"}]})
    assert list(training_examples([silent])) == []


# --------------------------------------------------------------------------------------------- what a job gets


def lines(prepared):
    return [json.loads(line) for line in prepared.path.read_text(encoding="utf-8").splitlines()]


def test_a_file_a_list_and_a_dataset_become_the_same_examples(tmp_path):
    import datasets

    records = [record(number) for number in range(5)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    sources = [
        tmp_path / "in.jsonl",
        str(tmp_path / "in.jsonl"),
        records,
        [parse_conversation(r) for r in records],
        datasets.Dataset.from_list(records),
    ]
    prepared = [prepare_training_data(s, tmp_path / f"{i}.jsonl", copies=2) for i, s in enumerate(sources)]
    assert {p.sha256 for p in prepared} == {prepared[0].sha256}
    assert [p.rows for p in prepared] == [10] * 5
    assert len(lines(prepared[0])) == 10


def test_validation_data_are_not_varied(tmp_path):
    prepared = prepare_validation_data([record(1), record(2)], tmp_path / "v.jsonl")
    assert lines(prepared) == [validation_example(conversation(n)) for n in (1, 2)]


def test_chat_examples_pass_as_they_are(tmp_path):
    example = {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "a", "train": False},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "b"},
        ]
    }
    assert lines(prepare_training_data([example], tmp_path / "t.jsonl")) == [example]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([record(), {"messages": [{"role": "user", "content": "x"}]}], r"record:2: chat examples among routing"),
        ([record(), record(labels=("other",))], r"record:2: .*'other'"),
        ([record(), 3], "record:2: a conversation was expected, not int"),
        ([{"messages": [{"role": "user", "content": "x"}] * 2}], "record:1: no assistant message to learn from"),
        ([{"text": "x"}], "record:1: neither a routing conversation nor a chat example"),
        ([{"messages": "x"}], "record:1: .*A routing conversation has a list of tasks too"),
        ([], "nothing to train on"),
        (7, "not int"),
        (record(), "not dict"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_with_its_place(tmp_path, records, words):
    with pytest.raises(DataError, match=words):
        prepare_training_data(records, tmp_path / "t.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_bad_line_of_a_file_is_named(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(record()) + "\n\n" + json.dumps(record(labels=("other",))) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"in\.jsonl:3: ") as caught:
        prepare_training_data(path, tmp_path / "t.jsonl")
    assert caught.value.line == 3
