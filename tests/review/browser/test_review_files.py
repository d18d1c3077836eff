"""Files in and out by the admin's page: the same checks as in a shell, nothing by halves, nothing for other sites."""

import gzip
import http.client
import json

import httpx
import pytest
from playwright.sync_api import expect
from serving import filled, served
from talks import talk, talks

from mojo_toolbox.review.records import ReviewDecision

TYPE = {"content-type": "application/x-ndjson"}
UPLOAD = "/api/admin/import"


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@pytest.fixture
def admin(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


def upload(client, content, name="more.jsonl", **options):
    query = {"name": name, **options.pop("query", {})}
    return client.post(UPLOAD, content=content, headers=TYPE | options.pop("headers", {}), params=query)


def test_a_file_is_uploaded_and_told_of(people, address, store, tmp_path):
    file = tmp_path / "more talks.jsonl"
    file.write_bytes(lines(talks(14)))
    page = people(f"{address}/admin")
    page.locator("#upload-files").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    told = page.locator("#upload-told")
    expect(told).to_contain_text("more talks.jsonl: 14 conversations, 2 new")
    expect(told).to_contain_text("12 were there already; decisions on them stay.")
    told.get_by_role("link", name="Show the new figures").click()
    expect(page.locator(".figures")).to_contain_text("of 14")
    assert store.overview().conversations == 14


def test_refused_lines_are_told_and_nothing_is_stored(people, address, store, tmp_path):
    file = tmp_path / "bad.jsonl"
    file.write_bytes(lines([talk(20)]) + b"{\n" + lines([talk(21), {"id": "<b>x</b>"}]))
    page = people(f"{address}/admin")
    page.locator("#upload-files").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    told = page.locator("#upload-told")
    expect(told).to_contain_text("Nothing was stored. bad.jsonl:2: not JSON")
    expect(told).to_contain_text("2 lines were refused:")
    expect(told.locator("li")).to_contain_text(["Line 2: not JSON", "Line 4: "])
    assert store.overview().conversations == 12


def test_the_decided_ones_are_downloaded(people, address, store):
    who = store.local_reviewer()
    for decision in (ReviewDecision("okay"), ReviewDecision("wrong", reason="A duplicate")):
        store.decide(who, store.next(who).id, decision)
    page = people(f"{address}/admin")
    page.get_by_label("thrown out (1)").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "reviewed.jsonl"
    records = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [record["id"] for record in records] == ["talk-1", "talk-2"]
    assert records[1]["meta"]["reviewed"]["decisions"][0]["reason"] == "A duplicate"


def test_a_download_is_what_the_shell_exports(admin, store, tmp_path):
    who = store.local_reviewer()
    store.decide(who, store.next(who).id, ReviewDecision("okay"))
    for include in ([], ["undecided", "wrong"]):
        answer = admin.get("/admin/export", params={"include": include})
        store.export_file(tmp_path / "out.jsonl", include=include)
        assert answer.content == (tmp_path / "out.jsonl").read_bytes()
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        assert answer.headers["content-disposition"] == 'attachment; filename="reviewed.jsonl"'
    assert admin.get("/admin/export", params={"include": "everything"}).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"content-type": "text/plain"},
     {"content-type": "multipart/form-data; boundary=x"}, {"content-type": ""}],
)  # fmt: skip
def test_no_other_site_uploads_anything(admin, store, headers):
    answer = upload(admin, lines([talk(30)]), headers=headers)
    assert answer.status_code in {400, 403}
    assert store.overview().conversations == 12


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "more.jsonl: the file is empty"),
        (b"\n \n", "more.jsonl: the file is empty"),
        (b"\xff\xfe{}", "more.jsonl:1: not UTF-8"),
        (b"[]\n", "more.jsonl:1: a JSON object was expected"),
        (b"{}\n", "more.jsonl:1:"),
    ],
)
def test_what_is_no_file_of_conversations_is_refused_by_its_own_name(admin, store, content, told):
    answer = upload(admin, content)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"Nothing was stored. {told}")
    assert "/tmp" not in answer.text
    assert store.overview().conversations == 12


def test_many_refused_lines_are_counted(admin):
    answer = upload(admin, b"{}\n" * 500)
    assert (len(answer.json()["refused"]), answer.json()["refused_total"]) == (20, 500)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\talks\\a.jsonl", "a.jsonl"),
        ("..", "upload.jsonl"),
        ("", "upload.jsonl"),
        ("a\0b\n.jsonl", "a_b_.jsonl"),
        ("ملف.jsonl", "ملف.jsonl"),
        ("x" * 300 + ".jsonl", "x" * 84 + "x" * 10 + ".jsonl"),
        ("😀" * 90, "upload.jsonl"),
    ],
)
def test_a_files_name_leads_nowhere_else(admin, given, shown):
    answer = upload(admin, b"{}\n", name=given)
    assert answer.json()["error"].startswith(f"Nothing was stored. {shown}:1: ")


@pytest.mark.parametrize("overlap", ["-1", "2", "nan", "x", ""])
def test_a_share_that_is_none_is_refused(admin, overlap):
    assert "overlap" in upload(admin, lines([talk(30)]), query={"overlap": overlap}).json()["error"]


def test_the_share_that_two_people_judge_counts(admin, store):
    upload(admin, lines(talks(12)), query={"overlap": "1"})
    assert store.overview().decisions_needed == 24


def test_a_file_that_is_too_large_is_refused_whether_it_says_so_or_not(store):
    content = lines([talk(30)])
    limited = served(store, local_person=True, max_upload_bytes=len(content))
    with limited as address, httpx.Client(base_url=address) as client:
        assert upload(client, content).status_code == 200
        announced = upload(client, content + b"\n")
        chunked = client.post(UPLOAD, content=iter([content, content]), headers=TYPE, params={"name": "a.jsonl"})
    for answer in (announced, chunked):
        assert answer.status_code == 413
        assert "nothing was stored" in answer.json()["error"]
    assert store.overview().conversations == 13


def test_a_packed_file_is_measured_by_what_it_holds(store):
    few, many = (
        gzip.compress(lines(talks(13))),
        gzip.compress(lines([talk(30)]) + b" " * 999_999 + b"\n" + lines([talk(31)])),
    )
    limited = served(store, local_person=True, max_upload_bytes=100_000)
    with limited as address, httpx.Client(base_url=address) as client:
        assert upload(client, few, name="few.jsonl.gz").json()["new"] == 1
        answer = upload(client, many, name="many.jsonl.gz")
    assert (answer.status_code, "holds more than 100,000 bytes" in answer.json()["error"]) == (400, True)
    assert store.overview().conversations == 13


def test_an_upload_that_breaks_off_stores_nothing(address, store):
    host, port = address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.putrequest("POST", f"{UPLOAD}?name=a.jsonl")
    for name, value in (TYPE | {"content-length": "100000"}).items():
        connection.putheader(name, value)
    connection.endheaders(lines([talk(30)]))
    connection.close()
    assert httpx.get(f"{address}/api/state").status_code == 200
    assert store.overview().conversations == 12


def test_who_uploaded_is_in_the_log(tmp_path):
    with filled(tmp_path, talks(1)) as store, served(store) as address:
        port = address.rpartition(":")[2]
        cookies = {f"mojo-review-{port}": store.invite("Cy", admin=True)}
        with httpx.Client(base_url=address, cookies=cookies) as client:
            assert upload(client, lines([talk(2)])).json()["new"] == 1
        with store._database.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT name, details FROM events JOIN reviewers ON reviewers.id = reviewer_id WHERE action = 'import'"
            ).all()
    assert [(name, json.loads(details)["source"]) for name, details in rows] == [("Cy", "more.jsonl")]
