"""The metadata of a model card: what the Hub reads of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from hfft.data.findings import Finding
from hfft.io.run_folder import scored_splits
from hfft.recipe import Recipe
from hfft.tasks.task import Task

KNOWN_METRICS = {"mcc": "matthews_correlation", "r2": "r_squared", "pearson": "pearsonr", "spearman": "spearmanr"}
"""What the Hub calls metrics that have another name there; others go by their own, without an average (`_macro`)."""

SELECTED = " (selected: weights or thresholds were chosen by this split)"

AVERAGES = ("macro", "micro", "weighted", "samples")

LABELLED = ("f1", "precision", "recall")

BARE_AVERAGE = {"label": "macro", "labels": "macro", "spans": "micro"}
"""What stands behind the bare names of these metrics, by what the answers are."""


@dataclass(frozen=True)
class Trained:
    """A trained model, as its card tells of it.

    Attributes:
        recipe: With all its defaults.
        task: Of which the card takes the options' defaults, the processor, and how the model is used.
        base: The name under which others find the pretrained model too; None for a local folder.
        strategy: What learnt, in a word.
        summary: Of the data, by split, as data.json has it.
        findings: Of the data's checks.
    """

    recipe: Recipe
    task: Task
    base: str | None
    strategy: str
    summary: Mapping[str, dict[str, Any]]
    findings: Sequence[Finding]


def metadata(trained: Trained, results: dict[str, Any], library: Literal["transformers", "peft"]) -> ModelCardData:
    """What the Hub is told: task, base model, data, languages, licence, scores.

    Args:
        trained: The run.
        results: As results.json has them.
        library: What the weights are loaded with; an adapter's card is that of peft.
    """
    recipe = trained.recipe
    publish, bases, scored = recipe.publish, base_models(trained), _eval_results(trained, results)
    known = ":" not in recipe.task.name  # a task of one's own has no tag
    values: dict[str, Any] = {"base_model_relation": "adapter" if library == "peft" else "finetune"} if bases else {}
    return ModelCardData(
        language=languages(trained) or None,
        license=publish.license,
        library_name=library,
        pipeline_tag=recipe.task.name if known else None,
        base_model=bases or None,
        datasets=[hub] if (hub := public_data(recipe)) else None,
        metrics=list(dict.fromkeys(_metric(name, results.get("output"))[0] for name in metric_names(results))) or None,
        model_name=recipe.name if scored else None,
        eval_results=scored or None,
        tags=["hfft"],
        **values,
    )


def base_models(trained: Trained) -> list[str]:
    """The models of the Hub that the run began with; none where it began with new weights."""
    if trained.recipe.model.from_scratch:
        return []
    return list(dict.fromkeys(name for name in (trained.base or "").split("+") if name and "://" not in name))


def public_data(recipe: Recipe) -> str | None:
    """The data set of the Hub; None for files, or a folder."""
    hub = recipe.data.hub
    return None if hub is None or Path(hub).is_dir() else hub


def languages(trained: Trained) -> list[str]:
    """The languages that `publish.language` names, or else the codes of a translation do; none where nobody says."""
    recipe = trained.recipe
    if recipe.publish.languages:
        return recipe.publish.languages
    given = (recipe.task.options.get(f"{side}_language") for side in ("source", "target"))
    codes = [re.match(r"[a-z]{2,3}(?![A-Za-z])", code) for code in given if isinstance(code, str)]
    return list(dict.fromkeys(found[0] for found in codes if found))


def metric_names(results: dict[str, Any]) -> list[str]:
    """The metrics of all splits."""
    return list(dict.fromkeys(name for split in scored_splits(results) for name in results[split]))


def _eval_results(trained: Trained, results: dict[str, Any]) -> list[EvalResult]:
    """The scores of the splits on which nothing was chosen; where there are none, the others, marked at their names."""
    recipe, hub = trained.recipe, public_data(trained.recipe)
    made = []
    splits = scored_splits(results)
    plain = [split for split in splits if not any(entry.get("selected") for entry in results[split].values())]
    for split in plain or splits:
        named = _name_of(split, recipe)
        for metric, entry in results[split].items():
            kind, average = _metric(metric, results.get("output"))
            result = EvalResult(
                task_type=recipe.task.name if ":" not in recipe.task.name else "other",
                dataset_type=hub or "local",
                dataset_name=hub or "local files",
                dataset_config=recipe.data.config,
                dataset_revision=recipe.data.revision,
                dataset_split=named,
                metric_type=kind,
                metric_name=f"{metric}{SELECTED}" if entry.get("selected") else metric,
                metric_args={"average": average} if average else None,
                metric_value=entry["value"],
            )
            made.append(result)
    return made


def marked(text: str, split: str, recipe: Recipe) -> str:
    """A card of the run that was chosen among several by a split: its scores there are left out, or marked if alone."""
    card, name = ModelCard(text), _name_of(split, recipe)
    data: Any = card.data
    results = data.eval_results or []
    others = [result for result in results if result.dataset_split != name]
    for result in results if not others else ():
        result.metric_name = f"{(result.metric_name or '').removesuffix(SELECTED)}{SELECTED}"
    data.eval_results = others or results or None
    return str(card)


def _name_of(split: str, recipe: Recipe) -> str:
    """What the Hub's data set calls a split; of files, what hfft does."""
    if public_data(recipe) is None:
        return split
    return (recipe.data.expressions().get(split) or split).partition("[")[0]


def _metric(name: str, output: str | None) -> tuple[str, str | None]:
    """What the Hub calls a metric, and the average that it is."""
    plain, _, last = name.rpartition("_")
    if plain and last in AVERAGES:
        return KNOWN_METRICS.get(plain, plain), last
    if name.startswith("rouge"):
        return "rouge", None
    return KNOWN_METRICS.get(name, name), BARE_AVERAGE.get(output or "") if name in LABELLED else None
