"""Chat models with a prompt as routers: what counts as an answer, and what as an invalid one."""

import json
import re

import pytest
from scripted_chat_server import completion, serving

from mojo_toolbox.contract import Usage
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.evaluation import evaluate
from mojo_toolbox.evaluation.routers.chat_completions import Completion
from mojo_toolbox.evaluation.routers.chat_models import OpenAIChat
from mojo_toolbox.evaluation.routers.prompt_files import load_prompt
from mojo_toolbox.evaluation.routers.prompted import PromptedRouter
from mojo_toolbox.evaluation.routers.question import Answer, Question, Record, Router

TASKS = ["recap", "a: b [c]", "会議の要約", "Recap", "recap.", "none of these", "finish[recap]"]
USAGE = Usage(prompt_tokens=10, completion_tokens=3, total_tokens=13, cached_tokens=2)


class Scripted:
    """A chat model that says the given texts, one after the other."""

    name = "gpt-x"

    def __init__(self, *said, **fields):
        self.said = list(said)
        self.fields = fields
        self.asked = []

    def chat(self, messages, *, max_tokens, stop=(), choices=None, structured="choice"):
        self.asked.append({"messages": list(messages), "choices": choices, "structured": structured, "stop": stop})
        return Completion(self.said.pop(0), USAGE, **self.fields)


def question(names=TASKS, previous=None):
    tasks = [Record(name=name, description=f"What {name} is for") for name in names]
    return Question([Record(role="user", content="Sum it up")], tasks, previous)


def ask(prompt, *said, names=TASKS, **fields):
    return PromptedRouter(Scripted(*said, **fields), load_prompt(prompt)).ask(question(names))


INVALID = [
    "", "   ", "\n", "recap, email", "recap\nrecap", "recap or none", "- recap", "'recap'", '"recap"', "`recap`", "**recap**",
    "RECAP", "recap!", "None", "none.", "null", "N/A", "email", "The task is recap.", "recap (summarises a meeting)",
    "会議", "recap\x00", "0", "[recap]", '{"task": "recap"}',
]  # fmt: skip


# ------------------------------------------------------------------------------------------------ the whole reply


@pytest.mark.parametrize("name", TASKS)
def test_a_listed_name_is_an_answer(name):
    assert ask("zero-shot", name) == Answer(name, usage=USAGE)


@pytest.mark.parametrize("said", [" recap", "recap\n", "\n\n\trecap \r\n", "recap\u3000"])
def test_blanks_around_a_name_are_forgiven(said):
    assert ask("zero-shot", said).task == "recap"


def test_none_is_an_answer():
    assert ask("zero-shot", "none\n") == Answer(None, usage=USAGE)


@pytest.mark.parametrize("said", INVALID)
def test_anything_else_is_invalid_and_kept(said):
    answer = ask("zero-shot", said)
    assert (answer.task, answer.valid, answer.usage) == (None, False, USAGE)
    assert answer.text == said.strip()


def test_a_name_that_is_not_listed_now_is_invalid():
    assert ask("zero-shot", "recap").valid
    assert not ask("zero-shot", "recap", names=["email"]).valid


@pytest.mark.parametrize("prompt", ["zero-shot", "few-shot"])
def test_an_answer_that_ran_out_of_tokens_is_invalid(prompt):
    answer = ask(prompt, "Thought\nAnswer: recap" if prompt == "few-shot" else "recap", cut_off=True)
    assert (answer.task, answer.valid) == (None, False)
    assert answer.text.endswith("recap")


# ------------------------------------------------------------------------------------------------ after a marker


@pytest.mark.parametrize("name", [*TASKS, "none"])
def test_the_name_after_the_marker_is_the_answer(name):
    text = f"The user asks for {name}, not for recap.\nSo it starts.\n\n  Answer:  {name}  \n"
    assert ask("few-shot", text) == Answer(None if name == "none" else name, text=text, usage=USAGE)


@pytest.mark.parametrize("said", [said for said in INVALID if "\n" not in said.strip()])
def test_anything_else_after_the_marker_is_invalid(said):
    answer = ask("few-shot", f"I think.\nAnswer: {said}")
    assert (answer.task, answer.valid) == (None, False)
    assert answer.text == f"I think.\nAnswer: {said}"


@pytest.mark.parametrize(
    "text",
    [
        "recap",
        "I think so.\nrecap",
        "I think so. Answer: recap",
        "answer: recap",
        "**Answer:** recap",
        "Answer:\nrecap",
        "Answer: recap\nI hope this helps.",
        "Answer: recap\nAnswer: recap",
        "Answer: recap\n\nUser: next\nAnswer: none",
        "Answer\uff1arecap",
    ],
)
def test_no_last_line_with_the_marker_is_invalid(text):
    assert ask("few-shot", text) == Answer(None, valid=False, text=text, usage=USAGE)


# ------------------------------------------------------------------------------------------------ actions


def test_the_model_looks_tasks_up_before_it_decides():
    model = Scripted(
        "Thought: what is it?\nAction: describe[a: b [c]]\nObservation: made up",
        "Thought: and that?\nAction: describe[recap]",
        "Thought: that is it.\nAction: finish[recap]",
    )
    answer = PromptedRouter(model, load_prompt("react")).ask(question())
    assert (answer.task, answer.valid) == ("recap", True)
    assert answer.text == (
        "Thought: what is it?\nAction: describe[a: b [c]]\nObservation: What a: b [c] is for\n"
        "Thought: and that?\nAction: describe[recap]\nObservation: What recap is for\n"
        "Thought: that is it.\nAction: finish[recap]"
    )
    assert answer.usage == Usage(prompt_tokens=30, completion_tokens=9, total_tokens=39, cached_tokens=6)
    assert [message["role"] for message in model.asked[2]["messages"]][-4:] == ["assistant", "user"] * 2
    assert model.asked[2]["messages"][-1]["content"] == "Observation: What recap is for"
    assert all(asked["stop"] == ("\nObservation:",) for asked in model.asked)


@pytest.mark.parametrize("name", [*TASKS, "none"])
def test_finish_decides(name):
    answer = ask("react", f"Thought: x\nAction: finish[{name}]\n")
    assert (answer.task, answer.valid) == (None if name == "none" else name, True)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "recap",
        "finish[recap]",
        "Thought: it is finish[recap]",
        "Action: finish recap",
        "Action: finish[recap].",
        "Action: finish[]",
        "Action: finish[email]",
        "Action: finish['recap']",
        "Action: finish[recap, none]",
        "Action: Finish",
    ],
)
def test_no_usable_action_is_invalid(said):
    answer = ask("react", f"Thought: hm\n{said}")
    assert (answer.task, answer.valid) == (None, False)
    assert answer.text == f"Thought: hm\n{said}".strip()


def test_the_first_action_counts():
    answer = ask("react", "Action: describe[recap]\nAction: finish[none]", "Action: finish[recap]")
    assert answer.task == "recap"


def test_what_cannot_be_looked_up_is_said():
    answer = ask("react", "Action: describe[email]", "Action: search[weather]", "Action: finish[none]")
    assert "Observation: There is no task email in the list." in answer.text
    assert "Observation: There is no action search. Use describe[task] or finish[task]." in answer.text
    assert answer.valid


def test_steps_come_to_an_end():
    model = Scripted(*["Action: describe[recap]"] * 100)
    answer = PromptedRouter(model, load_prompt("react")).ask(question())
    assert (answer.task, answer.valid) == (None, False)
    assert len(model.asked) == load_prompt("react").steps == 6
    assert answer.text.count("Observation: What recap is for") == 6
    assert answer.usage.total_tokens == 6 * 13


# ------------------------------------------------------------------------------------------------ held to the list


@pytest.mark.parametrize("structured", ["choice", "json_schema"])
def test_an_answer_can_be_held_to_the_list(structured):
    model = Scripted("会議の要約", probability=0.9)
    answer = PromptedRouter(model, load_prompt("zero-shot"), structured=structured).ask(question())
    assert (answer.task, answer.probability) == ("会議の要約", 0.9)
    assert model.asked[0]["choices"] == [*TASKS, "none"]
    assert model.asked[0]["structured"] == structured


def test_a_server_that_does_not_keep_to_the_list_is_found_out():
    answer = PromptedRouter(Scripted("I would say recap"), load_prompt("zero-shot"), structured="choice").ask(
        question()
    )
    assert answer == Answer(None, valid=False, text="I would say recap", usage=USAGE)


@pytest.mark.parametrize("prompt", ["few-shot", "react"])
def test_thinking_cannot_be_held_to_the_list(prompt):
    with pytest.raises(ConfigurationError, match=f"The prompt {prompt} lets the model think"):
        PromptedRouter(Scripted(), load_prompt(prompt), structured="choice")


def test_an_unknown_way_is_refused():
    with pytest.raises(ConfigurationError, match="'regex'"):
        PromptedRouter(Scripted(), load_prompt("zero-shot"), structured="regex")


# ------------------------------------------------------------------------------------------------ as a router


def test_model_and_prompt_name_the_router(tmp_path):
    router = PromptedRouter(Scripted(), load_prompt("few-shot"))
    assert isinstance(router, Router)
    assert (router.name, router.prompt_name) == ("gpt-x/few-shot", "few-shot")
    changed = tmp_path / "few-shot.md"
    changed.write_bytes(load_prompt("few-shot").path.read_bytes() + b"\n")
    assert PromptedRouter(Scripted(), load_prompt(changed)).fingerprint != router.fingerprint
    assert PromptedRouter(Scripted(), load_prompt("few-shot")).fingerprint == router.fingerprint


def test_a_model_is_measured_over_http():
    """The whole way: prompts, several threads, a server; every reply in its place, tokens counted."""
    from conversations import NAMES, many

    def model(request):
        shown = request["messages"][-1]["content"]
        names = re.findall(r"^- (\w+)", shown.split("\nTasks:")[-1], re.MULTILINE)
        turn = re.findall(r"^User: (\d+)\.(\d+)$", shown, re.MULTILINE)[-1]
        said = [names[0], "none", f"I guess {names[0]}", names[-1]][(int(turn[0]) + int(turn[1])) % 4]
        return completion(f"Hm.\nAnswer: {said}", prompt_tokens=100, completion_tokens=5)

    conversations = many(8)
    with serving(model) as server:
        chat = OpenAIChat("m", base_url=server.url, max_retries=0)
        report = evaluate(PromptedRouter(chat, load_prompt("few-shot")), conversations, concurrency=4, progress=False)
    decisions = [
        (number, turn // 2, message.task, [task.name for task in conversation.tasks])
        for number, conversation in enumerate(conversations)
        for turn, message in enumerate(conversation.messages)
        if message.role == "user"
    ]
    kinds = [(number + turn) % 4 for number, turn, _, _ in decisions]
    right = sum(
        gold == [names[0], None, "invalid", names[-1]][kind]
        for kind, (_, _, gold, names) in zip(kinds, decisions, strict=True)
    )
    assert set(NAMES) == {name for *_, names in decisions for name in names}
    assert (report.overall.n, report.overall.invalid, report.overall.errors) == (len(decisions), kinds.count(2), 0)
    assert report.overall.accuracy.value == right / len(decisions)
    assert report.router == "m/few-shot"
    assert report.tokens.prompt == 100 * len(decisions)
    assert len(server.requests) == len(decisions)
    assert json.dumps(server.requests[0]["messages"]).count("Rheinberger") == 1
