"""What a report says of one split: confusion, calibration, distributions, answers against truths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hfft.reports.html.chart_series import histogram, reliability, scatter
from hfft.reports.html.charts import Words, tick_text
from hfft.reports.html.examples import gallery, pair_links, span_labels
from hfft.reports.html.numbers import score_text, share_text
from hfft.reports.html.parts import Figure, Section, Table, slugs
from hfft.reports.html.scores import is_selected, labels_part, slices_part, why_selected

Facts = Mapping[str, Any]

FULL = 0.5  # from this share on a cell is so dark that its text turns light

ROWS = 25  # of the table of numbers below a scatter plot


def split_sections(facts: Facts) -> list[Section]:
    """A section for each split; all but the first are folded."""
    splits = facts.get("splits", {})
    spans = span_labels(splits.values())
    return [
        _split_section(facts, name, id_, spans, number > 0)
        for number, (name, id_) in enumerate(zip(splits, slugs(splits, "split-"), strict=True))
    ]


def _split_section(facts: Facts, name: str, id_: str, spans: Sequence[str], folded: bool) -> Section:
    """All there is to see of a split: what is wrong first, and what is told by the way folded."""
    found, metric = facts["splits"][name], facts.get("headline", {}).get("metric")
    galleries = found.get("galleries", ())
    ids = [f"{id_}-examples-{number}" for number in range(len(galleries))]
    shown = [(one.get("open"), gallery(one, id, spans)) for one, id in zip(galleries, ids, strict=True)]
    makers: dict[str, Callable[[str], Section]] = {
        "confusion": lambda id: _confusion_part(found, id, pair_links(zip(galleries, ids, strict=True))),
        "numbers": lambda id: _numbers_part(found["numbers"], id, found.get("numbers_left_out", 0)),
        "labels": lambda id: labels_part(found["labels"], id),
        "calibration": lambda id: _calibration_part(found["calibration"], id),
        "distributions": lambda id: _distributions_part(found["distributions"], id),
        "slices": lambda id: slices_part(found["slices"], id, metric),
    }
    made = {key: make(f"{id_}-{key}") for key, make in makers.items() if found.get(key)}
    first = [made[key] for key in ("confusion", "numbers") if key in made]
    first += [part for is_open, part in shown if is_open]
    rest = [part for key, part in made.items() if key not in ("confusion", "numbers")]
    parts = [*first, *rest, *(replace(part, folded=True) for is_open, part in shown if not is_open)]
    selected = is_selected(facts, name)
    content = {
        "in_short": in_short(found, parts) if folded else (),  # that of the first stands at the top of the page
        "why_selected": why_selected(facts, name) if selected else "",
    }
    return Section(id_, f"The {name} split", "split", content, parts, selected, folded)


def in_short(found: Facts, parts: Sequence[Section]) -> list[tuple[str, str]]:
    """The findings of a split as sentences, each with the link to where there is more of it, or an empty one."""
    places = {part.title: f"#{part.id}" for part in parts}
    return [(one["text"], places.get(one["see"], "")) for one in found.get("in_short", ())]


def shade(share: float) -> float:
    """How dark a cell is, from 0 to 1; between `FULL` and what lies below it is a step, so that its text can be read.

    >>> shade(0.25), shade(0.5), shade(1.0)
    (0.225, 0.75, 1.0)
    """
    return 0.5 + share / 2 if share >= FULL else 0.9 * share


def _confusion_part(found: Facts, id_: str, links: Mapping[tuple[str, str], str]) -> Section:
    """The confusion matrix, whose cells lead to their examples."""
    matrix = found["confusion"]
    others = matrix.get("other_answers", ())
    content = {
        "labels": matrix["labels"],
        "rows": _rows(matrix["labels"], matrix["counts"], others, links),
        "linked": bool(links),
        "others": bool(others),
        "left_out": matrix.get("left_out", 0),
        "note": matrix.get("note", ""),
    }
    return Section(id_, "Confusion", "confusion", content)


def _rows(
    labels: Sequence[str],
    counts: Sequence[Sequence[int]],
    others: Sequence[int],
    links: Mapping[tuple[str, str], str],
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The rows of a confusion matrix, whose cells are the darker the larger their share of the row.

    Args:
        labels: Of rows and columns.
        counts: How many of the row's truth had the column's answer.
        others: How many of each row's truth had an answer without a column; empty where every answer has one.
        links: To the examples, by truth and answer.
    """
    rows = []
    for place, (name, row) in enumerate(zip(labels, counts, strict=True)):
        whole_row = [*row, others[place]] if others else row
        whole = sum(whole_row) or 1
        cells = [_cell(count, count / whole, column == place) for column, count in enumerate(whole_row)]
        for cell, answer in zip(cells, labels, strict=False):
            cell["link"], cell["told"] = links.get((name, answer), ""), f"{name} answered as {answer}"
        rows.append((name, cells))
    return rows


def _cell(count: int, share: float, right: bool) -> dict[str, Any]:
    """A cell of the matrix; `right` says that truth and answer are the same."""
    kinds = {"right": right, "full": share >= FULL, "none": not count}
    return {
        "count": count,
        "percent": "<1%" if 0 < share < 0.005 else f"{100 * share:.0f}%",
        "shade": f"{shade(share):.3f}",
        "kinds": " ".join(kind for kind, is_so in kinds.items() if is_so),
        "link": "",
    }


def _calibration_part(found: Facts, id_: str) -> Section:
    """The reliability diagram with the expected calibration error."""
    told = "; ".join(
        f"{part['examples']} examples at {share_text(part['confidence'])}: {share_text(part['accuracy'])} right"
        for part in found["bins"]
    )
    words = Words(f"{id_}-chart", "Reliability diagram", f"{told}.", "probability", "share of right answers")
    rows = [
        (
            f"{part['low']:g} to {part['high']:g}",
            f"{part['examples']:,}",
            score_text(part["confidence"], 3),
            score_text(part["accuracy"], 3),
        )
        for part in found["bins"]
    ]
    numbers = Table(("probability", "examples", "mean probability", "right"), rows, "By probability")
    caption = ": how often answers of a given probability were right"
    content = {
        "kind": found.get("kind", "the answer's probability"),
        "ece": found["ece"],
        "figure": Figure(reliability(words, found["bins"]), "Reliability", caption, numbers),
        "note": found.get("note", ""),
    }
    return Section(id_, "Calibration", "calibration", content, folded=True)


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
        numbers = Table((part.get("unit") or "value", *(name for name, _ in series)), rows, part["name"])
        shown.append(Figure(histogram(words, edges, series), part["name"], numbers=numbers))
    return Section(id_, "Distributions", "figures", {"figures": shown}, folded=True)


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
        pairs = list(zip(part["truth"], part["answer"], strict=True))[:ROWS]
        rows = [tuple(map(score_text, (truth, answer, answer - truth))) for truth, answer in pairs]
        numbers = Table(("truth", "answer", "difference"), rows, "The first examples", words=())
        drawn = scatter(words, part["truth"], part["answer"])
        shown.append(Figure(drawn, part["name"], ": answer against truth", numbers))
    content = {"figures": shown, "drawn": len(found), "left_out": left_out}
    return Section(id_, "Answers against truths", "numbers", content)
