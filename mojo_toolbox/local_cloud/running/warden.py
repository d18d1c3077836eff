"""Watches one command for the local cloud, so that the command and all its descendants end with the local cloud.

Run as `python -P warden.py COMMAND ARGUMENT...` with a pipe as standard input. The local cloud holds the other end: when
that end closes, be it by `kill -9`, everything below is killed. A line `stop SECONDS` on the pipe asks with SIGTERM first.
When the command has ended, its processes in the background are killed too. The exit status is the command's,
128 + N after signal N. Only the standard library and psutil: a job waits for this file to start.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from typing import NoReturn

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_COMMAND_NOT_FOUND = 127


def main() -> None:
    """Run the command and watch over it."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Whoever wants this process gone wants the job gone: the pipe is how, so that nothing below survives.
    for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    _linux_prctl(_PR_SET_CHILD_SUBREAPER, 1)
    command = _start(sys.argv[1:])
    # The output belongs to the command alone. Whoever reads it must see its end when the command and its heirs are gone.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os._exit(_watch(command, wake_read))


def _start(arguments: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    os.setsid()
    for changed in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(changed, signal.SIG_DFL)
    _linux_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    _be_killed_first()
    try:
        os.execvp(arguments[0], arguments)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"{arguments[0]} cannot be started: {error.strerror}\n".encode())
        os._exit(_COMMAND_NOT_FOUND)


def _be_killed_first() -> None:
    """When memory runs out, Linux is to kill the job or the server of an endpoint, and not the local cloud."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib takes time to load
            file.write("500")
    except OSError:
        return


def _watch(command: int, wake_read: int) -> int:
    status: int | None = None
    deadline: float | None = None
    while True:
        # While stopping, heirs are looked for often: they are not our children and give no signal on macOS.
        timeout = None if deadline is None else 0.1
        ready, _, _ = select.select([0, wake_read], [], [], timeout)
        if wake_read in ready:
            os.read(wake_read, 4096)
        status = _reap(command, status)
        if 0 in ready:
            order = os.read(0, 4096)
            if not order:
                return _kill_all(command, status)
            end = time.monotonic() + float(order.split()[1])
            # A second order can only shorten the grace.
            deadline = end if deadline is None else min(end, deadline)
            _signal_all(command, signal.SIGTERM)
        if deadline is not None:
            if time.monotonic() > deadline or (status is not None and not _descendants()):
                return _kill_all(command, status)
        elif status is not None:
            return _kill_all(command, status)


def _reap(command: int, status: int | None) -> int | None:
    while True:
        try:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == command:
            code = os.waitstatus_to_exitcode(wait_status)
            status = code if code >= 0 else 128 - code


def _kill_all(command: int, status: int | None) -> int:
    """Kill until nothing is left: a process may fork between the look and the blow."""
    for _ in range(200):
        _signal_all(command, signal.SIGKILL)
        status = _reap(command, status)
        if status is not None and not _descendants():
            break
        time.sleep(0.01)
    return 128 + signal.SIGKILL if status is None else status


def _signal_all(command: int, number: int) -> None:
    for process in _descendants():
        try:
            process.send_signal(number)
        except psutil.Error:
            continue
    try:
        # Where orphans are not handed to us (macOS), the process group still holds most of them.
        os.killpg(command, number)
    except (ProcessLookupError, PermissionError):
        return


def _descendants() -> list[psutil.Process]:
    try:
        return [
            process for process in psutil.Process().children(recursive=True) if process.status() != psutil.STATUS_ZOMBIE
        ]
    except psutil.Error:
        # One of them ended while it was looked at: ask again.
        return _descendants()


def _linux_prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _main() -> NoReturn:
    main()
    raise SystemExit


if __name__ == "__main__":
    _main()
