"""Several people and several tabs at once, and a server or a connection that goes away."""

import pytest
from playwright.sync_api import expect
from serving import Process, filled, served
from talks import talks


@pytest.fixture
def team(store):
    with served(store) as address:
        yield address


def heading(page):
    return page.locator("#heading")


def done(page, count):
    expect(page.locator("#progress-text")).to_contain_text(f"{count} of 12")


def acted(page, store, **wanted):
    """Wait for the first reviewer's actions in the store, which the page shows before the server has them."""
    for _ in range(500):
        actions = store.overview().reviewers[0].actions
        if {name: actions.get(name) for name in wanted} == wanted:
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"not {wanted} but {actions}")


def test_two_reviewers_never_see_the_same_conversation(people, store, team):
    pages = [people(f"{team}/join/{store.invite(name)}") for name in ("Ana", "Bo")]
    seen = []
    for count in range(1, 7):
        for page in pages:
            page.wait_for_selector("#turns .turn")
            seen.append(heading(page).inner_text())
            page.keyboard.press("Enter")
            expect(page.locator("#progress-text")).to_contain_text(f"{count} by you")
    for page in pages:
        expect(page.get_by_role("heading", name="Nothing is waiting for you")).to_be_visible()
    assert len(set(seen)) == len(seen) == 12
    overview = store.overview()
    assert (overview.decided, {person.decided for person in overview.reviewers}) == (12, {6})


def test_a_second_tab_follows_the_first(page, store):
    other = page.context.new_page()
    other.goto(page.url)
    expect(heading(other)).to_have_text("Conversation talk-1")
    page.bring_to_front()
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("Conversation talk-2")
    expect(heading(other)).to_have_text("Conversation talk-2")
    other.keyboard.press("Enter")
    expect(heading(page)).to_have_text("Conversation talk-3")
    done(page, 2)
    assert store.overview().decisions == 2


def test_two_browsers_of_one_person_decide_nothing_twice(people, address, store):
    first, second = people(address), people(address)
    for page in (first, second):
        expect(heading(page)).to_have_text("Conversation talk-1")
    first.keyboard.press("Enter")
    done(first, 1)
    second.keyboard.type("x1")
    expect(second.locator("#alarm")).to_contain_text("You decided on this conversation already")
    expect(heading(second)).to_have_text("Conversation talk-2")
    figures = store.overview().reviewers[0]
    assert (figures.actions["okay"], figures.actions.get("wrong", 0)) == (1, 0)


def test_a_lost_connection_loses_no_action(page, store):
    page.context.set_offline(True)
    page.keyboard.type("x1")
    expect(heading(page)).to_have_text("Conversation talk-2")
    expect(page.locator("#connection")).to_contain_text("1 action waits in this browser")
    page.keyboard.press("t")
    expect(page.get_by_role("heading", name="Fetching the next conversation")).to_be_visible()
    page.context.set_offline(False)
    expect(heading(page)).to_have_text("Conversation talk-3")
    expect(page.locator("#connection")).to_be_hidden()
    done(page, 2)
    acted(page, store, wrong=1, check=1)


@pytest.mark.parametrize(("key", "path", "left"), [("Enter", "decide", 3), ("b", "back", 1)])
def test_an_answer_that_is_lost_does_not_count_twice(page, store, key, path, left):
    """The server has stored the action, the page does not know, and sends it again."""
    for number in (2, 3):
        page.keyboard.press("Enter")
        expect(heading(page)).to_have_text(f"Conversation talk-{number}")
    done(page, 2)
    lost = []

    def lose(route):
        route.fetch() if len(lost) < 2 else None
        lost.append(route.request.post_data)
        route.abort() if len(lost) <= 2 else route.continue_()

    page.route(f"**/api/{path}", lose)
    with page.expect_response(f"**/api/{path}"):  # the page shows the action before the server has it
        page.keyboard.press(key)
    done(page, left)
    assert len(lost) == 3
    assert len(set(lost)) == 1
    assert store.overview().decisions == left


def test_a_reload_in_mid_action_loses_nothing(page, store):
    page.route("**/api/decide", lambda route: None)  # on its way for ever
    page.keyboard.type("x1")
    expect(heading(page)).to_have_text("Conversation talk-2")
    assert store.overview().decisions == 0
    page.unroute("**/api/decide")
    page.reload()
    done(page, 1)
    expect(heading(page)).to_have_text("Conversation talk-2")
    acted(page, store, wrong=1)


def test_a_closed_tab_leaves_its_actions_to_the_next(page, store):
    address = page.url
    page.context.set_offline(True)
    page.keyboard.type("x1")
    expect(page.locator("#connection")).to_be_visible()
    other = page.context.new_page()
    page.close()
    other.context.set_offline(False)
    other.goto(address)
    done(other, 1)
    acted(other, store, wrong=1)


def test_a_server_that_is_killed_loses_nothing(people, tmp_path):
    with filled(tmp_path, talks(12)) as store:
        token = store.invite("Ana")
    server = Process(tmp_path / "review.db")
    server.start()
    try:
        page = people(f"{server.address}/join/{token}")
        expect(heading(page)).to_have_text("Conversation talk-1")
        page.keyboard.press("Enter")
        done(page, 1)
        server.kill()
        page.keyboard.type("x1")
        expect(page.locator("#connection")).to_contain_text("No connection to the server. 1 action waits")
        server.start()
        done(page, 2)
        expect(heading(page)).to_have_text("Conversation talk-3")
        page.keyboard.press("b")
        expect(heading(page)).to_have_text("Conversation talk-2")
        done(page, 1)
    finally:
        server.kill()


def test_a_database_that_cannot_be_written_keeps_the_action_in_the_browser(page, store):
    full = {"status": 503, "json": {"error": "The disk is full."}}
    page.route("**/api/decide", lambda route: route.fulfill(**full))
    page.keyboard.press("Enter")
    expect(page.locator("#connection")).to_contain_text("Not stored yet: The disk is full. 1 action waits")
    page.unroute("**/api/decide")
    done(page, 1)
    expect(page.locator("#connection")).to_be_hidden()


def test_what_was_decided_in_one_database_never_reaches_another_at_the_same_address(people, tmp_path):
    """A server is ended with a page open, and another one is started in its place."""
    addresses = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with filled(tmp_path / "one", talks(3)) as one, filled(tmp_path / "two", talks(3)) as two:
        with served(one, local_person=True) as address:
            page = people(address)
            expect(heading(page)).to_have_text("Conversation talk-1")
            addresses.append(address)
        port = int(addresses[0].rpartition(":")[2])
        page.keyboard.type("x1")
        expect(page.locator("#connection")).to_contain_text("1 action waits")
        with served(two, port=port, local_person=True):
            expect(page.locator("#connection")).to_contain_text("another database")
            page.reload()
            expect(page.locator("#progress-text")).to_contain_text("0 of 3")
            assert two.overview().decisions == 0
        with served(one, port=port, local_person=True):
            page.goto(addresses[0])
            expect(page.locator("#progress-text")).to_contain_text("1 of 3")
        assert (one.overview().reviewers[0].actions["wrong"], two.overview().decisions) == (1, 0)
