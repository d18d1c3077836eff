"""Tool calls that models write as text: which functions a text calls, and what of it people see.

Each family of models has its own way; docs/import.md lists those that are read. A way that is not known must not look like an
answer without a call, so a text also says when it only may hold one.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from mojo_toolbox.data.importers.call_objects import json_or_none, names_in, names_in_call
from mojo_toolbox.data.importers.signs_of_calls import listed_spelling, sign_of_call
from mojo_toolbox.spelling import canonical

_TEXT = re.DOTALL | re.IGNORECASE
# Nobody sees what a model thinks, and it names tools that are not called. One without an end was cut off.
_THINKING = re.compile(
    r"<(think|thinking|scratch_pad|reasoning)>.*?(?:</\1>|\Z)|\[THINK\].*?(?:\[/THINK\]|\Z)|\A.*?</think>"
    r"|<\|channel\|>analysis<\|message\|>.*?(?:<\|end\|>|\Z)",
    _TEXT,
)
_RESULT = re.compile(
    r"<((?:tool|function)_?(?:response|result|output)s?|observation)>.*?(?:</\1>|\Z)"
    r"|<\|?(?:tool_response|observation)\|?>.*\Z"
    r"|\[TOOL_(?:RESULTS|CONTENT)\].*?(?:\[/TOOL_(?:RESULTS|CONTENT)\]|\Z)"
    r"|<[\uff5c|]tool[▁_]outputs?[▁_]begin[\uff5c|]>.*?(?:<[\uff5c|]tool[▁_]outputs[▁_]end[\uff5c|]>|\Z)"
    r"|<start_function_response>.*?(?:<end_function_response>|\Z)"
    r"|<\|START_TOOL_RESULT\|>.*?(?:<\|END_TOOL_RESULT\|>|\Z)"
    r"|```tool_outputs?\b.*?(?:```|\Z)"
    r"|✿RESULT✿.*?(?=✿|\Z)"
    r"|\AFUNCTION RESPONSE:.*\Z",
    _TEXT,
)
# ReAct's result, a plain word: it counts where a step or the turn of the other side stands before it.
_OBSERVATION = re.compile(
    r"(?:\A|(?<=\n))[ \t]*Observation\s*\d*\s*:.*?(?=\n\s*(?:Thought|Action|Final Answer)\s*\d*\s*:|\Z)", _TEXT
)
_STEP = re.compile(r"(?:\A|(?<=\n))[ \t]*Action\s*\d*\s*:", re.IGNORECASE)
# The words of steps in other clothes: bold, as a heading or list, in Chinese and Japanese, and with a tool for an action.
_DRESSED = r"(?:\A|(?<=\n))[ \t]*(?:#+[ \t]*|[-*>][ \t]+)?[*_]{{0,3}}(?:{words})(?P<number>[ \t]*\d*)[*_]{{0,3}}[ \t]*[:\uff1a][ \t]*[*_]{{0,3}}"
_STEPS = tuple(
    (re.compile(_DRESSED.format(words=words), re.IGNORECASE), plain)
    for plain, words in (
        (
            r"Action\g<number> Input: ",
            r"(?:Action|Tool|Function)[ _]?(?:Input|Args|Arguments|Parameters)|(?:动作|行动|操作|工具)(?:输入|参数)|(?:動作|行動)(?:輸入|入力)|アクション入力",
        ),
        (
            r"Action\g<number>: ",
            r"Action|Tool(?:[ _](?:Call|Name|Used))?|Using Tool|动作|行动|操作|動作|行動|アクション|(?:调用|使用)?(?:工具|函数)|調用工具",
        ),
        (r"Thought\g<number>: ", r"Thoughts?|思考|想法"),
        (r"Observation\g<number>: ", r"Observation|观察|觀察|観察"),
        ("Final Answer: ", r"Final[ _]Answer|最终答案|最终回答|最終答案|最終回答"),
    )
)
# A call between marks, or from a mark to the end of the text: the models of each line write it so.
_BLOCKS = tuple(
    re.compile(pattern, _TEXT)
    for pattern in (
        # Hermes, Qwen, GLM 4.5, Granite 4, MiniMax, Seed, Nemotron, LongCat, Jamba, Olmo 3, Glaive, older Claude
        r"<(?P<tag>[\w.:-]*(?:tool|function)_?calls?)\s*>(?P<body>.*?)(?:</(?P=tag)>|(?=<(?P=tag)>)|\Z)",
        r"<\|tool_calls?\|>(?P<body>.*?)(?:<\|/tool_calls?\|>|(?=<\|tool_calls?\|>)|\Z)",  # Phi-4-mini, Granite 3
        r"<\|tool_call>(?P<body>.*?)(?:<tool_call\|>|\Z)",  # Gemma 4
        r"<\|tool_call_start\|>(?P<body>.*?)(?:<\|tool_call_end\|>|\Z)",  # LFM2
        r"<\|tools_prefix\|>(?P<body>.*?)(?:<\|tools_suffix\|>|\Z)",  # Apertus
        r"<\|tool_calls_section_begin\|>(?P<body>.*?)(?:<\|tool_calls_section_end\|>|\Z)",  # Kimi K2
        r"<[\uff5c|]tool[▁_]calls[▁_]begin[\uff5c|]>(?P<body>.*?)(?:<[\uff5c|]tool[▁_]calls[▁_]end[\uff5c|]>|\Z)",  # DeepSeek, Step 3
        r"<[\uff5c|]DSML[\uff5c|]\w+_calls>(?P<body>.*?)(?:</[\uff5c|]DSML[\uff5c|]\w+_calls>|\Z)",  # DeepSeek 3.2
        r"\[TOOL_CALLS\](?P<body>.*?)(?=\[TOOL_CALLS\]|\Z)",  # Mistral
        r"<\|python_tag\|>(?P<body>.*?)(?=<\|eom_id\|>|<\|eot_id\|>|\Z)",  # Llama 3
        r"<\|python_start\|>(?P<body>.*?)(?:<\|python_end\|>|\Z)",  # Llama 4
        r"<\|action_start\|>\s*<\|\w+\|>(?P<body>.*?)(?:<\|action_end\|>|\Z)",  # InternLM
        r"<\|START_ACTION\|>(?P<body>.*?)(?:<\|END_ACTION\|>|\Z)",  # Command R7B
        r"<start_function_call>(?P<body>.*?)(?:<end_function_call>|\Z)",  # FunctionGemma
        r"```(?:tool_code|tool_calls?|function_calls?)\s*\n(?P<body>.*?)(?:```|\Z)",  # Gemma 3
        r"<<function>>(?P<body>.*?)(?=<<function>>|\Z)",  # Gorilla
        r"\A\s*functools\s*(?P<body>\[.*)\Z",  # Phi-4-mini, Firefunction
        r"(?P<body>✿FUNCTION✿.*?)(?=✿RESULT✿|✿RETURN✿|\Z)",  # Qwen-Agent
        r"(?P<body><function=[^>\s]+>.*?)(?:</function>|\Z)",  # Llama 3.1, Functionary 3.1
        r"(?P<body><(?:\w+:)?invoke\s+name=.*?)(?:</(?:\w+:)?invoke>|\Z)",  # Claude, MiniMax M2
        r"(?:\A|(?<=\n))(?P<body>>>>(?!all\b)[\w.-]+\s*\n.*?)(?=\n?>>>|\Z)",  # Functionary 3.2
        r"(?P<body><\|recipient\|>\s*(?!all\b)[\w.-]+.*?)(?=<\|from\|>|\Z)",  # Functionary 2
        r"(?:<\|start\|>assistant|<\|channel\|>\w+)\s*(?P<body>to=[\w.]+.*?)(?=<\|call\|>|<\|start\|>|\Z)",  # gpt-oss
        r"(?:\A|(?<=\s))(?P<body>to=functions\..*?)(?=<\|call\|>|<\|start\|>|\Z)",  # the same without its beginning
        r"(?:\A|(?<=\n))Call:\s*(?P<body>[\w.]+\(.*?)(?=\nCall:|<bot_end>|\Z)",  # NexusRaven
        r"(?:\A|(?<=\n))(?P<body>[ \t]*Action\s*\d*\s*:.*?)(?=\n\s*(?:Thought|Observation|Final Answer)\s*\d*\s*:|\Z)",  # ReAct
    )
)
# Without one of these, in small letters, no mark begins: most answers have none, and need no more than that look.
_SIGNS = (
    "<",
    "[t",
    "function response",
    "```",
    "functools",
    "✿",
    ">>>",
    "to=functions.",
    "call:",
    "action",
    "tool",
    *"动行操動ア工函调使調",
)
# Where a block names what it calls; the first way that finds a name is the block's.
_NAMES = tuple(
    re.compile(pattern, _TEXT)
    for pattern in (
        r"<function=\s*([^>\s]+)\s*>",
        r"<(?:[\uff5c|]DSML[\uff5c|]|\w+:)?invoke\s+name=[\"']([^\"']+)[\"']",
        r"<(?:tool|function)_name>\s*(.*?)\s*</(?:tool|function)_name>",
        r"<\|tool_call_begin\|>\s*([^<>]+?)(?::\d+)?\s*<\|tool_call_argument_begin\|>",
        r"<[\uff5c|]tool[▁_]call[▁_]begin[\uff5c|]>(?:function<[\uff5c|]tool[▁_]sep[\uff5c|]>)?\s*([^\n<>{\uff5c|]+)",
        r"([\w.-]+)\s*(?:\[CALL_ID\][^\[]*)?\[ARGS\]",
        r"✿FUNCTION✿\s*:\s*([^\n✿]+)",
        r"\bcall:\s*([\w.-]+)\s*\{",
        r"\A>>>([\w.-]+)",
        r"<\|recipient\|>\s*([\w.-]+)",
        r"\A\s*to=([\w.]+)",
        r"\A\s*([\w.-]+)\s*(?:<arg_key>|\{)",
    )
)
_ACTION = re.compile(r"Action\s*\d*\s*:[ \t]*`{0,3}(?!json)\s*([^\n`\[({]+)", re.IGNORECASE)
_ACTION_INPUT = re.compile(
    r"\n[ \t*_-]*(?:Action\s*\d*\s*Input\s*\d*|Input|Arguments|Args|Parameters|Params|参数|输入)[ \t*_]*[:\uff1a]",
    re.IGNORECASE,
)
# Frames call these when they are done; they are no tools.
_ENDS = frozenset(
    {"final answer", "final_answer", "finish", "none", "n/a", "no action", "directly-answer", "directly_answer"}
)
_FINAL = re.compile(
    r"Final Answer\s*:\s*(.*)\Z|✿RETURN✿\s*:\s*(.*)\Z|<\|channel\|>final<\|message\|>(.*?)(?:<\|return\|>|<\|end\|>|\Z)|>>>all\s*\n(.*?)(?=\n>>>|\Z)",
    _TEXT,
)
_MARKS_OF_TEXT = re.compile(
    r"<\|(?:eom_id|eot_id|im_end|end|call|return|endoftext|end_of_text)\|>|</s>|<bot_end>|<\|start\|>assistant"
)
_PYTHONIC = re.compile(r"(?<![\w.])([A-Za-z_][\w.]*)\(")
_BRACKETED = re.compile(r"([^\W\d][\w.-]*)\[[^\[\]\n]*\]")  # Search[Oslo], as in ReAct's paper
_FENCE = re.compile(r"\A```\w*\s*\n(.*?)\n?```\Z", re.DOTALL)
# A text of more braces or characters is a program, not a call.
_MOST_OBJECTS = 50
_OPENING = re.compile(r"[{\[]")
_DECODER = json.JSONDecoder()
_LONGEST_PROGRAM = 20_000


@dataclass
class Written:
    """What a text is made of: what people see of it, the functions it calls, and signs of more."""

    text: str
    calls: list[str] = field(default_factory=list)
    unread: bool = False
    """A call is marked, and what it calls could not be read."""
    result: bool = False
    """The result of a tool stands in it."""
    sign: str | None = None
    """Why it may hold a call in a way that is not known."""


def without_results(text: str) -> tuple[str, bool]:
    """Return a user's text without the results of tools that were handed over in it, and whether there were any."""
    if _OBSERVATION.match(_plain_steps(text)):
        return "", True
    rest, found = _RESULT.subn("", text)
    return rest.strip(), bool(found)


def read_answer(text: str, listed: Collection[str]) -> Written:
    """Take an assistant's text apart; `listed` are the tools it can call."""
    lowered = text.lower()
    if not any(sign in lowered for sign in _SIGNS):
        written = Written(text)
        _read_bare(written, listed)
        return written
    text = _THINKING.sub("", text).strip()
    rest, results = _RESULT.subn("", text)
    plain = _plain_steps(text)
    steps = _STEP.search(_plain_steps(rest))
    if steps:
        without, observed = _OBSERVATION.subn("", _plain_steps(rest))
        results += observed
    written = Written(text=(without if steps and observed else rest).strip(), result=bool(results))
    rest = without if steps else rest
    for pattern in _BLOCKS:
        rest = pattern.sub(lambda found: _take(found, written, listed), rest)
    if written.calls or written.unread:
        written.text = _shown(plain if steps else text, rest)
    else:
        _read_bare(written, listed)
    return written


def _plain_steps(text: str) -> str:
    """Return a text with the steps of ReAct in its own words, such as "Action:" for "**Action:**" or "动作:"."""
    for pattern, plain in _STEPS:
        text = pattern.sub(plain, text)
    return text


def names_of_call(text: str, listed: Collection[str]) -> list[str]:
    """Return the functions that a text calls which is known to be a call, however it is written."""
    marked = read_answer(text, listed)
    return marked.calls or _names_in_block(text, listed)


def _take(found: re.Match[str], written: Written, listed: Collection[str]) -> str:
    """Note what a block calls, and take it out of the text; what only looks like a block stays."""
    body = found["body"]
    names = _names_in_action(body, listed) if _STEP.match(body) else _names_in_block(body, listed)
    if names is None:
        return found[0]
    written.calls += names
    written.unread |= not names
    return ""


def _names_in_action(body: str, listed: Collection[str]) -> list[str] | None:
    """Return what a ReAct step calls; None when it is no step, or only says that no tool is needed."""
    names = []
    for start, end in pairwise([*(step.start() for step in _STEP.finditer(body)), len(body)]):
        step = body[start:end].strip()
        found = _ACTION.match(step)
        if found is None:
            names += without_ends([plain_name(name, listed) for name in names_in(step)], listed)
            continue
        name = plain_name(found[1].strip().rstrip(".,:"), listed)
        names += without_ends([name], listed) if name in listed or _ACTION_INPUT.search(step) else []
    return names or None


def without_ends(names: list[str], listed: Collection[str]) -> list[str]:
    """Return the functions of a call without those that stand for an answer, such as ReAct's Final Answer."""
    return [name for name in names if name in listed or name.lower() not in _ENDS]


def _names_in_block(body: str, listed: Collection[str]) -> list[str]:
    for pattern in _NAMES:
        if names := [plain_name(name, listed) for name in pattern.findall(body)]:
            return names
    pythonic = re.match(r"\s*\[?\s*[A-Za-z_][\w.]*\(", body)
    if not pythonic and (names := [plain_name(name, listed) for name in names_in(body)]):
        return without_ends(names, listed)
    if names := _keys_of_calls(body, listed):
        return names
    called = [plain_name(name, listed) for name in _PYTHONIC.findall(body)]
    if called:
        return [name for name in called if name in listed] or called[:1]
    # The name alone, or on a line of its own before the arguments.
    first = body.strip().split("\n", 1)[0].strip()
    return [plain_name(first, listed)] if plain_name(first, listed) in listed else []


def _keys_of_calls(body: str, listed: Collection[str]) -> list[str]:
    """Return the functions of a list such as [{"get_weather": {"city": "Oslo"}}], as Apertus writes it."""
    value = json_or_none(body)
    entries = [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, dict)]
    return [key for entry in entries if len(entry) == 1 for key in entry if key in listed]


def plain_name(name: str, listed: Collection[str]) -> str:
    """Return a function's name without what a model's way of calling puts around it."""
    name = canonical(name.strip().strip("\"'`"))
    if name in listed:
        return name
    bare = re.sub(r":\d+\Z", "", name.removeprefix("functions.").removesuffix(".call"))
    bare = listed_spelling(bare, listed)
    return bare if bare in listed or name.startswith("functions.") or name.endswith(".call") else name


def _shown(text: str, rest: str) -> str:
    """Return what people see of a text with calls: its final answer, if it has one, else what stands around the calls."""
    final = _FINAL.search(text)
    if final is not None:
        rest = next(part for part in final.groups() if part is not None)
    else:
        rest = re.sub(r"(?im)^[ \t]*Thought\s*\d*\s*:.*(?:\n(?!\s*$).*)*", "", rest)
    return _MARKS_OF_TEXT.sub("", rest).strip()


def _read_bare(written: Written, listed: Collection[str]) -> None:
    """Read a call without any mark: JSON, Python or a name and its arguments that are the whole text, or JSON in it."""
    fenced = _FENCE.match(written.text)
    whole = fenced[1].strip() if fenced else written.text
    name, _, rest = whole.partition("\n")
    calls = without_ends(names_in_call(json_or_none(whole), listed), listed) or _python_calls(whole, listed)
    called = _BRACKETED.fullmatch(whole)
    if called and plain_name(called[1], listed) in listed:
        calls = [called[1]]
    if calls:
        written.text = ""
    elif name.strip() in listed and isinstance(json_or_none(rest.strip()), dict):
        calls, written.text = [name.strip()], ""
    else:
        calls = []
        for start, end, names in _objects(written.text, listed):
            calls += names
            written.text = written.text[:start] + written.text[end:]
        written.text = re.sub(r"```(?:json)?\s*```", "", written.text).strip() if calls else written.text
    written.calls = [plain_name(call, listed) for call in calls]
    written.sign = None if calls else sign_of_call(_plain_steps(written.text), listed)


def _python_calls(text: str, listed: Collection[str]) -> list[str]:
    """Return the functions of a text such as [get_weather(city="Oslo"), find_bus()]; of listed ones without brackets too."""
    bracketed = text.startswith("[") and text.endswith(")]")
    if not (bracketed or text.endswith(")")) or len(text) > _LONGEST_PROGRAM:
        return []
    try:
        body = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Names with blanks, such as Get Weather, are no Python.
        known = [name for name in listed if f"{name}(" in text]
        begins = any(text.removeprefix("[").startswith(f"{name}(") for name in known if not name.isidentifier())
        return sorted(known, key=text.index) if begins else []
    calls = body.elts if isinstance(body, ast.List | ast.Tuple) else [body]
    names = [ast.unparse(call.func) for call in calls if isinstance(call, ast.Call)]
    whole = len(names) == len(calls)
    return names if whole and (bracketed or any(plain_name(name, listed) in listed for name in names)) else []


def _objects(text: str, listed: Collection[str]) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the JSON calls of listed tools that stand in a text, with their places; the last one first."""
    found, start = [], 0
    for _ in range(_MOST_OBJECTS):
        opening = _OPENING.search(text, start)
        if opening is None:
            break
        try:
            value, end = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            start = opening.end()
            continue
        names = names_in_call(value, listed)
        if names and set(names) <= set(listed):
            found.append((opening.start(), end, names))
        start = end
    yield from reversed(found)
