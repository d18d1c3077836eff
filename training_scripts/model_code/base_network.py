"""Loads networks whose weights are all there. transformers fills missing weights with random numbers, and serves them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from typing import Any

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

# Classes of networks that write text token by token, by the ends of their names. The library's base_models.py knows them too.
WRITING_CLASSES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
# Constants that some versions of a class store and others compute.
_CONSTANT = re.compile(r"(^|\.)(position_ids|token_type_ids|inv_freq|masked_bias|attn\.bias|attention\.bias)$")
# Of an encoder's output for classifiers, which nothing here reads.
_POOLER = re.compile(r"(^|\.)pooler\.")
_NUMBER = re.compile(r"\.\d+\.")


class BaseModelError(ValueError):
    """A base model that cannot be used for this work. The message is one line and says why."""


def load_language_model(source: str, *, revision: str | None = None, **options: Any) -> Any:
    """Load a causal language model. `options` are those of transformers' `from_pretrained()`.

    Raises:
        BaseModelError: it is another kind of model, its weights do not fit its configuration, or it cannot be read.
    """
    require_language_model(source, read_config(source, revision=revision))
    return _whole(AutoModelForCausalLM, source, revision=revision, **options)


def load_encoder_network(source: str, *, revision: str | None = None, **options: Any) -> Any:
    """Load an encoder, without the head that its makers may have trained it with.

    Raises:
        BaseModelError: its weights do not fit its configuration, or it cannot be read.
    """
    return _whole(AutoModel, source, revision=revision, may_lack=_POOLER, **options)


def read_config(source: str, *, revision: str | None = None) -> Any:
    """Read a base model's config.json.

    Raises:
        BaseModelError: there is no model, or it is of a kind that the installed transformers does not know.
    """
    return _read(AutoConfig, source, revision=revision)


def load_tokenizer(source: str, *, revision: str | None = None) -> Any:
    """Load a base model's tokenizer, or one that an artifact brings.

    Raises:
        BaseModelError: there is no model that the installed transformers can read.
    """
    tokenizer = _read(AutoTokenizer, source, what="The tokenizer of", revision=revision)
    # Where its files are missing, transformers 5.5 makes one that knows special tokens only.
    if not tokenizer.get_vocab().keys() - {token.content for token in tokenizer.added_tokens_decoder.values()}:
        raise BaseModelError(f"The tokenizer of {source!r} cannot be loaded: its files are missing, or know no words.")
    return tokenizer


def require_finite(network: Any) -> None:
    """Refuse weights that are no numbers: attention may hide them, and its results look like answers.

    Raises:
        BaseModelError: it names the first of them.
    """
    broken = [
        name
        for name, weight in network.named_parameters()
        if weight.is_floating_point() and weight.numel() and not _POOLER.search(name)
        # Without a copy of the weight, as isfinite() would make one.
        if not all(map(math.isfinite, map(float, weight.detach().aminmax())))
    ]
    if broken:
        raise BaseModelError(
            f"{len(broken)} weights contain NaN or infinities, {broken[0]} first. Train again, take another copy of the base "
            "model, or set MOJO_DTYPE=float32 if 16 bits are too few for it."
        )


def require_language_model(source: str, config: Any) -> None:
    """Refuse a model that does not write text token by token, by its configuration alone.

    Raises:
        BaseModelError: it is an encoder, an encoder-decoder, or has a head for something else.
    """
    known = config.architectures or []
    kind = known[0] if known else type(config).__name__
    if known and not any(name.endswith(WRITING_CLASSES) for name in known):
        raise BaseModelError(_no_language_model(source, kind))
    # BERT and its kin have such a head too, and read words in the light of those after them unless they are decoders.
    reads_both_ways = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(
        config, "is_decoder", False
    )
    if getattr(config, "is_encoder_decoder", False) or reads_both_ways:
        raise BaseModelError(_no_language_model(source, kind))


def _no_language_model(source: str, kind: str) -> str:
    return (
        f"The base model {source!r} ({kind}) is no causal language model. Name one, such as "
        "HuggingFaceTB/SmolLM2-135M-Instruct, or train a sentence encoder with the recipe encoder-router."
    )


def _whole(loader: Any, source: str, *, may_lack: re.Pattern[str] | None = None, **options: Any) -> Any:
    # Sizes that differ are reported below, with their names. Transformers would only log them.
    network, found = _read(loader, source, **options, output_loading_info=True, ignore_mismatched_sizes=True)
    parameters = {name for name, _ in network.named_parameters(remove_duplicate=False)}
    lacking = {
        name
        for name in found["missing_keys"]
        if not (may_lack and may_lack.search(name)) and (name in parameters or not _CONSTANT.search(name))
    }
    if lacking:
        raise _unfit(source, network, f"they lack {_named(lacking)}")
    differing = [name for name, *_ in found["mismatched_keys"]] or _of_another_size(network)
    if differing:
        raise _unfit(source, network, f"of another size than config.json says are {_named(differing)}")
    left_out = _left_out(found["unexpected_keys"], parameters)
    if left_out:
        raise _unfit(source, network, f"config.json leaves out {_named(left_out)}")
    return network


def _read(loader: Any, source: str, *, what: str = "The base model", **options: Any) -> Any:
    try:
        return loader.from_pretrained(source, **options)
    except Exception as error:
        # transformers, safetensors, torch's unpickler and the hub each raise errors of their own. All mean the same here.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise BaseModelError(f"{what} {source!r} cannot be loaded: {lines[0][:400]}") from error


def _unfit(source: str, network: Any, why: str) -> BaseModelError:
    return BaseModelError(
        f"The weights of the base model {source!r} do not fit {type(network).__name__}: {why}. It would answer nonsense. "
        "Fetch it again, or name another base model."
    )


def _named(names: Collection[str]) -> str:
    first = sorted(names)[:3]
    return ", ".join(first) + (f" and {len(names) - len(first)} more" if len(names) > len(first) else "")


def _left_out(unexpected: Iterable[str], parameters: Collection[str]) -> list[str]:
    """Find stored weights of what the network has: more of its layers, or biases of its modules.

    Others, such as a classifier's, belong to something else that was trained on top.
    """
    layers = {_NUMBER.sub(".N.", name) for name in parameters if _NUMBER.search(name)}
    return [
        name
        for name in unexpected
        if not _CONSTANT.search(name)
        and (_NUMBER.sub(".N.", name) in layers or f"{name.removesuffix('.bias')}.weight" in parameters)
    ]


def _of_another_size(network: Any) -> list[str]:
    """Find weights of another shape than their module's. Transformers 5.3 does not look at those that it quantises."""
    wrong = []
    for name, module in network.named_modules():
        if hasattr(module, "in_features") and hasattr(module, "out_features"):
            expected = (module.out_features, module.in_features)
        elif hasattr(module, "num_embeddings") and hasattr(module, "embedding_dim"):
            expected = (module.num_embeddings, module.embedding_dim)
        else:
            continue
        weight = getattr(module, "weight", None)
        if weight is None:
            continue
        quantised = getattr(weight, "quant_state", None)
        shape = tuple((weight if quantised is None else quantised).shape)
        if shape != expected and (quantised is not None or weight.is_floating_point()):
            wrong.append(f"{name}.weight")
    return wrong
