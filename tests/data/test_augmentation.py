"""Augmented conversations: varied as asked, the same from the same seed, and never of another meaning."""

import inspect
import json
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import ROOT, table_rows

from mojo_toolbox.cli.commands.data_augment import augment_file
from mojo_toolbox.data import Conversation, Task, measuring_points, parse_conversation
from mojo_toolbox.data.augmentation import AS_IT_STANDS, Augmentation, augment
from mojo_toolbox.data.task_pool import TaskPool, read_pool, read_tasks, sample_tasks
from mojo_toolbox.data.wordings import Wording, read_alternatives
from mojo_toolbox.errors import ConfigurationError, DataError

TASKS = {
    "find_bus": "Find a bus journey between two cities",
    "reserve_table": "Reserve a table at a restaurant",
    "play_song": "Play the selected song",
    "check_balance": "Check the money in a bank account",
}
OTHERS = {
    "get_weather": "Tell the weather forecast of a place",
    "rent_car": "Rent a car for given dates",
    "see_dentist": "Search a dentist nearby",
    "set_alarm": "Wake somebody in the morning",
    "convert_currency": "Compute exchange rates",
    "write_poem": "Write verses that rhyme",
}
LABELS = ("find_bus", "find_bus", "play_song", None)
ALTERNATIVES = {
    "find_bus": (Wording("coach_trips", "Look up coaches"), Wording("play_song"), Wording(description="Buses only")),
    "play_song": (Wording("music"), Wording("coach_trips", "Rides with songs")),
    "get_weather": (Wording("forecast"),),
}


def tasks(listing):
    return [Task(name=name, description=description) for name, description in listing.items()]


def conversation(labels=LABELS, number=0, texts=None):
    turns = []
    for i, task in enumerate(labels):
        turns += [
            {"role": "user", "content": texts[i] if texts else f"{number}.{i}", "task": task},
            {"role": "assistant", "content": "ok"},
        ]
    listed = [{"name": name, "description": description} for name, description in TASKS.items()]
    return parse_conversation({"id": f"c{number}", "tasks": listed, "messages": turns, "meta": {"kept": True}})


def only(**shares):
    return Augmentation(**{**vars(AS_IT_STANDS), **shares})


def names(of):
    return [task.name for task in of.tasks]


def labels(of):
    return [m.task if m.labelled else ... for m in of.messages if m.role == "user"]


# ------------------------------------------------------------------------------------------------ what is varied


def test_as_it_stands_changes_nothing_but_the_id():
    augmented = augment(conversation(), augmentation=AS_IT_STANDS, pool=TaskPool(tasks(OTHERS)))
    assert augmented.tasks == conversation().tasks
    assert augmented.messages == conversation().messages


def test_it_says_what_it_came_from():
    augmented = augment(conversation(), seed=3, copy=2)
    assert augmented.id == "c0#3.2"
    assert augmented.meta == {"kept": True, "augmented_from": "c0", "augmented_seed": 3, "augmented_copy": 2}
    nameless = conversation().model_copy(update={"id": ""})
    assert len(augment(nameless).meta["augmented_from"]) == 12


def test_the_list_is_in_another_order_each_time():
    orders = {tuple(names(augment(conversation(), seed=seed, augmentation=only(shuffled=True)))) for seed in range(40)}
    assert len(orders) > 10
    assert all(sorted(order) == sorted(TASKS) for order in orders)


def test_a_withheld_task_leaves_the_list_and_its_turns_become_none():
    gone_ones = set()
    for seed in range(20):
        augmented = augment(conversation(), seed=seed, augmentation=only(withheld_task=1))
        (gone,) = set(TASKS) - set(names(augmented))
        assert labels(augmented) == [None if task == gone else task for task in LABELS]
        gone_ones.add(gone)
    assert gone_ones == {"find_bus", "play_song"}


def test_the_only_task_is_never_withheld():
    one = parse_conversation({"tasks": [{"name": "a"}], "messages": [{"role": "user", "content": "x", "task": "a"}]})
    assert names(augment(one, augmentation=Augmentation(withheld_task=1, fewer_tasks=1))) == ["a"]


def test_fewer_tasks_are_those_in_charge_and_a_part_of_the_others():
    lengths = set()
    for seed in range(20):
        augmented = augment(conversation(), seed=seed, augmentation=only(fewer_tasks=1))
        assert {"find_bus", "play_song"} <= set(names(augmented)) < set(TASKS)
        assert labels(augmented) == list(LABELS)
        lengths.add(len(augmented.tasks))
    assert lengths == {2, 3}


def test_hidden_decisions_are_the_first_ones_and_one_is_always_left():
    hidden = set()
    for seed in range(30):
        found = labels(augment(conversation(), seed=seed, augmentation=only(hidden_decisions=1)))
        known = [task for task in found if task is not ...]
        assert found == [...] * (4 - len(known)) + list(LABELS[-len(known) :])
        hidden.add(4 - len(known))
    assert hidden == {0, 1, 2, 3}


def test_a_share_is_that_of_the_examples():
    varied = sum(
        len(augment(conversation(number=n), augmentation=only(withheld_task=0.25)).tasks) < 4 for n in range(2000)
    )
    assert 430 < varied < 570


def test_to_change_one_share_leaves_what_the_others_draw():
    mild = [augment(conversation(), seed=s, augmentation=only(shuffled=True)) for s in range(20)]
    strong = [augment(conversation(), seed=s, augmentation=only(shuffled=True, hidden_decisions=1)) for s in range(20)]
    assert [names(c) for c in mild] == [names(c) for c in strong]


# --------------------------------------------------------------------------------------------------- distractors


def added(to, pool, *, seed=0, **options):
    augmented = augment(to, seed=seed, augmentation=only(distractors=1, **options), pool=pool)
    return set(names(augmented)) - set(names(to))


def test_distractors_lengthen_the_list_up_to_its_maximum():
    pool = TaskPool(tasks(OTHERS))
    counts = {len(added(conversation(), pool, seed=seed, max_tasks=7)) for seed in range(40)}
    assert counts == {1, 2, 3}
    assert added(conversation(), pool, max_tasks=4) == set()
    assert added(conversation(), pool, max_tasks=2) == set()


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("find_bus", "Something else altogether"),
        ("Find-Bus", "Something else altogether"),
        ("findBus", ""),
        ("coaches", "Find a bus journey between two given cities"),
        ("song_player", "Plays songs"),
        ("bank_account_balance", ""),
    ],
)
def test_a_distractor_that_resembles_a_listed_task_is_not_added(name, description):
    pool = TaskPool([*tasks(OTHERS), Task(name=name, description=description)])
    found = set().union(*(added(conversation(), pool, seed=seed) for seed in range(30)))
    assert found == set(OTHERS)


def test_a_distractor_that_the_user_asks_for_is_not_added():
    texts = ["will it rain? what does the weather report say", "wake me at six, set an alarm", "ok", "thx"]
    asked = conversation((None, None, "play_song", None), texts=texts)
    found = set().union(*(added(asked, TaskPool(tasks(OTHERS)), seed=seed) for seed in range(30)))
    assert found == set(OTHERS) - {"get_weather", "set_alarm"}


def test_likeness_is_seen_in_other_scripts():
    one = parse_conversation(
        {
            "tasks": [{"name": "订餐厅", "description": "在餐厅预订座位"}],
            "messages": [{"role": "user", "content": "मुझे आज का मौसम बताओ", "task": None}],
        }
    )
    pool = TaskPool(
        [
            Task(name="餐厅预订", description="预订餐厅的座位"),
            Task(name="मौसम", description="मौसम का हाल"),
            Task(name="音乐", description="播放歌曲"),
            Task(name="बैंक", description="खाते की राशि"),
        ]
    )
    assert set().union(*(added(one, pool, seed=seed) for seed in range(20))) == {"音乐", "बैंक"}


def test_what_was_withheld_or_left_out_does_not_come_back():
    pool = TaskPool([*tasks(TASKS), *tasks(OTHERS), Task(name="bus_search", description="Find a bus journey")])
    strong = Augmentation(withheld_task=1, fewer_tasks=1, distractors=1)
    for seed in range(30):
        augmented = augment(conversation(), seed=seed, augmentation=strong, pool=pool)
        assert set(names(augmented)) - set(OTHERS) < set(TASKS)


def test_a_distractor_is_judged_in_all_its_wordings():
    listed_alternative = TaskPool(
        [Task(name="coach_trips", description="Xyz")], alternatives={"find_bus": (Wording("coach_trips"),)}
    )
    own_alternative = TaskPool(
        [Task(name="vehicles", description="Xyz")], alternatives={"vehicles": (Wording("bus_finder"),)}
    )
    assert [added(conversation(), pool) for pool in (listed_alternative, own_alternative)] == [set(), set()]


def test_without_a_pool_nothing_is_added():
    assert added(conversation(), None) == set()


def test_the_pool_keeps_a_sample_of_distinct_tasks_whatever_the_order():
    many = [Task(name=f"task_{i}", description=f"Does {i}") for i in range(500)]
    again = [*many, *many]
    random.Random(1).shuffle(again)
    sample = sample_tasks(iter(again), limit=50)
    assert len(set(sample)) == 50
    assert set(sample) == set(sample_tasks(many, limit=50))
    assert 150 < sum(int(task.name[5:]) for task in sample) / 50 < 350
    assert set(sample_tasks(again, limit=5000)) == set(many)


# ------------------------------------------------------------------------------------------------------ renaming


def test_labels_follow_the_renaming_and_names_stay_distinct():
    pool = TaskPool(alternatives=ALTERNATIVES)
    seen = set()
    for seed in range(40):
        augmented = augment(conversation(), seed=seed, augmentation=only(renamed_tasks=1), pool=pool)
        new = dict(zip(TASKS, names(augmented), strict=True))
        assert len(set(new.values())) == 4
        assert labels(augmented) == [task and new[task] for task in LABELS]
        # "play_song" is another task of this list, so no bus is called that.
        assert new["find_bus"] in {"coach_trips", "find_bus"}
        assert new["play_song"] in {"music", "coach_trips"}
        assert (new["reserve_table"], new["check_balance"]) == ("reserve_table", "check_balance")
        seen.add(tuple(new.values()))
    assert len(seen) > 2


def test_a_wording_changes_the_description_and_may_keep_the_name():
    pool = TaskPool(alternatives={"find_bus": (Wording(description="Buses only"),)})
    augmented = augment(conversation(), augmentation=only(renamed_tasks=1), pool=pool)
    assert augmented.tasks[0] == Task(name="find_bus", description="Buses only")


@pytest.mark.parametrize(
    "text",
    [
        '{"recap": [{"name": "summary", "description": "Sum\\n up"}, {"description": "Short"}], "x": []}',
        '{\n "recap": [\n  {"name": "summary", "description": "Sum up"},\n {"description": "Short"}], "x": []\n}',
        '\ufeff{"recap": [{"name": "summary", "description": "Sum up"}]}\r\n{"recap": [{"description": "Short"}], "x": []}',
    ],
)
def test_alternatives_are_read_from_json_and_from_json_lines(tmp_path, text):
    path = tmp_path / "wordings.json"
    path.write_bytes(text.encode())
    assert read_alternatives(path) == {"recap": (Wording("summary", "Sum up"), Wording(None, "Short")), "x": ()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("[1]", "a JSON object was expected, not list"),
        ("{\n]", r":2: not JSON"),
        ('{"a": {"name": "b"}}', ":1: 'a': a list of wordings was expected"),
        ('{"a": ["b"]}', ":1: 'a': 'b' is no wording"),
        ('{"a": [{}]}', ":1: 'a': {} is no wording"),
        ('{"a": [{"name": "None"}]}', ":1: 'a': name: a task cannot be named"),
        ('{"a": []}\n{"a": [{"description": 3}]}', ":2: 'a': description"),
    ],
)
def test_alternatives_that_cannot_be_used_are_named(tmp_path, text, words):
    (tmp_path / "wordings.json").write_text(text)
    with pytest.raises(DataError, match=words):
        read_alternatives(tmp_path / "wordings.json")


def test_a_pool_is_read_from_conversations_or_tasks(tmp_path):
    records = [conversation().as_record(), {"name": "rent_car", "description": "Rent a car"}]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    pool = read_pool(tmp_path / "pool.jsonl")
    assert [task.name for task in pool.distractors] == sorted([*TASKS, "rent_car"])
    (tmp_path / "bad.jsonl").write_text('{"name": "ok"}\n{"name": ""}\n')
    with pytest.raises(DataError, match=r"bad\.jsonl:2: not a task"):
        list(read_tasks(tmp_path / "bad.jsonl"))


# ------------------------------------------------------------------------------------- always the same, always true

NAMES = st.sampled_from([*TASKS, *OTHERS, "büro", "日程", "x", "coach_trips"])
SHARES = st.sampled_from([0.0, 0.5, 1.0])
AUGMENTATIONS = st.builds(
    Augmentation,
    shuffled=st.booleans(),
    withheld_task=SHARES,
    fewer_tasks=SHARES,
    distractors=SHARES,
    max_tasks=st.integers(1, 12),
    renamed_tasks=SHARES,
    hidden_decisions=SHARES,
)
POOLS = st.builds(
    TaskPool,
    st.lists(st.builds(Task, name=NAMES, description=st.sampled_from(["", *OTHERS.values()])), max_size=8),
    alternatives=st.sampled_from([None, ALTERNATIVES]),
)


@st.composite
def conversations(draw):
    listed = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    messages = []
    for role in draw(st.lists(st.sampled_from(["user", "user", "assistant"]), min_size=1, max_size=8)):
        message = {"role": role, "content": draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))}
        if role == "user" and draw(st.booleans()):
            message["task"] = draw(st.sampled_from([None, *listed]))
        messages.append(message)
    tasks = [{"name": name, "description": (TASKS | OTHERS).get(name, "")} for name in listed]
    return parse_conversation({"id": draw(st.sampled_from(["", "a", "b"])), "tasks": tasks, "messages": messages})


@settings(max_examples=300, deadline=None)
@given(conversations(), AUGMENTATIONS, POOLS, st.integers(0, 5), st.integers(0, 3))
def test_an_augmented_conversation_keeps_its_meaning(original, augmentation, pool, seed, copy):
    options = {"seed": seed, "copy": copy, "augmentation": augmentation, "pool": pool}
    augmented = augment(original, **options)
    assert augment(Conversation.model_validate(original.as_record()), **options) == augmented
    # It parses: names are distinct, every label is listed.
    read = parse_conversation(json.loads(json.dumps(augmented.as_record())))
    assert read.as_record() == augmented.as_record()
    assert len(augmented.tasks) <= max(len(original.tasks), augmentation.max_tasks)

    before, after = original.messages, augmented.messages
    assert [(m.role, m.content) for m in after] == [(m.role, m.content) for m in before]
    known = [i for i, m in enumerate(after) if m.labelled]
    was_known = [i for i, m in enumerate(before) if m.labelled]
    # Labels are hidden from the front only, one is left, and none appears.
    assert known == was_known[len(was_known) - len(known) :]
    assert bool(known) == bool(was_known)

    became: dict[str | None, set[str | None]] = {}
    for i in known:
        became.setdefault(before[i].task, set()).add(after[i].task)
    # A task is in all turns the same afterwards, and no two tasks become one; only a withheld task becomes none.
    assert all(len(new) == 1 for new in became.values())
    still = [next(iter(new)) for old, new in became.items() if old is not None and new != {None}]
    assert len(set(still)) == len(still)
    assert became.get(None, {None}) == {None}
    assert sum(new == {None} for old, new in became.items() if old is not None) <= 1
    # What is measured follows from the labels that are left.
    assert [p.turn for p in measuring_points(augmented)] == known


def test_the_order_of_conversations_and_the_process_do_not_matter(tmp_path):
    records = [conversation(number=n).as_record() for n in range(8)]
    program = (
        "import json, sys\n"
        "from mojo_toolbox.data import parse_conversation\n"
        "from mojo_toolbox.data.augmentation import Augmentation, augment\n"
        "from mojo_toolbox.data.task_pool import TaskPool, Task\n"
        "given = json.load(sys.stdin)\n"
        "pool = TaskPool([Task(**task) for task in given['pool']])\n"
        "strong = Augmentation(withheld_task=.5, fewer_tasks=.5, distractors=1)\n"
        "found = [augment(parse_conversation(r), seed=1, augmentation=strong, pool=pool).as_record() for r in given['of']]\n"
        "print(json.dumps(sorted(found, key=lambda record: record['id'])))\n"
    )

    def run(given, hash_seed):
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(filter(None, sys.path))}
        command = [sys.executable, "-c", program]
        text = json.dumps(given)
        done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, check=True)
        return done.stdout

    pool = [{"name": name, "description": description} for name, description in OTHERS.items()]
    assert run({"of": records, "pool": pool}, "1") == run({"of": records[::-1], "pool": pool[::-1]}, "2")


def test_seeds_and_copies_differ():
    found = {tuple(names(augment(conversation(), seed=seed, copy=copy))) for seed in range(4) for copy in range(4)}
    assert len(found) > 6


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"withheld_task": 1.5}, "withheld_task=1.5 must be a share between 0 and 1"),
        ({"distractors": float("nan")}, "distractors=nan"),
        ({"hidden_decisions": "0.3"}, "hidden_decisions='0.3'"),
        ({"renamed_tasks": True}, "renamed_tasks=True"),
        ({"max_tasks": 0}, "max_tasks=0 must be a whole number of at least 1"),
        ({"max_tasks": 2.5}, "max_tasks=2.5"),
        ({"shuffled": 1}, "shuffled=1 must be true or false"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ConfigurationError, match=words):
        Augmentation(**settings)


def test_the_page_has_the_settings_with_their_defaults():
    rows = [row for row in table_rows(ROOT / "docs" / "augment-data.md") if row[0].startswith("`")]
    assert {row[0].strip("`"): row[1] for row in rows} == {
        name: str(value) for name, value in vars(Augmentation()).items()
    }


def test_the_command_has_the_defaults_of_the_function():
    defaults = {name: parameter.default for name, parameter in inspect.signature(augment_file).parameters.items()}
    shared = {name: value for name, value in vars(Augmentation()).items() if name != "shuffled"}
    assert {name: defaults[name] for name in shared} == shared
