"""Child processes that end with the local cloud, also when it is killed with -9."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

# Every child and its descendants carry this in their environment, so that the next start finds those that got away.
MARKER = "MOJO_LOCAL_CLOUD_CHILD_OF"
# The same for one child: it finds processes that escaped the child's warden, because the child killed the warden.
RUN_MARKER = "MOJO_LOCAL_CLOUD_RUN"
_WARDEN = Path(__file__).with_name("warden.py")
# Log lines are written to the database in batches of this age: one commit for each line would be slow.
FLUSH_SECONDS = 0.25
FLUSH_LINES = 2000
FLUSH_BYTES = 8 * 1024 * 1024
# After the warden's end the pipe holds no more than this. Whoever goes on writing escaped, and is not listened to.
_LEFT_IN_PIPE_BYTES = 1024 * 1024
_SILENCE_SECONDS = 1.0
# A warden that does not end so long after it should was stopped by its own command.
_WARDEN_SECONDS = 15.0
# A "line" without an end (a progress bar, a binary file) is cut here: CloudWatch's events hold 256 KB.
MAX_LINE_BYTES = 200 * 1024


class Child:
    """One command under its warden. The output of both streams comes as lines."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, owner: str) -> None:
        self._run = uuid.uuid4().hex
        self._over_at = float("inf")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WARDEN), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**environment, MARKER: owner, RUN_MARKER: self._run},
            # A session of its own: a Ctrl-C in the terminal of the local cloud is not meant for the job.
            start_new_session=True,
        )
        self._order_lock = threading.Lock()

    @property
    def pid(self) -> int:
        """The warden's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the command, or something it left behind, still runs."""
        return self._process.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Return the command's exit status, 128 + N after signal N.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        return self._process.wait(timeout)

    def stop(self, grace_seconds: float) -> None:
        """Ask with SIGTERM, kill after the grace. Returns at once. A second call can only shorten the grace.

        Whoever reads `batches` sees to it that it ends, even when the command has stopped its warden.
        """
        self._over_at = min(self._over_at, time.monotonic() + grace_seconds + _WARDEN_SECONDS)
        self._order(f"stop {grace_seconds}\n".encode())

    def kill(self) -> None:
        """Kill the command and its descendants and wait for their end. Their last output is lost."""
        with self._order_lock:
            if self._process.stdin is not None and not self._process.stdin.closed:
                self._close_order_pipe()
        if not self._ends_within(_WARDEN_SECONDS):
            self._end_by_force()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def batches(self) -> Iterator[list[tuple[int, str]]]:
        """Yield the command's output, as (milliseconds, line), in batches, until its end.

        A batch is yielded every quarter of a second at the latest, an empty one when nothing was printed: a caller can
        look at the clock in between. Bytes that are no UTF-8 are replaced.
        """
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        # Not select(), which knows no descriptors from 1,024.
        readable = select.poll()
        readable.register(pipe, select.POLLIN | select.POLLHUP)
        rest, lines, size, due = b"", [], 0, time.monotonic() + FLUSH_SECONDS
        left, silent_since = _LEFT_IN_PIPE_BYTES, 0.0
        while left > 0:
            if readable.poll(max(0.0, due - time.monotonic()) * 1000):
                block = os.read(pipe, 1 << 16)
                if not block:
                    break
                complete, rest = _split(rest + block)
                now = int(time.time() * 1000)
                lines += [(now, line) for line in complete]
                size += len(block)
                left -= len(block) if silent_since else 0
            elif silent_since and time.monotonic() > silent_since + _SILENCE_SECONDS:
                break
            if len(lines) >= FLUSH_LINES or size >= FLUSH_BYTES or time.monotonic() >= due:
                yield lines
                lines, size, due = [], 0, time.monotonic() + FLUSH_SECONDS
                if not silent_since and self._is_over():
                    silent_since = time.monotonic()
        if rest:
            lines.append((int(time.time() * 1000), _text(rest)))
        yield lines
        # It may have closed its output and run on.
        while not self._ends_within(FLUSH_SECONDS):
            yield []
            self._is_over()
        self._process.stdout.close()
        with self._order_lock:
            if self._process.stdin is not None and not self._process.stdin.closed:
                self._close_order_pipe()

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _is_over(self) -> bool:
        """Return whether the warden has ended. End it, and its escaped children, if it should have ended long ago."""
        if self.running and time.monotonic() < self._over_at:
            return False
        self._end_by_force()
        return True

    def _end_by_force(self) -> None:
        """Kill the warden and everything that carries this child's mark: a command can stop its warden, or kill it."""
        self._process.kill()
        for process in psutil.process_iter():
            try:
                if process.environ().get(RUN_MARKER) == self._run:
                    process.kill()
            except (psutil.Error, OSError):
                continue

    def _order(self, order: bytes) -> None:
        pipe = self._process.stdin
        with self._order_lock:
            if pipe is None or pipe.closed:
                return
            try:
                pipe.write(order)
                pipe.flush()
            except BrokenPipeError:
                return

    def _close_order_pipe(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            return


def sweep(owner: str, *, spare: Callable[[psutil.Process], bool] = lambda _: False) -> int:
    """Kill the processes that an earlier local cloud of the same home left running. Returns how many there were.

    Wardens see to that already, unless somebody killed them too.
    """
    killed = 0
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.environ().get(MARKER) != owner or spare(process):
                continue
            process.kill()
            killed += 1
        except (psutil.Error, OSError):
            # Other people's processes, and those that ended meanwhile.
            continue
    return killed


def _split(block: bytes) -> tuple[list[str], bytes]:
    """Cut a block into complete lines and a rest. A progress bar's carriage return ends a line too."""
    *complete, rest = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    while len(rest) > MAX_LINE_BYTES:
        complete.append(rest[:MAX_LINE_BYTES])
        rest = rest[MAX_LINE_BYTES:]
    # A carriage return alone makes empty lines. CloudWatch takes no empty message.
    return [_text(line) for line in complete if line], rest


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
