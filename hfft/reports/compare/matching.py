"""Whether runs can be compared: the same examples, the same scores, and which of these decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfft.errors import DataError, near, shortened
from hfft.metrics import OTHER_AVERAGES
from hfft.reports.compare.runs import Answered, Member, Read, Run
from hfft.tasks.scores import headline_metric

SELDOM_WANTED = (*OTHER_AVERAGES, "_samples")

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


def choose_measure(split: str, read: Sequence[Read], wanted: Sequence[str] | None, confidence: float) -> Measure:
    """Chooses the scores to compare.

    Args:
        split: Whose.
        read: The runs.
        wanted: The scores to compare, the first decides; None for all that stand for the whole split.
        confidence: Of the intervals.

    Raises:
        DataError: One that is wanted is not among those of all runs, or was computed in different ways.
    """
    first = read[0]
    headline, metrics = _choose(split, read, wanted)
    _require_same_signatures(split, [one.run for one in read], metrics)
    return Measure(
        split=split,
        examples=len(first.answered[0].scored.ids),
        confidence=confidence,
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


PREFERRED = ("test", "eval")


def choose_split(runs: Sequence[Run], wanted: str | None) -> str:
    """The split to compare on: the one wanted, else `test`, else `eval`, else the first that all have scored.

    Raises:
        DataError: Not all runs have scored it, or they have none in common.
    """
    common = [split for split in runs[0].splits if all(split in run.splits for run in runs)]
    listed = "; ".join(f"{run.name} has {', '.join(run.splits) or 'none'}" for run in runs)
    if wanted is not None and wanted not in common:
        raise DataError(
            f"Not all runs have scored the split '{wanted}'.{near(wanted, common)} Scored splits: {listed}."
        )
    if not common:
        raise DataError(f"The runs have scored no split in common: {listed}.")
    return wanted or next((split for split in PREFERRED if split in common), common[0])


def require_same_examples(
    split: str, first: tuple[Run, Member, Answered], other: tuple[Run, Member, Answered]
) -> list[str]:
    """Checks that two trainings answered the same examples, and says what is odd about them all the same.

    Raises:
        DataError: They did not; the message names the first row that differs.
    """
    (run, member, mine), (other_run, other_member, theirs) = first, other
    names = f"{run.name} and {other_run.name}"
    ids, other_ids = mine.scored.ids, theirs.scored.ids
    fix = "Differences are paired by example: score both runs on the same rows."
    if len(ids) != len(other_ids):
        raise DataError(
            f"{run.name} answered {len(ids)} examples of the {split} split, {other_run.name} {len(other_ids)}. {fix}"
        )
    for row, (number, other_number) in enumerate(zip(ids, other_ids, strict=True)):
        if number != other_number:
            only, where = (number, run) if number < other_number else (other_number, other_run)
            raise DataError(f"Row {only} of the {split} split was answered by {where.name} alone, of {names}. {fix}")
        for what, pair in _told(mine, theirs, row).items():
            if pair[0] != pair[1]:
                here, there = (shortened(repr(value), 100) for value in pair)
                raise DataError(
                    f"Row {number} of the {split} split is not the same in {names}: its {what} is {here} in the one "
                    f"and {there} in the other. {fix}"
                )
    return _odd(split, names, member, other_member, mine, theirs)


def _told(mine: Answered, theirs: Answered, row: int) -> dict[str, tuple[Any, Any]]:
    """What there is to compare of a row: its truth, and its input where both files have it."""
    told = {"truth": (_truth(mine, row), _truth(theirs, row))}
    inputs = mine.inputs[row], theirs.inputs[row]
    return told if None in inputs else {"input": inputs, **told}


def _truth(side: Answered, row: int) -> Any:
    truth, task = side.scored.truths[row], side.scored.task
    if task.output == "labels":
        return sorted(truth)  # two runs may know the labels in different orders
    return truth


def _odd(split: str, names: str, member: Member, other: Member, mine: Answered, theirs: Answered) -> list[str]:
    """What to say where the files the rows were read from differ, though the rows are alike as far as can be seen."""
    prints = [each.environment.get("data", {}).get(split) for each in (member, other)]
    if prints[0] == prints[1]:
        return []
    if None in prints:
        return [f"Whether the files of the {split} split of {names} are the same is not known: no fingerprints."]
    seen = None not in mine.inputs and None not in theirs.inputs and not mine.scored.task.file_columns
    if not seen:  # a picture's file may have another picture in it
        raise DataError(
            f"The data of the {split} split is not the same in {names}, as its fingerprints in environment.json say; "
            "which row differs cannot be told from the predictions, for truths are alike and inputs are not in them. "
            "Train both on the same files."
        )
    return [
        f"The files of the {split} split of {names} differ, but not in inputs and truths: in another column, or in "
        "rows that have no truth."
    ]
