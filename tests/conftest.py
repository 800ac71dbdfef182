"""What all tests share: no network, a cache of their own, tiny examples made once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: it reads this once

import datasets.config
import torch
import transformers

from tests.outside.example import example
from tests.tiny import EXAMPLES

transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)  # tiny models gain nothing from more, and tests run side by side


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HFFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("datasets")))
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", Path(os.environ["HF_DATASETS_CACHE"]))
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Gives the tiny recipe of a task or variant, or of the task `outside`, as plain values; all is written once."""
    made: dict[str, dict[str, Any]] = {}

    def give(task: str) -> dict[str, Any]:
        if task not in made:
            made[task] = {**EXAMPLES, "outside": example}[task](tmp_path_factory.mktemp("tiny"))
        return made[task]

    return give


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parent.parent
