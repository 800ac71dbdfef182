"""The report's page: whole and escaped HTML that loads nothing, and a section for each thing that there is."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import UndefinedError

from hfft.reports.html.markup import filled
from hfft.reports.html.page import render
from hfft.reports.html.parts import Section, Table

Facts = dict[str, Any]
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
VOID = {"meta", "link", "br", "wbr", "img", "path", "line", "rect", "circle", "text"}
PICTURE = "data:image/jpeg;base64,/9j/4AAQ"


def entry(value: float, **more: Any) -> Facts:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, **more}


def whole(text: str = "plain") -> Facts:
    """Facts with everything that there can be, with `text` wherever a text of the user's stands."""
    series = {"step": [1, 2, 3, 4], "value": [3.0, 2.0, 1.5, 1.0]}
    example = {"id": 3, "input": text, "answer": text, "truth": "other", "score": 0.9, "truth_score": 0.1, "note": text}
    span = {"start": 1, "end": 3, "label": text}
    tagged = {"id": 4, "input": ["a", text, "c"], "answer": [], "truth": [], "spans": {"answer": [span], "truth": []}}
    galleries = [
        {
            "title": f"Mistakes {text}",
            "note": text,
            "kind": "texts",
            "examples": [example, {**example, "input": [text, text]}],
        },
        {"title": "Written", "note": "", "kind": "writing", "examples": [{**example, "scores": {text: 31.2}}]},
        {"title": "Tagged", "note": "", "kind": "tags", "examples": [tagged]},
        {"title": "Pictures", "note": "", "kind": "pictures", "examples": [{**example, "picture": PICTURE}]},
        {
            "title": "Pairs",
            "note": text,
            "kind": "texts",
            "open": True,
            "pairs": [{"truth": text, "answer": "b", "count": 2}],
            "examples": [{**example, "pairs": [0]}],
        },
        {
            "title": "Numbers",
            "note": "",
            "kind": "numbers",
            "examples": [{"id": 1, "input": text, "answer": 1.5, "truth": 1}],
        },
    ]
    split = {
        "in_short": [{"text": text, "see": "Pairs"}, {"text": "More.", "see": "nowhere"}],
        "labels": [{"label": text, "examples": 4, "f1": entry(0.5), "recall": entry(0.4)}],
        "confusion": {"labels": [text, "b"], "counts": [[3, 1], [0, 2]], "left_out": 1, "note": text},
        "calibration": {
            "ece": entry(0.2),
            "kind": text,
            "note": text,
            "bins": [{"low": 0.5, "high": 1.0, "confidence": 0.75, "accuracy": 0.5, "examples": 4}],
        },
        "distributions": [
            {"name": text, "unit": text, "edges": [0, 1, 2], "series": [{"name": text, "counts": [1, 2]}]}
        ],
        "numbers": [{"name": text, "truth": [1.0, 2.0], "answer": [1.5, 1.5]}],
        "slices": [{"column": text, "value": text, "examples": 4, "scores": {"f1": entry(0.5), text: entry(0.4)}}],
        "galleries": galleries,
    }
    return {
        "version": 1,
        "name": text,
        "task": text,
        "model": text,
        "strategy": text,
        "finished": True,
        "ended": text,
        "weights": "step 4",
        "confidence": 0.9,
        "summary": text,
        "command": [text, "hfft train recipe.yaml"],
        "recipe": text,
        "facts": [[text, text]],
        "headline": {"split": "test", "metric": "f1", **entry(0.5), "examples": 6},
        "seeds": [
            {"seed": 1, "scores": {"test": {"f1": 0.4, text: 0.5}}, "best": True, "report": "seed-1/report.html"},
            {"seed": 2, "scores": {"test": {"f1": 0.6}}, "best": False, "report": text},
        ],
        "best_by": text,
        "scores": {
            "eval": {"f1": entry(0.6, selected=True)},
            "test": {"f1": entry(0.5), text: entry(40.0), "f1_micro": entry(0.5)},
        },
        "examples": {"eval": 5, "test": 6},
        "signatures": {"test": {"f1": text}},
        "curves": {
            "loss": {**series, "smooth": [2.9, 2.1, 1.4, 1.1]},
            "lr": [{"name": text, **series}, {"name": "head", "step": [1, 2], "value": [0.0, 1e-4]}],
            "gradient_norm": series,
            "scores": {"f1": series, text: series},
            "phases": [{"step": 2, "label": text}],
            "skips": [3],
            "best_step": 4,
            "notes": [text],
        },
        "splits": {"test": split, text: {"galleries": galleries[:1]}},
        "checks": {
            "splits": {"train": {"rows": 9, "labels": {text: 9}, "tokens": {"median": 4.0}}},
            "findings": [{"kind": "shared", "split": "test", "count": 1, "total": 6, "text": text}],
            "warnings": [text],
            "remarks": [text],
        },
        "parameters": {"columns": ["block", "parameters"], "rows": [[text, "10"], ["all", "10"]]},
        "cost": {"train_seconds": 7325.0, "padding_share": 0.04, "memory": {"peak_bytes": 3 * 2**20}},
        "environment": {"versions": {text: text}, "devices": []},
    }


class Reader(HTMLParser):
    """Reads a page as strictly as a page is written: every element is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.untitled = 0
        self.words: list[str] = []
        self.headings: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.names and self.names[-1] == "svg" and tag != "title":
            self.untitled += 1
        self.names.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "link"):
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def evil() -> str:
    return render(whole(EVIL))


def test_a_page_is_whole(evil: str) -> None:
    reader = read(evil)
    ids = reader.values("id")
    assert len(set(ids)) == len(ids)
    assert {value[1:] for value in reader.values("href") if value.startswith("#")} <= set(ids)
    named = {part for value in reader.values("aria-labelledby") for part in value.split()}
    assert named
    assert named <= set(ids)
    assert reader.untitled == 0, "each drawing says first what it is"
    assert evil.startswith('<!doctype html>\n<html lang="en">')
    assert reader.headings[0] == 1
    assert all(later - earlier <= 1 for earlier, later in zip(reader.headings, reader.headings[1:], strict=False))


def test_whatever_stands_in_the_data_is_text(evil: str) -> None:
    reader = read(evil)
    assert "script" not in reader.names
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert reader.names.count("img") == 1, "the picture of the gallery and no other"
    assert "".join(reader.words).count(EVIL) > 40


def test_a_page_loads_nothing(evil: str) -> None:
    reader = read(evil)
    assert all(value.startswith("data:image/") for value in reader.values("src"))
    assert all(value.startswith(("#", "data:,")) or ":" not in value for value in reader.values("href"))
    assert not re.search(r"@import|url\(|https?:", evil)
    assert "default-src 'none'" in "".join(reader.values("content"))


def test_a_picture_from_elsewhere_is_left_out() -> None:
    facts = whole()
    for source in ("https://example.org/a.png", "data:text/html,<script>", "cat.png"):
        facts["splits"]["test"]["galleries"][3]["examples"][0]["picture"] = source
        assert "img" not in read(render(facts)).names


TOP = {"seeds": "Seeds", "scores": "Scores", "curves": "Curves", "checks": "Data checks", "parameters": "Parameters"}
TOP |= {"splits": "The test split"}
OF_SPLITS = {"labels": "By label", "confusion": "Confusion", "calibration": "Calibration", "slices": "Slices"}
OF_SPLITS |= {"distributions": "Distributions", "numbers": "Answers against truths", "galleries": "Tagged"}


@pytest.mark.parametrize(("key", "heading"), TOP.items(), ids=list(TOP))
def test_a_section_stands_for_its_key(key: str, heading: str) -> None:
    facts = whole()
    assert f">{heading}</h2>" in render(facts)
    del facts[key]
    assert f">{heading}</h2>" not in render(facts)


@pytest.mark.parametrize(("key", "heading"), OF_SPLITS.items(), ids=list(OF_SPLITS))
def test_a_part_of_a_split_stands_for_its_key(key: str, heading: str) -> None:
    facts = whole()
    assert f">{heading}</h3>" in render(facts)
    del facts["splits"]["test"][key]
    assert f">{heading}</h3>" not in render(facts)


def test_what_was_trained_and_what_it_took_is_one_section() -> None:
    facts = whole("plainly")
    section = render(facts).split('<section id="run">')[1].split("</section>")[0]
    assert "<dt>plainly</dt>" in section
    assert "2 h 2 min" in section
    for key in ("facts", "weights"):
        del facts[key]
    assert ">The run</h2>" in render(facts)
    del facts["cost"]
    assert ">The run</h2>" not in render(facts)


def test_the_findings_stand_first_and_lead_to_their_parts() -> None:
    html = render(whole("All is well."))
    header = html.split("<header>")[1].split("</header>")[0]
    assert header.index("All is well.</a> More.") < header.index('class="remark')
    assert '<span class="what">On test:</span> <a href="#split-test-examples-4">All is well.</a> More.' in header
    assert 'id="split-test-examples-4"' in html


def test_what_is_wrong_is_seen_at_once_and_the_rest_is_folded() -> None:
    facts = whole()
    folded = re.findall(r'<section id="([^"]+)">\s*<details>', render(facts))
    others = ("labels", "confusion", "numbers", "examples-4")
    assert {"curves", "checks", "parameters", "run", "repeat", "split-plain", "split-test-calibration"} < set(folded)
    assert {"split-test-slices", "split-test-distributions", "split-test-examples-0"} < set(folded)
    assert not {"scores", "seeds", "split-test", *(f"split-test-{name}" for name in others)} & set(folded)


def test_a_cell_of_the_matrix_leads_to_its_examples() -> None:
    html = render(whole())
    row = html.split('<table class="matrix">')[1].split("<tbody>")[1].split("</tr>")[0]
    (link,) = re.findall(r'<a href="#([^"]+)" aria-label="1: plain answered as b, 25%"><span>1</span>', row)
    examples = html.split(f'<h4 id="{link}"')[1].split("</ol>")[0]
    assert "&#8239;2</span></h4>" in examples, "how many there are"
    assert "answer 0.90 · truth 0.10 · #3 · plain" in examples


def test_a_cell_of_tagged_texts_leads_to_the_first_of_them() -> None:
    spans = [{"start": 0, "end": 1, "label": "person"}]
    example = {"input": ["Rome"], "spans": {"truth": spans, "answer": []}}
    pairs = [{"truth": "person", "answer": "place", "count": 2}, {"truth": "place", "answer": "person", "count": 1}]
    examples = [{"id": 1, **example, "pairs": [0]}, {"id": 2, **example, "pairs": [0, 1]}]
    shown = {"title": "Tagged", "kind": "tags", "pairs": pairs, "examples": examples}
    matrix = {"labels": ["person", "place"], "counts": [[1, 2], [1, 0]]}
    html = render({"splits": {"test": {"confusion": matrix, "galleries": [shown]}}})
    first, second = html.split('<ol class="examples">')[1].split("</ol>")[0].split("</li>")[:2]
    ids = [re.findall('<span id="([^"]+)"', one) for one in (first, second)]
    assert ids == [["split-test-examples-0-pair-0"], ["split-test-examples-0-pair-1"]]
    assert re.findall('<a href="#(split-test-examples[^"]+)" aria-label="([12])', html) == [
        (ids[0][0], "2"),
        (ids[1][0], "1"),
    ]


def test_a_cut_axis_is_called_cut() -> None:
    facts = whole()
    facts["scores"] = {"test": {"f1": {"value": 0.83, "low": 0.76, "high": 0.89}, "mse": entry(40.0)}}
    facts["headline"] = {"split": "test", "metric": "f1", **facts["scores"]["test"]["f1"]}
    table = render(facts).split("<caption>Scores by metric and split")[1].split("</table>")[0]
    assert table.startswith(". The axis is cut: it begins at 0.75</caption>")
    assert "//</span>0.75</span><span>0.90</span>" in table
    f1, mse = table.split("<tr>")[-2:]
    assert 'class="strip"' in f1
    assert 'class="strip"' not in mse, "a score of another range has no place on it"


def test_parts_are_sorted_by_the_worst() -> None:
    facts = whole()
    scores = {"young": 0.9, "old": 0.4, "middling": 0.6}
    facts["splits"]["test"]["slices"] = [
        {"column": "age", "value": value, "examples": 4, "scores": {"f1": entry(score)}}
        for value, score in scores.items()
    ]
    table = render(facts).split("<caption>By age, the worst first")[1].split("</table>")[0]
    assert re.findall('scope="row">([a-z]+)<', table) == ["old", "middling", "young"]


def test_curves_that_tell_nothing_new_are_left_out() -> None:
    facts = whole()
    steps = [1, 2, 3, 4]
    rising, other = [0.1, 0.5, 0.7, 0.75], [0.5, 0.3, 0.6, 0.2]
    facts["curves"] = {
        "loss": {"step": steps[:2], "value": [2.0, 1.0]},
        "lr": [{"name": "all", "step": steps, "value": [0.1] * 4}],
        "scores": {
            "accuracy": {"step": steps, "value": [value + 0.01 for value in rising]},
            "f1": {"step": steps, "value": rising},
            "recall": {"step": steps, "value": other},
            "mcc": {"step": steps, "value": [0.5] * 4},
        },
    }
    html = render(facts).split('<section id="curves">')[1].split("</section>")[0]
    assert re.findall("<figcaption><strong>([^<]+)", html) == ["f1", "recall"]
    assert all(f">{name}</th>" in html for name in ("accuracy", "f1", "mcc")), "the table has all"


def test_little_makes_a_page_too() -> None:
    read(render({}))
    html = render({"name": "mine", "scores": {"eval": {"f1": {"value": None, "low": None, "high": None}}}})
    assert '<h1 dir="auto">mine</h1>' in html


def seen(html: str) -> str:
    """What a reader sees, in one line."""
    return " ".join("".join(read(re.sub("<style>.*</style>", "", html, flags=re.DOTALL)).words).split())


def without(key: str) -> Facts:
    return {name: value for name, value in whole().items() if name != key}


def test_the_top_says_what_matters() -> None:
    top = seen(render(without("seeds"))).split("Contents")[0]
    assert "f1 on test" in top
    assert "0.500" in top
    assert "90%: 0.400 to 0.600 · 6 examples" in top
    assert "f1 on eval selected" in top
    assert "The run ended early: plain" in top
    assert "test: 1 of 6 rows plain" in top


def test_scores_of_several_seeds() -> None:
    words = seen(render(whole()))
    assert "mean of 2 seeds" in words
    assert "Means of 2 seeds, with 90% intervals of the mean over seeds, not over examples." in words
    assert "mean of 2 seeds · 90% (over seeds, not over examples): 0.400 to 0.600 · 6 examples" in words
    # 0.4 and 0.6: the mean is 0.5, the standard deviation of two is their distance by the root of 2.
    assert "test f10.40000.60000.50000.1414" in words.replace(" ", "").replace("testf1", "test f1")


def test_selected_is_marked_and_explained() -> None:
    html = render(whole() | {"best_by": "eval f1"})
    assert '<span class="badge warning">selected</span>' in html
    why = "selected: the weights kept (step 4) are those with the best f1 on eval, so its scores run high."
    assert html.count(why) == 2, "at the score at the top, and at the table"
    plain = without("seeds")
    plain["scores"]["eval"]["f1"].pop("selected")
    assert "selected" not in seen(render(plain))


def test_all_that_was_chosen_on_a_split_is_marked() -> None:
    facts = whole()
    split = facts["splits"].pop("test")
    split["calibration"]["ece"]["selected"] = True
    facts["splits"] = {"eval": split}
    for run in facts["seeds"]:
        run["scores"]["eval"] = {"f1": 0.5}
    html, badge = render(facts), '<span class="badge warning">selected</span>'
    assert f'<h2 dir="auto">The eval split {badge}</h2>' in html
    assert "selected: thresholds or weights were chosen on eval, so its scores run high." in html
    assert f"0.200 (0.100 to 0.300) {badge}; 0 is perfect" in html
    assert f"eval f1 {badge}</th>" in html
    assert "test f1</th>" in html


def test_parts_of_a_split_say_why_they_have_no_score() -> None:
    facts = whole()
    failed = {"column": "age", "value": "old", "examples": 2, "scores": {}, "failed": f"ValueError: {EVIL}"}
    facts["splits"]["test"]["slices"] = [{**failed, "value": "young", "scores": {"f1": entry(0.5)}}, failed]
    facts["splits"]["test"]["slices"][0].pop("failed")
    html = render(facts)
    assert "why it has no score" in html
    assert EVIL in "".join(read(html).words)
    facts["splits"]["test"]["slices"] = [failed]
    assert EVIL in "".join(read(render(facts)).words)


@pytest.mark.parametrize(("metric", "weakest"), [("mse", "b"), ("pearson", "a")])
def test_the_weakest_numbers_come_first(metric: str, weakest: str) -> None:
    facts = whole()
    rows = [{"label": "a", metric: entry(0.25)}, {"label": "b", metric: entry(0.75)}]
    facts["splits"]["test"]["labels"] = rows
    table = render(facts).split("Scores by label, the weakest first</caption>")[1]
    assert re.findall(r'scope="row">([ab])<', table)[0] == weakest


def test_of_many_numbers_those_drawn_are_said() -> None:
    facts = whole()
    facts["splits"]["test"]["numbers_left_out"] = 9
    assert "The 1 of 10 numbers with the largest errors" in seen(render(facts))


def test_captions_of_pictures_can_be_read() -> None:
    facts = whole()
    example = {"id": 1, "answer": "Coat", "truth": "Shirt", "score": 0.98765, "truth_score": 0.00221582}
    facts["splits"]["test"]["galleries"] = [{"title": "T", "kind": "pictures", "examples": [example]}]
    words = "".join(read(render(facts)).words)
    assert "✗ Coat 0.99" in words
    assert "truth Shirt <0.01" in words


def test_of_many_labels_the_weakest_are_shown_and_all_folded() -> None:
    facts = whole()
    facts["splits"]["test"]["labels"] = [
        {"label": f"label {n}", "examples": 2, "f1": entry(n / 200)} for n in range(150)
    ]
    words = seen(render(facts))
    assert "The 10 weakest of 150 labels." in words
    assert "label 149" not in words.split("All 150 labels")[0], "in the folded table only"
    assert words.index("label 0") < words.index("label 9") < words.index("All 150 labels")


def test_a_confusion_matrix_has_numbers_and_shares() -> None:
    html = render(whole())
    assert 'class="right full" style="--shade: 0.875"><span>3</span><small>75%</small>' in html
    assert re.search(r'<td style="--shade: 0.225"><a [^>]+><span>1</span><small>25%</small></a>', html)
    assert "1 label with fewer examples has no row." in html


def test_shares_of_a_confusion_matrix_are_of_all_answers_to_a_truth() -> None:
    facts = whole()
    matrix = {"labels": ["a", "b"], "counts": [[1, 1], [0, 5]], "other_answers": [2, 0], "left_out": 3}
    facts["splits"]["test"]["confusion"] = matrix
    html = render(facts)
    assert "<i>other labels</i></span></th></tr>" in html
    first, second = html.split('<table class="matrix">')[1].split("</tbody>")[0].split("<tr>")[2:]
    assert re.findall(r"<small>(\d+%)</small>", first) == ["25%", "25%", "50%"]
    assert re.findall(r"<small>(\d+%)</small>", second) == ["100%"]
    assert first.count("right") == 1, "the last column is nobody's own"
    assert "3 labels with fewer examples have no row. As answers they are in the column other labels." in seen(html)


def test_long_names_break_where_they_are_joined() -> None:
    facts = whole()
    facts["splits"]["test"]["confusion"]["labels"][0] = "cancel_reservation"
    html = render(facts)
    assert "<span>cancel_<wbr/>reservation</span></th>" in html
    table = Table(("metric",), [("precision_weighted",), ("v1.0_224 <b>",), (0.5,)])
    html = filled("sections/table.html", content=table)
    assert re.findall(r'scope="row">(.*)</th>', html) == ["precision_<wbr/>weighted", "v1.0_224 &lt;b&gt;", "0.5"]


def test_a_table_without_headings_has_no_row_for_them() -> None:
    html = filled("sections/table.html", content=Table(("", ""), [("seed", "1")], "Machine"))
    assert "thead" not in html
    assert "<caption>Machine</caption>" in html


def test_what_is_odd_is_a_warning_wherever_it_stands() -> None:
    facts = {"checks": {"findings": [], "remarks": ["odd answers"], "warnings": ["odd rows"]}}
    kinds = re.findall(r'<p class="remark (\w+)">.*?(odd \w+)', render(facts))
    assert kinds == [("warning", "odd answers"), ("warning", "odd rows")] * 2


@pytest.mark.parametrize(("count", "said"), [(3, "odd 2"), (4, "1 more warning"), (5, "2 more warnings")])
def test_of_many_warnings_the_first_stand_at_the_top(count: int, said: str) -> None:
    top = seen(render({"checks": {"warnings": [f"odd {number}" for number in range(count)]}})).split("Data checks")[0]
    assert top.rstrip().endswith(f"Warning {said}")


def test_a_long_source_stands_above_what_was_made_of_it() -> None:
    facts = whole()
    writing = next(shown for shown in facts["splits"]["test"]["galleries"] if shown["kind"] == "writing")
    example = writing["examples"][0]
    writing["examples"] = [example, {**example, "input": ["a question", "word " * 80]}]
    sides = re.findall(r'class="(side[^"]*)"><p class="side-name">(\w+)', render(facts))
    below = [("side", "truth"), ("side", "answer")]
    assert sides == [("side", "source"), *below, ("side wide", "source"), *below]


def test_counts_of_rows_say_what_was_counted() -> None:
    splits = {"train": {"rows": 9, "cut": 1, "in_windows": 2}, "test": {"rows": 5, "source_cut": 3}}
    words = seen(render({"checks": {"splits": splits}}))
    for said in ("rows95", "rows cut short1", "rows read in windows2", "sources cut short–3"):  # noqa: RUF001
        assert said in words


def test_spans_are_labelled_and_their_differences_marked() -> None:
    facts, spans = whole(), [{"start": 0, "end": 2, "label": "person"}, {"start": 2, "end": 3, "label": "place"}]
    example = {
        "id": 1,
        "input": ["Ann", "Lee", "Rome", "!"],
        "spans": {"answer": spans, "truth": spans[:1]},
        "tight": [3],
    }
    facts["splits"]["test"]["galleries"] = [{"title": "T", "note": "", "kind": "tags", "examples": [example]}]
    html = render(facts)
    same = '<mark class="tint-0">Ann Lee<small dir="auto">person</small></mark>'
    assert f"{same} Rome!</span>" in html, "the truth"
    assert f'{same} <mark class="tint-1 differs">Rome<small dir="auto">place</small></mark>!</span>' in html, (
        "the answer"
    )


@pytest.mark.parametrize(
    ("answer", "truth", "mark"),
    [
        ("a", "a", "✓"),
        ("a", "b", "✗"),
        (["a", "b"], ["b", "a"], "✓"),
        ([], ["a"], "✗"),
        ("a", None, None),
        (0.5, 0.25, None),
    ],
)
def test_right_and_wrong_have_signs(answer: Any, truth: Any, mark: str | None) -> None:
    facts = whole()
    example = {"id": 1, "input": "x", "answer": answer, "truth": truth}
    facts["splits"] = {"test": {"galleries": [{"title": "T", "note": "", "kind": "texts", "examples": [example]}]}}
    assert [sign for sign in "✓✗" if sign in render(facts)] == ([mark] if mark else [])


def test_of_many_pictures_the_first_are_shown() -> None:
    facts = whole()
    shown = facts["splits"]["test"]["galleries"][3]
    shown["examples"] = [{**shown["examples"][0], "id": number} for number in range(24)]
    first, rest = render(facts).split("<summary>12 more</summary>")
    assert (first.count("<img"), rest.count("<img")) == (12, 12)


def test_a_label_has_the_same_colour_in_all_splits() -> None:
    def tagged(*labels: str) -> Facts:
        spans = [{"start": place, "end": place + 1, "label": label} for place, label in enumerate(labels)]
        example = {"id": 1, "input": ["a", "b"], "spans": {"truth": spans, "answer": []}}
        return {"galleries": [{"title": "Tagged", "kind": "tags", "examples": [example]}]}

    html = render({"splits": {"test": tagged("place"), "eval": tagged("person", "place")}})
    marks = re.findall(r'class="(tint-\d)[^>]*>[^<]*<small dir="auto">(\w+)', html)
    assert marks == [("tint-1", "place"), ("tint-0", "person"), ("tint-1", "place")]


def test_long_galleries_and_texts_are_folded() -> None:
    facts = whole("long " * 400)
    gallery = facts["splits"]["test"]["galleries"][0]
    gallery["examples"] = [{**gallery["examples"][0], "id": number} for number in range(12)]
    words = seen(render(facts))
    assert "The whole text" in words
    assert "7 more" in words


def test_large_facts_make_a_page_of_a_few_megabytes() -> None:
    facts = whole("some words of an example " * 20)
    series = {"step": list(range(1000)), "value": [1 / (1 + step) for step in range(1000)]}
    facts["curves"] |= {"loss": {**series, "smooth": series["value"]}, "gradient_norm": series}
    facts["curves"]["lr"] = [{"name": f"encoder {n}", **series} for n in range(8)]
    split = facts["splits"]["test"]
    split["labels"] = [
        {"label": f"label {n}", "examples": 2, "f1": entry(0.5), "recall": entry(0.5)} for n in range(1000)
    ]
    split["confusion"] = {"labels": [f"label {n}" for n in range(20)], "counts": [[5] * 20] * 20, "left_out": 980}
    split["numbers"] = [{"name": "n", "truth": [1 / n for n in range(1, 501)], "answer": [0.5] * 500}]
    split["galleries"] = [
        {**gallery, "title": f"{n}", "examples": gallery["examples"] * 12}
        for n in range(4)
        for gallery in split["galleries"]
    ]
    html = render(facts)
    read(html)
    assert len(html.encode()) < 5_000_000


def test_the_shell_serves_other_pages() -> None:
    body = Table(("run", "accuracy"), [("<a>", 0.5), ("all", 0.6)], "Runs", last_is_total=True)
    sections = [Section("a", "A", "table", body), Section("b", "B")]
    html = filled("page.html", title="Two runs", kind="", lead="Which is better?", sections=sections)
    reader = read(html)
    assert '<th class="words short" dir="auto" scope="row">&lt;a&gt;</th>' in html
    assert '<tr class="total">' in html
    assert reader.values("href") == ["data:,", "#a", "#b"]
    assert "nav" not in read(filled("page.html", title="One", kind="", lead="", sections=sections[:1])).names
    with pytest.raises(UndefinedError, match="'sections' is undefined"):
        filled("page.html", title="One", kind="", lead="")
