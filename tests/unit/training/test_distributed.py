"""What is tried before training: whether the loss reaches every parameter, which DistributedDataParallel must know."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from transformers import AutoModelForSequenceClassification, XLNetConfig

from hfft.training.distributed import let_some_go_unreached
from tests.unit.tuning import architectures


class Plain:
    """A task whose loss is the model's own."""

    def loss(self, model: Any, batch: Any) -> Any:
        return model(**batch, labels=torch.tensor([0, 1])).loss


@pytest.mark.parametrize(("name", "expected"), [("bert", False), ("xlnet", True), ("layer drop", True)])
def test_parameters_that_no_loss_reaches_are_found_and_the_model_stays_as_it_was(name, expected):
    sizes: Any = {
        "vocab_size": 20,
        "d_model": 8,
        "n_layer": 2,
        "n_head": 2,
        "d_inner": 12,
        "num_labels": 3,
        "pad_token_id": 0,
    }
    if name == "xlnet":  # whose mask embedding is for pretraining
        model = AutoModelForSequenceClassification.from_config(XLNetConfig(**sizes))
    else:
        model = architectures.model("bert")
    if name == "layer drop":  # of M2M100 and kin, which is off where the loss is tried
        model.bert.encoder.layerdrop = 0.05  # type: ignore
    model.train()
    accelerator = Accelerator(cpu=True)
    let_some_go_unreached(Plain(), model, architectures.batch(), accelerator)  # type: ignore[arg-type]
    handler: Any = accelerator.ddp_handler
    assert (handler is not None and handler.find_unused_parameters) is expected
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
