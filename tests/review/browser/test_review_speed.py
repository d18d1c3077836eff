"""From a key to the next conversation: 10,000 conversations in the queue, five reviewers at work."""

import statistics
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import expect
from serving import Process, filled
from talks import talks

# Milliseconds from a key to the painted frame that shows another conversation.
WATCH = """() => {
  window.took = [];
  const heading = document.getElementById("heading");
  addEventListener("keydown", () => {
    const began = performance.now();
    const watch = new MutationObserver(() => {
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => window.took.push(performance.now() - began)));
    });
    watch.observe(heading, { childList: true, characterData: true, subtree: true });
  }, { capture: true });
}"""
READY = "performance.getEntriesByType('navigation')[0].domComplete"


class Colleague:
    """Somebody who decides through the page's own requests."""

    def __init__(self, server, token):
        cookie = {f"mojo-review-{server.port}": token}
        self._client = httpx.Client(base_url=server.address, cookies=cookie, timeout=60)
        self._item = self._client.get("/api/state").json()["item"]

    def decide(self):
        body = {"item": self._item["id"], "version": self._item["version"], "action": "okay", "key": uuid.uuid4().hex}
        answer = self._client.post("/api/decide", json=body)
        assert answer.status_code == 200
        self._item = answer.json()["item"]

    def close(self):
        self._client.close()


@pytest.fixture
def crowd(tmp_path):
    with filled(tmp_path, talks(10_000)) as store:
        tokens = [store.invite(name) for name in ("Ana", "Bo", "Cy", "Di", "Ed")]
    server = Process(tmp_path / "review.db")
    server.start()
    colleagues = [Colleague(server, token) for token in tokens[1:]]
    yield f"{server.address}/join/{tokens[0]}", colleagues
    for colleague in colleagues:
        colleague.close()
    server.kill()


def test_the_next_conversation_is_there_within_a_tenth_of_a_second(people, crowd):
    link, colleagues = crowd
    page = people(link)
    page.wait_for_selector("#turns .turn")
    ready = []
    for _ in range(5):
        page.reload()
        page.wait_for_selector("#turns .turn")
        ready.append(page.evaluate(READY))
    page.evaluate(WATCH)
    with ThreadPoolExecutor(len(colleagues)) as others:
        for count in range(1, 21):
            at_work = [others.submit(colleague.decide) for colleague in colleagues]
            page.keyboard.press("Enter")
            expect(page.locator("#progress-text")).to_contain_text(f"{count} by you")
            for work in at_work:
                work.result()
    took = page.evaluate("took")
    assert len(took) == 20
    assert statistics.median(took) < 100, took
    assert statistics.median(ready) < 1000, ready
