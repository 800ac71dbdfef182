"""The model card that lies beside the weights: what was trained on what, how it scored, how to use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from peft import PeftModel

from hfft.assemble import Assembly
from hfft.folder import scored_splits
from hfft.soup import weights_shown
from hfft.tuning.adapter_usage import adapter_usage


def card(assembly: Assembly, results: dict[str, Any]) -> str:
    """Writes the card of model/ as Markdown with metadata. It names no path of this machine.

    Args:
        assembly: The run.
        results: As results.json has them.
    """
    use = f"```python\n{assembly.task.usage}\n```"
    return _card(assembly, results, "transformers", use)


def adapter_card(assembly: Assembly, results: dict[str, Any], model: PeftModel) -> str:
    """Writes the card of adapter/ as `card` does for model/: it is used with PEFT, on the base model.

    Args:
        assembly: The run.
        results: As results.json has them.
        model: With its adapter, not merged.
    """
    recipe = assembly.recipe
    if recipe.model.name is None or recipe.model.from_scratch:
        use = "The base model started with random weights that nobody else has: use the merged weights in `model/`."
    else:
        use = adapter_usage(
            model,
            assembly.task.processor,
            base=assembly.base,
            revision=recipe.model.revision,
            new_head=recipe.model.new_head,
            resized=getattr(assembly.task, "resized", False),
            usage=assembly.task.usage,
        )
    return _card(assembly, results, "peft", use)


def _card(assembly: Assembly, results: dict[str, Any], library: str, use: str) -> str:
    recipe = assembly.recipe
    base = assembly.base
    hub = None if recipe.data.hub is None or Path(recipe.data.hub).is_dir() else recipe.data.hub  # it may be a folder
    data = hub or "local files"
    scores = [
        EvalResult(
            task_type=recipe.task.name,
            dataset_type=hub or "local",
            dataset_name=data,
            dataset_split=split,
            metric_type=metric,
            metric_value=entry["value"],
        )
        for split in scored_splits(results)
        for metric, entry in results[split].items()
    ]
    metadata = ModelCardData(
        library_name=library,
        pipeline_tag=recipe.task.name if ":" not in recipe.task.name else None,  # a task of one's own has no tag
        base_model=list(dict.fromkeys(name for name in (base or "").split("+") if name and "://" not in name)) or None,
        datasets=hub,
        model_name=recipe.name,
        eval_results=scores or None,
        tags=["hfft"],
    )
    lines = [f"---\n{metadata.to_yaml()}\n---", f"# {recipe.name}", _summary(assembly, results, base, data)]
    if scores:
        lines += ["## Scores", _scores(results)]
    lines += ["## Use", use]
    return "\n\n".join(lines) + "\n"


def _summary(assembly: Assembly, results: dict[str, Any], base: str | None, data: str) -> str:
    train = assembly.prepared.summary["train"]
    rows = "a stream of rows" if train.get("stream") else f"{train['rows']} rows"
    start = f"`{base}`" if base else "a local checkpoint"
    adapter = assembly.recipe.tune.adapter
    strategy = assembly.strategy if adapter is None else f"adapter {adapter.name}"
    return (
        f"Fine-tuned from {start} for {assembly.recipe.task.name} on {rows} ({data}) with hfft: "
        f"{results['steps']} steps of {assembly.recipe.train.batch_size} samples, strategy {strategy}, the "
        f"weights of {weights_shown(results)}."
    )


def _scores(results: dict[str, Any]) -> str:
    lines = ["| split | metric | value | interval | examples |", "| --- | --- | --- | --- | --- |"]
    for split in scored_splits(results):
        for metric, entry in results[split].items():
            interval = "" if entry["low"] is None else f"{entry['low']:.4f} to {entry['high']:.4f}"
            mark = " (selected)" if entry.get("selected") else ""
            examples = results[f"{split}_examples"]
            lines.append(f"| {split} | {metric} | {entry['value']:.4f}{mark} | {interval} | {examples} |")
    signatures = [
        f"Signature of {name} on {split}: `{text}`."
        for split in scored_splits(results)
        for name, text in results.get(f"{split}_answers", {}).get("signatures", {}).items()
    ]
    share = f"{100 * results['confidence']:g}%"
    how = f"Intervals hold {share} of 1,000 bootstrap resamples of the examples (percentile method)."
    marked = "`selected`: weights or thresholds were chosen on this split, so the score runs high."
    return "\n\n".join(["\n".join(lines), f"{how} {marked}", *signatures])
