"""Somebody who sees the page for the first time: what is asked, what the buttons do, what has just happened."""

import pytest
from playwright.sync_api import expect
from serving import filled, served
from talks import TASKS, talk, talks


def voice(page):
    return page.locator("#voice")


def main_button(page):
    return page.locator("[data-action=okay]")


def relabel(page, letters):
    page.keyboard.press("c")
    page.keyboard.type(letters)
    page.keyboard.press("Enter")


def test_the_first_visit_says_what_is_asked_and_the_second_does_not(page, store):
    question = page.get_by_role("heading", name="Is each blue label the task that the user wants after this turn?")
    expect(question).to_be_visible()
    page.keyboard.press("Enter")  # it is in nobody's way
    expect(page.locator("#heading")).to_have_text("Conversation talk-2")
    page.get_by_role("button", name="Got it").click()
    expect(question).to_be_hidden()
    page.reload()
    page.wait_for_selector("#turns .turn")
    expect(question).to_be_hidden()


def test_each_label_is_blue_as_the_question_says(page):
    colours = page.locator("button.label").evaluate_all("all => all.map((one) => getComputedStyle(one).color)")
    assert set(colours) == {"rgb(31, 95, 168)"}


def test_a_question_mark_shows_all_keys(page):
    page.keyboard.press("?")
    overlay = page.get_by_role("dialog", name="Is each blue label")
    expect(overlay).to_be_visible()
    for key, does in (("Enter", "Okay, or Save changes"), ("X", "Throw out"), ("L", "Leave undecided"), ("?", "Help")):
        expect(overlay.get_by_role("row", name=f"{key} {does}")).to_be_visible()
    page.keyboard.press("x")  # no key works behind it
    page.keyboard.press("Escape")
    expect(overlay).to_be_hidden()
    expect(page.locator("#heading")).to_have_text("Conversation talk-1")


@pytest.mark.parametrize("width", [360, 1280])
def test_help_needs_no_keyboard(people, address, width):
    page = people(address, width=width, height=740)
    page.get_by_role("button", name="Help").click()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#help")).to_be_hidden()


def test_throwing_out_asks_for_the_reason_which_the_admin_sees(page, store, address):
    page.get_by_role("button", name="Throw out").click()
    dialog = page.get_by_role("dialog", name="Why is this conversation thrown out?")
    dialog.get_by_role("button", name="Throw out").click()
    expect(page.get_by_text("Choose a reason first.")).to_be_visible()
    dialog.get_by_label("Personal or secret data").check()
    dialog.get_by_role("button", name="Throw out").click()
    expect(voice(page)).to_have_text("talk-1 thrown out. B undoes.")
    page.keyboard.press("x")
    page.keyboard.press("6")
    page.keyboard.type("Only <b>tests</b>, 1 of 3")
    page.keyboard.press("Enter")
    expect(page.locator("#progress-text")).to_contain_text("2 of 12")
    assert store.overview().reasons == {"Personal or secret data": 1, "Only <b>tests</b>, 1 of 3": 1}
    page.goto(f"{address}/admin")
    section = page.get_by_role("region", name="Thrown out")
    expect(section.locator(".reasons")).to_contain_text("1 Personal or secret data")
    expect(section.locator("li").filter(has_text="talk-2").first).to_contain_text("Only <b>tests</b>, 1 of 3")


@pytest.mark.parametrize("way", ["Escape", "Cancel"])
def test_throwing_out_can_be_left(page, store, way):
    page.keyboard.press("x")
    if way == "Escape":
        page.keyboard.press("Escape")
    else:
        page.locator("#throwing").get_by_role("button", name="Cancel").click()
    expect(page.locator("#throwing")).to_be_hidden()
    expect(page.locator("#heading")).to_have_text("Conversation talk-1")
    assert store.overview().decisions == 0


def test_a_reason_that_was_taken_back_is_still_there(page):
    page.keyboard.type("x3")
    expect(page.locator("#heading")).to_have_text("Conversation talk-2")
    page.keyboard.press("b")
    expect(page.locator("#heading")).to_have_text("Conversation talk-1")
    page.keyboard.press("x")
    expect(page.get_by_label("Personal or secret data")).to_be_checked()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("\n", "talk-1 is okay. B undoes."),
        ("t", "talk-1 is to be checked. B undoes."),
        ("x1", "talk-1 thrown out. B undoes."),
    ],
)
def test_the_status_tells_of_the_last_action_alone(page, keys, told):
    page.keyboard.type(keys)
    expect(page.locator("#heading")).to_have_text("Conversation talk-2")
    expect(voice(page)).to_have_text(told)
    page.keyboard.press("b")
    expect(voice(page)).to_have_text("Your decision on talk-1 is taken back.")


def test_the_status_counts_changed_labels(page):
    relabel(page, "recap")
    expect(voice(page)).to_have_text("User turn 1 is now meeting_recap. Enter stores it.")
    page.keyboard.press("Enter")
    expect(voice(page)).to_have_text("talk-1 stored with 1 changed label. B undoes.")


def test_without_keys_the_status_names_the_button(people, address):
    page = people(address, width=360, height=740)
    main_button(page).click()
    expect(voice(page)).to_have_text("talk-1 is okay. Back undoes.")


def test_a_long_title_leaves_room_for_what_undoes(people, tmp_path):
    records = [talk(1) | {"id": "long-" + "x" * 300}, talk(2)]
    with filled(tmp_path, records) as store, served(store, local_person=True) as address:
        page = people(address)
        page.wait_for_selector("#turns .turn")
        page.keyboard.press("Enter")
        expect(voice(page)).to_contain_text("… is okay. B undoes.")
        assert voice(page).evaluate("line => line.scrollWidth <= line.clientWidth")


def test_the_main_button_says_that_changes_are_saved(page):
    expect(main_button(page)).to_contain_text("Okay")
    relabel(page, "recap")
    expect(main_button(page)).to_contain_text("Save changes")
    page.reload()
    expect(main_button(page)).to_contain_text("Save changes")
    relabel(page, "none")
    expect(main_button(page)).to_contain_text("Okay")
    relabel(page, "recap")
    page.keyboard.press("Enter")
    expect(page.locator("#heading")).to_have_text("Conversation talk-2")
    expect(main_button(page)).to_contain_text("Okay")
    page.keyboard.press("b")
    expect(page.locator("#heading")).to_have_text("Conversation talk-1")
    expect(main_button(page)).to_contain_text("Save changes")


def test_the_task_in_use_is_seen_whole_however_many_tasks_there_are(people, tmp_path):
    many = [{"name": f"task_{number:02}", "description": "Something that people want " * 3} for number in range(40)]
    record = talk(1) | {"tasks": [*many, *TASKS]}
    with filled(tmp_path, [record]) as store, served(store, local_person=True) as address:
        page = people(address, width=1280, height=800)
        page.wait_for_selector("#turns .turn")
        used = page.locator("#tasks .task.used")
        expect(used).to_have_count(1)
        expect(used).to_be_in_viewport(ratio=1)
        inside = "one => [one.getBoundingClientRect(), one.parentElement.getBoundingClientRect()]"
        own, frame = used.evaluate(inside)
        assert frame["top"] <= own["top"]
        assert own["bottom"] <= frame["bottom"]
        # A task that comes into use moves to the front too.
        relabel(page, "task_39")
        expect(page.locator("#tasks .task.used dt")).to_contain_text(["task_39", "prepare_a_quote"])


@pytest.mark.parametrize("width", [360, 1280])
def test_the_change_dialog_has_a_way_out(people, address, width):
    page = people(address, width=width, height=640)
    page.locator(".label").nth(1).click()
    expect(page.get_by_role("heading", name="Which task is in charge after user turn 2?")).to_be_visible()
    cancel = page.locator("#picker").get_by_role("button", name="Cancel")
    expect(cancel).to_be_in_viewport(ratio=1)
    cancel.click()
    expect(page.locator("#picker")).to_be_hidden()
    expect(main_button(page)).to_contain_text("Okay")


ONE_LINE = """all => all.map((one) => {
  const range = document.createRange();
  range.selectNodeContents(one);
  return [one.textContent, new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size];
})"""


def test_names_stay_in_one_piece_on_a_narrow_screen(people, tmp_path):
    with filled(tmp_path, talks(3)) as store, served(store, local_person=True) as address:
        page = people(address, width=360, height=740)
        page.wait_for_selector("#turns .turn")
        broken = [name for name, lines in page.locator(".name").evaluate_all(ONE_LINE) if lines > 1]
        assert broken == []
        main_button(page).click()
        expect(page.locator("#progress-text")).to_contain_text("1 of 3")
        page.goto(f"{address}/admin")
        found = page.locator(".name").evaluate_all(ONE_LINE)
        assert "prepare_a_quote" in [name for name, _ in found]
        assert [name for name, lines in found if lines > 1] == []


def test_a_cut_table_says_so(people, address):
    narrow, wide = people(f"{address}/admin", width=360, height=740), people(f"{address}/admin", width=1280)
    expect(narrow.locator("[aria-labelledby=people] .cut")).to_be_visible()
    expect(wide.locator("[aria-labelledby=people] .cut")).to_be_hidden()
