"""A small sentence encoder that chooses: the words of a question against the texts of its choices, in one pass.

Two towers. One is the base model as it came: it turns each choice's text into a vector, once, and is never trained, so that
choices nobody trained on stay where the base model's much larger training put them. The other is trained: it reads the
user's words, what came before them and the running choice, and its mean over the user's words is compared with the
choices' vectors. A small transformer then lets the choices see each other and the words, and adds to each what that shows:
that a near neighbour fits better, that the running choice goes on, that none of them is meant.

Shapes: B questions, K choices at most in one of them, T tokens, H the encoder's width.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from model_code.base_network import BaseModelError, load_encoder_network, load_tokenizer
from model_code.encoder_questions import FALLBACK, ChoiceQuestion

CONFIG_FILE = "choice_encoder.json"
WEIGHTS_FILE = "choice_encoder.safetensors"
# Tokens that are read of each part of a question. Of longer texts it reads the parts that say most.
_USER_HEAD, _USER_TAIL, _ASSISTANT, _EARLIER, _RUNNING, _CHOICE = 64, 32, 40, 32, 32, 64
_NO_CHOICE = -1e4  # the logit of a place in the batch without a choice
_BATCH = 64
_LEAST_SHARE = 0.01  # none at all would have no logarithm
# Vectors kept of choices' texts, 1.5 kB each with MiniLM.
_MOST_KEPT = 20_000


@dataclass(frozen=True)
class EncoderConfig:
    """The facts that the weights belong to. `fallback` is the choice that means none of the others."""

    fallback: str = "none"
    trained_layers: int = -1
    """How many of the base model's layers are trained, counted from the last. -1 means all."""
    comparing_width: int = 192
    comparing_heads: int = 6
    temperature: float = 1.0


class ChoiceEncoder(nn.Module):
    """Scores choices. See the module for how."""

    def __init__(self, base: Any, trained: Any, tokenizer: Any, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        # A list hides the frozen tower from parameters(), state_dict() and train().
        self._frozen = [base.eval().requires_grad_(False)]
        self.encoder: Any = trained
        _freeze_below(self.encoder, config.trained_layers)
        for mine, frozen in zip(trained.parameters(), base.parameters(), strict=True):
            if not mine.requires_grad:
                mine.data = frozen.data  # the same memory
        width = trained.config.hidden_size
        # Some encoders count their positions from 2.
        self._most_tokens = getattr(trained.config, "max_position_embeddings", 512) - 2
        self.log_scale = nn.Parameter(torch.tensor(20.0).log())
        last = nn.Linear(128, 2)
        nn.init.zeros_(last.weight)
        # At first none has the logit of a similarity of 0.3, and the running choice a little more than its similarity.
        last.bias.data = torch.tensor([6.0, 1.0])
        self.state = nn.Sequential(nn.Linear(2 * width + 4, 128), nn.GELU(), last)
        self.comparing = _Comparing(width, config)
        self._vectors: OrderedDict[str, Tensor] = OrderedDict()
        self._most_kept = _MOST_KEPT

    @classmethod
    def from_base(
        cls, source: str, *, revision: str | None = None, config: EncoderConfig | None = None
    ) -> ChoiceEncoder:
        """Start from a sentence encoder: a folder or an id of the Hugging Face hub.

        Raises:
            BaseModelError: its weights do not fit its configuration, or its tokenizer's tokens do not fit them.
        """
        tokenizer = load_tokenizer(source, revision=revision)
        base, trained = (load_encoder_network(source, revision=revision, dtype=torch.float32) for _ in range(2))
        known = base.get_input_embeddings().weight.shape[0]
        if len(tokenizer) > known:
            raise BaseModelError(
                f"The tokenizer of the base model {source!r} has {len(tokenizer)} tokens, the model {known}. Fetch it again."
            )
        return cls(base, trained, tokenizer, config or EncoderConfig())

    @classmethod
    def from_folder(cls, folder: Path, source: str, *, revision: str | None = None) -> ChoiceEncoder:
        """Load the files of `save()`, on the base model it was trained from."""
        config = EncoderConfig(**json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))
        model = cls.from_base(source, revision=revision, config=config)
        model.load_trained(folder)
        return model.eval()

    def save(self, folder: Path) -> None:
        """Write the trained weights, and no more: half the size of the base model."""
        folder.mkdir(parents=True, exist_ok=True)
        kept = {name for name, value in self.named_parameters() if value.requires_grad}
        weights = {name: value.contiguous() for name, value in self.state_dict().items() if name in kept}
        save_file(weights, folder / WEIGHTS_FILE)
        (folder / CONFIG_FILE).write_text(json.dumps(asdict(self.config), indent=1) + "\n", encoding="utf-8")

    def load_trained(self, folder: Path) -> None:
        """Take the weights in `folder`. Those of another shape are an error."""
        weights = load_file(folder / WEIGHTS_FILE)
        _, unexpected = self.load_state_dict(weights, strict=False)
        trained = {name for name, value in self.named_parameters() if value.requires_grad}
        if unexpected or trained - weights.keys():
            wrong = sorted(unexpected) or sorted(trained - weights.keys())
            raise ValueError(
                f"{WEIGHTS_FILE} {'alone has' if unexpected else 'lacks'} {', '.join(wrong[:3])}: it was trained on another base "
                "model, or its files do not belong together."
            )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.log_scale.device

    def remember(self, texts: Iterable[str]) -> None:
        """Keep the vectors of these choices' texts and no others, computed in an order that the texts alone decide.

        A vector's last digits depend on what else was computed with it. A training run that begins an epoch so can be
        resumed within it to the same digit. They are read in bfloat16, in half the time of float32.
        """
        wanted = set(texts)
        self._vectors.clear()
        self._most_kept = max(_MOST_KEPT, len(wanted))
        with torch.autocast(self.device.type, torch.bfloat16):
            self._embed(wanted)

    def forward(self, questions: Sequence[ChoiceQuestion]) -> Tensor:
        """Return logits of shape (B, 1 + K): the fallback's, then those of the choices in their order."""
        vectors, listed = self._choices(questions)  # (B, K, H), (B, K)
        running = torch.zeros_like(vectors[..., 0])
        for row, asked in enumerate(questions):
            if asked.running is not None:
                running[row, asked.running] = 1
        states, words, of_user = self._read(questions)
        query = functional.normalize(_mean(states, of_user), dim=-1)  # (B, H)
        likeness = torch.einsum("bkh,bh->bk", vectors, query)
        highest = likeness.masked_fill(~listed, -1).topk(min(2, likeness.shape[1]), dim=1).values
        facts = [highest[:, 0], highest[:, 0] - highest[:, -1], (likeness * running).sum(1), running.sum(1)]
        state = self.state(torch.cat([states[:, 0], _mean(states, words), torch.stack(facts, dim=1)], dim=1))
        logits = likeness * self.log_scale.exp() + running * state[:, 1:2]
        logits = torch.cat([state[:, :1], logits], dim=1)
        logits = logits + self.comparing(vectors, listed, likeness, running, states=states, words=words)
        masked: Tensor = logits.masked_fill(~functional.pad(listed, (1, 0), value=True), _NO_CHOICE)
        return masked

    def loss(self, questions: Sequence[ChoiceQuestion], *, running_share: float = 1.0) -> Tensor:
        """Return the mean cross entropy of the right answers.

        Where only a share of the questions whose right answer is the running choice is read, its logit is lowered by that
        share's logarithm here, and nowhere else: so the network's own logits are those of all questions (logit adjustment,
        Menon et al. 2021).
        """
        logits = self(questions)
        if running_share < 1:
            offsets = torch.zeros_like(logits)
            for row, asked in enumerate(questions):
                if asked.running is not None:
                    offsets[row, 1 + asked.running] = math.log(max(running_share, _LEAST_SHARE))
            logits = logits + offsets
        return functional.cross_entropy(logits, targets(questions).to(logits.device))

    @torch.inference_mode()
    def log_probabilities(self, questions: Sequence[ChoiceQuestion]) -> list[Tensor]:
        """Return for each question the logarithms of 1 + K probabilities: the fallback's first."""
        found: list[Tensor] = []
        for start in range(0, len(questions), _BATCH):
            batch = questions[start : start + _BATCH]
            scaled = self(batch).double() / self.config.temperature
            logs = torch.log_softmax(scaled, dim=1).cpu()
            found += [row[: 1 + len(asked.choices)] for row, asked in zip(logs, batch, strict=True)]
        return found

    def _read(self, questions: Sequence[ChoiceQuestion]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the trained tower's states (B, T, H), which tokens are words (B, T), and which the user's (B, T)."""
        rows = [self._question_ids(asked) for asked in questions]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), longest), self.tokenizer.pad_token_id or 0)
        words, of_user = torch.zeros(len(rows), longest), torch.zeros(len(rows), longest)
        for row, (tokens, user_end) in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            words[row, : len(tokens)] = 1
            of_user[row, :user_end] = 1
        ids, words, of_user = (filled.to(self.device) for filled in (ids, words, of_user))
        given: dict[str, Tensor] = {"input_ids": ids, "attention_mask": words.long()}
        if getattr(self.encoder.config, "type_vocab_size", 0) > 1:
            given["token_type_ids"] = (words - of_user).long()
        # Half the time of a step in float32. What follows is small, and stays exact.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.training):
            states = self.encoder(**given).last_hidden_state
        return states.float(), words, of_user

    def _question_ids(self, asked: ChoiceQuestion) -> tuple[list[int], int]:
        """Return a question's tokens, and how many of them are the user's words with the mark before them."""
        start, end = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        user = self._ids(asked.user)
        if len(user) > _USER_HEAD + _USER_TAIL:
            user = user[:_USER_HEAD] + user[-_USER_TAIL:]
        running = "task: " + ("none" if asked.running is None else asked.choices[asked.running])
        parts = [
            self._ids(asked.assistant)[-_ASSISTANT:],
            self._ids(asked.earlier)[-_EARLIER:],
            self._ids(running)[:_RUNNING],
        ]
        context = [token for part in parts for token in [end, *part]]
        # Of an encoder that reads less than this the user's words come first.
        return [start, *user, *context, end][: self._most_tokens], min(1 + len(user), self._most_tokens)

    def _ids(self, text: str) -> list[int]:
        # Cutting text first: a message may have megabytes.
        text = text if len(text) <= 2048 else f"{text[:1024]} {text[-1024:]}"  # noqa: PLR2004
        return list(self.tokenizer(_sound(text), add_special_tokens=False, verbose=False)["input_ids"])

    def _choices(self, questions: Sequence[ChoiceQuestion]) -> tuple[Tensor, Tensor]:
        """Return the choices' vectors (B, K, H), and which places hold one (B, K)."""
        known = self._embed({text for asked in questions for text in asked.choices})
        most = max(1, *(len(asked.choices) for asked in questions))
        vectors = torch.zeros(len(questions), most, self.encoder.config.hidden_size, device=self.device)
        listed = torch.zeros(len(questions), most, dtype=torch.bool, device=self.device)
        for row, asked in enumerate(questions):
            if asked.choices:
                vectors[row, : len(asked.choices)] = torch.stack([known[text] for text in asked.choices])
                listed[row, : len(asked.choices)] = True
        return vectors, listed

    @torch.no_grad()
    def _embed(self, texts: set[str]) -> dict[str, Tensor]:
        """Return the frozen tower's vectors of length 1. The last 20,000 are kept, or all those of `remember()`."""
        known = {text: self._vectors[text] for text in texts if text in self._vectors}
        for text in known:
            self._vectors.move_to_end(text)
        missing = sorted(
            texts - known.keys(), key=lambda text: (len(text), text)
        )  # texts of like length together: less padding
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            sound = [_sound(text) for text in batch]
            read = self.tokenizer(
                sound, padding=True, truncation=True, max_length=min(_CHOICE, self._most_tokens), return_tensors="pt"
            )
            read = read.to(self.device)
            # Hidden from parameters(), it does not move with them.
            states = self._frozen[0].to(self.device)(**read).last_hidden_state
            means = functional.normalize(_mean(states.float(), read["attention_mask"]), dim=-1)
            # Copies: a row of a batch would keep the whole batch in memory.
            known |= {text: row.clone() for text, row in zip(batch, means, strict=True)}
        # A result that is not a number is computed again the next time, rather than failing all requests from now on.
        self._vectors |= {text: known[text] for text in missing if known[text].isfinite().all()}
        while len(self._vectors) > self._most_kept:
            self._vectors.popitem(last=False)
        return known


class _Comparing(nn.Module):
    """Lets the choices see each other and the words, and returns the addition to each logit. Before training that is nothing."""

    def __init__(self, width: int, config: EncoderConfig) -> None:
        super().__init__()
        inner = config.comparing_width
        self.of_vector = nn.Linear(width, inner)
        self.of_facts = nn.Linear(3, inner)
        self.of_words = nn.Linear(width, inner)
        self.fallback = nn.Parameter(torch.randn(inner) * 0.02)
        self.layer = nn.TransformerDecoderLayer(
            inner, config.comparing_heads, 2 * inner, dropout=0.1, batch_first=True, norm_first=True
        )
        self.out = nn.Linear(inner, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, vectors: Tensor, listed: Tensor, likeness: Tensor, running: Tensor, *, states: Tensor, words: Tensor
    ) -> Tensor:
        """Return (B, 1 + K): the addition for the fallback, then for each choice."""
        highest = likeness.masked_fill(~listed, -1).amax(dim=1, keepdim=True)
        facts = torch.stack([likeness, likeness - highest, running], dim=-1) * likeness.new_tensor([5.0, 5.0, 1.0])
        choices = self.of_vector(vectors) + self.of_facts(facts)
        rows = torch.cat([self.fallback.expand(len(choices), 1, -1), choices], dim=1)
        compared = self.layer(
            rows,
            self.of_words(states),
            tgt_key_padding_mask=functional.pad(~listed, (1, 0), value=False),
            memory_key_padding_mask=words == 0,
        )
        added: Tensor = 3 * self.out(compared).squeeze(-1)
        return added


def _freeze_below(encoder: Any, trained_layers: int) -> None:
    """Leave only the last layers to be trained.

    The vectors of words never are: a fine-tuning of minutes can only spoil those of words that it does not meet.
    """
    encoder.get_input_embeddings().weight.requires_grad_(False)
    if trained_layers < 0:
        return
    encoder.requires_grad_(False)
    layers = max((part for part in encoder.modules() if isinstance(part, nn.ModuleList)), key=len)
    for layer in layers[max(0, len(layers) - trained_layers) :]:
        layer.requires_grad_(True)


def targets(questions: Sequence[ChoiceQuestion]) -> Tensor:
    """Return the right places in the logits, shape (B,): 0 for the fallback."""
    return torch.tensor([0 if asked.right == FALLBACK else 1 + int(asked.right or 0) for asked in questions])


def _sound(text: str) -> str:
    """Put "?" for each half of a surrogate pair that lacks its other half: tokenizers refuse them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _mean(states: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the states (B, T, H) over the chosen tokens (B, T)."""
    weights = chosen.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)
