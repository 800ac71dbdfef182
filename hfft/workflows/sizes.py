"""How large a run is: the memory that a process takes, and the room that its files take on the disk."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hfft.errors import DiskError
from hfft.io.run_folder import RunFolder, mib, room_at
from hfft.training.callbacks.cadence import Cadence
from hfft.training.loop import Run, on_device
from hfft.tuning.parameter_table import ParameterRow, count
from hfft.workflows.build import Setup


def checkpoint_bytes(setup: Setup) -> int:
    """Bytes of one checkpoint: weights, what the optimizer keeps, and the average of the weights."""
    learning = 4 * count(row for row in setup.parameters if row.trainable)
    average = 1 if setup.recipe.train.ema is not None else 0
    return weights_bytes(setup) + learning * ((_state_tensors(setup.run) or 0) + average)


def weights_bytes(setup: Setup) -> int:
    """Bytes of the weights in a checkpoint, or of the best ones: all that is not as the model's own files have it."""
    return 4 * count(row for row in setup.parameters if row.name not in setup.tuned.as_loaded)


def disk_bytes(setup: Setup) -> int:
    """Bytes that the files of a run take at their most: checkpoints, one that is being written too, and model/."""
    run, train = setup.run, setup.recipe.train
    cadence = Cadence(train.checkpoint_every, run.steps_per_epoch, run.total_steps)
    checkpoints = min(cadence.left(0), train.checkpoints_meanwhile + 1)
    best = (train.soup or 1) if train.best_metric is not None else 0
    return checkpoints * checkpoint_bytes(setup) + best * weights_bytes(setup) + 4 * count(setup.parameters)


def lack_of_room(setup: Setup, folder: RunFolder) -> str | None:
    """Says how much room a run lacks in the place of its folder, which need not be there; None where it has enough.

    What an earlier part of the run left there counts as its own.
    """
    place, free = room_at(folder.checkpoints)
    there = sum(file.stat().st_size for file in folder.path.rglob("*.safetensors") if file.is_file())
    needed = disk_bytes(setup) - there
    if needed <= free:
        return None
    return (
        f"The run needs about {mib(needed)} on the disk of {place}, of which {mib(free)} are free: a checkpoint "
        f"takes {mib(checkpoint_bytes(setup))}, and model/ {mib(4 * count(setup.parameters))}. Make room, "
        "choose another disk with --output, or keep fewer of them (train.keep_checkpoints, train.soup)."
    )


def require_room(setup: Setup, folder: RunFolder) -> None:
    """Raises DiskError where the files of a run have no room in its folder."""
    lack = lack_of_room(setup, folder)
    if lack is not None:
        raise DiskError(lack)


def memory(setup: Setup, micro_batch_size: int) -> dict[str, int | None]:
    """Bytes that one process takes, by part; None where that cannot be known."""
    run, rows = setup.run, setup.parameters
    learning = 4 * count(row for row in rows if row.trainable)
    tensors = _state_tensors(run)
    parts = {
        "weights": 4 * count(rows),
        "gradients": learning,
        "optimizer": None if tensors is None else learning * tensors,
        "start": setup.tuned.anchor.bytes if setup.tuned.anchor is not None else 0,
        "average": learning if setup.recipe.train.ema is not None else 0,
        "activations": _activation_bytes(setup, micro_batch_size),
    }
    known = [size for size in parts.values() if size is not None]
    return {**parts, "total": sum(known) if len(known) == len(parts) else None}


def memory_saved(run: Run, rows: Sequence[ParameterRow]) -> int | None:
    """Bytes that gradients and optimizer state of the weights of the model that do not learn would take."""
    tensors = _state_tensors(run)
    still = count(row for row in rows if not row.trainable)
    return None if tensors is None else 4 * still * (1 + tensors)


def _state_tensors(run: Run) -> int | None:
    """How many tensors of a parameter's size the optimizer keeps for it, found by one step of a tiny one."""
    probe = torch.nn.Parameter(torch.zeros(2, 3, device=run.accelerator.device))
    probe.grad = torch.ones_like(probe)
    inner = run.optimizer.optimizer
    settings = {key: value for key, value in inner.param_groups[0].items() if key not in ("params", "initial_lr")}
    try:
        tiny = type(inner)([{"params": [probe], **settings}], lr=settings["lr"])
        tiny.step()
    except (TypeError, ValueError, RuntimeError):
        return None  # an optimizer that cannot be made so simply
    return sum(torch.is_tensor(value) and value.shape == probe.shape for value in tiny.state[probe].values())


def _activation_bytes(setup: Setup, micro_batch_size: int) -> int:
    """Bytes that the forward pass of the longest examples keeps for the backward pass when all that may learn does."""
    setup.tuned.enter(setup.tuned.phases[-1])
    run, examples = setup.run, setup.prepared.splits["train"]
    size = min(micro_batch_size, len(examples))
    longest = range(size) if examples.lengths is None else (-examples.lengths).argsort(kind="stable")[:size]
    batch = setup.task.collate([examples.rows[int(index)] for index in longest])
    weights = {p.untyped_storage().data_ptr() for p in run.model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        setup.task.loss(run.model, on_device(batch, run.accelerator))
    return sum(kept.values())
