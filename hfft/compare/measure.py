"""Which scores are compared, which of them decides, and whether they are the same scores in all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfft.compare.runs import Read, Run
from hfft.errors import DataError, near
from hfft.score_table import headline_metric

SELDOM_WANTED = ("_micro", "_weighted", "_samples")
WRITTEN = ("bleu", "chrf", "ter", "rouge")


@dataclass(frozen=True)
class Measure:
    """What runs are compared by.

    Attributes:
        split: Whose examples.
        examples: How many there are.
        confidence: Of the intervals.
        headline: The metric that decides.
        metrics: All that are compared.
        less: Names of metrics of which less is better.
        unranked: Names of those of which neither is.
    """

    split: str
    examples: int
    confidence: float
    headline: str
    metrics: list[str]
    less: frozenset[str]
    unranked: frozenset[str]

    def is_less(self, metric: str) -> bool:
        """Whether less of a metric is better."""
        return _plain(metric) in self.less

    def is_ranked(self, metric: str) -> bool:
        """Whether more or less of a metric is better."""
        return _plain(metric) not in self.unranked


def _plain(metric: str) -> str:
    """Without the label, and without what marks a module of the `evaluate` library."""
    return metric.removeprefix("evaluate_").partition("/")[0]


def choose_measure(split: str, read: Sequence[Read], wanted: Sequence[str] | None) -> Measure:
    """Chooses the scores to compare.

    Args:
        split: Whose.
        read: The runs.
        wanted: The scores to compare, the first decides; None for all that stand for the whole split.

    Raises:
        DataError: One that is wanted is not among those of all runs, or was computed in different ways.
    """
    first = read[0]
    headline, metrics = _choose(split, read, wanted)
    _require_same_signatures(split, [one.run for one in read], metrics)
    return Measure(
        split=split,
        examples=len(first.answered[0].scored.ids),
        confidence=first.run.recipe.eval.confidence,
        headline=headline,
        metrics=metrics,
        less=first.task.lower_is_better,
        unranked=first.task.unranked,
    )


def _choose(split: str, read: Sequence[Read], wanted: Sequence[str] | None) -> tuple[str, list[str]]:
    """The metric that decides, and all that are compared."""
    everywhere = [scores for one in read for scores in one.scores]
    common = [name for name in everywhere[0] if all(name in scores for scores in everywhere)]
    whole = [name for name in common if "/" not in name]
    for name in wanted or ():
        if name not in common:
            labels = ", and of single labels NAME/LABEL" if len(whole) < len(common) else ""
            raise DataError(
                f"'{name}' is no score that all runs have of the {split} split.{near(name, common)} They have "
                f"{', '.join(whole) or 'none'}{labels}."
            )
    if wanted:
        return wanted[0], list(dict.fromkeys(wanted))
    compared = [name for name in whole if not name.endswith(SELDOM_WANTED)]
    if not compared:
        raise DataError(f"The runs have no score of the {split} split in common.")
    kept, unranked = read[0].run.recipe.train.best_metric, read[0].task.unranked
    return headline_metric(compared, kept, unranked) or compared[0], compared


def _require_same_signatures(split: str, runs: Sequence[Run], metrics: Sequence[str]) -> None:
    """Refuses a score that has a signature, and was computed in different ways."""
    for family in WRITTEN:
        if not any(name.startswith(family) for name in metrics):
            continue
        told = {run.name: signature for run in runs if (signature := _signature(split, run, family)) is not None}
        for name, signature in told.items():
            first = next(iter(told))
            if signature != told[first]:
                raise DataError(
                    f"{family} is not the same score in {first} ({told[first]}) and {name} ({signature}): train both "
                    "with the same task.bleu_tokenize and references, or compare another one (--metric)."
                )


def _signature(split: str, run: Run, family: str) -> str | None:
    """How a run computed a score, but for the version: all scores are computed anew here."""
    found = run.members[0].results.get(f"{split}_answers", {}).get("signatures", {}).get(family)
    return None if found is None else "|".join(part for part in found.split("|") if not part.startswith("version:"))


def entry_of(split: str, results: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """A score as results.json has it, of a single label too (`f1/dog`). Empty where there is none."""
    name, slash, label = metric.partition("/")
    table = results.get(f"{split}_labels", {}).get(label, {}) if slash else results.get(split, {})
    return table.get(name, {})
