"""Container images of AWS's Deep Learning Containers, pinned.

Source: `sagemaker.core.image_uris` of sagemaker-core 2.27 (image_uri_config/huggingface.json). A test compares where that
package is installed.
"""

from __future__ import annotations

import re

from mojo_toolbox.errors import ConfigurationError

TRAINING_IMAGE = "huggingface-pytorch-training:2.9.0-transformers5.3.0-gpu-py312-cu130-ubuntu22.04"
SERVING_IMAGE_GPU = "huggingface-pytorch-inference:2.6.0-transformers5.5.3-gpu-py312-cu124-ubuntu22.04"
SERVING_IMAGE_CPU = "huggingface-pytorch-inference:2.6.0-transformers5.5.3-cpu-py312-ubuntu22.04"

# The account that publishes the images, region by region. This one is the default.
_REGISTRY = "763104351884"
_REGISTRY_REGIONS = frozenset(
    {
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    }
)
_OTHER_REGISTRIES = {
    "ca-west-1": "204538143572",
    "me-south-1": "217643126080",
    "ap-northeast-3": "364406365360",
    "us-gov-west-1": "442386744353",
    "us-gov-east-1": "446045086412",
    "af-south-1": "626614931356",
    "eu-south-1": "692866216735",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
    "il-central-1": "780543022126",
    "ap-east-1": "871362719292",
    "ap-southeast-3": "907027046896",
    "me-central-1": "914824155844",
}
# Instance families without a GPU, which take the CPU image. Everything else takes the GPU image.
_CPU_FAMILIES = re.compile(r"ml\.[tmcr]\d")
_ARM_FAMILIES = re.compile(r"ml\.[tmcrx]\d+g")
_NEURON_FAMILIES = ("ml.inf", "ml.trn")


def _uri(image: str, region_name: str) -> str:
    account = _OTHER_REGISTRIES.get(region_name) or (_REGISTRY if region_name in _REGISTRY_REGIONS else None)
    if account is None:
        raise ConfigurationError(
            f"No container image is known for region {region_name!r}. Name one: image_uri='…', or use one of "
            f"{', '.join(sorted(_REGISTRY_REGIONS | set(_OTHER_REGISTRIES)))}."
        )
    suffix = "amazonaws.com.cn" if region_name.startswith("cn-") else "amazonaws.com"
    return f"{account}.dkr.ecr.{region_name}.{suffix}/{image}"


def training_image(region_name: str) -> str:
    """Return the URI of the image that training jobs run in.

    Raises:
        ConfigurationError: AWS publishes none in this region.
    """
    return _uri(TRAINING_IMAGE, region_name)


def serving_image(region_name: str, instance_type: str) -> str:
    """Return the URI of the image that endpoints on `instance_type` run in.

    Raises:
        ConfigurationError: AWS publishes none in this region or for these processors, or they need compiled models.
    """
    if instance_type.startswith(_NEURON_FAMILIES):
        raise ConfigurationError(
            f"{instance_type} runs models compiled for Neuron only. Take a GPU such as ml.g5.xlarge, or name an image: "
            "image_uri='…'."
        )
    if _ARM_FAMILIES.match(instance_type):
        raise ConfigurationError(
            f"{instance_type} has ARM processors, for which AWS publishes no such image. Take one with Intel's or AMD's, such as "
            "ml.c7i.xlarge, or name an image: image_uri='…'."
        )
    cpu = _CPU_FAMILIES.match(instance_type) is not None
    return _uri(SERVING_IMAGE_CPU if cpu else SERVING_IMAGE_GPU, region_name)
