"""Runs the Hugging Face serving container's own entry code on a model, and asks it questions.

Started in namespaces of its own (see real_server.py) by the Python of the container's environment:

    python inside.py WORK_FOLDER < questions.json > answers.json

WORK_FOLDER/opt/ml/model is the unpacked archive. Questions are lists of `[body, headers]`, asked one after the other.
"""

import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import psutil

PORT = 8080
# The container's entry point, with the one path that only its root may write moved to the work folder.
START = """
import sys
from sagemaker_huggingface_inference_toolkit import mms_model_server
from sagemaker_inference import model_server
model_server.MMS_CONFIG_FILE = mms_model_server.MMS_CONFIG_FILE = sys.argv[1]
from sagemaker_huggingface_inference_toolkit import serving
serving.main()
"""
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))


def exchange(method, path, body=None, headers=None, *, timeout):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        kept = {name.lower(): value for name, value in answer.getheaders()}
        return {"status": answer.status, "headers": kept, "body": answer.read().decode("utf-8", "replace")}
    finally:
        connection.close()


def await_ping(server, log, *, seconds):
    """Wait for the answer 200 to /ping, as SageMaker does; return whether it came before the server ended."""
    deadline = time.monotonic() + seconds
    # The Java process may live on after it has given up.
    while time.monotonic() < deadline and server.poll() is None and b"Model server stopped" not in log.read_bytes():
        try:
            if exchange("GET", "/ping", timeout=5)["status"] == http.client.OK:
                return True
        except OSError:
            pass
        time.sleep(0.1)
    return False


def main() -> None:
    work = Path(sys.argv[1])
    questions = json.load(sys.stdin)
    bring_loopback_up()
    scratch = work / "tmp"
    scratch.mkdir()
    environment = {
        **os.environ,
        "SAGEMAKER_BASE_DIR": str(work / "opt" / "ml"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "LOG_LOCATION": str(work / "logs"),
        "METRICS_LOCATION": str(work / "logs"),
    }
    with (work / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", START, str(work / "sagemaker-mms.properties")],
            cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        started = await_ping(server, work / "server.log", seconds=60)
        answers = []
        for body, headers in questions if started else []:
            began = time.monotonic()
            answer = exchange("POST", "/invocations", body.encode(), headers, timeout=120)
            answers.append({**answer, "seconds": time.monotonic() - began})
        # None of a process that has ended meanwhile.
        processes = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(server.pid, signal.SIGKILL)
    json.dump({"started": started, "answers": answers, "processes": processes}, sys.stdout)


if __name__ == "__main__":
    main()
