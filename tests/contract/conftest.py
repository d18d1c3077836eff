"""The training scripts' side of the contract."""

import pytest


@pytest.fixture
def settings_of():
    """Find a training script's class of settings."""
    from encoder_training.settings import EncoderSettings
    from qlora.settings import QloraSettings

    return {"train_qlora": QloraSettings, "train_encoder": EncoderSettings}.__getitem__
