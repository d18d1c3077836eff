"""What an encoder learns from which chat and when, and how chats are refused that it cannot learn from."""

import pytest
from encoder_chats import CHOICES, SYSTEM, chat, chats
from tiny_base import write_channel

from encoder_training.decisions import Decisions, load_decisions
from encoder_training.schedule import Schedule
from job.errors import TrainingInputError
from model_code.encoder_questions import FALLBACK, ChoiceQuestion


def load(folder, records, **options):
    return load_decisions(write_channel(folder, records), fallback="none", **options)


def test_each_answer_that_bears_loss_is_a_decision(tmp_path):
    record = chat(("rain tomorrow", "bus_ticket", False), ("book dinner", "book_table"), ("thanks", "none"))
    found = load(tmp_path, [record]).of_epoch(0)
    assert [(asked.user, asked.running, asked.right) for asked in found] == [
        ("book dinner", 2, 0),
        ("thanks", 0, FALLBACK),
    ]
    assert found[0].choices == (
        "book table. book a table for dinner",
        "get weather. the weather forecast",
        "bus ticket. a ticket for the bus",
    )


def test_the_fallback_may_stand_among_the_choices_or_not(tmp_path):
    record = chat(("rain", "get_weather"), ("thanks", "none"))
    without = {**record, "choices": CHOICES[:-1]}
    assert load(tmp_path / "with", [record]) == load(tmp_path / "without", [without])


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ([], 'expected {"messages"'),
        ({"messages": [SYSTEM]}, 'expected "choices"'),
        (chat(("rain", "get_weather"), choices=[]), 'expected "choices"'),
        (chat(("rain", "get_weather"), choices="get_weather"), 'expected "choices"'),
        (chat(("rain", "get_weather"), choices=["get_weather", 3]), 'expected "choices"'),
        (chat(("rain", "get_weather"), choices=["get_weather", ""]), 'expected "choices"'),
        (chat(("rain", "get_weather"), choices=["get_weather", "bus", "bus"]), "'bus' stands in the list more than"),
        (chat(("rain", "getweather")), "the answer 'getweather' is none of the choices"),
        (chat(("rain", "get_weather", False)), "no assistant message bears loss"),
        ({"messages": [SYSTEM, {"role": "assistant", "content": "none"}], "choices": CHOICES}, "follows none of the"),
    ],
)
def test_a_record_that_cannot_be_learnt_from_is_named(tmp_path, record, complaint):
    with pytest.raises(TrainingInputError) as caught:
        load(tmp_path, [*chats(1), record])
    assert str(caught.value).startswith("data.jsonl:2: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_channel_is_refused(tmp_path):
    with pytest.raises(TrainingInputError, match="holds no conversations"):
        load(tmp_path, [])


@pytest.mark.parametrize("versions", [0, 2])
def test_lines_that_are_not_so_many_versions_are_refused(tmp_path, versions):
    with pytest.raises(TrainingInputError, match=rf"3 lines, which are not data_versions={versions} of each"):
        load(tmp_path, chats(3), versions=versions)


def test_an_epoch_reads_its_own_version_of_the_data(tmp_path):
    records = [chat((f"{name} {version}", "none")) for name in ("one", "two") for version in range(3)]
    decisions = load(tmp_path, records, versions=3)
    assert decisions.rows == 2
    for epoch, version in enumerate([0, 1, 2, 0]):
        assert [asked.user for asked in decisions.of_epoch(epoch)] == [f"one {version}", f"two {version}"]


# ---------------------------------------------------------------------------------------------------- schedule


def decisions(*, starting=40, going_on=60):
    starts = [ChoiceQuestion(f"{n}" * (1 + n), "", "", ("a", "b"), None, 0) for n in range(starting)]
    goes_on = [ChoiceQuestion(f"on {n}", "", "", ("a", "b"), 1, 1) for n in range(going_on)]
    return Decisions(1, ((*starts, *goes_on),))


def schedule(read=None, **changes):
    options = {"epochs": 2, "max_steps": -1, "batch_size": 8, "continue_share": 0.25, "by_length": True, "seed": 1}
    return Schedule(read or decisions(), **{**options, **changes})


def flat(batches):
    return [asked for batch in batches for asked in batch]


@pytest.mark.parametrize("by_length", [True, False])
def test_an_epoch_reads_every_new_choice_once_and_a_sample_of_those_that_go_on(by_length):
    plan = schedule(by_length=by_length)
    epochs = [flat(plan.batches(epoch)) for epoch in range(2)]
    starts = set(decisions().of_epoch(0)[:40])
    samples = [set(epoch) - starts for epoch in epochs]
    assert [len(epoch) for epoch in epochs] == [55, 55]
    assert all(set(epoch) > starts for epoch in epochs)
    assert [len(sample) for sample in samples] == [15, 15]
    assert samples[0] != samples[1]
    assert plan.epoch_ends == [7, 14]


def test_what_is_read_follows_from_the_seed():
    assert schedule().batches(1) == schedule().batches(1)
    assert schedule().batches(1) != schedule(seed=2).batches(1)
    assert schedule().batches(1) != schedule().batches(0)


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"epochs": 1.5}, [7, 11]),
        ({"epochs": 0.1}, [1]),
        ({"max_steps": 9}, [7, 9]),
        ({"max_steps": 7}, [7]),
        ({"continue_share": 1}, [13, 26]),
        ({"continue_share": 0}, [5, 10]),
        ({"batch_size": 1000}, [1, 2]),
    ],
)
def test_epochs_end_where_the_settings_say(changes, ends):
    plan = schedule(**changes)
    assert plan.epoch_ends == ends
    assert len(plan.batches(0)) == plan.full_steps(0) >= ends[0]


def test_versions_of_different_length_have_epochs_of_different_length():
    read = Decisions(1, (decisions().versions[0], decisions(starting=10).versions[0]))
    assert schedule(read, epochs=3).epoch_ends == [7, 11, 18]


def test_questions_of_like_length_are_read_together():
    def spread(plan):
        return sum(max(map(len, users)) - min(map(len, users)) for users in users_of(plan))

    def users_of(plan):
        return [[asked.user for asked in batch] for batch in plan.batches(0)]

    assert spread(schedule()) < spread(schedule(by_length=False)) / 2


def test_nothing_left_to_read_is_refused():
    with pytest.raises(TrainingInputError, match="With continue_share=0 no decision is left"):
        schedule(decisions(starting=0), continue_share=0)
    assert schedule(decisions(starting=0, going_on=1)).epoch_ends == [1, 2]
