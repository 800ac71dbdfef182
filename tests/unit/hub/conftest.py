"""Runs to publish, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LILY = "tune.adapter={name: lily, r: 4}"  # which PEFT cannot merge


@pytest.fixture(scope="session")
def trained(tiny: Callable[[str], dict[str, Any]], run_of: Callable[..., Path]) -> Callable[..., Path]:
    """Gives the folder of a finished run of a tiny recipe with overrides; each is made once, so leave it as it is."""
    return lambda task, *overrides: run_of(tiny(task), *overrides)
