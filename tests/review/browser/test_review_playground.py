"""The playground in a real browser: chatting with a router, changing its tasks, correcting it; and the admin's page."""

import json

import httpx
import pytest
from playwright.sync_api import expect
from serving import served

from mojo_toolbox.errors import EndpointNotReadyError
from mojo_toolbox.model import Model, ServerReply


class ByWords(Model):
    """A router that answers the first choice of which a word is in the user's turn; it keeps what it was asked."""

    name = "mojodex--routing--by-words--dev"

    def __init__(self):
        self.asked = []
        self.ready = True

    def _ask(self, body):
        request = json.loads(body)
        self.asked.append(request)
        if not self.ready:
            raise EndpointNotReadyError("The endpoint is being updated.", endpoint_name=self.name)
        choices = request["structured_outputs"]["choice"]
        words = request["messages"][-1]["content"].lower().split()
        best = next((choice for choice in choices if set(choice.split("_")) & set(words)), "none")
        shares = {choice: 0.8 if choice == best else 0.2 / (len(choices) - 1) for choice in choices}
        choice = {"message": {"role": "assistant", "content": best}, "choice_probabilities": shares}
        return ServerReply(json.dumps({"choices": [choice], "usage": {"prompt_tokens": 99}}).encode(), "request-1")


@pytest.fixture
def router():
    return ByWords()


@pytest.fixture
def playground(people, store, router):
    with served(store, local_person=True, router=router) as address:
        yield people(f"{address}/playground")


def tell(page, text, *, answered=1):
    page.locator("#words").fill(text)
    page.keyboard.press("Enter")
    expect(page.locator(".choices:not(details *)")).to_have_count(answered)


def test_each_turn_shows_the_decision_its_probabilities_and_its_latency(playground, router):
    tell(playground, "write an email please")
    first = playground.locator(".choice").first
    expect(first).to_contain_text("follow_up_email")
    expect(first).to_contain_text("80.0%")
    expect(playground.locator(".choice")).to_have_count(3)
    expect(playground.locator(".hint")).to_contain_text("ms · 99 tokens")
    tell(playground, "thank you", answered=2)
    told = json.dumps(router.asked[-1]["messages"])
    assert "write an email please" in told
    assert "follow_up_email" in told


def test_the_task_list_is_changed_while_the_chat_goes_on(playground, router):
    tell(playground, "a quote please")
    expect(playground.locator(".choice.answer")).to_contain_text("none")
    playground.get_by_role("button", name="Add a task").click()
    playground.keyboard.type("prepare_a_quote")
    tell(playground, "a quote please", answered=2)
    expect(playground.locator(".choice.answer").nth(1)).to_contain_text("prepare_a_quote")
    playground.get_by_role("button", name="Remove follow_up_email").click()
    tell(playground, "an email please", answered=3)
    assert "follow_up_email" not in router.asked[-1]["structured_outputs"]["choice"]


def test_one_click_corrects_and_the_chat_joins_the_queue(playground, store, router):
    tell(playground, "write the recap")
    tell(playground, "now tell everybody", answered=2)
    playground.locator("#turn-1").get_by_role("button", name="follow_up_email").click()
    expect(playground.locator("#voice")).to_contain_text(
        "Corrected to follow_up_email; the chat is in the review queue."
    )
    found = store.get(store.local_reviewer(), 13)
    assert [message.task for message in found.conversation.messages] == ["meeting_recap", "follow_up_email"]
    assert found.conversation.meta["origin"] == "playground"
    assert (found.source, found.router[1].task) == ("playground", None)
    assert [(mark.message, mark.reason) for mark in found.marks] == [(1, "corrected in the playground")]
    # What a person says is right is what the router is told from then on.
    tell(playground, "done", answered=3)
    assert "follow_up_email" in json.dumps(router.asked[-1]["messages"][1:])


def test_a_correction_comes_up_in_the_review(playground):
    tell(playground, "now tell everybody")
    playground.locator("#turn-0").get_by_role("button", name="follow_up_email").click()
    expect(playground.locator("#voice")).to_contain_text("in the review queue")
    playground.get_by_role("link", name="Review").click()
    expect(playground.locator("#heading")).to_contain_text("playground")
    expect(playground.locator(".hint.mark")).to_have_text("Look: corrected in the playground")


def test_a_router_that_fails_is_asked_again(playground, router):
    router.ready = False
    playground.locator("#words").fill("write an email")
    playground.keyboard.press("Enter")
    expect(playground.get_by_text("The endpoint is being updated.")).to_be_visible()
    router.ready = True
    playground.get_by_role("button", name="Ask again").click()
    expect(playground.locator(".choice.answer")).to_contain_text("follow_up_email")


def test_a_chat_outlives_a_reload_and_may_have_the_assistants_words(playground, router):
    tell(playground, "write an email")
    playground.get_by_label("as the assistant").check()
    playground.locator("#words").fill("To whom?")
    playground.keyboard.press("Enter")
    expect(playground.locator(".turn.assistant")).to_contain_text("To whom?")
    playground.reload()
    expect(playground.locator(".turn")).to_have_count(2)
    tell(playground, "to Paul", answered=2)
    assert "To whom?" in json.dumps(router.asked[-1]["messages"])
    playground.get_by_role("button", name="New chat").click()
    expect(playground.locator(".turn")).to_have_count(0)


def test_a_task_list_is_pasted_as_json(playground):
    playground.get_by_role("button", name="As JSON").click()
    playground.locator("#paste-text").fill("{")
    playground.get_by_role("button", name="Take this list").click()
    expect(playground.locator("#alarm")).to_contain_text("This is no task list")
    playground.locator("#paste-text").fill('[{"name": "<b>x</b>", "description": "bold"}]')
    playground.get_by_role("button", name="Take this list").click()
    expect(playground.get_by_role("textbox", name="Name")).to_have_value("<b>x</b>")


@pytest.mark.parametrize(
    ("names", "says"), [(["a", "a"], "in the list twice"), (["None"], "cannot be called none"), ([], "at least one")]
)
def test_a_task_list_that_no_router_takes_is_told_before_it_is_sent(playground, router, names, says):
    playground.get_by_role("button", name="As JSON").click()
    playground.locator("#paste-text").fill(json.dumps([{"name": name} for name in names]))
    playground.get_by_role("button", name="Take this list").click()
    playground.locator("#words").fill("hello")
    playground.keyboard.press("Enter")
    expect(playground.locator("#alarm")).to_contain_text(says)
    assert router.asked == []


def test_without_a_router_the_playground_says_how_to_get_one(people, address):
    expect(people(f"{address}/playground").get_by_text("mojo review serve")).to_be_visible()


def test_an_admin_sees_who_did_what_and_settles(people, store, tmp_path):
    again = tmp_path / "conversations.jsonl"
    store.import_file(again, overlap=1.0)
    with served(store) as address:
        for name, keys in (("Ana", "t"), ("Bo", "x1")):
            page = people(f"{address}/join/{store.invite(name)}")
            expect(page.locator("#heading")).to_contain_text("Conversation")
            page.locator("#note").fill(f"{name} <i>says</i>")
            page.locator("#heading").focus()
            page.keyboard.type(keys)
            expect(page.locator("#progress-text")).to_contain_text("1 by you")
        admin = people(f"{address}/join/{store.invite('Cy', admin=True)}")
        admin.get_by_role("link", name="Admin").click()
        expect(admin.get_by_role("row", name="Ana")).to_contain_text("1")
        expect(admin.get_by_text("Ana <i>says</i>").first).to_be_visible()
        admin.get_by_role("button", name="Settle").first.click()
        expect(admin.locator("#heading")).to_contain_text("Settle talk-")
        expect(admin.locator("#about")).to_contain_text("Ana: to be checked: Ana <i>says</i>")
        with admin.expect_response("**/api/decide"):
            admin.keyboard.press("Enter")
        expect(admin.locator("#voice")).to_contain_text("is okay. B undoes.")
        admin.get_by_role("link", name="Admin").click()
        expect(admin.get_by_role("button", name="Settle")).to_have_count(0)


@pytest.mark.parametrize("probability", ["NaN", "Infinity", "2.5", "-1"])
def test_a_correction_with_what_is_no_probability_is_refused(address, store, probability):
    talk = '"messages": [{"role": "user", "content": "hi", "task": "recap"}], "tasks": [{"name": "recap"}]'
    body = f'{{"chat": "0123456789", "judged": [0], "decisions": {{"0": ["recap", {probability}]}}, {talk}}}'
    answer = httpx.post(f"{address}/api/playground/correct", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert store.overview().conversations == 12
