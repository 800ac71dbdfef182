"""Blocks of models of many forms: stages, lists in a row and beside each other, shared weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hfft.tuning.blocks import BlockMap, blocks, stack_sizes
from tests.unit.tuning.parts import Cell, Half, Layer, Mixer, Stage, Wide, cells, depths


def test_a_list_may_hold_layers_of_several_kinds():
    made = nn.ModuleDict({"layers": nn.ModuleList([Layer(), Wide(), Layer()])})
    assert [block.name for block in blocks(made)] == ["layers.0", "layers.1", "layers.2"]


def test_layers_that_share_all_weights_are_one_block():
    shared = Layer()
    made = nn.ModuleDict({"embed": nn.Embedding(5, 2), "layers": nn.ModuleList([shared, shared, Layer(), shared])})
    assert [(block.stack, block.depth, block.name) for block in blocks(made)] == [
        ("stem", 0, "stem"),
        ("encoder", 1, "layers.0"),
        ("encoder", 2, "layers.2"),
    ]


def test_stages_are_opened_into_blocks_that_count_on():
    made = nn.ModuleDict({"stages": nn.ModuleList([Stage(4, 1), Stage(8, 2)]), "score": nn.Linear(8, 2)})
    place = depths(blocks(made))
    assert stack_sizes(blocks(made)) == {"encoder": 3}
    assert [place[f"stages.{path}.up"][1] for path in ("0.cells.0", "1.cells.0", "1.cells.1")] == [1, 2, 3]
    assert place["stages.0.reduce"] == ("stem", 0)  # it feeds the first block
    assert place["stages.0.merge"] == ("encoder", 1)
    assert place["stages.1.reduce"] == ("encoder", 2)
    assert place["stages.1.merge"] == ("encoder", 3)
    assert place["score"] == ("head", 0)


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList])
def test_a_list_of_lists_is_opened(kind):
    made = nn.ModuleDict({"stages": nn.ModuleList([cells(kind, 2), cells(kind, 1)])})
    assert [block.name for block in blocks(made)] == ["stages.0.0", "stages.0.1", "stages.1.0"]


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList])
def test_lists_in_a_row_are_one_stack_that_counts_on(kind):
    parts = {"conv": nn.Linear(2, 4), "layer1": cells(kind, 2), "join": nn.Linear(4, 4), "layer2": cells(kind, 2)}
    made = nn.ModuleDict({**parts, "score": nn.Linear(4, 2)})
    found = blocks(made)
    assert [block.name for block in found] == ["stem", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "head"]
    assert depths(found)["join"] == ("encoder", 3)  # what stands between two lists goes with the following block


@pytest.mark.parametrize("counts", [(1, 2), (2, 1), (1, 1)])
def test_a_stage_of_a_single_block_beside_others_is_opened_too(counts):
    made = nn.ModuleDict({f"layer{n}": cells(nn.Sequential, count) for n, count in enumerate(counts, start=1)})
    made["pool"] = nn.Sequential(Layer())
    paths = [f"layer{n}.{inner}" for n, count in enumerate(counts, start=1) for inner in range(count)]
    assert [block.name for block in blocks(made)] == [*paths, "head"]


@pytest.mark.parametrize("outer", [nn.Sequential, nn.ModuleList])
@pytest.mark.parametrize("front", [[], [nn.Linear(2, 4)]])
def test_stages_in_a_list_are_opened_also_where_they_hold_a_single_block(outer, front):
    parts = [*front, cells(nn.Sequential, 1), cells(nn.Sequential, 2), cells(nn.Sequential, 1)]
    made = nn.ModuleDict({"stages": outer(parts) if outer is nn.ModuleList else outer(*parts)})
    at = len(front)
    paths = [f"stages.{path}" for path in (f"{at}.0", f"{at + 1}.0", f"{at + 1}.1", f"{at + 2}.0")]
    assert [block.name for block in blocks(made) if block.depth] == paths


def test_stages_with_a_block_of_each_kind_are_opened_where_they_grow_and_stay_where_they_do_not():
    def stage(width, *kinds):
        return nn.ModuleDict({"layer": nn.ModuleList(kind(width) for kind in kinds)})

    growing = nn.ModuleDict({"stages": nn.ModuleList([stage(4, Mixer, Cell), stage(8, Mixer, Cell)])})  # SwiftFormer
    even = nn.ModuleDict({"stages": nn.ModuleList([stage(4, Mixer, Cell), stage(4, Mixer, Cell)])})  # T5
    assert stack_sizes(blocks(growing)) == {"encoder": 4}
    assert stack_sizes(blocks(even)) == {"encoder": 2}


def test_halves_of_blocks_that_run_in_turn_are_one_block_with_what_follows_them():
    pairs = [Half(Cell(4)), Half(Mixer(4)), Half(Cell(4)), Half(Mixer(4))]  # as LeViT's, and what shrinks its images
    first, second = nn.ModuleList([*pairs, Cell(4), Half(Mixer(4))]), nn.ModuleList([Half(Cell(4)), Half(Mixer(4))])
    stages = nn.ModuleList(nn.ModuleDict({"layers": layers}) for layers in (first, second))
    found = blocks(nn.ModuleDict({"stages": stages}))
    assert [block.name for block in found] == ["stages.0.layers.0", "stages.0.layers.2", "stages.1.layers.0"]
    place = depths(found)
    assert {place[f"stages.0.layers.{path}.up"] for path in ("2.module", "3.module", "4", "5.module")} == {
        ("encoder", 2)
    }


def test_layers_that_run_in_turn_and_have_weights_of_their_own_are_blocks():
    made = nn.ModuleDict({"layers": nn.ModuleList([Cell(4), Mixer(4), Cell(4), Mixer(4)])})
    assert stack_sizes(blocks(made)) == {"encoder": 4}


def test_parts_of_blocks_in_lists_beside_each_other_are_zipped():
    parts = {
        "attentions": nn.ModuleList(Layer() for _ in range(3)),
        "norms": nn.ModuleList(nn.LayerNorm(2) for _ in range(3)),
        "forwards": nn.ModuleList(Wide() for _ in range(3)),
    }
    found = blocks(nn.ModuleDict(parts))
    assert [(block.depth, block.name) for block in found] == [(n + 1, f"attentions.{n}") for n in range(3)]
    assert all(depths(found)[f"norms.{n}"] == depths(found)[f"forwards.{n}.up"] for n in range(3))


def test_a_list_of_heads_beside_the_blocks_is_no_stack():
    made = nn.ModuleDict({"layers": cells(nn.ModuleList, 2), "boxes": nn.ModuleList([Layer(), Layer()])})
    found = blocks(made)
    assert stack_sizes(found) == {"encoder": 2}
    assert depths(found)["boxes.1.up"] == ("head", 0)


def test_blocks_whose_norms_have_no_weights_count_beside_others_where_they_are_the_largest():
    large = nn.ModuleList(nn.Sequential(nn.Linear(9, 9), nn.Linear(9, 9)) for _ in range(3))
    made = nn.ModuleDict({"vision": nn.ModuleDict({"layers": cells(nn.ModuleList, 2)}), "text": large})
    assert stack_sizes(blocks(made)) == {"vision": 2, "text": 3}


def test_norms_that_are_frozen_for_good_are_norms():
    class Frozen(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.ones(4))

    made = nn.ModuleDict({"stages": nn.ModuleList([cells(nn.ModuleList, 2), cells(nn.ModuleList, 1)])})
    for cell in [cell for cell in made.modules() if isinstance(cell, Cell)]:
        cell.norm = Frozen()  # type: ignore[assignment]
    assert stack_sizes(blocks(made)) == {"encoder": 3}


def test_lists_whose_weights_all_stand_elsewhere_are_passed_over():
    made = nn.ModuleDict({"first": cells(nn.ModuleList, 2), "joint": nn.Linear(4, 4)})
    made["second"] = nn.ModuleList(made["first"].children())
    assert [block.name for block in blocks(made)] == ["first.0", "first.1", "head"]


def test_what_an_adapter_adds_to_any_module_of_a_block_is_of_that_block():
    made = nn.ModuleDict({"stages": nn.ModuleList([Stage(4, 1), Stage(8, 2)]), "score": nn.Linear(8, 2)})
    place = BlockMap(blocks(made))
    for path, depth in {"1.cells.0.up": 2, "1.cells.0": 2, "1.reduce": 2, "1.merge": 3}.items():
        assert place[f"base_model.model.stages.{path}.lora_A.default.weight"].depth == depth
    assert place["base_model.model.stages.0.reduce.lora_A.default.weight"].stack == "stem"
    assert place["base_model.model.score.lora_A.default.weight"].stack == "head"
