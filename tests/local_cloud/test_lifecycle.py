"""Starting, killing and starting again: nothing acknowledged is lost, and one home has one local cloud."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from raw_http import signed

from mojo_toolbox.errors import LocalCloudError, PortInUseError
from mojo_toolbox.local_cloud import lifecycle
from mojo_toolbox.local_cloud.lifecycle import RunningCloud

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
})  # fmt: skip


def kill(connection: RunningCloud) -> None:
    os.kill(connection.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while lifecycle.status(connection.home) is not None or Path(f"/proc/{connection.pid}/exe").exists():
        assert time.monotonic() < deadline


def test_many_starts_at_once_make_one_local_cloud(own_home):
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda _: lifecycle.up(own_home), range(4)))
    assert len({one.pid for one in started}) == 1
    assert lifecycle.status(own_home) == started[0]
    assert lifecycle.down(own_home)
    assert lifecycle.status(own_home) is None
    assert not lifecycle.down(own_home)


def test_the_secret_is_its_owners_alone(cloud: RunningCloud):
    folder = cloud.home / "local_cloud"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("credentials.json", "connection.json", "server.log"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_what_was_acknowledged_survives_a_kill(own_home, clients_of):
    first = lifecycle.up(own_home)
    clients = clients_of(first)
    s3, iam = clients("s3"), clients("iam")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=b"body", Metadata={"m": "1"})
    upload = s3.create_multipart_upload(Bucket="kept", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="kept", Key="parts", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    lent = clients("sts").get_session_token()["Credentials"]
    url = s3.generate_presigned_url("get_object", {"Bucket": "kept", "Key": "k"})
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]
    iam.create_user(UserName="ann")
    keys = iam.create_access_key(UserName="ann")["AccessKey"]
    iam.create_user(UserName="gone")
    iam.delete_user(UserName="gone")
    group = clients("sagemaker").create_model_package_group(ModelPackageGroupName="g")["ModelPackageGroupArn"]
    clients("logs").create_log_group(logGroupName="/group")
    kill(first)

    second = lifecycle.up(own_home)
    assert second.pid != first.pid
    assert (second.port, second.credentials) == (first.port, first.credentials)
    clients = clients_of(second)
    s3, iam = clients("s3"), clients("iam")
    assert s3.get_object(Bucket="kept", Key="k")["Metadata"] == {"m": "1"}
    parts = [{"PartNumber": 1, "ETag": part}]
    s3.complete_multipart_upload(Bucket="kept", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="kept", Key="parts")["Body"].read() == b"part"
    assert url.startswith(second.endpoint_url)
    assert clients("sts", lent).get_caller_identity()["Account"] == "123456789012"
    assert clients("sts", keys).get_caller_identity()["Arn"].endswith(":user/ann")
    assert iam.get_role(RoleName="r")["Role"] == role
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["ann"]
    assert (
        clients("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"][0]["ModelPackageGroupArn"]
        == group
    )
    assert clients("logs").describe_log_groups()["logGroups"][0]["logGroupName"] == "/group"


def test_a_kill_during_an_upload_leaves_nothing_half_written(own_home, clients_of):
    first = lifecycle.up(own_home)
    s3 = clients_of(first)("s3")
    s3.create_bucket(Bucket="half")
    s3.put_object(Bucket="half", Key="k", Body=b"old")
    body = b"x" * (8 * 1024 * 1024)
    head = signed(first, "PUT", "/half/k", body=body)
    with socket.create_connection(("127.0.0.1", first.port)) as connection:
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if name.lower() != "content-length")
        connection.sendall(f"PUT /half/k HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode())
        connection.sendall(body[: len(body) // 2])
        blobs = own_home / "local_cloud" / "s3" / "blobs"
        deadline = time.monotonic() + 10
        while sum(path.stat().st_size for path in blobs.glob("*/*")) < 1024 * 1024:
            assert time.monotonic() < deadline
        kill(first)
    s3 = clients_of(lifecycle.up(own_home))("s3")
    assert s3.get_object(Bucket="half", Key="k")["Body"].read() == b"old"
    assert [path.read_bytes() for path in blobs.glob("*/*")] == [b"old"]


def test_an_unfinished_upload_does_not_hold_up_the_others(cloud: RunningCloud, clients, bucket):
    head = signed(cloud, "PUT", f"/{bucket}/slow", body=b"x" * 100)
    with socket.create_connection(("127.0.0.1", cloud.port)) as connection:
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if name.lower() != "content-length")
        connection.sendall(f"PUT /{bucket}/slow HTTP/1.1\r\n{lines}Content-Length: 100\r\n\r\nxx".encode())
        clients("s3").put_object(Bucket=bucket, Key="quick", Body=b"")
    assert [one["Key"] for one in clients("s3").list_objects_v2(Bucket=bucket)["Contents"]] == ["quick"]


def test_a_port_that_another_program_has_is_named(own_home):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=str(port)):
            lifecycle.up(own_home, port)
        # A remembered port that is taken meanwhile is no reason not to start.
        (own_home / "local_cloud" / "port").write_text(f"{port}\n")
        connection = lifecycle.up(own_home)
        assert connection.port != port
    with pytest.raises(LocalCloudError, match="runs already"):
        lifecycle.up(own_home, port)


def test_a_stranger_on_the_port_of_a_killed_cloud_is_not_taken_for_it(own_home):
    first = lifecycle.up(own_home)
    kill(first)
    assert (own_home / "local_cloud" / "connection.json").exists()
    with socket.create_server(("127.0.0.1", first.port)) as stranger:

        def answer() -> None:
            client, _ = stranger.accept()
            with client:
                client.recv(10_000)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        assert lifecycle.status(own_home) is None
        thread.join()


def test_a_local_cloud_that_cannot_start_says_why(own_home):
    own_home.mkdir()
    folder = own_home / "local_cloud"
    folder.mkdir()
    (folder / "cloud.sqlite").write_text("this is no database, but it is long enough to be looked at" * 20)
    with pytest.raises(LocalCloudError, match="not a database"):
        lifecycle.up(own_home)


def test_the_command_line_speaks_json(own_home: Path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mojo_toolbox.local_cloud", *arguments, "--home", str(own_home), "--json"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert run("status").returncode == 1
    started = json.loads(run("up").stdout)
    assert started.keys() == {"endpoint_url", "pid", "home"}
    assert started == json.loads(run("status").stdout)
    variables = json.loads(run("env").stdout)
    names = "AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_DEFAULT_REGION AWS_REGION"
    assert variables.keys() == set(names.split())
    assert variables["AWS_ENDPOINT_URL"] == started["endpoint_url"]
    assert json.loads(run("down").stdout) == {"stopped": True}
    assert not Path(f"/proc/{started['pid']}/exe").exists()


def test_asking_for_the_local_cloud_loads_nothing_heavy():
    code = "import sys; import mojo_toolbox.local_cloud.lifecycle; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"torch", "moto", "boto3", "botocore", "uvicorn", "starlette"} & set(done.stdout.split())
