"""The whole way on the local cloud, by commands alone."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from mojo_shell import NAMES

ENDPOINT = "acme--routing--tiny--dev"
TRAIN = ("train", *NAMES, "--base-model", "base", "--train-data", "train.jsonl", "-H", "load_in_4bit=false")


@pytest.fixture(scope="module")
def job(local):
    return local.json(*TRAIN, "-H", "max_steps=1", "-H", "lora_r=2")


@pytest.fixture(scope="module")
def endpoint(local, job):
    return local.json("deploy", *NAMES, "--job", job["job_name"])


def test_train_waits_and_gives_the_job_with_its_metrics(job):
    assert job["status"] == "Completed"
    assert job["model_data"].startswith("s3://")
    assert job["metrics"]["loss"] > 0


def test_deploy_waits_until_the_endpoint_serves(endpoint):
    assert endpoint == {"endpoint_name": ENDPOINT, "status": "InService"}


def test_predict_prints_one_of_the_tasks_or_none(local, endpoint):
    done = local("predict", *NAMES, "--message", "mail Ann", "--tasks", "tasks.json", "--previous", "none")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in {"email", "recap", "none"}
    assert done.stderr == ""


@pytest.mark.parametrize("source", ["a file", "standard input"])
def test_predict_takes_a_conversation_with_its_tasks(source, local, endpoint):
    document = (local.folder / "train.jsonl").read_text()
    by = ("train.jsonl",) if source == "a file" else ()
    decision = local.json("predict", *NAMES, *by, text=document)
    assert set(decision["probabilities"]) == {"email", "recap", "none"}
    assert decision["usage"]["prompt_tokens"] > 0


def test_predict_gives_a_chat_reply_to_who_asks_for_one(local, endpoint):
    question = json.dumps({"messages": [{"role": "user", "content": "hi"}]})
    assert "content" in local.json("predict", *NAMES, "--chat", "--max-tokens", "2", "-", text=question)
    done = local("predict", *NAMES, "-", text=question)
    assert (done.returncode, done.stdout) == (2, "")
    assert "For a chat reply: --chat" in done.stderr


def test_predict_on_a_stage_that_nobody_deployed_says_so(local):
    done = local("predict", *NAMES, "--stage", "prod", "--chat", "-m", "hi")
    assert done.returncode == 1
    assert done.stderr.startswith("error: There is no endpoint 'acme--routing--tiny--prod'")


def test_ls_lists_jobs_endpoints_and_models(local, job, endpoint):
    everything = local.json("ls")
    assert [row["name"] for row in everything["endpoints"]] == [ENDPOINT]
    assert job["job_name"] in [row["name"] for row in everything["jobs"]]
    assert {row["model_id"] for row in everything["models"]} == {"tiny"}
    assert local.json("ls", "models", "--product", "other") == []
    shown = local("ls")
    assert [title for title in ("Jobs", "Endpoints", "Models") if title not in shown.stdout] == []
    # In a pipe nothing is folded: a job is one line.
    assert re.search(rf"^{job['job_name']} +Completed ", shown.stdout, re.MULTILINE)


def test_logs_are_the_job_s_or_the_endpoint_s(local, job, endpoint):
    assert '"loss"' in local("logs", job["job_name"], "--follow").stdout
    of_endpoint = local("logs", ENDPOINT)
    assert (of_endpoint.returncode, bool(of_endpoint.stdout)) == (0, True)
    unknown = local("logs", "nobody")
    assert unknown.returncode == 1
    assert "no training job and no endpoint named 'nobody'" in unknown.stderr


def test_interrupted_wait_says_what_goes_on_and_rm_stops_it(local):
    # A process that a script starts in the background is born deaf to Ctrl-C; one at a terminal is not.
    hearing = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{hearing}from mojo_toolbox.cli import main; main()", *TRAIN, "-H", "max_steps=100000"],
        env=local.environment,
        cwd=local.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process.stderr:
        (name,) = re.findall(r"Training job (\S+) started", process.stderr.readline())
        os.kill(process.pid, signal.SIGINT)
        said = process.stderr.read()
    assert process.wait(timeout=30) == 130
    assert "Interrupted. The training job goes on." in said
    assert f"mojo logs {name} --follow" in said
    assert local.json("rm", "--job", name, "--yes")["status"] in {"Stopping", "Stopped"}


@pytest.fixture(scope="module")
def failed(local):
    """The name of a job that failed."""
    done = local(*TRAIN, "--model-id", "fails", "-H", "target_modules=no_such_layer", "-H", "max_steps=1")
    assert done.returncode == 1
    (name,) = re.findall(r"Training job (\S+) started", done.stderr)
    return name


@pytest.mark.long
def test_a_failed_job_says_why_wherever_it_is_named(local, failed):
    listed = local("ls", "jobs", "--model-id", "fails")
    assert re.search(rf"^{failed} +Failed ", listed.stdout, re.MULTILINE)
    assert re.search(rf"^{failed} failed: .*no_such_layer", listed.stderr, re.MULTILINE)
    (row,) = local.json("ls", "jobs", "--model-id", "fails")
    assert "no_such_layer" in row["failure_reason"]
    assert re.search(rf"^{failed} failed: .*no_such_layer", local("logs", failed).stderr, re.MULTILINE | re.DOTALL)
    deployed = local("deploy", *NAMES, "--job", failed)
    assert deployed.returncode == 1
    assert re.search(rf"{failed}' is Failed, so it has no model to deploy: .*no_such_layer", deployed.stderr, re.DOTALL)


def test_a_job_without_a_checkpoint_is_not_resumed(local, failed):
    done = local(*TRAIN, "--resume", failed)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{failed} is Failed and left no checkpoint to go on from. Start without --resume" in done.stderr


def test_train_ends_with_figures_that_say_how_good_the_model_is(local):
    done = local(*TRAIN, "-H", "max_steps=3", "-H", "logging_steps=10")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Completed\. loss [\d.]+$", done.stderr, re.MULTILINE)


def test_an_empty_message_is_not_asked(local, endpoint):
    for words, more in (("is empty", ("-m", "")), ("is blank", ("-m", "  ")), ("is empty", ("-m", "", "--chat"))):
        tasks = () if "--chat" in more else ("--tasks", "tasks.json")
        done = local("predict", *NAMES, *more, *tasks)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: the last message {words}")


def test_the_page_is_not_served_with_a_router_that_is_not_there(local):
    talks = local.folder / "train.jsonl"
    assert local("review", "import", talks, "--database", "review.db").returncode == 0
    done = local("review", "serve", "--database", "review.db", "--port", "0", "--router", "acme/routing/ghost")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no endpoint 'acme--routing--ghost--dev'" in done.stderr


def test_rm_removes_the_stage_and_says_when_there_is_none(local):
    deployed = local("deploy", *NAMES, "--stage", "short", "--base-model", "base", "--no-wait")
    assert deployed.stdout == "acme--routing--tiny--short\n"
    refused = local("rm", *NAMES, "--stage", "short")
    assert refused.returncode == 2
    assert "add --yes" in refused.stderr
    removed = local.json("rm", *NAMES, "--stage", "short", "--yes")
    assert removed["failed"] == {}
    assert "endpoint acme--routing--tiny--short" in removed["removed"]
    assert len(removed["removed"]) == 3
    again = local("rm", *NAMES, "--stage", "short", "--yes")
    assert again.returncode == 1
    assert "nothing was removed" in again.stderr


def test_local_status_and_env_describe_the_running_cloud(local):
    status = local.json("local", "status")
    assert status["running"] is True
    assert local.json("local", "up") == {name: status[name] for name in ("endpoint_url", "pid", "home")}
    variables = local.json("local", "env")
    assert variables["AWS_ENDPOINT_URL"] == status["endpoint_url"]
    unset, *exports = local("local", "env").stdout.splitlines()
    assert unset.startswith("unset AWS_SESSION_TOKEN ")
    assert " AWS_PROFILE " in unset
    assert [line.partition("=")[0] for line in exports] == [f"export {name}" for name in variables]


def test_local_cloud_that_does_not_run_is_reported_with_1(mojo):
    status = mojo("local", "status", "--json")
    assert (status.returncode, json.loads(status.stdout)["running"]) == (1, False)
    env = mojo("local", "env")
    # Nothing on standard output: it is evaluated by shells.
    assert (env.returncode, env.stdout) == (1, "")
    assert mojo.json("local", "down") == {"stopped": False, "jobs": [], "endpoints": []}


def test_the_local_cloud_is_said_to_be_started_and_what_ends_with_it_is_named(mojo, local):
    for name in ("base", "train.jsonl"):
        (mojo.folder / name).symlink_to(local.folder / name)
    mojo.environment["MOJO_CLOUD_SERVICE"] = "local"
    first = mojo("ls")
    assert "The local cloud did not run: started it, with its endpoints. Stop it: mojo local down" in first.stderr
    assert "started it" not in mojo("ls").stderr
    try:
        job = mojo(*TRAIN, "-H", "max_steps=100000", "--no-wait").stdout.strip()
        assert mojo("deploy", *NAMES, "--base-model", "base", "--no-wait").returncode == 0
    finally:
        down = mojo("local", "down")
    assert (down.returncode, down.stdout) == (0, "")
    assert f"The training job {job} was running and is Failed now." in down.stderr
    assert f"mojo train ... --resume {job}" in down.stderr
    assert f"The endpoint {ENDPOINT} serves again after the next start." in down.stderr
    assert mojo("local", "down").stderr == "The local cloud did not run.\n"
    assert f"--resume {job}" in mojo("ls", "jobs").stderr
    mojo("local", "down")
