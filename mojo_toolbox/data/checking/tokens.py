"""How many tokens texts have: exactly, with a model's tokenizer, or estimated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.errors.extras import needed_for

# English has about four characters a token; scripts that take more bytes a character take more tokens too.
_BYTES_PER_TOKEN = 4


def estimated_tokens(texts: Sequence[str]) -> int:
    """Return an estimate of the number of tokens of texts: a quarter of their UTF-8 bytes."""
    return -(-sum(len(text.encode()) for text in texts) // _BYTES_PER_TOKEN)


def token_counter(tokenizer: Path | str) -> Callable[[Sequence[str]], int]:
    """Return a function that counts tokens exactly, with the tokenizer of a folder or of a model on Hugging Face.

    Raises:
        ConfigurationError: transformers is not installed, or does not have this tokenizer.
    """
    with needed_for("Counting tokens exactly", extra="local"):
        from transformers import AutoTokenizer
    try:
        loaded = AutoTokenizer.from_pretrained(str(tokenizer))
    except Exception as error:
        # Of many kinds, depending on what is in the folder or how Hugging Face can be reached.
        reason = str(error).strip().partition("\n")[0][:300]
        raise ConfigurationError(
            f"No tokenizer can be loaded from {str(tokenizer)!r}: {reason} Give a folder that has one, or a model's name "
            "on the Hugging Face hub."
        ) from error

    def count(texts: Sequence[str]) -> int:
        return sum(map(len, loaded(list(texts), add_special_tokens=False, verbose=False)["input_ids"]))

    return count
