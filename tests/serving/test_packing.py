"""What an endpoint runs is put together of a trained artifact, and of an encoder's that stands beside it."""

import io
import json
import shutil
import tarfile

import pytest

from mojo_toolbox.clouds.aws.base_model_places import BaseModelPlace
from mojo_toolbox.contract import BaseModelReference
from mojo_toolbox.errors import ArtifactError, ConfigurationError
from mojo_toolbox.serving.own_handler import OwnHandler
from mojo_toolbox.serving.packing import TrainedArtifact, pack

WEIGHTS = {"language_model": "adapter_model.safetensors", "encoder": "choice_encoder.safetensors"}


@pytest.fixture
def trained(tmp_path):
    """Leaves an artifact of a kind behind, as a training job does."""

    def put(name, kind, *, prompt="routing-2", **more):
        manifest = {
            "contract_version": 1,
            "kind": kind,
            "prompt_version": prompt,
            "base_model": {"id": f"org/{name}"},
            **more,
        }
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz") as archive:
            for file, content in (("manifest.json", json.dumps(manifest)), (WEIGHTS[kind], name)):
                member = tarfile.TarInfo(file)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content.encode()))
        return TrainedArtifact(f"s3://jobs/{name}.tar.gz", base_uri=f"s3://bucket/{name}")

    return put


@pytest.fixture
def packed(tmp_path):
    def fetch(uri, path):
        shutil.copy(tmp_path / uri.removeprefix("s3://jobs/"), path)

    def put_together(model, encoder=None, **options):
        def on_the_hub(name):
            return BaseModelPlace(BaseModelReference(id=name))

        found = pack(
            model,
            tmp_path / "model.tar.gz",
            container=OwnHandler(),
            fetch=fetch,
            find_base=on_the_hub,
            encoder=encoder,
            **options,
        )
        with tarfile.open(tmp_path / "model.tar.gz") as archive:
            return found, {name for name in archive.getnames() if not name.startswith("code/")}

    return put_together


@pytest.mark.parametrize("kind", ["language_model", "encoder"])
def test_an_encoder_stands_beside_either_kind_with_a_base_model_of_its_own(trained, packed, kind):
    found, names = packed(trained("router", kind), trained("second", "encoder"), prompt_version="routing-2")
    assert names == {
        "manifest.json",
        WEIGHTS[kind],
        "encoder/manifest.json",
        "encoder/choice_encoder.safetensors",
        "MAR-INF/MANIFEST.json",
    }
    assert found.mounted == {"base_model": "s3://bucket/router", "encoder_base_model": "s3://bucket/second"}
    assert found.environment["MOJO_BASE_MODEL"].endswith("/base_model")
    assert found.environment["MOJO_ENCODER_BASE_MODEL"].endswith("/encoder_base_model")


def test_a_language_model_stands_beside_none(trained, packed):
    with pytest.raises(ConfigurationError, match=r"training job of an encoder router; s3://.*second.* is a language"):
        packed(trained("router", "encoder"), trained("second", "language_model"))


def test_nothing_stands_beside_a_base_model_that_nobody_trained(trained, packed):
    with pytest.raises(ConfigurationError, match="encoder stands beside a trained model"):
        packed(None, trained("second", "encoder"), base_model="org/plain")


def test_two_encoders_must_mean_the_same_by_none(trained, packed):
    router, second = trained("router", "encoder", fallback="none"), trained("second", "encoder", fallback="other")
    with pytest.raises(ConfigurationError, match=r"router.* takes 'none' for none of the choices, s3://.* 'other'"):
        packed(router, second)


def test_both_must_have_been_trained_on_the_prompt_that_is_asked(trained, packed):
    with pytest.raises(ArtifactError, match=r"second.* was trained on the prompt 'routing-1'"):
        packed(
            trained("router", "encoder"), trained("second", "encoder", prompt="routing-1"), prompt_version="routing-2"
        )
