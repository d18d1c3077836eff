"""`python -m mojo_toolbox.local_cloud`: the local cloud without the command line of the admin extra."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from mojo_toolbox.errors import MojoError, PortInUseError
from mojo_toolbox.local_cloud import client_environment, lifecycle
from mojo_toolbox.local_cloud.running.passed_on import is_server_environment, server_environment
from mojo_toolbox.local_cloud.state.home import Home
from mojo_toolbox.settings import load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 after an error, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    home = (options.home or load_settings().home).expanduser().resolve()
    try:
        return _run(options, home)
    except PortInUseError as error:
        sys.stderr.write(f"error: {error}\n")
        return lifecycle.PORT_IN_USE_STATUS if options.command == "serve" else 1
    except (MojoError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _run(options: argparse.Namespace, home: Path) -> int:
    if options.command == "serve":
        if not is_server_environment():
            _serve_without_secrets(options, home)
        from mojo_toolbox.local_cloud.server import serve

        serve(Home(home), options.port, lock=options.lock, ends_with=options.ends_with)
        return 0
    if options.command == "up":
        connection: lifecycle.RunningCloud | None = lifecycle.up(home, options.port)
    elif options.command == "down":
        stopped = lifecycle.down(home)
        _print({"stopped": stopped}, "stopped" if stopped else "not running", as_json=options.json)
        return 0
    else:
        connection = lifecycle.status(home)
    if connection is None:
        # Not to stdout, which `eval "$(… env)"` would execute. With --json it is read.
        if options.json:
            _print({"running": False}, "", as_json=True)
        else:
            sys.stderr.write("The local cloud does not run. Start it: mojo local up\n")
        return 1
    if options.command == "env":
        variables = client_environment.to_set(connection, os.environ)
        _print(variables, client_environment.shell_lines(connection, os.environ), as_json=options.json)
    else:
        document = {"endpoint_url": connection.endpoint_url, "pid": connection.pid, "home": str(home)}
        text = f"The local cloud answers at {connection.endpoint_url} (pid {connection.pid}, home {home})"
        _print(document, text, as_json=options.json)
    return 0


def _serve_without_secrets(options: argparse.Namespace, home: Path) -> NoReturn:
    """Become the same command in an environment that holds none of the starter's tokens and keys."""
    command = [sys.executable, "-P", "-m", "mojo_toolbox.local_cloud", "serve", "--home", str(home)]
    for name in ("port", "lock", "ends_with"):
        value = getattr(options, name)
        command += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    os.execve(sys.executable, command, server_environment())  # noqa: S606 - no shell is wanted


def _print(document: Mapping[str, object], text: str, *, as_json: bool) -> None:
    sys.stdout.write((json.dumps(document) if as_json else text) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mojo_toolbox.local_cloud", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "start it in the background unless it runs, and return once it answers"),
        ("down", "stop it with its jobs and endpoints"),
        ("status", "say where it answers"),
        ("env", "print the variables that let other AWS clients find it"),
        ("serve", "serve in the foreground"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--home", type=Path, help="folder of its state (default: MOJO_HOME, else ~/.mojo)")
        if name in ("up", "serve"):
            command.add_argument("--port", type=int, help="port to listen on (default: the one of the last start)")
        if name == "serve":
            command.add_argument("--ends-with", type=int, metavar="PID", help="end when this process ends")
            command.add_argument("--lock", type=int, help=argparse.SUPPRESS)
        else:
            command.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
