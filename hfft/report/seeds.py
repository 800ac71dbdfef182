"""What the report shows of a folder of several seeds: each seed beside the scores over them, and its own report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfft.folder import RunFolder, scored_splits


def seed_facts(folder: RunFolder, results: Mapping[str, Any], each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The scores of each seed, what is odd about them, and links to their own reports, which show their examples.

    Args:
        folder: That of all seeds.
        results: As in its results.json.
        each: As in those of the seeds, in their order.
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
    ended = _said(results["seeds"], [[one["ended"]] if one.get("ended") else [] for one in each])
    return {"seeds": seeds, **best_by, "ended": "; ".join(ended) or None, "splits": {}}


def seed_remarks(results: Mapping[str, Any], each: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is odd about the answers of single seeds; arguments as of `seed_facts`."""
    return _said(results["seeds"], [one.get("remarks", []) for one in each])


def _said(seeds: Sequence[int], texts: Sequence[Sequence[str]]) -> list[str]:
    """Each text once, with the seeds that it is said of; where it is said of all, without."""
    said: dict[str, list[int]] = {}
    for seed, found in zip(seeds, texts, strict=True):
        for text in dict.fromkeys(found):
            said.setdefault(text, []).append(seed)
    return [text if len(of) == len(seeds) else f"{_named(of)}: {text}" for text, of in said.items()]


def _named(seeds: Sequence[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
