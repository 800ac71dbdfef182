"""Small parts to build models from, and where their parameters are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from hfft.tuning.blocks import Block


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(2, 2), nn.Linear(2, 2)


class Wide(Layer):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(2, 2)


class Tower(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.embed, self.layers, self.norm = (
            nn.Embedding(5, 2),
            nn.ModuleList(Layer() for _ in range(layers)),
            nn.LayerNorm(2),
        )


class Cell(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)


class Mixer(Cell):
    pass


class Half(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module


class Stage(nn.Module):
    def __init__(self, width, count):
        super().__init__()
        self.reduce, self.cells = nn.Linear(width // 2, width), nn.ModuleList(Cell(width) for _ in range(count))
        self.merge = nn.LayerNorm(width)


def cells(kind: Any, count: int) -> nn.Module:
    made = [Cell(4) for _ in range(count)]
    return kind(made) if kind is nn.ModuleList else kind(*made)


def depths(found: Sequence[Block]) -> dict[str, tuple[str, int]]:
    """The depth of each module that holds parameters, by its path."""
    return {name.rpartition(".")[0]: (block.stack, block.depth) for block in found for name in block.parameters}
