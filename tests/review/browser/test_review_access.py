"""Who gets in, and what other sites cannot do."""

import httpx
import pytest
from playwright.sync_api import expect
from serving import filled, served
from talks import talks

from mojo_toolbox.errors import ReviewDatabaseError
from mojo_toolbox.review.web.pages import static_path

PLACES = ["/", "/admin", "/admin/export", "/playground", "/api/state", "/nowhere", "/static/other"]
ACTIONS = [
    "/api/admin/import",
    "/api/leave",
    "/api/decide",
    "/api/back",
    "/api/keep",
    "/api/playground/turn",
    "/api/playground/correct",
    "/leave",
]
BACK = {"key": "0123456789abcdef"}


@pytest.fixture
def team(store):
    """A page that only people with a link may see."""
    with served(store) as address:
        yield address


def caller(address, token=None):
    port = address.rpartition(":")[2]
    return httpx.Client(base_url=address, cookies={f"mojo-review-{port}": token} if token else None)


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("token", [None, "wrong", "x" * 5000])
def test_without_a_token_the_page_shows_nothing(team, path, token):
    with caller(team, token) as client:
        answer = client.get(path)
    assert answer.status_code == 401
    assert "talk-1" not in answer.text
    assert "quote" not in answer.text


@pytest.mark.parametrize("path", ACTIONS)
def test_without_a_token_nothing_can_be_done(team, path):
    with caller(team) as client:
        assert client.post(path, json=BACK).status_code == 401


def test_a_personal_link_leads_in_and_leaves_the_address(people, store, team):
    token = store.invite("Ana")
    page = people(f"{team}/join/{token}")
    expect(page.locator("#heading")).to_have_text("Conversation talk-1")
    assert page.url == f"{team}/"
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie") == ""
    assert token not in page.content()
    page.go_back()
    assert token not in page.url


def test_a_link_that_was_taken_back_ends_at_once(people, store, team):
    page = people(f"{team}/join/{store.invite('Ana')}")
    expect(page.locator("#heading")).to_have_text("Conversation talk-1")
    store.revoke("Ana")
    page.locator("#note").fill("looks fine")
    page.get_by_role("button", name="Okay").click()
    expect(page.locator("#connection")).to_contain_text("Your link no longer works. 1 action waits in this browser")
    assert store.overview().decisions == 0
    page.goto(f"{team}/join/{store.invite('Ana', renew=True)}")
    # The conversation went back to the queue with the link, so it is decided again; the work is still there.
    expect(page.locator("#alarm")).to_contain_text("has changed since it was shown")
    expect(page.locator("#heading")).to_have_text("Conversation talk-1")
    expect(page.locator("#note")).to_have_value("looks fine")


def test_a_wrong_link_says_what_to_do(people, team):
    page = people(f"{team}/join/nonsense")
    expect(page.get_by_text("Ask whoever sent it for a new one.")).to_be_visible()
    assert page.context.cookies() == []


def test_a_reviewer_sees_no_admins_page(store, team):
    with caller(team, store.invite("Ana")) as client:
        assert client.get("/").status_code == 200
        assert client.get("/admin").status_code == 403
        assert client.post("/admin/settle/1").status_code == 403
        assert client.get("/admin/export").status_code == 403
        lines = {"content-type": "application/x-ndjson"}
        assert client.post("/api/admin/import", content=b"{}", headers=lines).status_code == 403
        assert client.post("/api/leave", json={"item": 1, "key": "0123456789"}).status_code == 422


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_what_another_site_sends_is_refused(store, team, headers):
    with caller(team, store.invite("Ana")) as client:
        answer = client.post("/api/back", json=BACK, headers=headers)
    assert answer.status_code == 403


def test_a_proxy_with_https_may_name_the_server_otherwise(store, team):
    headers = {"origin": "https://review.example.com", "sec-fetch-site": "same-origin"}
    with caller(team, store.invite("Ana")) as client:
        assert client.post("/api/keep", json={}, headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1/join/", "x/join/?", "x/static/#", "[::1", "a:b", "a@b:99999"])
def test_no_host_header_leads_around_the_door(team, host):
    with caller(team) as client:
        answers = [client.get(path, headers={"host": host}) for path in ("/", "/api/state")]
    assert [answer.status_code for answer in answers] == [401, 401]


def test_no_token_comes_into_the_log(store, team, monkeypatch, caplog):
    token = store.invite("Ana")

    def fail(_token):
        raise ReviewDatabaseError("the disk is full")

    monkeypatch.setattr(store, "reviewer", fail)
    with caller(team) as client:
        assert client.get(f"/join/{token}").status_code == 503
    assert "the disk is full" in caplog.text
    assert token not in caplog.text


@pytest.mark.parametrize("number", ["0", "99", "-1", "x", "9" * 30, "9" * 5000])
def test_what_is_no_conversation_cannot_be_settled(store, team, number):
    with caller(team, store.invite("Ana", admin=True)) as client:
        assert client.post(f"/admin/settle/{number}").status_code in {404, 422}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_form_of_another_site_could_send_is_refused(store, team, kind):
    with caller(team, store.invite("Ana")) as client:
        answer = client.post("/api/back", content=b'{"key":"0123456789abcdef"}', headers={"content-type": kind})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"x-forwarded-for": "127.0.0.1"},
        {"via": "1.1 proxy"},
    ],
)
def test_the_single_person_comes_from_this_machine_only(address, headers):
    """A site may point its own name at 127.0.0.1, and a proxy makes everybody local."""
    with caller(address) as client:
        assert client.get("/").status_code == 200
        assert client.get("/", headers=headers).status_code == 401


def test_answers_forbid_foreign_scripts_and_frames(address):
    with caller(address) as client:
        answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    # Nothing is in the page that such a policy would not let run, and nothing comes from elsewhere.
    assert "onclick" not in answer.text
    assert "style=" not in answer.text
    assert "http" not in answer.text.replace('http-equiv="', "")


def test_scripts_may_be_kept_for_ever(address):
    with caller(address) as client:
        answer = client.get(f"{static_path()}/review.js")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"key": 1}',
        b'{"key": ""}',
        b'{"key": "a b c d e f"}',
        b"[" * 100_000,
        b'{"key": "\\ud800aaaaaaaaaa"}',
        b'{"key": "0123456789abcdef", "more": 1}',
        b"\xff\xfe",
        b'"' + b"x" * 5_000_000 + b'"',
    ],
)
def test_what_is_no_action_is_refused_in_a_line(address, body):
    with caller(address) as client:
        answer = client.post("/api/back", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"item": 10**30}, 400),
        ({"item": -1}, 400),
        ({"item": 999}, 422),
        ({"action": "delete"}, 400),
        ({"labels": {"1": None}}, 422),
        ({"labels": {"0": "unheard_of"}}, 422),
        ({"labels": {"99": None}}, 422),
        ({"note": "x" * 10_001}, 400),
        ({"version": 99}, 409),
    ],
)
def test_an_impossible_decision_changes_nothing(address, store, change, status):
    with caller(address) as client:
        item = client.get("/api/state").json()["item"]
        body = {"item": item["id"], "version": item["version"], "action": "okay", "key": "0123456789abcdef"}
        assert client.post("/api/decide", json=body | change).status_code == status
    assert store.overview().decisions == 0


def test_two_pages_on_one_machine_keep_their_cookies_apart(people, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with (
        filled(tmp_path / "one", talks(1)) as one,
        filled(tmp_path / "two", talks(2)) as two,
        served(one) as first,
        served(two) as second,
    ):
        page = people(f"{first}/join/{one.invite('Ana')}")
        expect(page.locator("#progress-text")).to_contain_text("of 1")
        page.goto(f"{second}/join/{two.invite('Ana')}")
        expect(page.locator("#progress-text")).to_contain_text("of 2")
        page.goto(first)
        expect(page.locator("#progress-text")).to_contain_text("of 1")
