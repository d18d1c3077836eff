"""Signs that a text may hold a tool call in a way that nobody knows: a tool in call form, or marks that only calls have.

Such an answer is no evidence for "no task". Ordinary prose has none of these signs, also where a tool's name is a word in it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

NAMED = "the answer names a tool, perhaps as a call"
MARKED = "the answer looks like a call in a way that is not known"

# Names of one's own making stand for nothing else in a text; words, such as search or check-in, may.
_WORDS = re.compile(r"[^\W\d_][^\W\d_A-Z]*(?:[- ][^\W\d_A-Z]+)*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W_A-Z]+")
_VERBS = r"call(?:ing|s|ed)?|invok(?:e|ing|es|ed)|execut(?:e|ing|es|ed)|run(?:ning|s)?|us(?:e|ing|es|ed)"
_KINDS = r"tool|function|func|api|plugin|skill|command|action|agent|intent|task|route"
_FOREIGN = "动作|行动|操作|行動|動作|工具|函数|函數|アクション|ツール"
_CALLED_THERE = "调用|調用|使用|呼叫|执行|執行"
# How a text has a word where it calls a tool of that name; NAME is the name in any of its spellings.
_FORMS = (
    r"[`\"'=]NAME[`\"'>(]",
    r"<\|?/?NAME(?:[\s/|][^<>]*)?>|<<NAME>>",
    r"(?<![\w\]])\[{1,2}NAME(?:\](?![(\[:])|[ \t]*[(:,=|])",
    r"\{{1,2}[ \t]*[\"']?NAME[\"']?[ \t]*[}:(,]",
    r"([%§@])\1?NAME\1",
    r"(?<![\w.])NAME\((?!e?s\))",
    r"(?<![\w.])NAME\[(?!\^|\d+\])",
    r"(?<![\w.])NAME[ \t]*(?:\{|[:=][ \t]*[{\[(\"]|->|=>|→|::)",
    r"(?:^|(?<=\n))[ \t>*-]*[/!#$@]NAME(?![\w/-]|\.\w)",
    r"(?<=\s)@NAME(?![\w/-]|\.\w)",
    r"(?:^|(?<=\n))[ \t]*(?:\$|>{2,3}|→|➜|🔧|🛠️?|⚙️?|🔍|🔎)[ \t]*NAME(?!\w)",
    # A line that ends in the name, or whose beginning says that a tool follows.
    r"(?:^|(?<=\n))[^\n:\uff1a=]{1,30}[:\uff1a=][ \t]*[`*\"'\[<]*NAME[`*\"'\]>]*[ \t]*(?=\n|\Z)",
    rf"(?:^|(?<=\n))[\W_]{{0,8}}(?:[^\W\d_]{{1,20}}[ \t_-])?(?:{_KINDS}|{_FOREIGN})[^\n:\uff1a=]{{0,15}}[:\uff1a=-][ \t]*[`*\"'\[<]*NAME(?!\w)",
    rf"(?<!\w)(?:{_VERBS})[ \t]+(?:the[ \t]+)?(?:(?:{_KINDS})[ \t]+[`*\"']*NAME(?!\w)|[`*\"']*NAME[`*\"']*[ \t]+(?:tool|function|api|plugin)\b)",
    rf"(?:^|(?<=[\n(\[*]))[ \t]*(?:{_VERBS})[ \t]+[`*\"']*NAME(?:[`*\"']*[ \t]*(?=[\n:({{,)\]…]|\.\.|\Z)|[ \t]+with\b|[ \t]+\w+[ \t]*[=:])",
    rf"(?:{_CALLED_THERE})[ \t]*(?:{_FOREIGN})?[ \t:\uff1a]*[「“\"'`]?NAME",
    r"```\w*[ \t]*\n\s*NAME(?!\w)",
    r">\s*NAME\s*</",
    r"(?<!\w)to=NAME(?!\w)",
    r"\A\W{0,20}NAME\W{0,20}\Z",
)
# The same where capitals tell a call from a sentence.
_STRICT_FORMS = (
    r"(?<!\w)(?:CALL|INVOKE|EXECUTE|EXEC|RUN|USE)[ \t]+(?i:NAME)(?!\w)",
    # In the very spelling of the list, at the beginning of the text.
    r"\AEXACT\n(?=\S)",
    r"\A[>(]?[ \t]*EXACT(?:[ \t]*:)?[ \t]+[^\n.!?,;:]{1,60}\Z",
    r"(?:\A|(?<=\n))CAPITALS[ \t]*:",
)
# Tokens of models, but for those that end a turn or say who speaks.
_FOREIGN_MARK = (
    r"<\|(?!/?(?:(?:end|begin)_?of_?\w+|(?:im|turn|header|message)_\w+|(?:start|end)_header_id|eo[tms]_id|[be]os|pad|unk"
    r"|start|end|eot|return|message|channel|constrain|assistant|user|system|human|bot|endoftext|thinking|response)\|>)"
    r"/?\w[\w ]*\|>"
)
_LIKE_A_CALL = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (
            _FOREIGN_MARK,
            re.IGNORECASE,
        ),
        (r"\[/?(?:\w+_)*(?:TOOL|FUNCTION|FUNC|CALL|ACTION|API|PLUGIN|COMMAND|EXEC|INVOKE)S?(?:_\w+)*\]", 0),
        (
            r"</?[\w:.-]*(?:tool|function|plugin|invoke|api|execute|command|action)[\w:.-]*(?:\s[^<>]*)?/?>",
            re.IGNORECASE,
        ),
        (r"(?:\A|\n)[ \t]*<([a-z]+(?:_[a-z]+)+)>.*?</\1>", re.DOTALL),
        (r"```\w*(?:tool|function|plugin|action)\w*", re.IGNORECASE),
        # Toolformer, and lists of calls between words
        (r"\[\w+\([^\n]*?\)[ \t]*(?:->|→)", 0),
        (r"(?:\A|\n)[ \t]*\[[A-Za-z_][\w.]*\([^\n]*\)\][ \t]*(?=\n|\Z)", 0),
        # ReAct without a known tool: a step of one word, or any step behind a thought
        (r"\A[A-Z][a-z]+\[(?!\d+\])[^\[\]\n]+\]\Z", 0),
        (
            r"(?:\A|\n)[ \t]*Action[ \t]*\d*[ \t]*:[ \t]*[`\"']?(?!(?:none|finish)\b)[\w.-]*\w[`\"']?[ \t]*(?=\n|\Z)",
            re.IGNORECASE,
        ),
        (
            r"(?:\A|\n)[ \t]*Thought\s*\d*\s*:.*\n[ \t]*Action\s*\d*\s*:(?!\s*(?:none|finish|no action|n/a)\b)",
            re.DOTALL | re.IGNORECASE,
        ),
        (r"(?<!\w)(?:CALL|INVOKE|EXECUTE)[ \t]+(?=\S*[a-z_])[\w.-]+[ \t]*(?:WITH\b|\()", 0),
        (r"\A/[a-z][\w-]*(?:[ \t][^\n]*)?\Z", 0),
    )
)


def sign_of_call(text: str, listed: Collection[str]) -> str | None:
    """Say why a text, in which no call was found, may hold one all the same; None for ordinary words."""
    bare = _bare(text)
    for name in listed:
        if _bare(name) in bare and any(form.search(text) for form in _forms(name)):
            return NAMED
    return MARKED if any(form.search(text) for form in _LIKE_A_CALL) else None


def listed_spelling(name: str, listed: Collection[str]) -> str:
    """Return the listed name that a name is but for capitals and what joins its words; the name itself where none is, or several."""
    if name in listed or not (bare := _bare(name)):
        return name
    alike = [known for known in listed if _bare(known) == bare]
    return alike[0] if len(alike) == 1 else name


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


@lru_cache(maxsize=4096)
def _forms(name: str) -> tuple[re.Pattern[str], ...]:
    """Return how a tool is named as programs name it; a name that is a word needs marks of a call around it."""
    parts = [re.escape(part) for part in _PARTS.findall(name)] or [re.escape(name)]
    spelled = r"[\W_]?".join(parts)
    exact = re.escape(name)
    strict = [
        form.replace("NAME", spelled).replace("EXACT", exact).replace("CAPITALS", exact.upper())
        for form in _STRICT_FORMS
    ]
    forms = [re.compile(form) for form in strict]
    if len(parts) > 1:
        forms += [
            re.compile(rf"(?<!\w){'_'.join(parts)}(?!\w)", re.IGNORECASE),
            re.compile(rf"(?<!\w){_camel(parts)}(?!\w)"),
        ]
        # At the beginning of a line small letters tell a name from a word such as Follow-up.
        forms.append(re.compile(rf"(?:\A|(?<=\n))[ \t]*{'-'.join(parts).lower()}(?!\w)"))
    if not _WORDS.fullmatch(name):
        forms.append(re.compile(rf"(?<!\w){exact}(?!\w)"))
    return (*forms, *(re.compile(form.replace("NAME", spelled), re.IGNORECASE) for form in _FORMS))


def _camel(parts: list[str]) -> str:
    """Return the pattern of camel case, its first letter of either kind."""
    words = [part[:1].upper() + part[1:].lower() for part in parts]
    return f"(?:{words[0][:1]}|{words[0][:1].lower()}){words[0][1:]}{''.join(words[1:])}"
