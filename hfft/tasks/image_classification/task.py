"""image-classification: a label, several labels or numbers for a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from datasets import Dataset
from PIL import Image
from pydantic import BaseModel, Field, model_validator
from torch import Tensor
from transformers import AutoModelForImageClassification, PreTrainedModel

from hfft.data import checks
from hfft.data.images import Looked, as_images, image_findings, look_at, none_left, open_image, repeated_images
from hfft.data.loaders import TRUNK, Batch, Examples, Views
from hfft.errors import DataError
from hfft.models.image_size import for_size, require_colours, require_fit, seen_size, set_size
from hfft.models.pretrained import Pretrained
from hfft.tasks.answers import Purpose, pipeline_usage
from hfft.tasks.classification import Classification
from hfft.tasks.image_classification.views import MIX, AugmentOptions, draw_mix, generator_of, mixed, training_view
from hfft.tasks.problems.problem import ProblemOptions


class Options(ProblemOptions):
    """Options of `image-classification`."""

    image: str = Field(
        default="image",
        description="The column of the image: an image, the bytes of an image file, or its name, which starts from the "
        "folder of the table that it stands in.",
    )
    image_size: Annotated[int, Field(ge=8)] | None = Field(
        default=None,
        description="Height and width in pixels. Default: as the model's image processor says. Tables of positions are "
        "interpolated.",
    )
    augment: AugmentOptions | None = Field(
        default=AugmentOptions(),
        description="How training images are changed at random. Default: cropped and mirrored. null: not at all.",
    )

    @model_validator(mode="after")
    def _columns_apart(self) -> Options:
        checks.require_apart("image", [self.image], "label", self.columns)
        return self


class ImageClassification(Classification):
    """A classification head on an image encoder (see `hfft.tasks.task.Task` for what each method promises)."""

    Options: ClassVar[type[BaseModel]] = Options
    auto_class = AutoModelForImageClassification
    usage = pipeline_usage("image-classification", "photo.jpg")
    purpose = Purpose(
        "One label, several labels or numbers for each image.",
        "image, label; or a folder with a subfolder for each label",
        "task: {name: image-classification, image: photo, label: species}",
    )
    group_by_length = False  # images have no length
    caches = False
    streams = False

    def __init__(self, options: Options):
        super().__init__(options)
        self.inputs = [options.image]
        self.size = (0, 0)
        self.resized = False
        self.looked: dict[str, Looked] = {}  # what was found in the files, by split

    @property
    def file_columns(self) -> list[str]:
        return self.inputs

    def setup(self, pretrained: Pretrained) -> None:
        require_colours(pretrained.config)
        self.processor, pixels = pretrained.image_processor(), self.options.image_size
        if pixels is not None:
            set_size(self.processor, pixels)
        self.size, self.resized = seen_size(self.processor), pixels is not None

    def read(self, rows: Dataset, split: str) -> Dataset:
        checks.require_columns({split: rows}, {"task.image": self.inputs})
        images = as_images(rows.select_columns(self.inputs), self.options.image, split)
        return images.rename_columns({self.options.image: "image"})

    def faults(self, inputs: Dataset, split: str) -> dict[int, str]:
        self.looked[split] = look_at(inputs, "image")
        found = enumerate(self.looked[split].faults)
        return {row: f"the picture cannot be read: {fault}" for row, fault in found if fault}

    def none_readable(self, inputs: Dataset, split: str, faults: Mapping[int, str]) -> DataError:
        return none_left(inputs, "image", self.looked[split], split)

    def findings(self, inputs: Mapping[str, Dataset], labels: Sequence[Any]) -> list[checks.Finding]:
        found = repeated_images(self.looked, [checks.hashable(label) for label in labels])
        warning = range_warning(self.processor, self.size)
        count = len(inputs["train"])
        return found if warning is None else [*found, checks.Finding("range", "train", count, count, warning)]

    def describe(
        self, split: str, inputs: Dataset, labels: Sequence[Any], examples: Examples
    ) -> tuple[dict[str, Any], list[checks.Finding]]:
        looked = self.looked.pop(split)
        told, findings = super().describe(split, inputs, labels, examples)
        height, width = np.median(looked.sizes[examples.ids], axis=0)
        seen = {"height": float(height), "width": float(width), "seen": list(self.size)}
        return {**told, "images": seen}, image_findings(split, inputs, "image", looked) + findings

    def lengths(self, rows: Dataset) -> None:
        return None

    def views(self) -> Views | None:
        augment = self.options.augment
        return None if augment is None else Views(augment.mixes, augment.views)

    def model(self, pretrained: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        model, new = super().model(pretrained)
        model = for_size(model, self.size[0]) if self.resized else model
        require_fit(model, self.size)
        return model, new

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        batch = {"labels": self.problem.tensor([row["labels"] for row in rows])}
        if TRUNK in rows[0]:
            return {"pixel_values": torch.zeros(()).expand(len(rows), 3, *self.size), **batch}
        if "draw" not in rows[0]:
            images = [open_image(row["image"]) for row in rows]
            return {"pixel_values": _by_pixel(self.processor(images, return_tensors="pt")["pixel_values"]), **batch}
        partners = [row["partner"] for row in rows if "partner" in row]
        views = {row["draw"]: self._view(row) for row in {r["draw"]: r for r in [*rows, *partners]}.values()}
        pixels = torch.stack([views[row["draw"]] for row in rows])
        if partners:
            augment = self.options.augment
            mixes = [draw_mix(augment, self.size, generator_of(*row["draw"], tag=MIX)) for row in rows]
            pixels = mixed(pixels, torch.stack([views[row["draw"]] for row in partners]), mixes)
            batch["partner_labels"] = self.problem.tensor([row["labels"] for row in partners])
            batch["shares"] = torch.tensor([mix.share for mix in mixes])
        return {"pixel_values": _by_pixel(pixels), **batch}

    def _view(self, row: dict[str, Any]) -> Tensor:
        """The view of an image that `row["draw"]` decides, `(channels, height, width)`."""
        resample = getattr(self.processor, "resample", Image.Resampling.BILINEAR)
        image = training_view(
            open_image(row["image"]), self.size, self.options.augment, resample, generator_of(*row["draw"])
        )
        return coloured(self.processor, [image])[0]

    def logits(self, model: Any, batch: Batch) -> Tensor:
        return model(pixel_values=batch["pixel_values"]).logits.float()

    def show(self, batch: Batch) -> list[str]:
        return [f"{title}: {image.height} x {image.width} pixels" for title, image in self.pictures(batch)]

    def pictures(self, batch: Batch) -> list[tuple[str, Image.Image]]:
        return list(zip(self._titles(batch), as_pictures(self.processor, batch["pixel_values"]), strict=True))

    def _titles(self, batch: Batch) -> list[str]:
        """The truths of a batch for people; of two images that were mixed both, with their shares."""
        own = self.problem.truths(batch["labels"])
        if "shares" not in batch:
            return [str(truth) for truth in own]
        others = self.problem.truths(batch["partner_labels"])
        return [
            str(truth) if share == 1 else f"{share:.2f} {truth} + {1 - share:.2f} {other}"
            for truth, other, share in zip(own, others, batch["shares"].tolist(), strict=True)
        ]


def _by_pixel(images: Tensor) -> Tensor:
    """The same images with the channels of a pixel side by side in memory, as convolutions want them.

    A step of MobileNetV2 at 96 pixels on one CPU core then takes 0.56 s instead of 0.65 s for 32 images.
    """
    return images.contiguous(memory_format=torch.channels_last)


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


def range_warning(processor: Any, size: tuple[int, int]) -> str | None:
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
