"""`mojo review serve`: the review page, until Ctrl-C."""

from __future__ import annotations

import ipaddress
import socket
from typing import Annotated, Any, Literal

import typer

from mojo_toolbox.cli.commands.review_database import LOCK_MINUTES, Create, Database, is_shared, open_store
from mojo_toolbox.cli.terminal.endings import UsageError
from mojo_toolbox.cli.terminal.options import Cloud, Region
from mojo_toolbox.cli.terminal.output import data, note, note_after_interrupt

DEFAULT_PORT = 8080


def serve(
    *,
    database: Database = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. With any other than this machine's, everybody needs a link.", metavar="ADDRESS"
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on. 0 means any free port.", metavar="N")
    ] = DEFAULT_PORT,
    lock_minutes: Annotated[
        float,
        typer.Option(
            min=0.1,
            help="An open conversation without an action for this time goes to somebody else.",
            metavar="MINUTES",
        ),
    ] = LOCK_MINUTES,
    router: Annotated[
        str | None,
        typer.Option(
            help="Router of the playground: PRODUCT/TASK/MODEL_ID, with /STAGE if not dev.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    create: Create = False,
    cloud: Cloud = None,
    region: Region = None,
) -> None:
    """Serve the review page until Ctrl-C.

    On this machine the page opens without a link, as long as nobody is invited. For a team, put a proxy with HTTPS in front.
    """
    model = None if router is None else _model(router, cloud, region)
    with open_store(database, create=create, lock_minutes=lock_minutes) as store:
        shared = is_shared(store)
        alone = _is_loopback(host) and not shared
        if not alone and not shared:
            raise UsageError(f"--host {host} lets others in, but nobody is invited: mojo review invite NAME --admin")
        from mojo_toolbox.review.app import create_app

        application = create_app(store, local_person=alone, router=model)
        with _listening(host, port) as listener:
            data(f"http://{_shown(host)}:{listener.getsockname()[1]}")
            note(
                "It opens without a link, for you alone, until this server ends."
                if alone
                else "It opens with personal links only."
            )
            _run(application, listener)
    note_after_interrupt("Stopped. All decisions are stored.")


def _model(key: str, cloud: Literal["aws", "local"] | None, region: str | None) -> Any:
    from mojo_toolbox.evaluation.routers.question import require_endpoint
    from mojo_toolbox.model import AWSModel

    parts = key.removeprefix("endpoint:").split("/")
    product, task, model_id, stage = [*parts, "dev"][:4] if len(parts) == 3 else [*parts, "", "", "", ""][:4]  # noqa: PLR2004
    if not (product and task and model_id and stage) or len(parts) > 4:  # noqa: PLR2004
        raise UsageError(f"--router: {key!r} is not PRODUCT/TASK/MODEL_ID or PRODUCT/TASK/MODEL_ID/STAGE.")
    model = AWSModel(
        product=product, task=task, model_id=model_id, stage=stage, cloud_service=cloud, region_name=region
    )
    require_endpoint(model)
    return model


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # The answers of a page are small: without the protocol named, the server would not turn off waiting for more.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise UsageError(f"--host {host}: {error.strerror or error}.") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From now on who opens the address waits for the server, and is not turned away.
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UsageError(f"--port {port} on {host}: {error.strerror or error}. Choose another: --port 0") from error
    return listener


def _run(application: Any, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        application, ws="none", log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        return
