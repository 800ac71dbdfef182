"""How a saved adapter is asked with PEFT and plain transformers, as Python code."""

from __future__ import annotations

from typing import Any

import transformers
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

PACKAGE = "package://"


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
