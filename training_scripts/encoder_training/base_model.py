"""The sentence encoder that a training starts from."""

from __future__ import annotations

import torch
import transformers

from encoder_training.settings import EncoderSettings
from job.environment import base_model_revision
from job.errors import TrainingInputError, loading
from model_code.base_network import load_tokenizer, read_config
from model_code.choice_encoder import ChoiceEncoder, EncoderConfig


def check_is_encoder(source: str, settings: EncoderSettings) -> None:
    """Refuse a base model that writes text: it reads no word in the light of those after it."""
    revision = base_model_revision(source, settings)
    with loading():
        config, tokenizer = read_config(source, revision=revision), load_tokenizer(source, revision=revision)
    kind = (config.architectures or [type(config).__name__])[0]
    writes = kind.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) or config.is_encoder_decoder
    if writes or tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise TrainingInputError(
            f"The base model {source!r} ({kind}) is no sentence encoder: name one, such as "
            "sentence-transformers/all-MiniLM-L6-v2, or train a language model with train_qlora.py."
        )


def load_encoder(source: str, settings: EncoderSettings) -> ChoiceEncoder:
    """Load the base model with new weights around it, on the GPU if there is one."""
    transformers.set_seed(settings.seed)
    with loading():
        model = ChoiceEncoder.from_base(
            source,
            revision=base_model_revision(source, settings),
            config=EncoderConfig(fallback=settings.fallback, trained_layers=settings.trained_layers),
        )
    return model.to("cuda" if torch.cuda.is_available() else "cpu")
