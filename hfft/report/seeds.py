"""What the report shows of a folder of several seeds: each seed beside the scores over them, and its own report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfft.folder import RunFolder, scored_splits


def seed_facts(folder: RunFolder, results: Mapping[str, Any]) -> dict[str, Any]:
    """The scores of each seed, and links to their own reports, which show their examples.

    Args:
        folder: That of all seeds.
        results: As in its results.json.
    """
    splits = scored_splits(dict(results))
    seeds = [
        {
            "seed": seed,
            "scores": {
                split: {metric: entry["values"][number] for metric, entry in results[split].items()} for split in splits
            },
            "best": seed == results["best_seed"],
            "report": folder.seed(seed).report.relative_to(folder.path).as_posix(),
        }
        for number, seed in enumerate(results["seeds"])
    ]
    best_by = {"best_by": results["best_by"]} if results.get("best_by") else {}
    return {"seeds": seeds, **best_by, "splits": {}}
