"""How often intervals hold the truth, and how often tests find a difference where there is none.

Writes docs/coverage.md: `python benchmarks/coverage.py docs/coverage.md`. Accuracy is enumerated, the rest is drawn.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom, multinomial, norm

from hfft.metrics.classification import classification_weighted
from hfft.metrics.entities import entity_weighted
from hfft.metrics.intervals import FEWEST, intervals, percentiles, wilson
from hfft.metrics.regression import regression_weighted
from hfft.metrics.weighing import Weighted, resamples, without_groups
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
SIZES_BEFORE = (15, 55, 180)
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


def held(
    draw: Draw, wanted: dict[str, float], count: int, times: int, interval: Callable[[Weighted], Any]
) -> dict[str, list[int]]:
    """For each score: how often an interval was printed, and how often it held the truth."""
    generator, found = np.random.default_rng(count), {name: [0, 0] for name in wanted}
    known: dict[int, tuple[Weighted, Any]] = {}  # `labels` gives the same object for the same counts
    for _ in range(times):
        weighted = draw(generator, count)
        if id(weighted) not in known:
            known[id(weighted)] = weighted, interval(weighted)
        for name, truth in wanted.items():
            low, high = known[id(weighted)][1].get(name, (math.nan, math.nan))
            found[name][0] += not math.isnan(low)
            found[name][1] += low - 1e-9 <= truth <= high + 1e-9
    return found


def after(weighted: Weighted) -> dict[str, tuple[float, float]]:
    return {name: (each.low, each.high) for name, each in intervals(weighted, CONFIDENCE).items()}


@lru_cache(maxsize=1)
def _drawn(count: int) -> list[np.ndarray]:
    return [block.T.astype(float) for block in resamples(count)]


def before(weighted: Weighted) -> dict[str, tuple[float, float]]:
    drawn = weighted.over(_drawn(weighted.examples), weighted.scores)
    return {name: percentiles(values, CONFIDENCE) for name, values in drawn.items()}


def enumerated(count: int, share: float) -> tuple[float, float]:
    """How often the percentiles of resamples and Wilson's interval hold the share of right answers."""
    right = np.arange(count + 1)
    chance, held = binom.pmf(right, count, share), np.zeros((2, count + 1), dtype=bool)
    for number in right[chance > 1e-12].tolist():
        low, high = binom.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], count, number / count) / count
        found = wilson(number, count, CONFIDENCE)
        held[:, number] = low <= share <= high, found.low <= share <= found.high
    return float(chance @ held[0]), float(chance @ held[1])


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


def nulls(count: int, times: int, gain: float) -> list[float]:
    """Means of two runs: how often percentiles and the test find a difference, and both intervals hold it."""
    draw, found = np.random.default_rng(count), np.zeros((times, 4))
    weights = np.concatenate(_drawn(count), axis=1) / count
    alone = np.concatenate(list(without_groups(count)), axis=1).astype(float)
    for row in found:
        first, other = draw.beta(0.6, 1.4, count), draw.beta(0.6 * (1 + gain), 1.4, count)
        gains, (mine, theirs) = other - first, ((side @ alone) / alone.sum(0) for side in (first, other))
        swapped = (1 - 2 * ways(count)).T @ gains / count
        values = [Values(float(side.mean()), rest) for side, rest in ((first, mine), (other, theirs))]
        one = difference("x", values[:1], values[1:], False, count, CONFIDENCE, swapped)
        low, high = percentiles(gains @ weights, CONFIDENCE)
        true = 0.6 * (1 + gain) / (0.6 * (1 + gain) + 1.4) - 0.3
        row[:] = (
            not low <= 0 <= high,
            permutation_p(swapped)[0] <= 1 - CONFIDENCE,
            low <= true <= high,
            one.low <= true <= one.high,
        )
    return found.mean(0).tolist()


KINDS: list[tuple[str, Callable[[float], tuple[Draw, dict[str, float]]]]] = [
    *((name, lambda share, priors=priors: labels(priors, share)) for name, priors in LABELS.items()),
    ("two labels ranked, area = share", ranking),
    ("numbers, correlation = share", numbers),
    ("entities in documents", documents),
    ("words found of words written", texts),
]


def page(times: int, times_before: int) -> Iterator[str]:
    error, error_before = (100 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / number) for number in (times, times_before))
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
in %; in brackets how many had none, in %, where any. Before: the percentile bootstrap, {times_before:,} sets. By chance
a cell is off by {error:.1f} points (one standard error; before by {error_before:.1f}), and by more where many sets have
no interval. Columns: the share of right answers, or what the heading says.

## Accuracy, by enumeration
"""
    rows, low = {}, []
    for count in SIZES:
        both = np.array([enumerated(count, share) for share in SHARES]).T
        rows |= {f"{count} before": both[0], f"{count} now": both[1]}
        low += [100 * value for value in both[1]]
    shares = [f"{share:g}" for share in SHARES]
    yield table("examples", shares, percent(rows))
    for title, kind in KINDS:
        found: dict[str, dict[str, list[str]]] = {}
        for count in SIZES_DRAWN:
            former = [("before", before, times_before)] if count in SIZES_BEFORE else []
            for when, how, number in (*former, ("now", after, times)):
                for draw, wanted in map(kind, SHARES):
                    for name, (printed, hold) in held(draw, wanted, count, number, how).items():
                        row = found.setdefault(name, {}).setdefault(f"{count} {when}", [])
                        row.append(cell(printed, hold, number))
                        low += [100 * hold / printed] if when == "now" and 10 * printed > number else []
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
    found = {count: held(draw, wanted, count, times, after)["rmse"] for count in sizes}
    rows = {str(count): [cell(printed, hold, times)] for count, (printed, hold) in found.items()}
    yield table("examples", ["now"], rows)
    yield "## Two runs, right or wrong on the same examples, by enumeration\n"
    yield "McNemar's exact test, and Tango's interval (1998), widened to hold 0 where the test finds nothing.\n"
    changes = ((0.05, 0.05), (0.15, 0.15), (0.02, 0.1), (0.05, 0.25))
    pairs = {count: np.array([paired(count, *change) for change in changes]).T for count in (8, 20, 50, 100)}
    titles = [f"{100 * first:g} and {100 * other:g} % right alone" for first, other in changes]
    for which, corner in enumerate(("examples: interval holds", "examples: found to differ")):
        yield table(corner, titles, percent({str(count): each[which] for count, each in pairs.items()}))
    yield "## Two runs whose scores are means\n"
    alike = {str(count): nulls(count, times, 0.0)[:2] for count in (*NULLS, 100)}
    columns = ["percentiles (before)", "permutation test (now)"]
    yield table("examples, runs that are alike: found to differ at 0.05", columns, percent(alike))
    apart = {str(count): nulls(count, times, 0.5)[2:] for count in (30, 50, 100)}
    yield table("examples, runs that differ: interval holds", ["percentiles (before)", "now"], percent(apart))


def percent(rows: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: [f"{100 * value:.1f}" for value in row] for name, row in rows.items()}


def cell(printed: int, hold: int, number: int) -> str:
    none = f" ({100 - 100 * printed / number:.0f})" if printed < number else ""
    return f"{100 * hold / printed:.1f}{none}" if printed else "none"


def table(corner: str, columns: list[str], rows: dict[str, list[str]]) -> str:
    lines = [[corner, *columns], ["---"] * (len(columns) + 1), *([name, *cells] for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--sets", type=int, default=300, help="of examples, drawn for each cell")
    parser.add_argument("--sets-before", type=int, default=100, help="the same for what hfft had before")
    given = parser.parse_args()
    parts = []
    for part in page(given.sets, given.sets_before):
        parts.append(part)
        print(part, flush=True)
    given.page.write_text("\n".join(parts), encoding="utf-8")
