"""`tune.adapter` in a recipe: which adapter, where."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from hfft.errors import near
from hfft.recipe_text import mended
from hfft.section import Section

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
PERCENT = r"^(100|[1-9][0-9]?)%$"
TopCount = Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=PERCENT)]
Patterns = Annotated[list[str], Field(min_length=1)]
Targets = Literal["attention", "all-linear"] | Patterns


class _Placed(Section):
    """What all adapters have."""

    name: str
    blocks: TopCount | dict[str, TopCount] | None = Field(
        default=None,
        description="Only in this many blocks at the top of each stack, or in this share of them ('50%', rounded up); "
        "by stack, such as {encoder: 2}: only there. Default: all.",
    )

    @field_validator("blocks", mode="before", json_schema_input_type=TopCount | dict[str, TopCount] | None)
    @classmethod
    def _some(cls, blocks: Any) -> Any:
        for count in blocks.values() if isinstance(blocks, dict) else [] if blocks is None else [blocks]:
            share = isinstance(count, str) and re.fullmatch(PERCENT, count)
            if not share and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
                raise ValueError(f"{count!r} is no number of blocks, from 1 on, and no share from 1% to 100%")
        if blocks == {}:
            raise ValueError("no stack is named: give one, such as encoder: 2, or leave 'blocks' out for all")
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
