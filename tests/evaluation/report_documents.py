"""Reports to render: measured on small conversations, and with texts in them that try to break out."""

from conversations import NAMES, many, oracle

from mojo_toolbox.data import parse_conversation
from mojo_toolbox.evaluation import Answer, evaluate

HOSTILE = (
    '</div></details><script>alert(1)</script><img src=x onerror="alert(2)"><style>*{display:none}</style>',
    "\u202egnihtyreve snrut\u202c \u0645\u0631\u062d\u0628\u0627 \U0001f600",
    "x" * 10_000,
    "{{ 7 * 7 }} {% raw %} ]]> <!-- \x00 \x1b[31m | `a` *b* [c](https://example.com/c)",
)


def document(router, conversations=None, **options):
    """Return report.json of a router, as a dictionary; `prompt` makes it one of a prompted chat model."""
    prompt = options.pop("prompt", None)
    conversations = many(12) if conversations is None else conversations
    found = evaluate(router, conversations, progress=False, resamples=20, **options).as_dict()
    return found | {"prompt": prompt}


def one(**options):
    """Return a report with mistakes, invalid answers and an error."""
    knows = oracle(many(12))

    def mostly(messages, tasks, previous):
        content = messages[-1]["content"]
        if content == "3.1":
            raise ConnectionError("<b>reset</b>")
        return (
            "recap, I think"
            if content.endswith(".1")
            else previous
            if content.endswith(".3")
            else knows(messages, tasks, previous)
        )

    return document(mostly, **({"name": "mostly"} | options))


def several():
    """Return reports of a baseline and of two chat models, one under two prompts and one under one."""
    knows = oracle(many(12))
    stay = document(lambda messages, tasks, previous: previous, name="stay")
    first = document(lambda messages, tasks, previous: tasks[0]["name"], name="small/zero-shot", prompt="zero-shot")
    better = document(knows, name="small/react", prompt="react")
    other = document(lambda messages, tasks, previous: None, name="large/react", prompt="react")
    return [stay, first, better, other]


def nothing():
    """Return a report on conversations without a label."""
    turns = [{"role": "user", "content": "hello"}]
    tasks = [{"name": name} for name in NAMES]
    return document(lambda *_: None, [parse_conversation({"tasks": tasks, "messages": turns})], name="nobody")


def hostile():
    """Return a report in which everything that somebody else wrote is hostile."""
    found = one(name=HOSTILE[0])
    for number, mistake in enumerate(found["mistakes"]):
        text = HOSTILE[number % len(HOSTILE)]
        mistake |= {"id": text, "answer": text, "gold": text[:90], "valid": False}
        mistake["tasks"] = [{"name": text, "description": text}]
        for message in mistake["messages"]:
            message["content"] = text
    assert len(found["mistakes"]) >= len(HOSTILE)
    found["error_kinds"] = {"\ud800" + text: 1 for text in HOSTILE}
    return found


def of_many_tasks(tasks):
    """Return a report on a list of so many tasks, each of which is taken for the next one."""
    names = [f"task_{number:03}" for number in range(tasks)]
    listed = [{"name": name} for name in names]
    turns = [{"role": "user", "content": str(number), "task": name} for number, name in enumerate(names)]
    conversation = parse_conversation({"id": "many", "tasks": listed, "messages": turns})
    following = dict(zip(map(str, range(tasks)), [*names[1:], names[0]], strict=True))
    return document(lambda messages, tasks, previous: following[messages[-1]["content"]], [conversation], name="next")


def biased(*, flagged):
    """Return a report with position bias; an order-blind router has none."""
    knows = oracle(many(12))
    router = (lambda messages, tasks, previous: tasks[0]["name"]) if flagged else knows
    return document(router, name="first" if flagged else "blind", shuffles=4)


class _Sure:
    """Right two times in three, and says that it is surer than that; asked for words that nobody says, it fails."""

    name = "sure"

    def __init__(self):
        self.knows, self.asked = oracle(many(24)), 0

    def ask(self, question):
        self.asked += 1
        sure = 0.7 + 0.01 * (self.asked % 30)
        right = self.knows(question.messages, question.tasks, question.previous)
        choices = [*question.names, None]
        said = right if self.asked % 3 else next(choice for choice in choices if choice != right)
        return Answer(said, probabilities={c: sure if c == said else (1 - sure) / (len(choices) - 1) for c in choices})


def sure():
    """Return a report of a router that gives probabilities, too high ones."""
    return document(_Sure(), many(24))


def comparison(a, b):
    """Return what `Comparison.model_dump()` has."""
    difference = {"value": 0.2, "low": 0.1, "high": 0.3}
    row = {"n": 60, "a": 0.5, "b": 0.7, "difference": difference, "verdict": "better", "certain": True}
    rows = [
        {"figure": "accuracy"} | row,
        {"figure": "switch"}
        | row
        | {"a": 0.7, "b": 0.5, "difference": {"value": -0.2, "low": None, "high": None}, "verdict": "worse"},
        {"figure": "end"} | row | {"a": None, "difference": None, "verdict": None},
        {"figure": "p95_ms"}
        | row
        | {"a": 30.0, "b": 20.0, "difference": {"value": -10.0, "low": None, "high": None}, "verdict": None},
    ]
    return {"a": a, "b": b, "margin": 0.01, "gated": ["accuracy"], "rows": rows}
