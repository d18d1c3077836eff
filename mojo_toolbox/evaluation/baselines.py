"""Routers that learn nothing, to be honest against."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mojo_toolbox.data import Message, Task

# Cosine similarity from which a turn's words speak for a task: more is asked for while another task runs, since people
# mention all sorts of things. Chosen on examples/data/train.jsonl.
_STARTS = 0.2
_SWITCHES = 0.4
_CLOSING = re.compile(
    r"\b(thanks|thank you|thx|ty|cheers|bye|that'?s (it|all|fine)|forget it|never ?mind|leave it|done|enough)\b",
    re.IGNORECASE,
)


def tfidf_router(messages: Sequence[Message], tasks: Sequence[Task], previous: str | None) -> str | None:
    """Choose the task whose name and description share the rarest words with the last turn.

    A turn that resembles no task keeps the previous one, unless it is short and closes.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    text = messages[-1].content
    documents = [f"{task.name.replace('_', ' ')} {task.description}" for task in tasks]
    words = r"(?u)\w+"
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", token_pattern=words)
    try:
        known = vectorizer.fit_transform(documents)
    except ValueError:  # no task has a word that says anything
        return previous
    similarities = (known @ vectorizer.transform([text]).T).toarray().ravel()
    best = int(similarities.argmax())
    if similarities[best] >= (_STARTS if previous is None else _SWITCHES):
        return tasks[best].name
    closes = _CLOSING.search(text) is not None and len(text.split()) <= 12  # noqa: PLR2004 - a farewell is short
    return None if closes else previous
