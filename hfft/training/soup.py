"""A greedy soup: the mean of the weights of several evaluations of a run, each in it only where it does no harm."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from hfft.io.console import Console
from hfft.tasks.scores import Scored
from hfft.training.callbacks.cadence import Cadence
from hfft.training.callbacks.checkpoint import Checkpoint
from hfft.training.callbacks.evaluate import Evaluate
from hfft.training.loop import Run, plain_model
from hfft.training.weights import left_out_of, require_same


@dataclass(frozen=True)
class Soup:
    """What became of the weights that were kept.

    Attributes:
        steps: Those in the mean, in the order in which they came in: the best first.
        tried: Those that were tried, and so how many weights were kept.
        value: The mean's score of the watched metric, on the rows that were scored while training.
        best_alone: That of the best weights alone.
        scored: The answers with the mean, where it was the last to be scored.
    """

    steps: list[int]
    tried: list[int]
    value: float
    best_alone: float
    scored: Scored | None

    def as_json(self) -> dict[str, Any]:
        """What results.json has of it."""
        return {"steps": self.steps, "tried": self.tried, "value": self.value, "best_alone": self.best_alone}

    @property
    def remarks(self) -> list[str]:
        """Why there is but one in it, where that is so."""
        if len(self.tried) == 1:
            return ["train.soup has no effect: a single evaluation was kept, and a mean takes two."]
        if len(self.steps) == 1:
            return [f"train.soup: the mean with any other scored worse; the weights are those of step {self.steps[0]}."]
        return []


def greedy_soup(run: Run, evaluate: Evaluate, checkpoint: Checkpoint, console: Console) -> Soup | None:
    """Puts a greedy soup of the kept weights into the model. All processes call it.

    Wortsman et al. 2022, algorithm 1: from the best on, each is added to the mean if that scores no worse. There the
    ingredients are several runs, here evaluations of one. The running statistics of BatchNorm, which their models have
    none of, are averaged like weights; counters are those of the best.

    Args:
        run: It has come to its end; its weights are replaced.
        evaluate: Scores as while training.
        checkpoint: Kept the weights.
        console: Gets a line for each that is tried.

    Returns:
        What became of them; None where no evaluation had a value, and the model is as it was.

    Raises:
        Interrupted: A signal came while scoring. The run's weights are then no longer its own.
    """
    kept, metric = run.progress.kept, evaluate.keep_best
    if not kept or metric is None:
        return None
    steps, value, scored = [kept[0][0]], kept[0][1], None
    for step, _ in kept[1:]:
        load_mean(run, [checkpoint.weights(number) for number in [*steps, step]])
        tell = evaluate.log.line.scoring("eval")
        tasted = evaluate.evaluator(run.model, run.accelerator, run.asked_to_stop, tell)
        found = tasted.scores.get(metric) if tasted.answered == len(tasted.ids) else None
        better = found is not None and evaluate.worth(found) >= evaluate.worth(value)
        shown = "no value" if found is None else f"{found:.4f} after {value:.4f}"
        console.say(f"soup  step {step} added to {', '.join(map(str, steps))}: {metric} {shown}{_fate(better)}")
        scored = tasted if better else None
        if found is not None and better:
            steps, value = [*steps, step], found
    if scored is None:
        load_mean(run, [checkpoint.weights(number) for number in steps])
    return Soup(steps, [step for step, _ in kept], value, kept[0][1], scored)


def _fate(better: bool) -> str:
    return "" if better else "  (left out)"


def load_mean(run: Run, files: Sequence[Path]) -> None:
    """Puts the mean of the weights of several files of one model into the run's model, tensor by tensor.

    It is taken in float64, so that what is equal in all of them stays as it is to the bit: frozen weights, or those of
    a single file. Tensors that are no floating point numbers are those of the first file.
    """
    model = plain_model(run.model, run.accelerator)
    left_out = [left_out_of(file) for file in files]
    require_same(model, left_out[0], files[0])
    assert all(each == left_out[0] for each in left_out)  # what does not learn has not moved between them
    places: dict[str, Tensor] = model.state_dict()  # by all names of a tensor, of which a file has one
    with ExitStack() as stack:
        opened = [stack.enter_context(safe_open(file, "pt")) for file in files]
        for name in opened[0].keys():  # noqa: SIM118 (it is no dict)
            first = opened[0].get_tensor(name)
            if first.is_floating_point():
                total = first.double()
                for other in opened[1:]:
                    total += other.get_tensor(name)
                first = (total / len(opened)).to(first.dtype)
            places[name].copy_(first)


def soup_warnings(size: int, cadence: Cadence) -> list[str]:
    """Warns before training of a soup of more weights than the run will have evaluations.

    Args:
        size: How many weights are to be kept.
        cadence: When the run scores.
    """
    count = min(cadence.left(0), size)
    more = "A smaller train.eval_every gives more."
    if count == 1:
        return [f"train.soup has no effect: the run has one evaluation, and a mean takes two. {more}"]
    return [f"train.soup is {size}, but the run has only {count} evaluations. {more}"] if count < size else []
