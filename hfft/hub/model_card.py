"""The model card: its sections, and how to load an adapter."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata as packages
from pathlib import Path
from typing import Any, Literal

import transformers
import yaml
from huggingface_hub import ModelCard
from peft import PeftModel
from pydantic import BaseModel
from transformers import PreTrainedTokenizerBase

from hfft.hub.metadata import Trained, languages, metadata, metric_names, public_data
from hfft.hub.portable import places_of, portable, without_any_path, without_paths
from hfft.io.run_folder import scored_splits, weights_shown
from hfft.metrics.intervals import HOW
from hfft.models.pretrained import PACKAGE
from hfft.tasks.scores import interval_text


def card(trained: Trained, results: dict[str, Any], run: Path) -> str:
    """Writes the card of model/ as Markdown with metadata. It names no path of this machine.

    Where the model is published, `path/to/model` in it is to become the repository's name.

    Args:
        trained: The run.
        results: As results.json has them.
        run: The run folder.
    """
    use = f"```python\n{trained.task.usage}\n```"
    return _card(trained, results, "transformers", use, run)


def adapter_card(trained: Trained, results: dict[str, Any], model: PeftModel, run: Path) -> str:
    """Writes the card of adapter/ as `card` does for model/: it is used with PEFT, on the base model.

    Args:
        trained: The run.
        results: As results.json has them.
        model: With its adapter, not merged.
        run: The run folder.
    """
    recipe = trained.recipe
    if recipe.model.name is None or recipe.model.from_scratch:
        use = "The base model started with random weights that nobody else has: use the merged weights in `model/`."
    else:
        use = adapter_usage(
            model,
            trained.task.processor,
            base=trained.base,
            revision=recipe.model.revision,
            new_head=recipe.model.new_head,
            resized=getattr(trained.task, "resized", False),
            usage=trained.task.usage,
        )
    return _card(trained, results, "peft", use, run)


def _card(
    trained: Trained, results: dict[str, Any], library: Literal["transformers", "peft"], use: str, run: Path
) -> str:
    data, places = metadata(trained, results, library), places_of(trained.recipe, run)
    sections = {
        "Use": use,
        "Scores": scores(trained, results),
        "Training": training(trained),
        "Limits": without_any_path(without_paths(limits(trained, results), places)),
        "Repeat and cite": repeating(trained),
    }
    body = [f"# {trained.recipe.name}", summary(trained, results)]
    body += [part for title, text in sections.items() if text for part in (f"## {title}", text)]
    body = [without_paths(text, places) for text in body]
    text = str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(body) + "\n"))
    return text if text.endswith("\n") else f"{text}\n"


PACKAGES = ("hfft", "transformers", "torch", "peft", "accelerate", "datasets", "tokenizers", "huggingface-hub")

WORST = 3  # labels named

MEANINGS = {
    "f1": "`f1`, `precision` and `recall` without an ending are {average}; 0 divided by 0 is 0",
    "mcc": "`mcc` is Matthews' correlation coefficient",
    "rouge1": "ROUGE is that of rouge_score with its stemmer, an F1 from 0 to 1; in `rougeLsum` lines are sentences",
    "bleu": "`bleu` is sacrebleu's, of the whole split, from 0 to 100",
    "chrf": "`chrf` is sacrebleu's, of the whole split, from 0 to 100",
    "r2": "`r2` is 1 less the share of the truths' variance that is left",
}
"""How scores are defined, by a metric that is among them."""


def summary(trained: Trained, results: dict[str, Any]) -> str:
    """One paragraph: what was trained on what."""
    recipe = trained.recipe
    train = trained.summary["train"]
    rows = "a stream of rows" if train.get("stream") else f"{train['rows']} rows"
    start = f"`{trained.base}`" if trained.base else "a local checkpoint"
    begun = f"Trained from new weights, with the configuration of {start}," if recipe.model.from_scratch else ""
    adapter = recipe.tune.adapter
    strategy = trained.strategy if adapter is None else f"adapter {adapter.name}"
    said = [
        f"{begun or f'Fine-tuned from {start}'} for {recipe.task.name} on {rows} ({_data(trained)}) with hfft: "
        f"{results['steps']} steps of {recipe.train.batch_size} samples, strategy {strategy}, the weights of "
        f"{weights_shown(results)}."
    ]
    codes = languages(trained)
    said += [f"Language: {', '.join(codes)}."] if codes else []
    if recipe.publish.license is None:
        said.append("No licence is given: ask the author before you use or pass on the model.")
    return " ".join(said)


def _data(trained: Trained) -> str:
    data, hub = trained.recipe.data, public_data(trained.recipe)
    if hub is None:
        return "local files"
    return ", ".join([hub, *([data.config] if data.config else []), *([data.revision] if data.revision else [])])


def scores(trained: Trained, results: dict[str, Any]) -> str:
    """The table of scores, and how they and their intervals were computed; nothing where nothing was scored."""
    if not scored_splits(results):
        return ""
    lines = ["| split | metric | value | interval | examples |", "| --- | --- | --- | --- | --- |"]
    for split in scored_splits(results):
        for metric, entry in results[split].items():
            interval = interval_text(entry)
            mark = " (selected)" if entry.get("selected") else ""
            examples = results[f"{split}_examples"]
            lines.append(f"| {split} | {metric} | {entry['value']:.4f}{mark} | {interval} | {examples} |")
    share = f"{100 * results['confidence']:g}%"
    how = (
        f"Every labelled example of a split was answered once and scored once. Intervals of {share} confidence: {HOW}. "
        "They tell of the choice of the examples, not of other seeds."
    )
    marked = " `selected`: weights or thresholds were chosen on this split, so the score runs high."
    if any(entry.get("selected") for split in scored_splits(results) for entry in results[split].values()):
        how += marked
    return "\n\n".join(["\n".join(lines), how, *_definitions(trained, results)])


def _definitions(trained: Trained, results: dict[str, Any]) -> Iterator[str]:
    micro = results.get("output") == "spans"
    average = "over whole entities, all types together" if micro else "means over the labels (macro)"
    known = [text.format(average=average) for name, text in MEANINGS.items() if name in metric_names(results)]
    if known:
        yield ". ".join(known) + "."
    for split in scored_splits(results):
        for name, text in results.get(f"{split}_answers", {}).get("signatures", {}).items():
            yield f"Signature of {name} on {split}: `{text}`."
    for name, value in results.get("settled", {}).items():
        yield f"{name}: {value}, chosen on the eval split; it stands in the configuration."


def training(trained: Trained) -> str:
    """The data, the settings that are not defaults, and what the checks found in the data."""
    rows = [f"- {split}: {told['rows']} rows" for split, told in trained.summary.items()]
    recipe = yaml.safe_dump(settings(trained), sort_keys=False, allow_unicode=True, width=100)
    parts = [
        f"Data: {_data(trained)}.\n\n" + "\n".join(rows),
        "The recipe, as far as it differs from hfft's defaults:",
        f"```yaml\n{recipe}```",
    ]
    findings = [f"- {finding}" for finding in trained.findings]
    found = "\n".join(["The checks of the data found:", "", *findings])
    return "\n\n".join([*parts, found if findings else "The checks of the data found nothing to report."])


def settings(trained: Trained) -> dict[str, Any]:
    """The settings of a run that differ from their defaults, without paths of this machine."""
    recipe = portable(trained.recipe)
    given, defaults = recipe.model_dump(mode="json"), {"task": _defaults(type(trained.task).Options)}
    for name in type(recipe).model_fields:
        section = getattr(recipe, name)
        if isinstance(section, BaseModel) and name != "task":
            defaults[name] = _defaults(type(section))
    usual = type(recipe.eval)().with_defaults(**vars(trained.task.scoring))
    defaults["train"] |= {"group_by_length": trained.task.group_by_length, "keep_best": False}
    defaults["tune"]["layer_decay"] = 1.0
    del given["defaults"]  # what they have chosen stands in the settings
    return _beside({**given}, {**defaults, "eval": usual.model_dump(mode="json")})


def _defaults(section: type[BaseModel]) -> dict[str, Any]:
    found = {name: field.get_default(call_default_factory=True) for name, field in section.model_fields.items()}
    return {
        name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for name, value in found.items()
        if not section.model_fields[name].is_required()
    }


def _beside(given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """What stands in `given` and not in `defaults`."""
    kept = {}
    for key, value in given.items():
        usual = defaults.get(key)
        left = _beside(value, usual) if isinstance(value, dict) and isinstance(usual, dict) else value
        if key not in defaults or (value != usual and left != {}):
            kept[key] = left
    return kept


def limits(trained: Trained, results: dict[str, Any]) -> str:
    """What is not known of the model, and what is known against it."""
    said = [*_unmeasured(trained, results), *_weak_labels(results)]
    if results.get("ended"):
        said.append(f"Training ended early: {results['ended']}.")
    found = {str(finding) for finding in trained.findings}
    said += [text for text in [*results.get("warnings", []), *results.get("remarks", [])] if text not in found]
    return "\n".join(f"- {text}" for text in dict.fromkeys(said))


def _unmeasured(trained: Trained, results: dict[str, Any]) -> Iterator[str]:
    splits = scored_splits(results)
    chosen = any(entry.get("selected") for entry in results.get("eval", {}).values())
    if not splits:
        yield "It was not scored on any data: nobody knows how good it is."
    elif chosen and not any(split.startswith("test") for split in splits):
        yield "Its weights were chosen on the only data it was scored on, so it does worse on other data."
    yield (
        "It was scored on data like that which it learnt from, if at all. Other sources, topics or times, rare groups "
        "of people, wilfully misleading inputs and long use were not measured."
    )
    codes = languages(trained)
    if not trained.task.file_columns:
        yield (
            f"Other languages than {', '.join(codes)} were not measured."
            if codes
            else ("Its languages are those of the data; what it does with others was not measured.")
        )
    if trained.base and not trained.recipe.model.from_scratch:
        yield f"What is one-sided or wrong in `{trained.base}` may be so here too."


def _weak_labels(results: dict[str, Any]) -> Iterator[str]:
    split = next((name for name in ("test", "eval") if results.get(f"{name}_labels")), None)
    table = results.get(f"{split}_labels", {})
    by_f1 = sorted((entry["f1"]["value"], label) for label, entry in table.items() if "f1" in entry)
    count = min(WORST, len(by_f1) // 2)  # of two labels there is one that is the weaker
    worst = [f"{label} ({value:.4f})" for value, label in by_f1[:count] if value < 1]
    if worst:
        yield f"The labels with the lowest F1 on {split}: {', '.join(worst)}."


def repeating(trained: Trained) -> str:
    """How the run is repeated and named, and what it ran with."""
    versions = ", ".join(f"{name} {packages.version(name)}" for name in PACKAGES)
    return (
        "The whole recipe is `recipe.yaml` of the run folder, and `hfft/recipe.yaml` where the model is published, "
        "with `hfft/environment.json` beside it. To repeat the training, with files of your own named where it had "
        "local ones:\n\n"
        "```bash\npython -m hfft.run hf://path/to/model\n```\n\n"
        f"Trained with {versions}; seed {trained.recipe.train.seed}.\n\n"
        f"To cite it, give the address of this page, its revision, and hfft {packages.version('hfft')}."
    )


def adapter_usage(
    model: PeftModel, processor: Any, base: str | None, revision: str | None, new_head: bool, resized: bool, usage: str
) -> str:
    """Writes Markdown that says how the folder of an adapter is used.

    The base is loaded as it was for training: with as many labels, and the same token for padding.

    Args:
        model: With its adapter, not merged.
        processor: The tokenizer or image processor, which lies beside the adapter.
        base: The public name of the model below the adapter; None for a local folder.
        revision: Of the base.
        new_head: Whether a trained head of the base was left out.
        resized: Whether the model was made for images of another size than the base.
        usage: How the merged model would be asked, of which a model that writes takes all but the loading.
    """
    plain: Any = model.get_base_model()
    kind, writes = type(plain).__name__, plain.can_generate()
    reader = "AutoTokenizer" if isinstance(processor, PreTrainedTokenizerBase) else "AutoImageProcessor"
    foreign = not hasattr(transformers, kind)
    names = {reader, kind, *(["GenerationConfig"] if writes else [])} - ({kind} if foreign else set())
    lines = [
        *("import torch", "from peft import PeftModel", f"from transformers import {', '.join(sorted(names))}", ""),
        *([f"# {kind} is a class of the base model's own code."] if foreign else []),
        *_loaded(plain, base, revision, new_head),
        *(['base.generation_config = GenerationConfig.from_pretrained("path/to/adapter")'] if writes else []),
        'model = PeftModel.from_pretrained(base, "path/to/adapter").eval()',
    ]
    if writes:
        asked = [line for line in usage.splitlines() if not line.startswith("model = ")]
        lines += ["", *(line.replace("path/to/model", "path/to/adapter") for line in asked)]
    else:
        given = '"..."' if reader == "AutoTokenizer" else 'Image.open("photo.jpg")'
        lines[:0] = ["from PIL import Image"] if reader == "AutoImageProcessor" else []
        lines += [f'processor = {reader}.from_pretrained("path/to/adapter")']
        lines += [f'inputs = processor({given}, return_tensors="pt")']
        more = ", interpolate_pos_encoding=True" if resized else ""
        lines += ["with torch.no_grad():", f"    logits = model(**inputs{more}).logits"]
    return "\n".join(["```python", *lines, "```"])


def _loaded(plain: Any, base: str | None, revision: str | None, new_head: bool) -> list[str]:
    """Lines of code that load the base."""
    config, lines = plain.config, []
    arguments = ['dtype="float32"', *([f'revision="{revision}"'] if revision else [])]
    if not plain.can_generate():
        lines = [f"labels = {[config.id2label[number] for number in range(config.num_labels)]!r}"]
        arguments += ["num_labels=len(labels)", "id2label=dict(enumerate(labels))"]
        arguments += ["label2id={name: number for number, name in enumerate(labels)}"]
    if getattr(config, "pad_token_id", None) is not None:
        arguments += [f"pad_token_id={config.pad_token_id}"]
    arguments += ["ignore_mismatched_sizes=True"] if new_head else []
    on_the_hub = base is not None and not base.startswith(PACKAGE)
    where = f'    "{base}",' if on_the_hub else f'    "path/to/base",  # {base or "the folder that was fine-tuned"}'
    return [*lines, f"base = {type(plain).__name__}.from_pretrained(", where, *(f"    {a}," for a in arguments), ")"]
