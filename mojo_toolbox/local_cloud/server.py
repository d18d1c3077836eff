"""The process that serves: one for each home, on loopback, until a signal ends it."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import signal
import socket
import sys
import threading
import time

import psutil
import uvicorn

from mojo_toolbox.errors import LocalCloudError, PortInUseError
from mojo_toolbox.local_cloud.app import Application
from mojo_toolbox.local_cloud.cloud import LocalCloud
from mojo_toolbox.local_cloud.state.account import REGION
from mojo_toolbox.local_cloud.state.home import Home, hold_serve_lock, write_atomically

_ADDRESS = "127.0.0.1"
# Below the range from which systems pick ports for outgoing connections, so that the port is free at the next start.
_PORTS = range(20000, 30000)
_PORT_ATTEMPTS = 50
# A request that still runs when the local cloud begins to stop has this many seconds left.
_GRACE_SECONDS = 3
# Longer than clients pause between two requests: one that meets a connection just closed has to try again.
_KEEP_ALIVE_SECONDS = 75
_LIFE_POLL_SECONDS = 0.5
# A presigned URL with a session token and a long key in a foreign script is longer than h11's 16 KB.
_MAX_HEAD_BYTES = 64 * 1024


class _AnnouncedServer(uvicorn.Server):
    """uvicorn that says where it answers once it does, and takes that back before it stops."""

    def __init__(self, config: uvicorn.Config, home: Home, port: int) -> None:
        super().__init__(config)
        self._home = home
        self._port = port

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        document = {
            "endpoint_url": endpoint_url(self._port),
            "pid": os.getpid(),
            "port": self._port,
            "region": REGION,
        }
        write_atomically(self._home.connection_file, json.dumps(document))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._home.connection_file.unlink(missing_ok=True)
        await super().shutdown(sockets)


def serve(home: Home, port: int | None = None, *, lock: int | None = None, ends_with: int | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C, or until the process `ends_with` ends. Children have ended when this returns.

    `lock` is an open descriptor of the home's lock, which the starter holds already.

    Raises:
        LocalCloudError: another process serves this home.
        PortInUseError: `port` is taken.
    """
    home.prepare()
    with hold_serve_lock(home, lock) as held:
        held.write(str(os.getpid()))
        held.flush()
        if ends_with is not None:
            _end_with(ends_with)
        home.connection_file.unlink(missing_ok=True)
        listener = _listener(home, port)
        chosen = int(listener.getsockname()[1])
        write_atomically(home.port_file, f"{chosen}\n")
        logging.basicConfig(
            level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        # moto's web server logs each request with its query, in which a presigned URL carries its signature.
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        config = uvicorn.Config(
            Application(LocalCloud(home, endpoint_url(chosen))),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        )
        _AnnouncedServer(config, home, chosen).run(sockets=[listener])


def endpoint_url(port: int) -> str:
    """Return the URL that clients are given."""
    return f"http://{_ADDRESS}:{port}"


def _end_with(pid: int) -> None:
    """End this process, as after SIGTERM, once another one has ended."""
    try:
        other = psutil.Process(pid)
    except psutil.Error as error:
        raise LocalCloudError(f"The process {pid}, with which the local cloud is to end, does not run.") from error

    def watch() -> None:
        while _lives(other):
            time.sleep(_LIFE_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="ends-with").start()


def _lives(process: psutil.Process) -> bool:
    try:
        # Its start time is compared too: a pid is used again.
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _listener(home: Home, port: int | None) -> socket.socket:
    if port is not None:
        listener = _bound(port)
        if listener is None:
            raise PortInUseError(port)
        return listener
    for candidate in (_remembered_port(home), *random.sample(_PORTS, _PORT_ATTEMPTS), 0):
        if candidate is not None and (listener := _bound(candidate)) is not None:
            return listener
    raise LocalCloudError(f"No port is free on {_ADDRESS}.")


def _remembered_port(home: Home) -> int | None:
    try:
        return int(home.port_file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _bound(port: int) -> socket.socket | None:
    # asyncio turns Nagle's algorithm off only where the protocol is named: 44 ms a request otherwise.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A port whose last connections are still fading away is free for us.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_ADDRESS, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            return None
        raise LocalCloudError(f"Cannot listen on {_ADDRESS}:{port}: {error}") from error
    return listener
