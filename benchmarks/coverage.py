"""How often intervals hold the truth, and how often tests find a difference where there is none.

Writes docs/coverage.md: `python benchmarks/coverage.py docs/coverage.md`. Accuracy is enumerated, the rest is drawn.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom, multinomial, norm

from hfft.metrics.classification import classification_weighted
from hfft.metrics.entities import entity_weighted
from hfft.metrics.intervals import FEWEST, NONE, intervals, wilson
from hfft.metrics.regression import regression_weighted
from hfft.metrics.weighing import Weighted, without_groups
from hfft.reports.compare.statistics import (
    Difference,
    Values,
    agreeing,
    difference,
    mcnemar,
    permutation_p,
    tango,
    ways,
)

CONFIDENCE, SIZES, SHARES = 0.95, (8, 15, 30, 55, 100, 180, 500, 1000), (0.5, 0.8, 0.9, 0.95, 0.98)
SIZES_DRAWN = SIZES[:-1]  # what is not enumerated takes its time
LABELS = {"two labels, equally many": [0.5, 0.5], "four labels, 40, 30, 20 and 10 %": [0.4, 0.3, 0.2, 0.1]}
ENTITIES = 3  # in a document, about
NULLS = (8, 20, 50)
LEAST = 93  # in %, of intervals at 95 % that hold the truth
Draw = Callable[[np.random.Generator, int], Weighted]


def labels(priors: list[float], share: float) -> tuple[Draw, dict[str, float]]:
    """Answers that are right with a chance of `share`, else any other label; scores of as many as one likes."""
    names = [chr(97 + number) for number in range(len(priors))]
    cells = np.outer(priors, np.full(len(priors), (1 - share) / (len(priors) - 1)))
    np.fill_diagonal(cells, np.array(priors) * share)

    @cache
    def counted(counts: tuple[int, ...]) -> Weighted:
        truths, answers = np.divmod(np.repeat(np.arange(len(counts)), counts), len(names))
        return classification_weighted([names[row] for row in answers], [names[row] for row in truths], None, names)

    right, true, answered = np.diag(cells), cells.sum(1), cells.sum(0)
    f1 = 2 * right / (true + answered)
    spreads = (1 - (true**2).sum()) * (1 - (answered**2).sum())
    mcc = (right.sum() - (true * answered).sum()) / math.sqrt(spreads)
    wanted = {"recall/a": share, "precision/a": right[0] / answered[0], "f1/a": f1[0], "f1": f1.mean(), "mcc": mcc}
    return lambda draw, count: counted(tuple(draw.multinomial(count, cells.ravel()).tolist())), wanted


def ranking(share: float) -> tuple[Draw, dict[str, float]]:
    def drawn(draw: np.random.Generator, count: int) -> Weighted:
        true = draw.random(count) < 0.5
        score = norm.cdf(draw.normal(size=count) + math.sqrt(2) * norm.ppf(share) * true)
        names = np.where(true, "b", "a").tolist()
        return classification_weighted(names, names, np.stack([1 - score, score], axis=1), ["a", "b"])

    return drawn, {"roc_auc": share}


def numbers(share: float) -> tuple[Draw, dict[str, float]]:
    def drawn(draw: np.random.Generator, count: int) -> Weighted:
        truths = draw.normal(size=(count, 1))
        answers = share * truths + math.sqrt(1 - share**2) * draw.normal(size=(count, 1))
        return regression_weighted(answers, truths, ["x"])

    return drawn, {"pearson": share, "rmse": math.sqrt(2 - 2 * share), "mae": math.sqrt((2 - 2 * share) * 2 / math.pi)}


def heavy() -> tuple[Draw, dict[str, float]]:
    def drawn(draw: np.random.Generator, count: int) -> Weighted:
        return regression_weighted(draw.standard_t(5, size=(count, 1)), np.zeros((count, 1)), ["x"])

    return drawn, {"rmse": math.sqrt(5 / 3)}


def documents(share: float) -> tuple[Draw, dict[str, float]]:
    """Documents that are hard or easy as a whole; what is not found is answered beside its place."""

    def drawn(draw: np.random.Generator, count: int) -> Weighted:
        entities = 1 + draw.poisson(ENTITIES - 1, count)
        found = draw.binomial(entities, draw.beta(5 * share, 5 * (1 - share), count))
        truths = [[("x", place, place) for place in range(number)] for number in entities]
        pairs = zip(truths, found.tolist(), strict=True)
        answers = [
            [*true[:right], *(("x", -1 - place, 0) for place in range(len(true) - right))] for true, right in pairs
        ]
        return entity_weighted(answers, truths, np.stack([found, entities], axis=1))

    return drawn, {"f1": share}


def texts(share: float) -> tuple[Draw, dict[str, float]]:
    """Words found of words written, as BLEU and ROUGE add them up."""

    def drawn(draw: np.random.Generator, count: int) -> Weighted:
        words = 5 + draw.poisson(15, count)
        found = draw.binomial(words, draw.beta(4 * share, 4 * (1 - share), count))
        return Weighted(count, lambda weights: {"ratio": found @ weights / (words @ weights)}, usual_bounds=(0, 1))

    return drawn, {"ratio": share}


def held(draw: Draw, wanted: dict[str, float], count: int, times: int) -> dict[str, list[int]]:
    """For each score: how often it had an interval, and how often that held the truth."""
    generator, found = np.random.default_rng(count), {name: [0, 0] for name in wanted}
    known: dict[int, tuple[Weighted, Any]] = {}  # `labels` gives the same object for the same counts
    for _ in range(times):
        weighted = draw(generator, count)
        if id(weighted) not in known:
            known[id(weighted)] = weighted, intervals(weighted, CONFIDENCE)
        for name, truth in wanted.items():
            each = known[id(weighted)][1].get(name, NONE)
            found[name][0] += not math.isnan(each.low)
            found[name][1] += each.low - 1e-9 <= truth <= each.high + 1e-9
    return found


def enumerated(count: int, share: float) -> float:
    """How often Wilson's interval holds the share of right answers."""
    chance = binom.pmf(np.arange(count + 1), count, share)
    found = {number: wilson(number, count, CONFIDENCE) for number in np.flatnonzero(chance > 1e-12).tolist()}
    return sum(float(chance[number]) for number, each in found.items() if each.low <= share <= each.high)


def paired(count: int, only_first: float, only_other: float) -> tuple[float, float]:
    """How often the interval of a difference of accuracies holds it, and how often the exact test calls it one."""
    hold = finds = 0.0
    shares = [only_first, only_other, 1 - only_first - only_other]
    for first in range(count + 1):
        for other in range(count + 1 - first):
            chance = float(multinomial.pmf([first, other, count - first - other], count, shares))
            if chance < 1e-6:
                continue
            pair = np.arange(count) < first, (np.arange(count) >= first) & (np.arange(count) < first + other)
            low, high = tango(*pair, CONFIDENCE)
            found = agreeing(Difference("", 0, 0, 0, low, high, mcnemar(*pair), ""), CONFIDENCE)
            hold += chance * (found.low <= only_other - only_first <= found.high)
            finds += chance * (found.p <= 1 - CONFIDENCE)
    return hold, finds


def means(count: int, times: int, gain: float) -> list[float]:
    """Means of two runs: how often the test finds a difference, and how often the interval holds it."""
    draw, found = np.random.default_rng(count), np.zeros((times, 2))
    alone = np.concatenate(list(without_groups(count)), axis=1).astype(float)
    for row in found:
        first, other = draw.beta(0.6, 1.4, count), draw.beta(0.6 * (1 + gain), 1.4, count)
        swapped = (1 - 2 * ways(count)).T @ (other - first) / count
        values = [Values(float(side.mean()), (side @ alone) / alone.sum(0)) for side in (first, other)]
        one = difference("x", values[:1], values[1:], False, count, CONFIDENCE, swapped)
        true = 0.6 * (1 + gain) / (0.6 * (1 + gain) + 1.4) - 0.3
        row[:] = permutation_p(swapped)[0] <= 1 - CONFIDENCE, one.low <= true <= one.high
    return found.mean(0).tolist()


KINDS: list[tuple[str, Callable[[float], tuple[Draw, dict[str, float]]]]] = [
    *((name, lambda share, priors=priors: labels(priors, share)) for name, priors in LABELS.items()),
    ("two labels ranked, area = share", ranking),
    ("numbers, correlation = share", numbers),
    ("entities in documents", documents),
    ("words found of words written", texts),
]


def page(times: int) -> Iterator[str]:
    error = 100 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / times)
    yield f"""# How often intervals hold the truth

You learn here how far the intervals of `results.json` can be believed. Written by `benchmarks/coverage.py`; do not
edit.

- Scores that are shares of the examples have Wilson's interval (1927), with a wider near end where one to three of them
  are wrong or right (Brown, Cai and DasGupta 2001): accuracy, top-5 accuracy, precision and recall of a label, and its
  F1 by way of right answers among the examples that it was answered for or is true of.
- Other scores of hfft have the jackknife's: Wilson's for as many examples as the jackknife's variance stands for where
  the score has two bounds, Student's of the logarithm where it has one, with as many degrees of freedom as the examples
  tell of that variance.
- Metrics of one's own have the bootstrap's (BCa), or Wilson's where they are shares.
- A score at its bound, such as a macro F1 of 1, has Wilson's of half as many examples, of 10 examples and more.
- There is else no interval of fewer than 30 examples for what is no share, and in no case of one example, or of a score
  that a single example makes or breaks.

In each cell: of {times:,} drawn sets of examples, in how many of those with an interval at 95 % it held the truth,
in %; in brackets how many had none, in %, where any. By chance a cell is off by {error:.1f} points (one standard
error), and by more where many sets have no interval. Columns: the share of right answers, or what the heading says.

## Accuracy, by enumeration
"""
    rows = {count: [enumerated(count, share) for share in SHARES] for count in SIZES}
    low = [100 * value for row in rows.values() for value in row]
    shares = [f"{share:g}" for share in SHARES]
    yield table("examples", shares, percent(rows))
    for title, kind in KINDS:
        found: dict[str, dict[int, list[str]]] = {}
        for count in SIZES_DRAWN:
            for draw, wanted in map(kind, SHARES):
                for name, (printed, hold) in held(draw, wanted, count, times).items():
                    found.setdefault(name, {}).setdefault(count, []).append(cell(printed, hold, times))
                    low += [100 * hold / printed] if 10 * printed > times else []
        for name, row in found.items():
            yield f"## {name}: {title}\n"
            yield table("examples", shares, row)
    under = [value for value in low if value < LEAST]
    yield "## All of these cells\n"
    yield f"Of those with an interval in a tenth of the sets, {len(under)} of {len(low)} are below {LEAST} %;"
    yield f"the lowest is {min(low):.1f}, the mean {np.mean(low):.1f}.\n"
    yield from rest(times)


def rest(times: int) -> Iterator[str]:
    yield "## rmse: errors with heavy tails\n"
    yield "By Student's t with 5 degrees of freedom: a few rows make most of the score, and others may be worse.\n"
    draw, wanted = heavy()
    sizes = [count for count in SIZES_DRAWN if count >= FEWEST]
    found = {count: held(draw, wanted, count, times)["rmse"] for count in sizes}
    rows = {count: [cell(printed, hold, times)] for count, (printed, hold) in found.items()}
    yield table("examples", ["interval holds"], rows)
    yield "## Two runs, right or wrong on the same examples, by enumeration\n"
    yield "McNemar's exact test, and Tango's interval (1998), widened to hold 0 where the test finds nothing.\n"
    changes = ((0.05, 0.05), (0.15, 0.15), (0.02, 0.1), (0.05, 0.25))
    pairs = {count: np.array([paired(count, *change) for change in changes]).T for count in (8, 20, 50, 100)}
    titles = [f"{100 * first:g} and {100 * other:g} % right alone" for first, other in changes]
    for which, corner in enumerate(("examples: interval holds", "examples: found to differ")):
        yield table(corner, titles, percent({count: each[which] for count, each in pairs.items()}))
    yield "## Two runs whose scores are means\n"
    alike = {count: means(count, times, 0.0)[:1] for count in (*NULLS, 100)}
    yield table("examples, runs that are alike", ["found to differ at 0.05"], percent(alike))
    apart = {count: means(count, times, 0.5)[1:] for count in (30, 50, 100)}
    yield table("examples, runs that differ", ["interval holds"], percent(apart))


def percent(rows: Mapping[int, Any]) -> dict[int, list[str]]:
    return {name: [f"{100 * value:.1f}" for value in row] for name, row in rows.items()}


def cell(printed: int, hold: int, number: int) -> str:
    none = f" ({100 - 100 * printed / number:.0f})" if printed < number else ""
    return f"{100 * hold / printed:.1f}{none}" if printed else "none"


def table(corner: str, columns: list[str], rows: Mapping[int, list[str]]) -> str:
    lines = [[corner, *columns], ["---"] * (len(columns) + 1), *([str(name), *row] for name, row in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--sets", type=int, default=300, help="of examples, drawn for each cell")
    given = parser.parse_args()
    parts = []
    for part in page(given.sets):
        parts.append(part)
        print(part, flush=True)
    given.page.write_text("\n".join(parts), encoding="utf-8")
