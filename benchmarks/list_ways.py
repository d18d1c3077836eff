"""Ways to choose from a long list, each with the code that serves it: by likeness, an encoder, a language model, both."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from loading_models import load_choice_encoder, load_model
from long_lists import Turn
from measuring import say, seconds
from served_turns import server

# After loading_models, which puts the folder of the serving code on the path.
# isort: split
from artifact.encoder import LoadedEncoder
from chat.request import InvalidRequestError
from encoders.decider import EncoderDecider
from encoders.mixture import EncoderMixture
from inference import answer
from mojo_toolbox.data import NONE_ANSWER
from mojo_toolbox.errors import MojoError
from mojo_toolbox.evaluation import baseline
from mojo_toolbox.evaluation.routers.baselines import described, shared_encoder
from servers.encoder_server import EncoderServer
from servers.loading import DEFAULT_ENCODER_WEIGHT, DEFAULT_SHORTLIST
from servers.paired_server import PairedServer
from servers.server import Server

UNTRAINED = "sentence encoder, untrained"
ENCODER = "encoder router"
TWO_ENCODERS = "two encoder routers"
WHOLE = "language model, whole list"
SHORT = f"language model, encoder's {DEFAULT_SHORTLIST}"
BOTH = f"both mixed, encoder's {DEFAULT_SHORTLIST}"
OF_LANGUAGE_MODELS = (WHOLE, SHORT, BOTH)


class Reply(NamedTuple):
    """What was answered and how long it took; `rank` is the right task's among the tasks, from 1, None where left out."""

    seconds: float
    right: bool
    rank: int | None


class Way(Protocol):
    """A way to choose."""

    def ask(self, turn: Turn) -> Reply | None:
        """Answer, or None: the request is refused."""


class Untrained:
    """Evaluation's baseline of a sentence encoder, with the previous task and a rule for what closes one."""

    def __init__(self, model: str) -> None:
        self._router = baseline("encoder-previous", encoder=model)
        self._encoder = shared_encoder(model)

    def ask(self, turn: Turn) -> Reply:
        asked = turn.question()
        answers = []
        took = seconds(lambda: answers.append(self._router.ask(asked)))
        return Reply(took, answers[0].task == turn.gold, _rank(self._similarities(turn), turn.gold))

    def _similarities(self, turn: Turn) -> dict[str, float]:
        """Say what the baseline goes by: how much each task means what the last turn says."""
        known = self._encoder.embed([described(task.name, task.description) for task in turn.tasks], keep=True)
        said = self._encoder.embed([turn.messages[-1].content])[0]
        # Above zero, which means left out.
        return {task.name: 2 + float(vector @ said) for task, vector in zip(turn.tasks, known, strict=True)}


class Served:
    """What a container serves, asked at its door: from a request's bytes to the reply's."""

    def __init__(self, served_by: Server) -> None:
        self._server = served_by

    def ask(self, turn: Turn) -> Reply | None:
        body = turn.body()
        replies: list[str] = []
        try:
            took = seconds(lambda: replies.append(answer(self._server, body)))
        except InvalidRequestError:
            return None
        choice = json.loads(replies[0])["choices"][0]
        return Reply(took, choice["message"]["content"] == turn.gold, _rank(choice["choice_probabilities"], turn.gold))


@dataclass(frozen=True)
class Models:
    """Which models are asked: an encoder's artifact, a language model's or a base model, a sentence encoder."""

    encoder: Path | None
    language_model: str | None
    untrained: str


def ways(models: Models) -> dict[str, Way]:
    """Load the models; what needs one that is not given is left out, which is said."""
    found: dict[str, Way] = {}
    try:
        if models.untrained:
            found[UNTRAINED] = Untrained(models.untrained)
    except MojoError as error:
        say(f"Without the {UNTRAINED}: {error}")
    beside = Path(models.language_model, "encoder") if models.language_model else None
    folder = models.encoder or (beside if beside and beside.is_dir() else None)
    encoder = load_choice_encoder(folder) if folder else None
    if encoder:
        is_pair = isinstance(encoder.encoder, EncoderMixture)
        if is_pair and models.language_model:
            raise SystemExit(
                f"{folder} holds two encoders, and no endpoint serves these with a language model: give one."
            )
        found[TWO_ENCODERS if is_pair else ENCODER] = Served(EncoderServer(encoder))
    if models.language_model:
        found |= _of_language_model(models.language_model, encoder)
    of_encoders = TWO_ENCODERS if TWO_ENCODERS in found else ENCODER
    missing = [name for name in (UNTRAINED, of_encoders, *OF_LANGUAGE_MODELS) if name not in found]
    if missing:
        say(f"Left out, since no model is given: {'; '.join(missing)}.")
    return found


def _of_language_model(name: str, encoder: LoadedEncoder | None) -> dict[str, Way]:
    """Give each way a server of its own: what one has read must not be in another's cache."""
    loaded, _ = load_model(name)
    found: dict[str, Way] = {WHOLE: Served(server(loaded))}
    if encoder:
        # With no weight the encoder only shortens the list.
        for way, weight in ((SHORT, 0.0), (BOTH, DEFAULT_ENCODER_WEIGHT)):
            decider = EncoderDecider(encoder.encoder)
            paired = PairedServer(server(loaded), decider, most=DEFAULT_SHORTLIST, encoder_weight=weight)
            found[way] = Served(paired)
    return found


def _rank(weights: dict[str, float], gold: str) -> int | None:
    of_gold = weights[gold]
    if not of_gold:
        return None
    return 1 + sum(weight > of_gold for name, weight in weights.items() if name not in {gold, NONE_ANSWER})
