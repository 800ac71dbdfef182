"""Images changed at random: crops, flips, colours, rotation, RandAugment, TrivialAugment, erasing, mixing.

Every choice is drawn from the generator handed in and from nothing else, so the generator's state decides the bytes.
Images are PIL images of mode RGB and are never changed in place. Sizes are (height, width), as tensors have them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

TRIES = 10  # rectangles drawn before a crop or an erasing gives up finding one that fits, as in torchvision

ERASED_AREA = (0.02, 0.33)  # share of the image; Zhong et al. 2020 tried up to 0.4, torchvision has 0.33

ERASED_RATIO = (0.3, 3.3)

BINS = 30  # the highest magnitude; the lowest is 0


@dataclass(frozen=True)
class Span:
    """What the magnitudes 0 to 30 of an operation stand for.

    Attributes:
        first: At magnitude 0.
        last: At magnitude 30; evenly spaced in between.
        signed: The sign is drawn.
        share_of: The side of the image that the value is a share of, where it is one.
    """

    first: float
    last: float
    signed: bool = True
    share_of: Literal["width", "height"] | None = None

    def draw(self, magnitude: int, image: Image.Image, generator: np.random.Generator) -> float:
        """The value that a magnitude stands for, with a drawn sign where there is one."""
        value = self.first + (self.last - self.first) * magnitude / BINS
        value *= getattr(image, self.share_of) if self.share_of else 1
        return -value if self.signed and generator.random() < 0.5 else value


NOTHING = Span(0, 0, signed=False)  # of operations that have no strength


@dataclass(frozen=True)
class Operation:
    """An operation of the two policies.

    Attributes:
        apply: Makes the new image from the image and a value.
        rand: The values in RandAugment.
        trivial: The values in TrivialAugment's "wide" space.
    """

    apply: Callable[[Image.Image, float], Image.Image]
    rand: Span = NOTHING
    trivial: Span = NOTHING


def random_resized_crop(
    image: Image.Image,
    size: tuple[int, int],
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: np.random.Generator,
    resample: int,
) -> Image.Image:
    """Cuts out a random rectangle and resizes it (Szegedy et al. 2015, section 6; torchvision's algorithm).

    The area is drawn evenly, the ratio evenly in its logarithm. Where ten such rectangles do not fit, the largest
    central one with an allowed ratio is taken. The rectangle is not cut out first: the filter sees the pixels just
    outside it, as it does inside.

    Args:
        image: Of any size.
        size: Height and width of the result.
        scale: Least and most share of the image's area.
        ratio: Least and most width / height.
        generator: What decides.
        resample: One of `PIL.Image.Resampling`.
    """
    height, width = size
    box = _crop_box(image.height, image.width, scale, ratio, generator)
    return image.resize((width, height), resample, box=box)


def flip(image: Image.Image, horizontal: float, vertical: float, generator: np.random.Generator) -> Image.Image:
    """Mirrors left and right, and top and bottom, each with its probability."""
    mirrored, upset = generator.random(2) < (horizontal, vertical)
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if upset else image


def rotate(image: Image.Image, degrees: float, generator: np.random.Generator) -> Image.Image:
    """Turns about the centre by an angle drawn from [-degrees, degrees], keeping the size.

    The corners that come free, like those of the policies below, take the median colour of the image's border.
    torchvision's default is black, which is a strong signal in all but dark pictures; the border's colour goes on
    with the background of product photos, scans and digits, be it white or black, and is unobtrusive elsewhere.
    """
    return _turned(image, generator.uniform(-degrees, degrees))


def jitter(
    image: Image.Image,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    generator: np.random.Generator,
) -> Image.Image:
    """Changes the colours, in random order (Howard 2013, section 2; torchvision's `ColorJitter`).

    Args:
        image: Of any size.
        brightness: x for a factor drawn from [1 - x, 1 + x], at least 0; 0 leaves it as it is.
        contrast: The same.
        saturation: The same.
        hue: x for a shift drawn from [-x, x]; 1 is the whole circle.
        generator: What decides.
    """
    wanted = [(_brightened, brightness), (_contrasted, contrast), (_coloured, saturation), (_hue_shifted, hue)]
    changes = [(change, most) for change, most in wanted if most > 0]
    for place in generator.permutation(len(changes)):
        change, most = changes[place]
        image = change(image, generator.uniform(-min(most, 1.0), most))
    return image


def rand_augment(image: Image.Image, operations: int, magnitude: int, generator: np.random.Generator) -> Image.Image:
    """Applies operations drawn evenly, all of one magnitude (RandAugment: Cubuk et al. 2020, section 3).

    Args:
        image: Of any size.
        operations: How many, one after the other; the same may come twice.
        magnitude: 0 to 30.
        generator: What decides.
    """
    for _ in range(operations):
        operation = _drawn_operation(generator)
        image = operation.apply(image, operation.rand.draw(magnitude, image, generator))
    return image


def trivial_augment(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Applies one operation drawn evenly, of a magnitude drawn evenly (TrivialAugment: Mueller and Hutter 2021)."""
    operation = _drawn_operation(generator)
    magnitude = int(generator.integers(BINS + 1))
    return operation.apply(image, operation.trivial.draw(magnitude, image, generator))


def erase(image: Image.Image, probability: float, generator: np.random.Generator) -> Image.Image:
    """Overwrites a random rectangle with random pixels (random erasing: Zhong et al. 2020, algorithm 1, RE-R).

    Args:
        image: Of any size.
        probability: Of erasing anything.
        generator: What decides.
    """
    if generator.random() >= probability:
        return image
    for _ in range(TRIES):
        width, height = _rectangle(image.width * image.height, ERASED_AREA, ERASED_RATIO, generator)
        if 0 < width < image.width and 0 < height < image.height:
            left = int(generator.integers(image.width - width + 1))
            top = int(generator.integers(image.height - height + 1))
            noise = generator.integers(256, size=(height, width, 3), dtype=np.uint8)
            erased = image.copy()
            erased.paste(Image.fromarray(noise), (left, top))
            return erased
    return image


def mixup_share(alpha: float, generator: np.random.Generator) -> float:
    """Draws the share an image keeps when averaged with another: Beta(alpha, alpha) (mixup: Zhang et al. 2018)."""
    return float(generator.beta(alpha, alpha))


def cutmix_box(height: int, width: int, alpha: float, generator: np.random.Generator) -> tuple[int, int, int, int]:
    """Draws the rectangle that is taken from another image (CutMix: Yun et al. 2019, section 3.1 and algorithm A1).

    Its area is 1 - Beta(alpha, alpha) of the image, less what lies outside, for its centre is drawn evenly: the share
    that counts for the label is that of the rectangle returned.

    Returns:
        (top, left, bottom, right); bottom and right are the first row and column outside.
    """
    side = math.sqrt(1 - generator.beta(alpha, alpha))
    middle, centre = int(generator.integers(height)), int(generator.integers(width))
    down, across = int(height * side) // 2, int(width * side) // 2
    return max(middle - down, 0), max(centre - across, 0), min(middle + down, height), min(centre + across, width)


def _rectangle(
    area: int, scale: tuple[float, float], ratio: tuple[float, float], generator: np.random.Generator
) -> tuple[int, int]:
    wanted = area * generator.uniform(*scale)
    shape = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
    return round(math.sqrt(wanted * shape)), round(math.sqrt(wanted / shape))


def _crop_box(
    height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float], generator: np.random.Generator
) -> tuple[int, int, int, int]:
    for _ in range(TRIES):
        across, down = _rectangle(height * width, scale, ratio, generator)
        if 0 < across <= width and 0 < down <= height:
            top = int(generator.integers(height - down + 1))
            left = int(generator.integers(width - across + 1))
            return left, top, left + across, top + down
    across = min(width, max(1, round(height * ratio[1])))
    down = min(height, max(1, round(width / ratio[0])))
    left, top = (width - across) // 2, (height - down) // 2
    return left, top, left + across, top + down


def _drawn_operation(generator: np.random.Generator) -> Operation:
    return list(OPERATIONS.values())[int(generator.integers(len(OPERATIONS)))]


def _border_colour(image: Image.Image) -> tuple[int, ...]:
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(np.sort(border, axis=0)[len(border) // 2].tolist())


def _turned(image: Image.Image, angle: float) -> Image.Image:
    return image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=_border_colour(image))


def _sheared(image: Image.Image, across: float, down: float) -> Image.Image:
    # from a place in the result to the one in the image it shows: x + across * y, y + down * x
    matrix = (1, across, 0, down, 1, 0)
    fill = _border_colour(image)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=fill)


def _translated(image: Image.Image, right: int, down: int) -> Image.Image:
    moved = Image.new("RGB", image.size, _border_colour(image))
    moved.paste(image, (right, down))
    return moved


def _brightened(image: Image.Image, change: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1 + change)


def _contrasted(image: Image.Image, change: float) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(1 + change)


def _coloured(image: Image.Image, change: float) -> Image.Image:
    return ImageEnhance.Color(image).enhance(1 + change)


def _sharpened(image: Image.Image, change: float) -> Image.Image:
    return ImageEnhance.Sharpness(image).enhance(1 + change)


def _hue_shifted(image: Image.Image, shift: float) -> Image.Image:
    steps = int(shift * 255)
    same = list(range(256))
    turned = [(value + steps) % 256 for value in same]
    return image.convert("HSV").point(turned + same + same).convert("RGB")


OPERATIONS: dict[str, Operation] = {
    "identity": Operation(lambda image, _: image),
    "shear_x": Operation(lambda image, slope: _sheared(image, slope, 0), Span(0, 0.3), Span(0, 0.99)),
    "shear_y": Operation(lambda image, slope: _sheared(image, 0, slope), Span(0, 0.3), Span(0, 0.99)),
    "translate_x": Operation(
        lambda image, pixels: _translated(image, int(pixels), 0), Span(0, 150 / 331, share_of="width"), Span(0, 32)
    ),
    "translate_y": Operation(
        lambda image, pixels: _translated(image, 0, int(pixels)), Span(0, 150 / 331, share_of="height"), Span(0, 32)
    ),
    "rotate": Operation(_turned, Span(0, 30), Span(0, 135)),
    "brightness": Operation(_brightened, Span(0, 0.9), Span(0, 0.99)),
    "colour": Operation(_coloured, Span(0, 0.9), Span(0, 0.99)),
    "contrast": Operation(_contrasted, Span(0, 0.9), Span(0, 0.99)),
    "sharpness": Operation(_sharpened, Span(0, 0.9), Span(0, 0.99)),
    "posterize": Operation(
        lambda image, bits: ImageOps.posterize(image, round(bits)),
        Span(8, 4, signed=False),
        Span(8, 2, signed=False),
    ),
    "solarize": Operation(
        lambda image, threshold: ImageOps.solarize(image, math.ceil(threshold)),
        Span(255, 0, signed=False),
        Span(255, 0, signed=False),
    ),
    "autocontrast": Operation(lambda image, _: ImageOps.autocontrast(image)),
    "equalize": Operation(lambda image, _: ImageOps.equalize(image)),
}
"""The operations of both policies, drawn evenly, with the values of torchvision 0.29; lengths are pixels, angles
degrees, colours are changed by a factor of 1 + value. As there, shears keep the upper left corner in its place."""
