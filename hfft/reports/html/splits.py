"""What a report says of one split: confusion, calibration, distributions, answers against truths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from hfft.reports.html.chart_series import histogram, reliability, strip
from hfft.reports.html.charts import Words, scatter, tick_text
from hfft.reports.html.components import EMPTY, Html, Section, figure, figures, join, scroll_box, table, tag, void
from hfft.reports.html.examples import gallery, span_labels
from hfft.reports.html.numbers import range_text, score_text, share_text
from hfft.reports.html.scores import CHOSEN_HERE, is_selected, labels_part, selected_badge, slices_part, split_ids

Facts = Mapping[str, Any]

FULL = 0.5  # from this share on a cell is so dark that its text turns light

OTHER = "other labels"


def split_sections(facts: Facts) -> list[Section]:
    """A section for each split."""
    splits = facts.get("splits", {})
    metric = facts.get("headline", {}).get("metric")
    return [
        _split_section(name, found, id_, metric, is_selected(facts, name))
        for (name, found), id_ in zip(splits.items(), split_ids(list(splits)), strict=True)
    ]


def _split_section(name: str, found: Facts, id_: str, metric: str | None, selected: bool) -> Section:
    """All there is to see of a split."""
    parts = []
    if found.get("labels"):
        parts.append(labels_part(found["labels"], f"{id_}-labels"))
    if found.get("confusion"):
        parts.append(_confusion_part(found, f"{id_}-confusion"))
    if found.get("calibration"):
        parts.append(_calibration_part(found["calibration"], f"{id_}-calibration"))
    if found.get("distributions"):
        parts.append(_distributions_part(found["distributions"], f"{id_}-distributions"))
    if found.get("numbers"):
        parts.append(_numbers_part(found["numbers"], f"{id_}-numbers", found.get("numbers_left_out", 0)))
    if found.get("slices"):
        parts.append(slices_part(found["slices"], f"{id_}-slices", metric))
    names = span_labels(found)
    for number, shown in enumerate(found.get("galleries", ())):
        parts.append(gallery(shown, f"{id_}-examples-{number}", names))
    mark, lead = (selected_badge(True), CHOSEN_HERE) if selected else (EMPTY, "")
    return Section(id_, f"The {name} split", lead=lead, parts=parts, mark=mark)


def _confusion_part(found: Facts, id_: str) -> Section:
    """The confusion matrix, and the pairs that are confused most."""
    matrix = found["confusion"]
    lead = "Rows are truths, columns answers. A cell says how many examples, and their share of the row."
    others = matrix.get("other_answers", ())
    body = [confusion_table(matrix["labels"], matrix["counts"], others)]
    if matrix.get("left_out"):
        left_out = matrix["left_out"]
        what = "1 label with fewer examples has" if left_out == 1 else f"{left_out} labels with fewer examples have"
        column = f" As answers {'it is' if left_out == 1 else 'they are'} in the column {OTHER}." if others else ""
        body.append(tag("p", f"{what} no row.{column}", class_="quiet small"))
    if matrix.get("note"):
        body.append(tag("p", matrix["note"], class_="quiet small"))
    if found.get("confused"):
        most = max(pair["count"] for pair in found["confused"])
        rows = [
            (
                pair["truth"],
                pair["answer"],
                pair["count"],
                strip(f"{pair['truth']} answered as {pair['answer']}", pair["count"], (None, None), (0, most)),
            )
            for pair in found["confused"]
        ]
        body.append(
            table(("truth", "answered as", "examples", ""), rows, caption="The most confused pairs", words=(0, 1))
        )
    return Section(id_, "Confusion", join(body), lead)


def confusion_table(labels: Sequence[str], counts: Sequence[Sequence[int]], others: Sequence[int] = ()) -> Html:
    """A confusion matrix as a table whose cells are the darker the larger their share of the row.

    Args:
        labels: Of rows and columns.
        counts: How many of the row's truth had the column's answer.
        others: How many of each row's truth had an answer without a column; empty where every answer has one.
    """
    head = tag(
        "tr",
        tag("th", join(["truth ↓", void("br"), "answer →"]), scope="col"),
        *(tag("th", tag("span", name, dir="auto"), scope="col", title=name) for name in labels),
        tag("th", tag("span", tag("i", OTHER)), scope="col", title="labels without a column") if others else EMPTY,
    )
    rows = []
    for place, (name, row) in enumerate(zip(labels, counts, strict=True)):
        whole_row = [*row, others[place]] if others else row
        whole = sum(whole_row)
        shares = [count / whole if whole else 0.0 for count in whole_row]
        both = enumerate(zip(whole_row, shares, strict=True))
        cells = (_cell(count, share, place == column) for column, (count, share) in both)
        rows.append(tag("tr", tag("th", name, scope="row", dir="auto", title=name), *cells))
    return scroll_box(tag("table", tag("thead", head), tag("tbody", *rows), class_="matrix"), "Confusion matrix")


def shade(share: float) -> float:
    """How dark a cell is, from 0 to 1; between `FULL` and what lies below it is a step, so that its text can be read.

    >>> shade(0.25), shade(0.5), shade(1.0)
    (0.225, 0.75, 1.0)
    """
    return 0.5 + share / 2 if share >= FULL else 0.9 * share


def _cell(count: int, share: float, right: bool) -> Html:
    """A cell of the matrix."""
    classes = [*(["right"] if right else []), *(["full"] if share >= FULL else []), *(["none"] if not count else [])]
    inside = (
        join([f"{count:,}", tag("small", "<1%" if 0 < share < 0.005 else f"{100 * share:.0f}%")])
        if count
        else Html("·")
    )
    return tag("td", inside, class_=" ".join(classes) or None, style=f"--shade: {shade(share):.3f}" if count else None)


def _calibration_part(found: Facts, id_: str) -> Section:
    """The reliability diagram with the expected calibration error."""
    ece, kind = found["ece"], found.get("kind", "the answer's probability")
    between = range_text(ece, 3)
    lead = join(
        [
            f"Whether probabilities can be believed: here {kind}. Expected calibration error (ECE): "
            f"{score_text(ece['value'], 3)}{f' ({between})' if between else ''}",
            join([" ", selected_badge(True)]) if ece.get("selected") else EMPTY,
            "; 0 is perfect. Below the diagonal the model is too sure of itself.",
        ]
    )
    filled = [part for part in found["bins"] if part["examples"]]
    told = "; ".join(
        f"{part['examples']} examples at {share_text(part['confidence'])}: {share_text(part['accuracy'])} right"
        for part in filled
    )
    words = Words(f"{id_}-chart", "Reliability diagram", f"{told}.", "probability", "share of right answers")
    rows = [
        (
            f"{part['low']:g} to {part['high']:g}",
            f"{part['examples']:,}",
            score_text(part["confidence"], 3),
            score_text(part["accuracy"], 3),
        )
        for part in filled
    ]
    numbers = table(("probability", "examples", "mean probability", "right"), rows, caption="By probability")
    caption = join([tag("strong", "Reliability"), Html(": how often answers of a given probability were right")])
    remark = tag("p", found["note"], class_="quiet small") if found.get("note") else EMPTY
    return Section(id_, "Calibration", join([figure(reliability(words, filled), caption, numbers), remark]), lead)


def _distributions_part(found: Sequence[Facts], id_: str) -> Section:
    """Histograms, with the numbers as tables."""
    shown = []
    for number, part in enumerate(found):
        edges, series = part["edges"], [(one["name"], one["counts"]) for one in part["series"]]
        told = "; ".join(f"{name}: {_peak(edges, counts)}" for name, counts in series)
        words = Words(f"{id_}-{number}", part["name"], f"{told}.", part.get("unit", ""), "examples")
        step = edges[1] - edges[0] if len(edges) > 1 else 1.0
        rows = [
            (f"{tick_text(low, step)} to {tick_text(high, step)}", *(f"{counts[place]:,}" for _, counts in series))
            for place, (low, high) in enumerate(pairwise(edges))
        ]
        numbers = table((part.get("unit") or "value", *(name for name, _ in series)), rows, caption=part["name"])
        shown.append(figure(histogram(words, edges, series), tag("strong", part["name"]), numbers))
    return Section(id_, "Distributions", figures(shown))


def _peak(edges: Sequence[float], counts: Sequence[int]) -> str:
    """Where most of a histogram stands."""
    place = max(range(len(counts)), key=lambda number: counts[number])
    return f"{sum(counts)} examples, most of them ({counts[place]}) from {edges[place]:g} to {edges[place + 1]:g}"


def _numbers_part(found: Sequence[Facts], id_: str, left_out: int) -> Section:
    """Answers against truths."""
    shown = []
    for number, part in enumerate(part for part in found if part["truth"]):
        told = f"{len(part['truth'])} examples; truths from {min(part['truth']):g} to {max(part['truth']):g}."
        words = Words(f"{id_}-{number}", f"{part['name']}: answers against truths", told, "truth", "answer")
        rows = [
            (score_text(truth), score_text(answer), score_text(answer - truth))
            for truth, answer in list(zip(part["truth"], part["answer"], strict=True))[:25]
        ]
        numbers = table(("truth", "answer", "difference"), rows, caption="The first examples", words=())
        drawn = scatter(words, part["truth"], part["answer"])
        shown.append(figure(drawn, join([tag("strong", part["name"]), Html(": answer against truth")]), numbers))
    lead = (
        f"The {len(found)} of {len(found) + left_out} numbers with the largest errors, each by the standard deviation "
        "of its truths. The scores of all of them are in the table above."
    )
    return Section(id_, "Answers against truths", figures(shown), lead if left_out else "")
