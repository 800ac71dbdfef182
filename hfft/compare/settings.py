"""In what runs differ beside their answers: settings, data, versions, machine, cost."""

from __future__ import annotations

import math
from typing import Any

from hfft.compare.runs import Run
from hfft.recipe import differences, flattened
from hfft.report.reading import read_shaped

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
    file = run.members[0].folder.parameters
    rows = read_shaped(file, [{"shape": [int], "trainable": bool}]) if file.is_file() else []
    if rows:
        found["learning_parameters"] = sum(math.prod(row["shape"]) for row in rows if row["trainable"])
        found["parameters"] = sum(math.prod(row["shape"]) for row in rows)
    return found
