"""`tune.adapter` in a recipe: which adapter, where."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hfft.section import Section


class AdapterSection(Section):
    """`tune.adapter`: small trainable weights beside frozen ones. The head is trained and saved too."""

    name: Literal["lora"] = "lora"
    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: Literal["attention", "all-linear"] | list[str] = Field(
        default="attention", description="Linear layers of the attention, of every block, or patterns of module names."
    )
