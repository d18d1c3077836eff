"""A real Chromium before the real page, over a real database."""

import os
import shutil

import pytest
from serving import filled, served
from talks import talks

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")


# Not for the whole session: while Playwright runs, an event loop counts as running here, and no other test could start one.
@pytest.fixture(scope="module")
def browser():
    path = next((found for found in map(shutil.which, _NAMES) if found), None)
    if path is None and not os.environ.get("CI_NEEDS_BROWSER"):
        pytest.skip("there is no Chromium: install it (Debian: apt install chromium) to run the page's tests")
    assert path is not None, "CI_NEEDS_BROWSER is set, and there is no Chromium"
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=15_000)  # a machine that does other things too

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def people(browser):
    """Open pages, each in a browser of its own; whatever a page's scripts complain about fails the test."""
    contexts, complaints = [], []

    def come_in(address, *, width=1280, height=800, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(15000)
        # Chromium takes a moment to let requests be caught: begun before the page is there, none slips past a later route.
        context.route("**/nothing-asks-for-this", lambda route: route.abort())
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield come_in
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def store(tmp_path):
    with filled(tmp_path, talks(12)) as store:
        yield store


@pytest.fixture
def address(store):
    """The page of a single person at this machine: no token is needed."""
    with served(store, local_person=True) as address:
        yield address


@pytest.fixture
def page(people, address):
    page = people(address)
    page.wait_for_selector("#turns .turn")
    return page
