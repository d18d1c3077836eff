"""SageMaker and SageMaker Runtime on this machine."""

from __future__ import annotations

from mojo_toolbox.local_cloud.services.sagemaker.service import SageMakerService

__all__ = ["SageMakerService"]
