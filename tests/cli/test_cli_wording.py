"""Errors in the words of the command line: what the library says of arguments is said of options."""

import ast
import re

import pytest
from mojo_shell import NAMES, ROOT
from typer.main import get_command
from typer.testing import CliRunner

from mojo_toolbox.cli.application import application
from mojo_toolbox.cli.terminal.wording import in_options

TRAIN = ("train", *NAMES, "--base-model", "some/model", "--train-data", "train.jsonl")


def parameters(*path):
    command = get_command(application)
    for name in path:
        command = command.commands[name]
    return command.params


def every_command(group=None, path=()):
    group = group or get_command(application)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    ("path", "said", "expected"),
    [
        (
            ("train",),
            "No AWS region. Pass region_name=…, or set MOJO_REGION_NAME.",
            "No AWS region. Pass --region-name …, or set MOJO_REGION_NAME.",
        ),
        (
            ("deploy",),
            "Pass role='…' (a name or an ARN), or set MOJO_ROLE",
            "Pass --role … (a name or an ARN), or set MOJO_ROLE",
        ),
        (
            ("train",),
            "exists. Leave job_name out, or choose another.",
            "exists. Leave --job-name out, or choose another.",
        ),
        (
            ("train",),
            "needs a base_model, such as base_model='a/b'.",
            "needs a --base-model, such as --base-model a/b.",
        ),
        (
            ("train",),
            "There is no training job 'x'. See hub.jobs().",
            "There is no training job 'x'. See mojo ls jobs.",
        ),
        (("train",), "instance_count=2 is not supported", "--instance-count 2 is not supported"),
        (("evaluate",), "overwrite it (overwrite=True, --overwrite).", "overwrite it (--overwrite)."),
        (
            ("predict",),
            "previous= belongs to routing; give tasks= too",
            "--previous belongs to routing; give --tasks too",
        ),
        (("predict",), "so abstain_below=0.7 has nothing", "so --abstain-below 0.7 has nothing"),
        (("deploy",), "bucket='a bucket' is no name", "--bucket 'a bucket' is no name"),
        (
            ("deploy",),
            "agree to that name with allow_hashed_names=True.",
            "agree to that name with --allow-hashed-names.",
        ),
        (("review", "serve"), "Pass region_name=…, or set", "Pass --region-name …, or set"),
        # What is quoted is somebody's own.
        (
            ("train",),
            "there is no column 'model_id', s3://b/model_id/x",
            "there is no column 'model_id', s3://b/model_id/x",
        ),
        (("train",), "Unknown hyperparameter 'job_name=3'", "Unknown hyperparameter 'job_name=3'"),
    ],
)
def test_arguments_become_options(path, said, expected):
    assert in_options(said, parameters(*path)) == expected


def raised_texts():
    """Return what the library's errors say, with an ellipsis for what is filled in."""
    for path in sorted((ROOT / "mojo_toolbox").rglob("*.py")):
        if {"local_cloud", "_shipped"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                parts = [p for p in ast.walk(node.exc.args[0]) if isinstance(p, ast.Constant | ast.FormattedValue)]
                text = "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in parts)
                yield f"{path.name}:{node.lineno}", text


def test_no_option_is_spelled_as_an_argument_in_any_error():
    options = {name for path, command in every_command() for name in in_options_names(command)}
    assert "region_name" in options
    found = [(where, text) for where, text in raised_texts() if re.search(rf"\b({'|'.join(options)})=", text)]
    assert len(found) > 5
    commands = [command.params for _, command in every_command()]
    left = [
        where
        for where, text in found
        if all(re.search(rf"\b({'|'.join(options)})=", in_options(text, given)) for given in commands)
    ]
    assert left == []


def in_options_names(command):
    return [p.name for p in command.params if p.param_type_name == "option"]


def test_a_missing_region_is_said_in_options(mojo):
    done = mojo("ls")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--region-name" in done.stderr
    assert "region_name" not in done.stderr.replace("MOJO_REGION_NAME", "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((), "No AWS region. Pass --region-name"),
        (("--region", "eu-west-1"), "Pass --role"),
        (("--region", "eu-west-1", "--role", "a role"), "--role 'a role' is neither"),
        (("--region", "eu-west-1", "--role", "r", "--bucket", "s3://b-1/x"), "--bucket s3://b-1/x is no name"),
        (("--region", "eu-west-1", "--role", "r"), "no usable AWS credentials"),
        (("--region", "mars-1", "--role", "r"), "There is no AWS region 'mars-1'"),
        (("--region", "mx-central-1", "--role", "r"), "--image-uri"),
        (("--model-id", "My_Model"), "such as 'my-model', or agree to that name with --allow-hashed-names."),
        (("--instance-count", "2"), "--instance-count 2 is not supported"),
        (("--train-data", "s3://bucket"), "'s3://bucket' names a bucket, not a file"),
        (("--validation-data", "s3://bucket/"), "names a bucket, not a file"),
        (
            ("-H", "output_dir=x"),
            "Unknown hyperparameter 'output_dir'. The training script decides it. Known: num_train_epochs",
        ),
    ],
)
def test_training_says_what_is_wrong_in_options_and_at_once(mojo, change, words):
    turns = [{"role": "user", "content": "hi", "task": None}]
    record = f'{{"tasks": [{{"name": "email", "description": "write"}}], "messages": {turns!r}}}'
    record = record.replace("'", '"').replace("None", "null")
    (mojo.folder / "train.jsonl").write_text(record + "\nnever read\n")
    place = ("--region", "eu-west-1", "--role", "r") if change and change[0] != "--region" else ()
    done = mojo(*TRAIN, *place, *change, "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "=…" not in done.stderr


def test_every_command_takes_both_spellings_of_cloud_and_region():
    checked = 0
    for path, command in every_command():
        spelled = {name for parameter in command.params for name in parameter.opts}
        for one, other in (("--region-name", "--region"), ("--cloud-service", "--cloud")):
            assert (one in spelled) == (other in spelled), path
            checked += one in spelled
    assert checked > 15
    for arguments in (["ls", "--region", "--help"], ["review", "serve", "--region-name", "x", "--help"]):
        assert CliRunner().invoke(application, arguments).exit_code in {0, 1}
