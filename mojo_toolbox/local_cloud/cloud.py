"""The services of one local cloud, put together: started in order, stopped in the opposite one."""

from __future__ import annotations

import os
from pathlib import Path

from mojo_toolbox.local_cloud.identity.credentials import KeyRing
from mojo_toolbox.local_cloud.identity.incoming import Incoming
from mojo_toolbox.local_cloud.services.logs.service import LogsService
from mojo_toolbox.local_cloud.services.moto.bridge import MotoBridge
from mojo_toolbox.local_cloud.services.s3.service import S3Service
from mojo_toolbox.local_cloud.services.s3.store import ObjectStore
from mojo_toolbox.local_cloud.services.sagemaker.service import SageMakerService
from mojo_toolbox.local_cloud.services.sts import StsService
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.state.home import Home
from mojo_toolbox.local_cloud.wire.http import HttpAnswer
from mojo_toolbox.local_cloud.wire.json_protocol import json_answer
from mojo_toolbox.local_cloud.wire.protocol import STATUS_SERVICE


class LocalCloud:
    """Every service, on one database and one folder."""

    def __init__(self, home: Home, endpoint_url: str) -> None:
        self._home = home
        self._endpoint_url = endpoint_url
        credentials = home.credentials()
        self._database = CloudDatabase(home.database_file)
        self.moto = MotoBridge(self._database)
        self.keys = KeyRing(credentials, self._database, self.moto.iam_key)
        self.sts = StsService(self.keys)
        self._store = ObjectStore(home.s3_dir, self._database)
        self.s3 = S3Service(self._store, self.keys)
        self.logs = LogsService(self._database)
        self.sagemaker = SageMakerService(self._database, self.logs, self._store, home, endpoint_url, credentials)

    @property
    def folder(self) -> Path:
        """Where everything of this local cloud is kept."""
        return self._home.folder

    def start(self) -> None:
        """Clear away the remains of a killed predecessor, and take up its endpoints."""
        self._store.sweep()
        self.sagemaker.recover()

    def stop(self) -> None:
        """End all children, and close the database."""
        self.sagemaker.shutdown()
        self._database.close()

    async def answer_status(self, incoming: Incoming) -> HttpAnswer | None:
        """Answer the command line, which asks whether the local cloud of this home is there."""
        if incoming.service != STATUS_SERVICE:
            return None
        status = {"endpoint_url": self._endpoint_url, "pid": os.getpid(), "home": str(self._home.root)}
        return json_answer(status, incoming.request)
