"""Tool calls that models write as text: every way that is read, and what is no evidence for "no task"."""

import json
import time

import pytest

from mojo_toolbox.data import Task
from mojo_toolbox.data.importers import ImportSummary, import_chats
from mojo_toolbox.data.importers.calls_in_text import read_answer
from mojo_toolbox.data.importers.signs_of_calls import MARKED, NAMED

TOOLS = [{"name": name} for name in ("get_weather", "find_bus", "search")]
ARGUMENTS = '{"city": "Oslo", "name": "Bob"}'
CALL = f'{{"name": "get_weather", "arguments": {ARGUMENTS}}}'
LLAMA = f'{{"name": "get_weather", "parameters": {ARGUMENTS}}}'
BAR, LOW, COLON = "\uff5c", "\u2581", "\uff1a"

WAYS = {
    "hermes": f"<tool_call>\n{CALL}\n</tool_call>",
    "hermes python": "<tool_call>\n{'arguments': {'city': 'Oslo'}, 'name': 'get_weather'}\n</tool_call>",
    "hermes open": f"<tool_call>\n{CALL}",
    "hermes twice": f"<tool_call>\n{CALL}\n</tool_call>\n<tool_call>\n{CALL}\n</tool_call>",
    "qwen 3": f"<think>\nfind_bus? No.\n</think>\n\n<tool_call>\n{CALL}\n</tool_call>",
    "qwen 3 coder": "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
    "qwen agent": f"✿FUNCTION✿: get_weather\n✿ARGS✿: {ARGUMENTS}\n✿RESULT✿: 3\n✿RETURN✿: 3",
    "glm 4": f"get_weather\n{ARGUMENTS}",
    "glm 4.5": "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n</tool_call>",
    "glm 4.5 bare": "<tool_call>get_weather</tool_call>",
    "mistral": f"[TOOL_CALLS] [{CALL}]",
    "mistral id": '[TOOL_CALLS] [{"name": "get_weather", "arguments": {}, "id": "VvvODy9mT"}]</s>',
    "mistral 11": f"[TOOL_CALLS]get_weather[ARGS]{ARGUMENTS}",
    "mistral 13": f"[TOOL_CALLS]get_weather[CALL_ID]abc123def[ARGS]{ARGUMENTS}",
    "mistral bare": f"[TOOL_CALLS]get_weather{ARGUMENTS}",
    "mistral list": f"[{CALL}]",
    "llama json": LLAMA,
    "llama tag": f"<|python_tag|>{LLAMA}<|eom_id|>",
    "llama tag twice": f"<|python_tag|>{LLAMA}; {LLAMA}<|eom_id|>",
    "llama tag python": '<|python_tag|>get_weather.call(city="Oslo")<|eom_id|>',
    "llama function": f"<function=get_weather>{ARGUMENTS}</function>",
    "llama pythonic": "[get_weather(city='Oslo')]",
    "llama 4": "<|python_start|>[get_weather(city='Oslo')]<|python_end|>",
    "deepseek 3": f"<{BAR}tool{LOW}calls{LOW}begin{BAR}><{BAR}tool{LOW}call{LOW}begin{BAR}>function<{BAR}tool{LOW}sep{BAR}>"
    f"get_weather\n```json\n{ARGUMENTS}\n```<{BAR}tool{LOW}call{LOW}end{BAR}><{BAR}tool{LOW}calls{LOW}end{BAR}>",
    "deepseek 3.1": f"<{BAR}tool{LOW}calls{LOW}begin{BAR}><{BAR}tool{LOW}call{LOW}begin{BAR}>get_weather"
    f"<{BAR}tool{LOW}sep{BAR}>{ARGUMENTS}<{BAR}tool{LOW}call{LOW}end{BAR}><{BAR}tool{LOW}calls{LOW}end{BAR}>",
    "deepseek 3.2": f'<{BAR}DSML{BAR}function_calls><{BAR}DSML{BAR}invoke name="get_weather"><{BAR}DSML{BAR}parameter '
    f'name="city" string="true">Oslo</{BAR}DSML{BAR}parameter></{BAR}DSML{BAR}invoke></{BAR}DSML{BAR}function_calls>',
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
    f"{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    "phi 4 mini": f"<|tool_call|>[{CALL}]<|/tool_call|>",
    "phi functools": f"functools[{CALL}]",
    "granite 3": f"<|tool_call|>[{CALL}]",
    "granite 3 tag": f"<tool_call>[{CALL}]",
    "granite 20b": f"<function_call> {CALL}",
    "glaive": '<functioncall> {"name": "get_weather", "arguments": \'{"city": "Oslo"}\'} <|endoftext|>',
    "functionary 2": f"<|recipient|>get_weather\n<|content|>{ARGUMENTS}",
    "functionary 2 with words": f"<|recipient|>all\n<|content|>One moment.\n<|from|>assistant\n<|recipient|>get_weather\n{ARGUMENTS}",
    "functionary 3": f">>>get_weather\n{ARGUMENTS}",
    "functionary 3 with words": f">>>all\nOne moment.\n>>>get_weather\n{ARGUMENTS}",
    "gpt-oss": f"<|channel|>analysis<|message|>find_bus? No.<|end|><|start|>assistant<|channel|>commentary "
    f"to=functions.get_weather <|constrain|>json<|message|>{ARGUMENTS}<|call|>",
    "gpt-oss role": f"<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{ARGUMENTS}<|call|>",
    "gpt-oss rest": f"to=functions.get_weather<|channel|>commentary json<|message|>{ARGUMENTS}",
    "react": f"Thought: I need the weather\nAction: get_weather\nAction Input: {ARGUMENTS}",
    "react with result": f"Thought: a\nAction: get_weather\nAction Input: {ARGUMENTS}\nObservation: 3\nThought: b\nFinal Answer: 3",
    "react twice": f"Action: get_weather\nAction Input: {ARGUMENTS}\nAction: get_weather\nAction Input: {{}}",
    "react paper": "Thought 1: I need the weather.\nAction 1: get_weather[Oslo]",
    "react bold": f"**Thought:** I need the weather\n**Action:** get_weather\n**Action Input:** {ARGUMENTS}",
    "react bold word": f"**Thought**: a\n**Action**: `get_weather`\n**Action Input**: {ARGUMENTS}",
    "react headings": f"### Thought: a\n### Action: get_weather\n### Action Input: {ARGUMENTS}",
    "react chinese": f"思考{COLON}我需要\n动作{COLON}get_weather\n动作输入{COLON}{ARGUMENTS}",
    "react chinese too": f"思考: 我需要\n行动: get_weather\n行动输入: {ARGUMENTS}\n观察: 3",
    "react japanese": f"思考: a\n行動: get_weather\n行動入力: {ARGUMENTS}",
    "react paper alone": "get_weather[Oslo]",
    "tool line": f"Tool: get_weather\nInput: {ARGUMENTS}",
    "tool line small": f"tool: get_weather\narguments: {ARGUMENTS}",
    "tool line bold": f"**Tool:** `get_weather`\n**Tool Input:** {ARGUMENTS}",
    "other capitals": f'<tool_call>{{"name": "getWeather", "arguments": {ARGUMENTS}}}</tool_call>',
    "other joins": f'{{"name": "get-weather", "arguments": {ARGUMENTS}}}',
    "lm studio": f"[TOOL_REQUEST]{CALL}[END_TOOL_REQUEST]",
    "react json": f'Thought: a\nAction:\n```\n{{"action": "get_weather", "action_input": {ARGUMENTS}}}\n```',
    "command r": f'Action: ```json\n[{{"tool_name": "get_weather", "parameters": {ARGUMENTS}}}]\n```',
    "command r7b": '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {}}]<|END_ACTION|>',
    "claude": '<function_calls>\n<invoke name="get_weather">\n<parameter name="city">Oslo</parameter>\n</invoke>\n</function_calls>',
    "claude 2": "<function_calls>\n<invoke>\n<tool_name>get_weather</tool_name>\n<parameters></parameters>\n</invoke>\n</function_calls>",
    "minimax 1": f"<tool_calls>\n{CALL}\n</tool_calls>",
    "minimax 2": '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Oslo</parameter>\n</invoke>\n</minimax:tool_call>',
    "seed": "<seed:tool_call>\n<function=get_weather>\n<parameter=city>Oslo</parameter>\n</function>\n</seed:tool_call>",
    "nemotron": f"<TOOLCALL>[{CALL}]</TOOLCALL>",
    "longcat": f"<longcat_tool_call>{CALL}</longcat_tool_call>",
    "olmo 3": '<function_calls>get_weather(city="Oslo")</function_calls>',
    "lfm 2": '<|tool_call_start|>[get_weather(city="Oslo")]<|tool_call_end|>',
    "apertus": '<|tools_prefix|>[{"get_weather": {"city": "Oslo"}}]<|tools_suffix|>',
    "internlm": f"<|action_start|><|plugin|>\n{LLAMA}<|action_end|>",
    "gemma 3": '```tool_code\nget_weather(city="Oslo")\n```',
    "gemma 3 print": '```tool_code\nprint(get_weather(city="Oslo"))\n```',
    "gemma 4": '<|tool_call>call:get_weather{city:<|"|>Oslo<|"|>}<tool_call|>',
    "functiongemma": "<start_function_call>call:get_weather{city:<escape>Oslo<escape>}<end_function_call>",
    "gorilla": '<<function>>get_weather(city="Oslo")',
    "nexusraven": "Call: get_weather(city='Oslo')<bot_end>",
    "openai as text": f'{{"tool_calls": [{{"id": "1", "type": "function", "function": {CALL}}}]}}',
    "fenced": f"```json\n{CALL}\n```",
    "python": 'get_weather(city="Oslo")',
    "other keys": f'{{"tool": "get_weather", "args": {ARGUMENTS}}}',
    "after words": f"One moment.\n\n{CALL}",
    "after words fenced": f"One moment.\n```json\n{CALL}\n```",
}


def say(role, content):
    return {"role": role, "content": content}


def imported(tmp_path, *messages, tools=TOOLS, tasks=None, no_call="none", **keys):
    record = {"messages": list(messages), **({} if tools is None else {"tools": tools}), **keys}
    (tmp_path / "c.jsonl").write_text(json.dumps(record), encoding="utf-8")
    summary = ImportSummary()
    found = list(import_chats(tmp_path / "c.jsonl", tasks=tasks, no_call=no_call, summary=summary))
    return found[0] if found else None, summary


def labels(conversation):
    return [m.task if m.labelled else "?" for m in conversation.messages if m.role == "user"]


def reasons(summary, kind="label"):
    return {reason: left.count for reason, left in summary.left_out[kind].items()}


@pytest.mark.parametrize("no_call", ["unlabelled", "none"])
@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_is_written_is_the_label(tmp_path, way, no_call):
    messages = (say("user", "rain?"), say("assistant", WAYS[way]), say("tool", "3"), say("assistant", "No rain."))
    found, _ = imported(tmp_path, *messages, no_call=no_call)
    assert labels(found) == ["get_weather"]
    assert not [
        m for m in found.messages if "get_weather" in m.content or "Oslo" in m.content or "find_bus" in m.content
    ]


@pytest.mark.parametrize("role", ["function_call", "tool_call", "tool_calls"])
@pytest.mark.parametrize("way", ["mistral list", "llama json", "react", "hermes", "python", "glm 4", "glaive"])
def test_a_message_that_is_a_call_is_read_however_it_is_written(tmp_path, role, way):
    for messages in (
        (say("user", "rain?"), say(role, WAYS[way]), say("observation", "3"), say("assistant", "No.")),
        ({"from": "human", "value": "rain?"}, {"from": role, "value": WAYS[way]}, {"from": "gpt", "value": "No."}),
    ):
        found, _ = imported(tmp_path, *messages)
        assert labels(found) == ["get_weather"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"I will look.\n<tool_call>{CALL}</tool_call>", ["I will look."]),
        ("Thought: a\nAction: get_weather\nAction Input: {}\nObservation: 3\nFinal Answer: It is 3.", ["It is 3."]),
        (f">>>all\nOne moment.\n>>>get_weather\n{ARGUMENTS}", []),
        (WAYS["qwen agent"], ["3"]),
        ("<think>find_bus?</think>Hello!\n", ["Hello!"]),
        ("The name: find_bus?</think>Hello!", ["Hello!"]),
    ],
    ids=range(6),
)
def test_what_people_see_of_an_answer_stays(tmp_path, text, shown):
    found, _ = imported(tmp_path, say("user", "rain?"), say("assistant", text))
    expected = shown or ["One moment."]
    assert [m.content for m in found.messages if m.role == "assistant"] == expected


@pytest.mark.parametrize(
    "text",
    [
        "Hello, how can I help?",
        "Where shall I search?",
        'Here you are: {"name": "Bob", "age": 3}',
        '[{"name": "Ann", "city": "Oslo"}]',
        "Action: we leave at nine.",
        "Thought: no tool is needed.\nFinal Answer: Hello!",
        "Action: None\nAction Input: None\nFinal Answer: Hello!",
        '{"action": "Final Answer", "action_input": "Hello!"}',
        "set to=5 in the file (as before)",
        "print(1)",
        "See [1] and (2).",
    ],
)
def test_answers_that_call_nothing_are_no_task_when_that_is_said(tmp_path, text):
    found, _ = imported(tmp_path, say("user", "hi"), say("assistant", text))
    assert labels(found) == [None]


PLAIN = [
    {"name": name} for name in ("get_weather", "search", "weather", "news", "check_in", "follow-up", "天气", "Maps")
]
NAMED_ONLY = [
    "/weather",
    "/weather Oslo",
    "@weather",
    "@weather Oslo",
    "I ask @weather Oslo",
    "!weather Oslo",
    "$ weather Oslo",
    "🔧 weather",
    "weather",
    "**Weather**",
    "weather Oslo",
    "weather: Oslo",
    'weather {"city": "Oslo"}',
    "One moment: WEATHER(Oslo)",
    "WEATHER: Oslo",
    "[Weather: Oslo]",
    "[[weather]]",
    "{{weather}}",
    "<weather city='Oslo'/>",
    "<|weather|>",
    "%%weather%%",
    "weather -> Oslo",
    "CALL weather WITH city=Oslo",
    "CALL get_weather WITH city=Oslo",
    "Call weather with Oslo.",
    "RUN weather",
    "Calling weather...",
    "I will use the weather tool.",
    "Using the tool weather now",
    "Next action: weather",
    "Skill: weather",
    "Command: weather Oslo",
    "COMMAND = weather",
    "Действие: weather",
    "```bash\nweather Oslo\n```",
    "<tool>weather</tool>",
    "(weather Oslo)",
    "to=weather {}",
    "getWeather",
    "I use getWeather here",
    "GET_WEATHER",
    "Get_Weather Oslo",
    "get-weather Oslo",
    "get weather",
    "await getWeather({city: 'Oslo'});",
    "调用天气",
    "@天气 奥斯陆",
    "<search>Oslo</search>",
]
MARKED_ONLY = [
    "<|plugin|>{}",
    "<|api_call|>Oslo",
    "[TOOL_REQUEST]?[END_TOOL_REQUEST]",
    "[API] Oslo",
    "<tool_code>\nx\n</tool_code>",
    "<action>fly</action>",
    "<execute>fly Oslo</execute>",
    "<use_mcp_tool>x</use_mcp_tool>",
    "<read_file><path>x</path></read_file>",
    '[QA("the capital?") -> Oslo]',
    "One moment.\n[fly(to='Oslo')]",
    "Lookup[Oslo]",
    "**Action:** fly",
    "行动: 查航班",
    "Tool: fly",
    "Thought: he wants to fly\nAction: look for flights",
    "CALL fly WITH to=Oslo",
    "/fly Oslo",
]
PROSE = [
    "The weather is nice. I can search for news.",
    "Weather: sunny. Enjoy!",
    "Here is the weather: sunny",
    "You can check in at three; check-in is at the desk. A follow-up call is best.",
    "Follow-up: none needed.",
    "Do you want me to get the weather?",
    "It is at /weather on our site: https://example.com/news?search=1",
    "Mail bob@weather.com or me @weather.com.",
    "We discussed search (the old way). News (noun): information.",
    "I used search engines to find it. Use search engines too.",
    "Weather[1] matters.[^1] Note [sic] the news.",
    "[News](https://example.com) and [Maps][2]",
    "# Weather\n\n- search: a thing\n- news: good",
    "| news | price |\n|---|---|\n| search | 3 |",
    "Action items:\n- call Bob\n- search for a venue",
    "**Action:** Mail Ann by Friday.",
    "Tool: a hammer is best for this.",
    "Tools: hammer, nails",
    "Call Bob with the news.",
    "CALL NOW WITH CONFIDENCE",
    "今天天气很好。他的动作很快。",
    f"动作{COLON}慢一点, 放松。",
    "Dear [Name], <b>bold</b> and a < b > c <|endoftext|>",
    "<details><summary>x</summary></details>",
    "- [ ] to do\n- [x] done\n[TODO] later",
    "/etc/passwd is a file",
    "Thought for today: be kind.\nAction for today: smile.",
    "```python\nprint('hi')\n```",
]


@pytest.mark.parametrize("no_call", ["unlabelled", "none"])
@pytest.mark.parametrize(
    ("answer", "reason"), [(text, NAMED) for text in NAMED_ONLY] + [(text, MARKED) for text in MARKED_ONLY]
)
def test_a_sign_of_a_call_that_nobody_can_read_is_never_no_task(tmp_path, answer, reason, no_call):
    found, summary = imported(tmp_path, say("user", "hi"), say("assistant", answer), tools=PLAIN, no_call=no_call)
    assert labels(found) == ["?"]
    assert reasons(summary) == {reason: 1}
    assert [m.content for m in found.messages if m.role == "assistant"] == [answer]


@pytest.mark.parametrize("answer", PROSE)
def test_words_that_are_also_tools_are_no_sign_of_a_call(tmp_path, answer):
    found, _ = imported(tmp_path, say("user", "hi"), say("assistant", answer), tools=PLAIN)
    assert labels(found) == [None]
    assert [m.content for m in found.messages if m.role == "assistant"] == [answer]


def test_a_spelling_that_two_tools_share_is_neither(tmp_path):
    tools = [{"name": "get_weather"}, {"name": "getWeather"}]
    answer = say("assistant", '<tool_call>{"name": "GET-WEATHER"}</tool_call>')
    assert labels(imported(tmp_path, say("user", "hi"), answer, tools=tools)[0]) == ["?"]


def test_long_answers_are_read_in_no_time():
    names = {*(f"tool_number_{number}" for number in range(100)), "weather", "search"}
    started = time.perf_counter()
    for piece in ("\n", " ", "#", "-", "weather ", "<a ", "[a(", "tool: ", "<aa_bb>", "Thought: x\n", "use ", "a_b_"):
        read_answer(piece * 4000 + "weather", names)
    assert time.perf_counter() - started < 20


BEDROCK = {
    "toolConfig": {
        "tools": [
            {"toolSpec": {"name": name, "description": "x", "inputSchema": {"json": {}}}}
            for name in ("get_weather", "find_bus")
        ]
        + [{"cachePoint": {"type": "default"}}]
    }
}


def test_bedrocks_tools_calls_and_results_are_read(tmp_path):
    use = {"toolUse": {"toolUseId": "1", "name": "get_weather", "input": {}}}
    result = {"toolResult": {"toolUseId": "1", "content": [{"text": "3"}], "status": "success"}}
    messages = (
        say("user", [{"text": "rain?"}]),
        say("assistant", [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "One moment."}, use]),
        say("user", [result]),
        say("assistant", [{"text": "No rain."}, {"cachePoint": {"type": "default"}}]),
        say("user", [{"text": "thanks"}]),
        say("assistant", [{"text": "Gladly."}]),
    )
    found, summary = imported(tmp_path, *messages, tools=None, **BEDROCK)
    assert {task.name: task.description for task in found.tasks} == {"get_weather": "x", "find_bus": "x"}
    assert labels(found) == ["get_weather", None]
    assert [m.content for m in found.messages] == ["rain?", "One moment.", "No rain.", "thanks", "Gladly."]
    assert reasons(summary, "message") == {"the result of a tool": 1}


@pytest.mark.parametrize("part", [{"executableCode": {"code": "1"}}, {"hologram": {}}, {"serverToolUse": {"id": "1"}}])
def test_a_part_that_is_known_by_neither_key_nor_kind_is_no_evidence(tmp_path, part):
    found, summary = imported(tmp_path, say("user", "hi"), say("assistant", [part, {"text": "hello"}]))
    assert labels(found) == ["?"]
    assert reasons(summary) == {"a tool was called in a way that cannot be read": 1}


@pytest.mark.parametrize(
    "keys",
    [
        {"tool_choice": {"type": "none"}},
        {"tool_choice": "NONE"},
        {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}},
        {"tool_config": {"function_calling_config": {"mode": "none"}}},
    ],
)
def test_a_record_that_forbids_calls_says_so_in_many_words(tmp_path, keys):
    found, summary = imported(tmp_path, say("user", "hi"), say("assistant", "hello"), **keys)
    assert labels(found) == ["?"]
    assert reasons(summary) == {"the record forbids calls": 1}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("<tool_call>\nsomething else\n</tool_call>", "a tool was called in a way that cannot be read"),
        ("[TOOL_CALLS]", "a tool was called in a way that cannot be read"),
        ("Let me run `get_weather` for Oslo", "the answer names a tool, perhaps as a call"),
        ("@@get_weather@@ Oslo", "the answer names a tool, perhaps as a call"),
        ("<<search>> Oslo", "the answer names a tool, perhaps as a call"),
        ("<think>get_weather, surely", "the assistant answers without words"),
        ("", "the assistant answers without words"),
        (None, "the assistant answers without words"),
        ([{"type": "image_url", "image_url": {}}], "the assistant answers without words"),
        ([{"type": "hologram"}, {"type": "text", "text": "hi"}], "a tool was called in a way that cannot be read"),
        ([{"type": "web_search_call", "id": "1"}], "a tool was called in a way that cannot be read"),
        ([{"type": "tool_use", "id": "1"}], "a tool was called in a way that cannot be read"),
        ('<tool_call>{"name": "fly"}</tool_call>', "a tool was called that is not listed"),
        ("Thought: a\nAction: fly\nAction Input: {}", "a tool was called that is not listed"),
        ("[fly(to='Oslo')]", "a tool was called that is not listed"),
        (
            f"<tool_call>{CALL}</tool_call>\n<tool_call>\n?\n</tool_call>",
            "a tool was called in a way that cannot be read",
        ),
        (
            f'<tool_call>{CALL}</tool_call>\n<tool_call>\n{{"name": "find_bus"}}\n</tool_call>',
            "several tools were called",
        ),
        ("[get_weather(city='Oslo'), find_bus()]", "several tools were called"),
        ('<|tools_prefix|>[{"get_weather": {}}, {"find_bus": {}}]<|tools_suffix|>', "several tools were called"),
    ],
    ids=range(19),
)
def test_what_may_be_a_call_is_never_no_task(tmp_path, answer, reason):
    found, summary = imported(tmp_path, say("user", "hi"), say("assistant", answer))
    assert labels(found) == ["?"]
    assert reasons(summary) == {reason: 1}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "ok", "tool_calls": [{"id": "1", "type": "function"}]},
        {"role": "assistant", "content": "ok", "function_call": "get_weather!"},
        {"role": "assistant", "content": "ok", "finish_reason": "tool_calls"},
        {"role": "assistant", "content": "ok", "stop_reason": "tool_use"},
        {"role": "function_call", "content": "?"},
        {"type": "web_search_call", "id": "1"},
    ],
)
def test_a_call_beside_the_text_that_names_nothing_is_no_evidence(tmp_path, message):
    found, summary = imported(tmp_path, say("user", "hi"), message)
    assert labels(found) == ["?"]
    assert reasons(summary) == {"a tool was called in a way that cannot be read": 1}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "get_weather", "input": ""}}]},
        {"role": "assistant", "tool_calls": '[{"function": {"name": "get_weather"}}]'},
        {"role": "assistant", "function_call": '{"name": "get_weather"}'},
        {"role": "assistant", "tool_calls": [{"name": "get_weather", "args": {}, "type": "tool_call"}]},
        {"role": "assistant", "recipient": "functions.get_weather", "channel": "commentary", "content": "{}"},
        {"role": "assistant to=functions.get_weather", "channel": "commentary", "content": "{}"},
        {"role": "assistant", "metadata": "get_weather", "content": '{"city": "Oslo"}'},
        {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "get_weather", "input": {}}}]},
        {"role": "assistant", "content": [{"type": "tool-call", "toolName": "get_weather", "args": {}}]},
        {"type": "function_call", "call_id": "1", "name": "get_weather", "arguments": "{}"},
        {"from": "function_call", "value": {"name": "get_weather", "arguments": {}}},
    ],
    ids=range(12),
)
def test_calls_beside_the_text_are_known_in_more_spellings(tmp_path, message):
    found, _ = imported(tmp_path, say("user", "rain?"), message)
    assert labels(found) == ["get_weather"]


RESULTS = [
    {"role": role, "content": "3"}
    for role in (
        "tool",
        "function",
        "observation",
        "tool_result",
        "tool-response",
        "function response",
        "Tool_Output",
        "ipython",
    )
] + [
    {"from": "observation", "value": "3"},
    {"role": "functions.get_weather to=assistant", "content": "3"},
    {"type": "function_call_output", "call_id": "1", "output": "3"},
    {"role": "tool", "content": {"temperature": 3}},
    {"role": "user", "content": "<tool_response>\n3\n</tool_response>"},
    {"role": "user", "content": "[TOOL_RESULTS] 3 [/TOOL_RESULTS]"},
    {"role": "user", "content": "Observation: 3"},
    {"role": "user", "content": "FUNCTION RESPONSE: 3"},
    {"role": "user", "content": "<function_results>\n3\n</function_results>"},
    {"role": "user", "content": "```tool_output\n3\n```"},
    {"role": "user", "content": [{"type": "tool_result", "content": "3"}]},
    {"role": "user", "content": [{"toolResult": {"toolUseId": "1"}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "get_weather"}}]},
]


@pytest.mark.parametrize("result", RESULTS, ids=range(len(RESULTS)))
def test_where_a_tool_answers_no_task_is_impossible(tmp_path, result):
    for answer in (say("assistant", "One moment."), None):
        messages = [say("user", "rain?"), *([answer] if answer else []), result, say("assistant", "No rain.")]
        found, summary = imported(tmp_path, *messages)
        assert labels(found) == ["?"]
        assert reasons(summary) == {"a tool answers, and its call was not found": 1}
        assert reasons(summary, "message") == {"the result of a tool": 1}


def test_words_behind_a_result_are_a_turn(tmp_path):
    found, _ = imported(
        tmp_path,
        say("user", "rain?"),
        say("assistant", "One moment."),
        say("user", "<tool_response>3</tool_response>\nand a bus?"),
        say("assistant", f"<tool_call>{CALL.replace('get_weather', 'find_bus')}</tool_call>"),
    )
    assert labels(found) == ["?", "find_bus"]
    assert found.messages[2].content == "and a bus?"


def test_a_record_that_cannot_call_says_nothing_by_calling_nothing(tmp_path):
    messages = (say("user", "hi"), say("assistant", "hello"))
    listed = [Task(name="get_weather"), Task(name="find_bus")]
    for keys, reason in (
        ({"tools": None, "tasks": listed}, "the record lists no tools to call"),
        ({"tool_choice": "none"}, "the record forbids calls"),
        ({"function_call": "none"}, "the record forbids calls"),
    ):
        found, summary = imported(tmp_path, *messages, **keys)
        assert labels(found) == ["?"]
        assert reasons(summary) == {reason: 1}
    calling = (*messages, say("user", "rain?"), say("assistant", f"<tool_call>{CALL}</tool_call>"))
    assert labels(imported(tmp_path, *calling, tools=None, tasks=listed)[0]) == [None, "get_weather"]


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        ({"type": "web_search"}, "has no name, as tools that are built into a service"),
        ({"type": "function", "function": {"description": "x"}}, "has no name, as tools that are built into a service"),
        ({"googleSearch": {}}, "has no name, as tools that are built into a service"),
        (7, "has no name, as tools that are built into a service"),
        ({"name": " "}, "has no name, as tools that are built into a service"),
        ({"name": "none"}, "cannot be a task"),
        ({"name": "two\nlines"}, "cannot be a task"),
    ],
    ids=range(7),
)
def test_a_tool_that_is_no_task_takes_no_other_with_it(tmp_path, tool, reason):
    messages = (
        say("user", "rain?"),
        say("assistant", f"<tool_call>{CALL}</tool_call>"),
        say("user", "hi"),
        say("assistant", "ho"),
    )
    found, summary = imported(tmp_path, *messages, tools=[TOOLS[0], tool, TOOLS[1]])
    assert {task.name for task in found.tasks} == {"get_weather", "find_bus"}
    assert labels(found) == ["get_weather", None]
    assert reasons(summary, "tool") == {reason: 1}
    assert summary.left_out["tool"][reason].example == f"{tmp_path / 'c.jsonl'}:1, tool 2"


def test_a_call_may_spell_its_tool_in_other_code_points(tmp_path):
    tools = [{"name": "caf\u00e9"}, {"name": "bar"}]
    for answer in (
        {"role": "assistant", "content": '<tool_call>{"name": "cafe\u0301"}</tool_call>'},
        {"role": "assistant", "tool_calls": [{"function": {"name": "cafe\u0301"}}]},
        {"role": "function_call", "content": '{"name": "cafe\u0301"}'},
    ):
        assert labels(imported(tmp_path, say("user", "hi"), answer, tools=tools)[0]) == ["caf\u00e9"]


def test_tools_are_known_in_more_spellings(tmp_path):
    for tools in (
        ["get_weather", "find_bus"],
        [{"type": "custom", "custom": {"name": "get_weather"}}, {"toolSpec": {"name": "find_bus"}}],
        [{"functionDeclarations": [{"name": "get_weather"}, {"name": "find_bus"}]}],
        '[{"name": "get_weather"}, {"name": "find_bus"}]',
    ):
        found, _ = imported(tmp_path, say("user", "hi"), tools=tools)
        assert {task.name for task in found.tasks} == {"get_weather", "find_bus"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (say("narrator", "x"), "has a message of the unknown role 'narrator'"),
        ({"from": "Function Caller", "value": "x"}, "has a message of the unknown role 'Function Caller'"),
        ({"content": "x"}, "has a message without a role"),
        ({"type": "poem", "content": "x"}, "has a message of the unknown kind 'poem'"),
    ],
)
def test_an_unknown_role_is_named_with_its_message(tmp_path, message, reason):
    found, summary = imported(tmp_path, say("user", "hi"), message)
    assert found is None
    assert reasons(summary, "conversation") == {reason: 1}
    assert summary.left_out["conversation"][reason].example == f"{tmp_path / 'c.jsonl'}:1, message 2"


def test_reasons_stay_few_in_a_broken_file(tmp_path):
    records = [{"messages": [say(f"role {n}", "x")], "tools": TOOLS} for n in range(500)]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, records)))
    summary = ImportSummary()
    assert not list(import_chats(tmp_path / "c.jsonl", summary=summary))
    assert len(summary.left_out["conversation"]) < 60
    assert sum(reasons(summary, "conversation").values()) == 500
