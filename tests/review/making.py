"""Conversations to review, and people who do."""

import json

TASKS = [{"name": "recap", "description": "Sum up a meeting"}, {"name": "email", "description": "Write a mail"}]


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now

    def move(self, seconds):
        self.now += seconds


def record(number, *labels, text="", **more):
    """Return a conversation of one user turn a label, each with an answer."""
    messages = []
    for turn, label in enumerate(labels or ("recap", "email", None)):
        messages.append({"role": "user", "content": f"wish {number}.{turn} {text}", "task": label})
        messages.append({"role": "assistant", "content": "Done."})
    return {"id": f"c{number}", "tasks": TASKS, "messages": messages, **more}


def write(path, records):
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def fill(store, tmp_path, count=5, **options):
    """Import so many conversations."""
    return store.import_file(write(tmp_path / "talks.jsonl", [record(n) for n in range(count)]), **options)


def join(store, *names, **options):
    """Invite people and return them as reviewers."""
    return [store.reviewer(store.invite(name, **options)) for name in names]
