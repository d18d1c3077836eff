"""All servers of one endpoint under one configuration."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.hosting.model_server import ModelServer, ServerFailedError
from mojo_toolbox.local_cloud.services.sagemaker.hosting.plans import Plan
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import Surroundings

DRAIN_SECONDS = 65.0


class Deployment:
    """The servers that a plan asks for."""

    def __init__(self, cloud: Surroundings, endpoint: str, plan: Plan) -> None:
        self.plan = plan
        self._folder = cloud.folders.endpoints_dir / endpoint / plan["Id"]
        self.servers = {
            variant["VariantName"]: ModelServer(cloud, endpoint, variant, self._variant_folder(variant))
            for variant in plan["Variants"]
        }

    def start(self, *, keep_trying: bool = False) -> None:
        """Start all servers in the background."""
        for server in self.servers.values():
            server.start(keep_trying=keep_trying)

    def wait_ready(self) -> None:
        """Wait until all servers answer.

        Raises:
            ServerFailedError: one of them will not.
        """
        for variant in self.plan["Variants"]:
            if variant["Containers"] > 1:
                raise ServerFailedError("The local cloud hosts models of one container, not inference pipelines.")
            self.servers[variant["VariantName"]].wait_ready(variant["StartupSeconds"])

    def stop(self, *, drain: bool = False, remove: bool = False) -> None:
        """End all servers and wait. `remove` deletes their unpacked models too."""
        for server in self.servers.values():
            if drain:
                server.drain(DRAIN_SECONDS)
            server.stop()
        if remove:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _variant_folder(self, variant: Mapping[str, Any]) -> Path:
        return Path(self._folder, variant["VariantName"])


def variant_summary(variant: Mapping[str, Any]) -> dict[str, Any]:
    """Show a variant as DescribeEndpoint's ProductionVariants do."""
    summary: dict[str, Any] = {
        "VariantName": variant["VariantName"],
        "CurrentWeight": variant["Weight"],
        "DesiredWeight": variant["Weight"],
    }
    image = variant["Container"].get("Image")
    if image:
        summary["DeployedImages"] = [{"SpecifiedImage": image, "ResolvedImage": image}]
    if variant["Serverless"]:
        summary["CurrentServerlessConfig"] = variant["Serverless"]
    else:
        summary["CurrentInstanceCount"] = summary["DesiredInstanceCount"] = variant["Instances"]
    return summary
