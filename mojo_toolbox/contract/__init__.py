"""The contract between containers and callers: chat request and reply, hyperparameters, manifest.

The containers' side is in `inference_code/` and `training_scripts/`, which import nothing from here. Tests hold both sides
against each other.
"""

from mojo_toolbox.contract.chat import ENCODER_REFUSAL, ChatReply, Usage, chat_request, first_question, parse_chat_reply
from mojo_toolbox.contract.hyperparameters import (
    EncoderHyperparameters,
    TrainingHyperparameters,
    check_hyperparameters,
)
from mojo_toolbox.contract.manifest import CONTRACT_VERSION, BaseModelReference, Manifest, ModelKind, parse_manifest

__all__ = [
    "CONTRACT_VERSION",
    "ENCODER_REFUSAL",
    "BaseModelReference",
    "ChatReply",
    "EncoderHyperparameters",
    "Manifest",
    "ModelKind",
    "TrainingHyperparameters",
    "Usage",
    "chat_request",
    "check_hyperparameters",
    "first_question",
    "parse_chat_reply",
    "parse_manifest",
]
