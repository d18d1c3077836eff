"""The wire itself: who waits for "100 Continue", what happens to bodies that nobody reads, how much memory that takes."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from cloud_clients import Clients
from raw_http import ChunkSigner, send, signed

from mojo_toolbox.local_cloud import lifecycle
from mojo_toolbox.local_cloud.lifecycle import RunningCloud

MB = 1024 * 1024


class Wire:
    """One connection, used again for each request as clients do."""

    def __init__(self, cloud: RunningCloud) -> None:
        self._cloud = cloud
        self._socket = socket.create_connection(("127.0.0.1", cloud.port), timeout=10)
        self._file = self._socket.makefile("rb")

    def begin(self, method: str, path: str, *, body: bytes = b"", **said: str) -> None:
        """Send the head of a request to S3; `said` are headers that are not signed."""
        headers = signed(self._cloud, method, path, body=body)
        self.begin_signed(method, path, headers | {name.replace("_", "-"): value for name, value in said.items()})

    def begin_signed(self, method: str, path: str, headers: dict[str, str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def status(self) -> tuple[int, dict[str, str]]:
        line = self._file.readline().decode()
        headers = {}
        while (header := self._file.readline().decode().strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        return int(line.split()[1]), headers

    def answer(self, *, bodiless: bool = False) -> tuple[int, dict[str, str], bytes]:
        status, headers = self.status()
        length = 0 if bodiless else int(headers.get("content-length", "0"))
        return status, headers, self._file.read(length)

    def is_closed(self) -> bool:
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def wire(cloud: RunningCloud) -> Iterator[Wire]:
    made = Wire(cloud)
    yield made
    made.close()


EXPECT = {"Expect": "100-continue"}


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue"])
def test_who_waits_gets_a_100_before_each_success(wire: Wire, clients: Clients, bucket, expectation):
    for number, data in enumerate([b"", b"x", b"", b"", b"yz", b""]):
        wire.begin("PUT", f"/{bucket}/k{number}", body=data, Expect=expectation, Content_Length=str(len(data)))
        assert wire.status()[0] == 100
        wire.send(data)
        assert wire.answer()[0] == 200
    assert clients("s3").get_object(Bucket=bucket, Key="k4")["Body"].read() == b"yz"


@pytest.mark.parametrize("data", [b"", b"content"])
def test_who_waits_may_send_chunks(wire: Wire, clients: Clients, bucket, data):
    for _ in range(2):
        chunks = ChunkSigner(
            clients.connection, f"/{bucket}/k", size=len(data), form="STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        )
        wire.begin_signed("PUT", f"/{bucket}/k", chunks.headers | EXPECT | {"Transfer-Encoding": "chunked"})
        assert wire.status()[0] == 100
        inner = (chunks.chunk(data) if data else b"") + chunks.chunk(b"") + b"\r\n"
        wire.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner))
        assert wire.answer()[0] == 200
    assert clients("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == data


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
def test_requests_without_a_body_may_wait_too(wire: Wire, clients: Clients, bucket, method):
    clients("s3").put_object(Bucket=bucket, Key="k", Body=b"content")
    path = f"/{bucket}/k" + ("?uploads" if method == "POST" else "")
    for _ in range(3):
        wire.begin(method, path, Expect="100-continue", **({"Content_Length": "0"} if method == "POST" else {}))
        assert wire.status()[0] == 100
        assert wire.answer(bodiless=method == "HEAD")[0] == (204 if method == "DELETE" else 200)


@pytest.mark.parametrize("size", [0, 5, 32 * MB])
@pytest.mark.parametrize("waits", [True, False])
def test_a_refusal_before_the_body_ends_the_connection(wire: Wire, clients: Clients, size, waits):
    """Whether the client waits, or sends its body all the same."""
    body = b"x" * size
    wire.begin("PUT", "/no-such-bucket-here/k", body=body, Expect="100-continue", Content_Length=str(size))
    if not waits:
        wire.send(body)
    status, headers, content = wire.answer()
    assert (status, headers["connection"]) == (404, "close")
    assert b"NoSuchBucket" in content
    if waits:
        wire.finish()
    assert wire.is_closed()


def test_services_that_speak_json_answer_who_waits(wire: Wire, clients: Clients):
    own = clients.connection
    headers = {"X-Amz-Target": "SageMaker.ListModels", "Content-Type": "application/x-amz-json-1.1"}
    made = signed(own, "POST", "/", service="sagemaker", headers=headers, body=b"{}")
    for _ in range(2):
        wire.begin_signed("POST", "/", made | EXPECT | {"Content-Length": "2"})
        assert wire.status()[0] == 100
        wire.send(b"{}")
        assert wire.answer()[0] == 200


@pytest.mark.parametrize("size", [0, 100, 3 * MB])
def test_a_body_that_a_refusal_did_not_need_leaves_the_connection_usable(wire: Wire, clients: Clients, bucket, size):
    body = b"x" * size
    for _ in range(3):
        wire.begin("PUT", "/no-such-bucket-here/k", body=body, Content_Length=str(size))
        wire.send(body)
        assert wire.answer()[0] == 404
    wire.begin("GET", f"/{bucket}/k", body=body, Content_Length=str(size))
    wire.send(body)
    assert wire.answer()[0] == 404
    wire.begin("PUT", f"/{bucket}/k", body=b"y", Content_Length="1")
    wire.send(b"y")
    assert wire.answer()[0] == 200


@contextmanager
def peak_memory(pid: int) -> Iterator[list[int]]:
    """Yield a list that holds at the end by how many bytes the process grew at most."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before, grown = _memory(pid, "VmRSS"), [0]
    yield grown
    grown[0] = _memory(pid, "VmHWM") - before


def _memory(pid: int, field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


TARGETS = {
    "s3": ("PUT", "/bucket/key", {}),
    "sagemaker": ("POST", "/", {"x-amz-target": "SageMaker.CreateModel", "content-type": "application/x-amz-json-1.1"}),
    "sts": ("POST", "/", {"content-type": "application/x-www-form-urlencoded"}),
    "invocation": ("POST", "/endpoints/name/invocations", {"content-type": "application/json"}),
}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux says how much memory was used")
@pytest.mark.parametrize(
    ("what", "wrong"), [*((what, "secret") for what in TARGETS), ("s3", "hash"), ("sagemaker", "hash")]
)
def test_wrongly_signed_bodies_are_not_kept_in_memory(own_home, what, wrong):
    own = lifecycle.up(own_home)
    method, path, said = TARGETS[what]
    service = "sagemaker" if what == "invocation" else what
    size, count = 32 * MB, 8
    piece = b"{" + b" " * (MB - 1)
    if wrong == "hash":
        said = {**said, "X-Amz-Content-SHA256": hashlib.sha256(b"other").hexdigest()}
    headers = signed(own, method, path, service=service, headers=said, secret="wrong" if wrong == "secret" else None)

    def attack(_: int) -> int:
        body = (piece for _ in range(size // MB))
        return send(own, method, path, headers=headers | {"Content-Length": str(size)}, body=body).status

    with peak_memory(own.pid) as grown, ThreadPoolExecutor(count) as pool:
        statuses = list(pool.map(attack, range(count)))
    # With the right secret and a wrong hash, S3 finds out when it has read all of it.
    assert set(statuses) <= ({403} if wrong == "secret" or what != "s3" else {400, 403, 404})
    assert grown[0] < 100 * MB, f"{grown[0] / MB:.0f} MB"
    assert not list((own_home / "local_cloud").glob("tmp*"))


def test_a_large_body_of_a_json_service_is_answered_all_the_same(clients: Clients):
    lines = ["x" * 200_000] * 4
    logs = clients("logs")
    logs.create_log_group(logGroupName="wide")
    logs.create_log_stream(logGroupName="wide", logStreamName="s")
    for repeat in range(2):
        events = [{"timestamp": 1_700_000_000_000 + repeat, "message": line} for line in lines]
        logs.put_log_events(logGroupName="wide", logStreamName="s", logEvents=events)
    own = clients.connection
    headers = {"x-amz-target": "SageMaker.ListModels", "content-type": "application/x-amz-json-1.1"}
    body = json.dumps({"NameContains": "x" * 63}).encode() + b" " * (3 * MB)
    made = signed(own, "POST", "/", service="sagemaker", headers=headers, body=body)
    assert json.loads(send(own, "POST", "/", headers=made, body=body).body) == {"Models": []}
    body += b" " * (32 * MB)
    made = signed(own, "POST", "/", service="sagemaker", headers=headers, body=body)
    assert send(own, "POST", "/", headers=made, body=body).status == 413
