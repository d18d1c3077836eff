"""CLINC150 as published: one turn each, a list around its intent."""

import json

import pytest

from mojo_toolbox.data.importers import ImportSummary, import_clinc
from mojo_toolbox.errors import ConfigurationError, DataError

DOMAINS = {f"domain_{d}": [f"d{d}_intent_{i}" for i in range(8)] for d in range(4)}
INTENTS = [intent for intents in DOMAINS.values() for intent in intents]


def write(folder, document=None, domains=DOMAINS):
    pairs = [[f"say {intent} {n}", intent] for intent in INTENTS for n in range(3)]
    outside = [[f"outside {n}", "oos"] for n in range(5)]
    published = {"train": pairs, "val": pairs, "test": pairs, **{f"oos_{s}": outside for s in ("train", "val", "test")}}
    path = folder / "data_full.json"
    path.write_text(json.dumps(published if document is None else document))
    if domains:
        (folder / "domains.json").write_text(json.dumps(domains))
    return path


def test_queries_become_conversations_of_one_turn(tmp_path):
    summary = ImportSummary()
    found = list(import_clinc(write(tmp_path), split="val", withhold=0, summary=summary))
    first, last = found[0], found[-1]
    assert (first.id, first.messages[0].content, first.messages[0].task) == (
        "clinc-val-0",
        "say d0_intent_0 0",
        "d0_intent_0",
    )
    assert (last.id, last.messages[0].task, last.messages[0].labelled) == ("clinc-val-oos4", None, True)
    assert (len(found), summary.labelled, summary.no_task) == (101, 101, 5)
    assert {c.meta["kind"] for c in found} == {"in_scope", "oos"}
    assert all(len(c.tasks) == 15 for c in found)
    described = {task.name: task.description for c in found for task in c.tasks}
    assert described["d1_intent_2"] == "The user wants help with: d1 intent 2 (domain 1)."


def test_a_third_of_the_list_is_of_the_same_domain(tmp_path):
    for conversation in import_clinc(write(tmp_path), split="val", withhold=0):
        if conversation.meta["kind"] == "in_scope":
            own = conversation.messages[0].task[:2]
            assert sum(task.name.startswith(own) for task in conversation.tasks) == 6


def test_a_withheld_intent_goes_with_its_domain(tmp_path):
    found = [c for c in import_clinc(write(tmp_path), split="test", withhold=0.5) if c.meta["kind"] != "oos"]
    withheld = [c for c in found if c.meta["kind"] == "withheld"]
    assert 30 < len(withheld) < 70
    for conversation in withheld:
        assert conversation.messages[0].task is None
        domain = conversation.messages[0].content.split()[1][:2]
        assert not [task for task in conversation.tasks if task.name.startswith(domain)]


def test_without_domains_lists_are_drawn_from_all(tmp_path):
    found = list(import_clinc(write(tmp_path, domains=None), split="val", tasks_per_list=5, withhold=0.3))
    assert {len(c.tasks) for c in found} == {5}
    assert found[0].tasks[0].description.endswith(".")
    assert "(" not in found[0].tasks[0].description


def test_positions_of_the_right_task_are_even(tmp_path):
    found = list(import_clinc(write(tmp_path), split="val", tasks_per_list=4, withhold=0))
    positions = [
        [task.name for task in c.tasks].index(c.messages[0].task) for c in found if c.meta["kind"] == "in_scope"
    ]
    assert all(positions.count(place) > 12 for place in range(4))


def test_a_row_that_is_no_pair_is_left_out(tmp_path):
    document = {"val": [["a", "x"], ["b"], "c", ["d", 3], ["e", "y"]]}
    summary = ImportSummary()
    found = list(import_clinc(write(tmp_path, document, domains=None), split="dev", withhold=0, summary=summary))
    assert [c.id for c in found] == ["clinc-val-0", "clinc-val-4"]
    (left,) = summary.left_out["conversation"].values()
    assert (left.count, left.example.partition(", ")[2]) == (3, "val[1]")


def test_other_files_are_refused(tmp_path):
    path = write(tmp_path)
    with pytest.raises(DataError, match="has no split 'dvl'; it has 'train'"):
        import_clinc(path, split="dvl")
    with pytest.raises(DataError, match="no such file"):
        import_clinc(tmp_path / "nothing.json")
    with pytest.raises(DataError, match="is a folder"):
        import_clinc(tmp_path)
    with pytest.raises(ConfigurationError, match="1 is the least"):
        import_clinc(path, tasks_per_list=0)
    for document, words in (
        ([], "not of the form"),
        ({"train": 1}, "not of the form"),
        ({"train": [["a", "in"], ["b", "oos"]]}, "fewer than two intents"),
        ({"train": [["a", "in"], ["b", "none"]]}, "an intent cannot be a task: name: a task cannot be named 'none'"),
    ):
        with pytest.raises(DataError, match=words):
            import_clinc(write(tmp_path, document))
    path.write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        import_clinc(path)
    with pytest.raises(DataError, match=r"domains of mine.*no such file"):
        import_clinc(write(tmp_path), domains=tmp_path / "domains of mine.json")
