"""Views of training images, and how two of them are mixed: functions of (seed, epoch, index) and the options."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from hfft.data.sampling import epoch_batches
from hfft.tasks.image_classification.views import (
    MIX,
    VIEW,
    AugmentOptions,
    Mix,
    PolicyOptions,
    draw_mix,
    generator_of,
    mixed,
    training_view,
)

BILINEAR = Image.Resampling.BILINEAR
SIZE = (20, 30)
PLAIN = {"crop": None, "flip": 0.0}
EVERYTHING = {
    "crop": [0.3, 1.0],
    "vertical_flip": 0.5,
    "rotation": 20,
    "policy": "randaugment",
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.4,
    "hue": 0.1,
    "erasing": 0.5,
}


def options(**given):
    return AugmentOptions.model_validate(given)


def noise(height=40, width=50, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8))


def view(given, seed=0, epoch=0, index=0, image=None, size=SIZE):
    return training_view(image or noise(), size, options(**given), BILINEAR, generator_of(seed, epoch, index))


@pytest.mark.parametrize("given", [{}, PLAIN, EVERYTHING, {"policy": "trivialaugment"}], ids=str)
def test_a_view_is_an_rgb_image_of_the_size(given):
    for index in range(20):
        made = view(given, index=index)
        assert (made.mode, made.size) == ("RGB", (30, 20))


def test_a_view_is_a_function_of_seed_epoch_and_index():
    def views(disturbance):
        random.seed(disturbance)
        np.random.seed(disturbance)
        torch.manual_seed(disturbance)
        state = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()
        places = [(seed, epoch, index) for seed in range(3) for epoch in range(3) for index in range(3)]
        made = [view(EVERYTHING, *place).tobytes() for place in places]
        assert state == (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist())
        return made

    assert views(0) == views(1)
    assert len(set(views(0))) == 27


def test_generators_differ_from_each_other_and_from_the_one_that_orders_an_epoch():
    order = epoch_batches(1000, 1000, 0, 3)[0].tolist()
    for index in range(3):
        for tag in (VIEW, MIX):
            assert generator_of(0, 3, index, tag).permutation(1000).tolist() != order
    places = [(*place, tag) for place in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)] for tag in (VIEW, MIX)]
    assert len({generator_of(*place).random() for place in places}) == 8


def test_the_stream_of_views_stays_the_same():
    """Another NumPy, Pillow or order of drawing would make a resumed run differ from an unbroken one."""
    assert generator_of(0, 1, 2).integers(1000, size=4).tolist() == [409, 560, 463, 865]


def test_with_everything_off_a_view_is_the_resized_image():
    assert view(PLAIN).tobytes() == noise().resize((30, 20), BILINEAR).tobytes()


def test_without_a_crop_the_whole_image_is_flipped():
    expected = noise().resize((30, 20), BILINEAR).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert view({"crop": None, "flip": 1}).tobytes() == expected.tobytes()
    expected = expected.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    assert view({"crop": None, "flip": 1, "vertical_flip": 1}).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "given",
    [
        {"crop": [0.1, 0.5]},
        {"vertical_flip": 1},
        {"rotation": 30},
        {"policy": "trivialaugment"},
        {"policy": {"name": "randaugment", "operations": 3, "magnitude": 20}},
        {"brightness": 0.5},
        {"contrast": 0.5},
        {"saturation": 0.5},
        {"hue": 0.5},
        {"erasing": 1},
    ],
    ids=str,
)
def test_each_option_changes_views(given):
    plain = view(PLAIN).tobytes()
    changed = [view(PLAIN | given, index=index).tobytes() != plain for index in range(30)]
    assert np.mean(changed) > 0.5


def test_erasing_comes_last():
    grey = Image.new("RGB", (50, 40), (100, 100, 100))
    rotated = view(PLAIN | {"rotation": 45, "policy": "randaugment", "brightness": 0.9, "erasing": 1}, image=grey)
    colours, counts = np.unique(np.asarray(rotated).reshape(-1, 3), axis=0, return_counts=True)
    assert counts.max() > 200
    assert len(colours) > 10
    assert colours.min() < 20  # nothing of the random pixels was made brighter, darker or blurred
    assert colours.max() > 235


def test_without_mixing_an_example_is_itself():
    assert draw_mix(options(), SIZE, generator_of(0, 0, 0, MIX)) == Mix(1.0, None)


def test_mixup_draws_shares_and_cutmix_boxes():
    generators = [generator_of(0, 0, index, MIX) for index in range(1000)]
    averaged = [draw_mix(options(mixup=1.0), SIZE, generator) for generator in generators]
    assert all(mix.box is None for mix in averaged)
    assert np.mean([mix.share for mix in averaged]) == pytest.approx(0.5, abs=0.04)
    for generator in generators:
        mix = draw_mix(options(cutmix=1.0), SIZE, generator)
        assert mix.box is not None
        top, left, bottom, right = mix.box
        assert mix.share * 600 == pytest.approx(600 - (bottom - top) * (right - left), abs=1e-9)


def test_with_both_each_example_draws_which():
    both = options(mixup=0.4, cutmix=1.0, mix_share=0.6)
    drawn = [draw_mix(both, SIZE, generator_of(0, 0, index, MIX)) for index in range(3000)]
    assert np.mean([mix == Mix(1.0) for mix in drawn]) == pytest.approx(0.4, abs=0.03)
    assert np.mean([mix.box is not None for mix in drawn]) == pytest.approx(0.3, abs=0.03)
    assert drawn == [draw_mix(both, SIZE, generator_of(0, 0, index, MIX)) for index in range(3000)]


def test_mixup_is_a_weighted_mean_and_cutmix_pastes_the_box():
    pixels = torch.zeros(3, 2, 4, 6)
    partners = torch.stack([torch.full((2, 4, 6), value) for value in (8.0, 4.0, 2.0)])
    mixes = [Mix(0.75), Mix(20 / 24, (1, 2, 3, 4)), Mix(1.0)]
    result = mixed(pixels, partners, mixes)
    assert (result[0] == 2).all()  # 0.75 * 0 + 0.25 * 8
    expected = torch.zeros(2, 4, 6)
    expected[:, 1:3, 2:4] = 4
    assert torch.equal(result[1], expected)
    assert 1 - (result[1] == 4).float().mean().item() == pytest.approx(mixes[1].share)
    assert (result[2] == 0).all()
    assert (pixels == 0).all()
    assert partners[:, 0, 0, 0].tolist() == [8, 4, 2]


def test_mixing_does_not_hang_on_the_rest_of_the_batch():
    generator = torch.Generator().manual_seed(0)
    pixels, partners = (torch.randn(8, 3, 20, 30, generator=generator) for _ in range(2))
    mixes = [draw_mix(options(mixup=1, cutmix=1), SIZE, generator_of(0, 0, index, MIX)) for index in range(8)]
    whole = mixed(pixels, partners, mixes)
    single = [mixed(pixels[i : i + 1], partners[i : i + 1], mixes[i : i + 1])[0] for i in range(8)]
    assert torch.equal(whole, torch.stack(single))
    with pytest.raises(ValueError):
        mixed(pixels, partners, mixes[:-1])


def test_policies_have_short_names():
    assert options(policy="randaugment").policy == PolicyOptions(name="randaugment", operations=2, magnitude=9)
    assert options(policy={"name": "randaugment", "magnitude": 5}).policy == PolicyOptions(
        name="randaugment", operations=2, magnitude=5
    )
    assert options(policy="trivialaugment").policy == PolicyOptions(name="trivialaugment")
    assert options(policy=None).policy is None


@pytest.mark.parametrize("given", [{}, EVERYTHING, {"crop": None, "mixup": 0.2}, {"policy": "trivialaugment"}], ids=str)
def test_options_written_out_are_read_as_the_same(given):
    written = json.loads(json.dumps(options(**given).model_dump(mode="json")))
    assert AugmentOptions.model_validate(written) == options(**given)


@pytest.mark.parametrize(("given", "mixes"), [({}, False), ({"mixup": 0.2}, True), ({"cutmix": 1}, True)])
def test_options_say_whether_they_mix(given, mixes):
    assert options(**given).mixes is mixes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"crop": None, "ratio": [0.9, 1.1]}, "'ratio' is that of the crop, but 'crop' is null"),
        ({"policy": {"name": "trivialaugment", "magnitude": 5}}, "'magnitude' belongs to the policy 'randaugment'"),
        ({"policy": {"name": "trivialaugment", "operations": 1}}, "'operations' belongs to the policy 'randaugment'"),
        ({"mix_share": 0.5}, "'mix_share' has no effect without 'mixup' or 'cutmix'"),
        ({"crop": [1.0, 0.5]}, r"is \[1.0, 0.5\], but the least comes first"),
        ({"ratio": [2, 0.5]}, "but the least comes first"),
        ({"crop": [0, 1]}, "greater than 0"),
        ({"crop": [0.5, 1.5]}, "less than or equal to 1"),
        ({"crop": [0.5]}, "Field required"),
        ({"flip": 1.5}, "less than or equal to 1"),
        ({"hue": 0.6}, "less than or equal to 0.5"),
        ({"rotation": -5}, "greater than or equal to 0"),
        ({"rotation": 270}, "less than or equal to 180"),
        ({"brightness": -0.1}, "greater than or equal to 0"),
        ({"mixup": float("inf")}, "finite"),
        ({"policy": "autoaugment"}, "'randaugment' or 'trivialaugment'"),
        ({"policy": {"name": "randaugment", "magnitude": 31}}, "less than or equal to 30"),
        ({"cutout": 1}, "Extra inputs"),
        ({"flip": True}, "it is true, which is no number: give a probability, such as 0.5, or 0 for never"),
        ({"vertical_flip": False}, "it is false, which is no number: give a probability"),
        ({"erasing": True}, "which is no number: give a probability"),
        ({"mixup": True}, "which is no number: give a strength, such as 0.4"),
        ({"cutmix": True}, "which is no number: give a strength"),
        ({"saturation": True}, "which is no number: give a strength"),
        ({"rotation": True}, "which is no number: give degrees"),
        ({"hue": False}, "which is no number: give a shift"),
        ({"mixup": 1, "mix_share": True}, "which is no number: give a share"),
        ({"crop": [0.5, True]}, "which is no number: give a share"),
        ({"policy": {"name": "randaugment", "operations": True}}, "which is no number: give a whole number"),
    ],
    ids=str,
)
def test_settings_that_are_wrong_or_without_effect_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        AugmentOptions.model_validate(given)


def test_the_schema_takes_a_policy_by_name_or_with_settings():
    schema = AugmentOptions.model_json_schema()
    assert all("description" in field for field in schema["properties"].values())
    kinds = schema["properties"]["policy"]["anyOf"]
    names = next(kind["enum"] for kind in kinds if "enum" in kind)
    assert names == ["randaugment", "trivialaugment"]
    assert any("$ref" in kind for kind in kinds)
