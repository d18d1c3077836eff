"""A training job and a deployment as the administrator's door plans them."""

from mojo_toolbox.clouds.aws import names
from mojo_toolbox.clouds.aws.deployments import DeploymentPlan
from mojo_toolbox.clouds.aws.images import serving_image, training_image
from mojo_toolbox.clouds.aws.jobs import TrainingPlan
from mojo_toolbox.names import ModelKey

KEY = ModelKey(product="mojodex", task="routing", model_id="smollm2.router")
ROLE = "arn:aws:iam::123456789012:role/mojo"
BUCKET = "s3://mojo-toolbox-us-east-1-123456789012"


def training_plan(version="20260101-000000-aaaa", **changes):
    plan = {
        "job_name": names.versioned(names.job_base(KEY), version),
        "image_uri": training_image("us-east-1"),
        "role_arn": ROLE,
        "instance_type": "ml.g5.2xlarge",
        "instance_count": 1,
        "volume_size_gb": 100,
        "max_runtime_seconds": 3600,
        "program": "train_qlora.py",
        "hyperparameters": {"learning_rate": 2e-4, "load_in_4bit": True, "target_modules": "all-linear"},
        "channels": {"train": f"{BUCKET}/train", "validation": f"{BUCKET}/validation"},
        "source_uri": f"{BUCKET}/sourcedir.tar.gz",
        "output_uri": f"{BUCKET}/output",
        "checkpoint_uri": f"{BUCKET}/checkpoints",
        "environment": {"MOJO_GIT_COMMIT": "abc"},
        "region_name": "us-east-1",
        "tags": names.tags(KEY, version=version),
    }
    return TrainingPlan(**{**plan, **changes})


def deployment_plan(version="20260101-000000-aaaa", stage="dev", **changes):
    plan = {
        "endpoint_name": names.endpoint_name(KEY, stage),
        "version_name": names.versioned(names.deployment_base(KEY, stage), version),
        "image_uri": serving_image("us-east-1", "ml.m5.xlarge"),
        "role_arn": ROLE,
        "model_data_uri": f"{BUCKET}/model.tar.gz",
        "mounted": {},
        "environment": {"MOJO_BASE_MODEL": "owner/base"},
        # moto 5.2 has an old list of its own, without ml.g5 for endpoints.
        "instance_type": "ml.m5.xlarge",
        "instance_count": 1,
        "tags": names.tags(KEY, stage=stage, version=version),
    }
    return DeploymentPlan(**{**plan, **changes})
