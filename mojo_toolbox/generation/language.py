"""Is a text in the language that was asked for? Only what is long enough to tell, and plainly another language, is not."""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.errors.extras import needed_for

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# Measured on 192 chat turns in 16 languages: with these no turn was refused in its own language, and of turns in another
# one 99% were. "ok super" or "Send it to José" are of no language.
_LEAST_LETTERS = 15
_LEAST_RATIO = 0.1
# A character of these scripts says as much as three letters.
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_LETTERS_IN_DENSE = 3
# What is told by the first thousand characters is not told better by more.
_LONGEST = 1000
# What says nothing of a language: addresses, links, code in backticks, and what stands in quotation marks.
_FOREIGN = re.compile(r"\S+@\S+|https?://\S+|`[^`]*`|\"[^\"]*\"|“[^”]*”|«[^»]*»|\S*\d\S*|\S*_\S*")

# ISO 639 code: the names that people give a language, in English and in itself, without accents.
_NAMES = """
af afrikaans; am amharic; ar arabic; az azerbaijani azeri; be belarusian; bg bulgarian; bn bengali bangla; bs bosnian bosanski;
ca catalan catala; cs czech cestina; cy welsh cymraeg; da danish dansk; de german deutsch; el greek; en english;
eo esperanto; es spanish espanol castellano castilian; et estonian eesti; eu basque euskara; fa persian farsi;
fi finnish suomi; fr french francais; ga irish gaeilge; gl galician galego; gu gujarati; ha hausa; he hebrew; hi hindi;
hr croatian hrvatski; hu hungarian magyar; hy armenian; id indonesian; ig igbo; is icelandic islenska; it italian italiano;
ja japanese; jv javanese; ka georgian; kk kazakh; km khmer; kn kannada; ko korean; ku kurdish; ky kyrgyz; la latin; lb luxembourgish;
lo lao; lt lithuanian lietuviu; lv latvian latviesu; mg malagasy; mk macedonian; ml malayalam; mn mongolian; mr marathi;
ms malay melayu; mt maltese; my burmese; ne nepali; nl dutch nederlands flemish vlaams; no norwegian norsk bokmal; nn nynorsk;
oc occitan; pa punjabi; pl polish polski; ps pashto; pt portuguese portugues; ro romanian romana moldovan; ru russian;
si sinhala; sk slovak slovencina; sl slovenian slovene slovenscina; so somali; sq albanian shqip; sr serbian srpski; sv swedish svenska;
sw swahili kiswahili; ta tamil; te telugu; tg tajik; th thai; tl tagalog filipino; tr turkish turkce; uk ukrainian; ur urdu;
uz uzbek; vi vietnamese; xh xhosa; yo yoruba; zh chinese mandarin; yue cantonese; zu zulu; pcm pidgin
"""
# Languages of which short texts can hardly be told apart: a text in one of them is not refused for being in another.
_ALIKE = (
    "no nn da sv",
    "hr sr bs sl",
    "id ms jv",
    "cs sk",
    "es gl an ca",
    "pt gl",
    "ru uk be",
    "nl af",
    "zh yue wuu",
    "en pcm",
)


@dataclass(frozen=True)
class LanguageFound:
    """The language that a text is in: its ISO 639 code, and how probable that is, from 0 to 1."""

    code: str
    probability: float


def language_codes(described: str) -> frozenset[str]:
    """Return the ISO 639 codes of the languages that a description names: of "Swiss German, informal" `de`.

    A code alone is one too ("pt", "pt-BR"). Nothing is returned for what names no language that is known here.
    """
    plain = _without_accents(described)
    known = _codes_by_name()
    code = re.fullmatch(r"([a-z]{2,3})(?:[-_][a-z0-9]+)*", plain.strip())
    if code is not None and code[1] in known.values():
        return frozenset({code[1]})
    return frozenset(known[word] for word in re.findall(r"[a-z]+", plain) if word in known)


def unchecked_languages(described: Iterable[str]) -> str | None:
    """Return the warning that texts in some of these languages cannot be checked; None where all can."""
    unknown = [repr(name) for name in described if not language_codes(name)]
    if not unknown:
        return None
    return f"No language check knows {', '.join(unknown)}: no text is marked for being in another language. Misspelt?"


def other_language(text: str, described: str) -> LanguageFound | None:
    """Return the language that `text` is in where it is plainly not the described one.

    None where it is, where the text is too short to tell, and where the description names no known language.

    Raises:
        ConfigurationError: py3langid is not installed.
    """
    wanted = language_codes(described)
    told = _FOREIGN.sub(" ", text[:_LONGEST])
    if not wanted or _letters(told) < _LEAST_LETTERS:
        return None
    ranked = _identifier().rank(told)
    probabilities = dict(ranked)
    best, probability = ranked[0]
    fitting = max(probabilities.get(code, 0.0) for code in wanted | _alike(wanted))
    if fitting >= _LEAST_RATIO * probability or best == "zxx":  # zxx: no language at all
        return None
    return LanguageFound(best, float(probability))


def load_language_model() -> None:
    """Load what tells languages: before the first answer is paid for, and not in every lane at once.

    Raises:
        ConfigurationError: py3langid is not installed, or its model cannot be unpacked.
    """
    _identifier()


def _letters(text: str) -> int:
    dense = len(_DENSE.findall(text))
    # Vowel signs of Indian scripts are marks (M) and count as letters do.
    return (_LETTERS_IN_DENSE - 1) * dense + sum(unicodedata.category(character)[0] in "LM" for character in text)


def _without_accents(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))


@cache
def _codes_by_name() -> dict[str, str]:
    entries = [entry.split() for entry in _NAMES.split(";")]
    return {name: code for code, *names in entries for name in names}


@cache
def _alike(wanted: frozenset[str]) -> frozenset[str]:
    groups = [frozenset(group.split()) for group in _ALIKE]
    return frozenset().union(*(group for group in groups if group & wanted))


@cache
def _identifier() -> LanguageIdentifier:
    # Half a second and 80 MB, once.
    with needed_for("Telling languages", extra="evaluation"):
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    try:
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    except OSError as error:  # it is unpacked into the folder for temporary files
        raise ConfigurationError(
            f"What tells languages cannot be unpacked into {tempfile.gettempdir()}: {error.strerror}. "
            "Make room there, or name another folder with TMPDIR."
        ) from error
