"""Settings of PEFT's methods: sections made from PEFT's configs, checked before the model is loaded."""

from __future__ import annotations

import dataclasses
import typing
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from peft import PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from pydantic import BeforeValidator, ConfigDict, create_model, model_validator

from hfft.tuning.section import OtherSection

METHODS: dict[str, Any] = {kind.value.lower(): config for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()}

ASA_ALONE = (
    *("asa_importance_beta", "asa_schedule_exponent", "asa_target_subspaces", "asa_uncertainty_beta"),
    *("final_warmup", "init_warmup", "mask_interval"),
)

TAKEN = {
    "target_modules": "write 'targets'",
    "exclude_modules": "write 'targets'",
    "layers_to_transform": "write 'blocks'",
    "layers_pattern": "write 'blocks'",
    "modules_to_save": "the head is found, trained and saved by itself",
    "bias": "beside an adapter only the adapter and the head learn",
    "fan_in_fan_out": "it follows from the model",
    "progressbar": "hfft shows its own",
    "rank": "where one of PEFT's methods has a rank, it is called 'r'",
    "target_svd_config": "PEFT reads it nowhere",
    "use_asa": "it needs a call in each step, which PEFT leaves to the training loop",
    **dict.fromkeys(ASA_ALONE, "it goes with use_asa, which PEFT leaves to the training loop"),
    "generator_seed": "it is a random state that no checkpoint keeps",
}

PATTERNS = {
    "alpha_pattern": "alpha",
    "block_size_pattern": "block_size",
    "lambda_pattern": "delora_lambda",
    "n_frequency_pattern": "n_frequency",
    "rank_pattern": "r",
}  # each a mapping from patterns to values of another setting

SCALES = {"alpha", "delora_lambda", "psoft_alpha", "randlora_alpha"}  # PEFT says int, and any number does

Whole: Any = Annotated[int, BeforeValidator(lambda v: int(v) if isinstance(v, float) and v.is_integer() else v)]  # 1e3


class PeftSection(OtherSection):
    """`tune.adapter` with a method of PEFT, checked without a model; `peft_section` adds the method's own settings."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _none_taken(cls, values: Any) -> Any:
        for key in values:
            if key in TAKEN:
                raise ValueError(f"'{key}' is not a setting here: {TAKEN[key]}")
        return values

    @model_validator(mode="after")
    def _makes_a_config(self) -> PeftSection:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                METHODS[self.name](**of_peft(self.model_dump()))
            except (ValueError, TypeError, ImportError) as error:
                raise ValueError(str(error).rstrip(".")) from error
        for text in (str(warning.message) for warning in said if "will be ignored" in str(warning.message)):
            raise ValueError(f"a setting has no effect: {text.rstrip('.')}")
        return self


@cache
def peft_section(name: str) -> type[PeftSection]:
    """The section of a method: the fields that PEFT's config of it has, with their types and defaults.

    Of `TAKEN` it has none, nor of what the configs of all methods have.
    """
    config = METHODS[name]
    types = {key: _number(key, hint) for key, hint in typing.get_type_hints(config).items()}
    types |= {key: dict[str, types[one]] | None for key, one in PATTERNS.items() if one in types}
    taken = {field.name for field in dataclasses.fields(PeftConfig)} | TAKEN.keys()
    own: dict[str, Any] = {f.name: (types[f.name], f) for f in dataclasses.fields(config) if f.name not in taken}
    return create_model(config.__name__, __base__=PeftSection, **own)


def _number(key: str, hint: Any) -> Any:
    """The type of a setting for a recipe, where PEFT's is a whole number or null."""
    number: Any = float | int if key in SCALES else Whole
    if hint is int:
        return number
    return number | None if hint == int | None else hint


def of_peft(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings of a method's section that PEFT's config of it has."""
    return {key: value for key, value in settings.items() if key not in OtherSection.model_fields}
