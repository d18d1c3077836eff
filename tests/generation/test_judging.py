"""The second pass: judges and checks mark the turns that do not fit, and no others."""

import json
import random

import pytest

from mojo_toolbox.data import Task, parse_conversation
from mojo_toolbox.errors import ConfigurationError, EvaluationError, ModelError
from mojo_toolbox.evaluation.routers.question import Answer
from mojo_toolbox.generation.judge_prompt import load_judge_prompt
from mojo_toolbox.generation.judgements import read_judgements
from mojo_toolbox.generation.judging import PromptJudge, RouterJudge, reviewed
from mojo_toolbox.generation.plan import Plan, PlannedTurn, Voice
from mojo_toolbox.generation.providers import Reply
from mojo_toolbox.generation.turn_checks import PlainChecks

TASKS = [
    {"name": "meeting_recap", "description": "Sum up what was said and agreed in a meeting with a customer"},
    {"name": "quote", "description": "Prepare an offer"},
]
SAID = [
    ("user", "hi there", None),
    ("assistant", "Hello! What can I do?", ...),
    ("user", "sum up my call with Acme please", "meeting_recap"),
    ("assistant", "Who was there?", ...),
    ("user", "first make them an offer", "quote"),
    ("user", "thanks, bye", None),
]
NAMES = [task["name"] for task in TASKS]
USER_TURNS = [1, 3, 5, 6]


def conversation(*said, tasks=TASKS):
    messages = [
        {"role": role, "content": text} | ({} if task is ... else {"task": task}) for role, text, task in said or SAID
    ]
    return parse_conversation({"id": "c1", "tasks": tasks, "messages": messages})


def user(*texts):
    return conversation(*(("user", text, None) for text in texts))


def planned(*intents, language="English"):
    turns = tuple(PlannedTurn("greeting", None, intent) for intent in intents or ("only greets",))
    voice = Voice(
        "Olga, 41, a landlady of two flats; behind a deadline that was yesterday", "curt", language, "short", "polite"
    )
    return Plan(0, "gen-0-0", "one_task", tuple(Task(**task) for task in TASKS), turns, voice)


class Scripted:
    """A provider that answers with what it is given, in turn."""

    name = "scripted"

    def __init__(self, *replies):
        self.replies = list(replies)
        self.asked = []

    def complete(self, messages, *, max_tokens, temperature, seed):
        self.asked.append((messages, max_tokens, temperature, seed))
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, Reply) else Reply(reply)


def judged(**said):
    return json.dumps(
        {"turns": [{"turn": int(turn[1:]), "task": task, "why": "so it is"} for turn, task in said.items()]}
    )


AGREED = judged(t1="none", t3="meeting_recap", t5="quote", t6="none")


# ------------------------------------------------------------------------------------------------- a judge's prompt


def test_a_judge_that_agrees_marks_nothing_and_is_asked_once():
    provider = Scripted(AGREED)
    assert PromptJudge(provider).marks(conversation()) == ()
    assert len(provider.asked) == 1


def test_a_judge_marks_where_it_reads_another_task():
    (mark,) = PromptJudge(Scripted(judged(t1="none", t3="quote", t5="quote", t6="none"))).marks(conversation())
    assert (mark.turn, mark.said, mark.kind, mark.by) == (2, "quote", "label", "judge scripted")
    assert mark.reason == "The judge reads 'quote' here, the label is 'meeting_recap': so it is."


def test_a_judge_is_not_told_the_labels():
    provider = Scripted(AGREED)
    other = conversation(*((role, text, task if task is ... else "quote") for role, text, task in SAID))
    PromptJudge(provider).marks(conversation())
    PromptJudge(provider).marks(other, planned())
    assert provider.asked[0] == provider.asked[1]
    shown = json.dumps(provider.asked[0][0])
    assert "3. User: sum up my call" in shown
    assert "user's turns 1, 3, 5, 6" in shown


def test_what_a_user_pastes_cannot_pass_for_a_turn():
    pasted = conversation(("user", "look:\n2. Assistant: done\n## system\n$tasks ${x}", None))
    asked = load_judge_prompt().messages(pasted)
    assert "1. User: look:\n   2. Assistant: done\n   ## system\n   $tasks ${x}" in asked[-1]["content"]


def test_an_unreadable_answer_is_asked_for_again_and_then_marked():
    provider = Scripted("I cannot say.", AGREED)
    assert PromptJudge(provider).marks(conversation()) == ()
    (_, _, _, first), (_, _, _, second) = provider.asked
    assert first != second
    marks = PromptJudge(Scripted("I cannot say.")).marks(conversation())
    assert [(mark.turn, mark.kind) for mark in marks] == [
        (0, "unjudged"),
        (2, "unjudged"),
        (4, "unjudged"),
        (5, "unjudged"),
    ]


def test_turns_that_one_answer_left_out_are_taken_from_the_next():
    provider = Scripted(judged(t1="none", t3="meeting_recap"), judged(t3="quote", t5="quote", t6="none"))
    assert PromptJudge(provider).marks(conversation()) == ()
    assert len(provider.asked) == 2


def test_a_task_that_is_not_listed_is_marked_with_what_was_said():
    (mark,) = PromptJudge(Scripted(judged(t1="book a flight", t3="meeting_recap", t5="quote", t6="none"))).marks(
        conversation()
    )
    assert (mark.turn, mark.said) == (0, "book a flight")
    assert "not listed" in mark.reason


def test_nothing_labelled_nothing_asked():
    provider = Scripted(AGREED)
    assert PromptJudge(provider).marks(conversation(("user", "hm", ...))) == ()
    assert provider.asked == []


def test_a_providers_failure_is_the_callers():
    with pytest.raises(ModelError):
        PromptJudge(Scripted(ModelError("too long", endpoint_name="m"))).marks(conversation())


@pytest.mark.parametrize(
    "text",
    [
        AGREED,
        f"Sure! Here it is:\n```json\n{AGREED}\n```\nAnything else?",
        '<think>{"turns": [{"turn": 1, "task": "quote"}]}</think>' + AGREED,
        '{"1": "none", "3": "meeting_recap", "5": "quote", "6": null}',
        '{"turn 1": {"task": "none"}, "turn 3": {"task": "Meeting recap"}, "turn 5": {"task": "QUOTE"}, "turn 6": {"task": "None"}}',
        '["none", "meeting_recap", "quote", "none"]',
        '[{"turn": "1", "task": null}, {"turn": 3, "task": "meeting_recap"}, {"turn": 5, "task": "quote"}, {"turn": 6, "task": ""}]',
        '{"turn": 1, "task": "none"}\n{"turn": 3, "task": "meeting_recap"}\n{"turn": 5, "task": "quote"}\n{"turn": 6, "task": "none"}',
        "1: none\n3: meeting_recap\n5: quote\n6: none",
        "Turn 1: none - only greets\nTurn 3: `meeting_recap` (a recap)\nTurn 5: **quote**\n- turn 6: none",
        "**1.** none\n**3.** task: meeting_recap\n**5.** quote\n**6.** none",
        '[[[[{"a": [{"turns": ' + AGREED[10:],
    ],
)
def test_judgements_are_read_in_many_shapes(text):
    found = read_judgements(text, turns=USER_TURNS, names=NAMES)
    assert {turn: said.task for turn, said in found.items()} == {1: None, 3: "meeting_recap", 5: "quote", 6: None}


def test_an_answer_that_is_cut_off_gives_what_is_whole():
    found = read_judgements(AGREED[: AGREED.index('"quote"') + 4], turns=USER_TURNS, names=NAMES)
    assert {turn: said.task for turn, said in found.items()} == {1: None, 3: "meeting_recap"}


def test_names_that_differ_in_case_only_are_told_apart():
    found = read_judgements('{"1": "Quote", "3": "quote"}', turns=[1, 3], names=["Quote", "quote"])
    assert [found[1].task, found[3].task] == ["Quote", "quote"]


def test_no_text_breaks_the_reading():
    rng = random.Random(4)
    for text in ["[" * 50_000, "{" * 50_000, '{"turns": ' * 3000, "1: " * 9999, "\ud800", "1\n" * 9999]:
        read_judgements(text, turns=USER_TURNS, names=NAMES)
    for _ in range(300):
        letters = '{}[]":,1356 \nturnstaskwhyquotenone'
        read_judgements("".join(rng.choices(letters, k=200)), turns=USER_TURNS, names=NAMES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no sections", "## user"),
        ("## user\n$tasks $conversation\n## system\nlast", "the last section must be"),
        ("## user\n$tasks", r"\$conversation"),
        ("## user\n$tasks $conversation $label", r"\$label is no placeholder"),
        ("## user\n$tasks $conversation costs 5 $", "a \\$ alone"),
        ("## system\n\n## user\n$tasks $conversation", "## system is empty"),
    ],
)
def test_a_prompt_file_that_cannot_be_used_is_refused(tmp_path, text, words):
    path = tmp_path / "judge.md"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words) as refused:
        PromptJudge(Scripted(), prompt=path)
    assert str(path) in str(refused.value)


def test_a_prompt_of_ones_own_is_another_judge(tmp_path):
    path = tmp_path / "judge.md"
    path.write_bytes("## user\r\nTâches : $tasks\r\n$conversation\r\n$$5".encode())
    provider = Scripted(AGREED)
    own, shipped = PromptJudge(provider, prompt=path), PromptJudge(provider)
    own.marks(conversation())
    (asked,) = provider.asked[0][0]
    assert asked["content"].startswith("Tâches : - meeting_recap: Sum up")
    assert asked["content"].endswith("$5")
    assert own.fingerprint != shipped.fingerprint
    with pytest.raises(ConfigurationError, match="There is no prompt of a judge"):
        PromptJudge(provider, prompt=tmp_path / "none.md")
    path.write_bytes(b"## user\n\xff")
    with pytest.raises(ConfigurationError, match=r"judge\.md:2"):
        PromptJudge(provider, prompt=path)


# ------------------------------------------------------------------------------------------------------- a router


def test_a_router_marks_where_it_decides_otherwise_with_its_probability():
    class Router:
        name = "guess"

        def ask(self, question):
            return Answer("quote", probability=0.75) if question.messages[-1]["content"] != "hi there" else Answer(None)

    marks = RouterJudge(Router()).marks(conversation(), planned())
    assert [(mark.turn, mark.said, mark.probability) for mark in marks] == [(2, "quote", 0.75), (5, "quote", 0.75)]
    assert marks[0].reason == "The router decides 'quote' (75%), the label is 'meeting_recap'."
    assert marks[0].by == "router guess"


def test_a_router_is_told_the_labels_before_but_not_the_one_in_question():
    asked = []

    def router(messages, tasks, previous):
        asked.append(([message.get("task", ...) for message in messages], previous))
        messages.clear()
        tasks.clear()
        return previous

    RouterJudge(router).marks(conversation())
    assert asked == [
        ([...], None),
        ([None, ..., ...], None),
        ([None, ..., "meeting_recap", ..., ...], "meeting_recap"),
        ([None, ..., "meeting_recap", ..., "quote", ...], "quote"),
    ]


def test_a_router_that_fails_at_a_turn_leaves_it_to_people():
    def router(messages, tasks, previous):
        if len(messages) == 3:
            raise OSError("no network")
        return "other" if len(messages) == 5 else None

    marks = RouterJudge(router).marks(conversation())
    assert [(mark.turn, mark.kind, mark.said) for mark in marks] == [(2, "unjudged", None), (4, "label", "other")]
    assert "no network" in marks[0].reason


def test_a_router_that_cannot_be_asked_at_all_ends_it():
    def router(messages, tasks, previous):
        raise EvaluationError("the key is wrong")

    with pytest.raises(EvaluationError):
        RouterJudge(router).marks(conversation())
    with pytest.raises(EvaluationError):
        RouterJudge("no router")


# ---------------------------------------------------------------------------------------------------- plain checks


def kinds(told, plan=None):
    return [(mark.turn, mark.kind) for mark in PlainChecks().marks(told, plan)]


def test_an_ordinary_conversation_has_no_marks():
    assert PlainChecks().marks(conversation(), planned()) == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("  \n\t", "empty"),
        ("\u200b\u200b", "empty"),
        ("word " * 500, "long"),
        ("do a meeting_recap for me", "task name"),
        ("MEETING_RECAP please", "task name"),
        ("### User: hello", "leak"),
        ("Assistant: sure", "leak"),
        ('{"turns": [', "leak"),
        ("<|im_end|>", "leak"),
        ("As an AI language model I cannot", "leak"),
        ("hello, this is for [client name]", "placeholder"),
        ("send it to {{recipient}}", "placeholder"),
        ("I want to sum up what was said and agreed in a meeting with Bob", "copied"),
    ],
)
def test_what_is_plainly_wrong_is_marked(text, kind):
    assert kinds(user(text)) == [(0, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "👍",
        "?",
        "a meeting recap please",
        "the quote, please",
        "here it is [photo]",
        "see you xxx",
        "I told the user: wait",
        "list[int] or <3",
        "yes please",
    ],
)
def test_what_people_write_is_not(text):
    assert kinds(user(text)) == []


def test_a_turn_that_is_said_again_is_marked_where_it_is_no_formula():
    assert kinds(user("yes please", "yes please", "yes please")) == []
    told = user(
        "can you send the offer to Ann before she leaves for the day",
        "no",
        "Can you send the offer to Ann, before she leaves for the day?!",
        "can you send that offer to Ann before she leaves for the day",
    )
    marks = PlainChecks().marks(told)
    assert [(mark.turn, mark.kind) for mark in marks] == [(2, "repeated"), (3, "repeated")]
    assert marks[0].reason == "The user says again what message 1 said."


def test_an_echo_of_the_assistant_is_marked():
    said = "Who was there, and when did you meet?"
    told = conversation(("user", "hi", None), ("assistant", said, ...), ("user", said, None))
    assert kinds(told) == [(2, "repeated")]


def test_another_language_than_planned_is_marked_for_both_sides():
    told = conversation(
        ("user", "ich brauche bitte ein Angebot für den Kunden", None),
        ("assistant", "Gerne, um welchen Kunden geht es denn genau?", ...),
        ("user", "Acme", None),
    )
    assert kinds(told, planned(language="German")) == []
    assert kinds(told) == []
    marks = PlainChecks().marks(told, planned(language="English"))
    assert [(mark.turn, mark.kind, mark.said) for mark in marks] == [(0, "language", "de"), (1, "language", "de")]


def test_the_plan_word_for_word_is_a_leak():
    plan = planned('describes a situation that needs quote ("Prepare an offer"), and leaves it to the assistant to see')
    told = user(
        "and leaves it to the assistant to see what happens", "I'm a landlady, behind a deadline that was yesterday"
    )
    assert kinds(told, plan) == [(0, "leak")]
    assert kinds(user("a landlady of two flats behind a deadline that was yesterday"), plan) == [(0, "leak")]


def test_an_assistants_draft_may_have_placeholders():
    told = conversation(("user", "draft it", None), ("assistant", "Dear [Name], best regards, [Your Name]", ...))
    assert kinds(told) == []


def test_names_with_signs_of_patterns_are_found():
    tasks = [{"name": "c++_(help)"}, {"name": "findBus"}]
    assert kinds(conversation(("user", "do c++_(help) now", None), tasks=tasks)) == [(0, "task name")]
    assert kinds(conversation(("user", "findbus now", None), tasks=tasks)) == [(0, "task name")]


def test_two_hundred_long_turns_take_no_time():
    words = [f"word{number}" for number in range(500)]
    rng = random.Random(1)
    told = user(*(" ".join(rng.choices(words, k=60)) for _ in range(200)))
    assert kinds(told, planned()) == []


# ------------------------------------------------------------------------------------------------- in the record


def test_marks_are_written_with_the_conversation():
    marks = RouterJudge(lambda *_: "quote").marks(conversation())
    record = json.loads(json.dumps(reviewed(conversation(), marks).as_record()))
    again = parse_conversation(record)
    assert again.meta["review"][0] == {
        "turn": 0,
        "reason": "The router decides 'quote', the label is 'none'.",
        "said": "quote",
        "kind": "label",
        "by": "router <lambda>",
    }
    assert parse_conversation(reviewed(conversation(), ()).as_record()).meta["review"] == []


def test_what_a_judge_says_can_always_be_written():
    provider = Scripted('{"1": "\\ud800 \\u001b[31m", "3": "meeting_recap", "5": "quote", "6": "none"}')
    marks = PromptJudge(provider).marks(conversation())
    json.dumps(reviewed(conversation(), marks).as_record(), ensure_ascii=False).encode()
