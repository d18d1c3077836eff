"""Loads the server that an artifact needs, by the container's MOJO_ variables."""

from __future__ import annotations

import os
from pathlib import Path

from artifact.encoder import LoadedEncoder, load_encoder, load_encoder_beside, mixed
from artifact.language_model import load_artifact
from artifact.manifest import ENCODER, artifact_kind
from artifact.number_format import serving_device
from encoders.decider import EncoderDecider
from servers.chat_server import ChatServer
from servers.encoder_server import EncoderServer
from servers.paired_server import PairedServer
from servers.server import Server

DEFAULT_PREFIX_CACHE_BYTES = 512 * 2**20
# Choices that a language model reads at most, where an encoder is there to choose them.
DEFAULT_SHORTLIST = 20
# The weight of an encoder's probabilities next to a language model, and next to another encoder. docs/lab-notebook.md has
# the gains.
DEFAULT_ENCODER_WEIGHT = 0.7
DEFAULT_SECOND_ENCODER_WEIGHT = 0.4


def load_server(folder: Path, *, gpu_id: int | None) -> Server:
    """Load the artifact in `folder`, a language model to the GPU of this number.

    Raises:
        UnservableArtifactError: it cannot be served.
        ValueError: a variable of the container is set to something else than it may be.
    """
    if artifact_kind(folder) == ENCODER:
        return EncoderServer(load_encoders(folder))
    cache_bytes = _whole_number("MOJO_PREFIX_CACHE_BYTES", DEFAULT_PREFIX_CACHE_BYTES, "bytes; 0 keeps nothing")
    most = _whole_number("MOJO_SHORTLIST", DEFAULT_SHORTLIST, "choices; 0 asks with the whole list")
    weight = _encoder_weight(DEFAULT_ENCODER_WEIGHT)
    server = ChatServer(load_artifact(folder, serving_device(gpu_id)), prefix_cache_bytes=cache_bytes)
    loaded = load_encoder_beside(folder)
    if loaded is None:
        return server
    return PairedServer(server, EncoderDecider(loaded.encoder), most=most, encoder_weight=weight)


def load_encoders(folder: Path) -> LoadedEncoder:
    """Load the encoder in `folder`, together with the one next to it, if that has a say."""
    weight = _encoder_weight(DEFAULT_SECOND_ENCODER_WEIGHT)
    loaded = load_encoder(folder)
    beside = load_encoder_beside(folder) if weight else None
    return mixed(loaded, beside, weight=weight) if beside else loaded


def _whole_number(variable: str, default: int, what: str) -> int:
    given = os.environ.get(variable, "")
    if not given:
        return default
    if not given.isdecimal():
        raise ValueError(f"{variable} is {given!r}. Set it to a number of {what}.")
    return int(given)


def _encoder_weight(default: float) -> float:
    given = os.environ.get("MOJO_ENCODER_WEIGHT", "") or str(default)
    try:
        weight = float(given)
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= 1:
        raise ValueError(f"MOJO_ENCODER_WEIGHT is {given!r}. Set it to a number from 0 to 1.")
    return weight
