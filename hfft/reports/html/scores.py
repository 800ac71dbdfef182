"""The scores of a report: the numbers at its top, the table of all of them, runs of several seeds, and slices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any
from urllib.parse import quote

from hfft.metrics.intervals import WHY_NONE
from hfft.reports.html.components import EMPTY, Html, Section, badge, details, join, note, slugs, table, tag, void
from hfft.reports.html.numbers import NOTHING, domain_of, entry_cell, entry_strip, range_text, score_text
from hfft.tasks.classification import Classification

Facts = Mapping[str, Any]

ASIDE = ("_micro", "_weighted")

SELECTED = (
    "Scores marked selected are on the high side: the weights or the thresholds were chosen on that split. "
    "Those of a split without the mark are the ones to rely on."
)

CHOSEN_HERE = "The weights or the thresholds were chosen on this split: all its scores are on the high side."

SEEDS_ALONE = "over seeds alone, the examples as they are"


def headline(facts: Facts) -> Html:
    """The score that matters most in large figures, and the same score on the other splits."""
    if "headline" not in facts:
        return EMPTY
    first = facts["headline"]
    cards = [_card(first, first["split"], first["metric"], facts, first.get("examples"), True)]
    for split, scores in facts.get("scores", {}).items():
        if split != first["split"] and first["metric"] in scores:
            count = facts.get("examples", {}).get(split)
            cards.append(_card(scores[first["metric"]], split, first["metric"], facts, count, False))
    return tag("div", *cards, class_="headline")


def scores_section(facts: Facts) -> Section | None:
    """All scores by metric, a column for each split."""
    scores = facts.get("scores")
    if not scores:
        return None
    splits = list(scores)
    metrics = list(dict.fromkeys(metric for found in scores.values() for metric in found))
    aside = [metric for metric in metrics if metric.endswith(ASIDE)]
    body = [_score_table(facts, [metric for metric in metrics if metric not in aside], splits)]
    if aside:
        body.append(details("Averaged otherwise", _score_table(facts, aside, splits), printed=False))
    if any(entry.get("selected") for found in scores.values() for entry in found.values()):
        body.append(tag("p", SELECTED, class_="small quiet"))
    lacking = any(entry.get("low") is None for found in scores.values() for entry in found.values())
    if lacking and not facts.get("seeds"):
        body.append(tag("p", WHY_NONE, class_="small quiet"))
    signatures = {
        f"{metric}, {split}": signature
        for split, found in facts.get("signatures", {}).items()
        for metric, signature in found.items()
    }
    if signatures:
        rows = [(name, tag("code", signature)) for name, signature in signatures.items()]
        body.append(details("How they were computed", table(("score", "signature"), rows, words=(0, 1))))
    if facts.get("seeds"):
        lead = (
            f"Means over {len(facts['seeds'])} seeds, with {_confidence(facts)} intervals of the mean: {SEEDS_ALONE}."
        )
    else:
        lead = f"With {_confidence(facts)} intervals over the examples."
    return Section("scores", "Scores", join(body), lead)


def seeds_section(facts: Facts) -> Section | None:
    """The runs of several seeds, side by side, with their mean and spread."""
    seeds = facts.get("seeds")
    if not seeds:
        return None
    scores = [(split, found) for run in seeds for split, found in run["scores"].items()]
    pairs = dict.fromkeys((split, metric) for split, found in scores for metric in found)
    rows = []
    for split, metric in (pair for pair in pairs if not pair[1].endswith(ASIDE)):
        values = [run["scores"].get(split, {}).get(metric) for run in seeds]
        there = [value for value in values if value is not None]
        whole = [mean(there) if there else None, stdev(there) if len(there) > 1 else None]
        entry = facts.get("scores", {}).get(split, {}).get(metric, {})
        named = join([f"{split} {metric}", selected_badge(entry.get("selected", False))], " ")
        rows.append((named, *map(score_text, [*values, *whole])))
    chosen = f" The best one was chosen by {facts['best_by']}, so its score there is on the high side."
    lead = f"The same recipe, trained once with each seed.{chosen if facts.get('best_by') else ''}"
    titles = ("", *(_seed_title(run) for run in seeds), "mean", "spread (standard deviation)")
    return Section("seeds", "Seeds", table(titles, rows, caption="Scores by seed"), lead)


def _seed_title(run: Facts) -> Html:
    """The name of a seed's run, with a link to its own report and a mark where it is the best."""
    name = f"seed {run['seed']}"
    linked = tag("a", name, href=quote(run["report"])) if "report" in run else name
    return join([linked, badge("best", "good") if run.get("best") else None], " ")


def slices_part(slices: Sequence[Facts], id_: str, metric: str | None) -> Section:
    """The scores of parts of a split: by length, by label, by a column."""
    parts = []
    for column in dict.fromkeys(found["column"] for found in slices):
        rows = [found for found in slices if found["column"] == column]
        metrics = list(dict.fromkeys(name for row in rows for name in row["scores"] if not name.endswith(ASIDE)))
        metrics.sort(key=lambda name: name != metric)
        shown = metrics[:4]
        domain = domain_of(row["scores"][shown[0]] for row in rows if shown and shown[0] in row["scores"])
        cells = [
            (
                row["value"],
                f"{row['examples']:,}",
                *(entry_cell(row["scores"].get(name), 3) for name in shown[:1]),
                *(entry_strip(f"{row['value']}, {name}", row["scores"].get(name), domain) for name in shown[:1]),
                *(entry_cell(row["scores"].get(name), 3) for name in shown[1:]),
            )
            for row in rows
        ]
        titles = (column, "examples", *shown[:1], *("" for _ in shown[:1]), *shown[1:])
        words = (0,)
        if any(row.get("failed") for row in rows):
            cells = [(*cell, row.get("failed", "")) for cell, row in zip(cells, rows, strict=True)]
            words, titles = (0, len(titles)), (*titles, "why it has no score")
        drawn = table(titles, cells, caption=f"By {column}", words=words)
        parts.append(drawn if len(rows) <= WEAKEST else details(f"By {column}: all {len(rows)}", drawn, printed=False))
    return Section(id_, "Slices", join(parts), "Where the model does better and worse.")


def labels_part(labels: Sequence[Facts], id_: str) -> Section:
    """The scores of single labels, the weakest first, with their intervals as bars."""
    metrics = list(dict.fromkeys(name for row in labels for name in row if name not in ("label", "examples")))
    first = "f1" if "f1" in metrics else metrics[0] if metrics else None
    sign = -1 if first in Classification.lower_is_better else 1
    ordered = sorted(labels, key=lambda row: _value(row.get(first), sign) if first else 0.0)
    shown = ordered if len(ordered) <= WHOLE else ordered[:WEAKEST]
    body = [_label_table(shown, metrics, first, "Scores by label, the weakest first")]
    if len(ordered) > len(shown):
        everything = sorted(labels, key=lambda row: str(row["label"]).lower())
        whole = _label_table(everything, metrics, first, "Scores by label, by name")
        body = [
            tag("p", f"The {len(shown)} weakest of {len(labels)} labels.", class_="quiet small"),
            *body,
            details(f"All {len(labels)} labels", whole, printed=False),
        ]
    return Section(id_, "By label", join(body))


WHOLE, WEAKEST = 30, 15  # so many labels are shown at once; of more, so many of the weakest


def _label_table(labels: Sequence[Facts], metrics: Sequence[str], first: str | None, caption: str) -> Html:
    """A row for each label: examples, the first score with its bar, the other scores."""
    domain = domain_of(row[first] for row in labels if first and row.get(first))
    others = [name for name in metrics if name != first]
    rows = [
        (
            row["label"],
            f"{row['examples']:,}" if "examples" in row else NOTHING,
            *(
                (entry_cell(row.get(first), 3), entry_strip(f"{row['label']}, {first}", row.get(first), domain))
                if first
                else ()
            ),
            *(entry_cell(row.get(name), 3) for name in others),
        )
        for row in labels
    ]
    return table(("label", "examples", *((first, "") if first else ()), *others), rows, caption=caption)


def _score_table(facts: Facts, metrics: Sequence[str], splits: Sequence[str]) -> Html:
    """A row for each metric, two columns for each split: the value with its interval, and its bar."""
    scores, titles = facts["scores"], []
    for split in splits:
        mark = selected_badge(is_selected(facts, split))
        count = facts.get("examples", {}).get(split)
        examples = tag("small", f"{count:,} examples") if count is not None else None
        titles += [join([split, mark, join([void("br"), examples]) if examples else None], " "), ""]
    rows = []
    for metric in metrics:
        domain = domain_of(scores[split][metric] for split in splits if metric in scores[split])
        cells = []
        for split in splits:
            entry = scores[split].get(metric)
            cells += [entry_cell(entry), entry_strip(f"{split} {metric}", entry, domain)]
        rows.append((metric, *cells))
    return table(("", *titles), rows, caption="Scores by metric and split")


def _card(entry: Facts, split: str, metric: str, facts: Facts, examples: int | None, first: bool) -> Html:
    """One score in large figures."""
    between = range_text(entry, 3)
    mark, seeds = selected_badge(entry.get("selected", False)), facts.get("seeds")
    under = [f"mean of {len(seeds)} seeds"] if seeds else []
    under += [f"{_confidence(facts)}{f' ({SEEDS_ALONE})' if seeds else ''}: {between}"] if between else []
    under += [f"{examples:,} examples"] if examples else []
    return tag(
        "div",
        tag("p", join([f"{metric} on {split}", mark], " "), class_="name"),
        tag("p", score_text(entry["value"], 3), class_="value"),
        tag("p", " · ".join(under), class_="range quiet"),
        entry_strip(f"{split} {metric}", entry, domain_of([entry])),
        class_="score first" if first else "score",
    )


def selected_note(facts: Facts) -> Html:
    """Says at the top what the mark means, where the first score has it."""
    return note(SELECTED) if facts.get("headline", {}).get("selected") else EMPTY


def is_selected(facts: Facts, split: str) -> bool:
    """Whether weights or thresholds were chosen on a split."""
    ece = facts.get("splits", {}).get(split, {}).get("calibration", {}).get("ece", {})
    entries = [*facts.get("scores", {}).get(split, {}).values(), ece]
    return any(entry.get("selected") for entry in entries)


def selected_badge(selected: bool) -> Html:
    """The mark of a score that runs high; nothing where it does not."""
    return badge("selected", "warning") if selected else EMPTY


def _confidence(facts: Facts) -> str:
    """The confidence of the intervals in percent."""
    return f"{100 * facts.get('confidence', 0.95):g}%"


def _value(entry: Facts | None, sign: int) -> float:
    """What to order by; labels without a score come first."""
    return -math.inf if entry is None or entry["value"] is None else sign * entry["value"]


def split_ids(splits: Sequence[str]) -> list[str]:
    """Anchors for the sections of splits."""
    return slugs(splits, "split-")
