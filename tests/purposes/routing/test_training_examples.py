"""Training examples: augmented conversations as the router's prompt, and the file that a job gets."""

import datetime as dt
import json

import pytest

from mojo_toolbox import Hub
from mojo_toolbox.data import Task, parse_conversation
from mojo_toolbox.data.augmentation import AS_IT_STANDS, Augmentation, augment
from mojo_toolbox.data.content_hash import ContentHash, content_hash
from mojo_toolbox.data.task_pool import TaskPool
from mojo_toolbox.errors import ConfigurationError, DataError
from mojo_toolbox.purposes.routing import routing_prompt
from mojo_toolbox.purposes.routing.dataset import prepare_training_data, prepare_validation_data
from mojo_toolbox.purposes.routing.training import training_example, training_examples, validation_example

NAMES = ["recap", "email", "quote", "translate"]


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


def test_an_example_is_the_augmented_conversation():
    strong = Augmentation(withheld_task=1, distractors=1, hidden_decisions=1)
    pool = TaskPool([Task(name="weather", description="Tell the forecast")])
    for seed in range(10):
        options = {"seed": seed, "copy": 1, "augmentation": strong, "pool": pool}
        example = training_example(conversation(), **options, wrong_decisions=0)
        assert example == validation_example(augment(conversation(), **options))
        assert "weather" in listed(example)


def test_by_default_the_order_changes_and_some_tasks_and_decisions_are_withheld():
    examples = list(training_examples(map(conversation, range(400)), wrong_decisions=0))
    assert 20 < sum(len(listed(example)) == 3 for example in examples) < 65
    # Of the hidden ones a quarter hides nothing: the first labelled turn is the first known.
    assert 60 < sum(len(decisions(example)) < 4 for example in examples) < 125
    assert len({tuple(listed(example)) for example in examples}) > 24


def test_wrong_decisions_are_listed_ones_that_bear_no_loss_and_never_the_last():
    for seed in range(10):
        example = training_example(conversation(), seed=seed, augmentation=AS_IT_STANDS, wrong_decisions=1)
        *earlier, last = decisions(example)
        assert last == {"role": "assistant", "content": "none"}
        for message, right in zip(earlier, ["recap", "recap", "email"], strict=True):
            assert message["train"] is False
            assert message["content"] != right
            assert message["content"] in [*NAMES, "none"]


def test_few_decisions_are_wrong_by_default():
    examples = training_examples(map(conversation, range(400)), augmentation=AS_IT_STANDS)
    wrong = sum("train" in message for example in examples for message in decisions(example))
    assert 35 < wrong < 90  # of 1,200


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
    assert [lines(p) for p in prepared] == [lines(prepared[0])] * 5
    assert [(p.rows, p.augmented) for p in prepared] == [(10, True)] * 5
    assert {p.sha256 for p in prepared} == {content_hash(map(parse_conversation, records))}


def test_the_hash_is_of_what_was_given_and_not_of_what_was_made_of_it(tmp_path):
    silent = {**record(9), "messages": [{"role": "user", "content": "nobody knows"}], "meta": {"kept": 1}}
    given = [record(1), silent]
    expected = content_hash(map(parse_conversation, given))
    ways = [
        prepare_training_data(given, tmp_path / "t.jsonl", copies=3),
        prepare_training_data(given, tmp_path / "t.jsonl", seed=5, augmentation=AS_IT_STANDS),
        prepare_validation_data(given, tmp_path / "v.jsonl"),
    ]
    assert [p.sha256 for p in ways] == [expected] * 3
    assert [p.rows for p in ways] == [3, 1, 1]
    assert prepare_validation_data(given[:1], tmp_path / "v.jsonl").sha256 != expected


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
    prepared = prepare_training_data([example], tmp_path / "t.jsonl", copies=3)
    assert lines(prepared) == [example]
    assert not prepared.augmented
    expected = ContentHash()
    expected.add(example)
    assert prepared.sha256 == expected.hexdigest()


def test_a_chat_example_in_memory_may_hold_what_is_no_json(tmp_path):
    moment = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    chat = {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}], "at": moment}
    assert len(prepare_training_data([chat], tmp_path / "t.jsonl").sha256) == 64


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


# -------------------------------------------------------------------------------------------------- what the hub asks


KEY = {"product": "mojodex", "task": "routing", "model_id": "router", "base_model": "a/b"}


def hyperparameters(tmp_path, **options):
    hub = Hub(cloud_service="aws", region_name="us-east-1", role="r", home=tmp_path)
    (request,) = hub.train(**{**KEY, "train_data": [record(1), record(2)], **options}, dry_run=True)
    return {name: json.loads(value) for name, value in request.parameters["HyperParameters"].items()}


def test_the_job_gets_the_content_hashes_of_what_was_given(tmp_path):
    given = hyperparameters(tmp_path, validation_data=[record(3)])
    assert given["dataset_sha256"] == content_hash([conversation(1), conversation(2)])
    assert given["validation_sha256"] == content_hash([conversation(3)])
    assert hyperparameters(tmp_path)["validation_sha256"] == ""


@pytest.mark.parametrize(("epochs", "versions"), [(1, 1), (2, 2), (0.5, 1), (2.5, 3), (40, 10)])
def test_each_epoch_gets_a_version_of_its_own(tmp_path, epochs, versions):
    assert hyperparameters(tmp_path, hyperparameters={"num_train_epochs": epochs})["data_versions"] == versions


def test_chat_examples_have_one_version(tmp_path):
    chat = [{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}]
    assert hyperparameters(tmp_path, train_data=chat)["data_versions"] == 1


@pytest.mark.parametrize("options", [{"augmentation": {"withheld_task": 0.1}}, {"pool": "pool.jsonl"}])
def test_augmentation_of_another_kind_is_refused(tmp_path, options):
    with pytest.raises(ConfigurationError, match="augmentation must be an Augmentation"):
        hyperparameters(tmp_path, **options)
