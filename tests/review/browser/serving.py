"""The real page over a real database, in a thread of the tests' process or in a process that can be killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import uvicorn

from mojo_toolbox.review.app import create_app
from mojo_toolbox.review.store import ReviewStore

PLAIN = {"ws": "none", "loop": "asyncio", "access_log": False, "log_config": None, "server_header": False}
_SCRIPT = """
import sys, uvicorn
from mojo_toolbox.review.app import create_app
from mojo_toolbox.review.store import ReviewStore
uvicorn.run(create_app(ReviewStore.open(sys.argv[1])), port=int(sys.argv[2]), ws="none", log_config=None)
"""


def free_socket(port=0):
    """Return a listening place on loopback; 0: one that nobody else has."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


@contextlib.contextmanager
def served(store, *, port=0, **options):
    """Serve `store` from a thread, and give its address."""
    with free_socket(port) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(store, **options), **PLAIN, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            answers(address)
            yield address
        finally:
            server.should_exit = True
            thread.join()


class Process:
    """A server in a process of its own, which `kill()` ends without a chance to tidy up."""

    def __init__(self, database):
        with free_socket() as listener:
            self.port = listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._database = str(database)
        self._process = None

    def start(self):
        """Start it, and wait until it answers."""
        command = [sys.executable, "-c", _SCRIPT, self._database, str(self.port)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        self._process = subprocess.Popen(command, env=environment)
        answers(self.address)

    def kill(self):
        """End it as `kill -9` does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def answers(address):
    """Wait until a server answers there, without asking for a conversation."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return httpx.get(f"{address}/join/", timeout=5)
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"nothing answers at {address}"


def filled(path, records):
    """Return a store with the given records in its queue."""
    file = path / "conversations.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    store = ReviewStore.open(str(path / "review.db"))
    store.import_file(file)
    return store
