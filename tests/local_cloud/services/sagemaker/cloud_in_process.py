"""A SageMaker of our own for each test, on folders in place of S3 and without the web server in front."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mojo_toolbox.local_cloud.identity.credentials import Key
from mojo_toolbox.local_cloud.identity.incoming import Incoming
from mojo_toolbox.local_cloud.identity.signatures import PayloadRule, Verified
from mojo_toolbox.local_cloud.services.logs.service import LogsService
from mojo_toolbox.local_cloud.services.sagemaker import SageMakerService
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.state.home import AccessKey
from mojo_toolbox.local_cloud.untrusted.plain_files import pieces
from mojo_toolbox.local_cloud.wire.body import Body
from mojo_toolbox.local_cloud.wire.http import HttpRequest

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"


class FolderStore:
    """Objects as files; what the real object store promises to SageMaker, and no more."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def bucket_exists(self, bucket: str) -> bool:
        return (self.root / bucket).is_dir()

    def create_bucket(self, bucket: str) -> None:
        (self.root / bucket).mkdir(parents=True)

    def exists(self, bucket: str, key: str) -> bool:
        return (self.root / bucket / key).is_file()

    def size(self, bucket: str, key: str) -> int:
        return (self.root / bucket / key).stat().st_size

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        base = self.root / bucket
        keys = [str(path.relative_to(base)) for path in base.rglob("*") if path.is_file()]
        return sorted(key for key in keys if key.startswith(prefix))

    def open(self, bucket: str, key: str) -> Any:
        return (self.root / bucket / key).open("rb")

    def download(self, bucket: str, key: str, target: Path) -> None:
        shutil.copyfile(self.root / bucket / key, target)

    def put_file(self, bucket: str, key: str, path: Path) -> None:
        target = self.root / bucket / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"".join(pieces(path, 1 << 20)))

    def write(self, bucket: str, key: str, content: bytes | str) -> str:
        target = self.root / bucket / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return f"s3://{bucket}/{key}"

    def read(self, uri: str) -> bytes:
        return (self.root / uri.removeprefix("s3://")).read_bytes()


@dataclass(frozen=True)
class Folders:
    root: Path

    @property
    def jobs_dir(self) -> Path:
        return self.root / "jobs"

    @property
    def endpoints_dir(self) -> Path:
        return self.root / "endpoints"

    @property
    def environments_dir(self) -> Path:
        return self.root / "environments"


class Cloud:
    """The service with the words a test needs: train, wait, deploy, ask."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # Graces in which a test can wait for what does not end by itself.
        self.limits = {"stop_grace_seconds": 1.0, "invocation_seconds": 2.0}
        self.store = FolderStore(root / "s3")
        if not self.store.bucket_exists("bucket"):
            self.store.create_bucket("bucket")
        self.start()

    def start(self) -> None:
        """Start as after a stop or a crash."""
        self.database = CloudDatabase(self.root / "cloud.sqlite")
        self.logs = LogsService(self.database)
        self.sagemaker = SageMakerService(
            self.database,
            self.logs,
            self.store,
            Folders(self.root),
            "http://127.0.0.1:9",
            AccessKey("AKIATEST", "secret"),
            **self.limits,
        )
        self.sagemaker.recover()

    def close(self) -> None:
        self.sagemaker.shutdown()
        self.database.close()

    def __getattr__(self, operation: str) -> Any:
        """`cloud.CreateModel(ModelName=…)` calls the operation of that name."""
        if not operation[0].isupper():
            raise AttributeError(operation)
        return lambda **request: json.loads(json.dumps(self.sagemaker.handle(operation, request)))

    def train_request(self, name: str, program: str, files: dict[str, str] | None = None, **changes: Any) -> dict:
        """A script-mode job whose source is a local folder: no S3 over HTTP is needed."""
        source = self.root / "sources" / name
        source.mkdir(parents=True, exist_ok=True)
        for file, text in {"train.py": program, **(files or {})}.items():
            (source / file).write_text(text)
        return {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "HyperParameters": {
                "sagemaker_program": '"train.py"',
                "sagemaker_submit_directory": json.dumps(str(source)),
            },
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        } | changes

    def shell_request(self, name: str, script: str, **changes: Any) -> dict:
        """A job of a container entrypoint."""
        request = self.train_request(name, "", {"script.sh": script}, **changes)
        request.pop("HyperParameters")
        # An argument has at most 256 characters, and no line end.
        script = (
            script
            if len(script) <= 256 and "\n" not in script
            else f"exec /bin/sh {self.root / 'sources' / name / 'script.sh'}"
        )
        request["AlgorithmSpecification"] |= {
            "ContainerEntrypoint": ["/bin/sh"],
            "ContainerArguments": ["-c", script],
        }
        return request

    def wait_job(self, name: str, *, seconds: float = 40) -> dict[str, Any]:
        return self.until(
            lambda: self.DescribeTrainingJob(TrainingJobName=name),
            lambda job: job["TrainingJobStatus"] not in ("InProgress", "Stopping"),
            seconds,
        )

    def train(self, request: dict) -> dict[str, Any]:
        self.CreateTrainingJob(**request)
        return self.wait_job(request["TrainingJobName"])

    def log_lines(self, group: str, prefix: str) -> list[str]:
        streams = self.logs.handle("DescribeLogStreams", {"logGroupName": group, "logStreamNamePrefix": prefix})[
            "logStreams"
        ]
        return [
            event["message"]
            for stream in streams
            for event in self.logs.handle(
                "GetLogEvents",
                {"logGroupName": group, "logStreamName": stream["logStreamName"], "startFromHead": True},
            )["events"]
        ]

    def job_log(self, name: str) -> list[str]:
        return self.log_lines("/aws/sagemaker/TrainingJobs", f"{name}/")

    def model(self, name: str, inference: str | None, *, extra: dict[str, str] | None = None, **container: Any) -> None:
        files = {} if inference is None else {"code/inference.py": inference}
        uri = self.store.write("bucket", f"{name}/model.tar.gz", tar_gz({**files, **(extra or {})}))
        self.CreateModel(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"Image": "image", "ModelDataUrl": uri, **container},
        )

    def config(self, name: str, *models: str, **variant: Any) -> None:
        self.CreateEndpointConfig(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": f"v{index}",
                    "ModelName": model,
                    "InstanceType": "ml.g5.xlarge",
                    "InitialInstanceCount": 1,
                    "InitialVariantWeight": 1.0,
                    **variant,
                }
                for index, model in enumerate(models)
            ],
        )

    def deploy(self, name: str, inference: str | None, **more: Any) -> dict[str, Any]:
        self.model(name, inference, **more)
        self.config(name, name)
        self.CreateEndpoint(EndpointName=name, EndpointConfigName=name)
        return self.wait_endpoint(name)

    def wait_endpoint(self, name: str, *, seconds: float = 40) -> dict[str, Any]:
        return self.until(
            lambda: self.DescribeEndpoint(EndpointName=name),
            lambda endpoint: endpoint["EndpointStatus"] not in ("Creating", "Updating"),
            seconds,
        )

    def invoke(self, name: str, body: bytes = b"{}", **headers: str) -> tuple[int, dict[str, str], bytes]:
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.post(f"/endpoints/{name}/invocations", {"Content-Type": "application/json", **given}, body)

    def post(self, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """Ask SageMaker Runtime, past the check of the signature."""
        key = Key("AKIATEST", "secret", arn=ROLE, user_id="id")
        incoming = Incoming(HttpRequest("POST", path, "", headers, "id"), Body(_nothing_more, {}))
        incoming.service = "sagemaker"
        incoming.prove(Verified(key, "sagemaker", "us-east-1", PayloadRule()), body)
        answer = asyncio.run(self.sagemaker.answer_invocation(incoming))
        return answer.status, answer.headers, answer.body

    def ask(self, name: str, document: Any, **headers: str) -> Any:
        status, _, body = self.invoke(name, json.dumps(document).encode(), **headers)
        answer = json.loads(body)
        return answer if status == 200 else {"status": status, **answer}

    def until(self, look: Any, good: Any, seconds: float = 20) -> Any:
        return wait_until(look, good, seconds, self._everything_logged)

    def _everything_logged(self) -> str:
        return "\n".join(row["message"] for row in self.database.execute("SELECT message FROM log_events"))


def wait_until(look: Any, good: Any, seconds: float = 30, more: Any = str) -> Any:
    """Look again and again until it is good."""
    deadline = time.monotonic() + seconds
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}\n{more()}"
        time.sleep(0.02)
    return seen


def tar_gz(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


async def _nothing_more() -> Any:
    raise AssertionError("The body was read already.")
