"""The worst mistakes, those that a person should read first, each as a chat around its decisive turn."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.data import POINTS, Point
from mojo_toolbox.evaluation.counting.figures import Figures
from mojo_toolbox.evaluation.drawing.readable import DASH, percent, short, task_name
from mojo_toolbox.evaluation.runs.predictions import Prediction, is_right
from mojo_toolbox.evaluation.runs.source import Source
from mojo_toolbox.evaluation.sections.section import FinishedRun, Section, Shown

# At each measuring point, so that the frequent ones do not hide the rare ones.
_SHOWN = 4
# So many messages before the decisive one stand open. The ones before them are folded away, up to a number.
_SHOWN_BEFORE, _MOST_FOLDED = 8, 100
# A longer text scrolls in its own bubble, and takes the keyboard for it.
_LONG, _MANY_LINES = 1000, 12
_ANSWER = 600

_PAGE = """{% macro bubble(message) %}
<div class="turn {{ 'user' if message.user else 'assistant' }}">
<div class="bubble" dir="auto" lang=""{% if message.long %} tabindex="0" role="group" aria-label="long message"{% endif %}><span class="unseen" lang="en" dir="ltr">{{ 'User' if message.user else 'Assistant' }}: </span>{{ message.text }}</div>
{% if message.task is not none %}<small>→ {{ message.task|name }}</small>{% endif %}
</div>
{% endmacro %}

{% macro shown(mistake, name) %}
<details class="mistake">
<summary><span class="point">{{ mistake.point }}</span> <span class="said"><b>{{ mistake.answered|name }}</b> instead of <b>{{ mistake.right|name }}</b></span>{% if mistake.sureness != '–' %} <span class="sure">{{ mistake.sureness }} sure</span>{% endif %} <small>{{ mistake.place }}</small></summary>
<div class="chat">
{% if mistake.folded %}
<details><summary>{{ mistake.earlier|counted('earlier message') }}{% if mistake.earlier > mistake.folded|length %}, the last {{ mistake.folded|length }} of them here{% endif %}</summary>
{% for message in mistake.folded %}{{ bubble(message) }}{% endfor %}
</details>
{% endif %}
{% for message in mistake.shown %}{{ bubble(message) }}{% endfor %}
<div class="decisive">
<p class="decisive-key">The decisive turn</p>
{{ bubble(mistake.decisive) }}
<dl>
<div><dt>Before</dt><dd>{{ mistake.before|name }}</dd></div>
<div><dt>Right</dt><dd class="was-right">✓ {{ mistake.right|name }}</dd></div>
<div><dt>{{ name|name }}</dt><dd class="was-wrong">✗ {{ mistake.answered|name }}</dd></div>
<div><dt>Probability</dt><dd>{{ mistake.sureness }}</dd></div>
</dl>
{% if mistake.quote %}<blockquote dir="auto" lang="">{{ mistake.quote }}</blockquote>{% endif %}
</div>
{% if mistake.followed %}
<details><summary>{{ mistake.later|counted('later message') }}, which the router did not see{% if mistake.later > mistake.followed|length %}; the first {{ mistake.followed|length }} of them here{% endif %}</summary>
{% for message in mistake.followed %}{{ bubble(message) }}{% endfor %}
</details>
{% endif %}
<details><summary>The {{ mistake.tasks|length|counted('listed task') }}</summary>
<ol class="listed">
{% for task in mistake.tasks %}
<li{% if task.role %} class="{{ task.role }}"{% endif %}><b>{{ task.name|name }}</b>{% if task.role %} <span class="tag {{ 'better' if task.role == 'right' else 'worse' }}">{{ task.role }}</span>{% endif %} <span dir="auto">{{ task.description|short(400) }}</span></li>
{% endfor %}
</ol>
</details>
</div>
</details>
{% endmacro %}

<section aria-labelledby="mistakes">
<h2 id="mistakes">The worst mistakes</h2>
{% if routers|selectattr('chats')|list %}
<p>Wrong decisions, some at each measuring point; those first that the router was surest of, where it says how sure it is.</p>
{% else %}
<p>There are none to show.</p>
{% endif %}
{% for router in routers if router.chats %}
{% if routers|length > 1 %}
<details class="group"><summary>{{ router.name }} <small>{{ router.chats|length|counted('mistake') }}</small></summary>
{% for mistake in router.chats %}{{ shown(mistake, router.name) }}{% endfor %}
</details>
{% else %}
{% for mistake in router.chats %}{{ shown(mistake, router.name) }}{% endfor %}
{% endif %}
{% endfor %}
</section>"""


def _values(shown: Shown) -> dict[str, Any]:
    return {"routers": shown.routers(chats=[list(map(chat, report["mistakes"])) for report in shown.reports])}


# ----------------------------------------------------------------------------------------------------- the figures


class Mistake(Figures):
    """A wrong decision, with the whole conversation. `messages[turn]` is the decisive one."""

    conversation: int
    id: str
    turn: int
    point: Point
    previous: str | None
    gold: str | None
    task: str | None
    valid: bool
    error: str | None
    answer: str | None
    probability: float | None
    tasks: list[dict[str, Any]]
    messages: list[dict[str, Any]]


def _measure(run: FinishedRun) -> list[Mistake]:
    return with_conversations(worst(run.journal.predictions()), run.source)


def worst(rows: Iterable[Prediction]) -> list[Prediction]:
    """Return the wrong decisions that the router was surest of, some at each measuring point. Errors are no mistakes."""
    heaps: dict[Point, list[tuple[float, int, int, Prediction]]] = {point: [] for point in POINTS}
    for row in rows:
        if not is_right(row) and row["error"] is None:
            sureness = -1.0 if row["probability"] is None else row["probability"]
            # Of equally sure ones the first stay. The numbers also keep the heap from comparing rows.
            entry = (sureness, -row["conversation"], -row["turn"], row)
            heap = heaps[row["point"]]
            (heapq.heappush if len(heap) < _SHOWN else heapq.heappushpop)(heap, entry)
    entries = [entry for heap in heaps.values() for entry in heap]
    return [row for *_, row in sorted(entries, key=lambda entry: entry[:3], reverse=True)]


def with_conversations(rows: list[Prediction], source: Source) -> list[Mistake]:
    """Put each mistake beside its conversation."""
    conversations = source.pick({row["conversation"] for row in rows}) if rows else {}
    shown = []
    for row in rows:
        record = conversations[row["conversation"]].as_record()
        known = {name: row[name] for name in Mistake.model_fields if name in row}  # type: ignore[literal-required]
        shown.append(Mistake(**known, tasks=record["tasks"], messages=record["messages"]))
    return shown


# ------------------------------------------------------------------------------------------------------- the chats


@dataclass(frozen=True)
class Bubble:
    """A message. `task` is the label of a user turn, None for one that has none."""

    user: bool
    text: str
    task: str | None
    long: bool


@dataclass(frozen=True)
class ListedTask:
    """A task of the conversation's list. `role` says whether it was the right or the answered one."""

    name: str
    description: str
    role: str


@dataclass(frozen=True)
class Chat:
    """A mistake: in words, and as bubbles around the decisive one."""

    point: str
    place: str
    right: str
    answered: str
    valid: bool
    sureness: str
    before: str
    quote: str
    earlier: int
    """How many messages come before the shown ones. `folded` are the last of them."""
    folded: list[Bubble]
    shown: list[Bubble]
    decisive: Bubble
    later: int
    """How many messages come after the decisive one. `followed` are the first of them."""
    followed: list[Bubble]
    tasks: list[ListedTask]


def chat(mistake: Mapping[str, Any]) -> Chat:
    """Return a mistake as it is shown."""
    turn = mistake["turn"]
    messages = mistake["messages"]
    fold = max(0, turn - _SHOWN_BEFORE)
    # A fold that hides a message or two saves nobody anything.
    fold = fold if fold > 2 else 0  # noqa: PLR2004
    probability = mistake["probability"]
    return Chat(
        point=mistake["point"],
        place=_place(mistake),
        right=task_name(mistake["gold"]),
        answered=_answered(mistake),
        valid=mistake["valid"],
        sureness=DASH if probability is None else percent(probability),
        before=task_name(mistake["previous"]),
        quote=_quote(mistake),
        earlier=fold,
        folded=_bubbles(messages[max(0, fold - _MOST_FOLDED) : fold]),
        shown=_bubbles(messages[fold:turn]),
        decisive=_bubble(messages[turn]),
        later=len(messages) - turn - 1,
        followed=_bubbles(messages[turn + 1 : turn + 1 + _MOST_FOLDED]),
        tasks=_tasks(mistake),
    )


def _bubbles(messages: Sequence[Mapping[str, Any]]) -> list[Bubble]:
    return [_bubble(message) for message in messages]


def _bubble(message: Mapping[str, Any]) -> Bubble:
    text = message["content"]
    task = task_name(message["task"]) if "task" in message else None
    return Bubble(message["role"] == "user", text, task, len(text) > _LONG or text.count("\n") > _MANY_LINES)


def _place(mistake: Mapping[str, Any]) -> str:
    """Return which conversation it is, as people count: from 1."""
    name = f" ({short(mistake['id'], 40)})" if mistake["id"] else ""
    # As the review page counts: user turns, from 1.
    number = sum(message["role"] == "user" for message in mistake["messages"][: mistake["turn"] + 1])
    return f"conversation {mistake['conversation'] + 1}{name}, user turn {number}"


def _answered(mistake: Mapping[str, Any]) -> str:
    if mistake["error"] is not None:
        return "nothing: the call failed"
    return task_name(mistake["task"]) if mistake["valid"] else "no listed task"


def _quote(mistake: Mapping[str, Any]) -> str:
    """Return the model's text, or the reason why the call failed."""
    text: str = mistake["error"] if mistake["error"] is not None else mistake["answer"] or ""
    return text if len(text) <= _ANSWER else text[: _ANSWER - 1] + "…"


def _tasks(mistake: Mapping[str, Any]) -> list[ListedTask]:
    answered = mistake["task"] if mistake["valid"] else None
    roles = {answered: "answered", mistake["gold"]: "right"}
    return [
        ListedTask(short(task["name"]), task.get("description") or "", roles.get(task["name"], ""))
        for task in mistake["tasks"]
    ]


MISTAKES = Section(name="mistakes", measure=_measure, anchor="mistakes", link="Mistakes", page=_PAGE, values=_values)
