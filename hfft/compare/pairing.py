"""Whether two runs answered the same examples: else their differences are not paired, and mean little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hfft.compare.runs import Answered, Member, Run
from hfft.errors import DataError, near, shortened
from hfft.tasks.targets.asking import Asking
from hfft.tasks.task import Pictured

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
    if isinstance(task, Asking) and task.target.problem == "multi":
        return sorted(truth)  # two runs may know the labels in different orders
    return truth


def _odd(split: str, names: str, member: Member, other: Member, mine: Answered, theirs: Answered) -> list[str]:
    """What to say where the files the rows were read from differ, though the rows are alike as far as can be seen."""
    prints = [each.environment.get("data", {}).get(split) for each in (member, other)]
    if prints[0] == prints[1]:
        return []
    if None in prints:
        return [f"Whether the files of the {split} split of {names} are the same is not known: no fingerprints."]
    seen = None not in mine.inputs and None not in theirs.inputs and not isinstance(mine.scored.task, Pictured)
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
