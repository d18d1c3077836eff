"""Narrow and dark screens, screen readers, keyboards alone, and texts that mean harm."""

import pytest
from playwright.sync_api import expect
from serving import filled, served
from talks import LONG, NASTY, SCRIPT, talks


@pytest.fixture
def nasty(tmp_path):
    with filled(tmp_path, [NASTY, LONG, *talks(2)]) as store, served(store, local_person=True) as address:
        yield address


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_html_and_scripts_in_conversations_are_text(people, nasty):
    page = people(nasty)
    page.wait_for_selector("#turns .turn")
    assert page.locator(".words").first.inner_text() == SCRIPT
    assert page.locator("#tasks dt bdi").first.inner_text() == "<b>bold</b>"
    page.keyboard.press("c")
    expect(page.get_by_role("option", name="<b>bold</b>")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("window.owned") is None
    assert page.locator("main img, main script, main b").count() == 0


def test_each_text_runs_in_its_own_direction(people, nasty):
    page = people(nasty)
    page.wait_for_selector("#turns .turn")
    directions = [
        page.locator(".words").nth(place).evaluate("e => getComputedStyle(e).direction") for place in range(4)
    ]
    assert directions == ["ltr", "ltr", "rtl", "rtl"]
    expect(page.locator(".words").nth(4)).to_contain_text("👩‍👩‍👧‍👦")
    expect(page.locator(".words").nth(5)).to_have_text("(an empty message)")
    expect(page.get_by_role("button", name="Label: no label")).to_be_visible()


@pytest.mark.parametrize("width", [360, 500, 768, 1024, 1920])
def test_no_screen_is_too_narrow(people, nasty, width):
    page = people(nasty, width=width, height=740)
    page.wait_for_selector("#turns .turn")
    assert overflow(page) == 0
    for name in ("Okay", "Change", "Back", "To be checked", "Throw out"):
        button = page.get_by_role("button", name=name, exact=False).and_(page.locator("[data-action]"))
        expect(button).to_be_in_viewport(ratio=1)
    page.locator(".label").first.click()
    expect(page.locator("#picker-input")).to_be_in_viewport(ratio=1)
    for other in ("/admin", "/playground"):
        page.goto(nasty + other)
        assert overflow(page) == 0


def test_two_hundred_turns_are_shown_at_once(people, nasty):
    page = people(nasty)
    page.wait_for_selector("#turns .turn")
    page.keyboard.press("Enter")
    expect(page.locator("#turns .turn")).to_have_count(200)
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".turn.selected")).to_contain_text("turn 1 of many")


def test_dark_screens_are_dark_and_the_choice_is_kept(people, address):
    def paper(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page = people(address, scheme="dark")
    dark = paper(page)
    page.get_by_role("button", name="Colours").click()
    light = paper(page)
    page.reload()
    expect(page.get_by_role("button", name="Colours")).to_have_text("Colours: light")
    assert (dark, light, paper(page)) == ("rgb(17, 22, 29)", "rgb(255, 255, 255)", "rgb(255, 255, 255)")


def _luminance(channel):
    channel /= 255
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def contrast(one, other):
    """The contrast ratio of two colours, as WCAG 2 defines it."""
    bright, dim = sorted(
        (
            sum(weight * _luminance(c) for weight, c in zip((0.2126, 0.7152, 0.0722), colour, strict=True))
            for colour in (one, other)
        ),
        reverse=True,
    )
    return (bright + 0.05) / (dim + 0.05)


COLOURS = """names => {
  const probe = document.body.appendChild(document.createElement("i"));
  return names.map((name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number); });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(people, address, scheme):
    page = people(address, scheme=scheme)
    for text, behind in [("ink", "paper"), ("muted", "paper"), ("muted", "panel"), ("accent", "accent-soft"),
                         ("on-accent", "accent"), ("warn", "warn-soft"), ("warn", "panel"), ("muted", "accent-soft")]:  # fmt: skip
        assert contrast(*page.evaluate(COLOURS, [text, behind])) >= 4.5, (text, behind)
    assert contrast(*page.evaluate(COLOURS, ["edge", "paper"])) >= 3


def test_landmarks_and_names_tell_a_screen_reader_where_it_is(page):
    for role, name in [("main", None), ("banner", None), ("navigation", "Pages"), ("complementary", "Tasks"),
                       ("region", "Decision"), ("region", "Conversation talk-1"), ("group", "Actions"),
                       ("textbox", "Note"), ("progressbar", "Decided conversations")]:  # fmt: skip
        expect(page.get_by_role(role, **({"name": name} if name else {}))).to_have_count(1)
    expect(page.get_by_role("link", name="Review")).to_have_attribute("aria-current", "page")
    assert page.locator("h1:visible").count() == 1


def test_what_happens_is_read_aloud(page):
    expect(page.locator("#voice")).to_have_text("")
    heading = page.locator("#heading")
    expect(heading).to_have_accessible_description("3 user turns. Labels: none, then prepare_a_quote.")
    page.keyboard.type("x1")
    expect(page.locator("#voice")).to_have_text("talk-1 thrown out. B undoes.")
    expect(heading).to_have_text("Conversation talk-2")
    assert page.locator("#voice").get_attribute("role") == "status"
    assert page.locator("#alarm").get_attribute("role") == "alert"
    assert page.evaluate("document.activeElement.id") == "heading"


def test_the_list_of_tasks_is_a_combobox(page):
    page.keyboard.press("c")
    box = page.get_by_role("combobox")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowDown")
    chosen = box.get_attribute("aria-activedescendant")
    expect(page.locator(f"#{chosen}")).to_have_attribute("aria-selected", "true")
    assert page.get_by_role("option", selected=True).count() == 1


FOCUSED = """() => {
  const at = document.activeElement;
  return at === document.body ? null : at.id || at.dataset.action || at.textContent.trim();
}"""


def test_the_tab_key_reaches_everything_and_is_never_caught(page):
    page.locator(".skip").focus()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at is None or at in reached:
            break
        outlined = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outlined != "none", f"{at} shows no focus"
        reached.append(at)
    wanted = ["Review", "looks", "whole", "turn-0", "note", "okay", "change", "back", "check", "wrong", "shortcuts"]
    assert [at for at in reached if at in wanted] == wanted


def test_the_tab_key_leaves_a_note_and_the_dialog_gives_the_focus_back(page):
    page.locator("#note").focus()
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == "okay"
    page.locator("#heading").focus()
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    # The browser tells of a dialog's end a moment after it.
    page.wait_for_selector("#turn-0:focus")
