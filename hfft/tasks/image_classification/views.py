"""How pictures are varied: the options, and the view of (seed, epoch, index); mixup and CutMix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from torch import Tensor

from hfft.tasks.image_classification.augment import (
    BINS,
    cutmix_box,
    erase,
    flip,
    jitter,
    mixup_share,
    rand_augment,
    random_resized_crop,
    rotate,
    trivial_augment,
)

# Never 0: NumPy takes the seeds [a, b] and [a, b, 0, 0] for the same, and [seed, epoch] decides the order of an epoch.
VIEW = 1

MIX = 2


def generator_of(seed: int, epoch: int, index: int, tag: int = VIEW) -> np.random.Generator:
    """Makes the generator that decides about one example in one epoch.

    Args:
        seed: The run's seed.
        epoch: From 0.
        index: The example's row in the split.
        tag: What for: VIEW or MIX, so that how an image is mixed does not hang on how it is cut.
    """
    return np.random.default_rng([seed, epoch, index, tag])


def training_view(
    image: Image.Image,
    size: tuple[int, int],
    options: AugmentOptions,
    resample: int,
    generator: np.random.Generator,
) -> Image.Image:
    """Shows an image as it is trained on: cropped, resized and changed at random.

    Args:
        image: Of mode RGB and any size.
        size: Height and width of the result.
        options: What is done.
        resample: One of `PIL.Image.Resampling`, for resizing.
        generator: What decides.
    """
    if options.crop is not None:
        image = random_resized_crop(image, size, options.crop, options.ratio, generator, resample)
    else:
        image = image.resize((size[1], size[0]), resample)
    image = flip(image, options.flip, options.vertical_flip, generator)
    if options.rotation:
        image = rotate(image, options.rotation, generator)
    if options.policy is not None:
        image = _by_policy(image, options.policy, generator)
    image = jitter(image, options.brightness, options.contrast, options.saturation, options.hue, generator)
    return erase(image, options.erasing, generator)


@dataclass(frozen=True)
class Mix:
    """How one example is mixed with its partner.

    Attributes:
        share: What its own label counts; the partner's counts the rest. 1.0: it is not mixed.
        box: (top, left, bottom, right) of the rectangle that is the partner's; None: the two are averaged.
    """

    share: float
    box: tuple[int, int, int, int] | None = None


def draw_mix(options: AugmentOptions, size: tuple[int, int], generator: np.random.Generator) -> Mix:
    """Draws how one example is mixed: mixup, CutMix or not at all.

    Args:
        options: Which of them are on, and how often.
        size: Height and width of the images.
        generator: What decides, made with the tag MIX.
    """
    if not options.mixes or generator.random() >= options.mix_share:
        return Mix(1.0)
    pastes = generator.random() < 0.5 if options.mixup and options.cutmix else options.cutmix > 0
    if not pastes:
        return Mix(mixup_share(options.mixup, generator))
    height, width = size
    top, left, bottom, right = cutmix_box(height, width, options.cutmix, generator)
    pasted = (bottom - top) * (right - left)
    return Mix((height * width - pasted) / (height * width), (top, left, bottom, right))


def mixed(pixels: Tensor, partners: Tensor, mixes: Sequence[Mix]) -> Tensor:
    """Mixes each image with its partner: a mean weighted by the share, or the partner's rectangle pasted in.

    Args:
        pixels: `(batch, channels, height, width)`, floating point; left as it is.
        partners: The same shape, in the same order.
        mixes: One an image.
    """
    result = pixels.clone()
    for image, partner, mix in zip(result, partners, mixes, strict=True):
        if mix.box is not None:
            top, left, bottom, right = mix.box
            image[:, top:bottom, left:right] = partner[:, top:bottom, left:right]
        elif mix.share < 1:
            image.mul_(mix.share).add_(partner * (1 - mix.share))
    return result


def _by_policy(image: Image.Image, policy: PolicyOptions, generator: np.random.Generator) -> Image.Image:
    if policy.name == "trivialaugment":
        return trivial_augment(image, generator)
    return rand_augment(image, policy.operations, policy.magnitude, generator)


def _no_switch(advice: str) -> BeforeValidator:
    """Refuses true and false, which pydantic would take for 1 and 0: `flip: true` is not meant as "always"."""

    def refuse(value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"it is {str(value).lower()}, which is no number: give {advice}")
        return value

    return BeforeValidator(refuse)


PolicyName = Literal["randaugment", "trivialaugment"]

Probability = Annotated[float, Field(ge=0, le=1), _no_switch("a probability, such as 0.5, or 0 for never")]

Strength = Annotated[float, Field(ge=0), _no_switch("a strength, such as 0.4, or 0 for off")]

Share = Annotated[float, Field(gt=0, le=1), _no_switch("a share, such as 0.5")]

Positive = Annotated[float, Field(gt=0), _no_switch("a number above 0")]

Degrees = Annotated[float, Field(ge=0, le=180), _no_switch("degrees, such as 15, or 0 for off")]

HueShift = Annotated[float, Field(ge=0, le=0.5), _no_switch("a shift, such as 0.1, or 0 for off")]

Count = Annotated[int, _no_switch("a whole number")]


class PolicyOptions(BaseModel):
    """`policy`: a name, or a name with its settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: PolicyName = Field(description="What draws the operations.")
    operations: Count = Field(default=2, ge=1, description="Of 'randaugment': how many, one after the other.")
    magnitude: Count = Field(default=9, ge=0, le=BINS, description="Of 'randaugment': how strong, 0 to 30.")

    @model_validator(mode="after")
    def _used(self) -> PolicyOptions:
        for setting in ("operations", "magnitude") if self.name != "randaugment" else ():
            if _is_set(self, setting):
                raise ValueError(f"'{setting}' belongs to the policy 'randaugment', not to '{self.name}'")
        return self


def _by_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Policy = Annotated[PolicyOptions, BeforeValidator(_by_name, json_schema_input_type=PolicyName | PolicyOptions)]


class AugmentOptions(BaseModel):
    """`augment`: what is done to a training image, in this order, and how images are mixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    crop: tuple[Share, Share] | None = Field(
        default=(0.08, 1.0),
        description="A random rectangle with this share of the area, least and most, is resized to the model's size. "
        "null: the whole image is.",
    )
    ratio: tuple[Positive, Positive] = Field(
        default=(0.75, 1.3333), description="Width / height of the rectangle, least and most."
    )
    flip: Probability = Field(default=0.5, description="Probability of mirroring left and right.")
    vertical_flip: Probability = Field(default=0.0, description="Probability of mirroring top and bottom.")
    rotation: Degrees = Field(default=0.0, description="Degrees, at most, to either side.")
    policy: Policy | None = Field(
        default=None,
        description="'trivialaugment': one operation of any strength. 'randaugment': two of magnitude 9; "
        "{name: randaugment, operations: 2, magnitude: 9} for others.",
    )
    brightness: Strength = Field(default=0.0, description="x for a factor drawn from [1 - x, 1 + x], at least 0.")
    contrast: Strength = Field(default=0.0, description="x for a factor drawn from [1 - x, 1 + x], at least 0.")
    saturation: Strength = Field(default=0.0, description="x for a factor drawn from [1 - x, 1 + x], at least 0.")
    hue: HueShift = Field(default=0.0, description="x for a shift drawn from [-x, x] of the colour circle.")
    erasing: Probability = Field(
        default=0.0, description="Probability of overwriting a rectangle, 2 to 33 % of the area, with random pixels."
    )
    mixup: Strength = Field(
        default=0.0, description="alpha of Beta(alpha, alpha): the share kept where two images are averaged. 0: off."
    )
    cutmix: Strength = Field(
        default=0.0,
        description="alpha of Beta(alpha, alpha): the share kept where a rectangle of another image is pasted in. "
        "0: off. With mixup on too, each image draws which of the two, half and half.",
    )
    mix_share: Share = Field(default=1.0, description="Share of the images that are mixed, with mixup or cutmix on.")
    views: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="How many views of an image the epochs show in turn: so many that what frozen blocks make of them "
        "can be kept (`tune.cache`). Default: a new one in each epoch.",
    )

    @property
    def mixes(self) -> bool:
        """Whether images, and with them labels, are mixed."""
        return self.mixup > 0 or self.cutmix > 0

    @field_validator("crop", "ratio")
    @classmethod
    def _least_first(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError(f"is [{value[0]}, {value[1]}], but the least comes first, then the most")
        return value

    @model_validator(mode="after")
    def _used(self) -> AugmentOptions:
        if self.crop is None and _is_set(self, "ratio"):
            raise ValueError("'ratio' is that of the crop, but 'crop' is null: leave one of the two out")
        if not self.mixes and _is_set(self, "mix_share"):
            raise ValueError("'mix_share' has no effect without 'mixup' or 'cutmix': set one of them, or leave it out")
        return self


def _is_set(options: BaseModel, setting: str) -> bool:
    return getattr(options, setting) != type(options).model_fields[setting].default
