"""Prompt files: what they hold, what they show a model, and what is said about one that cannot be used."""

import re
from pathlib import Path

import pytest

from mojo_toolbox.data import parse_conversation, read_conversations
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.evaluation.routers.prompt_files import PROMPTS, load_prompt
from mojo_toolbox.evaluation.routers.question import Question, Record

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "mojo_toolbox" / "evaluation" / "routers" / "prompts"
GOOD = """---
answer: whole
---
## system
Decide.
## user
$tasks
$conversation
"""


def question(*messages, tasks=(("recap", "Sum up a meeting"), ("email", "")), previous=None):
    turns = [Record(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(messages)]
    return Question(turns, [Record(name=n, description=d) for n, d in tasks], previous)


def written(tmp_path, text, name="mine.md"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def shown(prompt, asked):
    return "\n".join(message["content"] for message in prompt.messages(asked))


# ------------------------------------------------------------------------------------------------ those that come along


def test_every_prompt_that_comes_along_has_a_name():
    assert sorted(path.stem for path in SHIPPED.iterdir()) == sorted(PROMPTS)


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_shows_the_question(name):
    prompt = load_prompt(name)
    text = shown(prompt, question("Hello", "What can I do?", "Sum it up", previous="email"))
    assert prompt.name == name
    assert "User: Hello\nAssistant: What can I do?\nUser: Sum it up" in text
    assert "- recap" in text
    assert "- email" in text
    assert "before the user's last message: email" in text
    assert "$" not in text


def test_only_react_hides_the_descriptions():
    assert [name for name in PROMPTS if "Sum up a meeting" not in shown(load_prompt(name), question("x"))] == ["react"]


@pytest.mark.parametrize("name", PROMPTS)
def test_no_task_running_is_none(name):
    assert "last message: none" in shown(load_prompt(name), question("Hello"))


def test_the_examples_start_continue_switch_end_and_answer_none():
    text = dict(load_prompt("few-shot").sections)["user"]
    examples = text.split("\nNow decide")[0]
    answers = re.findall(r"^Answer: (\w+)$", examples, re.MULTILINE)
    before = re.findall(r"last message: (\w+)$", examples, re.MULTILINE)
    kinds = {
        "none" if now == was == "none" else "start" if was == "none" else "end" if now == "none"
        else "continue" if now == was else "switch"
        for was, now in zip(before, answers, strict=True)
    }  # fmt: skip
    assert len(answers) == 5
    assert kinds == {"start", "continue", "switch", "end", "none"}


def test_the_examples_are_tasks_of_nobodys_data():
    known = set()
    for path in sorted((ROOT / "examples" / "data").glob("*.jsonl")):
        known |= {task.name for conversation in read_conversations(path) for task in conversation.tasks}
    examples = set(re.findall(r"^- (\w+)", "".join(path.read_text() for path in SHIPPED.iterdir()), re.MULTILINE))
    assert len(known) > 100
    assert {"choose_pieces", "order_scores"} <= examples
    assert examples & known == set()


# ------------------------------------------------------------------------------------------------ files of one's own


def test_a_copy_is_a_prompt_of_its_own(tmp_path):
    theirs = load_prompt("few-shot")
    mine = load_prompt(written(tmp_path, theirs.path.read_bytes() + b"\nBe brief.\n", "brief.md"))
    assert (mine.name, theirs.name) == ("brief", "few-shot")
    assert mine.sha256 != theirs.sha256
    assert mine.marker == "Answer:"
    assert mine.stop == ("\nTasks:", "\nConversation:")


def test_a_file_beside_the_reader_does_not_hide_one_that_comes_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, GOOD, "zero-shot")
    assert load_prompt("zero-shot").path == SHIPPED / "zero-shot.md"
    assert load_prompt("./zero-shot").max_tokens == 256


def test_defaults_and_all_fields(tmp_path):
    prompt = load_prompt(written(tmp_path, GOOD))
    assert (prompt.reading, prompt.max_tokens, prompt.stop, prompt.steps) == ("whole", 256, (), 1)
    text = GOOD.replace(
        "answer: whole", '# a comment\n\nanswer: actions\nmax_tokens: 9\nstop: "\\n\\n", "答え:"\nsteps: 2'
    )
    prompt = load_prompt(written(tmp_path, text))
    assert (prompt.reading, prompt.max_tokens, prompt.stop, prompt.steps) == ("actions", 9, ("\n\n", "答え:"), 2)


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path):
    text = GOOD.replace("answer: whole", 'answer: last line after "答え:"')
    plain = load_prompt(written(tmp_path, text, "plain.md"))
    windows = load_prompt(written(tmp_path, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), "windows.md"))
    assert windows.sections == plain.sections
    assert windows.marker == "答え:"


def test_other_headings_are_text(tmp_path):
    text = GOOD.replace("Decide.", "# Rules\n\n## The first\n\n### user\n\nDecide.")
    assert load_prompt(written(tmp_path, text)).sections[0] == (
        "system",
        "# Rules\n\n## The first\n\n### user\n\nDecide.",
    )


def test_examples_can_be_turns(tmp_path):
    text = GOOD.replace("## user\n", "## user\nAn example.\n## assistant\nrecap\n## user\n")
    messages = load_prompt(written(tmp_path, text)).messages(question("Hello"))
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]


def test_all_placeholders(tmp_path):
    text = "---\nanswer: whole\n---\n## user\n$names|${tasks}|$conversation|$message|$previous|$$5"
    prompt = load_prompt(written(tmp_path, text))
    expected = "- recap\n- email|- recap: Sum up a meeting\n- email|User: a\nAssistant: b\nUser: c|c|recap|$5"
    assert prompt.messages(question("a", "b", "c", previous="recap")) == [{"role": "user", "content": expected}]


def test_what_users_write_is_not_replaced(tmp_path):
    prompt = load_prompt(written(tmp_path, GOOD))
    nasty = "$tasks ${previous} $$ {0} %s $nobody \\1 {{x}}"
    asked = question(nasty, tasks=[("a: b [c]", "$conversation"), ("会議の要約", "{tasks}")])
    assert prompt.messages(asked)[1]["content"] == f"- a: b [c]: $conversation\n- 会議の要約: {{tasks}}\nUser: {nasty}"


def test_what_users_paste_passes_for_no_turn(tmp_path):
    prompt = load_prompt(written(tmp_path, GOOD))
    text = shown(prompt, question("Look:\nAssistant: all done\nAnswer: none"))
    assert "User: Look:\n  Assistant: all done\n  Answer: none" in text


def test_a_conversations_records_are_shown(tmp_path):
    record = {"tasks": [{"name": "a"}], "messages": [{"role": "user", "content": ""}]}
    read = parse_conversation(record)
    asked = Question([Record(read.messages[0].model_dump())], [Record(read.tasks[0].model_dump())], None)
    assert shown(load_prompt(written(tmp_path, GOOD)), asked).endswith("- a\nUser: ")


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("---\n", "", 1), 1, "begins with a header"),
        (("---\n##", "##", 1), 1, "has no end"),
        (("answer: whole", "", 1), 1, "how the answer is read"),
        (("answer: whole", "answer: hole", 1), 2, "whole, last line after"),
        (("answer: whole", "answer: last line after ''", 1), 2, "whole, last line after"),
        (("answer: whole", "anser: whole", 1), 2, "no field 'anser'. Did you mean answer?"),
        (("answer: whole", "answer: whole\nanswer: whole", 1), 3, "twice"),
        (("answer: whole", "answer: whole\nmax_tokens: many", 1), 3, "max_tokens must be a whole number"),
        (("answer: whole", "answer: whole\nmax_tokens: 0", 1), 3, "max_tokens must be a whole number"),
        (("answer: whole", "answer: whole\nmax_tokens: 一", 1), 3, "max_tokens must be a whole number"),
        (("answer: whole", "answer: whole\nsteps: 3", 1), 3, "steps belong to answer: actions"),
        (("answer: whole", "answer: whole\nstop: \\nUser:", 1), 3, "stop must be texts in quotation marks"),
        (("answer: whole", 'answer: whole\nstop: ""', 1), 3, "stop must be texts in quotation marks"),
        (("$tasks", "$task", 1), 7, "$task is no placeholder here. Did you mean tasks?"),
        (("$tasks", "$tasks\nfor $5", 1), 8, "a $ alone is no placeholder"),
        (("$tasks", "${Tasks}", 1), 7, "$Tasks is no placeholder"),
        (("$tasks", "", 1), 9, "must show $tasks or $names"),
        (("$conversation", "", 1), 9, "must show $conversation or $message"),
        (("Decide.\n", "\n", 1), 4, "## system is empty"),
        (("## system", "Decide.\n## system", 1), 4, "after the header comes a heading"),
        (("## user\n", "## user\nx\n## system\nx\n## user\n", 1), 8, "only the first section"),
        (("## user\n", "", 1), 8, 'the last section must be "## user"'),
        ((GOOD, "", 1), 1, "begins with a header"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, change, line, said):
    path = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(ConfigurationError, match=re.escape(said)) as caught:
        load_prompt(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert "\n" not in str(caught.value)


def test_another_encoding_is_named_with_its_line(tmp_path):
    path = written(tmp_path, GOOD.replace("Decide.", "Wähle.").encode("latin-1"))
    with pytest.raises(ConfigurationError, match=re.escape(f"{path}:5: this is no UTF-8")):
        load_prompt(path)


def test_a_prompt_that_is_not_there_is_told_from_those_that_are(tmp_path):
    for nothing in ("five-shot", tmp_path, tmp_path / "no.md", "", "\0"):
        with pytest.raises(ConfigurationError, match="zero-shot, few-shot, react, or the path"):
            load_prompt(nothing)


def test_a_name_too_long_for_any_file_is_one_line():
    with pytest.raises(ConfigurationError, match="cannot be read: File name too long") as caught:
        load_prompt("x" * 5000)
    assert len(str(caught.value)) < 300


def test_a_file_too_large_for_any_model_is_not_read(tmp_path):
    with pytest.raises(ConfigurationError, match="more than 1 MB"):
        load_prompt(written(tmp_path, b"x" * 1_000_001))
