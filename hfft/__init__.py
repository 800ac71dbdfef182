"""hfft fine-tunes pretrained Transformers models from a recipe.

Public names are imported on first use: `import hfft` does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfft.answering import Evaluation as Evaluation
    from hfft.api import Result as Result
    from hfft.api import evaluate as evaluate
    from hfft.api import plan as plan
    from hfft.api import predict as predict
    from hfft.api import train as train
    from hfft.planning import Plan as Plan
    from hfft.recipe import Recipe as Recipe
    from hfft.tuning.blocks import Block as Block
    from hfft.tuning.blocks import blocks as blocks

__version__ = "0.1.0.dev0"
__all__ = ["Block", "Evaluation", "Plan", "Recipe", "Result", "blocks", "evaluate", "plan", "predict", "train"]

_HOMES = {
    "Block": "hfft.tuning.blocks",
    "Evaluation": "hfft.answering",
    "Plan": "hfft.planning",
    "Recipe": "hfft.recipe",
    "Result": "hfft.api",
    "blocks": "hfft.tuning.blocks",
    "evaluate": "hfft.api",
    "plan": "hfft.api",
    "predict": "hfft.api",
    "train": "hfft.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hfft' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
