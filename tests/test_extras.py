"""Whoever lacks a package is told in one line which extra brings it, at every door."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mojo_toolbox.errors import ConfigurationError, MissingExtraError
from mojo_toolbox.errors import extras as mechanism
from mojo_toolbox.errors.extras import install_command, needed_for, require

ROOT = Path(__file__).parents[1]
TASKS = [{"name": "recap", "description": "Sum up"}, {"name": "mail", "description": "Write"}]
TURNS = [{"role": "user", "content": "sum up", "task": "recap"}, {"role": "user", "content": "mail Bo", "task": "mail"}]
PREPARED = """
import pathlib
from mojo_toolbox import AWSModel, Hub
KEY = dict(product="a", task="routing", model_id="m")
CACHE = pathlib.Path("cache")
TURNS = [{"role": "user", "content": "hi"}]
TASKS = [{"name": "recap", "description": "Sum up"}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("extras")
    lines = (json.dumps({"id": str(n), "tasks": TASKS, "messages": TURNS}) for n in range(5))
    (made / "c.jsonl").write_text("\n".join(lines))
    return made


def run(folder, code, *extras):
    return subprocess.run(
        [sys.executable, str(ROOT / "tests/base_install.py"), code, *extras],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "MOJO_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# What is done, which extra it needs, and an extra that is there.
DOORS = [
    ("AWSModel(**KEY, cloud_service='local').predict(TURNS, tasks=TASKS)", "local", ""),
    ("AWSModel(**KEY, cloud_service='local').predict(TURNS)", "local", "evaluation"),
    ("Hub(cloud_service='local').jobs()", "local", "admin"),
    ("from mojo_toolbox.local_cloud import lifecycle; lifecycle.up(pathlib.Path('home'))", "local", "review"),
    (
        "from mojo_toolbox.evaluation import baseline, evaluate; evaluate(baseline('stay'), 'c.jsonl')",
        "evaluation",
        "admin",
    ),
    ("from mojo_toolbox.evaluation import compare; compare('one', 'other')", "evaluation", "admin"),
    ("from mojo_toolbox.evaluation import baseline; baseline('encoder')", "local", "evaluation"),
    ("from mojo_toolbox.evaluation.routers.baselines import _fitted; _fitted((('a', 'b'),))", "evaluation", ""),
    (
        "from mojo_toolbox.evaluation import OpenAIChat; OpenAIChat('m', base_url='http://127.0.0.1:9/v1')",
        "evaluation",
        "",
    ),
    ("from mojo_toolbox.data.checks import check; check('c.jsonl')", "evaluation", "admin"),
    ("from mojo_toolbox.data.checks import check; check('c.jsonl', tokenizer='x')", "local", "evaluation"),
    ("from mojo_toolbox.data.splits import split; split([])", "evaluation", ""),
    (
        "from mojo_toolbox.data.split_files import split_file; split_file('c.jsonl', train='a', test='b')",
        "evaluation",
        "",
    ),
    ("from mojo_toolbox.generation.quality import quality; quality('c.jsonl')", "evaluation", ""),
    ("from mojo_toolbox.generation.local_provider import LocalProvider; LocalProvider('x')", "local", "evaluation"),
    ("from mojo_toolbox.generation.language import _identifier; _identifier()", "evaluation", ""),
    ("import mojo_toolbox.review.store", "review", "evaluation"),
    ("from mojo_toolbox.review.app import create_app; create_app(None)", "review", ""),
    (
        "from mojo_toolbox.base_models import resolve_base_model as f; f('o/x', cache_dir=CACHE, token=None)",
        "admin",
        "",
    ),
    ("from mojo_toolbox.base_models import hugging_face_reachable; hugging_face_reachable()", "admin", ""),
    (
        "from mojo_toolbox.data.importers.hugging_face import _open; _open('x', split='a', subset=None, revision=None)",
        "local",
        "admin",
    ),
    (
        "from mojo_toolbox.review.store import ReviewStore; ReviewStore.open('postgresql://a@127.0.0.1:9/b')",
        "postgres",
        "review",
    ),
]


@pytest.mark.parametrize(
    ("code", "extra", "there"), DOORS, ids=[code.rpartition(";")[2].strip() for code, _, _ in DOORS]
)
def test_a_door_says_which_extra_it_needs(folder, code, extra, there):
    # A failure of asking is of another kind, and was caused by this one.
    report = "print(getattr(error, 'extra', None) or error.__cause__.extra, '|', error)"
    attempt = f"try:\n    {code}\nexcept Exception as error:\n    {report}"
    done = run(folder, PREPARED + attempt, *([there] if there else []))
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith(f"{extra} | ")
    assert f"which is not installed. Install the extra mojo-toolbox[{extra}]: pip install " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "extra", "there"),
    [
        (["--help"], "admin", []),
        (["ls", "--cloud", "local"], "local", ["admin"]),
        (["local", "up"], "local", ["admin"]),
        (["data", "check", "c.jsonl"], "evaluation", ["admin"]),
        (["data", "quality", "c.jsonl"], "evaluation", ["admin"]),
        (["review", "import", "c.jsonl"], "review", ["evaluation"]),
    ],
)
def test_a_command_says_it_in_one_line(folder, arguments, extra, there):
    code = f"import sys; sys.argv = ['mojo', *{arguments!r}]; from mojo_toolbox.cli import main; main()"
    done = run(folder, code, *there)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert f"Install the extra mojo-toolbox[{extra}]" in done.stderr


def test_the_programmers_door_needs_no_extra(folder):
    code = """
from mojo_toolbox.data import parse_conversation
from mojo_toolbox.purposes.routing import routing_prompt
AWSModel(**KEY).session(tasks=TASKS)
routing_prompt(TURNS, TASKS)
print("done")
"""
    done = run(folder, PREPARED + code)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_there_is_one_mechanism():
    """An import that may fail is caught in one place; a bar is the only thing that is simply left out."""
    catching = {
        path.relative_to(ROOT / "mojo_toolbox").as_posix()
        for path in (ROOT / "mojo_toolbox").rglob("*.py")
        if "_shipped" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        if {"ImportError", "ModuleNotFoundError"} & {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)}
    }
    assert catching == {"errors/extras.py", "progress.py"}


def test_a_package_that_cannot_be_loaded_is_not_called_missing():
    with (
        pytest.raises(MissingExtraError, match="needs numpy, which cannot be loaded: no libfoo") as caught,
        needed_for("It", extra="x"),
    ):
        raise ImportError("no libfoo.", name="numpy.core")
    assert isinstance(caught.value, ConfigurationError)
    assert (caught.value.package, caught.value.extra) == ("numpy", "x")


def test_a_fault_of_our_own_is_no_missing_package():
    with pytest.raises(ImportError) as caught, needed_for("It", extra="x"):
        import mojo_toolbox.no_such_module  # noqa: F401
    assert not isinstance(caught.value, ConfigurationError)


def test_what_is_there_is_not_asked_for():
    require("It", "json", "pydantic", extra="x")
    with pytest.raises(MissingExtraError, match="It needs no_such_package"):
        require("It", "json", "no_such_package", extra="x")


@pytest.mark.parametrize(
    ("source", "command"),
    [
        ({}, "pip install 'mojo-toolbox[local]'"),
        ({"url": "file:///some%20folder", "dir_info": {"editable": True}}, "pip install -e '/some folder[local]'"),
        ({"url": f"file://{ROOT}", "dir_info": {}}, f"pip install 'mojo-toolbox[local] @ file://{ROOT}'"),
        ({"url": "file:///gone/mojo_toolbox.whl", "archive_info": {}}, "pip install 'mojo-toolbox[local]'"),
        ({"url": "https://x/m.whl", "archive_info": {}}, "pip install 'mojo-toolbox[local] @ https://x/m.whl'"),
        (
            {"url": "https://x/m", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "pip install 'mojo-toolbox[local] @ git+https://x/m@abc'",
        ),
    ],
)
def test_the_command_installs_from_where_the_library_came(source, command, monkeypatch):
    monkeypatch.setattr(mechanism, "_source", lambda: source)
    assert install_command("local") == command
