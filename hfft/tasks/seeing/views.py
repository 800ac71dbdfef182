"""Training images: the view that is shown of each, and how two are mixed, as functions of (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from hfft.data.augment import (
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
from hfft.tasks.seeing.augment_options import AugmentOptions, PolicyOptions

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
