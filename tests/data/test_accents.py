"""A task keeps its name however its accents are typed, and comes back as the caller spells it."""

import json

import pytest

from mojo_toolbox.data import parse_conversation
from mojo_toolbox.data.checks import check
from mojo_toolbox.data.importers.rows import Labels, Row
from mojo_toolbox.data.importers.task_lists import TaskLists, read_tasks
from mojo_toolbox.data.jsonl import write_records
from mojo_toolbox.data.task_pool import TaskPool
from mojo_toolbox.data.wordings import read_alternatives
from mojo_toolbox.errors import DataError
from mojo_toolbox.evaluation.routers.question import Answer, Question, Record, checked_answer, usable
from mojo_toolbox.generation.judgements import read_judgements
from mojo_toolbox.model import Model, ServerReply
from mojo_toolbox.purposes.routing import routing_prompt

ONE, OTHER = "r\u00e9sum\u00e9", "re\u0301sume\u0301"


class Scripted(Model):
    name = "scripted"

    def __init__(self):
        self.asked = []

    def _ask(self, body):
        self.asked.append(json.loads(body))
        answer = self.asked[-1]["structured_outputs"]["choice"][0]
        choice = {
            "message": {"role": "assistant", "content": answer},
            "choice_probabilities": {answer: 0.75, "none": 0.25},
        }
        return ServerReply(json.dumps({"choices": [choice]}).encode(), "")


def talk(name, label):
    return {"tasks": [{"name": name}], "messages": [{"role": "user", "content": "x", "task": label}]}


@pytest.mark.parametrize(("name", "label"), [(ONE, OTHER), (OTHER, ONE), (OTHER, OTHER)])
def test_labels_and_tasks_meet(tmp_path, name, label):
    assert parse_conversation(talk(name, label)) == parse_conversation(talk(ONE, ONE))
    write_records(tmp_path / "c.jsonl", [talk(name, label)])
    assert check(tmp_path / "c.jsonl").errors == {}


def test_the_same_name_twice_is_a_duplicate(tmp_path):
    record = {"tasks": [{"name": ONE}, {"name": OTHER}], "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(DataError, match="occurs twice"):
        parse_conversation(record)
    with pytest.raises(DataError, match="occurs twice"):
        routing_prompt(record["messages"], record["tasks"])
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([ONE, OTHER]))
    with pytest.raises(DataError, match="occurs twice"):
        read_tasks(path)


def test_a_decision_comes_back_as_the_caller_spells_it():
    model = Scripted()
    turns = [{"role": "user", "content": "hi"}, {"role": "user", "content": "go"}]
    decision = model.predict(turns, tasks=[{"name": OTHER}], previous=ONE)
    assert decision.task == OTHER
    assert decision.probabilities == {OTHER: 0.75, None: 0.25}
    assert decision.probability == 0.75
    assert [m["content"] for m in model.asked[0]["messages"][1:3]] == ["User: hi", ONE]
    session = model.session(tasks=iter([{"name": OTHER}]))
    assert session.route("go").task == OTHER


def test_a_routers_answer_meets_the_list():
    question = Question([], [Record(name=ONE, description="")], None)
    assert checked_answer(OTHER, question) == Answer(ONE)
    given = Answer(OTHER, probabilities={OTHER: 0.5, None: 0.5})
    assert usable(given, question) == Answer(ONE, probability=0.5, probabilities={ONE: 0.5, None: 0.5})


def test_a_judges_answer_meets_the_list():
    assert read_judgements(json.dumps({"1": OTHER}), turns=[1], names=[ONE])[1].task == ONE
    assert read_judgements(f"1: {OTHER}", turns=[1], names=[ONE])[1].task == ONE


def test_wordings_meet_their_task(tmp_path):
    path = tmp_path / "wordings.json"
    path.write_text(json.dumps({OTHER: [{"description": "a CV"}]}))
    task = parse_conversation(talk(ONE, ONE)).tasks[0]
    assert [other.description for other in TaskPool(alternatives=read_alternatives(path)).wordings(task)] == ["a CV"]


def test_labels_of_a_table_meet_the_task_list():
    labels = Labels(TaskLists(parse_conversation(talk(ONE, ONE)).tasks), none_labels=[OTHER.upper(), "rien"])
    row = Row("t.csv", 2, "t.csv:2", "1", "x", OTHER)
    assert labels.require_known(row)
    assert not labels.means_none(OTHER)
    assert labels.means_none("Rien")
