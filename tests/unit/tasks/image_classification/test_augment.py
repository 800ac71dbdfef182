"""Changing images at random: hand-worked pixels, ranges, and that nothing but the generator decides."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from PIL import Image

from hfft.tasks.image_classification.augment import (
    OPERATIONS,
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

BILINEAR = Image.Resampling.BILINEAR
NEAREST = Image.Resampling.NEAREST
WHOLE = (1.0, 1.0)


def generator(seed=0):
    return np.random.default_rng(seed)


def noise(height=24, width=32, seed=0):
    return Image.fromarray(generator(seed).integers(256, size=(height, width, 3), dtype=np.uint8))


def coordinates(height, width):
    """An image whose red is the column and whose green is the row."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([columns, rows, rows * 0], axis=-1).astype(np.uint8))


def pixels(image):
    return np.asarray(image).astype(int)


def grey(values):
    """A one-row image from a list of grey values."""
    return Image.fromarray(np.repeat(np.array([values], dtype=np.uint8)[..., None], 3, axis=2))


def greys(image):
    assert (pixels(image) == pixels(image)[..., :1]).all()
    return pixels(image)[0, :, 0].tolist()


CHANGES = {
    "crop": lambda image, g: random_resized_crop(image, (16, 16), (0.2, 0.8), (0.75, 1.33), g, BILINEAR),
    "flip": lambda image, g: flip(image, 0.5, 0.5, g),
    "rotate": lambda image, g: rotate(image, 90, g),
    "jitter": lambda image, g: jitter(image, 0.4, 0.4, 0.4, 0.2, g),
    "randaugment": lambda image, g: rand_augment(image, 2, 15, g),
    "trivialaugment": trivial_augment,
    "erase": lambda image, g: erase(image, 0.9, g),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_generator_alone_decides_and_the_image_stays_as_it_is(change):
    image = noise()
    before = image.tobytes()

    def views(disturbance):
        random.seed(disturbance)
        np.random.seed(disturbance)
        torch.manual_seed(disturbance)
        state = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()
        made = [change(image, generator(seed)) for seed in range(40)]
        assert state == (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist())
        return [view.tobytes() for view in made]

    assert views(0) == views(1)
    assert len(set(views(0))) > 3
    assert image.tobytes() == before


def test_a_crop_of_the_whole_is_a_plain_resize():
    image = noise(24, 32)
    crop = random_resized_crop(image, (10, 20), WHOLE, (32 / 24, 32 / 24), generator(), BILINEAR)
    assert crop.size == (20, 10)
    assert crop.tobytes() == image.resize((20, 10), BILINEAR).tobytes()


def test_crops_have_the_area_and_the_ratio_asked_for_and_lie_anywhere():
    image, g = coordinates(200, 250), generator()
    areas, ratios, lefts, tops = [], [], [], []
    for _ in range(1000):
        view = pixels(random_resized_crop(image, (100, 100), (0.1, 0.5), (0.5, 2.0), g, NEAREST))
        width, height = (np.ptp(view[..., channel]) * 100 / 99 for channel in (0, 1))  # of 100 samples, first to last
        areas.append(width * height / (200 * 250))
        ratios.append(width / height)
        lefts.append(view[0, 0, 0])
        tops.append(view[0, 0, 1])
    assert 0.095 < min(areas) < 0.12
    assert 0.45 < max(areas) < 0.52
    assert np.mean(areas) == pytest.approx(0.3, abs=0.02)
    assert 0.47 < min(ratios) < 0.55
    assert 1.8 < max(ratios) < 2.1
    assert np.mean(np.log(ratios)) == pytest.approx(0, abs=0.06)
    assert min(lefts) <= 2
    assert max(lefts) > 120
    assert min(tops) <= 2
    assert max(tops) > 100


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (100, 20, (0, 36, 20, 63)),  # too narrow: as wide as it is, 20 / 0.75 = 27 high, in the middle
        (20, 100, (36, 0, 63, 20)),  # too wide: 20 * 4 / 3 = 27 wide
        (20, 22, (0, 0, 22, 20)),
    ],
)
def test_where_no_crop_fits_the_largest_central_one_is_taken(height, width, box):
    image = coordinates(height, width)
    crop = random_resized_crop(image, (8, 8), (1.5, 1.5), (0.75, 4 / 3), generator(), NEAREST)
    assert crop.tobytes() == image.resize((8, 8), NEAREST, box=box).tobytes()


def test_images_one_pixel_wide_can_be_cropped():
    crop = random_resized_crop(Image.new("RGB", (1, 9), "red"), (4, 4), (0.1, 1.0), (3, 3), generator(), BILINEAR)
    assert crop.tobytes() == Image.new("RGB", (4, 4), "red").tobytes()


@pytest.mark.parametrize(
    ("horizontal", "vertical", "order"), [(0, 0, "abcd"), (1, 0, "badc"), (0, 1, "cdab"), (1, 1, "dcba")]
)
def test_flips_mirror(horizontal, vertical, order):
    image = Image.frombytes("RGB", (2, 2), b"aaabbbcccddd")
    expected = "".join(letter * 3 for letter in order).encode()
    assert flip(image, horizontal, vertical, generator()).tobytes() == expected


def test_flips_come_as_often_as_asked_for_and_independently():
    image, g = Image.frombytes("RGB", (2, 2), b"aaabbbcccddd"), generator()
    seen = [flip(image, 0.5, 0.2, g).tobytes()[:1] for _ in range(2000)]
    rates = {letter: seen.count(letter) / 2000 for letter in (b"a", b"b", b"c", b"d")}
    assert rates == pytest.approx({b"a": 0.4, b"b": 0.4, b"c": 0.1, b"d": 0.1}, abs=0.04)


def test_rotation_by_nothing_changes_nothing_and_by_more_stays_within_the_angle():
    image = noise()
    assert rotate(image, 0, generator()).tobytes() == image.tobytes()
    dot = Image.new("RGB", (101, 101))
    dot.paste("white", (88, 48, 93, 53))  # 40 to the right of the centre
    g, angles = generator(), []
    for _ in range(500):
        y, x = np.argwhere(pixels(rotate(dot, 30, g))[..., 0] > 128).mean(axis=0) - 50
        angles.append(math.degrees(math.atan2(-y, x)))
    assert -31 < min(angles) < -28
    assert 28 < max(angles) < 31
    assert np.mean(angles) == pytest.approx(0, abs=2)


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 30)])
@pytest.mark.parametrize("operation", ["rotate", "shear_x", "shear_y", "translate_x", "translate_y"])
def test_what_comes_free_takes_the_colour_of_the_border(operation, background):
    image = Image.new("RGB", (40, 40), background)
    image.paste((128, 0, 128), (15, 15, 25, 25))
    image.paste((77, 77, 77), (0, 0, 5, 40))  # less than half of the border
    value = {"rotate": 30, "shear_x": 0.3, "shear_y": 0.3}.get(operation, 10)
    corners = pixels(OPERATIONS[operation].apply(image, value))[[0, 0, -1, -1], [0, -1, 0, -1]].tolist()
    assert list(background) in corners
    assert [128, 0, 128] not in corners
    assert set(map(tuple, corners)) <= {background, (77, 77, 77)}


def test_jitter_of_no_width_changes_nothing():
    image = noise()
    assert jitter(image, 0, 0, 0, 0, generator()).tobytes() == image.tobytes()


def test_brightness_is_a_factor_within_its_interval():
    image, g = grey([100, 0, 200]), generator()
    factors = []
    for _ in range(1000):
        dark, black, light = greys(jitter(image, 0.25, 0, 0, 0, g))
        assert black == 0
        assert light == pytest.approx(2 * dark, abs=2)
        factors.append(dark / 100)
    assert 0.74 <= min(factors) < 0.77
    assert 1.23 < max(factors) <= 1.25
    assert np.mean(factors) == pytest.approx(1, abs=0.02)


def test_contrast_keeps_the_mean_and_saturation_keeps_grey():
    g = generator()
    for _ in range(50):
        low, high = greys(jitter(grey([100, 120]), 0, 0.5, 0, 0, g))
        assert low + high == pytest.approx(220, abs=2)
        assert 10 - 1 <= high - low <= 30 + 1
        assert greys(jitter(grey([3, 90, 250]), 0, 0, 0.9, 0, g)) == [3, 90, 250]


def test_a_factor_is_never_negative():
    image = noise()
    for seed in range(50):
        assert pixels(jitter(image, 3.0, 0, 0, 0, generator(seed))).shape == (24, 32, 3)
        low, high = greys(jitter(grey([100, 120]), 0, 3.0, 0, 0, generator(seed)))
        assert low <= high  # a negative contrast would swap them


def test_hue_goes_round_the_circle_and_leaves_grey_alone():
    red, g = Image.new("RGB", (1, 1), (255, 0, 0)), generator()
    strongest = {int(np.argmax(pixels(jitter(red, 0, 0, 0, 0.5, g)))) for _ in range(100)}
    assert strongest == {0, 1, 2}
    farthest = 0
    for _ in range(100):
        r, green, blue = pixels(jitter(red, 0, 0, 0, 0.1, g))[0, 0].tolist()  # a tenth: at most orange or pink
        assert r == 255
        assert min(green, blue) == 0
        farthest = max(farthest, green, blue)
    assert 0.5 * 255 < farthest <= 0.6 * 255 + 3
    assert greys(jitter(grey([3, 90, 250]), 0, 0, 0, 0.5, g)) == [3, 90, 250]


def test_the_order_of_changes_is_drawn():
    image = Image.new("RGB", (1, 1), (200, 100, 40))
    seen = set()
    for seed in range(200):
        view = jitter(image, 1e-9, 0, 0, 0.5, generator(seed))
        seen.add(view.tobytes())
        assert max(view.tobytes()) >= 195
    assert len(seen) > 50

    class Ordered:
        """Draws the ends of intervals, and a given order."""

        def __init__(self, order):
            self.order = order

        def permutation(self, count):
            return self.order[:count]

        def uniform(self, low, high):
            return high

    bright_first, contrast_first = (
        greys(jitter(grey([100, 200]), 1.0, 1.0, 0, 0, Ordered(order)))  # type: ignore[arg-type]
        for order in ([0, 1], [1, 0])
    )
    assert bright_first == [172, 255]  # 200, 255 (cut off); mean 228: 2 * 200 - 228, cut off
    assert contrast_first == [100, 255]  # mean 150: 50, 250; then 100, 500 cut off


@pytest.mark.parametrize(
    ("operation", "value", "before", "after"),
    [
        ("identity", 0, [1, 2, 3], [1, 2, 3]),
        ("posterize", 8, [0, 77, 255], [0, 77, 255]),
        ("posterize", 2, [63, 64, 200, 255], [0, 64, 192, 192]),  # the two highest bits
        ("solarize", 128, [0, 127, 128, 255], [0, 127, 127, 0]),
        ("solarize", 178.5, [178, 179], [178, 76]),
        ("solarize", 0, [0, 100, 255], [255, 155, 0]),
        ("brightness", 0.5, [10, 100, 200], [15, 150, 255]),
        ("brightness", -0.5, [10, 100, 200], [5, 50, 100]),
        ("contrast", -0.5, [100, 200], [125, 175]),
        ("colour", 0.9, [10, 100, 200], [10, 100, 200]),
        ("autocontrast", 0, [100, 125, 150], [0, 127, 255]),
        ("translate_x", 1.9, [10, 10, 30, 10], [10, 10, 10, 30]),
        ("translate_x", -2.0, [10, 10, 30, 10, 10], [30, 10, 10, 10, 10]),
    ],
)
def test_operations_on_known_pixels(operation, value, before, after):
    assert greys(OPERATIONS[operation].apply(grey(before), value)) == after


def test_geometric_operations_move_pixels_where_they_should():
    dot = Image.new("RGB", (21, 21))
    dot.putpixel((10, 6), (255, 255, 255))

    def place(operation, value):
        moved = pixels(OPERATIONS[operation].apply(dot, value))[..., 0]
        return tuple(int(at) for at in np.unravel_index(moved.argmax(), moved.shape))[::-1]

    assert place("translate_x", 3) == (13, 6)
    assert place("translate_y", 3) == (10, 9)
    assert place("rotate", 90) == (6, 10)  # against the clock, about (10, 10)
    assert place("shear_x", 0.5) == (7, 6)  # the upper left corner stays; the row at 6.5 moves by 3.25
    assert place("shear_y", 0.5) == (10, 1)  # the column at 10.5 moves by 5.25


def test_equalize_and_sharpness_do_what_they_are_called():
    image = Image.fromarray(np.repeat(np.arange(100, 150, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(20, axis=0))
    flat = pixels(OPERATIONS["equalize"].apply(image, 0))
    assert (flat.min(), flat.max()) == (0, 255)
    edge = Image.new("RGB", (9, 9), (100, 100, 100))
    edge.paste((150, 150, 150), (5, 0, 9, 9))
    sharp, soft = (pixels(OPERATIONS["sharpness"].apply(edge, change))[4, :, 0] for change in (0.9, -0.9))
    assert sharp.max() > 150 > 100 > sharp.min()
    assert np.abs(np.diff(soft)).max() < 50


@pytest.mark.parametrize(
    ("operation", "rand", "trivial"),
    [  # at the magnitudes 0, 15 and 30, of an image 331 pixels wide and 662 high
        ("identity", (0, 0, 0), (0, 0, 0)),
        ("shear_x", (0, 0.15, 0.3), (0, 0.495, 0.99)),
        ("shear_y", (0, 0.15, 0.3), (0, 0.495, 0.99)),
        ("translate_x", (0, 75, 150), (0, 16, 32)),
        ("translate_y", (0, 150, 300), (0, 16, 32)),
        ("rotate", (0, 15, 30), (0, 67.5, 135)),
        ("brightness", (0, 0.45, 0.9), (0, 0.495, 0.99)),
        ("colour", (0, 0.45, 0.9), (0, 0.495, 0.99)),
        ("contrast", (0, 0.45, 0.9), (0, 0.495, 0.99)),
        ("sharpness", (0, 0.45, 0.9), (0, 0.495, 0.99)),
        ("posterize", (8, 6, 4), (8, 5, 2)),
        ("solarize", (255, 127.5, 0), (255, 127.5, 0)),
        ("autocontrast", (0, 0, 0), (0, 0, 0)),
        ("equalize", (0, 0, 0), (0, 0, 0)),
    ],
)
def test_the_values_of_the_policies(operation, rand, trivial):
    image = Image.new("RGB", (331, 662))
    for span, values in ((OPERATIONS[operation].rand, rand), (OPERATIONS[operation].trivial, trivial)):
        for magnitude, value in zip((0, 15, 30), values, strict=True):
            drawn = {span.draw(magnitude, image, generator(seed)) for seed in range(20)}
            signs = (1,) if operation in ("posterize", "solarize") else (1, -1)
            assert sorted(drawn) == pytest.approx(sorted({sign * value for sign in signs}))


def test_policies_draw_all_operations_evenly():
    g = generator()
    image = Image.fromarray(g.integers(1, 254, size=(32, 32, 3), dtype=np.uint8))
    plain = image.tobytes()
    # of magnitude 0 all but autocontrast and equalize leave it as it is: solarize turns white only, and there is none
    untouched = np.mean([rand_augment(image, 1, 0, g).tobytes() == plain for _ in range(2000)])
    assert untouched == pytest.approx(12 / 14, abs=0.03)
    assert rand_augment(image, 0, 30, g).tobytes() == plain
    views = {trivial_augment(image, g).tobytes() for _ in range(3000)}
    assert len(views) > 200


def test_more_operations_and_more_magnitude_change_more():
    image = noise(16, 16)

    def distance(operations, magnitude):
        views = [rand_augment(image, operations, magnitude, generator(seed)) for seed in range(200)]
        return np.mean([np.abs(pixels(view) - pixels(image)).mean() for view in views])

    assert distance(1, 5) < distance(1, 25) < distance(3, 25)


def test_erasing_fills_one_rectangle_of_the_size_asked_for():
    image, g = Image.new("RGB", (120, 100), (7, 7, 7)), generator()
    areas, ratios = [], []
    for _ in range(300):
        changed = np.argwhere((pixels(erase(image, 1.0, g)) != 7).any(axis=-1))
        (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0) + 1
        area = (bottom - top) * (right - left)
        assert len(changed) >= 0.99 * area  # a rectangle, but for pixels drawn grey by chance
        areas.append(area / 12000)
        ratios.append((right - left) / (bottom - top))
    assert 0.018 < min(areas) < 0.04
    assert 0.29 < max(areas) < 0.34
    assert 0.28 < min(ratios) < 0.4
    assert 2.5 < max(ratios) < 3.5


def test_erased_pixels_are_random_and_erasing_comes_as_often_as_asked_for():
    image, g = Image.new("RGB", (60, 60)), generator()
    views = [pixels(erase(image, 0.3, g)) for _ in range(1000)]
    assert np.mean([view.any() for view in views]) == pytest.approx(0.3, abs=0.05)
    drawn = np.concatenate([view[view.any(axis=-1)].ravel() for view in views])
    assert drawn.mean() == pytest.approx(127.5, abs=1)
    assert (drawn.min(), drawn.max()) == (0, 255)
    assert erase(image, 0.0, g) is image


def test_a_single_pixel_is_not_erased():
    assert erase(Image.new("RGB", (1, 1), "red"), 1.0, generator()).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup_shares_have_the_mean_and_the_spread_of_a_beta(alpha):
    g = generator()
    shares = [mixup_share(alpha, g) for _ in range(4000)]
    assert 0 <= min(shares) <= max(shares) <= 1
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_cutmix_boxes_lie_inside_and_have_the_image_s_shape():
    g = generator()
    boxes = [cutmix_box(40, 80, 1.0, g) for _ in range(3000)]
    for top, left, bottom, right in boxes:
        assert 0 <= top <= bottom <= 40
        assert 0 <= left <= right <= 80
        if top > 0 and bottom < 40 and left > 0 and right < 80:
            assert (right - left) == pytest.approx(2 * (bottom - top), abs=4)
    # a side s around a centre drawn evenly keeps s - s^2 / 4 of itself on average, and 1 - s^2 is drawn evenly, which
    # makes E (s - s^2 / 4)^2 = E s^2 - E s^3 / 2 + E s^4 / 16 = 1/2 - 1/5 + 1/48 = 0.321
    shares = [(bottom - top) * (right - left) / 3200 for top, left, bottom, right in boxes]
    assert np.mean(shares) == pytest.approx(0.321, abs=0.02)
