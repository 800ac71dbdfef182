"""Law 9 for numbers: what is NaN or infinite is no answer, no score and no weight that is kept, and it is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from hfft.io.run_folder import read_json
from hfft.tasks import text_classification
from hfft.tasks.image_classification import task as image_classification
from hfft.tasks.task import IGNORED
from hfft.testing import events, predictions, tensors
from tests.laws.runs import LAWFUL, assembled, train

WHY = "the model's numbers are not finite (NaN or infinity)"


class Torn(text_classification.TextClassification):
    """Says nothing of the first row of each batch that is scored."""

    def logits(self, model: Any, batch: Any) -> Any:
        found = super().logits(model, batch)
        if not model.training:
            found[0] = torch.inf
        return found


class Overflowing(image_classification.ImageClassification):
    """Sees what is infinite in the second step."""

    def __init__(self, options: Any):
        super().__init__(options)
        self.calls = 0

    def loss(self, model: Any, batch: Any) -> Any:
        self.calls += 1
        bright = torch.inf if self.calls == 2 else 1.0
        return super().loss(model, {**batch, "pixel_values": batch["pixel_values"] * bright})


@pytest.mark.parametrize(
    ("task", "given"),
    [
        *((task, []) for task in [*LAWFUL, "several-labels", "numbers"]),
        ("translation", ["task.generation.do_sample=true"]),
    ],
)
def test_answers_that_are_no_finite_numbers_are_none_and_not_scored(tiny, task, given):
    made = assembled(tiny(task), *given)
    evaluator, run = made.evaluators["eval"], made.run
    with torch.no_grad():
        for parameter in run.model.parameters():
            parameter.fill_(torch.nan)
    scored = evaluator(run.model, run.accelerator)
    rows = json.loads(json.dumps(scored.rows([None] * len(scored.ids)), allow_nan=False))
    assert [row["id"] for row in rows] == evaluator.examples.ids.tolist()
    assert {(row["answer"], row["error"]) for row in rows} == {(None, WHY)}
    assert (scored.scores, scored.answered) == ({}, 0)
    said = f"eval: {len(rows)} of {len(rows)} rows (100.0%) have no answer and are not scored: {WHY}"
    assert scored.warnings("eval") == [said]


def test_a_run_some_of_whose_rows_have_no_answer_ends_as_others_do_and_says_so_wherever_people_look(
    tiny, tmp_path, capsys
):
    recipe = {**tiny("text-classification"), "task": {"name": f"{__name__}:Torn", "max_length": 32}}
    output = tmp_path / "run"
    given = ["train.keep_best=accuracy", "eval.slices=[label]", "train.epochs=2"]
    train(recipe, output, *given, trust=True)
    results, rows = read_json(output / "results.json"), predictions(output, "test")
    without = [row for row in rows if row["answer"] is None]
    said = f"test: {len(without)} of {len(rows)} rows"
    assert {row["error"] for row in without} == {WHY}
    assert results["test_examples"] == len(rows) - len(without) > 0
    assert results["best_step"] == results["steps"]  # none of its evaluations was chosen
    assert all(row["unanswered"] for row in events(output, "eval"))
    assert f"warning: {said}" in capsys.readouterr().err
    assert any(said in text for text in results["warnings"])
    for page in (output / "report.html", output / "model" / "README.md"):
        assert said in page.read_text(encoding="utf-8")
    (output / "results.json").unlink()
    train(recipe, output, *given, trust=True)
    assert predictions(output, "test") == rows


def test_a_step_that_overflows_leaves_no_trace_in_running_statistics(tiny, tmp_path):
    recipe = tiny("conv")
    recipe = {**recipe, "task": {**recipe["task"], "name": f"{__name__}:Overflowing"}}
    kept = ["train.checkpoint_every=1", "train.keep_checkpoints=9", "train.ema=0.9"]
    train(recipe, tmp_path / "run", "train.epochs=null", "train.steps=3", "tune.batch_norm=train", *kept, trust=True)
    assert [row["step"] for row in events(tmp_path / "run", "skip")] == [2]
    places = [tmp_path / "run" / "checkpoints" / f"step-0000000{step}" for step in (1, 2, 3)]
    before, after, last = (tensors(place / "model.safetensors") for place in places)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any(not torch.equal(last[name], after[name]) for name in after if name.endswith("running_mean"))
    averages = tensors(places[-1] / "ema.safetensors")
    assert all(tensor.isfinite().all() for tensor in [*last.values(), *averages.values()])


@pytest.mark.parametrize("task", ["outside", "question-answering", "token-classification", "spans"])
def test_a_batch_without_a_label_weighs_nothing_and_has_a_finite_loss(tiny, task):
    run = assembled(tiny(task)).run
    batch = next(run.batches(0, 1)).micro_batches[0].batch
    empty = {**batch, "labels": torch.full_like(batch["labels"], IGNORED)}
    loss = run.task.loss(run.model, empty)
    loss.backward()
    assert (run.task.weight(empty), float(loss.detach())) == (0, 0)
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in run.model.parameters())
