"""Names: correct spelling in any script is taken, what nobody sees is refused, and an accent has one spelling."""

# ruff: noqa: RUF001 - names in other scripts are what this is about

import pytest

from mojo_toolbox.spelling import canonical, misspelling, on_one_line

NON_JOINER, JOINER = "\u200c", "\u200d"


@pytest.mark.parametrize(
    "name",
    [
        "meeting_recap",
        "two words",
        "café",
        "cafe\u0301",
        "prix\u00a0: devis",
        f"می{NON_JOINER}خواهم",  # Persian
        f"SMS{NON_JOINER}ها",  # a Latin word with a Persian ending
        f"ه{JOINER}.ش",  # a Persian abbreviation
        f"क्{JOINER}ष",  # Hindi
        f"ශ්{JOINER}රී",  # Sinhala
        f"অব্{NON_JOINER}যয়",  # Bengali
        f"അവന്{JOINER}",  # Malayalam, as it was written before its letters were encoded
        "ᠠᠨ\u180eᠠ",  # Mongolian
        "会議\u3000まとめ",
        "葛\U000e0100城",  # a variant of a Chinese character
        f"👩{JOINER}💻 help",
        f"👨{JOINER}👩{JOINER}👧{JOINER}👦",
        f"🕵🏽{JOINER}♂\ufe0f",
        f"❤\ufe0f{JOINER}🔥",
        f"🙂{JOINER}↔\ufe0f",
        "❤\ufe0f gift",
        "1\ufe0f\u20e3 first",
        "ℹ\ufe0f",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "🇫🇷",
        "ไทย",
        "नमस्ते",
    ],
    ids=ascii,
)
def test_correct_spelling_is_a_name(name):
    assert misspelling(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        " recap",
        "recap ",
        "\u3000recap",
        "re\u200bcap",  # zero-width space
        "re\ufeffcap",  # byte order mark
        "re\u2060cap",
        "re\u00adcap",
        "re\u202ecap",
        "re\u2066cap",
        "re\u200fcap",
        "re\u061ccap",
        "re\ncap",
        "re\tcap",
        "re\x00cap",
        "re\x85cap",
        "re\u2028cap",
        "re\ud800cap",
        "re\ue000cap",
        "re\U000f0000cap",
        "葛\U000f0000",
        "re\u0378cap",  # not assigned
        "re\U000e0041cap",  # a tag outside a flag
        "\u3164",
        "re\u2800cap",
        "re\ufe0fcap",
        "☎\ufe0f\ufe0f",
        "\ufe0f",
        "\u0301",
        f"re{NON_JOINER}cap",
        f"re{JOINER}cap",
        f"می{NON_JOINER}",
        f"{NON_JOINER}می",
        f"می{NON_JOINER}{NON_JOINER}خواهم",
        f"می{NON_JOINER} خواهم",
        f"👩{JOINER}",
        f"{JOINER}💻",
        f"👩{JOINER}{JOINER}💻",
    ],
    ids=ascii,
)
def test_what_nobody_sees_is_no_part_of_a_name(name):
    assert misspelling(name) is not None


def test_the_character_is_named():
    assert "U+200B (ZERO WIDTH SPACE)" in misspelling("re\u200bcap")


def test_an_accent_has_one_spelling():
    assert canonical("cafe\u0301") == canonical("caf\u00e9") == "caf\u00e9"
    assert canonical("recap") == "recap"


def test_a_terminal_is_shown_words_as_they_are_and_no_commands():
    assert on_one_line(f"می{NON_JOINER}خواهم\x1b[2J\u202e") == f"می{NON_JOINER}خواهم [2J "
