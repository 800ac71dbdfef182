"""hfft fine-tunes pretrained Transformers models from a recipe.

Public names are imported on first use: `import hfft` does not import torch.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

warnings.filterwarnings("ignore", "IProgress not found")  # tqdm's, in notebooks: the bars of hfft need no ipywidgets

if TYPE_CHECKING:
    from hfft.api import Result, evaluate, find_lr, load, plan, predict, report, sweep, train
    from hfft.errors import DataError, HfftError, ModelError, RecipeError, SetupError, Stopped, TrainingError
    from hfft.hub import pull, push
    from hfft.recipe import Recipe
    from hfft.reports.compare import Comparison, compare
    from hfft.tuning.blocks import Block, blocks
    from hfft.workflows.find_lr import RangeTest
    from hfft.workflows.model import Model
    from hfft.workflows.plan import Plan
    from hfft.workflows.predict import Evaluation
    from hfft.workflows.sweep.result import Sweep

__version__ = "0.1.0.dev0"

__all__ = [
    "Block",
    "Comparison",
    "DataError",
    "Evaluation",
    "HfftError",
    "Model",
    "ModelError",
    "Plan",
    "RangeTest",
    "Recipe",
    "RecipeError",
    "Result",
    "SetupError",
    "Stopped",
    "Sweep",
    "TrainingError",
    "blocks",
    "compare",
    "evaluate",
    "find_lr",
    "load",
    "plan",
    "predict",
    "pull",
    "push",
    "report",
    "sweep",
    "train",
]

_HOMES = {
    "Block": "hfft.tuning.blocks",
    "Comparison": "hfft.reports.compare",
    "DataError": "hfft.errors",
    "Evaluation": "hfft.workflows.predict",
    "HfftError": "hfft.errors",
    "Model": "hfft.workflows.model",
    "ModelError": "hfft.errors",
    "Plan": "hfft.workflows.plan",
    "RangeTest": "hfft.workflows.find_lr",
    "Recipe": "hfft.recipe",
    "RecipeError": "hfft.errors",
    "Result": "hfft.api",
    "SetupError": "hfft.errors",
    "Stopped": "hfft.errors",
    "Sweep": "hfft.workflows.sweep.result",
    "TrainingError": "hfft.errors",
    "blocks": "hfft.tuning.blocks",
    "compare": "hfft.reports.compare",
    "evaluate": "hfft.api",
    "find_lr": "hfft.api",
    "load": "hfft.api",
    "plan": "hfft.api",
    "predict": "hfft.api",
    "pull": "hfft.hub",
    "push": "hfft.hub",
    "report": "hfft.api",
    "sweep": "hfft.api",
    "train": "hfft.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hfft' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
