"""What tests of several rooms share: an environment of nobody's own, a running local cloud, a tiny base model."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
from tiny_base import save_tiny_base

_ROOT = Path(__file__).parents[1]
_SETTINGS = ("AWS_", "MOJO_", "OPENAI_", "SAGEMAKER_", "SM_")
_PLAIN_NAMES = ("ROLE_NAME", "HF_TOKEN")
# What is said to the tests themselves, such as a database to use.
_FOR_TESTS = "MOJO_TEST_"


# The same examples each time: a change is not to fail by what was always there, and chance found only now.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.load_profile("same")


def pytest_configure() -> None:
    """Forget the developer's account, tokens and settings: no test may depend on them, or reach them."""
    for name in list(os.environ):
        if (name.startswith(_SETTINGS) and not name.startswith(_FOR_TESTS)) or name in _PLAIN_NAMES:
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    # Suggested commands begin with `mojo`, as where the environment is activated, however pytest was started.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    _forget_project_file()
    # What a job's or an endpoint's computation needs most on a busy machine is not to be split in two.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A local cloud that a test starts ends with this process, also when that is killed.
    os.environ["MOJO_LOCAL_ENDS_WITH"] = str(os.getpid())
    # SIGTERM would leave out all that fixtures tidy up; Ctrl+C does not.
    signal.signal(signal.SIGTERM, _interrupt)
    # Begun in a script's background, pytest ignores Ctrl+C, and so would every program that tests send one to.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the files that take a minute alone, so that no process waits for one of them at the end."""
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: item.path not in long)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt(f"signal {number}")


def _forget_project_file() -> None:
    """Read no `mojo.toml` of the checkout or above it, such as the one that the README has people write."""
    from mojo_toolbox import settings

    find = settings.find_project_file

    def find_of_tests(folder: Path) -> Path | None:
        path = find(folder)
        return None if path is None or _ROOT.is_relative_to(path.parent) else path

    settings.find_project_file = find_of_tests


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail when a test leaves a local cloud running, and stop it."""
    yield
    from mojo_toolbox.local_cloud import lifecycle

    base = tmp_path_factory.getbasetemp()
    found = [path for depth in ("*", "*/*") for path in base.glob(f"{depth}/local_cloud/connection.json")]
    left = [home for home in (path.parents[1] for path in found) if lifecycle.status(home) is not None]
    for home in left:
        lifecycle.down(home)
    assert left == []


@pytest.fixture(scope="session")
def local_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A MOJO_HOME whose local cloud runs, for tests that do not stop it; names in it must be the test's own."""
    from mojo_toolbox.local_cloud import lifecycle

    home = tmp_path_factory.mktemp("home")
    lifecycle.up(home)
    yield home
    lifecycle.down(home)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random base model that trains and answers within a second."""
    return Path(save_tiny_base(tmp_path_factory.mktemp("base")))


@pytest.fixture
def shipped() -> Callable[[str], ModuleType]:
    """Import a module of the training scripts."""
    return importlib.import_module
