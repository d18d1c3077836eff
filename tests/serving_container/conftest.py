"""Every kind of archive that the hub makes: trained by the shipped scripts on tiny bases, packed as for a deployment."""

import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Packed:
    """An archive as the hub uploads it, its container's variables, and the folders of its mounted base models."""

    archive: Path
    environment: dict[str, str]
    mounted: dict[str, Path] = field(default_factory=dict)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    from tiny_encoder import save_tiny_encoder

    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), longest=256)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny_base, tiny_encoder):
    """Runs a training script for one step, once for each name; returns the model folder that it left."""
    from encoder_chats import chats
    from shipped_script import start_script
    from tiny_base import conversations, write_channel

    folder = tmp_path_factory.mktemp("trained")
    scripts = {
        "language_model": ("train_qlora.py", tiny_base, conversations(4), {"load_in_4bit": "false"}),
        "encoder": ("train_encoder.py", tiny_encoder, chats(8), {}),
    }

    def train(name, kind, **settings):
        model = folder / name
        if not model.exists():
            script, base, records, usual = scripts[kind]
            process = start_script(
                base,
                environment={
                    "SM_CHANNEL_TRAIN": write_channel(folder / f"{name}-data", records),
                    "SM_MODEL_DIR": model,
                },
                script=script,
                **{"max_steps": 1, "base_model_id": "org/tiny", **usual, **settings},
            )
            _, errors = process.communicate(timeout=250)
            assert process.returncode == 0, errors
        return model

    return train


@pytest.fixture(scope="session")
def several(tmp_path_factory, tiny_base):
    """An artifact with two adapters side by side, and a third one whose huge weights compute NaN."""
    import torch
    from safetensors.torch import load_file, save_file
    from tiny_model import save_adapter, write_manifest

    folder = tmp_path_factory.mktemp("several")
    for seed, name in enumerate(("sales", "support", "broken")):
        save_adapter(folder / "adapters" / name, tiny_base, seed=seed)
    weights = folder / "adapters" / "broken" / "adapter_model.safetensors"
    save_file({name: torch.full_like(value, 1e38) for name, value in load_file(weights).items()}, weights)
    write_manifest(folder, base_model={"id": "org/tiny", "revision": None})
    return folder


@pytest.fixture(scope="session")
def packed(tmp_path_factory, tiny_base, tiny_encoder):
    """Packs model folders as a deployment does; None for the language model deploys the base model as it is."""
    from moto import mock_aws

    from mojo_toolbox.clouds.aws.base_model_places import find_base_model
    from mojo_toolbox.clouds.aws.session import Session
    from mojo_toolbox.clouds.aws.storage import Storage
    from mojo_toolbox.serving.own_handler import OwnHandler
    from mojo_toolbox.serving.packing import TrainedArtifact, pack
    from mojo_toolbox.settings import Settings

    def put(storage, folder, name):
        path = tmp_path_factory.mktemp("job") / "model.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(folder, arcname=".")
        storage.upload(path, f"{name}/model.tar.gz")
        base = "encoder-base" if (folder / "choice_encoder.safetensors").exists() else "base"
        return TrainedArtifact(storage.uri(f"{name}/model.tar.gz"), base_uri=storage.uri(f"{base}/"))

    def pack_as_deployed(model, encoder=None):
        target = tmp_path_factory.mktemp("deployment") / "model.tar.gz"
        with mock_aws():
            storage = Storage(Session(Settings(cloud_service="aws", region_name="us-east-1")), "bucket")
            storage.ensure_bucket()
            found = pack(
                None if model is None else put(storage, model, "model"),
                target,
                container=OwnHandler(),
                fetch=storage.download,
                base_model=tiny_base if model is None else None,
                encoder=None if encoder is None else put(storage, encoder, "encoder"),
                find_base=lambda name: find_base_model(
                    name, storage, cache_dir=target.parent, token=None, look_up=True
                ),
            )
            folders = {uri: tiny_encoder if "encoder-base" in uri else tiny_base for uri in found.mounted.values()}
        return Packed(target, found.environment, {channel: folders[uri] for channel, uri in found.mounted.items()})

    return pack_as_deployed
