"""`tune` in a recipe: which weights move, and how fast beside each other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from hfft.adapter_section import AdapterSection
from hfft.section import Section

BlockCount = Annotated[int, Field(ge=0)] | Literal["all"]


class FreezeSection(Section):
    """`tune.freeze`: what does not move."""

    blocks: BlockCount | dict[str, BlockCount] = Field(
        description="The stem and this many lowest blocks of each stack; 'all': everything but the head; by stack, "
        "such as {encoder: all, decoder: 1}: these, and the stem unless 'stem: 0' is given."
    )
    dropout: bool = Field(default=False, description="Leave dropout on in frozen blocks.")

    @field_validator("blocks", mode="before", json_schema_input_type=BlockCount | dict[str, BlockCount])
    @classmethod
    def _by_stack(cls, blocks: Any) -> Any:
        if not isinstance(blocks, dict):
            return blocks
        given = {stack: count for stack, count in blocks.items() if count is not None}
        for stack, count in given.items():
            if count != "all" and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
                raise ValueError(f"'{stack}' is {count!r}: give a number of blocks, from 0 on, or 'all'")
        if given.get("stem", 0) not in (0, "all"):
            raise ValueError(f"'stem' is {given['stem']}, but the stem is frozen whole or not at all: 'all' or 0")
        if not any(given.values()):
            raise ValueError(f"{given} freezes nothing: leave 'freeze' out")
        return given


class TuneSection(Section):
    """`tune`: which weights move, and how fast beside each other."""

    freeze: FreezeSection | None = None
    layer_decay: float = Field(
        default=1.0, gt=0, le=1, description="Each block learns at this times the rate of the next."
    )
    head_scale: float = Field(default=1.0, gt=0, description="The head's learning rate as a multiple of `optim.lr`.")
    adapter: AdapterSection | None = None
    batch_norm: Literal["train", "eval"] = Field(
        default="train",
        description="'eval': BatchNorm uses the checkpoint's running statistics, which stay as they are; so what is "
        "learnt does not depend on how a batch is cut. 'train': it uses those of each micro-batch.",
    )
