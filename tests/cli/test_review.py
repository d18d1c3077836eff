"""`mojo review`: from a file to a queue, from the queue to a file, and a page between them."""

import json
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from mojo_toolbox.review.records import ReviewDecision
from mojo_toolbox.review.store import ReviewStore

TASKS = [{"name": "recap", "description": "Sum up a meeting"}, {"name": "email", "description": "Write a mail"}]


def record(number):
    messages = [
        {"role": "user", "content": f"wish {number}", "task": "recap"},
        {"role": "assistant", "content": "Done."},
    ]
    return {"id": f"c{number}", "tasks": TASKS, "messages": messages}


@pytest.fixture
def talks(tmp_path):
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps(record(n)) + "\n" for n in range(3)))
    return path


def decide(database, *actions):
    with ReviewStore.open(str(database)) as store:
        me = store.local_reviewer()
        for action in actions:
            store.decide(me, store.next(me).id, action)


def test_from_a_file_through_decisions_to_a_file(mojo, talks, tmp_path):
    told = mojo.json("review", "import", talks)
    assert (told["read"], told["new"]) == (3, 3)
    decide(tmp_path / "review.db", ReviewDecision("okay"), ReviewDecision("change", {0: "email"}))
    assert mojo.json("review", "import", talks)["known"] == 3
    told = mojo.json("review", "export", "out.jsonl")
    assert (told["written"], told["changed"], told["left_out"]) == (2, 1, {"undecided": 1})
    labels = [json.loads(line)["messages"][0]["task"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert labels == ["recap", "email"]
    assert mojo.json("review", "status")["decided"] == 2
    shown = mojo("review", "status")
    assert "2 of 3 conversations decided" in shown.stdout


def test_the_status_tells_what_is_to_be_checked(mojo, talks, tmp_path):
    mojo("review", "import", talks)
    decide(tmp_path / "review.db", ReviewDecision("check", {0: "email"}, note="look"))
    (check,) = mojo.json("review", "status")["checks"]
    assert check["decisions"][0]["labels"] == {"0": "email"}
    assert check["decisions"][0]["at"].startswith("20")


def test_what_is_thrown_out_is_told_with_its_reason(mojo, talks, tmp_path):
    mojo("review", "import", talks)
    decide(tmp_path / "review.db", ReviewDecision("wrong", reason="A duplicate"), ReviewDecision("wrong"))
    shown = mojo("review", "status").stdout
    assert "thrown out: 2 (1 no reason given; 1 A duplicate)" in shown
    assert mojo.json("review", "status")["reasons"] == {"A duplicate": 1, "": 1}
    assert "Left out: 1 undecided, 2 thrown out." in mojo("review", "export", "out.jsonl").stderr


def test_people_come_by_links_that_can_end(mojo):
    link = mojo.json("review", "invite", "Ann", "--create", "--admin", "--url", "https://review.example.com/")["link"]
    assert link.startswith("https://review.example.com/join/")
    again = mojo("review", "invite", "Ann")
    assert (again.returncode, "--renew" in again.stderr) == (1, True)
    assert mojo("review", "revoke", "Ann").returncode == 0
    (ann,) = mojo.json("review", "people")
    assert (ann["name"], ann["admin"]) == ("Ann", True)
    assert ann["revoked_at"].startswith("20")
    assert "revoked" in mojo("review", "people").stdout


def test_a_setting_names_the_database(mojo, talks, tmp_path):
    mojo.environment["MOJO_REVIEW_DATABASE"] = str(tmp_path / "team" / "other.db")
    mojo.json("review", "import", talks)
    assert (tmp_path / "team" / "other.db").exists()
    assert not (tmp_path / "review.db").exists()


def test_a_routers_predictions_set_the_order(mojo, talks, tmp_path):
    (tmp_path / "router.py").write_text(
        "def choose(messages, tasks, previous):\n    return 'email' if '2' in messages[-1]['content'] else 'recap'\n"
    )
    assert mojo.json("review", "import", talks, "--router", "python:router.py:choose")["disagreements"] == 1
    with ReviewStore.open(str(tmp_path / "review.db")) as store:
        item = store.next(store.local_reviewer())
    assert (item.conversation.id, item.router[0].task) == ("c2", "email")
    predictions = tmp_path / "evaluation-talks" / "predictions.jsonl"
    assert mojo.json("review", "import", talks, "--predictions", predictions)["disagreements"] == 1


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("status",), 1, "There is no database review.db. Begin one: mojo review import FILE"),
        (("export", "out.jsonl"), 1, "There is no database review.db"),
        (("import", "nix.jsonl"), 1, "nix.jsonl: no such file"),
        (("import", "a", "b", "--source", "x"), 2, "one by one"),
        (("import", "a", "--router", "stay", "--predictions", "x"), 2, "not both"),
        (("serve", "--host", "0.0.0.0", "--create"), 2, "nobody is invited"),
        (("serve", "--database", "typo.db"), 1, "There is no database typo.db. Begin one: mojo review import FILE"),
        (("invite", "Ann", "-d", "typo.db"), 1, "There is no database typo.db. Begin one: mojo review import FILE"),
        (("revoke", "Ann", "-d", "typo.db"), 1, "There is no database typo.db"),
        (("people", "-d", "sqlite:///typo.db"), 1, "There is no database typo.db"),
        (("import", "nix.jsonl", "-d", "typo.db"), 1, "nix.jsonl: no such file"),
        (("serve", "--router", "mojodex"), 2, "PRODUCT/TASK/MODEL_ID"),
        (("serve", "--database", "mysql://x/y"), 1, "mysql:// is not supported"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(mojo, arguments, status, told):
    done = mojo("review", *arguments)
    assert done.returncode == status
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (mojo.folder / "typo.db").exists()


def test_a_new_database_is_told(mojo, talks):
    assert "Created a new database: first.db" in mojo("review", "import", talks, "-d", "first.db").stderr
    assert "Began" not in mojo("review", "import", talks, "-d", "first.db").stderr
    assert "Created a new database: team.db" in mojo("review", "invite", "Ann", "--create", "-d", "team.db").stderr


@pytest.mark.parametrize("text", ["# A page\n", "", '{"tasks": [], "messages": []}\n'])
def test_a_failed_import_leaves_no_database_behind(mojo, tmp_path, text):
    (tmp_path / "notes.md").write_text(text)
    assert mojo("review", "import", "notes.md").returncode == 1
    assert list(tmp_path.glob("review.db*")) == []


def test_a_failed_import_leaves_what_was_there(mojo, talks, tmp_path):
    mojo("review", "import", talks)
    (tmp_path / "notes.md").write_text("# A page\n")
    assert mojo("review", "import", "notes.md").returncode == 1
    assert mojo.json("review", "status")["conversations"] == 3


def test_the_first_invitation_says_that_links_are_needed_from_then_on(mojo, talks):
    mojo("review", "import", talks)
    first = mojo("review", "invite", "Ann").stderr
    assert "mojo review invite YOUR-NAME --admin" in first
    assert "http://127.0.0.1:8080. --url gives another address, such as another port" in first
    assert "next start" not in mojo("review", "invite", "Bo").stderr
    again = mojo("review", "invite", "Ann")
    assert "mojo review invite Ann --renew" in again.stderr


@pytest.mark.parametrize("option", ["--region", "--region-name"])
def test_a_region_is_spelt_either_way(mojo, talks, option):
    assert mojo("review", "import", talks, option, "eu-west-1").returncode == 0
    done = mojo("review", "serve", "--host", "0.0.0.0", option, "eu-west-1")
    assert (done.returncode, "nobody is invited" in done.stderr) == (2, True)


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("invited", [False, True])
def test_the_page_is_served_until_it_is_interrupted(mojo, talks, invited):
    mojo.json("review", "import", talks)
    link = mojo.json("review", "invite", "Ann")["token"] if invited else None
    command = mojo.command("review", "serve", "--port", "0")
    with subprocess.Popen(
        command, env=mojo.environment, cwd=mojo.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            address = process.stdout.readline().strip()
            if invited:
                with pytest.raises(urllib.error.HTTPError, match="401"):
                    get(address)
                assert "Ann" in get(f"{address}/join/{link}")
            else:
                assert "wish 0" in get(address) or "<html" in get(address)
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "All decisions are stored" in rest[1]


def test_a_port_that_is_taken_is_said(mojo, talks):
    import socket

    mojo.json("review", "import", talks)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = mojo("review", "serve", "--port", taken.getsockname()[1])
    assert done.returncode == 2
    assert "Choose another: --port 0" in done.stderr
