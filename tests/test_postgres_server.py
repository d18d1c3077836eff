"""`scripts/postgres.py COMMAND`: a PostgreSQL server that lives as long as the command."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from pages import ROOT

VARIABLE = "MOJO_TEST_POSTGRES_URL"
ASK = f"import os, psycopg; print(psycopg.connect(os.environ['{VARIABLE}']).execute('SELECT 40 + 2').fetchone())"


@pytest.fixture
def start():
    """Start a command beside a server whose folder is made where nothing else is; a machine without PostgreSQL skips."""
    debian, in_path = (
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        (Path(part, "initdb") for part in os.get_exec_path()),
    )
    if not any(path.exists() for path in (*debian, *in_path)):
        pytest.skip("PostgreSQL is not installed")
    # Where root runs the tests, the server runs as another user, who may not look into pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="server"))
    folder.chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if name != VARIABLE}

    opened = ExitStack()

    def run(*command, **environment):
        script = [sys.executable, str(ROOT / "scripts" / "postgres.py"), *command]
        environment = {**inherited, "TMPDIR": str(folder), **environment}
        pipe = subprocess.PIPE
        return opened.enter_context(subprocess.Popen(script, env=environment, stdout=pipe, stderr=pipe, text=True))

    with opened:
        yield run
    assert list(folder.iterdir()) == []
    folder.rmdir()


def test_the_command_has_a_server_that_ends_with_it(start):
    process = start(sys.executable, "-c", f"{ASK}; raise SystemExit(3)")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (3, "(42,)\n"), errors


def test_sigterm_ends_the_command_and_the_server(start):
    process = start(sys.executable, "-c", f"{ASK}; print(os.getpid(), flush=True); import time; time.sleep(60)")
    assert process.stdout.readline() == "(42,)\n", process.stderr.read()
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_server_that_is_named_already_is_used(start):
    process = start("sh", "-c", f"echo ${VARIABLE}", **{VARIABLE: "postgresql://db/test"})
    assert process.communicate(timeout=60)[0] == "postgresql://db/test\n"
