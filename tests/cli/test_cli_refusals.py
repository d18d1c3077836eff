"""How commands end when something is wrong: one line, the right status, nothing done."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from mojo_shell import NAMES
from typer.testing import CliRunner

from mojo_toolbox.cli.application import application

TRAIN = ("train", *NAMES, "--base-model", "some/model", "--train-data", "train.jsonl")


@pytest.fixture
def with_data(mojo):
    turns = [{"role": "user", "content": "hi", "task": None}]
    record = {"tasks": [{"name": "email", "description": "write"}], "messages": turns}
    (mojo.folder / "train.jsonl").write_text(json.dumps(record) + "\n")
    return mojo


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["train"], "--train-data"),
        (["train", *NAMES, "--train-data", "train.jsonl"], "Give --base-model, or a --recipe"),
        (["ls", "buckets"], "'buckets' is not one of"),
        (["ls", "--cloud", "azure"], "azure"),
        ([*TRAIN, "-H", "lora_r"], "--hyperparameter takes NAME=VALUE, not 'lora_r'"),
        ([*TRAIN, "--request-overrides", "nowhere.json"], "there is no file nowhere.json"),
        (["deploy", *NAMES, "--job", "a", "--model-data", "s3://b/c"], "either --job or --model-data"),
        (["predict", *NAMES, "nowhere.json"], "no file nowhere.json"),
        (["predict", *NAMES, "-m", "hi"], "no tasks to choose from: give --tasks FILE"),
        (["predict", *NAMES, "-m", "hi"], "For a chat reply: --chat"),
        (["predict", *NAMES, "-m", "hi", "--chat", "--tasks", "tasks.json"], "--tasks belongs to routing"),
        (["predict", *NAMES, "-m", "hi", "--previous", "none"], "give --tasks FILE"),
        (["predict", *NAMES, "-m", "hi", "--previous", "none", "--chat"], "--previous belongs to routing"),
        (["predict", *NAMES, "-m", "hi", "--previous", "email"], "give the conversation as a file"),
        (["predict", *NAMES, "-m", "hi", "--abstain-below", "0.8"], "give --tasks FILE"),
        (["predict", *NAMES, "-m", "hi", "--abstain-below", "0.8", "--chat"], "--abstain-below belongs to routing"),
        (
            ["predict", "--product", "acme", "-m", "hi"],
            "Missing: --task …, --model-id …. Give them, set MOJO_TASK, MOJO_MODEL_ID",
        ),
        (["deploy"], "Missing: --product …, --task …, --model-id …."),
        (["train", "--train-data", "train.jsonl", "--recipe", "router"], "or write them to mojo.toml (mojo init)"),
        ([*TRAIN, "--pool", "nowhere.jsonl"], "--pool: there is no file nowhere.jsonl"),
        (["predict", *NAMES], "standard input is not JSON"),
        (["rm", "--product", "acme"], "Missing: --task …, --model-id …."),
        (["rm", "--job", "a", *NAMES], "either --job"),
        (["rm", "--job", "a", "--stage", "prod"], "either --job"),
    ],
    ids=lambda value: None if isinstance(value, list) else value[:30],
)
def test_wrong_command_line_ends_with_2_and_a_line(arguments, named):
    outcome = CliRunner().invoke(application, arguments)
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("error: ")
    assert named in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"previous": None}, "Give --previous"),
        ({"abstain_below": 0.8}, "Give --abstain-below"),
        ({"taks": []}, "Did you mean 'tasks'"),
        ({"task": [{"name": "email"}]}, "'task' belongs to a user message"),
        ({"tools": [{"name": "email"}]}, "describe what the assistant can do as tasks"),
    ],
)
def test_predict_drops_no_key_of_its_file(tmp_path, more, words):
    more = {key: value or [{"name": "email"}] if key == "taks" else value for key, value in more.items()}
    document = tmp_path / "question.json"
    document.write_text(json.dumps({"messages": [{"role": "user", "content": "hi"}], **more}))
    outcome = CliRunner().invoke(application, ["predict", *NAMES, str(document)])
    assert outcome.exit_code == 2
    assert words in outcome.stderr


def test_error_of_the_library_is_one_line_and_ends_with_1(with_data):
    done = with_data(*TRAIN, "--cloud", "aws", "-H", "num_train_epoch=2", "--dry-run")
    assert done.returncode == 1
    assert done.stderr == "error: Unknown hyperparameter 'num_train_epoch'. Did you mean 'num_train_epochs'?\n"


def test_debug_shows_the_traceback_wherever_it_stands(with_data):
    done = with_data(*TRAIN, "--cloud", "aws", "-H", "num_train_epoch=2", "--dry-run", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("Did you mean 'num_train_epochs'?\n")


def test_unusable_data_is_named_by_file_and_line(mojo):
    (mojo.folder / "train.jsonl").write_text("{}\nno JSON\n")
    done = mojo(*TRAIN, "--cloud", "aws", "--region-name", "eu-west-1", "--role", "r", "--dry-run")
    assert done.returncode == 1
    assert "train.jsonl:1: " in done.stderr


def test_machine_without_an_account_is_pointed_to_the_local_cloud(mojo):
    done = mojo("ls")
    assert done.returncode == 1
    assert "No AWS region" in done.stderr
    assert "--cloud local" in done.stderr


def test_dry_run_prints_the_requests_without_an_account(with_data):
    arguments = ("--region-name", "eu-west-1", "--role", "r", "-H", "lora_r=4", "-H", "lr_scheduler_type=cosine")
    (request,) = with_data.json(*TRAIN, *arguments, "--dry-run")
    sent = request["parameters"]["HyperParameters"]
    assert request["operation"] == "CreateTrainingJob"
    assert (sent["lora_r"], sent["lr_scheduler_type"]) == ("4", '"cosine"')


DEPLOY = ("deploy", *NAMES, "--base-model", "some/model")


@pytest.mark.parametrize("command", [TRAIN, DEPLOY], ids=["train", "deploy"])
def test_what_costs_is_refused_in_a_script_without_yes(command, account):
    done = account(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "billed by AWS" in done.stderr
    assert "add --yes" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("train", *NAMES, "--recipe", "encoder-router", "--train-data", "train.jsonl"),
            "1 x ml.c7i.2xlarge is billed by AWS while it runs, 6 h",
        ),
        (
            ("train", *NAMES, "--recipe", "router", "--train-data", "train.jsonl"),
            "1 x ml.g5.2xlarge is billed by AWS while it runs, 24 h",
        ),
        (DEPLOY, "1 x ml.c7i.xlarge (an encoder) or ml.g5.xlarge (a language model) is billed"),
        ((*DEPLOY, "--instance-type", "ml.m5.xlarge"), "1 x ml.m5.xlarge is billed"),
    ],
)
def test_the_question_names_the_instance_that_fits(arguments, words, account):
    done = account(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


NOBODY = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
CHECKED_FIRST = [
    (("train", *NAMES, "--recipe", "router", "--train-data", "nope.jsonl"), {}, "nope.jsonl: no such file"),
    ((*TRAIN, "--validation-data", "nope.jsonl"), {}, "nope.jsonl: no such file"),
    ((*TRAIN, "--pool", "nope.jsonl"), {}, "no file nope.jsonl"),
    ((*TRAIN, "--resume", "nobody"), {}, "no training job 'nobody'"),
    ((*TRAIN, "--job-name", "a_b"), {}, "a_b"),
    ((*TRAIN, "--instance-type", "big"), {}, "big"),
    (("train", *NAMES, "--recipe", "router", "--data", "s3://mojo-toolbox-us-east-1-123456789012/no"), {}, "no object"),
    ((*TRAIN,), NOBODY, "no usable AWS credentials"),
    ((*TRAIN,), {"AWS_DEFAULT_REGION": ""}, "No AWS region"),
    ((*TRAIN,), {"MOJO_ROLE": ""}, "SageMaker needs an execution role"),
    ((*TRAIN, "--bucket", "s3://b"), {}, "s3://b"),
    (("deploy", *NAMES, "--job", "nobody"), {}, "no training job 'nobody'"),
    (("deploy", *NAMES, "--encoder", "nobody", "--model-data", "s3://b0b/no"), {}, "no object s3://b0b/no"),
    (("deploy", *NAMES, "--model-id", "untrained"), {}, "No completed training job of acme/routing/untrained"),
    (DEPLOY, NOBODY, "no usable AWS credentials"),
    (DEPLOY, {"AWS_DEFAULT_REGION": ""}, "No AWS region"),
    (("rm", *NAMES, "--stage", "nowhere"), {}, "There is no endpoint acme--routing--tiny--nowhere"),
    (("rm", *NAMES), NOBODY, "no usable AWS credentials"),
    (("rm", "--job", "nobody"), {}, "no training job 'nobody'"),
]


@pytest.mark.parametrize(("arguments", "environment", "words"), CHECKED_FIRST)
def test_nobody_is_asked_to_agree_to_what_cannot_be_done(arguments, environment, words, account):
    account.environment |= environment
    done = account(*arguments)
    assert done.returncode == (2 if "--pool" in arguments else 1)
    assert words in done.stderr
    assert "Nobody can be asked here" not in done.stderr


def test_nobody_is_asked_to_pay_for_what_cannot_be_trained(with_data):
    done = with_data(*TRAIN, "--region", "eu-west-1", "-H", "lora_r=many")
    assert done.returncode == 1
    assert "'lora_r' cannot be 'many'" in done.stderr
    assert "billed" not in done.stderr


def test_what_costs_is_asked_at_a_terminal_and_no_means_no(account):
    with at_a_terminal(account, *TRAIN) as (process, terminal):
        said = terminal.read_until(b"[y/N]")
        terminal.write(b"n\n")
        assert process.communicate(timeout=30) == (b"", None)
    assert process.returncode == 1
    assert b"1 x ml.g5.2xlarge is billed by AWS" in said


def test_an_interrupted_question_begins_a_line_and_says_that_nothing_was_changed(account):
    with at_a_terminal(account, *TRAIN) as (process, terminal):
        terminal.read_until(b"[y/N]: ")
        process.send_signal(signal.SIGINT)
        assert b"\nInterrupted. Nothing was changed." in terminal.read_until(b"changed.")
        process.communicate(timeout=30)
    assert process.returncode == 130


class Terminal:
    """The end of a terminal at which a person sits."""

    def __init__(self, file):
        self._file = file

    def read_until(self, words):
        said = b""
        while words not in said:
            assert select.select([self._file], [], [], 30)[0], said
            said += os.read(self._file, 1024)
        return said

    def write(self, typed):
        os.write(self._file, typed)


@contextmanager
def at_a_terminal(shell, *arguments):
    """Run a command whose questions and errors go to a terminal."""
    ours, theirs = pty.openpty()
    hearing = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{hearing}from mojo_toolbox.cli import main; main()", *arguments],
        env=shell.environment,
        cwd=shell.folder,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield process, Terminal(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_closed_pipe_is_no_error(mojo):
    process = subprocess.Popen(
        mojo.command("--version"), env=mojo.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    process.wait(timeout=30)
