"""Schema-Guided Dialogue as published: labels from states and acts, names, lists, and what is left out."""

import gzip
import json

import pytest

from mojo_toolbox.data import Conversation
from mojo_toolbox.data.importers import ImportSummary, import_sgd
from mojo_toolbox.data.importers.sgd_labels import (
    NO_STATE,
    ONLY_CLOSES,
    SEVERAL_CHANGED,
    SEVERAL_GO_ON,
    Frame,
    Intent,
    intent_in_charge,
)
from mojo_toolbox.errors import ConfigurationError, DataError

SERVICES = {
    "Buses_1": ["FindBus", "BuyBusTicket"],
    "Hotels_1": ["SearchHotel", "ReserveHotel"],
    "Hotels_2": ["SearchHotel", "BookHouse"],
    "Homes_1": ["FindApartment", "ScheduleVisit"],
    "Weather_1": ["GetWeather"],
    "Alarm_1": ["GetAlarms", "AddAlarm"],
    "Music_2": ["LookupMusic", "PlayMedia"],
    "Restaurants_1": ["FindRestaurants", "ReserveRestaurant"],
}


def schema(services=SERVICES, ending=""):
    return [
        {"service_name": name, "intents": [{"name": i + ending, "description": f"{name} {i}{ending}"} for i in intents]}
        for name, intents in services.items()
    ]


def user(text, **frames):
    """A user turn; each frame is Service="Intent ACT ACT"."""
    found = []
    for service, told in frames.items():
        intent, *acts = told.split()
        found.append({"service": service, "state": {"active_intent": intent}, "actions": [{"act": a} for a in acts]})
    return {"speaker": "USER", "utterance": text, "frames": found}


def system(text="ok"):
    return {"speaker": "SYSTEM", "utterance": text, "frames": []}


def dialogue(name, services, *turns):
    return {"dialogue_id": name, "services": services, "turns": list(turns)}


TRIP = dialogue(
    "1_00001",
    ["Buses_1", "Weather_1"],
    user("I need a bus ", Buses_1="FindBus INFORM_INTENT"),
    system("When?"),
    user("Will it rain first?", Buses_1="FindBus THANK_YOU", Weather_1="GetWeather INFORM_INTENT"),
    system("No."),
    user("great", Weather_1="GetWeather SELECT"),
    user("yes, buy it", Buses_1="BuyBusTicket AFFIRM_INTENT"),
    user("right", Buses_1="BuyBusTicket AFFIRM"),
    user("thanks", Buses_1="BuyBusTicket THANK_YOU GOODBYE"),
    user("no, bye", Buses_1="NONE NEGATE THANK_YOU"),
)


@pytest.fixture
def checkout(tmp_path):
    """A function that writes a split; the folder is a checkout's."""

    def write(*dialogues, split="dev", services=SERVICES):
        folder = tmp_path / "sgd" / split
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schema.json").write_text(json.dumps(schema(services)))
        (folder / "dialogues_001.json").write_text(json.dumps(list(dialogues)))
        return tmp_path / "sgd"

    return write


def labels(conversation):
    return [m.task if m.labelled else "?" for m in conversation.messages if m.role == "user"]


def test_the_intent_that_is_active_after_a_turn_is_its_label(checkout):
    summary = ImportSummary()
    (found,) = import_sgd(checkout(TRIP), split="dev", withhold=0, summary=summary)
    assert found.id == "sgd-dev-1_00001"
    assert labels(found) == [
        "buses_find_bus",
        "weather_get_weather",
        "?",
        "buses_buy_bus_ticket",
        "buses_buy_bus_ticket",
        "?",
        None,
    ]
    assert found.messages[0].content == "I need a bus"
    assert [m.role for m in found.messages[:3]] == ["user", "assistant", "user"]
    assert found.meta == {"services": ["Buses_1", "Weather_1"], "withheld": None}
    left = summary.left_out["label"][ONLY_CLOSES]
    assert left.count == summary.user_turns - summary.labelled == 2
    assert left.example.endswith("dialogues_001.json, dialogue 1 (1_00001), turn 5")
    assert (summary.read, summary.written, summary.no_task) == (1, 1, 1)


@pytest.mark.parametrize(
    ("frames", "decided"),
    [
        ([], NO_STATE),
        ([("A", "NONE", "NEGATE")], None),
        ([("A", "Find", "REQUEST")], ("A", "Find")),
        ([("A", "Find", "SELECT GOODBYE")], ONLY_CLOSES),
        ([("A", "Find", "")], ("A", "Find")),
        ([("A", "Find", ""), ("C", "Go", "THANK_YOU")], ("A", "Find")),
        ([("A", "Find", ""), ("C", "Go", "")], SEVERAL_GO_ON),
        ([("A", "", ""), ("C", "NONE", "")], NO_STATE),
        ([("A", "Find", "SELECT INFORM_INTENT")], ("A", "Find")),
        ([("A", "Buy", "SELECT")], ("A", "Buy")),
        ([("A", "NONE", "NEGATE_INTENT"), ("B", "Get", "INFORM_INTENT")], ("B", "Get")),
        ([("A", "Buy", "INFORM"), ("B", "Get", "INFORM_INTENT")], SEVERAL_CHANGED),
        ([("A", "Find", "REQUEST"), ("C", "Go", "THANK_YOU")], ("A", "Find")),
        ([("A", "Find", "REQUEST"), ("C", "Go", "INFORM")], SEVERAL_GO_ON),
    ],
)
def test_what_nobody_can_tell_stays_untold(frames, decided):
    told = [Frame(Intent(service, intent), frozenset(acts.split())) for service, intent, acts in frames]
    found = intent_in_charge(told, {"A": "Find", "C": "Go"})
    assert found == (Intent(*decided) if isinstance(decided, tuple) else decided)


def test_a_list_has_4_to_18_tasks_of_services_that_cannot_do_the_same(checkout):
    folder = checkout(*(dialogue(f"1_{n:05}", ["Hotels_1"], user("hi", Hotels_1="SearchHotel")) for n in range(60)))
    found = list(import_sgd(folder, split="dev", withhold=0))
    names = [[task.name for task in c.tasks] for c in found]
    assert all(4 <= len(listed) <= 18 and len(set(listed)) == len(listed) for listed in names)
    assert all({"hotels_search_hotel", "hotels_reserve_hotel"} <= set(listed) for listed in names)
    seen = {name for listed in names for name in listed}
    assert "buses_find_bus" in seen
    assert not {"hotels_book_house", "homes_find_apartment"} & seen
    assert len({listed.index("hotels_search_hotel") for listed in names}) > 3
    assert {t.name: t.description for t in found[0].tasks}["hotels_search_hotel"] == "Hotels_1 SearchHotel"


def test_a_withheld_service_leaves_its_turns_without_a_task(checkout):
    trips = [{**TRIP, "dialogue_id": f"1_{n:05}"} for n in range(40)]
    found = list(import_sgd(checkout(*trips), split="dev", withhold=0.5))
    withheld = [c.meta["withheld"] for c in found]
    assert {None, "Buses_1", "Weather_1"} == set(withheld)
    for conversation in found:
        names = {task.name.split("_")[0] for task in conversation.tasks}
        hidden = {"Buses_1": "buses", "Weather_1": "weather"}.get(conversation.meta["withheld"])
        assert hidden not in names
        starts = labels(conversation)[0]
        assert starts == (None if hidden == "buses" else "buses_find_bus")


def test_services_that_are_alike_are_withheld_together(checkout):
    both = [
        dialogue(
            f"1_{n:05}", ["Hotels_1", "Homes_1"], user("a", Hotels_1="SearchHotel"), user("b", Homes_1="FindApartment")
        )
        for n in range(10)
    ]
    for conversation in import_sgd(checkout(*both), split="dev", withhold=1):
        assert labels(conversation) == [None, None]
        assert not [task for task in conversation.tasks if task.name.startswith(("homes", "hotels"))]


def test_two_services_of_one_kind_keep_their_numbers(checkout):
    stay = dialogue(
        "1_00001", ["Hotels_1", "Hotels_2"], user("a", Hotels_1="SearchHotel"), user("b", Hotels_2="SearchHotel")
    )
    (found,) = import_sgd(checkout(stay), split="dev", withhold=0)
    assert labels(found) == ["hotels_1_search_hotel", "hotels_2_search_hotel"]


def test_the_same_seed_draws_the_same_lists_whatever_stands_beside(checkout):
    trips = [{**TRIP, "dialogue_id": f"1_{n:05}"} for n in range(9)]
    found = list(import_sgd(checkout(*trips), split="dev", seed=5))
    alone = list(import_sgd(checkout(trips[7]), split="dev", seed=5))
    assert alone == [found[7]]
    assert list(import_sgd(checkout(*trips), split="dev", seed=6)) != found


def test_services_of_training_are_known_as_seen(checkout):
    checkout(TRIP, split="train", services={name: SERVICES[name] for name in ("Buses_1", "Alarm_1", "Music_2")})
    (found,) = import_sgd(checkout(TRIP), split="dev")
    assert found.meta["seen_services"] is False


def test_a_wording_of_sgd_x_renames_tasks_and_nothing_else(checkout):
    folder = checkout(TRIP)
    versions = folder / "sgd_x" / "data" / "v1" / "dev"
    versions.mkdir(parents=True)
    reworded = schema({name.replace("_", "_1"): intents for name, intents in SERVICES.items()}, ending="Again")
    (versions / "schema.json").write_text(json.dumps(reworded))
    (plain,) = import_sgd(folder, split="dev", withhold=0)
    (found,) = import_sgd(folder, split="dev", withhold=0, wording="v1")
    assert found.id == "sgd-dev-1_00001-v1"
    assert found.meta["wording"] == "v1"
    assert [label and label != "?" and label + "_again" for label in labels(plain)] == [
        label and label != "?" and label for label in labels(found)
    ]
    with pytest.raises(DataError, match="there is here: v1"):
        import_sgd(folder, split="dev", wording="v9")


def test_the_folder_of_a_split_is_a_folder_too(checkout):
    (found,) = import_sgd(checkout(TRIP) / "dev")
    assert found.id == "sgd-dev-1_00001"


def test_what_is_no_dialogue_is_left_out_and_counted(checkout):
    unusable = [
        "text",
        {"dialogue_id": "1"},
        dialogue("2", ["Trains_1"], user("a")),
        dialogue("3", ["Buses_1"], {"speaker": "ROBOT", "utterance": "a"}),
        dialogue("4", ["Buses_1"], user("a", Buses_1="Fly INFORM")),
        dialogue("5", ["Buses_1"], {"speaker": "USER", "utterance": None}),
        dialogue("6", ["Buses_1"]),
        dialogue("7", ["Buses_1"], user("half \ud800", Buses_1="FindBus")),
    ]
    summary = ImportSummary()
    found = list(import_sgd(checkout(*unusable, TRIP), split="dev", summary=summary))
    assert [c.id for c in found] == ["sgd-dev-1_00001"]
    counts = {reason: left.count for reason, left in summary.left_out["conversation"].items()}
    assert counts == {
        "is not built like a dialogue": 4,
        "names the service 'Trains_1', which is not in schema.json": 1,
        "has the active intent 'Fly' of Buses_1, which is not in schema.json": 1,
        "cannot be written in the project's format": 2,
    }
    assert summary.read == 9


def test_other_folders_are_refused_before_anything_is_read(checkout, tmp_path):
    folder = checkout(TRIP)
    for wrong, words in {
        (tmp_path / "nowhere", "dev"): "no such folder",
        (folder, "test"): "holds no test/schema.json.* It has dev",
    }.items():
        with pytest.raises(DataError, match=words):
            import_sgd(wrong[0], split=wrong[1])
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        import_sgd(folder, split="dev", withhold=2)
    (folder / "dev" / "dialogues_001.json").write_text("[{")
    with pytest.raises(DataError, match=r"dialogues_001\.json:1: not JSON"):
        list(import_sgd(folder, split="dev"))
    (folder / "dev" / "dialogues_001.json").unlink()
    with pytest.raises(DataError, match="holds no dialogues"):
        import_sgd(folder, split="dev")
    (tmp_path / "sgd.zip").write_text("")
    with pytest.raises(DataError, match="is a file; unpack it"):
        import_sgd(tmp_path / "sgd.zip")


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"name": 1}, "service 2 has no text 'service_name'"),
        ("Buses", "service 2 has no text 'service_name'"),
        ({"service_name": "A"}, "A has no list of intents"),
        ({"service_name": "A", "intents": [{"description": "x"}]}, "intent 1 of A has no text 'name'"),
        ({"service_name": "A", "intents": ["Find"]}, "intent 1 of A has no text 'name'"),
        ({"service_name": "A", "intents": [{"name": "Find"}]}, "the intent 'Find' of A has no text 'description'"),
        (
            {"service_name": "A", "intents": [{"name": "none", "description": "x"}]},
            "the intent 'none' of A cannot be a task: name: a task cannot be named 'none'",
        ),
    ],
    ids=range(7),
)
def test_a_broken_schema_is_named_by_service_and_intent(checkout, service, words):
    folder = checkout(TRIP)
    (folder / "dev" / "schema.json").write_text(json.dumps([schema()[0], service]))
    with pytest.raises(DataError, match=words):
        import_sgd(folder, split="dev")


def test_a_wording_with_other_services_is_named(checkout):
    folder = checkout(TRIP)
    version = folder / "sgd_x" / "data" / "v1" / "dev"
    version.mkdir(parents=True)
    for reworded, words in (
        (schema()[1:], "7 services, not 8"),
        ([*schema()[:7], {**schema()[7], "intents": []}], "0 intents of Restaurants_1, not 2"),
    ):
        (version / "schema.json").write_text(json.dumps(reworded))
        with pytest.raises(DataError, match=words):
            import_sgd(folder, split="dev", wording="v1")


def test_one_splits_folder_is_not_read_as_another_split(checkout):
    folder = checkout(TRIP) / "dev"
    with pytest.raises(DataError, match="holds the dialogues of one split, 'dev', and not those of 'test'"):
        import_sgd(folder, split="test")
    (found,) = import_sgd(folder, split="dev")
    assert found.id == "sgd-dev-1_00001"


def multiwoz_turn(text, **intents):
    """A user turn as MultiWOZ 2.2 has it: a frame for each service, and no acts."""
    states = [{"service": s, "actions": [], "state": {"active_intent": intent}} for s, intent in intents.items()]
    return {"speaker": "USER", "utterance": text, "frames": states}


def test_multiwoz_22_is_read_as_published_and_goes_on_without_acts(tmp_path):
    (tmp_path / "schema.json").write_text(
        json.dumps(
            schema({"hotel": ["find_hotel", "book_hotel"], "restaurant": ["find_restaurant"], "taxi": ["book_taxi"]})
        )
    )
    stay = dialogue(
        "PMUL4398.json",
        ["hotel", "restaurant"],
        multiwoz_turn("a place to dine", hotel="NONE", restaurant="find_restaurant"),
        system(),
        multiwoz_turn("any food would be fine", hotel="NONE", restaurant="find_restaurant"),
        system(),
        multiwoz_turn("and a hotel", hotel="find_hotel", restaurant="NONE"),
        system(),
        multiwoz_turn("in the north", hotel="find_hotel", restaurant="NONE"),
        system(),
        multiwoz_turn("both, please", hotel="find_hotel", restaurant="find_restaurant"),
        system(),
        multiwoz_turn("cheap ones", hotel="find_hotel", restaurant="find_restaurant"),
        system(),
        multiwoz_turn("that is all", hotel="NONE", restaurant="NONE"),
        {"speaker": "USER", "utterance": "bye", "frames": []},
    )
    for folder in (tmp_path, tmp_path / "dev"):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / "dialogues_001.json").write_text(json.dumps([stay]))
        summary = ImportSummary()
        (found,) = import_sgd(folder, split="dev", withhold=0, summary=summary)
        assert labels(found) == [
            "restaurant_find_restaurant",
            "restaurant_find_restaurant",
            "hotel_find_hotel",
            "hotel_find_hotel",
            "restaurant_find_restaurant",
            "?",
            None,
            "?",
        ]
        assert {reason: left.count for reason, left in summary.left_out["label"].items()} == {
            SEVERAL_GO_ON: 1,
            NO_STATE: 1,
        }


@pytest.mark.parametrize("frame", [{"service": "Weather_1"}, {"service": "Weather_1", "state": {}}])
def test_a_frame_without_a_state_says_nothing(checkout, frame):
    turn = user("hm", Buses_1="NONE NEGATE")
    turn["frames"].append(frame)
    (found,) = import_sgd(checkout(dialogue("1_00001", ["Buses_1"], turn)), split="dev", withhold=0)
    assert labels(found) == ["?"]


def test_dialogues_may_be_packed(checkout):
    folder = checkout(TRIP) / "dev"
    plain = folder / "dialogues_001.json"
    (folder / "dialogues_001.json.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    (found,) = import_sgd(folder)
    assert found.id == "sgd-dev-1_00001"


def test_what_is_imported_is_read_again(checkout):
    (found,) = import_sgd(checkout(TRIP), split="dev")
    assert Conversation.model_validate(json.loads(json.dumps(found.as_record()))) == found
