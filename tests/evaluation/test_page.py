"""The page of reports: what it shows, that nothing in it breaks out, and that anybody can read it."""

import base64
import hashlib
import re
import sys
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_documents import HOSTILE, biased, comparison, hostile, nothing, of_many_tasks, one, several, sure

from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.evaluation.pages import page
from mojo_toolbox.evaluation.pages.page import render_page

VOID = {"meta", "br", "wbr", "rect", "line", "circle"}
UNCLOSED = {"td"}  # HTML lets them be; a large matrix is half as long without


class Document(HTMLParser):
    """All elements of a page with their attributes, its text, and whether every element is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.pieces, self.bubbles, self.open, self.unbalanced = [], [], [], [], []
        self.in_bubble = False
        self.feed(text)
        self.close()
        self.unbalanced += self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID | UNCLOSED:
            self.open.append(tag)
        if "bubble" in dict(attributes).get("class", "").split():
            self.bubbles.append("")
            self.in_bubble = True

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID | UNCLOSED and (not self.open or self.open.pop() != tag):
            self.unbalanced.append(tag)
        self.in_bubble = self.in_bubble and tag != "div"

    def handle_data(self, text):
        if "style" not in self.open:
            self.pieces.append(text)
            if self.in_bubble and self.open[-1] == "div":
                self.bubbles[-1] += text

    @property
    def text(self):
        return " ".join(" ".join(self.pieces).split())

    def attributes(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def pages():
    reports = several()
    return {
        "one": render_page([one()]),
        "several": render_page(reports, comparisons=[comparison("stay", report["router"]) for report in reports[1:]]),
        "nothing": render_page([nothing()]),
        "hostile": render_page([hostile(), one()]),
        "many": render_page([of_many_tasks(190)]),
        "biased": render_page([biased(flagged=True), biased(flagged=False)]),
        "sure": render_page([sure()]),
        "sure and not": render_page([sure(), one()]),
        "empty": render_page([]),
    }


KINDS = ["one", "several", "nothing", "hostile", "many", "biased", "sure", "sure and not", "empty"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fetches_nothing_and_runs_nothing(pages, kind):
    document = Document(pages[kind])
    assert {tag for tag, _ in document.elements}.isdisjoint(
        {"script", "link", "img", "iframe", "form", "base", "object"}
    )
    for tag, attributes in document.elements:
        assert not {name for name in attributes if name.startswith("on") or name in {"style", "src", "srcset"}}, tag
        assert attributes.get("href", "#").startswith("#")
    style = pages[kind].split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("kind", KINDS)
def test_the_security_policy_allows_the_style_and_nothing_else(pages, kind):
    policy = next(meta for meta in Document(pages[kind]).attributes("meta") if "http-equiv" in meta)["content"]
    style = pages[kind].split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_well_formed_and_can_be_written(pages, kind):
    document = Document(pages[kind])
    assert document.unbalanced == []
    pages[kind].encode()
    assert not re.search("[\x00-\x08\x0b-\x1f]", pages[kind])
    ids = Counter(attributes["id"] for _, attributes in document.elements if "id" in attributes)
    assert ids
    assert set(ids.values()) == {1}
    assert {link["href"] for link in document.attributes("a")} <= {f"#{found}" for found in ids}


@pytest.mark.parametrize("kind", KINDS)
def test_readers_of_screens_are_told_what_they_meet(pages, kind):
    document = Document(pages[kind])
    assert document.attributes("html") == [{"lang": "en"}]
    assert len(document.attributes("caption")) == len(document.attributes("table"))
    assert all("scope" in attributes for attributes in document.attributes("th"))
    for picture in document.attributes("svg"):
        assert picture.get("aria-hidden") == "true" or (picture["role"] == "img" and picture["aria-label"])
    for attributes in (
        attributes for _, attributes in document.elements if "scroll" in attributes.get("class", "").split()
    ):
        assert attributes["tabindex"] == "0"
        assert attributes["aria-label"]


def test_hostile_texts_stay_texts(pages):
    document = Document(pages["hostile"])
    assert set(document.bubbles) >= {text for text in HOSTILE if "\x00" not in text}
    assert any("{{ 7 * 7 }} {% raw %}" in bubble for bubble in document.bubbles)
    bubbles = [a for _, a in document.elements if "bubble" in a.get("class", "").split()]
    assert all(bubble["dir"] == "auto" for bubble in bubbles)


@pytest.fixture(scope="module")
def measured():
    return one()


@given(text=st.text(max_size=200))
@settings(deadline=None, max_examples=40)
def test_any_message_reads_as_it_was_written(measured, text):
    mistake = measured["mistakes"][0] | {"turn": 0, "messages": [{"role": "user", "content": text}]}
    bubbles = Document(render_page([measured | {"mistakes": [mistake]}])).bubbles
    # Line breaks are one character, and what no page can hold is replaced.
    shown = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]", "\ufffd", text.replace("\r\n", "\n"))
    assert bubbles == [shown]


def test_the_summary_says_how_good_the_router_is(pages):
    report, text = one(), Document(pages["one"]).text
    overall = report["overall"]
    assert f"mostly is right in {overall['right']} of {overall['n']} decisions" in text
    assert f"Calls that failed : 1 of {overall['n']}" in text
    assert "ConnectionError: <b>reset</b>" in text
    assert report["data"]["sha256"] in text
    assert f"{report['data']['conversations']} conversations" in text


def test_every_figure_of_the_table_stands_beside_its_number_of_decisions(pages):
    reports, text = several(), Document(pages["several"]).text
    table = text.split("How much was right")[1].split("Models and prompts")[0]
    decisions = [report["overall"]["n"] for report in reports for _ in range(2)]
    decisions += [report["points"][point]["n"] for report in reports for point in report["points"]]
    assert Counter(re.findall(r"n (\d+)", table)) == Counter(map(str, decisions))


def test_an_empty_cell_is_a_dash_and_never_0(pages):
    text = Document(pages["nothing"]).text
    assert "Nothing was measured" in text
    assert "0%" not in text.split("Fine print")[0]
    assert re.search("start a task starts 0 \N{EN DASH} \N{EN DASH}", text)


def test_models_stand_against_prompts(pages):
    grid = Document(pages["several"]).text.split("Models and prompts")[1].split("Differences from")[0]
    assert re.search("Model zero-shot react small .* large \N{EN DASH} not measured", grid)
    assert "stay" not in grid


def test_the_best_router_is_named_and_marked(pages):
    document = Document(pages["several"])
    assert "small/react is right most often: in 56 of 56 decisions, 100%" in document.text
    marked = [attributes for attributes in document.attributes("td") if attributes.get("class") == "leads"]
    assert len(marked) >= 7


def test_differences_have_their_verdicts(pages):
    text = Document(pages["several"]).text.split("Differences from stay")[2]
    assert "+20.0 better +10.0 to +30.0 → 70.0%" in text
    assert "\N{MINUS SIGN}20.0 worse → 50.0%" in text
    assert "\N{MINUS SIGN}10 ms" in text


def test_reports_on_different_data_are_not_ranked():
    reports = [one(), nothing() | {"router": "other"}]
    text = Document(render_page(reports)).text
    assert "they do not compare" in text
    assert "the highest" not in text


def test_reports_of_one_router_are_told_apart():
    first = one()
    second = first | {"previous": "own"}
    text = Document(render_page([first, second])).text
    assert "mostly, earlier decisions as labelled" in text
    assert "mostly, its own earlier decisions" in text


def test_the_decisive_turn_stands_between_what_the_router_saw_and_what_it_did_not():
    report = one()
    mistake = next(m for m in report["mistakes"] if 0 < m["turn"] < len(m["messages"]) - 1)
    text = Document(render_page([report | {"mistakes": [mistake]}])).text.split("The worst mistakes")[1]
    before, after = text.split("The decisive turn")
    turn, messages = mistake["turn"], mistake["messages"]
    assert messages[turn - 2]["content"] in before
    assert messages[turn]["content"] in after.split("did not see")[0]
    assert messages[turn + 1]["content"] in after.split("did not see")[1]
    assert f"✓ {mistake['gold'] or 'none'}" in after
    assert f", user turn {turn // 2 + 1}" in text


def test_a_long_conversation_is_folded_up_to_its_last_turns():
    report = one()
    mistake = report["mistakes"][0]
    talk = [{"role": role, "content": f"{role} {n}"} for n in range(40) for role in ("user", "assistant")]
    text = Document(render_page([report | {"mistakes": [mistake | {"messages": talk, "turn": 60}]}])).text
    assert "52 earlier messages" in text
    assert "19 later messages" in text


def test_an_endless_conversation_does_not_fill_the_page():
    report = one()
    talk = [{"role": "user", "content": f"turn {n}"} for n in range(5_000)]
    mistakes = [report["mistakes"][0] | {"messages": talk, "turn": 3_000}]
    document = Document(render_page([report | {"mistakes": mistakes}]))
    assert "2,992 earlier messages, the last 100 of them here" in document.text
    assert "1,999 later messages, which the router did not see; the first 100 of them here" in document.text
    assert document.bubbles == [f"turn {n}" for n in range(2_892, 3_101)]


def test_the_largest_confusions_come_before_a_large_matrix_which_is_folded(pages):
    text = Document(pages["many"]).text
    selection = text.split("Which task?")[1]
    assert selection.index("The largest confusions") < selection.index("Confusion matrix of 190 tasks")
    assert len(re.findall(r"task_ \d{3}", selection)) > 190
    assert "<details><summary>Confusion matrix" in pages["many"]


def test_a_matrix_that_nobody_could_read_keeps_the_most_confused_tasks():
    text = render_page([of_many_tasks(230)])
    assert "Shown are the 200 most confused of 230 tasks" in text
    assert len(text) < 1_000_000


def test_position_bias_is_told_in_words(pages):
    text = Document(pages["biased"]).text
    assert "Flagged: this router prefers position 1 of the list. The largest gap is at position 1" in text
    assert "Not flagged: no position is chosen notably more or less often than it is right." in text
    assert "Not measured. mojo evaluate --shuffles 4" in Document(pages["one"]).text


def test_latency_stands_on_an_axis_with_its_limit(pages):
    label = next(
        a["aria-label"] for a in Document(pages["one"]).attributes("svg") if "Latency" in a.get("aria-label", "")
    )
    assert re.search(
        r"Latency of mostly, 55 answers on a logarithmic axis, p50 .* ms, p95 .* ms, p99 .* ms, limit 300 ms", label
    )


def test_probabilities_are_judged_and_drawn(pages):
    document, found = Document(pages["sure"]), sure()["confidence"]
    mean, right = f"{100 * found['mean']:.1f}%", f"{100 * found['accuracy']:.1f}%"
    assert f"Too sure of its answers : {mean} sure on average, {right} right" in document.text
    section = document.text.split("Can its probabilities be trusted?")[1].split("Invalid answers and errors")[0]
    assert f"Too sure: the mean probability is {mean}, and {right} are right." in section
    assert "95.0% \N{EN DASH} \N{EN DASH} \N{EN DASH} out of reach" in section
    labels = [a["aria-label"] for a in document.attributes("svg") if "aria-label" in a]
    assert any(label.startswith("Reliability of sure") for label in labels)
    assert any(label.startswith("Precision over coverage of sure") for label in labels)


def test_without_probabilities_it_says_so(pages):
    assert "the router gives its answers no probabilities" in Document(pages["one"]).text
    assert re.search("mostly \N{EN DASH} not given", Document(pages["sure and not"]).text)


def test_marks_of_the_pictures_of_probabilities_stay_within(pages):
    section = pages["sure"].split('id="confidence"')[1].split("</section>")[0]
    for rect in Document(section).attributes("rect"):
        assert 8 <= float(rect["x"].rstrip("%")) <= 100
        assert float(rect["x"].rstrip("%")) + float(rect["width"].rstrip("%")) <= 100.01
        assert float(rect["height"]) >= 0
        assert 8 <= float(rect["y"]) <= 300


def channel(value):
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def luminance(colour):
    red, green, blue = (channel(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_colours_are_told_apart_by_light_and_by_dark(pages):
    style = pages["one"].split("<style>")[1].split("</style>")[0]
    themes = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(themes) == 2
    for theme in themes:
        pairs = [
            (text, ground) for text in ("ink", "muted") for ground in ("paper", "panel", "accent-soft", "warn-soft")
        ]
        pairs += [("accent", "paper"), ("warn", "paper"), ("warn", "warn-soft"), ("paper", "accent")]
        for kind in ("right", "wrong"):
            pairs += [("on-low", f"{kind}-{shade}") for shade in range(1, 5)]
            pairs += [("on-middle", f"{kind}-5"), *(("on-high", f"{kind}-{shade}") for shade in range(6, 9))]
        # WCAG AA, for text of any size.
        assert {
            pair: contrast(theme[pair[0]], theme[pair[1]]) for pair in pairs if contrast(*map(theme.get, pair)) < 4.5
        } == {}


def test_without_jinja2_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page._environment.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match=r"mojo-toolbox\[evaluation\]"):
            render_page([])
    finally:
        page._environment.cache_clear()
