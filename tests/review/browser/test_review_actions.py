"""The five actions in a real browser: by key, by button, and silent where somebody types."""

import pytest
from playwright.sync_api import expect
from serving import served


def title(page):
    return page.locator("#heading")


def labels(page):
    return [label.strip() for label in page.locator(".turn.user button.label > bdi").all_inner_texts()]


def stored(page, count):
    """Wait until the server has confirmed so many decisions."""
    expect(page.locator("#progress-text")).to_contain_text(f"{count} of 12")


def decisions(store, item_id):
    admin = store.local_reviewer()
    return store.get(admin, item_id)


def test_the_first_conversation_stands_in_the_page_with_its_labels_and_tasks(page):
    expect(title(page)).to_have_text("Conversation talk-1")
    assert labels(page) == ["none", "prepare_a_quote", "prepare_a_quote"]
    names = ["prepare_a_quote", "meeting_recap", "follow_up_email", "plan_a_trip"]  # what is in use comes first
    expect(page.locator("#tasks dt")).to_contain_text(names)
    expect(page.locator("#tasks dd").nth(1)).to_have_text("Write a recap of a meeting")


def test_enter_says_okay_and_shows_the_next(page, store):
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Conversation talk-2")
    stored(page, 1)
    assert store.overview().reviewers[0].actions["okay"] == 1


@pytest.mark.parametrize(("keys", "action"), [("t", "check"), ("x1", "wrong"), ("T", "check")])
def test_a_key_stores_its_action(page, store, keys, action):
    page.keyboard.type(keys)
    expect(title(page)).to_have_text("Conversation talk-2")
    stored(page, 1)
    assert store.overview().reviewers[0].actions[action] == 1


@pytest.mark.parametrize(("name", "action"), [("Okay", "okay"), ("To be checked", "check")])
def test_a_button_does_what_its_key_does(page, store, name, action):
    page.get_by_role("button", name=name).click()
    expect(title(page)).to_have_text("Conversation talk-2")
    stored(page, 1)
    assert store.overview().reviewers[0].actions[action] == 1


def test_a_label_is_changed_with_a_few_letters(page, store):
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    page.keyboard.type("trip")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    assert labels(page) == ["none", "plan_a_trip", "prepare_a_quote"]
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Conversation talk-2")
    stored(page, 1)
    figures = store.overview().reviewers[0]
    assert (figures.actions["change"], figures.changed_labels) == (1, 1)
    assert decisions(store, 1).undone is None
    page.keyboard.press("b")
    expect(title(page)).to_have_text("Conversation talk-1")
    assert labels(page) == ["none", "plan_a_trip", "prepare_a_quote"]


@pytest.mark.parametrize(
    ("letters", "found"),
    [
        ("no", "none"),
        ("fue", "follow_up_email"),
        ("quote", "prepare_a_quote"),
        ("up em", "follow_up_email"),
        ("business", "plan_a_trip"),
        ("MEET", "meeting_recap"),
    ],
)
def test_letters_find_tasks_by_their_words(page, letters, found):
    page.keyboard.press("c")
    page.keyboard.type(letters)
    expect(page.get_by_role("option").first).to_contain_text(found)
    page.keyboard.press("Enter")
    assert labels(page)[0] == found


def test_the_whole_conversation_is_labelled_at_once(page):
    page.keyboard.press("Shift+C")
    page.keyboard.type("recap")
    page.keyboard.press("Enter")
    assert labels(page) == ["meeting_recap"] * 3


def test_a_turn_and_those_after_it_are_labelled_at_once(page):
    page.locator(".turn.user button.label").nth(1).click()
    page.get_by_label("This and all after it").check()
    page.get_by_role("option", name="none").click()
    assert labels(page) == ["none", "none", "none"]


def test_escape_leaves_the_label_as_it_was(page):
    page.keyboard.press("c")
    page.keyboard.type("recap")
    page.keyboard.press("Escape")
    expect(page.locator("#picker")).to_be_hidden()
    assert labels(page)[0] == "none"
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Conversation talk-2")


def test_letters_that_fit_nothing_choose_nothing(page):
    page.keyboard.press("c")
    page.keyboard.type("zzz")
    expect(page.get_by_text("No task has these letters.")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#picker")).to_be_visible()


def test_back_undoes_one_decision_after_the_other(page, store):
    for number, keys in enumerate(("\n", "x1", "t"), start=2):
        page.keyboard.type(keys)
        expect(title(page)).to_have_text(f"Conversation talk-{number}")
    stored(page, 3)
    for number, left in ((3, 2), (2, 1), (1, 0)):
        page.keyboard.press("b")
        expect(title(page)).to_have_text(f"Conversation talk-{number}")
        stored(page, left)
    page.keyboard.press("b")
    expect(page.locator("#voice")).to_contain_text("nothing to take back")
    assert store.overview().decisions == 0
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Conversation talk-2")
    stored(page, 1)


def test_a_note_is_stored_and_its_letters_are_no_shortcuts(page, store):
    page.keyboard.press("n")
    page.keyboard.type("bcxt: is this a recap?")
    expect(title(page)).to_have_text("Conversation talk-1")
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    stored(page, 1)
    assert store.overview().checks[0].decisions[0].note == "bcxt: is this a recap?"


def test_enter_in_a_note_is_a_new_line(page):
    page.locator("#note").focus()
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Conversation talk-1")


def test_a_key_held_down_decides_once(page):
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")
    stored(page, 1)
    expect(title(page)).to_have_text("Conversation talk-2")


def test_keys_with_a_modifier_belong_to_the_browser(page):
    page.keyboard.press("Control+x")
    page.keyboard.press("Alt+t")
    expect(title(page)).to_have_text("Conversation talk-1")


def test_enter_on_a_button_presses_that_button(page):
    page.get_by_role("button", name="Label the whole conversation").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#picker")).to_be_visible()


def test_shortcuts_can_be_switched_off(page):
    page.get_by_role("button", name="One-key shortcuts").click()
    page.locator("#heading").focus()
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Conversation talk-1")
    page.reload()
    expect(page.get_by_role("button", name="One-key shortcuts")).to_have_attribute("aria-pressed", "false")


def test_letters_of_other_keyboards_count_by_their_place(page):
    page.evaluate("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'ч', code: 'KeyT', bubbles: true}))")
    expect(title(page)).to_have_text("Conversation talk-2")


def test_what_was_changed_is_still_there_after_a_reload(page):
    page.keyboard.press("c")
    page.keyboard.type("recap")
    page.keyboard.press("Enter")
    page.locator("#note").fill("half a thought")
    page.reload()
    page.wait_for_selector("#turns .turn")
    assert labels(page)[0] == "meeting_recap"
    expect(page.locator("#note")).to_have_value("half a thought")


def test_the_end_is_told_and_back_still_works(page, store):
    for left in range(12, 0, -1):
        expect(title(page)).to_have_text(f"Conversation talk-{13 - left}")
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing is waiting for you")).to_be_visible()
    expect(page.get_by_text("Every conversation has been decided.")).to_be_visible()
    expect(page.get_by_role("button", name="Okay")).to_be_disabled()
    page.keyboard.press("b")
    expect(title(page)).to_have_text("Conversation talk-12")


def test_the_next_conversation_does_not_wait_for_the_server(page):
    page.route("**/api/decide", lambda route: None)  # never answered
    page.keyboard.press("Enter")
    # In the same moment: what comes next was in the page already.
    assert title(page).inner_text() == "Conversation talk-2"


def test_speed_and_remaining_time_are_told(page):
    for number in range(2, 6):
        page.keyboard.press("Enter")
        expect(title(page)).to_have_text(f"Conversation talk-{number}")
    expect(page.locator("#progress-text")).to_contain_text("4 of 12 · 4 by you")
    expect(page.locator("#progress-text")).to_contain_text("an hour")
    expect(page.locator("#progress-text")).to_contain_text("left")
    assert page.locator("#progress").evaluate("bar => [bar.value, bar.max]") == [4, 12]


def test_an_empty_queue_says_so(people, tmp_path):
    from mojo_toolbox.review.store import ReviewStore

    with ReviewStore.open(str(tmp_path / "empty.db")) as store, served(store, local_person=True) as address:
        page = people(address)
        expect(page.get_by_text("No conversations have been imported yet.")).to_be_visible()
