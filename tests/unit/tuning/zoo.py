"""Every architecture that transformers can build for the tasks, and how many blocks its config says it has.

`python -m tests.unit.tuning.zoo` prints the share on which `hfft.blocks` agrees, and all that is found.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
)
from transformers.utils import logging

from hfft.tuning.blocks import HEAD, STEM, Block, blocks, stack_sizes

CLASSES: dict[str, Any] = {
    "sequence classification": AutoModelForSequenceClassification,
    "token classification": AutoModelForTokenClassification,
    "seq2seq": AutoModelForSeq2SeqLM,
    "image classification": AutoModelForImageClassification,
}
FEWEST = {"sequence classification": 120, "token classification": 97, "seq2seq": 37, "image classification": 37}
"""How many architectures of each class transformers 5.23 builds without detectron2, natten and timm."""
FEWEST_BY_CLASS = {"image classification": 7}
"""How many more it builds by their own classes alone, as a config stands for several: DeiT, LeViT, Perceiver."""
SETTINGS = {"PerceiverConfig": {"num_cross_attention_heads": 1}}
"""What a config needs where its own code refuses the default: positions of 261 numbers cannot be cut into 8 heads."""

Sizes = Mapping[str, int]
OWN_COUNTS: dict[str, tuple[Callable[[Any], Sizes], str]] = {
    "AlbertConfig": (
        lambda c: {"encoder": c.num_hidden_groups * c.inner_group_num},
        "its layers share their weights: all layers of a group are one block",
    ),
    "CanineConfig": (
        lambda c: {"encoder": 1 + c.num_hidden_layers + 1},
        "it has a layer over characters in front of its layers, and one behind",
    ),
    "PerceiverConfig": (
        lambda c: {"encoder": c.num_self_attends_per_block},
        "its blocks share their weights; the cross-attention in front of them feeds them",
    ),
    "OPTConfig": (lambda c: {"decoder": c.num_hidden_layers}, "its only stack is called decoder"),
    "EfficientNetConfig": (
        lambda c: {"encoder": sum(math.ceil(c.depth_coefficient * repeats) for repeats in c.num_block_repeats)},
        "num_hidden_layers counts something else: 4 for each repeat in front of the scaling",
    ),
    "HGNetV2Config": (
        lambda c: {"encoder": sum(c.stage_num_blocks)},
        "depths is ResNet's default, which its code does not read",
    ),
    "MobileNetV1Config": (lambda c: {"encoder": 26}, "its code has 13 pairs of layers; the config says nothing"),
    "MobileNetV2Config": (lambda c: {"encoder": 16}, "its code has 16 blocks behind the stem; the config says nothing"),
    "MobileViTConfig": (
        lambda c: {"encoder": 1 + 3 + 2 + 4 + 3},
        "its code has 1 and 3 convolutional blocks and 2, 4 and 3 Transformer layers; the config says nothing",
    ),
    "MobileViTV2Config": (
        lambda c: {"encoder": 1 + 2 + sum(c.n_attn_blocks)},
        "its code has 1 and 2 convolutional blocks in front of the n_attn_blocks of the config",
    ),
    "VibeVoiceAsrConfig": (
        lambda c: {
            "model.acoustic_tokenizer_encoder": sum(c.acoustic_tokenizer_encoder_config.depths),
            "model.semantic_tokenizer_encoder": sum(c.semantic_tokenizer_encoder_config.depths),
            "text": c.text_config.num_hidden_layers,
        },
        "it has two encoders of sound beside each other, which go by their paths",
    ),
    "Nemotron3_5TranscribeConfig": (
        lambda c: {
            "model.audio_tower.asr_encoder.layers": c.audio_config.asr_config.num_hidden_layers,
            "audio": c.audio_config.diarization_config.audio_config.num_hidden_layers,
            "text": c.text_config.num_hidden_layers,
            "model.word_timestamp_encoder.layers": c.word_timestamp_config.num_hidden_layers,
        },
        "it has three encoders of sound beside each other, of which two go by their paths",
    ),
    **dict.fromkeys(
        ("CLIPConfig", "MetaClip2Config", "SiglipConfig", "Siglip2Config"),
        (
            lambda c: {"vision": c.vision_config.num_hidden_layers},
            "a classifier of images has no tower of text",
        ),
    ),
}
"""Configs whose `num_hidden_layers`, `depths` and the like do not say how many blocks there are, and why."""


def built(kind: str, *, by_class: bool = False) -> Iterator[tuple[Any, Any]]:
    """Config and model, without weights, of every architecture of a class that its default config builds.

    Args:
        kind: The class's name in `CLASSES`.
        by_class: Builds the models of configs that stand for several of them, and no others: `from_config` cannot.
    """
    logging.set_verbosity_error()
    auto = CLASSES[kind]
    for config_class in auto._model_mapping:
        several = auto._model_mapping[config_class]
        if by_class != isinstance(several, tuple):
            continue
        for build in [one for one in several if one is not None] if by_class else [auto.from_config]:
            try:
                with warnings.catch_warnings(), torch.device("meta"):
                    warnings.simplefilter("ignore")
                    config = config_class(**SETTINGS.get(config_class.__name__, {}) if by_class else {})
                    model = build(config)
            except Exception:  # a package that is not installed, or a default config that its own code refuses
                continue
            yield config, model


def expected(config: Any, model: nn.Module) -> Sizes:
    """The blocks of each stack, as the config counts them."""
    name, tags = type(config).__name__, type(model).__name__.endswith("ForTokenClassification")
    if name in OWN_COUNTS:
        return OWN_COUNTS[name][0](config)
    if name == "FunnelConfig":  # what spreads its short sequence over all tokens again is its decoder
        return {"encoder": sum(config.block_sizes), **({"decoder": config.num_decoder_layers} if tags else {})}
    if parts := _parts(config):
        return parts
    if config.is_encoder_decoder and not tags:
        return {"encoder": _first(config, *ENCODER_KEYS), "decoder": _first(config, *DECODER_KEYS)}
    return {"encoder": _count(config)}


ENCODER_KEYS = ("encoder_layers", "num_encoder_layers", "num_layers")
DECODER_KEYS = ("decoder_layers", "num_decoder_layers")
PARTS = ("encoder", "decoder", "vision", "text", "audio", "projector")


def _parts(config: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, value in vars(config).items():
        stack = key.removesuffix("_config")
        if stack in PARTS and isinstance(value, PreTrainedConfig):
            found.update(_parts(value) or {stack: _count(value)})
    return found


def _count(config: Any) -> int:
    """Blocks are counted in stages, or straight on."""
    stages = getattr(config, "depths", None) or getattr(config, "depth", None)
    return sum(stages) if isinstance(stages, (list, tuple)) else config.num_hidden_layers


def _first(config: Any, *keys: str) -> int:
    return next(getattr(config, key) for key in keys if getattr(config, key, None) is not None)


def faults(config: Any, model: nn.Module) -> list[str]:
    """What is wrong with the blocks of a model: nothing, where all is well."""
    found = blocks(model)
    names = [name for name, _ in model.named_parameters()]
    listed = [name for block in found for name in block.parameters]
    ends = {block.stack: set(block.parameters) for block in found if block.stack in (STEM, HEAD)}
    sizes, wanted = stack_sizes(found), expected(config, model)
    wrong = [f"the blocks are {sizes}, the config says {wanted}"] if sizes != wanted else []
    if sorted(listed) != sorted(names):
        wrong.append(f"{len(listed)} parameters are listed, {len(names)} are there")
    if [block.stack for block in found if block.depth == 0] != [end for end in (STEM, HEAD) if end in ends]:
        wrong.append("there is more than one stem or head, or not at the ends")
    if not ends.get(STEM):
        wrong.append("there is no stem")
    if late := _tables(model, found) - ends.get(STEM, set()):
        wrong.append(f"{sorted(late)} are tables outside the stem")
    if not (last := _outputs(config, model, names)) <= ends.get(HEAD, set()):
        wrong.append(f"{sorted(last)} are outputs outside the head")
    return wrong


def _tables(model: nn.Module, found: list[Block]) -> set[str]:
    """Embedding tables, but those that blocks hold themselves: T5's relative positions."""
    inner = tuple(f"{block.name}." for block in found if block.depth)
    tables = {f"{path}.weight" for path, module in model.named_modules() if isinstance(module, nn.Embedding)}
    return {name for name, _ in model.named_parameters() if name in tables and not name.startswith(inner)}


def _outputs(config: Any, model: Any, names: Iterable[str]) -> set[str]:
    """The weights of the layer that gives the answer; none where it is the table of words."""
    classes = "Classification" in type(model).__name__
    last = [m for m in model.modules() if classes and isinstance(m, nn.Linear) and m.out_features == config.num_labels]
    if not last:  # it writes words
        last = [module for path, module in model.named_modules() if path.endswith("lm_head")]
    if not last:
        last = [model.get_output_embeddings() or model.decoder.get_output_embeddings()]
    paths = {path for path, module in model.named_modules() if any(module is layer for layer in last)}
    tables = {f"{path}.weight" for path, module in model.named_modules() if isinstance(module, nn.Embedding)}
    return {name for name in names if name.rpartition(".")[0] in paths} - tables


def survey(kind: str, *, by_class: bool = False) -> tuple[int, dict[str, list[str]]]:
    """How many architectures of a class are built, and the faults of those that have any."""
    faulty: dict[str, list[str]] = {}
    count = 0
    for config, model in built(kind, by_class=by_class):
        count += 1
        if wrong := faults(config, model):
            faulty[type(model).__name__] = wrong
    return count, faulty


def line(kind: str, count: int, faulty: Mapping[str, list[str]]) -> str:
    """The share that passes, as a line."""
    return f"{kind}: {count - len(faulty)} of {count} architectures"


if __name__ == "__main__":
    for each in CLASSES:
        for alone in (False, True):
            number, wrong_ones = survey(each, by_class=alone)
            if number:
                said = line(f"{each}, by their own classes" if alone else each, number, wrong_ones)
                print(said, *(f"  {name}: {why}" for name, why in wrong_ones.items()), sep="\n")
    print("Counted by rules of their own:", *(f"  {name}: {why}" for name, (_, why) in OWN_COUNTS.items()), sep="\n")
