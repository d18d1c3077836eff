"""Routers that learn nothing, to be honest against: by words, by a sentence encoder, by no thought at all.

None of them depends on the list's order.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mojo_toolbox.base_models import MINILM
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.errors.extras import needed_for
from mojo_toolbox.evaluation.routers.question import Answer, FunctionRouter, Question, Record, Router

if TYPE_CHECKING:
    from mojo_toolbox.evaluation.routers.encoder import SentenceEncoder

BASELINES = ("always-none", "stay", "tfidf", "encoder", "encoder-previous")

# Cosine similarity from which a turn's words speak for a task: more is asked for while another task runs, since people
# mention all sorts of things. Chosen on examples/data/train.jsonl.
_WORDS_START = 0.2
_WORDS_SWITCH = 0.4
# The same of the encoder's vectors, chosen on 300 conversations of examples/data/train.jsonl and 250 of SGD's train part:
# the best sum of the two balanced accuracies, which hardly changes within .03 around it.
_MEANING_START = 0.28
_MEANING_SWITCH = 0.25
_AHEAD_OF_PREVIOUS = 0.07
_MEANING_WHILE_CLOSING = 0.3

_FAREWELL = re.compile(
    r"\b(thanks|thank you|thx|ty|cheers|bye|goodbye|that'?s (it|all|fine)|forget it|never ?mind|leave it|done|enough)\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(r"^\W*(no|nope|nah|not (now|yet|right now|today))\b", re.IGNORECASE)
_LONGEST_FAREWELL = 16  # words


def baseline(name: str, *, encoder: str = MINILM) -> Router:
    """Return a baseline by its name in `BASELINES`. `encoder` is the model folder or Hugging Face id of the two that use one.

    Loading an encoder takes seconds, and downloads all-MiniLM-L6-v2 (91 MB) the first time.

    Raises:
        ConfigurationError: there is no such baseline, or the `local` extra, which the encoder needs, is missing.
        BaseModelNotFoundError: there is no such encoder.
    """
    if name == "always-none":
        return _BaselineFunction(_always_none, name=name)
    if name == "stay":
        return _BaselineFunction(_stay, name=name)
    if name == "tfidf":
        return _BaselineFunction(_tfidf, name=name)
    if name in ("encoder", "encoder-previous"):
        return _EncoderRouter(name, shared_encoder(encoder), with_previous=name == "encoder-previous")
    raise ConfigurationError(f"There is no baseline {name!r:.80}. Baselines: {', '.join(BASELINES)}.")


class _BaselineFunction(FunctionRouter):
    """A baseline that is a function."""

    is_baseline = True


def _always_none(_messages: list[Record], _tasks: list[Record], _previous: str | None) -> None:
    return None


def _stay(_messages: list[Record], tasks: list[Record], previous: str | None) -> str | None:
    return next((previous for task in tasks if task["name"] == previous), None)


def _tfidf(messages: list[Record], tasks: list[Record], previous: str | None) -> str | None:
    """Choose the task whose name and description share the rarest words with the last turn.

    A turn that resembles no task keeps the previous one, unless it closes.
    """
    stay = _stay(messages, tasks, previous)
    text = messages[-1]["content"]
    listed: tuple[tuple[str, str], ...] = tuple(sorted((task["name"], task["description"]) for task in tasks))
    vectorizer, known = _fitted(listed)
    if vectorizer is None:
        return stay
    similarities = (known @ vectorizer.transform([text]).T).toarray().ravel()
    best = int(similarities.argmax())
    if similarities[best] >= (_WORDS_START if stay is None else _WORDS_SWITCH):
        return listed[best][0]
    return None if _closes(text) else stay


@lru_cache(maxsize=256)
def _fitted(listed: tuple[tuple[str, str], ...]) -> tuple[Any, Any]:
    """Return a vectoriser and the tasks' vectors; (None, None) where no task has a word that says anything."""
    with needed_for("The baseline tfidf", extra="evaluation"):
        from sklearn.feature_extraction.text import TfidfVectorizer

    words = r"(?u)\w+"
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", token_pattern=words)
    try:
        return vectorizer, vectorizer.fit_transform([described(*task) for task in listed])
    except ValueError:
        return None, None


class _EncoderRouter:
    """The task whose description means most nearly what the last turn says."""

    is_baseline = True

    def __init__(self, name: str, encoder: SentenceEncoder, *, with_previous: bool) -> None:
        self.name = name
        self._encoder = encoder
        self._with_previous = with_previous

    def ask(self, question: Question) -> Answer:
        """Answer from the last turn alone or, `with_previous`, keep the previous task until another is meant or it closes."""
        text = question.messages[-1]["content"]
        listed = sorted((task["name"], task["description"]) for task in question.tasks)
        known = self._encoder.embed([described(*task) for task in listed], keep=True)
        # Not kept: a second router that asks the same would seem faster than it is.
        said = self._encoder.embed([text])[0]
        similarity = {name: float(vector @ said) for (name, _), vector in zip(listed, known, strict=True)}
        best = max(similarity, key=similarity.__getitem__)
        previous = question.previous
        if not self._with_previous or previous not in similarity:
            return Answer(best if similarity[best] >= _MEANING_START else None)
        if similarity[best] < _MEANING_WHILE_CLOSING and _closes(text):
            return Answer(None)
        ahead = similarity[best] - similarity[previous]
        switches = similarity[best] >= _MEANING_SWITCH and ahead >= _AHEAD_OF_PREVIOUS
        return Answer(best if switches else previous)


@lru_cache(maxsize=2)
def shared_encoder(model: str) -> SentenceEncoder:
    """Load a sentence encoder, or return it as it was loaded last."""
    from mojo_toolbox.evaluation.routers.encoder import SentenceEncoder

    encoder = SentenceEncoder(model)
    encoder.embed(["The first pass takes longer than all that follow."])
    return encoder


def described(name: str, description: str) -> str:
    """Return the text by which a task is compared with what users say."""
    words = name.replace("_", " ")
    return f"{words}: {description}" if description else words


def _closes(text: str) -> bool:
    """Whether a turn is a short farewell, thanks or a refusal."""
    short = len(text.split()) <= _LONGEST_FAREWELL
    return short and (_FAREWELL.search(text) is not None or _REFUSAL.search(text) is not None)
