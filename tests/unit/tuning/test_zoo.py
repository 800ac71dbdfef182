"""The blocks of every architecture that transformers can build, against what its config says."""

from __future__ import annotations

import pytest

from tests.unit.tuning import zoo

ONE = "sequence classification"  # most architectures have such a head: in every run of the tests


@pytest.mark.parametrize(
    "kind", [kind if kind == ONE else pytest.param(kind, marks=pytest.mark.wide) for kind in zoo.CLASSES]
)
def test_the_blocks_of_every_architecture_are_those_of_its_config(kind, capsys):
    count, faulty = zoo.survey(kind)
    with capsys.disabled():
        print(f"\n{zoo.line(kind, count, faulty)}")
    assert not faulty
    assert count >= zoo.FEWEST[kind]


@pytest.mark.wide
@pytest.mark.parametrize("kind", zoo.FEWEST_BY_CLASS)
def test_so_are_those_that_only_their_own_classes_build(kind, capsys):
    count, faulty = zoo.survey(kind, by_class=True)
    with capsys.disabled():
        print(f"\nand by their own classes {zoo.line(kind, count, faulty)}")
    assert not faulty
    assert count >= zoo.FEWEST_BY_CLASS[kind]
