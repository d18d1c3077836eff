"""Train, deploy and ask on a running local cloud with the SageMaker SDK v3 alone, as its users would: try_sdk.py FOLDER.

FOLDER is empty and is written to; the environment is that of `mojo local env`.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"  # the SDK would ask IAM to simulate policies

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

ROLE = "arn:aws:iam::123456789012:role/mojo-local"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.9.0-cpu-py312"
BUCKET = "sdk"

TRAIN = """
import argparse, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--word")
word = parser.parse_args().word
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
data = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "data.txt").read_text()
(model / "code").mkdir()
(model / "learnt.txt").write_text(f"{word} {data}")
(model / "code" / "inference.py").write_text('''
import pathlib
def model_fn(model_dir):
    return pathlib.Path(model_dir, "learnt.txt").read_text()
def predict_fn(data, model):
    return {"asked": data, "learnt": model}
''')
"""


def main(folder: Path) -> None:
    """Run a training job, serve its artifact, ask it, and remove everything."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    (folder / "src").mkdir()
    (folder / "src" / "train.py").write_text(TRAIN)
    (folder / "data.txt").write_text("conversations")

    trainer = ModelTrainer(
        training_image=IMAGE,
        source_code=SourceCode(source_dir=str(folder / "src"), entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        hyperparameters={"word": "routing"},
        role=ROLE,
        sagemaker_session=Session(default_bucket=BUCKET),
        base_job_name="sdk",
    )
    trainer.train(input_data_config=[InputData(channel_name="train", data_source=str(folder / "data.txt"))], logs=False)
    (found,) = TrainingJob.get_all(name_contains="sdk")
    job = TrainingJob.get(found.training_job_name)
    assert job.training_job_status == "Completed", job.failure_reason
    model_data = job.model_artifacts.s3_model_artifacts

    name = f"sdk-{int(time.time())}"
    container = ContainerDefinition(image=IMAGE, model_data_url=model_data)
    model = Model.create(model_name=name, primary_container=container, execution_role_arn=ROLE)
    variant = ProductionVariant(
        variant_name="AllTraffic", model_name=name, initial_instance_count=1, instance_type="ml.m5.large"
    )
    config = EndpointConfig.create(endpoint_config_name=name, production_variants=[variant])
    endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    answer = json.load(endpoint.invoke(body=json.dumps("hello"), content_type="application/json").body)
    assert answer == {"asked": "hello", "learnt": "routing conversations"}, answer
    assert name in [found.endpoint_name for found in Endpoint.get_all()]

    endpoint.delete()
    config.delete()
    model.delete()
    print("SageMaker SDK: trained, deployed and asked on the local cloud")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
