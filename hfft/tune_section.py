"""`tune` in a recipe: which weights move, when, and how fast beside each other."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from hfft.adapter_section import AdapterSection
from hfft.section import Section

PERCENT = r"^(100|[1-9]?[0-9])%$"
Percent = Annotated[str, Field(pattern=PERCENT)]
BlockCount = Annotated[int, Field(ge=0)] | Literal["all"] | Percent
Decay = Annotated[float, Field(gt=0, le=1)]
Kept = Literal["biases", "norms"]


class FreezeRule(Section):
    """One line of `tune.freeze.patterns`: either `freeze: PATTERN` or `train: PATTERN`."""

    freeze: str | None = None
    train: str | None = None

    @model_validator(mode="after")
    def _one(self) -> FreezeRule:
        if (self.freeze is None) == (self.train is None):
            raise ValueError("a line is either 'freeze: PATTERN' or 'train: PATTERN'")
        return self

    @property
    def pair(self) -> tuple[str, bool]:
        """The pattern, and whether it freezes."""
        return (self.freeze, True) if self.freeze is not None else (self.train or "", False)


class FreezeSection(Section):
    """`tune.freeze`: what does not move."""

    blocks: BlockCount | dict[str, BlockCount] | None = Field(
        default=None,
        description="The stem and this many lowest blocks of each stack, or this share of them ('50%'); 'all': "
        "everything but the head; by stack, such as {encoder: all, decoder: 1}: these, and the stem unless 'stem: 0' "
        "is given.",
    )
    keep: Kept | Annotated[list[Kept], Field(min_length=1)] | None = Field(
        default=None,
        description="What learns in frozen blocks all the same: biases (with blocks: all this is BitFit), norms, or "
        "both.",
    )
    patterns: list[FreezeRule] = Field(
        default_factory=list,
        description="Parameters by name, in lines of 'freeze: PATTERN' or 'train: PATTERN', of which the first that "
        "matches decides, before 'blocks' does.",
    )
    dropout: bool = Field(default=False, description="Leave dropout on in frozen blocks.")

    @field_validator("blocks", mode="before", json_schema_input_type=BlockCount | dict[str, BlockCount] | None)
    @classmethod
    def _by_stack(cls, blocks: Any) -> Any:
        if isinstance(blocks, bool):
            raise ValueError(f"it is {blocks}: give a number of blocks, a share such as 50%, or 'all'")
        if not isinstance(blocks, dict):
            return blocks
        given = {stack: count for stack, count in blocks.items() if count is not None}
        for stack, count in given.items():
            share = isinstance(count, str) and re.fullmatch(PERCENT, count)
            if count != "all" and not share and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
                raise ValueError(
                    f"'{stack}' is {count!r}: give a number of blocks, from 0 on, a share such as 50%, or 'all'"
                )
        if given.get("stem", 0) not in (0, "all"):
            raise ValueError(f"'stem' is {given['stem']}, but the stem is frozen whole or not at all: 'all' or 0")
        if not any(given.values()):
            raise ValueError(f"{given} freezes nothing: leave 'freeze' out")
        return given

    @model_validator(mode="after")
    def _something(self) -> FreezeSection:
        if self.blocks is None and not self.patterns:
            raise ValueError("give 'blocks' or 'patterns', or leave 'freeze' out")
        if self.keep is not None and self.blocks is None:
            raise ValueError("'keep' says what learns in frozen blocks: give 'blocks', such as blocks: all")
        return self

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What `keep` lists."""
        return () if self.keep is None else tuple(self.keep) if isinstance(self.keep, list) else (self.keep,)


class _Lasting(Section):
    """Something that lasts for some epochs or some steps."""

    epochs: Annotated[float, Field(gt=0)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_length(self) -> _Lasting:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either 'epochs' or 'steps'")
        return self


class UnfreezeSection(_Lasting):
    """`tune.unfreeze`: gradual unfreezing. At first the head learns; then, each time, the next blocks from the top."""

    epochs: Annotated[float, Field(gt=0)] | None = Field(default=None, description="Epochs from one time to the next.")
    steps: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Instead of 'epochs'.")
    blocks: int = Field(default=1, ge=1, description="Blocks of each stack that join at a time; the stem comes last.")


class ProbeSection(_Lasting):
    """`tune.probe`: at first the head learns alone, with a learning rate and a schedule of its own."""

    epochs: Annotated[float, Field(gt=0)] | None = Field(default=None, description="How long the head learns alone.")
    steps: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Instead of 'epochs'.")
    lr: float = Field(default=3e-3, gt=0, description="Peak learning rate of the head meanwhile.")


class ReinitSection(Section):
    """`tune.reinit`: what starts anew, as if it had never been trained."""

    blocks: Annotated[int, Field(ge=0)] | dict[str, Annotated[int, Field(ge=0)]] = Field(
        default=0, description="So many top blocks of each stack, or by stack, such as {decoder: 1}."
    )
    pooler: bool | None = Field(
        default=None, description="The pooler too. Default: where there is one; true wants one, false leaves it."
    )


class TuneSection(Section):
    """`tune`: which weights move, when, and how fast beside each other."""

    blocks: dict[str, str | Annotated[list[str], Field(min_length=1)]] | None = Field(
        default=None,
        description="The modules that are blocks, as patterns by stack, such as {encoder: 'model.layers.*'}: for "
        "models whose blocks hfft does not find by itself.",
    )
    freeze: FreezeSection | None = None
    unfreeze: UnfreezeSection | None = None
    probe: ProbeSection | None = None
    layer_decay: Decay | dict[str, Decay] = Field(
        default=1.0, description="Each block learns at this times the rate of the next; by stack: {encoder: 0.9}."
    )
    min_scale: float = Field(
        default=0.0, ge=0, le=1, description="Layer decay makes no block slower than this share of `optim.lr`."
    )
    freeze_below: float = Field(
        default=0.0, ge=0, lt=1, description="Blocks that layer decay makes slower than this share are frozen."
    )
    head_scale: float = Field(default=1.0, gt=0, description="The head's learning rate as a multiple of `optim.lr`.")
    rates: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="Multiples of the learning rate that parameters would have, by patterns of their names, such as "
        "{'*.LayerNorm.*': 0.1}; the first that matches decides.",
    )
    reinit: ReinitSection | None = None
    adapter: AdapterSection | None = None
    l2_sp: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Draws weights to where they start: alpha of L2-SP (Li et al. 2018). They have no weight "
        "decay then.",
    )
    batch_norm: Literal["train", "eval"] = Field(
        default="train",
        description="'eval': BatchNorm uses the checkpoint's running statistics, which stay as they are; so what is "
        "learnt does not depend on how a batch is cut. 'train': it uses those of each micro-batch.",
    )

    @field_validator("layer_decay", mode="before", json_schema_input_type=Decay | dict[str, Decay])
    @classmethod
    def _taken_back(cls, decay: Any) -> Any:
        if not isinstance(decay, dict):
            return decay
        return {stack: value for stack, value in decay.items() if value is not None} or 1.0

    @model_validator(mode="after")
    def _consistent(self) -> TuneSection:
        if self.unfreeze is not None and self.probe is not None:
            raise ValueError(
                "'unfreeze' begins with the head alone, as 'probe' does: give one of them (null takes one back)"
            )
        if self.reinit is not None and self.adapter is not None:
            raise ValueError(
                "'reinit' beside 'adapter' gives an adapter folder that belongs to blocks nobody else has: give one of "
                "them (null takes one back)"
            )
        decays = self.layer_decay.values() if isinstance(self.layer_decay, dict) else [self.layer_decay]
        for name in ("min_scale", "freeze_below"):
            if getattr(self, name) > 0 and all(decay == 1 for decay in decays):
                raise ValueError(f"'{name}' bounds what 'layer_decay' does, and there is none: give layer_decay")
        if self.min_scale > 0 and self.freeze_below > 0 and self.freeze_below <= self.min_scale:
            raise ValueError(
                f"'freeze_below' is {self.freeze_below:g}, and 'min_scale' lets no block be slower than "
                f"{self.min_scale:g}: give one of them"
            )
        return self
