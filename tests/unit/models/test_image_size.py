"""The size in which a model sees images, and how it is set to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate
from transformers import (
    AutoImageProcessor,
    BeitConfig,
    BeitForImageClassification,
    LevitConfig,
    LevitForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from hfft.errors import ModelError
from hfft.models.image_size import for_size, require_colours, seen_size, set_size
from hfft.tasks.image_classification.task import as_pictures
from tests.tiny import write_json

SMALL: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "image_size": 16,
    "patch_size": 4,
}
SQUARE, LARGER = {"height": 16, "width": 16}, {"height": 18, "width": 18}


@pytest.fixture
def processor(tmp_path):
    def make(kind: str, **settings: Any) -> Any:
        write_json(tmp_path / "preprocessor_config.json", {"image_processor_type": f"{kind}ImageProcessor", **settings})
        return AutoImageProcessor.from_pretrained(tmp_path)

    return make


PROCESSORS = [  # kind, settings, what is seen, what is resized to for 32 pixels
    ("ViT", {"size": SQUARE}, 16, {"height": 32, "width": 32}),
    ("DeiT", {"size": LARGER, "crop_size": SQUARE, "do_center_crop": True}, 16, {"height": 36, "width": 36}),
    ("Bit", {"size": {"shortest_edge": 18}, "crop_size": SQUARE}, 16, {"shortest_edge": 36}),
    ("ConvNext", {"size": {"shortest_edge": 16}, "crop_pct": 0.875}, 16, {"shortest_edge": 32}),
    ("Levit", {"size": {"shortest_edge": 16}, "crop_size": SQUARE}, 16, {"shortest_edge": 32}),
    ("EfficientNet", {"size": SQUARE, "crop_size": LARGER, "do_center_crop": False}, 16, {"height": 32, "width": 32}),
]


@pytest.mark.parametrize(("kind", "settings", "seen", "resized"), PROCESSORS)
def test_a_processor_is_set_to_another_size_in_proportion(processor, kind, settings, seen, resized):
    made = processor(kind, **settings)
    assert seen_size(made) == (seen, seen)
    set_size(made, 32)
    assert seen_size(made) == (32, 32)
    assert {side: value for side, value in dict(made.size).items() if value is not None} == resized


def test_a_processor_that_keeps_the_shape_of_images_is_refused(processor):
    made = processor("Bit", size={"shortest_edge": 16}, do_center_crop=False)
    with pytest.raises(ModelError, match=r"BitImageProcessor.* keeps the shape of images \(\[\(16, 21\), \(21, 16\)\]"):
        seen_size(made)


def test_a_processor_that_makes_no_pixels_or_patches_is_refused(processor):
    clusters = [[float(value)] * 3 for value in (-1, 0, 1)]
    with pytest.raises(ModelError, match=r"ImageGPT.* makes input_ids of shape \(1, 256\) of an image"):
        seen_size(processor("ImageGPT", size=SQUARE, clusters=clusters))
    with pytest.raises(ModelError, match=r"Siglip2.* makes pixel_values of shape \(1, 16, 48\)"):
        seen_size(processor("Siglip2", patch_size=4, max_num_patches=16))


def test_a_processor_that_cannot_be_set_is_refused(processor):
    made = processor("ViT", size={"height": 16, "width": 32})
    with pytest.raises(ModelError, match=r"image_size is 48, but .* makes images of 16 x 32 pixels and cannot be"):
        set_size(made, 48)


@pytest.mark.parametrize("channels", [1, 4])
def test_a_model_of_other_channels_is_refused(channels):
    require_colours(ViTConfig(**SMALL))
    with pytest.raises(ModelError, match=rf"The model sees {channels} channel\(s\), but images are opened in RGB"):
        require_colours(ViTConfig(**SMALL, num_channels=channels))


def test_the_grid_of_positions_is_interpolated_and_special_ones_stay():
    model = ViTForImageClassification(ViTConfig(**SMALL))
    before = model.vit.embeddings.position_embeddings
    made = for_size(model, 24)
    after = made.vit.embeddings.position_embeddings
    assert after.shape == (1, 37, 8)
    torch.testing.assert_close(after[:, :1], before[:, :1], rtol=0, atol=0)
    grid = before[0, 1:].reshape(4, 4, 8).permute(2, 0, 1)[None]
    expected = interpolate(grid, size=(6, 6), mode="bicubic")[0].permute(1, 2, 0).reshape(36, 8)
    torch.testing.assert_close(after[0, 1:], expected)
    others = {key for key in made.state_dict() if "position" not in key}
    assert all(torch.equal(made.state_dict()[key], model.state_dict()[key]) for key in others)
    assert (made.config.image_size, model.config.image_size) == (24, 16)
    assert not made.training


def test_a_linear_table_of_biases_stays_linear_and_its_last_places_stay():
    model = BeitForImageClassification(BeitConfig(**SMALL, use_relative_position_bias=True))
    (name,) = [key for key, _ in model.named_parameters() if key.endswith("relative_position_bias_table")]
    table = model.get_parameter(name)
    with torch.no_grad():
        table[:49] = torch.arange(7.0).repeat_interleave(7)[:, None]  # a row of places each
        table[49:] = torch.tensor([[100.0], [200.0], [300.0]])
    after = for_size(model, 32).get_parameter(name)
    assert after.shape == (15 * 15 + 3, 2)
    assert after[-3:, 0].tolist() == [100, 200, 300]
    square = after[:-3, 0].reshape(15, 15)
    torch.testing.assert_close(square, square[:, :1].expand(15, 15), rtol=0, atol=1e-5)
    assert square[7, 0].item() == pytest.approx(3, abs=1e-5)  # the middle is where nothing lies between two patches
    steps = square[2:-1, 0] - square[1:-2, 0]
    torch.testing.assert_close(steps, torch.full_like(steps, 7 / 15))


def test_a_model_without_a_size_is_left_alone():
    model = ResNetForImageClassification(ResNetConfig(embedding_size=8, hidden_sizes=[8], depths=[1]))
    assert for_size(model, 64) is model
    vit = ViTForImageClassification(ViTConfig(**SMALL))
    assert for_size(vit, 16) is vit


def test_other_weights_of_another_shape_are_refused():
    sizes: dict[str, Any] = {"hidden_sizes": [8, 8, 8], "num_attention_heads": [1, 1, 1], "depths": [1, 1, 1]}
    model = LevitForImageClassification(LevitConfig(image_size=64, key_dim=[8, 8, 8], **sizes))
    with pytest.raises(ModelError, match=r"task.image_size: levit\..*attention_biases .* Leave image_size out"):
        for_size(model, 128)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("ViT", {}),
        ("ViT", {"do_normalize": False}),
        ("ViT", {"do_rescale": False, "do_normalize": False}),
        ("EfficientNet", {"include_top": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.25]}),
        ("EfficientNet", {"rescale_offset": True, "rescale_factor": 1 / 127.5, "include_top": False}),
        ("MobileViT", {"crop_size": SQUARE}),
    ],
)
def test_what_a_processor_does_to_colours_is_undone(processor, kind, settings):
    made = processor(kind, size=SQUARE, **settings)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    pixels[0, 0, :2] = [[0, 0, 0], [255, 255, 255]]
    images = [Image.fromarray(each) for each in pixels]
    seen = made(images, do_resize=False, do_center_crop=False, return_tensors="pt")["pixel_values"]
    np.testing.assert_array_equal(np.stack([np.asarray(each) for each in as_pictures(made, seen)]), pixels)
