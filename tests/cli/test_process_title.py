"""A `mojo` that runs for long shows its secrets to no other process."""

import subprocess
from pathlib import Path

import psutil
import pytest

from mojo_toolbox.cli.terminal.process_title import shown_command

SECRETS = ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "MOJO_HF_TOKEN", "ANYTHING")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="only Linux shows a process's environment to others")
def test_the_review_server_shows_neither_tokens_nor_a_password(mojo):
    secrets = dict.fromkeys(SECRETS, "of-the-user")
    command = mojo.command("review", "serve", "--port", "0", "--database", "here.db", "--create")
    with subprocess.Popen(
        command, env={**mojo.environment, **secrets}, cwd=mojo.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as serving:
        assert serving.stdout.readline().startswith(b"http://")
        try:
            process = psutil.Process(serving.pid)
            assert b"of-the-user" not in Path(f"/proc/{serving.pid}/environ").read_bytes()
            assert process.cmdline()[0] == "mojo review serve --port 0 --database here.db --create"
        finally:
            serving.terminate()


def test_passwords_in_urls_are_not_shown():
    shown = shown_command(["review", "serve", "-d", "postgresql://me:s3:cr@t/!@host/db", "--database=x://:pw@h", "a@b"])
    assert shown == "mojo review serve -d postgresql://me:***@host/db --database=x://:***@h a@b"
