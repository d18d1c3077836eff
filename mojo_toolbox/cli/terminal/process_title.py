"""What `ps` and /proc tell others of a running `mojo`: its command line without passwords, nothing of its environment.

A training job on this machine runs as the same user, and could read the tokens of whoever waits for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import setproctitle

_PASSWORD = re.compile(r"(://[^:@/\s]*:)\S*@")


def hide_secrets(arguments: Sequence[str]) -> None:
    """Take the environment and all passwords in URLs out of what the system shows; this process keeps both."""
    # The system shows the memory in which both lay at the start, which the title overwrites.
    setproctitle.setproctitle(shown_command(arguments))


def shown_command(arguments: Sequence[str]) -> str:
    """Return the command line with `***` for the passwords in URLs."""
    return " ".join(["mojo", *(_PASSWORD.sub(r"\1***@", argument) for argument in arguments)])
