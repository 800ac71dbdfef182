"""What a model sees, turned back into pictures for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

PROBES = ("black", "red", "lime", "blue")  # none, and all of each channel: CSS calls half of it green


FAR = 20.0  # EfficientNet's pixels go to 12, for its processor divides by the deviation twice
NARROW = 0.5  # between the darkest and the brightest; most processors make 1 to 5


def coloured(processor: Any, images: Sequence[Image.Image]) -> Tensor:
    """What an image processor makes of images that have the model's size: `(images, 3, height, width)`.

    That of timm cannot be told to leave their size: its colours are scaled to [0, 1] and normalized, as it does.
    """
    own = getattr(processor, "data_config", None)
    if own is None:
        return processor(images, do_resize=False, do_center_crop=False, return_tensors="pt")["pixel_values"]
    pixels = torch.stack([torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in images]).float() / 255
    mean, deviation = (torch.tensor(own[name]).view(-1, 1, 1) for name in ("mean", "std"))
    return (pixels - mean) / deviation


def range_doubt(processor: Any, size: tuple[int, int]) -> str | None:
    """Says so where what a model sees is far from the numbers that models are trained on; None where it is not.

    Args:
        processor: The model's.
        size: Height and width of what it makes.
    """
    made = coloured(processor, [Image.new("RGB", (size[1], size[0]), colour) for colour in (*PROBES, "white")])
    least, most = float(made.min()), float(made.max())
    if abs(least) <= FAR and abs(most) <= FAR and most - least >= NARROW:
        return None
    names = ("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")
    settings = ", ".join(f"{name} {getattr(processor, name)}" for name in names if hasattr(processor, name))
    return (
        f"are seen in numbers from {least:.4g} to {most:.4g}, where most models are trained on about -4 to 4: the "
        f"image processor has {settings}. Look at preprocessor_config.json"
    )


def as_pictures(processor: Any, pixels: Tensor) -> list[Image.Image]:
    """Undoes what an image processor does to colours.

    Processors scale and normalize each in their own way: EfficientNet's divides by the deviation twice, MobileViT's
    turns the channels round. All that is linear, so what becomes of four colours says what becomes of any.

    Args:
        processor: That of the model.
        pixels: `(images, 3, height, width)`, as the model sees them.
    """
    probes = [Image.new("RGB", (pixels.shape[3], pixels.shape[2]), colour) for colour in PROBES]
    made = coloured(processor, probes)
    black, *channels = made[:, :, 0, 0].double()
    change = (torch.stack(channels) - black) / 255  # a row for what one step of a channel adds
    colours = (pixels.permute(0, 2, 3, 1).double() - black) @ torch.linalg.pinv(change)
    return [Image.fromarray(image.numpy()) for image in colours.round().clamp(0, 255).to(torch.uint8)]
