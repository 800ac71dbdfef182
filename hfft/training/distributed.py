"""The wrapper with which several processes share a step: what it must know of a model, and how it is put on anew."""

from __future__ import annotations

import gc
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch.nn.parallel import DistributedDataParallel

from hfft.data.loaders import Batch
from hfft.errors import SetupError
from hfft.tasks.task import Task
from hfft.training.evaluation import in_evaluation_mode
from hfft.training.loop import Run, on_device, over_processes


def let_some_go_unreached(task: Task, model: Any, batch: Batch, accelerator: Accelerator) -> None:
    """Tells DistributedDataParallel to look for parameters without a gradient, where the loss does not reach all.

    It would end at the second step otherwise (XLNet, BigBird and others have such parameters); looking costs time, so
    it is asked for only where it is needed. All processes call it, before the model is prepared, which stays as it was.
    """
    with in_evaluation_mode(model):  # BatchNorm's statistics stay
        task.loss(model, batch).backward()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    missed = torch.tensor([parameter.grad is None for parameter in trained], device=accelerator.device).any()
    model.zero_grad()
    dropping = any(getattr(module, "layerdrop", 0) for module in model.modules())  # M2M100 leaves out blocks at random
    if over_processes(missed.float(), accelerator) > 0 or dropping:
        looking: Any = DistributedDataParallelKwargs(find_unused_parameters=True)
        accelerator.ddp_handler = looking


def require_plain_wrapper(run: Run) -> None:
    """Raises SetupError where a model is shared in a way in which what learns cannot change during the run."""
    if run.accelerator.num_processes > 1 and not isinstance(run.model, DistributedDataParallel):
        raise SetupError(
            f"tune.unfreeze and tune.probe change what learns during the run, which {type(run.model).__name__} does "
            "not allow. Use a configuration of Accelerate with plain data parallelism (distributed_type: MULTI_GPU), "
            "without sharding and compilation."
        )


def wrap_again(run: Run) -> None:
    """Puts the wrapper on anew after other parameters have begun to learn. All processes call it.

    DistributedDataParallel notes when it is made which parameters learn, and never adds up the gradients of others:
    the processes would drift apart without a word.
    """
    if not isinstance(run.model, DistributedDataParallel):
        return
    old, accelerator = run.model, run.accelerator
    model, devices, output = old.module, old.device_ids, old.output_device
    let_some_go_unreached(run.task, model, _first_batch(run), accelerator)
    accelerator._models = [other for other in accelerator._models if other is not old]
    run.model = None
    del old
    gc.collect()  # with it go its hooks, which would add gradients up a second time
    settings = accelerator.ddp_handler.to_kwargs() if accelerator.ddp_handler is not None else {}
    run.model = DistributedDataParallel(model, device_ids=devices, output_device=output, **settings)
    accelerator._models.append(run.model)
    settle_buckets(run)


def settle_buckets(run: Run) -> None:
    """Makes one backward pass and drops its gradients, where three or more processes share a step. All call it.

    After its first pass DistributedDataParallel groups the gradients anew, and a gradient's place in its group says in
    which order the processes' parts are summed. A resumed run whose first step comes before that differs from the
    unbroken one in the last bit (measured with three gloo processes); of two parts there is but one order.
    """
    if run.accelerator.num_processes < 3:
        return
    with in_evaluation_mode(run.model):  # BatchNorm's statistics stay
        run.task.loss(run.model, _first_batch(run)).backward()
    run.optimizer.zero_grad()


def _first_batch(run: Run) -> Batch:
    return on_device(next(run.batches(0, 1)).micro_batches[0].batch, run.accelerator)
