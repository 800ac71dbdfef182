"""What a model sees, turned back into pictures for people."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch import Tensor

PROBES = ("black", "red", "lime", "blue")  # none, and all of each channel: CSS calls half of it green


def as_pictures(processor: Any, pixels: Tensor) -> list[Image.Image]:
    """Undoes what an image processor does to colours.

    Processors scale and normalize each in their own way: EfficientNet's divides by the deviation twice, MobileViT's
    turns the channels round. All that is linear, so what becomes of four colours says what becomes of any.

    Args:
        processor: That of the model.
        pixels: `(images, 3, height, width)`, as the model sees them.
    """
    probes = [Image.new("RGB", (pixels.shape[3], pixels.shape[2]), colour) for colour in PROBES]
    made = processor(probes, do_resize=False, do_center_crop=False, return_tensors="pt")["pixel_values"]
    black, *channels = made[:, :, 0, 0].double()
    change = (torch.stack(channels) - black) / 255  # a row for what one step of a channel adds
    colours = (pixels.permute(0, 2, 3, 1).double() - black) @ torch.linalg.pinv(change)
    return [Image.fromarray(image.numpy()) for image in colours.round().clamp(0, 255).to(torch.uint8)]
