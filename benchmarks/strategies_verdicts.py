"""What the runs of benchmarks/strategies.py say of methods beside each other, corrected for how many are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from statistics import mean, stdev

from comparison import Spread, score_difference
from strategies_runs import Done, of_method

ERROR = 0.05  # of all comparisons of a table together: how often one or more would be told apart with all alike
FURTHER = (("LoRA + decay 0.9", "LoRA"),)  # compared too, beside all with the first
BETTER, LIKE, WORSE = "better", "not told apart", "worse"


@dataclass(frozen=True)
class Verdict:
    """A method beside another.

    Attributes:
        name: The method.
        other: What it is compared with.
        less: Its accuracy less the other's, with the 95 % interval of this comparison alone.
        said: "better", "worse" or "not told apart".
    """

    name: str
    other: str
    less: Spread
    said: str


def verdicts(runs: Sequence[Done], first: str) -> list[Verdict]:
    """All comparisons of a table: each method with the first, and the further ones that the runs have both sides of.

    "better" and "worse" take a difference that holds beside all others (`told_apart`) and that no seed gainsays.

    Args:
        runs: Of one table, the same seeds for each method.
        first: What the others are compared with.
    """
    names = methods_of(runs)
    pairs = [(name, first) for name in names if name != first]
    pairs += [pair for pair in FURTHER if first not in pair and set(pair) <= set(names)]
    sure = told_apart([chance(runs, *pair) for pair in pairs])
    outcomes = [one.outcome for one in runs]
    return [
        Verdict(*pair, score_difference(outcomes, *pair), said(seed_differences(runs, *pair)) if held else LIKE)
        for pair, held in zip(pairs, sure, strict=True)
    ]


def said(differences: Sequence[float]) -> str:
    """What the seeds say of a difference that is one."""
    if min(differences) > 0:
        return BETTER
    return WORSE if max(differences) < 0 else LIKE


def told_apart(chances: Sequence[float], error: float = ERROR) -> list[bool]:
    """Which of several differences are ones, where all errors together shall be rare (Holm 1979).

    Args:
        chances: The p-value of each.
        error: How often one or more may be told apart with all alike.
    """
    held = [False] * len(chances)
    for rank, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        if chances[place] > error / (len(chances) - rank):
            break
        held[place] = True
    return held


def chance(runs: Sequence[Done], name: str, other: str) -> float:
    """How often two methods that are alike would differ so much on other test rows: a two-sided paired z test.

    The 1,000 draws of the intervals are too few for the small shares that a correction asks for.
    """
    mine, theirs = ([one.right for one in of_method(runs, which)] for which in (name, other))
    pairs = zip(zip(*mine, strict=True), zip(*theirs, strict=True), strict=True)  # of each test row, over the seeds
    rows = [a.count("1") / len(a) - b.count("1") / len(b) for a, b in pairs]
    found = mean(rows)
    error = stdev(rows) / sqrt(len(rows)) if len(rows) > 1 else 0.0
    if error == 0:
        return 0.0 if found and len(rows) > 1 else 1.0
    return erfc(abs(found) / error / sqrt(2))


def seed_differences(runs: Sequence[Done], name: str, other: str) -> list[float]:
    """The difference of two methods' accuracies, seed by seed."""
    value = {(one.job.method, one.job.seed): one.outcome.scored.value for one in runs}
    return [found - value[other, seed] for (method, seed), found in value.items() if method == name]


def same_answers(runs: Sequence[Done], first: str) -> dict[str, list[int]]:
    """The seeds with which a method is right on the very same test rows as the first."""
    right = {one.job.seed: one.right for one in of_method(runs, first)}
    found = {
        name: sorted(one.job.seed for one in of_method(runs, name) if one.right == right[one.job.seed])
        for name in methods_of(runs)
        if name != first
    }
    return {name: seeds for name, seeds in found.items() if seeds}


def reach(runs: Sequence[Done], name: str, value: Callable[[Done], float]) -> tuple[float, float]:
    """The smallest and the largest of something over a method's seeds."""
    values = [value(one) for one in of_method(runs, name)]
    return min(values), max(values)


def least(runs: Sequence[Done], names: Sequence[str], value: Callable[[Done], float]) -> list[str]:
    """The method whose largest over the seeds is smallest, and those whose seeds begin below that: rising."""
    reaches = {name: reach(runs, name, value) for name in names}
    limit = min(high for _, high in reaches.values())
    return sorted((name for name in names if reaches[name][0] <= limit), key=lambda name: reaches[name][::-1])


def methods_of(runs: Sequence[Done]) -> list[str]:
    """The methods that have runs, in their order."""
    return list(dict.fromkeys(one.job.method for one in runs))
