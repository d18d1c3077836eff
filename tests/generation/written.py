"""A model for tests: it writes to the plan that a small template shows, the same for the same request."""

import hashlib
import json
import re
import threading

from mojo_toolbox.contract import Usage
from mojo_toolbox.generation.providers import Reply

TEMPLATE = """---
writes: conversation
max_tokens: 500
---

## user

$turns
Exactly $count user messages in $language.
"""
USAGE = Usage(prompt_tokens=100, completion_tokens=50)
TASKS = {
    "about": "an assistant of a sales team",
    "tasks": [
        {"name": name, "description": f"What {name} is for"}
        for name in ("meeting_recap", "follow_up_email", "prepare_a_quote", "qualify_lead", "social_post")
    ],
}


def conversation_text(request):
    """Return a conversation of as many turns as the prompt plans, with words of its own for each request."""
    prompt = request["messages"][-1]["content"]
    count = int(re.search(r"Exactly (\d+) user messages", prompt)[1])
    tag = hashlib.sha256(json.dumps([request["seed"], prompt]).encode()).hexdigest()[:12]
    turns = [{"user": f"Wish {n} of {tag}", "assistant": f"Answer {n} of {tag}"} for n in range(count)]
    return json.dumps({"turns": turns})


class Model:
    """Answers with `answer(request)`: a text, a Reply, or an exception that is raised."""

    def __init__(self, answer=conversation_text, *, name="model-t", usage=USAGE):
        self.answer = answer
        self.name = name
        self.usage = usage
        self.requests = []
        self._lock = threading.Lock()

    def complete(self, messages, *, max_tokens, temperature, seed):
        request = {
            "messages": [dict(message) for message in messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
        }
        with self._lock:
            self.requests.append(request)
        said = self.answer(request)
        if isinstance(said, BaseException):
            raise said
        return said if isinstance(said, Reply) else Reply(said, self.usage)


def faulty_first(fault, times=1):
    """Return an answer that is faulty the first `times` it is asked the same, whatever the seed."""
    asked = {}
    lock = threading.Lock()

    def answer(request):
        key = request["messages"][-1]["content"]
        with lock:
            asked[key] = asked.get(key, 0) + 1
            now = asked[key]
        return fault if now <= times else conversation_text(request)

    return answer
