"""The process that serves: one for each home, on loopback, until it is told to end."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import random
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from mojo_toolbox.errors import LocalCloudError, PortInUseError
from mojo_toolbox.local_cloud.app import Application
from mojo_toolbox.local_cloud.cloud import LocalCloud
from mojo_toolbox.local_cloud.home import REGION, Home, write_atomically

_ADDRESS = "127.0.0.1"
# Below the range from which systems pick ports for outgoing connections, so that the port is free at the next start.
_PORTS = range(20000, 30000)
_PORT_ATTEMPTS = 50
# A request that is still running when the local cloud is told to stop has so many seconds left.
_GRACE_SECONDS = 3
# Longer than clients pause between two requests: one that meets a connection just closed has to try again.
_KEEP_ALIVE_SECONDS = 75
# A presigned URL with a session token and a long key in a foreign script is longer than h11's 16 KB.
_MAX_HEAD_BYTES = 64 * 1024


class _Server(uvicorn.Server):
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


def serve(home: Home, port: int | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; children have ended when this returns.

    Raises:
        LocalCloudError: another process serves this home.
        PortInUseError: `port` is taken.
    """
    home.prepare()
    with _only_server(home):
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
        _Server(config, home, chosen).run(sockets=[listener])


def endpoint_url(port: int) -> str:
    """Return the URL that clients are given."""
    return f"http://{_ADDRESS}:{port}"


@contextmanager
def _only_server(home: Home) -> Iterator[None]:
    """Hold the home's lock, which the system releases however this process ends."""
    with home.serve_lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LocalCloudError(f"The local cloud of {home.root} runs already.") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


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
