"""Plans: the same from the same seed, balanced, true to their scenario, and never tidy."""

import collections
import itertools
import random
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mojo_toolbox.data import POINTS, Task, point_of
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.generation.few_shot import starter_examples
from mojo_toolbox.generation.plan import DEFAULT_SHARES, plan
from mojo_toolbox.generation.scenarios import NEEDS_TWO_TASKS, planned_turns
from mojo_toolbox.generation.task_file import Example, TaskFile
from mojo_toolbox.generation.templates import messages_for

DEEDS = [
    "Sum up a meeting",
    "Write to a customer after a call",
    "Prepare an offer with prices",
    "Find out whether a lead is worth the effort",
    "Answer an inbound question",
    "Book a flight to anywhere",
    "Order lunch for the office",
    "Translate a letter",
]
PRINT_PLANS = """
from mojo_toolbox.data import Task
from mojo_toolbox.generation.plan import plan
from mojo_toolbox.generation.task_file import TaskFile
tasks = tuple(Task(name=f"t{i}", description="does it") for i in range(9))
print([plan(i, TaskFile(tasks=tasks), seed=5) for i in range(9)])
"""


def spec(number=6, **also):
    return TaskFile(
        tasks=tuple(Task(name=f"task_{i}", description=DEEDS[i % len(DEEDS)]) for i in range(number)), **also
    )


def plans(number, tasks=None, *, seed=1, **settings):
    return [plan(i, tasks or spec(), seed=seed, **settings) for i in range(number)]


def points(planned):
    labels = [None, *(turn.task for turn in planned.turns)]
    return [point_of(before, after) for before, after in itertools.pairwise(labels)]


def test_two_thousand_prompts_are_all_different():
    prompts = {str(messages_for(planned)) for planned in plans(2000)}
    assert len(prompts) == 2000


def test_a_plan_follows_from_number_seed_and_tasks_alone():
    several = plans(30)
    assert plans(30) == several
    assert plan(17, spec(), seed=1) == several[17]
    assert plans(30, seed=2) != several


def test_a_plan_is_the_same_in_another_process():
    said = {
        subprocess.run([sys.executable, "-c", PRINT_PLANS], check=True, capture_output=True).stdout for _ in range(2)
    }
    assert len(said) == 1


def test_the_first_plans_have_the_shares_already():
    seen = collections.Counter(planned.scenario for planned in plans(100))
    for scenario, share in DEFAULT_SHARES.items():
        assert abs(seen[scenario] - 100 * share) <= 2


def test_shares_are_the_users():
    seen = collections.Counter(
        planned.scenario for planned in plans(40, shares={"switch": 3, "ending": 1, "return": 0})
    )
    assert seen == {"switch": 30, "ending": 10}


def test_to_change_the_shares_leaves_the_voice_and_the_list_as_they_were():
    for one, other in zip(plans(20), plans(20, shares={"return": 1}), strict=True):
        assert (one.voice, one.tasks, one.examples) == (other.voice, other.tasks, other.examples)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"swich": 1}, "Did you mean switch?"),
        ({"switch": -1}, "'switch' among the scenarios must be a number of at least 0, not -1"),
        ({"switch": float("nan")}, "must be a number"),
        ({"switch": float("inf")}, "must be a number"),
        ({"switch": True}, "must be a number"),
        ({"switch": "1"}, "must be a number"),
        ({"switch": 0}, "at least one must be above 0"),
        ({}, "share by name"),
        ([("switch", 1)], "share by name"),
    ],
)
def test_shares_that_are_none_are_told(shares, said):
    with pytest.raises(ConfigurationError, match=said):
        plan(0, spec(), seed=0, shares=shares)


def test_languages_have_their_shares():
    spoken = collections.Counter(planned.voice.language for planned in plans(400, languages={"French": 3, "Thai": 1}))
    assert set(spoken) == {"French", "Thai"}
    assert 250 < spoken["French"] < 350


@pytest.mark.parametrize("name", ["", " ", "French\nIgnore this", "x" * 81, 7])
def test_a_language_is_one_short_line(name):
    with pytest.raises(ConfigurationError, match="no language's name"):
        plan(0, spec(), seed=0, languages={name: 1})


def test_every_kind_of_decision_is_frequent():
    counted = collections.Counter(point for planned in plans(500) for point in points(planned))
    total = sum(counted.values())
    assert set(counted) == set(POINTS)
    assert all(counted[point] / total > 0.07 for point in POINTS)


def test_tasks_are_wanted_alike_and_listed_in_another_order_each_time():
    several = plans(600)
    wanted = collections.Counter(turn.task for planned in several for turn in planned.turns if turn.task)
    assert max(wanted.values()) < 1.5 * min(wanted.values())
    assert len({planned.tasks for planned in several}) > 300
    first = collections.Counter(planned.tasks[0].name for planned in several)
    assert max(first.values()) < 1.6 * min(first.values())


def test_labels_are_listed_and_lists_are_of_4_to_20_tasks():
    sizes = set()
    for planned in plans(300, spec(40)):
        names = [task.name for task in planned.tasks]
        assert {turn.task for turn in planned.turns} - {None} <= set(names)
        assert len(set(names)) == len(names)
        sizes.add(len(names))
    assert sizes == set(range(4, 21))


def test_lengths_are_spread():
    lengths = collections.Counter(len(planned.turns) for planned in plans(500))
    assert min(lengths) == 1
    assert max(lengths) > 12
    assert max(lengths.values()) < 150


def test_a_single_task_is_enough_without_a_switch():
    several = plans(100, spec(1))
    assert {planned.scenario for planned in several} == set(DEFAULT_SHARES) - NEEDS_TWO_TASKS
    assert all(point != "switch" for planned in several for point in points(planned))
    with pytest.raises(ConfigurationError, match="two_wishes needs two tasks"):
        plan(0, spec(1), seed=0, shares={"two_wishes": 1})


def of_scenario(scenario, **also):
    found = plans(200, shares={scenario: 1}, **also)
    return found, [points(planned) for planned in found]


def test_one_task_leads_to_one_task():
    found, _ = of_scenario("one_task")
    assert all(len({turn.task for turn in planned.turns} - {None}) == 1 for planned in found)


def test_a_switch_has_a_switch_and_not_only_after_many_turns():
    _, seen = of_scenario("switch")
    assert all("switch" in each for each in seen)
    assert any(each[:2] == ["start", "switch"] for each in seen)
    assert any(each.count("switch") > 1 for each in seen)


def test_a_return_takes_up_a_task_that_was_left():
    found, _ = of_scenario("return")
    for planned in found:
        labels = [turn.task for turn in planned.turns]
        back = next(i for i, turn in enumerate(planned.turns) if turn.kind == "return")
        assert labels[back] in labels[:back]
        assert labels[back] != labels[back - 1]
    assert {
        planned.turns[i - 1].task is None
        for planned in found
        for i, t in enumerate(planned.turns)
        if t.kind == "return"
    } == {True, False}


def test_endings_are_of_all_sorts():
    found, seen = of_scenario("ending")
    assert all("end" in each for each in seen)
    assert len({turn.intent for planned in found for turn in planned.turns if turn.kind == "end"}) > 10
    after = collections.Counter(
        each[each.index("end") + 1] if each[-1] != "end" or each.index("end") + 1 < len(each) else "" for each in seen
    )
    assert set(after) == {"", "none", "start"}


def test_what_no_task_covers_is_wanted_before_inside_and_after():
    found, seen = of_scenario("uncovered")
    assert all(turn.task is None for planned in found for turn in planned.turns if turn.kind == "uncovered")
    assert all(any(turn.kind == "uncovered" for turn in planned.turns) for planned in found)
    assert any(set(each) == {"none"} for each in seen)
    assert any("end" in each and "start" in each[each.index("end") :] for each in seen)


def test_a_task_that_is_not_listed_is_asked_for_in_vain():
    found, _ = of_scenario("uncovered", tasks=spec(8))
    asked = [
        (planned, turn)
        for planned in found
        for turn in planned.turns
        if "task_" in turn.intent and turn.kind == "uncovered"
    ]
    in_vain = [(planned, turn) for planned, turn in asked if not any(t.name in turn.intent for t in planned.tasks)]
    assert len(in_vain) > 10


def test_what_is_asked_for_in_vain_does_not_resemble_a_listed_task():
    twins = TaskFile(tasks=tuple(Task(name=f"n{i}", description="Book a table at a restaurant") for i in range(30)))
    intents = [turn.intent for planned in plans(60, twins, shares={"uncovered": 1}) for turn in planned.turns]
    assert not any("cannot do here" in intent for intent in intents)


def test_small_talk_inside_does_not_leave_the_task():
    found, _ = of_scenario("small_talk")
    inside = 0
    for planned in found:
        for before, turn in itertools.pairwise(planned.turns):
            if turn.kind == "small_talk" and before.task:
                assert turn.task == before.task
                inside += 1
    assert inside >= len(found)
    assert any(planned.turns[0].kind == "small_talk" and planned.turns[0].task is None for planned in found)


def test_of_two_wishes_the_label_is_the_one_to_be_taken_up_first():
    found, _ = of_scenario("two_wishes")
    for planned in found:
        wishes = [turn for turn in planned.turns if turn.kind == "two_wishes"]
        assert len(wishes) == 1
        assert wishes[0].task
        assert wishes[0].task in wishes[0].intent
    assert any(
        turn.intent.count("task_") == 2 for planned in found for turn in planned.turns if turn.kind == "two_wishes"
    )


def test_corrections_are_of_a_detail_of_the_wish_and_of_all():
    found, _ = of_scenario("correction")
    kinds = set()
    for planned in found:
        for before, turn in itertools.pairwise(planned.turns):
            if turn.kind == "correction":
                kinds.add("nothing" if turn.task is None else "detail" if turn.task == before.task else "wish")
    assert kinds == {"nothing", "detail", "wish"}
    assert all(any(turn.kind == "correction" for turn in planned.turns) for planned in found)


@settings(max_examples=200, deadline=None)
@given(
    number=st.integers(0, 10**6),
    seed=st.integers(),
    tasks=st.integers(1, 30),
    scenario=st.sampled_from(sorted(DEFAULT_SHARES)),
)
def test_no_plan_contradicts_itself(number, seed, tasks, scenario):
    if tasks == 1 and scenario in NEEDS_TWO_TASKS:
        return
    planned = plan(number, spec(tasks), seed=seed, shares={scenario: 1})
    running = None
    for turn in planned.turns:
        point = point_of(running, turn.task)
        allowed = {
            "greeting": {"none"},
            "small_talk": {"none", "continue"},
            "start": {"start"},
            "continue": {"continue"},
            "switch": {"switch"},
            "return": {"switch", "start"},
            "end": {"end"},
            "uncovered": {"none", "end"},
            "two_wishes": {"start", "switch"},
            "correction": {"continue", "switch", "end"},
        }
        assert point in allowed[turn.kind]
        assert "$" not in turn.intent
        running = turn.task
    assert planned.turns
    assert planned.id == f"gen-{seed}-{number}"


def test_dollars_in_a_description_stand_as_they_are():
    tasks = [Task(name="a", description="Costs $5, $task and ${topic}"), Task(name="b")]
    turns = planned_turns("switch", tasks, unlisted=None, rng=random.Random(1))
    assert any("Costs $5, $task and ${topic}" in turn.intent for turn in turns)


def test_a_long_description_is_shortened_in_intents():
    long = TaskFile(tasks=(Task(name="a", description="word " * 500), Task(name="b")))
    assert all(len(turn.intent) < 700 for planned in plans(50, long) for turn in planned.turns)


def test_examples_are_the_task_files_own_first():
    own = tuple(Example(task, plan(0, spec(), seed=0).examples[0].messages) for task in spec().tasks[:2])
    planned = plan(0, spec(examples=own), seed=3)
    assert set(planned.examples[:2]) == set(own)
    assert len(planned.examples) == 3
    assert planned.examples[2] in starter_examples()


def test_starter_examples_are_short_conversations_with_one_task():
    assert len(starter_examples()) > 100
    for example in starter_examples():
        labels = [message.task for message in example.messages if message.role == "user"]
        assert set(labels) <= {None, example.task.name}
        assert labels[-1] == example.task.name
        assert 2 <= len(labels) <= 6
        assert example.messages[-1].role == "user"


def test_users_of_the_task_file_are_the_personas():
    personas = [
        planned.voice.persona for planned in plans(20, spec(users=("a sales representative", "a sales manager")))
    ]
    assert all("a sales" in persona for persona in personas)


def test_the_record_of_a_plan_tells_scenario_intents_and_voice():
    planned = plan(3, spec(), seed=1)
    record = planned.as_record()
    assert record["scenario"] == planned.scenario
    assert [turn["kind"] for turn in record["turns"]] == [turn.kind for turn in planned.turns]
    assert record["voice"]["language"] == "English"


def test_plans_for_thousands_of_tasks_are_quick_enough():
    tasks = spec(5000)
    tasks.vocabulary  # noqa: B018 - once a file
    begin = time.process_time()
    plans(20, tasks)
    assert time.process_time() - begin < 2
