"""The section `tune` of a recipe: what learns, and how fast."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from hfft.errors import near
from hfft.section import Section, mended
from hfft.tuning.counts import BlockCount, means_none, without_null

Decay = Annotated[float, Field(gt=0, le=1)]

Kept = Literal["biases", "norms"]

Patterns = Annotated[list[str], Field(min_length=1)]

Targets = Literal["attention", "all-linear"] | Patterns


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

    blocks: BlockCount | None = Field(
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

    @field_validator("blocks")
    @classmethod
    def _freezes(cls, blocks: BlockCount | None) -> BlockCount | None:
        if isinstance(blocks, dict) and blocks.get("stem", 0) not in (0, "all"):
            raise ValueError(f"'stem' is {blocks['stem']}, but the stem is frozen whole or not at all: 'all' or 0")
        if isinstance(blocks, dict) and means_none(blocks):
            raise ValueError(f"{blocks} freezes nothing: leave 'freeze' out")
        return blocks

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

    blocks: BlockCount = Field(
        default=0,
        description="So many top blocks of each stack, or this share of them ('50%', rounded up); by stack, such as "
        "{decoder: 1}: only there.",
    )
    pooler: bool | None = Field(
        default=None, description="The pooler too. Default: where there is one; true wants one, false leaves it."
    )


def _decays(value: Any) -> Any:
    left = without_null(value)
    return 1.0 if left == {} else left


class TuneSection(Section):
    """`tune`: which weights move, when, and how fast beside each other."""

    blocks: dict[str, str | Patterns] | None = Field(
        default=None,
        description="The modules that are blocks, as patterns by stack, such as {encoder: 'model.layers.*'}: for "
        "models whose blocks hfft does not find by itself.",
    )
    freeze: FreezeSection | None = None
    unfreeze: UnfreezeSection | None = None
    probe: ProbeSection | None = None
    layer_decay: Annotated[Decay | dict[str, Decay] | None, BeforeValidator(_decays)] = Field(
        default=None,
        description="Each block learns at this times the rate of the next; by stack: {encoder: 0.9}; 1 for none. "
        "Default: chosen with `optim.lr`, and 1 where that is given.",
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

    cache: Literal["auto", False] = Field(
        default="auto",
        description="'auto': what the lowest blocks make of each example is computed once and kept on disk, where they "
        "are frozen and that pays; the plan says so. 'off': it is computed each time.",
    )

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
            if getattr(self, name) > 0 and all(decay in (1, None) for decay in decays):
                raise ValueError(f"'{name}' bounds what 'layer_decay' does, and there is none: give layer_decay")
        if self.min_scale > 0 and self.freeze_below > 0 and self.freeze_below <= self.min_scale:
            raise ValueError(
                f"'freeze_below' is {self.freeze_below:g}, and 'min_scale' lets no block be slower than "
                f"{self.min_scale:g}: give one of them"
            )
        return self


READS = "it changes what the model reads, not its layers"

REFUSED = {
    **dict.fromkeys(
        ["cartridge", "cpt", "multitask_prompt_tuning", "p_tuning", "prefix_tuning", "prompt_tuning"], READS
    ),
    "adalora": "it gives and takes ranks in each step by the gradients, which PEFT leaves to the training loop; else "
    "it is LoRA with one scale more a rank",
    "adaption_prompt": "it puts learnt prompts into the attention of LLaMA and its kin, and into no other model",
    "poly": "it asks for the number of a task beside each input",
    "shadow": "it trains a second model beside the first",
    "trainable_tokens": "it learns rows of the table of words, which lies in no block",
    "xlora": "it mixes adapters that were trained before",
}

PASSED = [
    *(
        "adamss",
        "beft",
        "boft",
        "c3a",
        "deft",
        "delora",
        "fourierft",
        "frod",
        "glora",
        "gralora",
        "hira",
        "hra",
        "lily",
    ),
    *("ln_tuning", "loha", "lokr", "miss", "oft", "osf", "peanut", "psoft", "pvera", "randlora", "road", "shira"),
    *("supertuning", "tinylora", "unilora", "vblora", "vera", "waveft"),
]


class _Placed(Section):
    """What all adapters have."""

    name: str
    blocks: BlockCount | None = Field(
        default=None,
        description="Only in this many blocks at the top of each stack, or in this share of them ('50%', rounded up); "
        "by stack, such as {encoder: 2}: only there. Default: all.",
    )

    @field_validator("blocks")
    @classmethod
    def _some(cls, blocks: BlockCount | None) -> BlockCount | None:
        if blocks is not None and means_none(blocks):
            raise ValueError(f"{blocks!r} is no block: give a number from 1 on or a share, or leave it out for all")
        return blocks

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class LoraSection(_Placed):
    """`tune.adapter` with LoRA: two small matrices beside each weight, whose product is added to it.

    The head is trained and saved too, as with every adapter.
    """

    name: Literal["lora"] = "lora"
    rank: int = Field(default=8, ge=1, description="Of the two matrices whose product is learnt.")
    alpha: float = Field(default=16, gt=0, description="The product is added at alpha / rank.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="On what goes into the adapter.")
    targets: Targets = Field(
        default="attention",
        description="Linear layers of the attention, of every block, or patterns of module names, which reach "
        "convolutions too.",
    )
    rslora: bool = Field(default=False, description="Adds at alpha / sqrt(rank) (Kalajdzievski 2023).")
    dora: bool = Field(default=False, description="Learns the weight's length beside its direction (Liu et al. 2024).")
    init: Literal["default", "pissa"] = Field(
        default="default",
        description="'pissa': starts with the largest singular values of the weight, which are taken out of it (Meng "
        "et al. 2024). Of linear layers only.",
    )
    lr_ratio: float = Field(
        default=1.0, gt=0, description="LoRA+: B learns at this multiple of A's rate (Hayou et al. 2024)."
    )

    @model_validator(mode="after")
    def _one_start(self) -> LoraSection:
        if self.dora and self.init == "pissa":
            raise ValueError("'dora' keeps the weight's length and 'init: pissa' takes the weight apart: give one")
        return self


class Ia3Section(_Placed):
    """`tune.adapter` with (IA)^3: keys, values and the middle of feed-forward parts are scaled (Liu et al. 2022)."""

    model_config = ConfigDict(json_schema_extra={"required": ["name"]})  # or {} would be both this and lora

    name: Literal["ia3"] = "ia3"
    targets: Targets | None = Field(
        default=None, description="Layers whose outputs are scaled. Default: those of keys and values."
    )
    feedforward: list[str] | None = Field(
        default=None,
        description="Patterns of layers whose inputs are scaled. Default: those that leave the feed-forward parts, or "
        "none where targets are given.",
    )

    @model_validator(mode="after")
    def _both(self) -> Ia3Section:
        if self.targets is None and self.feedforward is not None:
            raise ValueError("with 'feedforward' give 'targets' too, such as targets: [key, value]")
        return self


class OtherSection(_Placed):
    """`tune.adapter` with another method of PEFT; its further settings are those of PEFT's own config of the method."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    name: str = Field(json_schema_extra={"enum": [*PASSED]})
    targets: Targets | None = Field(
        default=None, description="As for lora. Default: attention; of ln_tuning all norms in blocks."
    )

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name in REFUSED:
            raise ValueError(f"'{name}' is not for here: {REFUSED[name]}")
        if name not in PASSED:
            known = ["lora", "ia3", *PASSED]
            raise ValueError(f"'{name}' is no adapter.{near(name, known)} There are: {', '.join(known)}")
        return name

    @model_validator(mode="before")
    @classmethod
    def _mended(cls, values: Any) -> Any:
        return mended(values)


def _kind(value: Any) -> str:
    """Which section a value of `tune.adapter` is to be read as; a plain text is its name."""
    given = {"name": value} if isinstance(value, str) else value
    name = given.get("name", "lora") if isinstance(given, dict) else getattr(given, "name", "lora")
    return {"lora": "<lora>", "ia3": "<ia3>"}.get(name if isinstance(name, str) else "", "<other>")


AdapterSection = Annotated[
    Annotated[LoraSection, Tag("<lora>")]
    | Annotated[Ia3Section, Tag("<ia3>")]
    | Annotated[OtherSection, Tag("<other>")],
    Discriminator(_kind),
]
