"""Tiny models that see, without a head, each with the image processor that its family's checkpoints have, made small.

They look at pictures of 16x16, but where their strides ask for more: EfficientNet, MobileNetV2 and RegNet at 32x32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BeitConfig,
    BeitModel,
    ConvNextConfig,
    ConvNextModel,
    DeiTConfig,
    DeiTModel,
    Dinov2Config,
    Dinov2Model,
    EfficientNetConfig,
    EfficientNetModel,
    MobileNetV2Config,
    MobileNetV2Model,
    PreTrainedModel,
    RegNetConfig,
    RegNetModel,
    ResNetConfig,
    ResNetModel,
    SwinConfig,
    SwinModel,
    ViTConfig,
    ViTModel,
)
from transformers.image_utils import PILImageResampling
from transformers.utils.constants import (
    IMAGENET_DEFAULT_MEAN,
    IMAGENET_DEFAULT_STD,
    IMAGENET_STANDARD_MEAN,
    IMAGENET_STANDARD_STD,
)

from tests.tiny.files import write_json

SIZE = 16  # pixels a side
IMAGENET = {"image_mean": IMAGENET_DEFAULT_MEAN, "image_std": IMAGENET_DEFAULT_STD}
HALVES = {"image_mean": IMAGENET_STANDARD_MEAN, "image_std": IMAGENET_STANDARD_STD}
NEAREST, BILINEAR, BICUBIC = (
    kind.value for kind in (PILImageResampling.NEAREST, PILImageResampling.BILINEAR, PILImageResampling.BICUBIC)
)


def vit(folder: Path, layers: int = 3, image_size: int = SIZE, dropout: float = 0.1) -> None:
    """Writes a ViT, seeded, in patches of 4x4; its processor warps a picture into the square."""
    config = ViTConfig(**_encoder(layers, image_size), hidden_dropout_prob=dropout)
    _write(folder, ViTModel, config, "ViT", size=_square(image_size), resample=BILINEAR, **HALVES)


def deit(folder: Path, layers: int = 3, image_size: int = SIZE) -> None:
    """Writes a DeiT, seeded, with its distillation token; its processor cuts the middle out of a larger square."""
    sizes = {"size": _square(_larger(image_size)), "crop_size": _square(image_size), "do_center_crop": True}
    config = DeiTConfig(**_encoder(layers, image_size))
    _write(folder, DeiTModel, config, "DeiT", **sizes, resample=BICUBIC, **IMAGENET)


def beit(folder: Path, layers: int = 3, image_size: int = SIZE) -> None:
    """Writes a BEiT, seeded: a table of relative positions in each block, and stochastic depth."""
    config = BeitConfig(**_encoder(layers, image_size), use_relative_position_bias=True, drop_path_rate=0.1)
    sizes = {"size": _square(image_size), "crop_size": _square(image_size), "do_center_crop": False}
    _write(folder, BeitModel, config, "Beit", **sizes, resample=BILINEAR, **HALVES)


def dinov2(folder: Path, layers: int = 3, image_size: int = SIZE) -> None:
    """Writes a DINOv2, seeded; its processor keeps a picture's shape and cuts its middle out."""
    settings = {key: value for key, value in _encoder(layers, image_size).items() if key != "intermediate_size"}
    sizes = {"size": {"shortest_edge": _larger(image_size)}, "crop_size": _square(image_size), "do_center_crop": True}
    config = Dinov2Config(**settings, mlp_ratio=2)
    _write(folder, Dinov2Model, config, "Bit", **sizes, resample=BICUBIC, do_convert_rgb=True, **IMAGENET)


def swin(folder: Path, layers: int = 3, image_size: int = SIZE) -> None:
    """Writes a Swin, seeded: two stages, of one block and of the others, in windows of 2x2 patches of 2x2 pixels."""
    config = SwinConfig(
        image_size=image_size,
        patch_size=2,
        embed_dim=16,
        depths=[1, layers - 1],
        num_heads=[2, 4],
        window_size=2,
        mlp_ratio=1.5,
    )
    _write(folder, SwinModel, config, "ViT", size=_square(image_size), resample=BICUBIC, **IMAGENET)


def convnext(folder: Path, layers: int = 3, image_size: int = SIZE) -> None:
    """Writes a ConvNeXt, seeded: two stages, with patches of 2x2 pixels."""
    config = ConvNextConfig(
        image_size=image_size,
        patch_size=2,
        num_stages=2,
        hidden_sizes=[16, 32],
        depths=[1, layers - 1],
        layer_scale_init_value=0.1,  # where 1e-6 is usual, a few steps would leave the blocks without effect
    )
    _write(folder, ConvNextModel, config, "ConvNext", **_cropped(image_size))


def resnet(folder: Path, layers: int = 3, image_size: int = SIZE, kind: str = "basic") -> None:
    """Writes a ResNet, seeded, with BatchNorm: two stages of `basic` or `bottleneck` blocks."""
    config = ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, layers - 1], layer_type=kind)
    _write(folder, ResNetModel, config, "ConvNext", **_cropped(image_size))


def regnet(folder: Path, layers: int = 3, image_size: int = 2 * SIZE) -> None:
    """Writes a RegNet, seeded, with BatchNorm and squeeze-and-excitation: two stages of groups of 8 channels."""
    config = RegNetConfig(
        embedding_size=16, hidden_sizes=[16, 32], depths=[1, layers - 1], groups_width=8, layer_type="y"
    )
    _write(folder, RegNetModel, config, "ConvNext", **_cropped(image_size))


def efficientnet(folder: Path, layers: int = 3, image_size: int = 2 * SIZE) -> None:
    """Writes an EfficientNet, seeded, with BatchNorm and drop connect; its blocks are in two stages."""
    config = EfficientNetConfig(
        image_size=image_size,
        width_coefficient=0.25,  # of all channels, and of the 1,280 that the last layer always has
        depth_coefficient=1.0,
        kernel_sizes=[3, 5],
        in_channels=[32, 64],
        out_channels=[64, 128],
        strides=[1, 2],
        num_block_repeats=[1, layers - 1],
        expand_ratios=[1, 2],
        hidden_dim=320,
        dropout_rate=0.2,
    )
    sizes = {"size": _square(image_size), "crop_size": _square(_larger(image_size)), "do_center_crop": False}
    flags = {"rescale_offset": False, "include_top": True}
    _write(folder, EfficientNetModel, config, "EfficientNet", **sizes, **flags, resample=NEAREST, **IMAGENET)


def mobilenet_v2(folder: Path, layers: int = 16, image_size: int = 2 * SIZE) -> None:
    """Writes a MobileNetV2, seeded, with BatchNorm and an eighth of its channels; its blocks are always 16."""
    assert layers == 16, "MobileNetV2's configuration has no number of blocks"
    config = MobileNetV2Config(image_size=image_size, depth_multiplier=0.125, classifier_dropout_prob=0.2)
    edge = {"size": {"shortest_edge": _larger(image_size)}, "crop_size": _square(image_size), "do_center_crop": True}
    _write(folder, MobileNetV2Model, config, "MobileNetV2", **edge, resample=BILINEAR, **HALVES)


def _encoder(layers: int, image_size: int) -> dict[str, Any]:
    """What the configurations of ViT and its kin have in common."""
    return {
        "hidden_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "image_size": image_size,
        "patch_size": 4,
    }


def _square(size: int) -> dict[str, int]:
    return {"height": size, "width": size}


def _larger(size: int) -> int:
    """What is cut out of to get `size`: as 256 is to 224."""
    return size * 256 // 224


def _cropped(image_size: int) -> dict[str, Any]:
    """How ConvNeXt, ResNet and RegNet see: the middle of a picture that is larger by 8/7."""
    return {"size": {"shortest_edge": image_size}, "crop_pct": 0.875, "resample": BICUBIC, **IMAGENET}


def _write(folder: Path, kind: type[PreTrainedModel], config: Any, processor: str, **sight: Any) -> None:
    """Writes a seeded model and its preprocessor_config.json as the Hub has it, which names no backend."""
    torch.manual_seed(0)
    model: Any = kind(config)
    model.save_pretrained(folder)
    always = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    settings = {"image_processor_type": f"{processor}ImageProcessor", **always, **sight}
    write_json(folder / "preprocessor_config.json", settings)
