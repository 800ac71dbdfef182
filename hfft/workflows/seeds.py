"""Several runs that differ in their seed alone: their scores together, and the best of them as the model."""

from __future__ import annotations

import math
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from accelerate import Accelerator
from scipy.special import stdtrit

from hfft.hub.metadata import marked
from hfft.io.console import Console
from hfft.io.run_files import read_results
from hfft.io.run_folder import RunFolder, scored_splits, whole_folder, write_json, write_text
from hfft.metrics import OTHER_AVERAGES
from hfft.recipe import Recipe
from hfft.tasks.scores import headline, headline_metric, interval_text
from hfft.training.processes import on_main
from hfft.workflows.build import build
from hfft.workflows.resolve import ResolvedRecipe, resolve
from hfft.workflows.resume import Start, check_beginning, find_start
from hfft.workflows.train import report_on, tidy_up, train_in


def train_seeds(
    folder: RunFolder, resolved: ResolvedRecipe, accelerator: Accelerator, resume: str, console: Console
) -> None:
    """Trains with each seed of `train.seeds` in a folder of its own, or goes on there. All processes call it.

    Raises:
        HfftError: As `hfft.train`.
    """
    recipe, main = resolved.recipe, accelerator.is_main_process
    start = on_main(accelerator, lambda: find_start(folder, recipe, resume))
    if start.finished:
        console.say(f"All seeds in {folder.path} are finished already. Add some with train.seeds.")
        for seed in recipe.train.seeds or []:
            on_main(accelerator, partial(tidy_up, folder.seed(seed), recipe, console))
        return
    seeds = recipe.train.seeds or []
    resolved = replace(resolved, recipe=start.settled(recipe))
    resolved = replace(resolved, recipe=_chosen_for_all(folder, resolved, start, accelerator))
    recipe = resolved.recipe
    accelerator.free_memory()
    if main:
        folder.remove_unfinished()
        folder.remove_results()
        recipe.save(folder.recipe)
    for number, seed in enumerate(seeds, start=1):
        console.say(f"\nSeed {seed}, {number} of {len(seeds)}")
        inner = folder.seed(seed)
        if main:
            inner.create()
        train_in(inner, _of_seed(resolved, seed), accelerator, "auto", console)
        accelerator.free_memory()
    on_main(accelerator, lambda: _gather(folder, recipe, resolved.task.lower_is_better, console))


def _of_seed(resolved: ResolvedRecipe, seed: int) -> ResolvedRecipe:
    """One of several seeds, with a task of its own: what it would be for that seed alone."""
    recipe = resolved.recipe
    train = recipe.train.model_copy(update={"seed": seed, "seeds": None})
    alone = recipe.model_copy(update={"train": train, "publish": recipe.publish.only_card})  # the best one is published
    return replace(resolve(alone, resolved.trust), tables=resolved.tables)


def _chosen_for_all(folder: RunFolder, resolved: ResolvedRecipe, start: Start, accelerator: Accelerator) -> Recipe:
    """The recipe of all seeds with what it leaves open, chosen once; faults show before results of a run go."""
    recipe = resolved.recipe
    seeds = recipe.train.seeds or []
    setup = build(_of_seed(resolved, seeds[-1]), accelerator)
    begun = next((inner for inner in map(folder.seed, seeds) if inner.environment.exists()), None)
    if start.continues and begun is not None:
        on_main(accelerator, lambda: check_beginning(begun, start, setup))
    train = setup.recipe.train.model_copy(update={"seed": recipe.train.seed, "seeds": recipe.train.seeds})
    return setup.recipe.model_copy(update={"train": train, "publish": recipe.publish})


def _gather(folder: RunFolder, recipe: Recipe, lower_is_better: frozenset[str], console: Console) -> None:
    """Writes what the finished runs of all seeds come to: results.json last, before it the best one's model/."""
    seeds = recipe.train.seeds or []
    found = [read_results(folder.seed(seed).results) for seed in seeds]
    best, metric = _best(found, recipe, lower_is_better)
    results: dict[str, Any] = {
        "task": recipe.task.name,
        "seeds": seeds,
        "best_seed": seeds[best],
        "best_by": f"eval {metric}" if metric else None,
        "steps": found[best]["steps"],
        "best_step": found[best]["best_step"],
        **({"soup": found[best]["soup"]} if "soup" in found[best] else {}),
    }
    for split in scored_splits(found[0]):
        results[split] = _over_seeds([result[split] for result in found], recipe.eval.confidence)
        results[f"{split}_examples"] = found[0][f"{split}_examples"]
    results |= {
        "confidence": recipe.eval.confidence,
        "train_seconds": sum(result["train_seconds"] for result in found),
        "skipped_steps": sum(result.get("skipped_steps", 0) for result in found),
        "samples_per_second": statistics.median(result["samples_per_second"] for result in found),
        "warnings": list(dict.fromkeys(text for result in found for text in result["warnings"])),
    }
    chosen = folder.seed(seeds[best])
    note = _note(results)
    for source, target in ((chosen.model, folder.model), (chosen.adapter, folder.adapter)):
        if source.is_dir():
            with whole_folder(target) as place:
                shutil.copytree(source, place, dirs_exist_ok=True)
                card = (place / "README.md").read_text(encoding="utf-8")
                card = marked(card, "eval", recipe) if metric is not None else card
                write_text(place / "README.md", f"{card}\n{note}\n")
    write_json(folder.results, results)
    report_on(folder, console)
    _show(results, folder, console)


def _best(found: Sequence[dict[str, Any]], recipe: Recipe, lower_is_better: frozenset[str]) -> tuple[int, str | None]:
    """The position of the run with the best eval, and the metric that says so; the first where there is no eval."""
    metric = recipe.train.best_metric or headline_metric(found[0].get("eval", {}))
    if metric is None:
        return 0, None
    less = recipe.train.less_is_better(lower_is_better) if recipe.train.best_metric else metric in lower_is_better
    sign = -1 if less else 1
    values = [sign * _eval_value(result, metric) for result in found]
    known = [value for value in values if not math.isnan(value)]
    return (values.index(max(known)) if known else 0), metric


def _eval_value(result: dict[str, Any], metric: str) -> float:
    """A score of the eval split; not a number where this run has none of that name."""
    name, slash, label = metric.partition("/")
    table = result.get("eval_labels", {}).get(label, {}) if slash else result.get("eval", {})
    return table[name]["value"] if name in table else float("nan")


def _over_seeds(tables: Sequence[dict[str, Any]], confidence: float) -> dict[str, dict[str, Any]]:
    """Mean, spread (standard deviation) and Student's interval of the mean, for each metric that all seeds have."""
    made = {}
    for name in tables[0]:
        if not all(name in table for table in tables):
            continue
        values = [table[name]["value"] for table in tables]
        mean, count = statistics.fmean(values), len(values)
        spread = statistics.stdev(values) if count > 1 else None
        reach = None
        if spread:  # of seeds that are all alike it is not known how they vary
            reach = float(stdtrit(count - 1, (1 + confidence) / 2)) * spread / count**0.5
        made[name] = {
            "value": mean,
            "low": None if reach is None else mean - reach,
            "high": None if reach is None else mean + reach,
            "spread": spread,
            "values": values,
            **({"selected": True} if any(table[name].get("selected") for table in tables) else {}),
        }
    return made


def _note(results: dict[str, Any]) -> str:
    lines = [
        "## Seeds",
        "",
        f"One of {len(results['seeds'])} runs that differ in their seed alone: {_chosen(results)}. Over all of them:",
        "",
        "| split | metric | mean | standard deviation |",
        "| --- | --- | --- | --- |",
    ]
    for split in scored_splits(results):
        for metric, entry in results[split].items():
            spread = "" if entry["spread"] is None else f"{entry['spread']:.4f}"
            lines.append(f"| {split} | {metric} | {entry['value']:.4f} | {spread} |")
    return "\n".join(lines)


def _show(results: dict[str, Any], folder: RunFolder, console: Console) -> None:
    rows = []
    for split in scored_splits(results):
        for metric, entry in results[split].items():
            if entry["spread"] is not None and not metric.endswith(OTHER_AVERAGES):
                each = " ".join(f"{value:.4f}" for value in entry["values"])
                spread = f"{entry['spread']:.4f}"
                rows.append((f"{split} {metric}", f"{entry['value']:.4f}", spread, interval_text(entry), each))
    if rows:
        columns = ("", "mean", "spread", f"{100 * results['confidence']:g}% interval of the mean", "each")
        named = ", ".join(map(str, results["seeds"]))
        console.table(f"Seeds {named} (intervals over seeds, not over examples)", columns, rows)
    place = folder.model if folder.model.is_dir() else folder.adapter
    console.say(f"{place} is that of seed {results['best_seed']}, {_chosen(results)}")
    found = headline(results, (results["best_by"] or "").removeprefix("eval "))
    if found is not None:
        split, metric = found
        entry = results[split][metric]
        spread = "" if entry["spread"] is None else f" ± {entry['spread']:.4f} over {len(results['seeds'])} seeds"
        console.say(f"{split} {metric} {entry['value']:.4f}{spread}; run folder {folder.path}")


def _chosen(results: dict[str, Any]) -> str:
    best_by = results["best_by"]
    return f"the best by {best_by}, which therefore runs high" if best_by else "the first, for there is no eval split"
