"""No task can be called "none": where a task is expected, "none" in whatever capitals is None, at every door."""

import pytest

from mojo_toolbox.data import measuring_points, parse_conversation
from mojo_toolbox.data.augmentation import augment
from mojo_toolbox.data.checks import check
from mojo_toolbox.data.content_hash import content_hash
from mojo_toolbox.data.importers.rows import Labels
from mojo_toolbox.data.importers.task_lists import TaskLists
from mojo_toolbox.data.jsonl import write_records
from mojo_toolbox.data.wordings import read_alternatives
from mojo_toolbox.errors import DataError
from mojo_toolbox.evaluation.routers.question import Answer, Question, Record, checked_answer, usable
from mojo_toolbox.purposes.routing import routing_prompt

TASKS = [{"name": "recap", "description": "Sum up"}, {"name": "email", "description": "Write"}]
SPELLINGS = ["none", "None", "NONE", " none ", "None\n"]


def talk(*labels, **more):
    turns = [{"role": "user", "content": str(number), "task": label} for number, label in enumerate(labels)]
    return {"tasks": TASKS, "messages": turns, **more}


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_none_in_a_record_is_no_task(tmp_path, spelt):
    read, meant = parse_conversation(talk("recap", spelt)), parse_conversation(talk("recap", None))
    assert read == meant
    assert read.messages[1].labelled
    assert [point.point for point in measuring_points(read)] == ["start", "end"]
    assert content_hash([read]) == content_hash([meant])
    assert augment(read, seed=3) == augment(meant, seed=3)
    write_records(tmp_path / "c.jsonl", [talk("recap", spelt)])
    assert check(tmp_path / "c.jsonl").errors == {}


def test_a_stored_point_may_follow_from_it():
    record = talk("recap", "NONE")
    record["messages"][1]["point"] = "end"
    assert parse_conversation(record).messages[1].task is None


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_none_as_the_previous_decision_is_no_task(spelt):
    turns = [{"role": "user", "content": "hi"}, {"role": "user", "content": "sum it up"}]
    known = routing_prompt(turns, TASKS, previous=None)
    assert routing_prompt(turns, TASKS, previous=spelt) == known
    assert routing_prompt([turns[0] | {"task": spelt}, turns[1]], TASKS) == known
    assert known != routing_prompt(turns, TASKS)


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_text_is_neither_a_task_nor_none(empty):
    turns = [{"role": "user", "content": "hi"}, {"role": "user", "content": "sum it up"}]
    with pytest.raises(DataError, match="names no task"):
        routing_prompt(turns, TASKS, previous=empty)
    with pytest.raises(DataError, match="names no task"):
        parse_conversation(talk("recap", empty))


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_none_as_a_routers_answer_is_no_task(spelt):
    question = Question([], [Record(task) for task in TASKS], None)
    assert checked_answer(spelt, question) == Answer(task=None)
    given = Answer(task=spelt, probabilities={"recap": 0.25, "email": 0.25, spelt: 0.5})
    assert usable(given, question) == Answer(
        None, probability=0.5, probabilities={"recap": 0.25, "email": 0.25, None: 0.5}
    )


def test_two_shares_for_no_task_are_refused():
    question = Question([], [Record(task) for task in TASKS], None)
    with pytest.raises(ValueError, match="two shares"):
        usable(Answer(None, probabilities={"none": 0.5, None: 0.5}), question)


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_none_in_a_table_is_no_task_whatever_else_is_called_so(spelt):
    tasks = parse_conversation(talk(None)).tasks
    assert Labels(TaskLists(tasks), none_labels=["rien"]).means_none(spelt)


@pytest.mark.parametrize("spelt", ["none", "NONE", "a\u200bb"])
def test_wordings_are_of_a_task(tmp_path, spelt):
    path = tmp_path / "wordings.json"
    path.write_text(f'{{"{spelt}": [{{"name": "nothing"}}]}}')
    with pytest.raises(DataError, match="names no task"):
        read_alternatives(path)
