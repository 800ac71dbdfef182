"""report.json: all that a report shows, of one run or of several seeds, with thumbnails of pictures."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from hfft.data.findings import Finding
from hfft.io.run_files import (
    finished_results,
    read_data,
    read_environment,
    read_events,
    read_labels,
    read_parameters,
    require,
)
from hfft.io.run_folder import RunFolder, left_out, scored_splits, weights_shown, write_json, write_text
from hfft.io.run_models import Reported
from hfft.recipe import Recipe
from hfft.reports.curves import curves
from hfft.reports.entities import tag_facts
from hfft.reports.html.page import render
from hfft.reports.in_short import weaker_part, weakest_label
from hfft.reports.labels import label_facts, other_facts, several_facts
from hfft.reports.numbers import number_facts
from hfft.reports.overview import command_of, facts_of, model_name, strategy_of, summary_of
from hfft.reports.predictions import About, Predictions, answer_lines, kind_of, prediction_lines, read_predictions
from hfft.reports.texts import writing_facts
from hfft.tasks import TASKS
from hfft.tasks.scores import headline, headline_metric
from hfft.tuning.parameter_table import ParameterRow, parameter_lines

VERSION = 1

COST = ("train_seconds", "samples", "samples_per_second", "tokens_per_second", "padding_share", "memory")

OF_PROBLEM = {"single": "label", "multi": "labels", "regression": "numbers"}
"""What the answers of runs are that do not say so themselves."""

KINDS: dict[str, Callable[[Predictions, About], dict[str, Any]]] = {
    "label": label_facts,
    "labels": several_facts,
    "numbers": number_facts,
    "spans": tag_facts,
    "text": writing_facts,
    "other": other_facts,
}


def write_report(folder: RunFolder, pictures: Pictures | None = None) -> Path:
    """Writes report.json and report.html of a finished run; for several seeds, those of each seed too.

    Args:
        folder: The run folder.
        pictures: Gives the pictures of examples as the model saw them. None takes those of the report.json that is
            there already, if any.

    Returns:
        The page.

    Raises:
        SetupError: There is no finished run, or a file of it cannot be read.
    """
    facts = _write(folder, pictures)
    for seed in facts.get("seeds", []):
        write_report(folder.seed(seed["seed"]))
    return folder.report


def write_own_report(folder: RunFolder, pictures: Pictures | None = None) -> Path:
    """Writes a report as `write_report` does; for several seeds that over them alone, where theirs are there already.

    Raises:
        SetupError: As `write_report`.
    """
    _write(folder, pictures)
    return folder.report


def _write(folder: RunFolder, pictures: Pictures | None) -> dict[str, Any]:
    """Writes the two files, and returns what the first holds."""
    facts = collect(folder, pictures)
    write_json(folder.report_facts, facts)
    write_text(folder.report, render(facts))
    return facts


def collect(folder: RunFolder, pictures: Pictures | None = None) -> dict[str, Any]:
    """What `write_report` writes into report.json.

    Raises:
        SetupError: As `write_report`.
    """
    results = _results(folder)
    recipe = Recipe.load(folder.recipe)
    inner = folder.seed(results["best_seed"]) if "seeds" in results else folder
    parameters, environment = read_parameters(inner.parameters), read_environment(inner.environment)
    data = read_data(inner.data)
    strategy = strategy_of(recipe, parameters)
    splits = shown_splits(results)
    each = [_results(folder.seed(seed)) for seed in results.get("seeds", [])]
    facts = {
        "version": VERSION,
        "name": recipe.name,
        "task": recipe.task.name,
        "model": model_name(recipe),
        "strategy": strategy,
        "finished": True,
        "ended": results.get("ended"),
        "steps": results["steps"],
        "best_step": results["best_step"],
        "confidence": results["confidence"],
        "summary": summary_of(recipe, results, data, strategy),
        "command": command_of(folder.path, recipe, environment),
        "recipe": folder.recipe.read_text(encoding="utf-8"),
        "facts": facts_of(recipe, results, data, parameters, environment),
        **headline_of(results, recipe.train.best_metric),
        "scores": {split: results[split] for split in splits},
        "examples": {split: results[f"{split}_examples"] for split in splits},
        "signatures": _signatures(results, splits),
        "checks": _checks(results, data),
        "parameters": _parameter_table(parameters),
        "cost": {name: results[name] for name in COST if name in results},
        "environment": environment,
    }
    if "seeds" in results:
        facts["checks"]["remarks"] += seed_remarks(results, each)
        return facts | seed_facts(folder, results, each)
    weights = weights_shown({"ema": recipe.train.ema, **results})
    events, broken = read_events(folder.metrics)
    facts["checks"]["remarks"] += [left_out(folder.metrics, broken)] if broken else []
    kept = _kept(folder.report_facts) if pictures is None else {}
    pictured = pictures is not None or "images" in data.get("splits", {}).get("train", {}) or any(kept.values())
    shown = {split: _split_facts(folder, split, recipe, results, data, pictured) for split in splits}
    add_pictures(shown, pictures, kept)
    return {
        **facts,
        "weights": weights,
        **({"best_by": f"eval {recipe.train.best_metric}"} if recipe.train.best_metric else {}),
        "curves": curves(events, parameters, results),
        "splits": shown,
    }


def _results(folder: RunFolder) -> dict[str, Any]:
    results = finished_results(folder)
    require(results, Reported, str(folder.results))
    return results


def shown_splits(results: Mapping[str, Any]) -> list[str]:
    """The splits with scores, what counts first."""
    return sorted(scored_splits(dict(results)), key=lambda split: not split.startswith("test"))


def headline_of(results: Mapping[str, Any], metric: str | None) -> dict[str, Any]:
    """The score to name first: of the test split, else of eval; that of `metric`, else the first there is."""
    found = headline(results, metric, ["test", "eval", *scored_splits(dict(results))])
    if found is None:
        return {}
    split, name = found
    told = results[split][name]
    entry = {key: told[key] for key in ("value", "low", "high", "selected") if key in told}
    return {"headline": {"split": split, "metric": name, **entry, "examples": results[f"{split}_examples"]}}


def _split_facts(
    folder: RunFolder, split: str, recipe: Recipe, results: Mapping[str, Any], data: Mapping[str, Any], pictured: bool
) -> dict[str, Any]:
    summary = data.get("splits", {}).get("train", {})
    kind = "pictures" if pictured else "texts"
    about = About(recipe.task.options, results, summary, kind, recipe.train.best_metric)
    lines = prediction_lines if ":" in recipe.task.name else answer_lines  # a task of somebody's own may say nothing
    known = [list(summary.get("labels", {})), _labels(folder)]
    found = read_predictions(folder.predictions(split), split, known, lines)
    slices = list(results.get(f"{split}_slices", []))
    if not found.rows:
        return {"slices": slices} if slices else {}
    output = results.get("output") or OF_PROBLEM.get(summary.get("problem", ""))
    made = KINDS[kind_of(output, found)](found, about)
    in_short = made.pop("in_short", [])
    if recipe.task.name in TASKS:  # of another task's scores it is not known which way is better
        metric = headline_metric(results[split], recipe.train.best_metric)
        weaker = weaker_part(slices, metric, results[split][metric]) if metric is not None else []
        in_short = [*weakest_label(made.get("labels", ())), *in_short, *weaker]
    return {"in_short": in_short, **made, **({"slices": slices} if slices else {})}


def _labels(folder: RunFolder) -> list[str]:
    """The labels that the model's configuration names, in order."""
    places = (folder.model, folder.adapter)
    return next((names for place in places if (names := read_labels(place / "config.json"))), [])


def _signatures(results: Mapping[str, Any], splits: Sequence[str]) -> dict[str, dict[str, str]]:
    found = {split: results.get(f"{split}_answers", {}).get("signatures", {}) for split in splits}
    return {split: signed for split, signed in found.items() if signed}


def _checks(results: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    findings = data.get("findings", [])
    known = {str(Finding(**finding)) for finding in findings}
    return {
        "splits": data.get("splits", {}),
        "findings": findings,
        "warnings": [text for text in results.get("warnings", []) if text not in known],
        "remarks": [*results.get("remarks", [])],
    }


def _parameter_table(parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [ParameterRow(**{**row, "shape": tuple(row["shape"])}) for row in parameters]
    columns, lines = parameter_lines(rows) if rows else ([], [])
    return {"columns": columns, "rows": lines}


def seed_facts(folder: RunFolder, results: Mapping[str, Any], each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The scores of each seed, what is odd about them, and links to their own reports, which show their examples.

    Args:
        folder: That of all seeds.
        results: As in its results.json.
        each: As in those of the seeds, in their order.
    """
    splits = shown_splits(results)
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


Pictures = Callable[[str, Sequence[int]], Mapping[int, Image.Image]]
"""Gives pictures as the model saw them, by split and ids."""

SIDE = 112  # pixels, at most

QUALITY = 80

BUDGET = 3 << 20  # characters of all pictures together: the whole report stays below 5 MB


def add_pictures(
    splits: Mapping[str, Mapping[str, Any]], pictures: Pictures | None, kept: Mapping[str, Mapping[int, str]]
) -> None:
    """Puts a picture into each example of the galleries of pictures, until there are 3 MB of them.

    Args:
        splits: What the report shows of each split; changed in place.
        pictures: Gives them; None where they can only be those of an earlier report.
        kept: Those, by split and id.
    """
    used = 0
    for split, facts in splits.items():
        examples = list(_pictured(facts))
        ids = sorted({example["id"] for example in examples})
        given = kept.get(split, {}) if pictures is None else _made(pictures(split, ids) if ids else {})
        for example in examples:
            picture = given.get(example["id"])
            if picture is not None and used + len(picture) <= BUDGET:
                example["picture"] = picture
                used += len(picture)


def thumbnail(picture: Image.Image) -> str:
    """A small JPEG of a picture, as a data URI; what is transparent is white."""
    small = picture.copy()
    small.thumbnail((SIDE, SIDE))
    if small.has_transparency_data:
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small.convert("RGBA"))
    file = BytesIO()
    small.convert("RGB").save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _made(pictures: Mapping[int, Image.Image]) -> dict[int, str]:
    return {number: thumbnail(picture) for number, picture in pictures.items()}


def _pictured(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for gallery in facts.get("galleries", []):
        if gallery["kind"] == "pictures":
            yield from gallery["examples"]


def _kept(before: Path) -> dict[str, dict[int, str]]:
    """The pictures of an earlier report by split and id; none where it cannot be read, for it is to be replaced."""
    try:
        splits = json.loads(before.read_text(encoding="utf-8"))["splits"]
        return {
            split: {example["id"]: example["picture"] for example in _pictured(facts) if "picture" in example}
            for split, facts in splits.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
