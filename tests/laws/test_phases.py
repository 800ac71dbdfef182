"""What learns changes during a run: as told, at its own rates, alike in all processes; or it is refused beforehand."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
import torch.distributed

import hfft
from hfft.errors import HfftError, RecipeError, SetupError
from hfft.tasks import text_classification
from tests.laws.runs import assembled, events, finished, launch, predictions, train, trusted

STEPS = ["train.epochs=null", "train.steps=10", "train.log_every=1"]
UNFREEZE, PROBE = "tune.unfreeze={steps: 2, blocks: 2}", "tune.probe={steps: 4, lr: 1e-2}"


class Agreeing(text_classification.TextClassification):
    """Fails where the weights of two processes differ by a bit before a step."""

    def loss(self, model: Any, batch: Any) -> Any:
        if model.training and torch.distributed.is_initialized():
            own = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
            all_of_them = [torch.empty_like(own) for _ in range(torch.distributed.get_world_size())]
            torch.distributed.all_gather(all_of_them, own)
            assert all(torch.equal(own, other) for other in all_of_them)
        return super().loss(model, batch)


@pytest.mark.parametrize(("tune", "processes"), [(UNFREEZE, 2), (PROBE, 2), (UNFREEZE, 3)])
def test_the_weights_of_all_processes_stay_equal(tiny, tmp_path, tune, processes):
    overrides = [*STEPS, tune, f"task.name={__name__}:Agreeing"]
    recipe = tiny("text-classification")
    finished(launch(recipe, tmp_path / "run", *overrides, processes=processes, options=("--trust",)))
    assert len(events(tmp_path / "run", "train")) == 10


def test_each_phase_has_a_row_and_the_plan_tells_it(tiny, tmp_path):
    recipe = tiny("text-classification")
    plan = hfft.plan(hfft.Recipe.from_dict(recipe, *STEPS, UNFREEZE))
    train(recipe, tmp_path / "run", *STEPS, UNFREEZE)
    told = [phase["first_step"] for phase in plan.phases]
    assert [row["step"] + 1 for row in events(tmp_path / "run", "phase")] == told[1:]
    rows = json.loads((tmp_path / "run" / "parameters.json").read_text())
    assert sorted({row["from_step"] for row in rows}) == told
    counts = [phase["parameters"] for phase in plan.phases]
    assert counts == sorted(set(counts))
    assert counts[-1] == plan.trainable_parameters == plan.total_parameters
    assert plan.memory["activations"] == hfft.plan(hfft.Recipe.from_dict(recipe, *STEPS)).memory["activations"]


def test_a_probe_has_its_own_rates_and_then_everything_begins_anew(tiny, tmp_path):
    overrides = [*STEPS, PROBE, "optim.lr=1e-3", "optim.warmup=0.5", "tune.head_scale=2"]
    train(tiny("text-classification"), tmp_path / "run", *overrides)
    rates = [row["lr"] for row in events(tmp_path / "run", "train")]
    probe = [1e-2 * share for share in (1 / 2, 1, 2 / 3, 1 / 3)]  # two steps up, two down
    rest = [2e-3 * share for share in (1 / 3, 2 / 3, 1, 3 / 4, 1 / 2, 1 / 4)]  # the head's, which are the largest
    assert rates == pytest.approx([*probe, *rest])
    state = json.loads((tmp_path / "run" / "checkpoints" / "step-00000010" / "state.json").read_text())
    steps = {float(numbers["step"]) for numbers in state["optimizer"]["numbers"].values() if "step" in numbers}
    assert steps <= {6.0}


def test_memory_is_saved_by_what_does_not_learn(tiny):
    plan = hfft.plan(hfft.Recipe.from_dict(tiny("text-classification"), "tune.freeze.blocks=all"))
    still = plan.total_parameters - plan.trainable_parameters
    assert plan.memory_saved == 3 * 4 * still  # a gradient and AdamW's two moments, of four bytes each
    assert hfft.plan(hfft.Recipe.from_dict(tiny("text-classification"))).memory_saved == 0


@pytest.mark.parametrize(
    ("task", "overrides", "message"),
    [
        ("conv", ["tune.unfreeze.steps=9"], r"the last ones from step \d+ on, but the run has 10\. Train longer"),
        ("conv", ["tune.unfreeze.steps=1", "tune.freeze.blocks=all"], "tune.unfreeze has no effect: only one part"),
        ("conv", ["tune.probe.steps=10"], "alone for 10 steps, but the run has 10: no step would be left for the rest"),
        ("conv", ["tune.probe.steps=1", "tune.freeze.blocks=all"], "nothing else learns in this recipe. Leave it out"),
        ("conv", ["tune.freeze.patterns=[{freeze: '*'}]"], "nothing would learn"),
        ("conv", ["tune.l2_sp=1", "model.from_scratch=true"], "tune.l2_sp draws weights back to the checkpoint"),
        ("text-classification", ["tune.l2_sp=1", "tune.adapter.name=lora"], "stay there anyway: it has no effect"),
        ("text-classification", ["tune.adapter={name: lora, rnk: 2}"], "Did you mean 'rank'"),
        ("text-classification", ["tune.adapter={name: loha, rr: 2}"], r"tune\.adapter\.rr"),
        ("text-classification", ["tune.layer_decay={decoder: 0.9}"], "tune.layer_decay names 'decoder'"),
        ("text-classification", ["tune.layer_decay=0.9", "tune.freeze_below=0.01"], "nothing is frozen by it"),
        ("text-classification", ["tune.blocks={encoder: 'bert.layer.*'}"], r"tune\.blocks"),
        ("text-classification", ["tune.rates={'*.wieght': 2}"], "matches no parameter that learns"),
        ("streaming", ["tune.unfreeze.epochs=1"], "tune.unfreeze counts epochs, but with data.streaming"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(tiny, tmp_path, task, overrides, message):
    with pytest.raises(HfftError, match=message) as caught:
        train(tiny(task), tmp_path / "run", *STEPS, *overrides)
    assert isinstance(caught.value, RecipeError)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_blocks_may_be_named_by_patterns(tiny):
    found = assembled(
        tiny("text-classification"), "tune.blocks={low: 'bert.encoder.layer.0', high: 'bert.encoder.layer.[1-9]'}"
    )
    sizes = [(block.stack, block.depth) for block in found.tuned.found]
    assert sizes == [("stem", 0), ("low", 1), *(("high", depth) for depth in range(1, len(sizes) - 2)), ("head", 0)]


def test_an_adapter_that_cannot_be_merged_is_saved_by_itself_and_the_plan_says_so(tiny, tmp_path):
    recipe = tiny("text-classification")
    overrides = [*STEPS, "tune.adapter={name: lily}"]
    warnings = hfft.plan(hfft.Recipe.from_dict(recipe, *overrides)).warnings
    assert any("cannot be merged exactly" in warning for warning in warnings)
    train(recipe, tmp_path / "run", *overrides, trust=trusted(recipe))
    assert (tmp_path / "run" / "adapter" / "adapter_config.json").exists()
    assert not (tmp_path / "run" / "model").exists()
    assert predictions(tmp_path / "run")
    with pytest.raises(SetupError, match=r"cannot be merged exactly into the weights, so there is no model/"):
        hfft.predict(tmp_path / "run", ["a"])
