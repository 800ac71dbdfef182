"""What differs between runs: examples, settings, machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfft.io.run_files import read_parameters
from hfft.recipe.recipe import differences, flattened
from hfft.reports.compare.runs import Answered, Run
from hfft.reports.overview import weight_count

SHOWN = 20

SCORED_ALONE = 1000  # examples, at most: each is scored by itself, in milliseconds

SAME = 1e-12


@dataclass(frozen=True)
class Changed:
    """Examples on which two runs differ.

    Attributes:
        by: The metric that says which answer is better, on each example by itself; "right" where an answer is right or
            wrong.
        first: How many examples the first run answered better; where `by` is "right", that it alone has right.
        other: How many the other run did.
        same: How many neither did.
        looked_at: How many were looked at: all, unless so many answers differ that the last of them were left out.
        examples: Some of them, those with the largest change first: `id`, `input`, `truth`, `first` and `other` (the
            answers; of several seeds a list), `better`.
    """

    by: str
    first: int
    other: int
    same: int
    looked_at: int
    examples: list[dict[str, Any]]


def right(side: Sequence[Answered]) -> np.ndarray:
    """Whether each answer of each training is exactly the truth, `(trainings, examples)`."""
    rows = [
        [answer["answer"] == truth for answer, truth in zip(each.scored.answers, each.scored.truths, strict=True)]
        for each in side
    ]
    return np.array(rows, dtype=bool)


def changed(
    first: Sequence[Answered], other: Sequence[Answered], exact: bool, metrics: Sequence[str], less: frozenset[str]
) -> Changed:
    """Finds the examples on which two runs differ.

    Args:
        first: What the trainings of the first run answered.
        other: What those of the other did, to the same examples.
        exact: Whether an answer is right or wrong, and nothing between.
        metrics: Those that may tell which answer is better, the most important first; the first is taken that is
            defined for a single example.
        less: Metrics of which less is better.
    """
    sides = [_plain(side) for side in (first, other)]
    count = len(sides[0][0])
    differing = [row for row in range(count) if len({repr(answers[row]) for side in sides for answers in side}) > 1]
    looked_at = differing
    if exact:
        by, values = "right", [right(side).mean(0)[differing] for side in (first, other)]
    else:
        looked_at = differing[:SCORED_ALONE]
        by, values = _scored_alone(first, other, looked_at, metrics)
    gain = (values[1] - values[0]) * (-1 if by in less else 1)
    gain[abs(gain) < SAME] = 0
    better = int((gain < 0).sum()), int((gain > 0).sum())
    seen = count - len(differing) + len(looked_at)
    shown = [(looked_at[place], gain[place]) for place in _largest(gain)]
    examples = [_example(row, sides, first[0], change) for row, change in shown]
    return Changed(by, *better, seen - sum(better), seen, examples)


def _plain(side: Sequence[Answered]) -> list[list[Any]]:
    """The answers of each training."""
    return [[answer["answer"] for answer in each.scored.answers] for each in side]


def _scored_alone(
    first: Sequence[Answered], other: Sequence[Answered], rows: Sequence[int], metrics: Sequence[str]
) -> tuple[str, list[np.ndarray]]:
    """The metric that is defined for each example by itself, and its mean over the trainings of each side."""
    found = []
    for side in (first, other):
        scores = [[_score(each, row) for row in rows] for each in side]
        found.append(scores)
    flat = [scores for side in found for training in side for scores in training]
    by = next((name for name in metrics if flat and all(name in scores for scores in flat)), "")
    values = [
        np.mean([[scores[by] if by else 0.0 for scores in training] for training in side], axis=0) for side in found
    ]
    return by, values


def _score(each: Answered, row: int) -> dict[str, float]:
    return each.scored.task.compute_metrics([each.scored.answers[row]], [each.scored.truths[row]])


def _largest(gain: np.ndarray) -> list[int]:
    """The places of the largest changes: half of them for the better and half for the worse, where there are."""
    order = [place for place in np.argsort(-abs(gain), kind="stable").tolist() if gain[place]]
    worse, better = ([place for place in order if sign * gain[place] > 0] for sign in (-1, 1))
    half = SHOWN // 2
    taken = worse[: max(half, SHOWN - len(better))] + better[: max(half, SHOWN - len(worse))]
    return sorted(taken, key=order.index)


def _example(row: int, sides: Sequence[Sequence[Sequence[Any]]], asked: Answered, change: float) -> dict[str, Any]:
    answers = [[training[row] for training in side] for side in sides]
    mine, theirs = (each[0] if len(each) == 1 else each for each in answers)
    return {
        "id": asked.scored.ids[row],
        "input": asked.inputs[row],
        "truth": asked.scored.truths[row],
        "first": mine,
        "other": theirs,
        "better": "other" if change > 0 else "first",
    }


NOT_SETTINGS = ("name", "data.root", "data.files", "data.workers", "track", "publish", "eval.slices", "eval.confidence")
"""What differs between runs and changes no score: names and places, of which the data's fingerprints say more."""

NOT_LEARNT = ("train.log_every", "train.checkpoint_every", "train.keep_checkpoints")

SEEDS = "train.seeds"  # how many trainings there are: what is learnt stays the same

SHORT = 12  # of a fingerprint

Row = tuple[str, Any, Any]


def setting_rows(first: Run, other: Run) -> list[Row]:
    """The settings in which two runs differ, by dotted key; last, as `data (train)`, their training data.

    Names and places are left out, for what lies there has a fingerprint; so is what a section that the other recipe has
    not brings along unused.
    """
    known = first.recipe.flat(), other.recipe.flat()
    rows = []
    for key, mine, theirs in differences(first.recipe, other.recipe):
        unused = not mine and not theirs and not all(key in settings for settings in known)
        same_seeds = key == SEEDS and sorted(mine or ()) == sorted(theirs or ())
        if not (_is_noise(key) or unused or same_seeds):
            rows.append((key, mine, theirs))
    prints = [run.members[0].environment.get("data", {}).get("train", "") for run in (first, other)]
    if prints[0] != prints[1]:
        rows.append(("data (train)", *(text[:SHORT] for text in prints)))
    return rows


def _is_noise(key: str) -> bool:
    return key in NOT_LEARNT or any(key == name or key.startswith(f"{name}.") for name in NOT_SETTINGS)


def machine_rows(first: Run, other: Run) -> list[Row]:
    """Versions, hardware and the like in which two runs differ, by dotted key of environment.json."""
    mine, theirs = (dict(flattened(run.members[0].environment)) for run in (first, other))
    keys = [
        key
        for key in dict.fromkeys([*mine, *theirs])
        if key.partition(".")[0] not in ("seed", "data", "base", "extended")
    ]
    return [(key, mine.get(key), theirs.get(key)) for key in keys if mine.get(key) != theirs.get(key)]


def cost(run: Run) -> dict[str, Any]:
    """What a run took: steps, seconds, samples a second, parameters that learnt; of several seeds, the mean of one."""
    results = [member.results for member in run.members]
    found: dict[str, Any] = {
        name: sum(each[name] for each in results) / len(results)
        for name in ("steps", "train_seconds", "samples_per_second")
        if all(each.get(name) is not None for each in results)
    }
    rows = read_parameters(run.members[0].folder.parameters)
    if rows:
        found["learning_parameters"] = weight_count(row for row in rows if row["trainable"])
        found["parameters"] = weight_count(rows)
    return found
