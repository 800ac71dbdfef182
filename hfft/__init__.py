"""hfft fine-tunes pretrained Transformers models from a recipe.

Public names are imported on first use: `import hfft` does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfft.api import Result, evaluate, plan, predict, train
    from hfft.recipe import Recipe
    from hfft.tuning.blocks import Block, blocks
    from hfft.workflows.plan import Plan
    from hfft.workflows.predict import Evaluation

__version__ = "0.1.0.dev0"

__all__ = ["Block", "Evaluation", "Plan", "Recipe", "Result", "blocks", "evaluate", "plan", "predict", "train"]

_HOMES = {
    "Block": "hfft.tuning.blocks",
    "Evaluation": "hfft.workflows.predict",
    "Plan": "hfft.workflows.plan",
    "Recipe": "hfft.recipe.recipe",
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
