"""Environments are layers: what is installed in one is seen above it and nowhere else."""

from __future__ import annotations

import fcntl
import importlib.util
import subprocess
import time
import zipfile

import pytest

from mojo_toolbox.local_cloud.running import environments as environments_module
from mojo_toolbox.local_cloud.running.environments import EnvironmentFailedError, Environments
from mojo_toolbox.local_cloud.running.passed_on import user_environment


def wheel(folder, name: str, version: str) -> None:
    """Write a wheel by hand: no index is asked."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", f"version = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def environments(tmp_path, monkeypatch):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        wheel(wheels, "mojo_test_package", version)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return Environments(tmp_path / "environments", owner=str(tmp_path))


def says(python, code: str) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_requirements_are_installed_once_and_seen_by_the_layer_above_only(environments, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("mojo_test_package==1.0\nboto3\n")
    log: list[tuple[int, str]] = []
    folder = environments.with_requirements(requirements, log=log.extend, stopped=lambda: False)
    python = environments.layer(tmp_path / "job", below=folder)
    assert says(python, "import mojo_test_package, boto3; print(mojo_test_package.version)") == "1.0"
    assert any("Requirement already satisfied: boto3" in line for _, line in log)
    assert importlib.util.find_spec("mojo_test_package") is None
    log.clear()
    assert environments.with_requirements(requirements, log=log.extend, stopped=lambda: False) == folder
    assert not log


def test_what_a_script_installs_itself_stays_in_its_own_layer(environments, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("mojo_test_package==1.0\n")
    folder = environments.with_requirements(requirements, log=lambda _: None, stopped=lambda: False)
    job, other = (environments.layer(tmp_path / name, below=folder) for name in ("job", "other"))
    pip = job.parent / "pip"
    subprocess.run([pip, "install", "mojo_test_package==2.0"], env=user_environment(), check=True, capture_output=True)
    code = "import mojo_test_package; print(mojo_test_package.version)"
    assert (says(job, code), says(other, code)) == ("2.0", "1.0")


def test_a_failing_install_says_why_and_is_tried_again_the_next_time(environments, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("mojo_test_package==9.0\n")
    with pytest.raises(EnvironmentFailedError, match=r"mojo_test_package==9\.0"):
        environments.with_requirements(requirements, log=lambda _: None, stopped=lambda: False)
    wheel(tmp_path / "wheels", "mojo_test_package", "9.0")
    assert environments.with_requirements(requirements, log=lambda _: None, stopped=lambda: False).is_dir()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("filler", ["\n", " ", "\t\n", "-r", "-r "])
def test_requirements_full_of_nothing_are_read_in_no_time(tmp_path, filler):
    (tmp_path / "base.txt").write_text("named\n")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(filler * 300_000 + "\n -r base.txt\n")
    begun = time.monotonic()
    assert environments_module._all_text(requirements).endswith(b"named\n")
    assert time.monotonic() - begun < 5


def test_a_job_that_waits_for_anothers_installation_can_be_stopped(environments, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("mojo_test_package==1.0\n")
    folder = environments.with_requirements(requirements, log=lambda _: None, stopped=lambda: False)
    with folder.with_name(f"{folder.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentFailedError, match="stopped while another one installed"):
            environments.with_requirements(requirements, log=lambda _: None, stopped=lambda: True)
