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
from hfft.testing import events, predictions, tensors
from tests.laws.runs import assembled, finished, launch, train, trusted

STEPS = ["train.epochs=null", "train.steps=10", "train.log_every=1"]
POISON = "tests.laws.poison:Poisoned"
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


@pytest.mark.parametrize(("tune", "processes"), [(PROBE, 2), (UNFREEZE, 3)])
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


def test_a_step_that_is_called_off_at_the_end_of_a_phase_costs_no_other(tiny, tmp_path):
    poisoned = {**tiny("text-classification"), "task": {"name": POISON, "steps": [4], "max_length": 32}}
    overrides = [*STEPS, PROBE, "train.checkpoint_every=1", "train.keep_checkpoints=99"]
    train(poisoned, tmp_path / "run", *overrides, trust=True)
    assert [row["step"] for row in events(tmp_path / "run", "skip")] == [4]
    four, five = (tensors(tmp_path / "run" / "checkpoints" / f"step-{n:08d}" / "model.safetensors") for n in (4, 5))
    assert not any(torch.equal(four[name], five[name]) for name in four if "position_ids" not in name)


def test_the_rate_that_is_logged_is_one_that_applies(tiny, tmp_path):
    even = ["optim.lr=1e-3", "optim.schedule=constant", "optim.warmup=0", "tune.head_scale=0.1"]
    train(tiny("text-classification"), tmp_path / "run", *STEPS, *even, "tune.unfreeze={steps: 4, blocks: 9}")
    assert [row["lr"] for row in events(tmp_path / "run", "train")] == pytest.approx([1e-4] * 4 + [1e-3] * 6)


def test_patience_begins_when_all_learns(tiny, tmp_path):
    waiting = ["train.eval_every=1", "train.keep_best=accuracy", "train.early_stop=1", "optim.lr=1e-30"]
    train(tiny("text-classification"), tmp_path / "run", *STEPS, *waiting, "tune.probe={steps: 5, lr: 1e-30}")
    assert len(events(tmp_path / "run", "train")) == 6


def test_a_file_of_another_order_is_another_recipe(tiny, tmp_path):
    recipe = tiny("text-classification")
    rates = ["'*.LayerNorm.*': 0.5", "'*.bias': 2"]
    train(recipe, tmp_path / "run", *STEPS, f"tune.rates={{{', '.join(rates)}}}")
    with pytest.raises(SetupError, match=r"another recipe: tune\.rates is \["):
        train(recipe, tmp_path / "run", *STEPS, f"tune.rates={{{', '.join(reversed(rates))}}}")


@pytest.mark.parametrize(
    ("overrides", "warning"),
    [
        (["tune.freeze.blocks=100%"], "Only the head learns. tune.freeze.blocks: all says so"),
        (["tune.layer_decay=0.5", "tune.freeze_below=0.9"], "Only the head learns"),
        (["tune.freeze.blocks=all", "tune.layer_decay=0.5"], "but only the head learns: it has no effect"),
        (["tune.freeze.blocks=all", "tune.layer_decay={encoder: 0.5}"], "tune.layer_decay.encoder has no effect"),
    ],
)
def test_what_is_odd_is_said_in_the_plan(tiny, overrides, warning):
    found = hfft.plan(hfft.Recipe.from_dict(tiny("text-classification"), *overrides)).warnings
    assert any(warning in text for text in found), found


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
        ("text-classification", ["tune.layer_decay=0.9", "tune.min_scale=0.01"], "it has no effect. Leave it out"),
        ("text-classification", ["tune.freeze.patterns=[{train: '*.bias'}]"], "'train: .*bias', which changes nothing"),
        ("text-classification", ["tune.freeze.patterns=[{freeze: '*'}]"], "its head too: nothing would learn"),
        ("text-classification", ["tune.freeze.blocks=true"], "it is True: give a number of blocks"),
        ("text-classification", ["tune.freeze.patterns=[{freze: a}]"], "Did you mean 'freeze'"),
        ("text-classification", ["tune.probe.steps=4", "optim.warmup=5"], "5 steps, but tune.probe has 4"),
        (
            "text-classification",
            ["tune.probe.steps=7", "optim.warmup=4"],
            "4 steps, but the run after tune.probe has 3",
        ),
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
    sizes = [(block.stack, block.depth) for block in found.tuned.block_of.found]
    assert sizes == [("stem", 0), ("low", 1), *(("high", depth) for depth in range(1, len(sizes) - 2)), ("head", 0)]


def test_a_written_recipe_has_the_defaults_of_peft_and_repeats_the_run(tiny, tmp_path):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "run", *STEPS, "tune.adapter={name: loha, r: 4}")
    again = hfft.Recipe.load(tmp_path / "run" / "recipe.yaml")
    assert again.flat()["tune.adapter.alpha"] == 8  # LoHaConfig's own
    hfft.train(again, output=tmp_path / "again", quiet=True)
    for file in ("recipe.yaml", "metrics.jsonl", "model/model.safetensors"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "run" / file).read_bytes()


def test_an_adapter_that_cannot_be_merged_is_saved_by_itself_and_the_plan_says_so(tiny, tmp_path):
    recipe = tiny("text-classification")
    overrides = [*STEPS, "tune.adapter={name: lily}"]
    warnings = hfft.plan(hfft.Recipe.from_dict(recipe, *overrides)).warnings
    assert any("cannot be merged exactly" in warning for warning in warnings)
    train(recipe, tmp_path / "run", *overrides, trust=trusted(recipe))
    assert (tmp_path / "run" / "adapter" / "adapter_config.json").exists()
    assert not (tmp_path / "run" / "model").exists()
    scored = predictions(tmp_path / "run")
    answers = hfft.predict(tmp_path / "run", [row["input"] for row in scored])
    assert [row["answer"] for row in answers] == [row["answer"] for row in scored]
