"""An admin settles a conversation: what is disputed is marked, and it may be left as it was."""

import pytest
from playwright.sync_api import expect
from serving import filled, served
from talks import assistant, talk, user

from mojo_toolbox.review.records import ReviewDecision


@pytest.fixture
def disputed(tmp_path):
    """A store with one conversation, whose second user turn Ana and Bo label differently; the assistant speaks first."""
    record = talk(1)
    record["messages"].insert(0, assistant("Good morning."))
    with filled(tmp_path, [record, talk(2)]) as store:
        store.import_file(tmp_path / "conversations.jsonl", overlap=1.0)
        for name, label in (("Ana", "plan_a_trip"), ("Bo", "meeting_recap")):
            who = store.reviewer(store.invite(name))
            item = store.next(who)
            store.decide(who, item.id, ReviewDecision("change", {3: label}, note=f"{name} is sure"))
        yield store


@pytest.fixture
def admin(people, disputed):
    with served(disputed) as address:
        page = people(f"{address}/join/{disputed.invite('Cy', admin=True)}")
        page.get_by_role("link", name="Admin").click()
        yield page


def settle(admin):
    admin.get_by_role("region", name="Disagreements").get_by_role("button", name="Settle").click()
    expect(admin.locator("#heading")).to_have_text("Settle talk-1")


def test_a_disputed_turn_has_one_number_everywhere_and_says_who_said_what(admin):
    expect(admin.get_by_role("region", name="Disagreements")).to_contain_text(
        "User turn 2: plan_a_trip or meeting_recap"
    )
    settle(admin)
    expect(admin.locator("#about")).to_contain_text("Disputed: user turn 2.")
    turn = admin.locator(".turn.disputed")
    expect(turn).to_have_count(1)
    expect(turn.locator(".who")).to_have_text("User turn 2disputed")
    expect(turn.locator(".judgements li")).to_have_text(
        ["Imported: prepare_a_quote", "Ana: plan_a_trip", "Bo: meeting_recap"]
    )
    # C changes it at once.
    admin.keyboard.press("c")
    expect(admin.get_by_role("heading", name="after user turn 2?")).to_be_visible()


def test_tasks_that_others_chose_come_before_the_rest(admin):
    settle(admin)
    names = ["prepare_a_quote", "meeting_recap", "plan_a_trip", "follow_up_email"]
    expect(admin.locator("#tasks dt .name")).to_have_text(names)


@pytest.mark.parametrize("way", ["key", "button"])
def test_it_may_be_left_undecided(admin, disputed, way):
    settle(admin)
    with admin.expect_response("**/api/leave") as answer:
        if way == "key":
            admin.keyboard.press("l")
        else:
            admin.get_by_role("button", name="Leave undecided").click()
    assert answer.value.status == 200
    expect(admin.locator("#voice")).to_have_text("talk-1 left undecided.")
    expect(admin.get_by_role("button", name="Leave undecided")).to_be_hidden()
    assert disputed.overview().disagreements_total == 1
    admin.get_by_role("link", name="Admin").click()
    settle(admin)


def test_elsewhere_there_is_nothing_to_leave(page, store):
    expect(page.get_by_role("button", name="Leave undecided")).to_be_hidden()
    page.keyboard.press("l")
    expect(page.locator("#heading")).to_have_text("Conversation talk-1")


def test_what_one_person_changed_is_shown_to_who_checks_it(people, tmp_path):
    with filled(tmp_path, [talk(1), {**talk(2), "messages": [user("hi", None)]}]) as store:
        ana = store.reviewer(store.invite("Ana"))
        store.decide(ana, store.next(ana).id, ReviewDecision("check", {2: "plan_a_trip"}, note="right?"))
        with served(store) as address:
            page = people(f"{address}/join/{store.invite('Cy', admin=True)}")
            page.get_by_role("link", name="Admin").click()
            page.get_by_role("button", name="Settle").click()
            expect(page.locator(".judgements li")).to_have_text(["Imported: prepare_a_quote", "Ana: plan_a_trip"])
            expect(page.locator(".turn.disputed")).to_have_count(0)
