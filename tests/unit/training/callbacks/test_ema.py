"""The moving average of the weights: its values, what it holds, and how it changes places with the plain weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from hfft.training.callbacks.ema import Average, averaged
from hfft.training.loop import Run, StepReport


@pytest.fixture
def run() -> Run:
    """A run of two linear layers, the first of them frozen, with a BatchNorm between them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    accelerator = Accelerator(cpu=True)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    prepared, optimizer = accelerator.prepare(model, torch.optim.SGD(learning, lr=0.1))
    rest: Any = None  # what the average does not ask for
    return Run(rest, prepared, optimizer, rest, accelerator, rest, 9, 9, None, 0)


def step(run: Run, number: int) -> StepReport:
    run.model(torch.randn(8, 3)).square().sum().backward()
    run.optimizer.step()
    run.optimizer.zero_grad()
    zero = torch.zeros(())
    return StepReport(number, 0, zero, zero, torch.tensor(True), 0.1)


def tensors(run: Run) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in run.model.state_dict().items()}


def test_the_average_is_that_of_the_formula(run):
    average = Average(run, 0.3)
    expected = {name: tensor.double() for name, tensor in tensors(run).items()}
    for number, decay in enumerate((2 / 11, 3 / 12, 0.3, 0.3), start=1):  # warming up, up to 0.3
        average(run, step(run, number))
        for name, tensor in tensors(run).items():
            expected[name] = decay * expected[name] + (1 - decay) * tensor.double()
    found = average.averages
    assert set(found) == {f"{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")} | {
        "1.running_mean",
        "1.running_var",
    }
    for name, tensor in found.items():
        assert tensor.double().numpy() == pytest.approx(expected[name].numpy(), abs=1e-6)


def test_the_weights_change_places_and_come_back(run):
    average = Average(run, 0.9)
    run.callbacks = [average]
    average(run, step(run, 1))
    plain, mean = tensors(run), {name: tensor.clone() for name, tensor in average.averages.items()}
    known = [(id(parameter), parameter.data_ptr()) for parameter in run.model.parameters()]

    def fail() -> None:
        with averaged(run):
            now = tensors(run)
            assert all(torch.equal(now[name], mean.get(name, plain[name])) for name in now)
            assert not torch.equal(now["2.weight"], plain["2.weight"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [(id(parameter), parameter.data_ptr()) for parameter in run.model.parameters()] == known
    assert all(torch.equal(tensor, plain[name]) for name, tensor in tensors(run).items())
    assert all(torch.equal(tensor, mean[name]) for name, tensor in average.averages.items())


def test_a_run_without_an_average_keeps_its_weights(run):
    before = tensors(run)
    with averaged(run):
        assert all(torch.equal(tensor, before[name]) for name, tensor in tensors(run).items())


def test_it_is_read_as_it_was_written(run, tmp_path):
    average, other = Average(run, 0.9), Average(run, 0.9)
    average(run, step(run, 1))
    average.save(tmp_path / "ema.safetensors")
    other.load(tmp_path / "ema.safetensors")
    assert all(torch.equal(tensor, other.averages[name]) for name, tensor in average.averages.items())
    other.averages["more"] = torch.zeros(1)
    with pytest.raises(KeyError, match="more"):
        other.load(tmp_path / "ema.safetensors")
