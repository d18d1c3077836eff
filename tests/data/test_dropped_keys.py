"""Keys that change what a record means are honoured or refused, wherever people's records come in; others are theirs."""

import json

import pytest

from mojo_toolbox.data import parse_conversation, read_conversations
from mojo_toolbox.data.checks import check
from mojo_toolbox.data.conversations import parse_listed_task
from mojo_toolbox.data.importers.task_lists import read_tasks
from mojo_toolbox.data.task_pool import read_tasks as read_pool_tasks
from mojo_toolbox.data.wordings import read_alternatives
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.purposes.routing import routing_prompt
from mojo_toolbox.purposes.routing.dataset import prepare_training_data

TASK = {"name": "recap", "description": "Sum up a meeting"}
USER = {"role": "user", "content": "sum it up", "task": "recap"}


def conversation(*, task=TASK, user=USER, **more):
    return {"tasks": [task], "messages": [user], **more}


def chat(assistant=None, *, user=None, **more):
    turns = [
        {"role": "user", "content": "hi"} | (user or {}),
        {"role": "assistant", "content": "yes"} | (assistant or {}),
    ]
    return {"messages": turns, **more}


MISSPELT = [
    ("decription", conversation(task={"name": "recap", "decription": "Sum up"}), "'description'"),
    ("Description", conversation(task={"name": "recap", "Description": "Sum up"}), "'description'"),
    ("descrpition", conversation(task={"name": "recap", "descrpition": "Sum up"}), "'description'"),
    ("desc", conversation(task={"name": "recap", "desc": "Sum up"}), "'description'"),
    ("tasks", conversation(user={"role": "user", "content": "x", "tasks": "recap"}), "'task'"),
    ("taks", conversation(user={"role": "user", "content": "x", "taks": "recap"}), "'task'"),
    ("Task", conversation(user={"role": "user", "content": "x", "Task": "recap"}), "'task'"),
    ("label", conversation(user={"role": "user", "content": "x", "label": "recap"}), "'task'"),
    ("messges", {"tasks": [TASK], "messges": [USER]}, "'messages'"),
    ("contents", conversation(user={"role": "user", "contents": "x"}), "'content'"),
]


@pytest.mark.parametrize(("key", "record", "meant"), MISSPELT, ids=[key for key, _, _ in MISSPELT])
def test_a_misspelt_key_is_refused_with_the_one_that_is_meant(tmp_path, key, record, meant):
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(record))
    with pytest.raises(DataError, match=f"'{key}' is not read. Did you mean {meant}"):
        list(read_conversations(path))
    assert any(f"'{key}' is not read" in problem.message for problem in check(path).problems)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (conversation(task=TASK | {"examples": ["sum up tuesday"]}), "'examples' is not read by routers yet"),
        (conversation(user=USER | {"train": False}), "'train' is read in chat examples only"),
        (conversation(user=USER | {"weight": 0}), "'weight' is read in chat examples only"),
        (conversation(task="recap"), "task"),
        (conversation() | {"task": "recap"}, "'task' belongs to a user message"),
        (conversation(system="Be brief."), "'system' is not read"),
        (conversation(weight=0), "'weight' counts single messages only"),
    ],
)
def test_a_key_that_changes_the_meaning_is_refused(record, words):
    with pytest.raises(DataError, match=words):
        parse_conversation(record)


def test_keys_of_ones_own_are_left_alone():
    record = conversation(
        task=TASK | {"icon": "pen", "examples": []},
        user=USER | {"at": "12:00", "name": "Ann", "labels": "also there", "train": True, "weight": 1},
        source="crm",
        Task=None,
        metadata={},
    )
    assert parse_conversation(record).as_record() == conversation()


def test_predict_refuses_what_it_would_drop():
    turns = [{"role": "user", "content": "hi"}]
    with pytest.raises(DataError, match=r"task 2: 'examples' is not read by routers yet.*\.$"):
        routing_prompt(turns, [TASK, {"name": "email", "examples": ["write to Bo"]}])
    with pytest.raises(DataError, match=r"'decription' is not read\. Did you mean 'description'"):
        routing_prompt(turns, [{"name": "email", "decription": "Write"}])
    with pytest.raises(DataError, match=r"message 1: 'tasks' is not read\. Did you mean 'task'"):
        routing_prompt([turns[0] | {"tasks": "recap"}, *turns], [TASK])


def test_a_file_of_tasks_may_hold_examples_for_writing_conversations(tmp_path):
    given = TASK | {"examples": ["sum up tuesday"]}
    assert parse_listed_task(given).description == TASK["description"]
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(given))
    assert [task.name for task in read_tasks(path)] == ["recap"]
    assert [task.name for task in read_pool_tasks(path)] == ["recap"]


def test_a_task_without_its_name_is_no_list_of_names(tmp_path):
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps({"nmae": "recap", "description": "Sum up"}))
    with pytest.raises(DataError, match="Did you mean 'name'"):
        read_tasks(path)


def test_a_misspelt_key_of_a_wording_is_refused(tmp_path):
    path = tmp_path / "wordings.json"
    path.write_text(json.dumps({"recap": [{"nmae": "summary", "description": "Sum up"}]}))
    with pytest.raises(DataError, match="Did you mean 'name'"):
        read_alternatives(path)


def trained(tmp_path, record):
    prepared = prepare_training_data([record], tmp_path / "train.jsonl")
    return json.loads(prepared.path.read_text().splitlines()[0])["messages"]


@pytest.mark.parametrize("weight", [0, 0.0])
def test_a_weight_of_0_is_not_trained_on(tmp_path, weight):
    record = chat()
    record["messages"] += [{"role": "user", "content": "no?"}, {"role": "assistant", "content": "no", "weight": weight}]
    messages = trained(tmp_path, record)
    assert messages[3] == {"role": "assistant", "content": "no", "train": False}
    assert messages[1] == {"role": "assistant", "content": "yes"}


@pytest.mark.parametrize("weight", [1, 1.0, None])
def test_a_weight_of_1_is_trained_on(tmp_path, weight):
    assert trained(tmp_path, chat({"weight": weight}))[1] == {"role": "assistant", "content": "yes"}


@pytest.mark.parametrize("weight", [0.5, 2, -1, True, False, "0", "1", [], {}, [0], float("nan")])
def test_any_other_weight_is_refused(tmp_path, weight):
    with pytest.raises(DataError, match=r"message 2: weight .* is neither 0 nor 1"):
        trained(tmp_path, chat({"weight": weight}))


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (chat({"weight": 0}), "no assistant message to learn from"),
        (chat({"weight": 0, "train": True}), "contradict each other"),
        (chat({"weight": 1, "train": False}), "contradict each other"),
        (chat(user={"weight": 1}), "a user message bears no loss"),
        (chat(user={"train": True}), "a user message bears no loss"),
        (chat({"tool_calls": [{"function": {"name": "f"}}]}), "'tool_calls' is not read"),
        (chat({"function_call": {"name": "f"}}), "'function_call' is not read"),
        (chat({"refusal": "I cannot"}), "'refusal' is not read"),
        (chat({"reasoning_content": "hm"}), "'reasoning_content' is not read"),
        (chat({"wieght": 0}), "Did you mean 'weight'"),
        (chat({"trian": False}), "Did you mean 'train'"),
        (chat({"mask": True}), "Did you mean 'train'"),
        (chat(user={"task": "recap"}), "'task' is the label of a routing conversation"),
        (chat(tools=[{"type": "function"}]), "'tools' is not read"),
        (chat(functions=[{"name": "f"}]), "'functions' is not read"),
        (chat(system="Be brief."), "'system' is not read: write it as the first message"),
        (chat(weight=0), "'weight' counts single messages only"),
        (chat(choises=["yes"]), "Did you mean 'choices'"),
        (chat(rejected=[{"role": "assistant", "content": "no"}]), "'rejected' is not read"),
    ],
)
def test_a_chat_example_that_would_lose_its_meaning_is_refused(tmp_path, record, words):
    with pytest.raises(DataError, match=words) as caught:
        trained(tmp_path, record)
    assert "\n" not in str(caught.value)


def test_a_chat_example_keeps_no_empty_and_no_foreign_keys(tmp_path):
    record = chat({"tool_calls": None, "refusal": None, "name": "bot"}, tools=[], id="7", score=3, weight=1)
    assert trained(tmp_path, record) == chat()["messages"]


ONE = {"role": "user", "content": "sum it up", "task": "recap"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Weight", 0),
        ("WEIGHT", 0.5),
        ("wieght", 0),
        ("weigth", 0),
        ("Train", False),
        ("trian", False),
        ("sample_weight", 0),
        ("sampleWeight", 0.5),
        ("loss_weight", 2),
        ("weights", [0, 1]),
        ("importance", 3),
        ("ignore", True),
        ("Ignored", 1),
        ("skip", "yes"),
        ("exclude", True),
        ("is_excluded", True),
        ("exclude_from_training", True),
        ("no_train", True),
        ("masked", True),
        ("learn", False),
        ("learnable", 0),
        ("trainable", False),
        ("should_train", False),
        ("use_for_training", "false"),
        ("include", False),
        ("keep", False),
        ("loss", False),
        ("label", False),
        ("kto_tag", False),
        ("is_desirable", False),
    ],
)
def test_a_key_that_takes_something_out_of_training_is_refused_wherever_it_stands(tmp_path, key, value):
    marked = {key: value}
    for record in (chat(**marked), chat(marked), chat(user=marked)):
        with pytest.raises(DataError, match=f"'{key}' ") as caught:
            trained(tmp_path, record)
        assert "?." not in str(caught.value)
    for record in (conversation(**marked), conversation(user=ONE | marked)):
        with pytest.raises(DataError, match=f"'{key}' ") as caught:
            parse_conversation(record)
        assert "?." not in str(caught.value)
        path = tmp_path / "c.jsonl"
        path.write_text(json.dumps(record))
        assert any(f"'{key}' " in problem.message for problem in check(path).problems)


@pytest.mark.parametrize(
    "own",
    [
        {
            "Weight": 1,
            "sample_weight": 1.0,
            "ignore": False,
            "skip": 0,
            "exclude": "no",
            "keep": True,
            "use": "training",
        },
        {"label": True, "height": 180, "importance": "high", "drop": "a place", "included": ["a"], "delete": None},
        {"label": "billing", "score": 3, "trail": "north", "issued": True, "keeper": False, "used_by": 0},
    ],
    ids=range(3),
)
def test_keys_that_take_nothing_out_of_training_are_left_alone(tmp_path, own):
    assert trained(tmp_path, chat(**own)) == chat()["messages"]
    assert parse_conversation(conversation(**own)).as_record() == conversation()
    unlabelled = {key: value for key, value in own.items() if key != "label"}
    assert parse_conversation(conversation(user=ONE | unlabelled)).as_record() == conversation(user=ONE)


@pytest.mark.parametrize("key", ["Tools", "TOOLS", "tool s", "Functions", "System", "sytem", "Rejected"])
def test_a_key_with_a_meaning_is_known_in_other_spellings(tmp_path, key):
    with pytest.raises(DataError, match=f"'{key}' is not read"):
        trained(tmp_path, chat(**{key: "x"}))


def test_a_question_in_an_error_ends_with_its_own_mark(tmp_path):
    (tmp_path / "w.json").write_text(json.dumps({"recap": [{"nmae": "summary"}]}))
    (tmp_path / "t.jsonl").write_text(json.dumps({"nmae": "recap", "description": "x"}))
    turns = [{"role": "user", "content": "hi"}]
    for fail in (
        lambda: trained(tmp_path, chat({"mask": True})),
        lambda: parse_conversation(conversation(user={"role": "user", "content": "x", "taks": "recap"})),
        lambda: read_alternatives(tmp_path / "w.json"),
        lambda: read_tasks(tmp_path / "t.jsonl"),
        lambda: routing_prompt(turns, [{"nmae": "email", "description": "Write"}]),
        lambda: routing_prompt([{"role": "user", "contnet": "hi"}], [TASK]),
    ):
        with pytest.raises(DataError, match=r"Did you mean '\w+'\?( |$)"):
            fail()


@pytest.mark.parametrize(
    ("text", "whole"), [("a", "a."), ("a.", "a."), ("a?", "a?"), ("a! ", "a!"), (ValueError("b"), "b.")]
)
def test_a_text_becomes_a_sentence(text, whole):
    assert sentence(text) == whole
