"""Blocks by patterns of module paths."""

from __future__ import annotations

import pytest
from torch import nn

from hfft.errors import RecipeError
from hfft.tuning.blocks import blocks, stack_sizes
from tests.unit.tuning.parts import Stage, Tower, depths


def two_towers():
    parts = {"inner": Tower(2), "bridge": nn.Linear(2, 2), "outer": Tower(3), "score": nn.Linear(2, 2)}
    return nn.ModuleDict(parts)


def test_patterns_say_what_the_blocks_are_in_the_order_given():
    found = blocks(two_towers(), {"late": "outer.layers.[12]", "early": ["inner.*.0", "inner.layers.?"]})
    assert [(block.stack, block.depth, block.name) for block in found] == [
        ("stem", 0, "stem"),
        ("late", 1, "outer.layers.1"),
        ("late", 2, "outer.layers.2"),
        ("early", 1, "inner.layers.0"),
        ("early", 2, "inner.layers.1"),
        ("head", 0, "head"),
    ]
    listed = [name for block in found for name in block.parameters]
    assert sorted(listed) == sorted(name for name, _ in two_towers().named_parameters())


def test_a_star_stands_for_no_dot_and_two_stars_for_anything():
    assert stack_sizes(blocks(two_towers(), {"all": "*.layers.*"})) == {"all": 5}
    assert stack_sizes(blocks(two_towers(), {"ups": "**.up"})) == {"ups": 5}


def test_patterns_of_the_stem_and_the_head_go_before_all_rules():
    made = two_towers()
    place = depths(blocks(made, {"stem": ["bridge", "inner.layers.0.up"], "head": "*.norm"}))
    assert {place["bridge"], place["inner.layers.0.up"], place["inner.embed"]} == {("stem", 0)}
    assert {place["inner.norm"], place["outer.norm"]} == {("head", 0)}
    assert place["inner.layers.0.down"] == ("inner.layers", 1)  # the stacks are found as ever


def test_a_model_that_cannot_be_read_can_be_told():
    made = nn.ModuleDict({name: nn.Linear(2, 2) for name in ("first", "step1", "step2", "last")})
    found = blocks(made, {"encoder": "step?"})
    assert [(block.stack, block.depth) for block in found] == [
        ("stem", 0),
        ("encoder", 1),
        ("encoder", 2),
        ("head", 0),
    ]


def test_parts_of_stages_go_with_their_blocks_under_patterns_too():
    made = nn.ModuleDict({"stages": nn.ModuleList([Stage(4, 1), Stage(8, 2)]), "score": nn.Linear(8, 2)})
    assert blocks(made, {"encoder": "stages.*.cells.*"}) == blocks(made)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            {"encoder": "inner.layer.*"},
            r"tune\.blocks\.encoder has the pattern 'inner\.layer\.\*', which matches no module of this model\. "
            r"Did you mean 'inner\.layers\.0'\? .* Its lists of modules are inner\.layers\.\*, outer\.layers\.\*\.",
        ),
        ({"encoder": []}, r"tune\.blocks\.encoder has no pattern"),
        ({}, r"tune\.blocks is empty"),
        (
            {"encoder": ["inner.layers.*", "inner.layers.1.up"]},
            r"tune\.blocks\.encoder matches inner\.layers\.1\.up, which is inside inner\.layers\.1 of tune\.blocks",
        ),
        (
            {"a": "inner.layers.*", "b": "*.layers.*"},
            r"tune\.blocks\.b matches inner\.layers\.0, which is in tune\.blocks\.a too",
        ),
        ({"encoder": ["inner.layers.*", "drop"]}, r"encoder matches drop, which has no parameters of its own"),
        (
            {"encoder": "inner.layers.[2-0]"},
            r"tune\.blocks\.encoder has the pattern 'inner\.layers\.\[2-0\]', which cannot be read: bad character "
            r"range 2-0\. Brackets hold the characters that may stand there, lowest first",
        ),
        ({"stem": "inner.layers.[!]"}, r"tune\.blocks\.stem .* cannot be read: unterminated character set"),
        ({"encoder": "inner.layers.[0-11]"}, r"\[0-11\] is meant for a range of numbers, but brackets stand for one"),
        (
            {"stem": ["inner", "outer"]},
            r"The patterns of tune\.blocks\.stem take all blocks \(inner\.layers\.\* and outer\.layers\.\*\), so that "
            r"no block is left: give patterns of what stands outside of the blocks",
        ),
        ({"encoder": "drop", "stem": "bridge"}, r"encoder matches drop, which has no parameters of its own"),
        ({"late": "outer.layers.*", "head": "outer"}, r"The patterns of tune\.blocks\.head take all blocks"),
        (
            {"late": "outer.layers.*", "head": "outer.layers.2"},
            r"outer\.layers\.2 is in tune\.blocks\.late and in tune\.blocks\.head: name it in one",
        ),
        ({"stem": "drop"}, r"tune\.blocks\.stem matches drop, which has no parameters"),
        (
            {"stem": "bridge", "head": "bridge.weight"},
            r"bridge\.weight is in tune\.blocks\.stem and in tune\.blocks\.head",
        ),
    ],
)
def test_patterns_that_do_not_fit_are_refused(patterns, message):
    made = two_towers()
    made["drop"] = nn.Dropout()
    with pytest.raises(RecipeError, match=message):
        blocks(made, patterns)
