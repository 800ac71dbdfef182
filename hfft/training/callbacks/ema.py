"""A moving average of the weights: it is what is scored and kept, while training goes on with the plain weights.

torch.optim.swa_utils.AveragedModel would hold a second copy of the frozen weights too, and waits for the device in each
step to learn whether it is the first. Its averaging function is used here, on the weights that learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from hfft.training.loop import Run, StepReport, plain_model


class Average:
    """An exponential moving average of the weights that learn (Polyak and Juditsky 1992), from where they start.

    After step n it becomes d x average + (1 - d) x weights, d = min(decay, (1 + n) / (10 + n)): the warm-up of
    TensorFlow's ExponentialMovingAverage, so that a short run is not held back by its first weights. A skipped step
    left the weights as they were, and the average moves towards those. The running statistics of BatchNorm
    are averaged alike, for those of the plain weights do not belong to averaged ones (timm's ModelEmaV2 does so too).

    All processes hold the same, without a word between them: they have the same weights. (Statistics of BatchNorm
    differ until the next forward pass, in which DDP takes those of the main process, averaged ones too.)

    Args:
        run: Its model is prepared already.
        decay: Between 0 and 1; the average is over about the last 1 / (1 - decay) steps.
    """

    def __init__(self, run: Run, decay: float):
        self.decay = decay
        self.weights = _averaged_tensors(run)
        assert all(weight.dtype == torch.float32 for weight in self.weights.values())  # hfft loads models so
        self.averages = {name: weight.detach().clone() for name, weight in self.weights.items()}

    def __call__(self, run: Run, report: StepReport) -> None:
        """Moves the average. Nothing waits for the device."""
        decay = min(self.decay, (1 + report.step) / (10 + report.step))
        weights = [weight.detach() for weight in self.weights.values()]
        get_ema_multi_avg_fn(decay)(list(self.averages.values()), weights, None)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the averaged weights while inside. They change places with the plain ones, without a copy."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def save(self, file: Path) -> None:
        """Writes the average to a safetensors file."""
        save_file({name: average.contiguous() for name, average in self.averages.items()}, str(file))

    def load(self, file: Path) -> None:
        """Reads what `save` wrote. Raises KeyError or RuntimeError where it is that of another model."""
        saved = load_file(str(file))
        for name, average in self.averages.items():
            average.copy_(saved[name])

    def _exchange(self) -> None:
        for name, weight in self.weights.items():
            # The tensors inside the parameters, not the parameters, which optimizer and DDP know by identity.
            weight.data, self.averages[name] = self.averages[name], weight.data


def average_of(run: Run) -> Average | None:
    """The average among the run's callbacks, or None where it keeps none."""
    return next((callback for callback in run.callbacks if isinstance(callback, Average)), None)


@contextmanager
def averaged(run: Run) -> Iterator[None]:
    """The model has the averaged weights while inside, if the run keeps an average; else its own."""
    average = average_of(run)
    if average is None:
        yield
        return
    with average.in_place():
        yield


def _averaged_tensors(run: Run) -> dict[str, Tensor]:
    """What the optimizer moves, now or later, and the statistics of BatchNorm, by name in the plain model."""
    model: nn.Module = plain_model(run.model, run.accelerator)
    learning = {parameter for group in run.optimizer.param_groups for parameter in group["params"]}
    found: dict[str, Tensor] = {name: weight for name, weight in model.named_parameters() if weight in learning}
    for path, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.running_mean is not None and module.running_var is not None:
            found |= {f"{path}.running_mean": module.running_mean, f"{path}.running_var": module.running_var}
    return found
