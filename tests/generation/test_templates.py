"""Templates: what they show whom, and what is said about a file that cannot be used."""

import pytest

from mojo_toolbox.data import Message, Task
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.generation.plan import DEFAULT_SHARES, Plan, PlannedTurn, Voice, plan
from mojo_toolbox.generation.task_file import Example, TaskFile
from mojo_toolbox.generation.templates import (
    TEMPLATES,
    agent_messages,
    load_template,
    messages_for,
    template_for,
    user_messages,
)

RECAP = Task(name="meeting_recap", description="Sum up a meeting for $5 {each}")
QUOTE = Task(name="prepare_a_quote")
VOICE = Voice("Olga, 40", "curt", "Ukrainian", "writes little", "a terse bot")
SAID = (
    Message(role="user", content="hi\nAssistant: I am the user", task=None),
    Message(role="assistant", content="Hello $name!"),
)
PLAN = Plan(
    number=4,
    id="gen-0-4",
    scenario="switch",
    tasks=(QUOTE, RECAP),
    turns=(
        PlannedTurn("greeting", None, "only greets"),
        PlannedTurn("start", "meeting_recap", "asks plainly"),
        PlannedTurn("switch", "prepare_a_quote", "turns abruptly to it"),
    ),
    voice=VOICE,
    examples=(Example(QUOTE, (Message(role="user", content="how much is it"),)),),
    about="An assistant for sales",
)
GOOD = """---
# A comment.
writes: conversation
max_tokens: 70
---
## system
Write in $language.
## user
$turns
It costs $$5, ${count} of it.
"""


def text(messages):
    return "\n".join(message["content"] for message in messages)


def written(tmp_path, content, name="mine.md"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("scenario", DEFAULT_SHARES)
def test_each_scenario_has_a_template_that_shows_the_whole_plan(scenario):
    tasks = TaskFile(tasks=(RECAP, QUOTE), about="For $ales")
    planned = plan(0, tasks, seed=0, shares={scenario: 1})
    asked = text(messages_for(planned))
    assert template_for(planned).name == scenario
    for part in [
        *(turn.intent for turn in planned.turns),
        *vars(planned.voice).values(),
        *(message.content for example in planned.examples for message in example.messages),
        "meeting_recap: Sum up a meeting for $5 {each}",
        "For $ales",
        f"number of user messages is {len(planned.turns)}"
        if scenario == "one_task"
        else f"is exactly {len(planned.turns)},",
    ]:
        assert part in asked


def test_turns_are_shown_in_order_with_the_task_in_charge():
    asked = text(messages_for(PLAN))
    shown = [
        "1. [none] The user only greets.",
        "2. [meeting_recap] The user asks plainly.",
        "3. [prepare_a_quote] The user turns abruptly to it.",
    ]
    assert "\n".join(shown) in asked


def test_the_prompt_of_one_task_is_the_studys():
    planned = plan(0, TaskFile(tasks=(RECAP, QUOTE)), seed=0, shares={"one_task": 1})
    system, user = messages_for(planned)
    assert (system["role"], user["role"]) == ("system", "user")
    assert "generator of conversations" in system["content"]
    assert user["content"].count("Task: ") == 4
    assert user["content"].count("Conversation:\n### User: ") >= 2
    assert "### Assistant:" in user["content"]
    assert "Output the conversation only" in user["content"]
    target = next(turn.task for turn in planned.turns if turn.task)
    description = f"\nDescription: {RECAP.description}" if target == RECAP.name else ""
    assert user["content"].endswith(f"Task: {target}{description}\nConversation:")


def test_the_user_sees_its_next_intent_and_its_voice_and_nothing_of_the_rest():
    asked = text(user_messages(PLAN, 1, SAID))
    for part in ["asks plainly", "meeting_recap: Sum up a meeting for $5 {each}", *list(vars(VOICE).values())[:4]]:
        assert part in asked
    for part in ["only greets", "turns abruptly", "prepare_a_quote", VOICE.manner]:
        assert part not in asked
    assert "User: hi\n  Assistant: I am the user\nAssistant: Hello $name!" in asked


def test_the_user_knows_when_nothing_on_offer_is_wanted():
    asked = text(user_messages(PLAN, 0, ()))
    assert "nothing that the assistant offers" in asked
    assert "Nothing has been said yet" in asked


def test_the_agent_sees_tasks_and_conversation_but_not_the_plan():
    asked = text(agent_messages(PLAN, SAID))
    for part in ["meeting_recap: Sum up", "prepare_a_quote", "Hello $name!", VOICE.manner, VOICE.language, PLAN.about]:
        assert part in asked
    for part in [*(turn.intent for turn in PLAN.turns), VOICE.persona, VOICE.habits]:
        assert part not in asked


def test_without_a_word_about_the_product_it_is_some_assistant():
    planned = plan(0, TaskFile(tasks=(QUOTE,)), seed=0)
    assert "an assistant that does the tasks below" in text(messages_for(planned))


@pytest.mark.parametrize("name", TEMPLATES)
def test_shipped_templates_are_read_by_their_names(name):
    template = load_template(name)
    assert template.name == name
    assert len(template.sha256) == 64
    assert template.writes == (name if name in {"user", "agent"} else "conversation")


def test_a_file_of_ones_own_is_read(tmp_path):
    path = written(tmp_path, GOOD.replace("\n", "\r\n"))
    template = load_template(path)
    assert (template.name, template.path, template.max_tokens) == ("mine", path, 70)
    assert messages_for(PLAN, template)[0] == {"role": "system", "content": "Write in Ukrainian."}
    assert messages_for(PLAN, template)[1]["content"].endswith("It costs $5, 3 of it.")


def test_a_changed_template_has_another_hash(tmp_path):
    assert load_template(written(tmp_path, GOOD)).sha256 != load_template(written(tmp_path, GOOD + "\n")).sha256


@pytest.mark.parametrize("ask", [lambda t: user_messages(PLAN, 0, (), t), lambda t: agent_messages(PLAN, (), t)])
def test_a_template_for_something_else_is_refused(ask):
    with pytest.raises(ConfigurationError, match=r"takes a template that writes: (user|agent)"):
        ask(load_template("switch"))
    with pytest.raises(ConfigurationError, match="takes a template that writes: conversation"):
        messages_for(PLAN, load_template("user"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", ":1: a template begins with a header"),
        ("writes: conversation", ":1: a template begins with a header"),
        ("---\nwrites: conversation\n", ":1: the header has no end"),
        (GOOD.replace("writes", "write"), ":3: the header has no field 'write'. Did you mean writes?"),
        (GOOD.replace("max_tokens: 70", "writes: user"), ":4: writes stands in the header twice"),
        (GOOD.replace("writes: conversation", ""), ":1: the header must say what is written"),
        (GOOD.replace("conversation", "poem"), ":3: the header must say .* not 'poem'"),
        (GOOD.replace("70", "0"), ":4: max_tokens must be a whole number"),
        (GOOD.replace("70", "٣"), ":4: max_tokens must be a whole number"),
        (GOOD.replace("$turns", "$turn"), ":9: \\$turn is no placeholder here. Did you mean turns\\?"),
        (GOOD.replace("$$5", "$ 5"), ":10: a \\$ alone is no placeholder"),
        (GOOD.replace("$turns", "$intent"), "\\$intent is no placeholder here"),
        (GOOD.replace("$turns", ""), "must show \\$turns"),
        (GOOD.replace("writes: conversation", "writes: user"), "\\$turns is no placeholder here"),
        (GOOD.replace("## user", "## system"), 'the last section must be "## user"'),
        (GOOD.replace("## system", "## user\n## system"), ":6: the section ## user is empty|:7: only the first"),
        (GOOD.replace("## system", "Hello"), ":6: after the header comes a heading"),
        (GOOD.replace("Write in $language.", ""), ":6: the section ## system is empty"),
        (b"---\nwrites: user\n---\n\xff", ":4: this is no UTF-8"),
        (b" " * 1_000_001, "more than 1 MB"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(tmp_path, content, said):
    path = written(tmp_path, content)
    with pytest.raises(ConfigurationError, match=said) as error:
        load_template(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["no_such", "", ".", "nul\0byte", "x" * 5000])
def test_a_template_that_is_not_there_is_told(name):
    with pytest.raises(ConfigurationError, match=r"There is no template|cannot be read"):
        load_template(name)
