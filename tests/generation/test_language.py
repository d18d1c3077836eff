# ruff: noqa: RUF001 - letters of other languages are what this is about
"""Is a turn in the planned language: told where it can be told, and left alone where it cannot."""

import pytest

from mojo_toolbox.generation.language import language_codes, other_language, unchecked_languages

TURNS = {
    "English": "no wait, I meant the meeting we had on tuesday with the supplier",
    "French": "non attends, je parlais de la réunion de mardi avec le fournisseur",
    "German": "nein warte, ich meinte die Besprechung am Dienstag mit dem Lieferanten",
    "Spanish": "no espera, me refería a la reunión del martes con el proveedor",
    "Polish": "nie czekaj, chodziło mi o wtorkowe spotkanie z dostawcą",
    "Turkish": "hayır bekle, salı günü tedarikçiyle olan toplantıyı kastettim",
    "Russian": "нет подожди, я имел в виду встречу с поставщиком во вторник",
    "Arabic": "لا انتظر، كنت أقصد اجتماع يوم الثلاثاء مع المورد",
    "Hindi": "नहीं रुको, मेरा मतलब मंगलवार की बैठक से था",
    "Chinese": "不对,我说的是星期二和供应商的那个会议",
    "Japanese": "いや、火曜日に仕入先とやった会議のことです",
    "Korean": "아니 잠깐, 화요일에 공급업체와 한 회의 말이에요",
}


@pytest.mark.parametrize("planned", TURNS)
def test_a_turn_is_told_from_all_other_languages(planned):
    assert other_language(TURNS[planned], planned) is None
    found = {spoken: other_language(TURNS[spoken], planned) for spoken in TURNS if spoken != planned}
    assert [spoken for spoken, other in found.items() if other is None] == []
    assert all(other.code in language_codes(spoken) for spoken, other in found.items())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "ok super",
        "12.03.2025, 14:30",
        "Send it to José",
        "👍👍👍",
        "https://www.example.fr/une/page/bien/longue",
        'it says "Bitte wenden Sie sich an den Kundendienst" here',
        "Müller GmbH & Co. KG",
    ],
)
def test_what_says_too_little_is_let_pass(text):
    assert other_language(text, "English") is None


@pytest.mark.parametrize(
    ("described", "codes"),
    [
        ("English", {"en"}),
        ("en", {"en"}),
        ("pt-BR", {"pt"}),
        ("zh_Hans", {"zh"}),
        ("Brazilian Portuguese, informal", {"pt"}),
        ("Français", {"fr"}),
        ("español", {"es"}),
        ("English mixed with Spanish", {"en", "es"}),
        ("Klingon", set()),
        ("", set()),
    ],
)
def test_descriptions_of_languages_are_understood(described, codes):
    assert language_codes(described) == codes


def test_of_two_planned_languages_either_will_do():
    assert other_language(TURNS["Spanish"], "English mixed with Spanish") is None
    assert other_language(TURNS["German"], "English mixed with Spanish").code == "de"


def test_a_language_that_is_not_known_is_not_checked():
    assert other_language(TURNS["German"], "Klingon") is None


def test_neighbours_are_not_told_apart():
    assert other_language("Jeg vil gjerne ha et sammendrag av møtet i går", "Danish") is None
    assert other_language("Jeg vil gjerne ha et sammendrag av møtet i går", "English") is not None


def test_a_very_long_text_is_no_slower_than_its_beginning():
    assert other_language(TURNS["French"] * 100_000, "English").code == "fr"


def test_a_language_that_no_check_knows_is_warned_of():
    assert unchecked_languages(["Swiss German", "pt-BR", "fr"]) is None
    assert "'Klingon', '中文': no text" in unchecked_languages(["French", "Klingon", "中文"])
