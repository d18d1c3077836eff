"""What an encoder reads of a chat: the lines of the list, who said what, the turns of a bare conversation."""

import time

import pytest

from model_code.encoder_questions import (
    bare_turns,
    choice_lines,
    choice_list,
    choice_text,
    labelled_questions,
    question,
)

NAMES = ["book_table", "weather", "none"]
SYSTEM = "Name the task. Tasks:\nbooks a table: book_table\nforecasts rain: weather\nNothing fits: none"
LISTED = choice_list(SYSTEM, NAMES, fallback="none")


def user(text):
    return {"role": "user", "content": text}


def answer(text):
    return {"role": "assistant", "content": text}


def texts(system, names):
    return choice_list(system, names, fallback="none").texts


def test_each_choice_is_read_with_its_description():
    assert LISTED.names == ("book_table", "weather")
    assert LISTED.texts == ("book table. books a table", "weather. forecasts rain")


@pytest.mark.parametrize("order", [["none", "weather", "book_table"], ["weather", "none"], ["weather", "book_table"]])
def test_the_choices_need_not_stand_in_the_order_of_the_list(order):
    found = choice_list(SYSTEM, order, fallback="none")
    assert dict(zip(found.names, found.texts, strict=True)) == {
        name: text for name, text in zip(LISTED.names, LISTED.texts, strict=True) if name in order
    }


@pytest.mark.parametrize("name", ["会議の要約", "Краткий итог", "ملخص", "🎉 party", "a: b", ": ", "x: : y", "C++"])
@pytest.mark.parametrize("extra", [[], ["b", "y"]])
@pytest.mark.parametrize("turned", [False, True])
def test_names_in_any_script_and_with_colons_are_found(name, extra, turned):
    described = {each: f"what {place} does" for place, each in enumerate([name, "weather", *extra])}
    system = "\n".join(["Tasks:", *(f"{text}: {each}" for each, text in described.items()), "Nothing: none"])
    asked = [*described, "none"][:: -1 if turned else 1]
    found = choice_list(system, asked, fallback="none")
    assert dict(zip(found.names, found.texts, strict=True)) == {
        each: choice_text(each, text) for each, text in described.items()
    }


def test_a_name_that_another_ones_line_ends_with_keeps_its_own_line():
    # "a: b" is a name without a description, and reads like the description "a" of the name "b".
    assert texts("a: b\nwrites: b\nNothing: none", ["a: b", "b", "none"]) == ("a: b", "b. writes")


def test_choices_that_the_system_message_does_not_list_are_read_by_their_names():
    assert texts("", ["bookTable", "none"]) == ("book Table",)
    assert texts("Only prose.\r\nforecasts rain: weather\r\n", ["weather", "mail"]) == (
        "weather. forecasts rain",
        "mail",
    )


def test_the_same_description_twice_gives_two_texts():
    assert texts("does it: one\ndoes it: two", ["one", "two"]) == ("one. does it", "two. does it")


def test_lines_without_a_choice_are_kept_apart():
    assert choice_lines(SYSTEM, NAMES) == [
        ("Name the task. Tasks:", None),
        ("books a table: book_table", "book_table"),
        ("forecasts rain: weather", "weather"),
        ("Nothing fits: none", "none"),
    ]
    assert choice_lines(SYSTEM, ["weather"])[2] == ("forecasts rain: weather", "weather")
    assert choice_lines("", []) == [("", None)]


def test_a_question_holds_the_words_what_came_before_and_what_is_running():
    chat = [user("User: a table"), answer("book_table"), user("Assistant: When?\nUser: at 8\nand rain?")]
    found = question(chat, LISTED)
    assert (found.user, found.assistant, found.earlier, found.running) == ("at 8\nand rain?", "When?", "a table", 0)
    assert question(chat[:1], LISTED).running is None
    for unlisted in ("none", "gone"):
        assert question([chat[0], answer(unlisted), chat[2]], LISTED).running is None


@pytest.mark.parametrize(
    ("content", "words", "before"),
    [
        ("plain words", "plain words", ""),
        ("", "", ""),
        ("User: ", "", ""),
        ("Assistant: Hi\nUser: ", "", "Hi"),
        ("User: rain\nAssistant: I am the assistant", "rain\nAssistant: I am the assistant", ""),
        ("Assistant: rain", "Assistant: rain", ""),
        ("Assistant: Hi\nUser: a\nAssistant: b\nAssistant: c", "a\nAssistant: b\nAssistant: c", "Hi"),
        ("rain\nUser: snow", "snow", ""),
        ("User: User: rain", "User: rain", ""),
        ("User: a\nUser:b", "a\nUser:b", ""),
    ],
)
def test_the_last_words_are_the_users_whatever_is_written_in_them(content, words, before):
    found = question([user(content)], LISTED)
    assert (found.user, found.assistant) == (words, before)


def test_a_chat_without_a_user_asks_about_nothing():
    assert question([{"role": "system", "content": SYSTEM}], LISTED).user == ""


def test_training_takes_each_answer_that_bears_loss():
    chat = [{"role": "system", "content": SYSTEM}, user("User: a"), {**answer("weather"), "train": False}]
    chat += [user("User: b"), answer("none"), user("User: c"), answer("book_table")]
    found = labelled_questions(chat, NAMES, fallback="none")
    assert [(asked.user, asked.running, asked.right) for asked in found] == [("b", 1, -1), ("c", None, 0)]
    with pytest.raises(ValueError, match="'gone' is none of the choices"):
        labelled_questions([*chat, answer("gone")], NAMES, fallback="none")


def test_a_bare_conversation_is_taken_turn_by_turn():
    system = {"role": "system", "content": SYSTEM}
    first, second = "User: a\nand b", "User: a\nand b\nAssistant: ok\nUser: c"
    assert bare_turns([system, user(second)]) == [[system, user(first)], [system, user(second)]]
    assert bare_turns([system, user("User: a"), user("b")]) == [
        [system, user("User: a")],
        [system, user("User: a"), user("b")],
    ]
    known = [system, user("User: a"), answer("none"), user("User: b\nUser: c")]
    assert bare_turns(known) == [known]


def test_the_chats_of_a_bare_conversation_stay_the_same_while_it_grows():
    turns = [f"User: u{i}\nAssistant: a{i}" for i in range(20)]
    for length in (2, 12, 13, 20):
        content = "\n".join([*turns[:length], "User: last"])
        chats = bare_turns([user(content)])
        assert len(chats) == min(length + 1, 12)
        assert chats[-1] == [user(content)]
        assert chats[-2] == bare_turns([user("\n".join([*turns[: length - 1], f"User: u{length - 1}"]))])[-1]
        assert [question(chat, LISTED).user for chat in chats[:-1]] == [f"u{i}" for i in range(length)][-11:]


def test_a_typed_speaker_ends_no_bare_conversation():
    chats = bare_turns([user("User: a\nAssistant: ok\nUser: b\nAssistant: typed")])
    assert [question(chat, LISTED).user for chat in chats] == ["a", "b\nAssistant: typed"]


@pytest.mark.parametrize(
    "content",
    [
        "a" * 5_000_000,
        "User: " + "word " * 1_000_000,
        "User: \n" * 700_000,
        "Assistant: \n" * 400_000,
        "\n" * 5_000_000,
        "User: a\nAssistant: b\n" * 250_000 + "User: c",
    ],
    ids=["one word", "one turn", "users", "assistants", "lines", "turns"],
)
def test_megabytes_are_taken_apart_in_seconds(content):
    started = time.thread_time()
    chats = bare_turns([user(content)])
    assert 1 <= len(chats) <= 12
    for chat in chats:
        question(chat, LISTED)
    assert time.thread_time() - started < 10


@pytest.mark.parametrize(
    ("line", "name"),
    [(": " * 2_000_000, "weather"), ("x: " * 1_000_000 + "b", "a: " * 300_000 + "b"), ("a\n" * 2_000_000, "weather")],
    ids=["colons", "long name", "lines"],
)
def test_system_messages_of_megabytes_are_searched_in_seconds(line, name):
    started = time.thread_time()
    assert len(choice_list(line, [name, "weather ", "none"], fallback="none").names) == 2
    assert time.thread_time() - started < 10


def test_texts_of_choices_are_cut():
    assert len(choice_text("a_" * 1_000_000, "b " * 1_000_000)) == 4096
