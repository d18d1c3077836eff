"""Conversations for tests, and what a router should have said about them."""

from mojo_toolbox.data import parse_conversation

NAMES = ["recap", "email", "quote", "forecast"]


def conversation(number, labels=(None, "recap", "recap", "email", None), names=NAMES):
    turns = []
    for turn, task in enumerate(labels):
        turns += [{"role": "user", "content": f"{number}.{turn}", "task": task}, {"role": "assistant", "content": "ok"}]
    tasks = [{"name": name, "description": f"does a {name}"} for name in names]
    return parse_conversation({"id": f"c{number}", "tasks": tasks, "messages": turns})


def many(count):
    """Conversations whose right tasks and lists differ."""
    found = []
    for number in range(count):
        names = NAMES[number % 4 :] + NAMES[: number % 4]
        one, other = names[(number * 7) % 4], names[(number * 5 + 1) % 4]
        labels = [None, one, one, other, None] if number % 3 else [one, other, other, one]
        found.append(conversation(number, labels, names))
    return found


def oracle(conversations):
    """A router that knows."""
    labels = {c.messages[0].content: [m.task for m in c.messages] for c in conversations}

    def ask(messages, tasks, previous):
        return labels[messages[0]["content"]][len(messages) - 1]

    return ask
