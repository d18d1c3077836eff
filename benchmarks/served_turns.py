"""What a decision takes at the server's door, from a request's bytes to the reply's: by turn, and by length of the list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from decision_methods import LIMIT, OURS, Methods, question
from made_conversations import made_conversation, made_tasks
from measuring import forget_peak, in_turns, memory_mb, peak_mb, ratio, say, seconds

# After decision_methods, which puts the folder of the serving code on the path.
# isort: split
from artifact.language_model import LoadedLanguageModel
from inference import answer
from mojo_toolbox.contract import chat_request
from mojo_toolbox.data import Conversation, measuring_points
from mojo_toolbox.purposes.routing import routing_prompt
from servers.chat_server import ChatServer
from servers.server import Server

CACHE_BYTES = 512 * 2**20  # the server's default
# The first decision of a conversation reads the task list; from the second on it is cached.
FIRST, MIDDLE = 2, slice(7, 12)


class Served(NamedTuple):
    """One decision: seconds, tokens that were read for it, tokens that were cached."""

    seconds: float
    new_tokens: int
    cached_tokens: int


def server(loaded: LoadedLanguageModel, *, cache_bytes: int = CACHE_BYTES) -> ChatServer:
    return ChatServer(loaded, prefix_cache_bytes=cache_bytes)


def bodies(conversation: Conversation) -> list[bytes]:
    """Return the request of each decision, the earlier ones as labelled."""
    found = []
    for point in measuring_points(conversation):
        asked = routing_prompt(conversation.messages[: point.turn + 1], conversation.tasks)
        found.append(json.dumps(chat_request(asked.messages, choices=asked.choices)).encode())
    return found


def ask(served_by: Server, body: bytes) -> Served:
    replies: list[str] = []
    took = seconds(lambda: replies.append(answer(served_by, body)))
    usage = json.loads(replies[0])["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return Served(took, usage["prompt_tokens"] - cached, cached)


def by_turn(
    loaded: LoadedLanguageModel, conversations: Sequence[Conversation], *, uncached_turns: Iterable[int]
) -> dict[str, Any]:
    """Ask each conversation from its first turn to its last; some turns also of a server that keeps nothing."""
    first_requests = bodies(conversations[0])
    for body in first_requests[:2]:  # threads start, memory is fetched
        ask(server(loaded), body)
    runs = []
    for number, conversation in enumerate(conversations, start=1):
        say(f"by turn: conversation {number} of {len(conversations)}")
        cached = server(loaded)
        runs.append([ask(cached, body) for body in bodies(conversation)])
    forgetful = server(loaded, cache_bytes=0)
    uncached = {turn: ask(forgetful, first_requests[turn - 1]).seconds for turn in uncached_turns}
    last = min(map(len, runs))
    turns = [
        {
            "turn": turn,
            "seconds": median(run[turn - 1].seconds for run in runs),
            "new_tokens": median(run[turn - 1].new_tokens for run in runs),
            "cached_tokens": median(run[turn - 1].cached_tokens for run in runs),
            "seconds_without_cache": uncached.get(turn),
        }
        for turn in range(1, last + 1)
    ]
    middle = [found.seconds for run in runs for found in run[MIDDLE]] or [run[-1].seconds for run in runs]
    return {
        "turns": turns,
        "p50_seconds": median(middle),
        "last_turn_over_first_turn": median(run[last - 1].seconds / run[FIRST - 1].seconds for run in runs),
        "last_turn_over_first_turn_without_cache": (
            uncached[last] / uncached[FIRST] if {last, FIRST} <= set(uncached) else None
        ),
    }


def by_list_length(
    loaded: LoadedLanguageModel, length: int, *, rounds: int, others: Mapping[str, Server]
) -> dict[str, Any]:
    """Ask with a whole list of this length: cold, with the list cached by another conversation, and in mid-conversation.

    `others` are asked the same in mid-conversation.
    """
    tasks = made_tasks(length)
    first, second = (bodies(made_conversation(tasks, turns=4 + rounds, seed=seed)) for seed in range(2))
    asked = server(loaded)
    before = memory_mb()
    counts_peak = forget_peak()
    cold = ask(asked, first[0])
    list_cached = ask(asked, second[0])
    later = [ask(asked, body) for body in second[1:]]
    peak = peak_mb()
    kept = asked.prefixes.size / 2**20
    of_one = question(loaded, made_conversation(tasks, turns=4), decision=3)
    # The two that are compared need no second copy of the network.
    steps = Methods(loaded, None, of_one).steps()
    times = in_turns({name: steps[name] for name in (LIMIT, OURS)}, rounds=rounds)
    return {
        "tasks": length,
        "prompt_tokens": cold.new_tokens,
        "cold_seconds": cold.seconds,
        "list_cached_seconds": list_cached.seconds,
        "mid_conversation_seconds": median(found.seconds for found in later),
        "others_mid_conversation_seconds": {name: _later(other, second) for name, other in others.items()},
        "mid_conversation_new_tokens": median(found.new_tokens for found in later),
        "tree_tokens": len(of_one.trie.shared),
        "prefills_of_new_tokens": ratio(times[OURS], times[LIMIT]),
        "kept_mb": kept,
        "peak_mb": peak - before if counts_peak and peak and before else None,
    }


def _later(served_by: Server, requests: list[bytes]) -> float:
    """Return the median seconds of the decisions after a conversation's first."""
    ask(served_by, requests[0])
    return median(ask(served_by, body).seconds for body in requests[1:])
