"""The model card that lies beside the weights: what was trained on what, how it scored, how to use it, its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from huggingface_hub import ModelCard
from peft import PeftModel

from hfft.assemble import Assembly
from hfft.card.metadata import metadata
from hfft.card.portable import places_of, without_any_path, without_paths
from hfft.card.sections import limits, repeating, scores, summary, training
from hfft.tuning.adapter_usage import adapter_usage


def card(assembly: Assembly, results: dict[str, Any], run: Path) -> str:
    """Writes the card of model/ as Markdown with metadata. It names no path of this machine.

    Where the model is published, `path/to/model` in it is to become the repository's name.

    Args:
        assembly: The run.
        results: As results.json has them.
        run: The run folder.
    """
    use = f"```python\n{assembly.task.usage}\n```"
    return _card(assembly, results, "transformers", use, run)


def adapter_card(assembly: Assembly, results: dict[str, Any], model: PeftModel, run: Path) -> str:
    """Writes the card of adapter/ as `card` does for model/: it is used with PEFT, on the base model.

    Args:
        assembly: The run.
        results: As results.json has them.
        model: With its adapter, not merged.
        run: The run folder.
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
    return _card(assembly, results, "peft", use, run)


def _card(
    assembly: Assembly, results: dict[str, Any], library: Literal["transformers", "peft"], use: str, run: Path
) -> str:
    data, places = metadata(assembly, results, library), places_of(assembly.recipe, run)
    sections = {
        "Use": use,
        "Scores": scores(assembly, results),
        "Training": training(assembly),
        "Limits": without_any_path(without_paths(limits(assembly, results), places)),
        "Repeat and cite": repeating(assembly),
    }
    body = [f"# {assembly.recipe.name}", summary(assembly, results)]
    body += [part for title, text in sections.items() if text for part in (f"## {title}", text)]
    body = [without_paths(text, places) for text in body]
    text = str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(body) + "\n"))
    return text if text.endswith("\n") else f"{text}\n"
