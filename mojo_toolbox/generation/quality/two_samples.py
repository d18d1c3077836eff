"""Can a classifier tell the conversations of two files apart? A two-sample test, by words and by style alone.

A linear classifier on a bag of words learns on four fifths of the conversations and is asked about the rest, fold by fold
(Lopez-Paz & Oquab 2017, "Revisiting Classifier Two-Sample Tests"). 0.5 is chance: the files read alike to it.

Files about other things differ in words, however well they are written. So the same is asked of the style: each word that
is not common in both files becomes its shape (`w`, a capitalised `W`, a number `0`), and what is left is how people write.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mojo_toolbox.data import Conversation

if TYPE_CHECKING:
    from numpy.typing import NDArray

By = Literal["user's words", "user's style", "assistant's words"]
# With fewer conversations on a side an interval would say nothing.
LEAST = 30
_FOLDS = 5
_NORMAL_95 = 1.96
# Folds share what they learn on, so their results differ less than those of new data would: a standard error is wider by
# sqrt(1 + folds * asked / learnt) (Nadeau & Bengio 2003). Of 40 random pairs of public samples 1.0 to 1.4 were right.
_WIDER = 1.5
_TELLING = 8
# A word is kept in the style that so many conversations of either file have.
_COMMON = 0.1
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|\w+(?:['\u2019]\w+)*|[^\w\s]")
_NEXT_TURN = "\N{PILCROW SIGN}"
_LONGEST = 20_000  # characters of a conversation


@dataclass(frozen=True)
class Telling:
    """Words in a row that differ between the files, with the share of conversations that have them here and in the reference."""

    text: str
    here: float
    reference: float


@dataclass(frozen=True)
class TwoSampleTest:
    """The ability of a classifier to tell the files apart, by one side's words or style.

    `auc` compares a conversation of this file with one of the reference. It is the probability that the classifier finds the
    first one more like this file. `accuracy` is the share of conversations that it puts into the right file, when both have
    the same number. The 95% intervals are DeLong's and Wilson's. Both are wider than usual, since the folds share training data.
    """

    by: By
    conversations: int
    """Conversations on each side."""
    auc: float
    auc_low: float
    auc_high: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    telling_here: list[Telling]
    """The words that decide most for the classifier, in this order."""
    telling_reference: list[Telling]

    @property
    def chance(self) -> bool:
        """Whether the classifier is no better than chance, so that it cannot tell the files apart.

        With few and similar conversations the AUC is often somewhat below 0.5, because each test conversation is missing from
        the training part.
        """
        return self.auc_low <= 0.5  # noqa: PLR2004 - chance


def two_sample_tests(
    here: Sequence[Conversation], reference: Sequence[Conversation], *, seed: int
) -> list[TwoSampleTest]:
    """Return the tests; none where a file has too few conversations that differ, or one side never speaks."""
    users, other_users = _spoken(here, "user"), _spoken(reference, "user")
    common = _common_words(users, other_users)
    found = [
        _test("user's words", [_words(text) for text in users], [_words(text) for text in other_users], seed),
        _test(
            "user's style",
            [_style(text, common) for text in users],
            [_style(text, common) for text in other_users],
            seed,
        ),
    ]
    replies, other_replies = _spoken(here, "assistant"), _spoken(reference, "assistant")
    found.append(
        _test("assistant's words", [_words(text) for text in replies], [_words(text) for text in other_replies], seed)
    )
    return [test for test in found if test is not None]


def _spoken(conversations: Sequence[Conversation], role: str) -> list[list[str]]:
    """Return the tokens of what one side says, conversation by conversation, where it says anything."""
    texts = (
        f"\n{_NEXT_TURN}\n".join(message.content for message in conversation.messages if message.role == role)
        for conversation in conversations
    )
    return [_TOKEN.findall(text[:_LONGEST]) for text in texts if text.strip()]


def _words(tokens: list[str]) -> list[str]:
    return [token.casefold() for token in tokens if token[0].isalnum()]


def _common_words(here: list[list[str]], reference: list[list[str]]) -> set[str]:
    """Return the words that are common in both files."""
    common: set[str] | None = None
    for texts in (here, reference):
        counts = Counter(word for tokens in texts for word in {token.casefold() for token in tokens})
        frequent = {word for word, count in counts.items() if count >= _COMMON * len(texts)}
        common = frequent if common is None else common & frequent
    return common or set()


def _style(tokens: list[str], common: set[str]) -> list[str]:
    return [_shape(token, common) for token in tokens]


def _shape(token: str, common: set[str]) -> str:
    if token.casefold() in common or not token[0].isalnum():
        return token
    if token[0].isdecimal():
        return "0"
    if len(token) > 1 and token.isupper():
        return "WW"
    return "W" if token[0].isupper() else "w"


def _test(by: By, here: list[list[str]], reference: list[list[str]], seed: int) -> TwoSampleTest | None:
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    count = min(len(here), len(reference))
    if count < LEAST:
        return None
    vectorizer = TfidfVectorizer(
        analyzer=lambda tokens: _grams(tokens, most=3 if by == "user's style" else 2),
        min_df=3,
        max_features=50_000,
        sublinear_tf=True,
    )
    try:
        features = vectorizer.fit_transform([*here[:count], *reference[:count]])
    except ValueError:  # nothing is said three times
        return None
    is_here = np.repeat([True, False], count)
    scores, folds = _cross_validated(features, is_here, seed)
    auc, auc_error = _auc(scores, is_here, folds)
    right = float(((scores > 0) == is_here).mean())
    low, high = _wilson(right, 2 * count / _WIDER**2)
    ours, theirs = _telling(features, is_here, vectorizer.get_feature_names_out())
    return TwoSampleTest(
        by=by,
        conversations=count,
        auc=auc,
        auc_low=max(0.0, auc - _NORMAL_95 * auc_error),
        auc_high=min(1.0, auc + _NORMAL_95 * auc_error),
        accuracy=right,
        accuracy_low=low,
        accuracy_high=high,
        telling_here=ours,
        telling_reference=theirs,
    )


def _grams(tokens: list[str], *, most: int) -> list[str]:
    return [" ".join(tokens[start : start + n]) for n in range(1, most + 1) for start in range(len(tokens) - n + 1)]


def _classifier() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _cross_validated(features: Any, is_here: NDArray[Any], seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return each conversation's score by a classifier that did not learn on it, and its fold."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    scores, folds = np.zeros(len(is_here)), np.zeros(len(is_here), dtype=int)
    divided = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(features, is_here)
    for number, (learnt, asked) in enumerate(divided):
        model = _classifier().fit(features[learnt], is_here[learnt])
        scores[asked] = model.decision_function(features[asked])
        folds[asked] = number
    return scores, folds


def _auc(scores: NDArray[Any], is_here: NDArray[Any], folds: NDArray[Any]) -> tuple[float, float]:
    """Return the mean of the folds' AUC, since each has a classifier of its own, and its standard error (DeLong 1988)."""
    values, variances = [], []
    for fold in range(_FOLDS):
        above, below = scores[is_here & (folds == fold)], scores[~is_here & (folds == fold)]
        # For each score the share of the other side's that lie below it, ties as halves.
        beaten = _placements(above, below)
        values.append(beaten.mean())
        variances.append(beaten.var(ddof=1) / len(above) + _placements(below, above).var(ddof=1) / len(below))
    return float(sum(values) / _FOLDS), _WIDER * math.sqrt(sum(variances)) / _FOLDS


def _placements(scores: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    ordered = np.sort(others)
    below: NDArray[Any] = (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / 2
    return below / len(others)


def _wilson(share: float, count: float) -> tuple[float, float]:
    """Return the interval of a share of independent trials (Wilson 1927)."""
    square = _NORMAL_95**2 / count
    centre = (share + square / 2) / (1 + square)
    reach = _NORMAL_95 * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _telling(features: Any, is_here: NDArray[Any], names: Sequence[str]) -> tuple[list[Telling], list[Telling]]:
    """Return the n-grams that the classifier of all conversations goes by, for either file."""
    import numpy as np

    weights = _classifier().fit(features, is_here).coef_[0]
    present = features > 0
    here, reference = (np.asarray(present[side].mean(axis=0)).ravel() for side in (is_here, ~is_here))
    # How often a conversation has it counts too; what tells by that alone is not to be seen in the shares.
    order = np.argsort(weights)
    ours = [place for place in order[::-1] if weights[place] > 0 and here[place] > reference[place]]
    theirs = [place for place in order if weights[place] < 0 and reference[place] > here[place]]
    found = [
        [Telling(str(names[place]), float(here[place]), float(reference[place])) for place in places[:_TELLING]]
        for places in (ours, theirs)
    ]
    return found[0], found[1]
