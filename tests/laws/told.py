"""Laws 5 and 6 as checks that several laws make: the table of parameters says what happens, and it happens."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from hfft.io.run_folder import read_json
from hfft.tuning.blocks import plain_name
from hfft.workflows.build import Setup
from tests.laws.runs import tensors


def started(made: Setup) -> dict[str, Tensor]:
    """Law 6: every parameter is in one block, and in the one group that the table tells, or in none.

    Returns the weights and buffers with which the run starts, by name, for `moves_as_told`.
    """
    model = made.run.accelerator.unwrap_model(made.run.model)
    names = {parameter: plain_name(name) for name, parameter in model.named_parameters()}
    in_blocks = [name for block in made.tuned.block_of.found for name in block.parameters]
    assert len(in_blocks) == len(set(in_blocks))
    told = {row.name: row for row in made.parameters}
    assert len(told) == len(made.parameters) == len(names)
    groups = [(parameter, group) for group in made.run.optimizer.param_groups for parameter in group["params"]]
    assert len(groups) == len({parameter for parameter, _ in groups})
    for parameter, group in groups:
        row = told[names[parameter]]
        peak = (group["initial_lr"], group["weight_decay"])
        assert (row.trainable, row.lr, row.weight_decay) == (True, *peak)
        assert parameter.requires_grad == (row.from_step == 1)
    for name in told.keys() - {names[parameter] for parameter, _ in groups}:
        row = told[name]
        assert (row.trainable, row.lr, row.weight_decay, row.from_step) == (False, 0, 0, 0)
    for parameter, name in names.items():
        assert parameter.requires_grad <= told[name].trainable
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


def moves_as_told(start: dict[str, Tensor], run: Path) -> int:
    """Law 5: what the table calls frozen does not move by a bit; all else does, from its first step on, not before.

    Each checkpoint that the run has kept is looked at; at the last one all that learns has moved. Returns their number.
    """
    told = {row["name"]: row for row in read_json(run / "parameters.json")}
    kept = sorted((run / "checkpoints").glob("step-*"))
    for place in kept:
        step, saved = int(place.name.removeprefix("step-")), tensors(place / "model.safetensors")
        for name, before in start.items():
            row = told.get(plain_name(name))
            if row is None:  # a buffer: no tiny example learns with statistics that move
                assert name not in saved or torch.equal(before, saved[name]), name
            elif place == kept[-1] or row["from_step"] == 0 or step < row["from_step"]:
                assert torch.equal(before, saved[name]) != (0 < row["from_step"] <= step), (name, step)
    return len(kept)
