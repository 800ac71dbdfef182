"""Each family of models that see is shown images as its own processor makes them, and answers as it would alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from datasets import ClassLabel, Dataset, Features
from datasets import Image as ImageFeature
from PIL import ExifTags, Image
from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline
from transformers.image_utils import load_image

import hfft
from hfft.errors import ModelError
from hfft.models.pretrained import PretrainedSource
from hfft.tasks.image_classification.task import ImageClassification
from hfft.tasks.prepare import prepare
from tests import tiny
from tests.product import first_of_all
from tests.tiny import vision
from tests.tiny.pictures import COLOURS, pictures, write_pictures

FAMILIES = ("vit", "deit", "beit", "dinov2", "swin", "convnext", "resnet", "efficientnet", "mobilenet_v2", "regnet")
ENCODER: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 16,
    "patch_size": 4,
}
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 32,
}


def square(pixels: int) -> dict[str, int]:
    return {"height": pixels, "width": pixels}


def cut_out(pixels: int) -> dict[str, Any]:
    """The middle of a larger image."""
    edge = {"shortest_edge": pixels * 8 // 7}
    return {"size": edge, "crop_size": square(pixels), "do_center_crop": True, "resample": 3}


# A few more, for what only they do: class, configuration, processor and its settings
OTHERS: dict[str, tuple[Any, ...]] = {
    # a classifier whose class has no part of the name it gives its base model, and sizes in a part of the configuration
    "clip": ("CLIPModel", "CLIPConfig", {"text_config": TEXT, "vision_config": ENCODER}, "CLIP", cut_out(16)),
    "siglip": (
        *("SiglipModel", "SiglipConfig", {"text_config": TEXT, "vision_config": ENCODER}),
        *("Siglip", {"size": square(16), "resample": 3}),
    ),
    # special places behind the class token
    "dinov2_with_registers": (
        *("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig"),
        *({**{key: ENCODER[key] for key in ENCODER if key != "intermediate_size"}, "mlp_ratio": 2}, "Bit", cut_out(16)),
    ),
    # a size of two numbers
    "hiera": (
        *("HieraModel", "HieraConfig"),
        {
            **{"embed_dim": 16, "image_size": [32, 32], "patch_stride": [4, 4], "patch_padding": [3, 3]},
            **{"depths": [1, 1], "num_heads": [1, 2], "num_query_pool": 1, "masked_unit_size": [4, 4]},
            **{"masked_unit_attention": [True, False]},
        },
        *("Bit", cut_out(32)),
    ),
    # tables of attention that cannot be stretched
    "levit": (
        *("LevitModel", "LevitConfig"),
        {
            **{"image_size": 64, "hidden_sizes": [16, 24, 32], "num_attention_heads": [1, 2, 2], "depths": [1, 1, 1]},
            **{"key_dim": [8, 8, 8], "mlp_ratio": [2, 2, 2], "attention_ratio": [2, 2, 2]},
        },
        *("Levit", {"size": {"shortest_edge": 64}, "crop_size": square(64), "resample": 3}),
    ),
    # a table for each stage, of which the last has a place for the class
    "pvt": (
        *("PvtModel", "PvtConfig"),
        {
            **{"image_size": 32, "num_encoder_blocks": 2, "depths": [1, 1], "sequence_reduction_ratios": [2, 1]},
            **{"hidden_sizes": [16, 32], "patch_sizes": [4, 2], "strides": [4, 2], "num_attention_heads": [1, 2]},
            **{"mlp_ratios": [2, 2]},
        },
        *("Pvt", {"size": square(32), "resample": 2}),
    ),
    # blue, green, red; never normalized
    "mobilevit": (
        *("MobileViTModel", "MobileViTConfig"),
        {
            **{"image_size": 32, "hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 16, 24, 24, 32]},
            **{"num_attention_heads": 2},
        },
        *("MobileViT", {**cut_out(32), "do_flip_channel_order": True}),
    ),
    "bit": (
        *("BitModel", "BitConfig", {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "num_groups": 4}),
        *("Bit", cut_out(32)),
    ),
    # a window of its own share is cut out
    "poolformer": (
        *("PoolFormerModel", "PoolFormerConfig"),
        {
            **{"hidden_sizes": [16, 32], "depths": [1, 1], "num_encoder_blocks": 2, "patch_sizes": [7, 3]},
            **{"strides": [4, 2], "padding": [2, 1]},
        },
        *("PoolFormer", {"size": {"shortest_edge": 32}, "crop_size": square(32), "crop_pct": 0.9, "resample": 3}),
    ),
}
ALL = (*FAMILIES, *OTHERS)
HERE = {"vit", "swin", "resnet", "mobilenet_v2", "clip"}
"""Tables of positions, relative ones, BatchNorm, its momentum, a part of a larger model: what every run tries."""
families = pytest.mark.parametrize("name", first_of_all(ALL, HERE))


def write(folder: Path, name: str) -> None:
    """Writes a tiny model without a head."""
    if name in FAMILIES:
        getattr(tiny, name)(folder)
    else:
        kind, config, settings, processor, sight = OTHERS[name]
        made = getattr(transformers, config)(**settings)
        vision._write(folder, getattr(transformers, kind), made, processor, **{**vision.IMAGENET, **sight})
    model: Any = transformers.AutoModel.from_pretrained(folder)
    enliven(model)
    model.save_pretrained(folder)


def enliven(model: Any) -> None:
    """Lets answers hang on the image and on where things are in it: as transformers draws weights, they hardly do."""
    torch.manual_seed(1)
    with torch.no_grad():
        for key, weights in model.named_parameters():
            if "position" in key:
                weights.normal_(std=0.5)
            elif weights.ndim > 1 and weights.std() < 0.03:
                weights.mul_(8)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Callable[[str], Path]:
    """Gives the folder of a family's tiny model, without a head."""
    made: dict[str, Path] = {}

    def give(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "model"
            write(made[name], name)
        return made[name]

    return give


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Parquet files of small pictures; those of eval are of many sizes and modes."""
    folder = tmp_path_factory.mktemp("data")
    write_pictures(folder / "train.parquet", pictures(7, 0))
    write_pictures(folder / "eval.parquet", [{"image": image, "label": 0} for image in odd_pictures()])
    # Turned by EXIF data, which only a file has
    rows = Dataset.from_parquet(str(folder / "eval.parquet")).cast_column("image", ImageFeature(decode=False)).to_list()
    turned = {"image": {"bytes": sideways(folder / "turned.jpg").read_bytes(), "path": None}, "label": 0}
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=list(COLOURS))})
    Dataset.from_list([*rows, turned], features=features).to_parquet(folder / "eval.parquet")
    return folder


def noise(height: int, width: int, channels: int, seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(pixels if channels > 1 else pixels[..., 0])


def odd_pictures() -> list[Image.Image]:
    """Lying, standing, tiny, large; grey, with an alpha channel, with a palette."""
    shapes = [(20, 50, 3), (90, 21, 3), (3, 5, 3), (150, 150, 3), (30, 40, 1), (33, 22, 4)]
    made = [noise(*shape, seed) for seed, shape in enumerate(shapes)]
    return [*made, made[0].quantize(16)]


def sideways(file: Path) -> Path:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    noise(25, 60, 3, 9).save(file, exif=exif)
    return file


def trained(folder: Path, data: Path, model: Path, steps: int = 2, **changes: Any) -> Path:
    """Trains, and gives the run folder. `changes` are those of sections."""
    recipe = {
        "data": {"root": str(data), "files": {"train": "train.parquet", "eval": "eval.parquet"}},
        "optim": {"lr": 1e-3},
        "train": {"steps": steps, "batch_size": 3, **changes.get("train", {})},
        "task": {"name": "image-classification", **changes.get("task", {})},
        "model": {"name": str(model), **changes.get("model", {})},
        "tune": changes.get("tune", {}),
    }
    hfft.train(hfft.Recipe.from_dict(recipe), output=folder / "run", quiet=True)
    return folder / "run"


def predicted(run: Path) -> list[list[float]]:
    """The probabilities in the predictions of the eval split."""
    lines = (run / "predictions" / "eval.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["probabilities"] for line in lines]


def piped(model: Path, data: Path) -> list[list[float]]:
    """What the pipeline of transformers answers to the eval split, by label."""
    ask: Any = pipeline("image-classification", model=str(model), top_k=None)
    rows = Dataset.from_parquet(str(data / "eval.parquet"))
    answers = ask([row["image"] for row in rows])  # type: ignore[index]
    return [[{each["label"]: each["score"] for each in answer}[name] for name in COLOURS] for answer in answers]


def opened(folder: Path, data: Path, new_head: bool = False, **options: Any) -> tuple[ImageClassification, Any]:
    """The task with its data, and the prepared splits."""
    task = ImageClassification(ImageClassification.Options(**options))  # type: ignore[arg-type]
    splits = {split: Dataset.from_parquet(str(data / f"{split}.parquet")) for split in ("train", "eval")}
    return task, prepare(task, splits, PretrainedSource(str(folder), new_head=new_head)).splits  # type: ignore[arg-type]


@families
def test_the_saved_model_alone_gives_the_same_probabilities(written, data, tmp_path, name):
    run = trained(tmp_path, data, written(name))
    np.testing.assert_allclose(predicted(run), piped(run / "model", data), atol=1e-5)


@families
def test_an_image_that_is_scored_is_what_the_processor_makes_of_it(written, data, name):
    task, splits = opened(written(name), data)
    rows = splits["eval"].rows
    batch = task.collate([rows[row] for row in range(len(rows))])
    processor = AutoImageProcessor.from_pretrained(written(name))
    images = Dataset.from_parquet(str(data / "eval.parquet"))["image"]  # type: ignore[index]
    for pixels, image in zip(batch["pixel_values"], images, strict=True):
        expected = processor(load_image(image), return_tensors="pt")["pixel_values"][0]
        torch.testing.assert_close(pixels, expected, rtol=0, atol=0)


@families
def test_a_view_that_is_trained_on_has_the_size_and_the_normalisation_of_the_processor(written, name, tmp_path):
    """Pictures of one colour: however they are cut, resized and mirrored, each pixel of the view is that colour."""
    colours = [(200, 30, 90), (10, 250, 120), (0, 0, 255)]
    rows = [{"image": Image.new("RGB", (50, 35), colour), "label": row} for row, colour in enumerate(colours)]
    for split in ("train", "eval"):
        write_pictures(tmp_path / f"{split}.parquet", rows)
    task, splits = opened(written(name), tmp_path)
    scored = [splits["train"].rows[row] for row in range(3)]
    shown = task.collate([{**row, "draw": (0, 0, number)} for number, row in enumerate(scored)])
    torch.testing.assert_close(shown["pixel_values"], task.collate(scored)["pixel_values"], rtol=0, atol=1e-6)


@families
def test_pictures_for_people_are_those_that_the_model_sees(written, data, name):
    task, splits = opened(written(name), data, augment={"crop": None, "flip": 0})
    row = splits["train"].rows[0]
    (title, picture), *_ = task.pictures(task.collate([{**row, "draw": (0, 0, 0)}]))
    height, width = task.size
    original = Dataset.from_parquet(str(data / "train.parquet"))[0]  # type: ignore[index]
    expected = load_image(original["image"]).resize((width, height), task.processor.resample)
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))
    assert title == list(COLOURS)[original["label"]]


def with_head(folder: Path, model: Path, labels: tuple[str, ...]) -> Any:
    """Writes the model with a head for these labels, and gives it."""
    torch.manual_seed(2)
    named = dict(enumerate(labels))
    made = AutoModelForImageClassification.from_pretrained(model, num_labels=len(named), id2label=named)
    enliven(made)
    made.save_pretrained(folder)
    AutoImageProcessor.from_pretrained(model).save_pretrained(folder)
    return made.eval()


@families
def test_a_new_head_leaves_all_other_weights_as_they_were(written, data, tmp_path, name):
    before = with_head(tmp_path, written(name), ("cat", "dog")).state_dict()
    task, _ = opened(tmp_path, data, new_head=True)
    model: Any
    model, new = task.model(PretrainedSource(str(tmp_path), new_head=True))
    assert [model.config.id2label[number] for number in range(3)] == list(COLOURS)
    after = model.state_dict()
    assert {key for key in after if after[key].shape != before[key].shape} <= set(new)
    assert "classifier" in " ".join(new)
    assert all(key.startswith(("classifier", "norm")) for key in new)  # PoolFormer's last norm belongs to its head
    for key in set(after) - set(new):
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=0)


def answered(model: Any, pixels: torch.Tensor, **arguments: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(pixel_values=pixels, **arguments).logits


def in_size(folder: Path, data: Path, pixels: int) -> tuple[Any, torch.Tensor]:
    """The model made for images of this size, and a batch of the eval split."""
    task, splits = opened(folder, data, image_size=pixels)
    model, new = task.model(PretrainedSource(str(folder)))
    assert not new
    rows = splits["eval"].rows
    return model, task.collate([rows[row] for row in range(len(rows))])["pixel_values"]


SMALL, LARGE = (8, 24), (16, 48)  # for families whose models see 16x16, and 32x32
RESIZED = [
    (name, pixels)
    for name in ALL
    if name != "levit"
    for pixels in (LARGE if name in ("efficientnet", "mobilenet_v2", "regnet", *list(OTHERS)[3:]) else SMALL)
]


STRETCHED = ("vit", "deit", "beit", "dinov2", "clip", "siglip", "hiera")
# As above, but PVT cannot be asked to, and DINOv2 with registers smooths as well (antialias)
STRETCHED_OTHERWISE = ("pvt", "dinov2_with_registers")


@pytest.mark.parametrize(("name", "pixels"), first_of_all(RESIZED, [case for case in RESIZED if case[0] in HERE]))
def test_a_model_for_images_of_another_size_is_a_plain_one(written, data, tmp_path, name, pixels):
    old = with_head(tmp_path, written(name), tuple(COLOURS))
    model, batch = in_size(tmp_path, data, pixels)
    assert batch.shape[-2:] == (pixels, pixels)
    model.save_pretrained(tmp_path / "new")
    again = AutoModelForImageClassification.from_pretrained(tmp_path / "new")
    torch.testing.assert_close(answered(again, batch), answered(model, batch))
    sizes = [part.image_size for part in (again.config, *vision_parts(again.config)) if hasattr(part, "image_size")]
    assert sizes in ([], [pixels], [[pixels, pixels]])
    if name not in STRETCHED + STRETCHED_OTHERWISE:  # no weights hang on the size
        torch.testing.assert_close(answered(again, batch), answered(old, batch), rtol=0, atol=1e-6)


def vision_parts(config: Any) -> list[Any]:
    return [config.vision_config] if hasattr(config, "vision_config") else []


@pytest.mark.parametrize(("name", "pixels"), [case for case in RESIZED if case[0] in STRETCHED])
def test_positions_are_interpolated_as_the_model_itself_does_it(written, data, tmp_path, name, pixels):
    old = with_head(tmp_path, written(name), tuple(COLOURS))
    model, batch = in_size(tmp_path, data, pixels)
    expected = answered(old, batch, interpolate_pos_encoding=True)
    torch.testing.assert_close(answered(model, batch), expected, rtol=0, atol=1e-5)
    assert (answered(old, batch.flip(2), interpolate_pos_encoding=True) - expected).abs().max() > 1e-2


def test_a_model_whose_weights_hang_on_the_size_is_refused_before_training(written, data, tmp_path):
    with pytest.raises(ModelError, match=r"task\.image_size: levit.*attention_biases .*\(1, 16\).*\(1, 64\)"):
        trained(tmp_path, data, written("levit"), task={"image_size": 128})


@pytest.mark.parametrize("name", ["vit", "swin", "efficientnet", "clip"])
def test_a_resized_model_is_trained_and_answers_alone(written, data, tmp_path, name):
    run = trained(tmp_path, data, written(name), task={"image_size": 48})
    assert AutoImageProcessor.from_pretrained(run / "model")(noise(60, 90, 3, 0))["pixel_values"][0].shape == (
        3,
        48,
        48,
    )
    np.testing.assert_allclose(predicted(run), piped(run / "model", data), atol=1e-5)


RATES = {  # the names of the rates that are set; dropout of attention is off in these checkpoints, and stays so
    "vit": ((), ("hidden_dropout_prob",)),
    "deit": ((), ("hidden_dropout_prob",)),
    "beit": (("drop_path_rate",), ("hidden_dropout_prob",)),
    "dinov2": (("drop_path_rate",), ("hidden_dropout_prob",)),
    "swin": (("drop_path_rate",), ("hidden_dropout_prob",)),
    "convnext": (("drop_path_rate",), ()),
    "efficientnet": (("drop_connect_rate",), ("dropout_rate",)),
    "mobilenet_v2": ((), ("classifier_dropout_prob",)),
    "resnet": ((), ()),
    "regnet": ((), ()),
}


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("setting", ["drop_path", "dropout"])
def test_rates_are_those_of_the_recipe_or_refused(written, data, name, setting):
    folder, names = written(name), RATES[name][setting == "dropout"]
    pretrained, without = (replace(PretrainedSource(str(folder)), **{setting: rate}) for rate in (0.3, 0.0))
    if not names:
        with pytest.raises(ModelError, match=f"model.{setting} is 0.3, but the configuration of .* has no such rate"):
            pretrained.config  # noqa: B018
        return
    task, _ = opened(folder, data)
    model, _ = task.model(pretrained)
    assert {key: getattr(model.config, key) for key in names} == dict.fromkeys(names, 0.3)
    none, _ = task.model(without)
    assert dropped(model) > dropped(none)


def dropped(model: Any) -> int:
    """How many zeros the parts of the model that drop something make of ones."""
    torch.manual_seed(0)
    parts = [part for part in model.train().modules() if "Drop" in type(part).__name__]
    return sum(int((part(torch.ones(64, 8)) == 0).sum()) for part in parts)
