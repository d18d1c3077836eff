"""`make quickstart` installs what the main job needs; the tests' own tools come with `make test`."""

import re
import subprocess
import tomllib

from pages import ROOT

DEVELOPERS_ONLY = {"mypy", "ruff", "pytest", "sphinx", "playwright", "boto3-stubs", "hypothesis", "build"}


def steps(target):
    """Return what make would run in a checkout without an environment."""
    command = ["make", "--dry-run", "--no-print-directory", target, "VENV=.venv-that-is-not-there", "PYTHON=python3"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def installed(target):
    return re.findall(r"scripts/install\.sh '\S*' \S+ (\S+)", steps(target))


def packages(extra):
    """Return the names that an extra installs, those of the extras that it names too."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    found = set()
    for wanted in extras[extra]:
        name, inner = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", wanted).groups()
        found |= set().union(*(packages(one) for one in inner.split(","))) if name == "mojo-toolbox" else {name}
    return found


def test_the_quickstart_installs_no_tool_of_developers():
    assert installed("quickstart") == ["local,review"]
    for extra in ("local", "review"):
        assert packages(extra) & DEVELOPERS_ONLY == set()
    assert {"torch", "sagemaker-training", "alembic"} <= packages("local") | packages("review")


def test_the_tests_add_the_rest_and_all_of_it_is_pinned():
    for target in ("test", "quick", "format"):
        assert installed(target)[:2] == ["local,review", "dev"]
    assert packages("dev") >= DEVELOPERS_ONLY
    script = (ROOT / "scripts" / "install.sh").read_text(encoding="utf-8")
    assert '-e ".[$extras]" -c constraints.txt' in script
    assert script.index("[[ $extras == dev ]] || exit 0") < script.index("chromium")


def test_ci_calls_the_readmes_command_with_a_database_server():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ci.rstrip().endswith("\nexec scripts/postgres.py make test")
