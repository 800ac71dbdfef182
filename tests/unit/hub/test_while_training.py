"""publish: in a recipe: looked at before training, done at the end, or at each best evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load, load_file

import hfft
from tests.unit.hub.server import TOKEN, Fault

BEST = ("train.keep_best=roc_auc", "optim.lr=5e-3", "publish={to: me/best, when: best, license: mit, language: [en]}")


@pytest.fixture
def recipe(tiny, tmp_path):
    """Writes the tiny recipe with overrides to a file."""

    def give(*overrides: str, task: str = "text-classification") -> Path:
        hfft.Recipe.from_dict(tiny(task), "optim.lr=1e-2", *overrides).save(tmp_path / "recipe.yaml")
        return tmp_path / "recipe.yaml"

    return give


def test_what_cannot_be_published_is_not_trained(cli, server, recipe, tmp_path):
    server.put("me/foreign", {"config.json": b"{}"})
    lost = "model.name=/there/is/no/such/folder"  # it would be said, were the model opened first
    for overrides, settings, told in (
        (("publish.to=me/model",), {"HF_TOKEN": ""}, "needs a token of the Hub"),
        (("publish.to=them/model",), {"HF_TOKEN": TOKEN}, "no right to write to what belongs to them"),
        (("publish.to=me/foreign",), {}, "holds a model that hfft has not published"),
        (("publish={to: me/model, license: my-own}",), {}, "The Hub does not take publish.license or publish.language"),
    ):
        said = cli.ask("train", recipe(*overrides, lost), "--output", tmp_path / "run", settings=settings)
        assert said.code == 2
        assert told in said.err
        assert "no such folder" not in said.err
    assert set(server.repositories) == {"me/foreign"}


def test_a_run_is_published_at_its_end_and_a_failure_leaves_it_finished(cli, server, recipe, tmp_path):
    file, run = recipe("publish={to: me/model, private: true}", "train.epochs=1"), tmp_path / "run"
    server.faults = [Fault("POST .*/commit/", 500)]
    said = cli.ask("train", file, "--output", run)
    assert said.code == 2
    assert "Publishing to me/model: the Hub answered with error 500" in said.err
    again = f"`hfft push {run} me/model --private` publishes it."
    assert said.err.endswith(f"The run in {run} is finished all the same; {again}\n")
    assert (run / "results.json").is_file()
    assert set(server.files("me/model")) == {".gitattributes"}
    server.faults = []
    said = cli.ask("train", file, "--output", run)  # the same command repeats what is left to do
    assert (said.code, said.err) == (0, "")
    assert "is finished already" in said.out
    assert f"Published: {server.endpoint}/me/model" in said.out
    assert server.repositories["me/model"].private
    said = cli.ask("train", file, "publish.to=me/other", "--output", run)  # which may differ
    assert "Published: " in said.out
    assert "samples/s" not in said.out
    assert json.loads(server.files("me/other")["hfft/results.json"])["steps"] == 8
    published = server.files("me/other")["hfft/recipe.yaml"].decode()
    assert "me/model" not in published  # who repeats it publishes nothing


def test_a_model_of_other_rows_is_replaced_where_the_recipe_says_so_and_else_not_trained(cli, server, recipe, tmp_path):
    file = recipe("publish.to=me/nightly", "train.steps=2", "train.epochs=null")
    assert cli.ask("train", file, "--output", tmp_path / "monday").code == 0
    fewer = "data.train=train[:40]"
    rows = json.loads(server.files("me/nightly")["hfft/environment.json"])
    rows["data"]["train"] = "0" * 64  # the same recipe, and rows of another day
    server.put("me/nightly", {**server.files("me/nightly"), "hfft/environment.json": json.dumps(rows).encode()})
    said = cli.ask("train", file, "--output", tmp_path / "tuesday")
    assert said.code == 2
    assert "the rows of train differ. Take another name, or say publish.overwrite: true to replace it." in said.err
    assert not (tmp_path / "tuesday" / "metrics.jsonl").exists()
    said = cli.ask("train", file, fewer, "publish.overwrite=true", "--output", tmp_path / "tuesday")
    assert (said.code, "Published: " in said.out) == (0, True)


def test_each_best_evaluation_is_published_and_training_is_as_without(cli, server, recipe, tmp_path):
    run, plain = tmp_path / "run", tmp_path / "plain"
    server.faults = [Fault("POST .*/commit/", 500, times=1)]
    ema = "train.ema=0.9"
    said = cli.ask("train", recipe(*BEST, ema, "train.eval_every=4"), "--output", run)
    assert (said.code, said.err) == (0, "")
    results = json.loads((run / "results.json").read_text("utf-8"))
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    told = [row for row in rows if row["event"] == "publish"]
    values, best = [row["roc_auc"] for row in rows if row["event"] == "eval"], []
    for step, value in zip(range(4, 28, 4), values, strict=True):
        best += [step] if all(value > earlier for earlier in values[: step // 4 - 1]) else []
    assert [row["step"] for row in told] == best
    assert len(best) > 1
    assert "failed" in told[0]
    assert all("commit" in row for row in told[1:])
    assert f"Step {best[0]} was not published: Publishing to me/best: the Hub answered with error 500" in said.out
    assert any(text.startswith(f"Step {best[0]} was not published") for text in results["warnings"])
    titles = server.titles("me/best")[1:]
    middle = [f"recipe, step {step}, eval roc_auc {values[step // 4 - 1]:.4f}" for step in best[1:]]
    assert [title.replace("run, ", "recipe, ") for title in titles][:-1] == middle
    assert "hfft/results.json" in server.files("me/best")
    assert cli.ask("train", recipe(*BEST[:2], ema, "train.eval_every=4"), "--output", plain).code == 0
    weights = [load_file(place / "model" / "model.safetensors") for place in (run, plain)]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])
    final = load(server.files("me/best")["model.safetensors"])
    earlier = load(server.read(server.repositories["me/best"].branches["main"][-2].files["model.safetensors"]))
    assert all(earlier[name].equal(final[name]) for name in final)  # the last of them is what was kept, average and all


def test_weights_on_the_way_are_of_a_copy(cli, server, recipe, tmp_path):
    """Numbers are scaled into the head, and an adapter is merged, when they are saved: training goes on without."""
    runs = tmp_path / "run", tmp_path / "plain"
    for run, over in zip(runs, (("publish={to: me/numbers, when: best}",), ()), strict=True):
        file = recipe("tune.adapter=lora", "train.keep_best=r2", *over, "train.epochs=2", task="numbers")
        said = cli.ask("train", file, "--output", run)
        assert (said.code, said.err) == (0, "")
    weights = [load_file(place / "model" / "model.safetensors") for place in runs]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])
    assert "failed" not in (runs[0] / "metrics.jsonl").read_text("utf-8")
    assert len(server.titles("me/numbers")) >= 3


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("publish.private=true", "'private' has no effect without 'to'"),
        ("publish={revision: dev, when: best}", "'when', 'revision' have no effect without 'to'"),
        ("publish.to=model", "'model' is no repository: write USER/NAME"),
        ("publish={to: me/model, when: best}", "give train.keep_best and no train.seeds"),
        ("publish={to: me/model, adapter: true}", "publish.adapter has no effect without tune.adapter"),
        ("publish.license=Apache 2.0", "is no identifier of a licence"),
        ("publish.language=[en, english]", "'english' is no code of a language"),
        ("publish.language=no", "quote it"),
        ("publish.licence=mit", "Did you mean 'license'?"),
    ],
)
def test_settings_without_effect_are_refused(tiny, override, told):
    with pytest.raises(hfft.errors.RecipeError, match="publish") as error:
        hfft.Recipe.from_dict(tiny("text-classification"), override)
    assert told in str(error.value)
