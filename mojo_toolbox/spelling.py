"""How a name may be spelt, in any script, and when two spellings are the same name."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_NON_JOINER, _JOINER = "\u200c", "\u200d"
_MONGOLIAN_SEPARATOR = "\u180e"
# Scripts in which a joiner, or its absence, is part of the spelling: the first word of their characters' Unicode names.
_JOINING_SCRIPTS = frozenset(
    [
        "ADLAM",
        "ARABIC",
        "ARABIC-INDIC",
        "BALINESE",
        "BENGALI",
        "BRAHMI",
        "BUGINESE",
        "CHAKMA",
        "DEVANAGARI",
        "EXTENDED",
        "GRANTHA",
        "GUJARATI",
        "GURMUKHI",
        "HANIFI",
        "JAVANESE",
        "KAITHI",
        "KANNADA",
        "KHMER",
        "KHUDAWADI",
        "LEPCHA",
        "LIMBU",
        "MALAYALAM",
        "MANDAIC",
        "MANICHAEAN",
        "MEETEI",
        "MODI",
        "MONGOLIAN",
        "MYANMAR",
        "NEWA",
        "NKO",
        "ORIYA",
        "PHAGS-PA",
        "SAURASHTRA",
        "SHARADA",
        "SINHALA",
        "SUNDANESE",
        "SYRIAC",
        "TAI",
        "TAKRI",
        "TAMIL",
        "TELUGU",
        "TIBETAN",
        "TIRHUTA",
    ]
)
# Signs before a number or word that Unicode counts among the formatting characters, though people see them.
_VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Letters and marks without a shape: whoever reads two names that differ in one of them sees the same name twice.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_INFORMATION = "\u2139"  # the only letter that becomes an emoji
_EMOJI_STYLE = "\ufe0f"
# A flag of England, Scotland or Wales: a black flag, then letters that only spell which.
_TAGGED_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_FLAG = "\U0001f3f4"
_LINE_ENDS = frozenset("\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
_WRITTEN = "LMN"
_SEEN = "LNPS"
_WITHOUT_SHAPE = ("Cc", "Cf", "Zl", "Zp", "Zs")


def canonical(name: str) -> str:
    """Return the one spelling (Unicode's NFC) of a name: an accent may be typed as part of its letter or after it."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


@lru_cache(maxsize=20_000)
def misspelling(name: str) -> str | None:
    """Say why this cannot be a name, such as "has blanks around it"; None for a name of any language, emoji included."""
    if not name.strip():
        return "is empty"
    if name != name.strip():
        return "has blanks around it"
    if name.isascii() and name.isprintable():
        return None
    plain = _TAGGED_FLAG.sub(_FLAG, name)
    if not any(unicodedata.category(character)[0] in _SEEN for character in plain):
        return "has no visible character"
    return next((_called(plain[place]) for place in range(len(plain)) if not _has_its_place(plain, place)), None)


def _called(character: str) -> str:
    if character in _LINE_ENDS:
        return "has line breaks"
    name = unicodedata.name(character, "")
    return f"has the character U+{ord(character):04X}{f' ({name})' if name else ''}, which is invisible there"


def is_blank(text: str) -> bool:
    """Whether nobody would see anything of a text: it is empty, or blanks and invisible characters are all there is."""
    return all(
        character.isspace()
        or character in _UNSEEN
        or unicodedata.category(character) in _WITHOUT_SHAPE
        or _is_variation_selector(character)
        for character in text
    )


def on_one_line(text: str) -> str:
    """Return a text with a blank for each character that a terminal could take for a command, or that nobody sees."""
    return "".join(character if _has_its_place(text, place) else " " for place, character in enumerate(text))


def _has_its_place(text: str, place: int) -> bool:
    """Whether the character at `place` belongs to correct spelling: it is seen, or shapes its neighbours."""
    character = text[place]
    if " " <= character <= "~":
        return True
    before, after = text[place - 1 : place] if place else "", text[place + 1 : place + 2]
    if character in {_NON_JOINER, _JOINER}:
        return _joins(character, before, after)
    if character == _MONGOLIAN_SEPARATOR:
        return _script(before) == _script(after) == "MONGOLIAN"
    if _is_variation_selector(character):
        return _varies(character, before)
    category = unicodedata.category(character)
    seen = category == "Zs" or category[0] in _SEEN or category[0] in _WRITTEN
    return (seen and character not in _UNSEEN) or character in _VISIBLE_FORMATS


def _joins(joiner: str, before: str, after: str) -> bool:
    """Whether a joiner or non-joiner shapes what stands around it: letters of some scripts, or parts of one emoji."""
    written = bool(before) and unicodedata.category(before)[0] in _WRITTEN and not _is_variation_selector(before)
    followed = bool(after) and unicodedata.category(after)[0] in _WRITTEN and not _is_variation_selector(after)
    shaping = _script(before) in _JOINING_SCRIPTS
    if written and (shaping or _script(after) in _JOINING_SCRIPTS):
        # A word may end with a joiner, as in an abbreviation; a non-joiner at its end parts nothing.
        return followed or (joiner == _JOINER and shaping)
    return joiner == _JOINER and _is_symbol(after) and (_is_symbol(before) or before == _EMOJI_STYLE)


def _is_symbol(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] == "S" and not character.isascii()


def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0] if character else ""


def _is_variation_selector(character: str) -> bool:
    # Mongolian's, those of emoji and symbols, those of Chinese characters.
    return any(
        first <= character <= last
        for first, last in (("\u180b", "\u180f"), ("\ufe00", "\ufe0f"), ("\U000e0100", "\U000e01ef"))
    )


def _varies(selector: str, before: str) -> bool:
    """Whether a selector follows what has variants: not a letter with a case, nor a mark, nor another selector."""
    if not before:
        return False
    category = unicodedata.category(before)
    if selector < "\ufe00":
        return _script(before) == "MONGOLIAN" and category[0] == "L"
    if selector > "\ufe0f":
        return category == "Lo"
    return category == "Lo" or category[0] in "NPS" or before == _INFORMATION
