"""What happens to each parameter, as rows of parameters.json and as a table by block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


def parameter_lines(rows: Sequence[ParameterRow]) -> tuple[list[str], list[list[str]]]:
    """The table of `show_parameters`: its columns, and its lines, the last of which is of all blocks."""
    blocks: dict[tuple[str, int], list[ParameterRow]] = {}
    for row in rows:
        blocks.setdefault((row.stack, row.block), []).append(row)
    columns = ["block", "parameters", "trained", "peak learning rate", "weight decay"]
    columns += ["adapter"] if any(row.adapter for row in rows) else []
    columns += ["from step"] if any(row.from_step > 1 for row in rows) else []
    lines = [
        [stack if depth == 0 else f"{stack} {depth}", *_facts(members, columns[1:])]
        for (stack, depth), members in blocks.items()
    ]
    whole = ["all", *_facts(rows, columns[1:3])]
    return columns, [*lines, whole + [""] * (len(columns) - len(whole))]


def _facts(rows: Sequence[ParameterRow], columns: Sequence[str]) -> list[str]:
    """What the columns of the table say of some rows."""
    learning = [row for row in rows if row.trainable]
    total = count(rows)
    facts = {
        "parameters": f"{total:,}",
        "trained": f"{count(learning) / total if total else 0:.1%}",
        "peak learning rate": _span([row.lr for row in learning], ".3g"),
        "weight decay": _span([row.weight_decay for row in learning], ".3g"),
        "adapter": f"{count(row for row in rows if row.adapter):,}",
        "from step": _span([row.from_step for row in learning], "d"),
    }
    return [facts[column] for column in columns]


def _span(values: Sequence[float], form: str) -> str:
    """The least and the largest of some values, or the one that all are."""
    return " to ".join(format(value, form) for value in sorted({min(values), max(values)})) if values else "-"


def count(rows: Iterable[ParameterRow]) -> int:
    """How many numbers some parameters have."""
    return sum(math.prod(row.shape) for row in rows)


@dataclass(frozen=True)
class ParameterRow:
    """What happens to one parameter.

    Attributes:
        name: As in the loaded model's `named_parameters()`.
        shape: Its shape.
        stack: The stack of its block.
        block: The depth of its block there.
        trainable: Whether it learns in this run.
        lr: Its learning rate at its peak; 0 where it does not learn.
        weight_decay: Its weight decay.
        from_step: The first step in which it learns, from 1; 0 where it does not.
        adapter: Whether an adapter added it.
    """

    name: str
    shape: tuple[int, ...]
    stack: str
    block: int
    trainable: bool
    lr: float
    weight_decay: float
    from_step: int = 1
    adapter: bool = False

    def as_json(self) -> dict[str, Any]:
        """The row as parameters.json has it."""
        return {**asdict(self), "shape": list(self.shape)}
