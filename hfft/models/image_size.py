"""Images of another size than a model was made for: its image processor, and its tables of positions."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from hfft.errors import ModelError

TRIED = ((640, 480), (480, 640))  # width and height: lying and standing


def require_colours(config: Any) -> None:
    """Raises ModelError where a model sees other than three channels: images are opened in RGB."""
    channels = getattr(getattr(config, "vision_config", config), "num_channels", 3)
    if channels != 3:
        raise ModelError(
            f"The model sees {channels} channel(s), but images are opened in RGB, here as in the pipelines of "
            "transformers: take a model of 3 channels."
        )


def seen_size(processor: Any) -> tuple[int, int]:
    """Height and width of what an image processor makes of any image.

    Raises:
        ModelError: They depend on the image, or it makes something else.
    """
    sizes = {_size_of(processor, Image.new("RGB", size)) for size in TRIED}
    if len(sizes) > 1:
        raise ModelError(
            f"The model's image processor ({type(processor).__name__}) keeps the shape of images ({sorted(sizes)} of "
            "images that lie and stand), so they cannot be put into one batch: it is not made for classification."
        )
    return sizes.pop()


def _size_of(processor: Any, image: Image.Image) -> tuple[int, int]:
    try:
        made = processor(image, return_tensors="pt")
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"The model's image processor ({type(processor).__name__}) cannot read an image of {image.width} x "
            f"{image.height} pixels: {error}. Look at its preprocessor_config.json."
        ) from error
    pixels = made.get("pixel_values")
    if pixels is None or pixels.ndim != 4:
        shapes = ", ".join(f"{name} of shape {tuple(value.shape)}" for name, value in made.items())
        raise ModelError(
            f"The model's image processor ({type(processor).__name__}) makes {shapes} of an image, but pixel_values of "
            "shape (1, channels, height, width) are expected: image classification cannot use this model."
        )
    if not pixels.isfinite().all():
        raise ModelError(
            f"The model's image processor ({type(processor).__name__}) makes numbers that are not finite: no number of "
            "image_std in its preprocessor_config.json may be 0."
        )
    return pixels.shape[-2], pixels.shape[-1]


def set_size(processor: Any, pixels: int) -> None:
    """Lets an image processor make images of `pixels` x `pixels`: what it resizes to and what it cuts out grow alike.

    What it cuts off keeps its proportion, except where its own rule depends on the size: transformers' ConvNeXt
    processor, which ResNets have too, cuts the middle out below 384 pixels, and from 384 on warps the whole image.

    Raises:
        ModelError: It does not.
    """
    before = seen_size(processor)
    for name in ("size", "crop_size"):
        sides = getattr(processor, name, None)
        if sides is not None:
            sides = {side: value for side, value in dict(sides).items() if value is not None}
            setattr(processor, name, {side: round(value * pixels / before[0]) for side, value in sides.items()})
    if seen_size(processor) != (pixels, pixels):
        raise ModelError(
            f"task.image_size is {pixels}, but the model's image processor ({type(processor).__name__}) makes images "
            f"of {before[0]} x {before[1]} pixels and cannot be set to others. Leave image_size out."
        )


def for_size(model: Any, pixels: int) -> Any:
    """The same model for images of `pixels` x `pixels`: where it has tables of positions, they are interpolated.

    The new tables are part of its weights, and the size is part of its configuration, so that nobody who loads it has
    to know of this. Embeddings of positions are interpolated bicubically, as transformers does where it is asked to
    (`interpolate_pos_encoding`; after Dosovitskiy et al. 2021, section 3.2), and biases of relative positions
    bilinearly, as its BEiT does by itself.

    Raises:
        ModelError: Other weights depend on the size of images.
    """
    config = copy.deepcopy(model.config)
    named: list[Any] = [config, getattr(config, "vision_config", None)]
    parts = [part for part in named if hasattr(part, "image_size")]
    sizes = [part.image_size for part in parts]
    for part in parts:
        part.image_size = pixels if isinstance(part.image_size, int) else type(part.image_size)((pixels, pixels))
    if [part.image_size for part in parts] == sizes:
        return model
    made = type(model)(config)
    weights = model.state_dict()
    for name, wanted in made.state_dict().items():
        if weights[name].shape != wanted.shape:
            weights[name] = _stretched(name, weights[name], wanted) if wanted.is_floating_point() else wanted
    made.load_state_dict(weights)
    return made.eval()


def require_fit(model: Any, size: tuple[int, int]) -> None:
    """Looks whether a model takes what its image processor makes.

    Args:
        model: In evaluation mode.
        size: Height and width.

    Raises:
        ModelError: It does not, as where a checkpoint's two files are of different sizes.
    """
    try:
        with torch.no_grad():
            model(pixel_values=torch.zeros(1, 3, *size))
    except (ValueError, RuntimeError) as error:
        raise ModelError(
            f"The model does not take images of {size[0]} x {size[1]} pixels, which its image processor makes: {error} "
            "Give the size that it was made for by task.image_size, or another."
        ) from error


def _stretched(name: str, table: Tensor, wanted: Tensor) -> Tensor:
    """Interpolates a table `(places, ...)` or `(1, places, ...)`: some special places, and those of a square grid."""
    places, needed = (part[0] if part.ndim == 3 else part for part in (table, wanted))
    side, new_side = math.isqrt(len(places)), math.isqrt(len(needed))
    special = len(places) - side**2
    if "position" not in name or special != len(needed) - new_side**2 or places.shape[1:] != needed.shape[1:]:
        raise ModelError(
            f"task.image_size: {name} of this model has the shape {tuple(table.shape)}, and would need "
            f"{tuple(wanted.shape)} for images of that size. Leave image_size out, or take another model."
        )
    # Special places come first in embeddings of positions (class, distillation), and last in biases (BEiT's).
    last = "bias" in name
    kept, grid = (places[side**2 :], places[: side**2]) if last else (places[:special], places[special:])
    square = grid.T.reshape(1, -1, side, side)
    mode = "bilinear" if last else "bicubic"
    stretched = interpolate(square, size=(new_side, new_side), mode=mode, align_corners=False)
    flat = stretched.reshape(grid.shape[1], -1).T
    return torch.cat([flat, kept] if last else [kept, flat]).reshape(wanted.shape)
