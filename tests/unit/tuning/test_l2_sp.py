"""L2-SP: its value and gradient by hand, what it holds, and that however a batch is cut it counts once a step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from hfft.errors import RecipeError
from hfft.testing import losses, tensors
from hfft.training.loop import Run, train_step
from hfft.tuning.l2_sp import Anchor, anchored_names
from tests.laws.runs import assembled, finished, launch, train

ALPHA = 0.5
PLAIN = ["model.dropout=0", "optim.name=sgd", "optim.lr=0.1", "optim.schedule=constant", "optim.warmup=0"]
PLAIN += ["optim.weight_decay=0", "optim.clip=null"]


@pytest.fixture
def model() -> nn.Sequential:
    made: Any = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        made[0].weight.copy_(torch.tensor([[1.0, -2.0]]))
        made[0].bias.fill_(0.5)
    return made


def test_value_and_gradient_are_those_of_the_formula(model):
    anchor = Anchor(model, ["0.weight", "0.bias"], ALPHA)
    assert anchor().item() == 0
    with torch.no_grad():
        model[0].weight.add_(torch.tensor([[1.0, 2.0]]))
        model[0].bias.sub_(3)
    penalty = anchor()
    assert penalty.item() == 3.5  # 0.5 / 2 x (1 + 4 + 9)
    penalty.backward()
    assert model[0].weight.grad.tolist() == [[0.5, 1]]
    assert model[0].bias.grad.tolist() == [-1.5]
    assert model[1].weight.grad is None
    assert anchor.bytes == 12


def test_what_does_not_learn_just_now_is_left_out(model):
    anchor = Anchor(model, ["0.weight", "0.bias"], ALPHA)
    with torch.no_grad():
        model[0].bias.add_(2)
        model[0].weight.add_(1)
    model[0].weight.requires_grad_(False)
    assert anchor().item() == 1
    model[0].requires_grad_(False)
    penalty = anchor()
    penalty.backward()  # of nothing: no error
    assert penalty.item() == 0
    model[0].requires_grad_(True)
    assert anchor().item() == 1.5


def test_new_and_frozen_weights_are_not_held(model):
    assert anchored_names(model, ["1.weight"]) == ["0.weight", "0.bias"]
    model[0].bias.requires_grad_(False)
    assert anchored_names(model, ["1.weight"]) == ["0.weight"]
    with pytest.raises(RecipeError, match=r"none of the 2 that learn come from it: leave tune.l2_sp out"):
        anchored_names(model, ["0.weight", "1.weight"])


def two_steps(recipe, alpha, *overrides) -> tuple[Run, list[dict[str, torch.Tensor]], list[float]]:
    """The weights before and after each of two steps, and the losses."""
    run = assembled(recipe, *PLAIN, *overrides).run
    held = [name for name, _ in run.model.named_parameters() if not name.startswith("classifier")]
    run.penalty = Anchor(run.model, held, alpha) if alpha else None
    seen, found = [], []
    batches = run.batches(0, 2)
    for _ in range(2):
        seen.append({name: weight.detach().clone() for name, weight in run.model.named_parameters()})
        found.append(train_step(run, next(batches)).loss.item())
    seen.append({name: weight.detach().clone() for name, weight in run.model.named_parameters()})
    return run, seen, found


@pytest.mark.parametrize("cutting", [[], ["train.micro_batch_size=3"], ["train.micro_batch_size=1"]])
def test_a_step_takes_the_penalty_once_however_its_batch_is_cut(tiny, cutting):
    _, plain, losses_of_plain = two_steps(tiny("text-classification"), 0, *cutting)
    _, held, found = two_steps(tiny("text-classification"), ALPHA, *cutting)
    assert found == losses_of_plain  # the task's alone; the first step starts where the weights start
    for name, weight in held[2].items():
        drawn = 0.1 * ALPHA * (plain[1][name] - plain[0][name])
        expected = plain[2][name] - (0 if name.startswith("classifier") else drawn)
        assert torch.allclose(weight, expected, atol=1e-6)
    drawn = max((held[2][name] - plain[2][name]).abs().max() for name in held[2])
    assert drawn > 1e-4


def test_processes_take_the_penalty_once_together(tiny, tmp_path):
    given = [*PLAIN, "train.epochs=1", "tune.l2_sp=5"]
    train(tiny("text-classification"), tmp_path / "one", *given)
    finished(launch(tiny("text-classification"), tmp_path / "two", *given, processes=2))
    train(tiny("text-classification"), tmp_path / "plain", *given[:-1])
    one, two, plain = (losses(tmp_path / name) for name in ("one", "two", "plain"))
    assert one == pytest.approx(two, abs=1e-5)
    assert one != pytest.approx(plain, abs=1e-3)
    one, two = (tensors(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)


def test_a_prepared_model_is_held_by_the_same_weights(model):
    anchor = Anchor(model, ["0.weight"], ALPHA)
    prepared = Accelerator(cpu=True).prepare(model)
    with torch.no_grad():
        next(prepared.parameters()).add_(1)
    assert anchor().item() == 0.5
