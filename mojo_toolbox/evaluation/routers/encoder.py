"""A small sentence encoder: texts become unit vectors, whose products say how much two texts are alike."""

from __future__ import annotations

import contextlib
import io
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mojo_toolbox.base_models import MINILM, resolve_base_model
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.errors.extras import needed_for, require
from mojo_toolbox.settings import load_settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

# all-MiniLM-L6-v2 was trained on shorter texts still. Sentence-transformers cuts at 256 too.
_MOST_TOKENS = 256
# Holds so many tokens in any script. The rest of five megabytes need not be cut into tokens first.
_MOST_CHARACTERS = 4096
_BATCH = 32
# Vectors of 1.5 kB and their texts: some megabytes.
_MOST_KEPT = 4096

_PURPOSE = "A sentence encoder"


class SentenceEncoder:
    """A BERT-like model with mean pooling, on the CPU. Threads may share it."""

    def __init__(self, model: str = MINILM, *, home: Path | str | None = None) -> None:
        """Load `model`, a folder or an id of Hugging Face. The default is at hand without Hugging Face too (91 MB, once).

        Raises:
            BaseModelNotFoundError: there is no such model.
            ConfigurationError: torch or transformers is missing, or the model is no encoder with a tokenizer.
        """
        # Before a model is fetched.
        require(_PURPOSE, "torch", "transformers", "numpy", extra="local")
        settings = load_settings(home=home)
        token = settings.hf_token.get_secret_value() if settings.hf_token else None
        source = resolve_base_model(model, cache_dir=settings.home / "base_models", token=token)
        self._tokenizer, self._network = _load(str(source), token)
        self._most_tokens = min(_MOST_TOKENS, getattr(self._network.config, "max_position_embeddings", _MOST_TOKENS))
        # A fast tokenizer cannot be set to pad by two threads at the same time.
        self._tokenizing = threading.Lock()
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._keeping = threading.Lock()

    def embed(self, texts: Sequence[str], *, keep: bool = False) -> Vectors:
        """Return an array of shape (texts, width) with rows of length 1. Only the first 256 tokens of a text are read.

        With `keep` the vectors are kept for the next time, the last 4,096 of them: for texts that recur.
        """
        import numpy as np

        texts = [text[:_MOST_CHARACTERS] for text in texts]
        found = self._recall(texts) if keep else {}
        # Texts of like length together: less padding.
        missing = sorted(set(texts) - found.keys(), key=len)
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            found.update(zip(batch, self._compute(batch), strict=True))
        if keep:
            self._keep((text, found[text]) for text in missing)
        return np.stack([found[text] for text in texts])

    def _compute(self, batch: list[str]) -> Vectors:
        import torch

        with self._tokenizing:
            read = self._tokenizer(
                batch, padding=True, truncation=True, max_length=self._most_tokens, return_tensors="pt"
            )
        with torch.inference_mode():
            states = self._network(**read).last_hidden_state  # (texts, tokens, width)
            real = read["attention_mask"].unsqueeze(-1)  # padding takes no part in the mean
            means = (states * real).sum(dim=1) / real.sum(dim=1)
            vectors: Vectors = torch.nn.functional.normalize(means, dim=1).float().numpy()
        return vectors

    def _recall(self, texts: Iterable[str]) -> dict[str, Vectors]:
        with self._keeping:
            found = {text: self._kept[text] for text in texts if text in self._kept}
            for text in found:
                self._kept.move_to_end(text)
        return found

    def _keep(self, vectors: Iterable[tuple[str, Vectors]]) -> None:
        with self._keeping:
            # Copies: a row of a batch would keep the whole batch in memory.
            self._kept.update((text, vector.copy()) for text, vector in vectors)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)


def _load(source: str, token: str | None) -> tuple[Any, Any]:
    with needed_for(_PURPOSE, extra="local"):
        import torch
        from transformers import AutoModel, AutoTokenizer
    try:
        # transformers draws a progress bar for what takes a second.
        with contextlib.redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(source, token=token)
            network, found = AutoModel.from_pretrained(
                source, token=token, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigurationError(f"{source} cannot be used as a sentence encoder: {reason}") from error
    # Classifiers read a pooling layer. The mean over all words does not.
    lacking = sorted(key for key in found["missing_keys"] if "pooler." not in key)
    if lacking:
        raise ConfigurationError(
            f"{source} cannot be used as a sentence encoder: it lacks {lacking[0]}, which would be random. Name another."
        )
    return tokenizer, network.eval()
