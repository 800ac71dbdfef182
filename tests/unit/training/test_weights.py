"""Files of weights: whole but for what is as it was loaded, and that is looked at before it is taken for granted."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from hfft.errors import SetupError
from hfft.testing import tensors
from hfft.training.weights import digests, left_out_of, load_weights, save_weights


class Tied(nn.Module):
    """A table that is used twice, a part that learns, statistics, and a weight without numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.out.weight = self.words.weight
        self.head, self.norm, self.nothing = nn.Linear(3, 2), nn.BatchNorm1d(3), nn.Parameter(torch.zeros(0, 3))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Tied()


@pytest.mark.parametrize("frozen", [["words.weight"], ["words.weight", "head.bias", "nothing"], []])
def test_what_is_as_it_was_loaded_is_left_out_and_all_else_comes_back(model, tmp_path, frozen):
    other = Tied()
    other.load_state_dict(model.state_dict())
    as_loaded = digests(model, frozen)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name not in [*frozen, "out.weight"]:
                tensor.add_(1)
    save_weights(model, tmp_path / "weights", as_loaded)
    assert set(left_out_of(tmp_path / "weights")) == set(frozen)
    assert not set(tensors(tmp_path / "weights")) & set(frozen)
    load_weights(other, tmp_path / "weights", "cpu")
    assert other.out.weight is other.words.weight
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_a_frozen_weight_that_moves_all_the_same_is_saved(model, tmp_path):
    as_loaded = digests(model, ["words.weight", "head.bias"])
    model.words.weight.data[0, 0] += 1
    save_weights(model, tmp_path / "weights", as_loaded)
    assert set(left_out_of(tmp_path / "weights")) == {"head.bias"}
    assert torch.equal(tensors(tmp_path / "weights")["out.weight"], model.words.weight)


def test_another_model_than_the_one_it_was_saved_from_is_refused(model, tmp_path):
    save_weights(model, tmp_path / "weights", digests(model, ["words.weight", "head.bias"]))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        model.words.weight[4, 2] += 1e-6
        model.norm.weight += 1
    said = r"leaves out frozen weights, .* the model has others: words.weight. Give the model as it was"
    with pytest.raises(SetupError, match=said):
        load_weights(model, tmp_path / "weights", "cpu")
    assert not torch.equal(model.norm.weight, before["norm.weight"])  # nothing was put into it
    with torch.no_grad():
        model.words.weight[:] = before["words.weight"]
    load_weights(model, tmp_path / "weights", "cpu")
    assert torch.equal(model.norm.weight, before["norm.weight"])


@pytest.mark.parametrize(("change", "said"), [("more", "has ['more.bias'"), ("less", "lacks ['norm.")])
def test_a_file_of_another_model_is_refused(model, tmp_path, change, said):
    saved = Tied()
    if change == "more":
        saved.add_module("more", nn.Linear(1, 1))
    else:
        del saved.norm
    save_weights(saved, tmp_path / "weights", {})
    with pytest.raises(RuntimeError, match=re.escape(said)):
        load_weights(model, tmp_path / "weights", "cpu")
