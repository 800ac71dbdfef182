"""Optimizers by name, and a step that is skipped without a trace."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from hfft.errors import RecipeError
from hfft.training.optim import FUSED, OPTIMIZERS, make_optimizer, step_if_finite

CPU = torch.device("cpu")
KINDS = [
    *((name, {}) for name in OPTIMIZERS),
    ("adamw", {"amsgrad": True}),
    ("adamw", {"fused": False}),
    ("sgd", {"momentum": 0}),
    ("sgd", {"fused": True}),
    ("sgd", {"dampening": 0.1, "nesterov": False}),
    ("rmsprop", {"momentum": 0.9, "centered": True}),
    ("torch.optim:NAdam", {}),
]
every_kind = pytest.mark.parametrize(("name", "options"), KINDS, ids=[f"{name}-{given}" for name, given in KINDS])


def groups(parameters=None):
    parameters = parameters or [nn.Parameter(torch.ones(2))]
    return [{"params": [one], "lr": 0.1 / n, "weight_decay": 0.01 * n} for n, one in enumerate(parameters, start=1)]


class Training:
    """Two parameters and an optimizer, with the same gradients in the same places of each training."""

    def __init__(self, name, options):
        draw = torch.Generator().manual_seed(0)
        self.parameters = [nn.Parameter(torch.randn(size, generator=draw)) for size in ((4, 3), (3,))]
        self.gradients = torch.Generator().manual_seed(1)
        made = make_optimizer(name, groups(self.parameters), CPU, options, trust=True)
        self.optimizer = Accelerator(cpu=True).prepare(made)

    def step(self) -> bool:
        for parameter in self.parameters:
            parameter.grad = torch.randn(parameter.shape, generator=self.gradients)
        return bool(step_if_finite(self.optimizer, torch.tensor(1.0)))

    def broken_step(self, value: float) -> bool:
        """A step as clipping leaves it: where the norm is not finite, no gradient is."""
        for parameter in self.parameters:
            parameter.grad = torch.full_like(parameter, torch.nan)
        return bool(step_if_finite(self.optimizer, torch.tensor(value)))

    def state(self) -> Iterator[Tensor]:
        yield from (parameter.detach() for parameter in self.parameters)
        for held in self.optimizer.state.values():
            yield from (value for value in held.values() if isinstance(value, Tensor))


def equal(one, other):
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@every_kind
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_step_that_is_called_off_changes_no_bit_of_weights_and_state(name, options, value):
    training = Training(name, options)
    assert training.step()
    assert training.step()
    before = copy.deepcopy(list(training.state()))
    assert not training.broken_step(value)
    assert equal(list(training.state()), before)
    assert training.step()
    assert not equal(list(training.state()), before)


@every_kind
def test_a_run_goes_on_as_if_the_step_had_never_been(name, options):
    broken, whole = Training(name, options), Training(name, options)
    for training in (broken, whole):
        training.step()
    broken.broken_step(float("nan"))
    for training in (broken, whole):
        training.step()
    assert equal(list(broken.state()), list(whole.state()))


@pytest.fixture
def _what_is_not_written_is_nan():
    torch.use_deterministic_algorithms(True)  # fills memory that torch hands out unwritten
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("_what_is_not_written_is_nan")
@every_kind
def test_the_very_first_step_can_be_called_off(name, options):
    broken, whole = Training(name, options), Training(name, options)
    assert not broken.broken_step(float("nan"))
    assert equal([p.detach() for p in broken.parameters], [p.detach() for p in whole.parameters])
    for training in (broken, whole):
        training.step()
    assert equal(list(broken.state()), list(whole.state()))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizers_of_the_table_are_torchs_with_the_rates_of_the_groups(name):
    made = make_optimizer(name, groups([nn.Parameter(torch.ones(2)) for _ in range(2)]), CPU, {}, trust=False)
    assert f"torch.optim:{type(made).__name__}" == OPTIMIZERS[name]
    assert [(group["lr"], group["weight_decay"]) for group in made.param_groups] == [(0.1, 0.01), (0.05, 0.02)]
    assert all(bool(group.get("fused")) == ("cpu" in FUSED.get(name, ())) for group in made.param_groups)


@pytest.mark.parametrize(
    ("name", "options", "setting", "value"),
    [
        ("sgd", {}, "momentum", 0.9),
        ("sgd", {"momentum": 0.5}, "momentum", 0.5),
        ("adamw", {"betas": [0.9, 0.95]}, "betas", (0.9, 0.95)),
        ("adamw", {"fused": False}, "fused", False),
        ("adamw", {"foreach": True}, "fused", None),
    ],
)
def test_options_reach_the_optimizer(name, options, setting, value):
    found = make_optimizer(name, groups(), CPU, options, trust=False).param_groups[0][setting]
    assert (tuple(found) if isinstance(value, tuple) else found) == value


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adamx", {}, r"optim.name is 'adamx', which is not known. Did you mean 'adam'\? Known: adamw, adam, sgd"),
        ("adamw", {"bets": 1}, r"'adamw' cannot be made with \{'bets': 1.*'bets'.* It takes .*betas, eps"),
        ("adamw", {"betas": [2, 2]}, "Invalid beta parameter at index 0: 2"),
        ("sgd", {"momentum": -1}, "Invalid momentum value: -1"),
        ("adamw", {"lr": 1}, r"optim.options has 'lr', which is set by optim.lr itself"),
        ("sgd", {"weight_decay": 1}, r"optim.options has 'weight_decay', which is set by optim.weight_decay itself"),
        ("torch.optim:Adamx", {}, r"torch.optim has no 'Adamx'. Did you mean 'Adamax'\?"),
    ],
)
def test_an_optimizer_that_cannot_be_made_is_explained(name, options, message):
    with pytest.raises(RecipeError, match=message):
        make_optimizer(name, groups(), CPU, options, trust=True)


def test_an_optimizer_of_ones_own_needs_trust():
    assert type(make_optimizer("torch.optim:NAdam", groups(), CPU, {}, trust=True)) is torch.optim.NAdam
    with pytest.raises(RecipeError, match=r"optim.name is 'torch.optim:NAdam'.*add --trust"):
        make_optimizer("torch.optim:NAdam", groups(), CPU, {}, trust=False)


@pytest.mark.parametrize(("name", "options"), [("math:pi", {}), ("adamw", {"fused": True, "foreach": True})])
def test_what_is_no_optimizer_and_what_does_not_go_together_is_explained(name, options):
    with pytest.raises(RecipeError, match=name):
        make_optimizer(name, groups(), CPU, options, trust=True)
