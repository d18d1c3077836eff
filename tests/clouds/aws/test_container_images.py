"""The container images: pinned, and held against the list that AWS publishes where it is installed."""

import importlib.metadata
import json

import pytest

from mojo_toolbox.clouds.aws import images
from mojo_toolbox.errors import ConfigurationError


@pytest.mark.parametrize(
    ("region", "beginning"),
    [
        ("us-east-1", "763104351884.dkr.ecr.us-east-1.amazonaws.com/"),
        ("eu-south-1", "692866216735.dkr.ecr.eu-south-1.amazonaws.com/"),
        ("cn-north-1", "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/"),
    ],
)
def test_each_region_has_its_registry(region, beginning):
    assert images.training_image(region) == beginning + images.TRAINING_IMAGE
    assert images.serving_image(region, "ml.g5.xlarge") == beginning + images.SERVING_IMAGE_GPU


def test_a_region_without_images_is_said():
    with pytest.raises(ConfigurationError, match=r"'mars-north-1'.*image_uri"):
        images.training_image("mars-north-1")


@pytest.mark.parametrize(
    ("instance_type", "kind"),
    [("ml.m5.xlarge", "-cpu-"), ("ml.c7i.large", "-cpu-"), ("ml.t2.medium", "-cpu-"), ("ml.r5.large", "-cpu-")]
    + [(f"ml.{family}.xlarge", "-gpu-") for family in ("g4dn", "g5", "g6e", "p3", "p5")],
)
def test_an_instance_gets_the_image_for_its_hardware(instance_type, kind):
    assert kind in images.serving_image("us-east-1", instance_type)


@pytest.mark.parametrize("instance_type", ["ml.inf2.xlarge", "ml.trn1.2xlarge"])
def test_hardware_that_our_images_cannot_use_is_refused(instance_type):
    with pytest.raises(ConfigurationError, match=r"Neuron.*image_uri"):
        images.serving_image("us-east-1", instance_type)


@pytest.mark.parametrize("instance_type", ["ml.c7g.xlarge", "ml.c8g.large", "ml.m6gd.xlarge", "ml.r6g.large"])
def test_processors_without_an_image_are_refused(instance_type):
    with pytest.raises(ConfigurationError, match=r"ARM.*ml\.c7i\.xlarge.*image_uri"):
        images.serving_image("us-east-1", instance_type)


def published(scope, image):
    """Return what sagemaker-core says of the image's release: repository and tag ends, registries by region."""
    try:
        files = importlib.metadata.distribution("sagemaker-core").files or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("sagemaker-core, which carries AWS's list, is not installed (extra: sagemaker)")
    (listed,) = [file for file in files if file.name == "huggingface.json" and "image_uri_config" in str(file)]
    document = json.loads(listed.locate().read_text(encoding="utf-8"))
    tag = image.partition(":")[2]
    pytorch, _, rest = tag.partition("-transformers")
    return document[scope]["versions"][rest.partition("-")[0]][f"pytorch{pytorch}"]


@pytest.mark.parametrize(
    ("scope", "image", "processor"),
    [
        ("training", images.TRAINING_IMAGE, "gpu"),
        ("inference", images.SERVING_IMAGE_GPU, "gpu"),
        ("inference", images.SERVING_IMAGE_CPU, "cpu"),
    ],
)
def test_the_images_are_those_that_aws_lists(scope, image, processor):
    release = published(scope, image)
    assert image.partition(":")[0] == release["repository"]
    assert image.endswith(f"{processor}-{release['py_versions'][0]}-{release['container_version'][processor]}")
    known = {region: images._uri(image, region).partition(".")[0] for region in release["registries"] if _known(region)}
    assert len(known) > 25
    assert known == {region: release["registries"][region] for region in known}


def _known(region):
    return region in images._REGISTRY_REGIONS or region in images._OTHER_REGISTRIES
