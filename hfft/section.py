"""What all sections of a recipe have in common."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A closed, frozen part of a recipe: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")


def mended(value: Any) -> Any:
    """Turns texts such as `1e-8` into the numbers they mean, also inside lists: YAML 1.1 wants `1.0e-8`."""
    if isinstance(value, dict):
        return {key: mended(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mended(item) for item in value]
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value
