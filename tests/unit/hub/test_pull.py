"""hfft pull, and recipes from hf://: a published run is a run again, and repeating it gives the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import hfft
from hfft.hub.portable import portable
from tests.unit.hub.conftest import LILY
from tests.unit.hub.server import Fault

ARGUMENTS = ("text-classification", "train.keep_best=accuracy", "train.epochs=1", "optim.lr=1e-2")


@pytest.fixture
def run(trained) -> Path:
    return trained(*ARGUMENTS)


def scores(folder: Path) -> dict[str, object]:
    results = json.loads((folder / "results.json").read_text("utf-8"))
    return {split: results[split] for split in ("eval", "test")}


def test_a_pulled_run_answers_as_the_run_does(cli, server, run, tmp_path):
    assert cli.ask("push", run, "me/model").code == 0
    pulled = tmp_path / "pulled"
    said = cli.ask("pull", "me/model", "--output", pulled)
    assert (said.code, said.out, said.err) == (0, f"Run folder: {pulled}\n", "")
    names = ["environment.json", "metrics.jsonl", "model", "parameters.json", "recipe.yaml", "results.json"]
    assert sorted(path.name for path in pulled.iterdir()) == names
    assert {path.name for path in (pulled / "model").iterdir()} == {path.name for path in (run / "model").iterdir()}
    recipe = hfft.Recipe.load(run / "recipe.yaml")
    assert recipe.data.files is not None
    test = str(Path(recipe.data.root, str(recipe.data.files["test"])))
    answers = [cli.ask("predict", place, test, "--json") for place in (run, pulled)]
    assert answers[0].out == answers[1].out
    evaluations = [cli.ask("evaluate", place, "--data", test, "--json").out for place in (run, pulled)]
    assert evaluations[0] == evaluations[1]
    assert json.loads(evaluations[0])["scores"]["accuracy"] == scores(run)["test"]["accuracy"]  # type: ignore[index]
    again = cli.ask("pull", "me/model", "--output", pulled)
    assert (again.code, again.err) == (2, f"Error: {pulled} is there already. Choose another folder with --output.\n")
    assert cli.ask("push", pulled, "me/again", "--revision", "dev").code == 0  # and on it goes
    there, again = server.files("me/model"), server.files("me/again", "dev")
    assert {name for name in there if again[name] != there[name]} == {"README.md", "hfft/files.json"}
    assert "me/model" not in again["README.md"].decode()
    assert cli.ask("push", pulled, "me/model").out.startswith("Nothing has changed")
    assert (pulled / "model" / "README.md").read_bytes() == (run / "model" / "README.md").read_bytes()


def test_a_pulled_adapter_answers_where_its_base_is_at_hand(cli, server, trained, tmp_path):
    run = trained("text-classification", LILY, "optim.lr=1e-2", "train.epochs=1")
    recipe = hfft.Recipe.load(run / "recipe.yaml")
    assert recipe.data.files is not None
    test = str(Path(recipe.data.root, str(recipe.data.files["test"])))
    assert cli.ask("push", run, "me/adapter", "--revision", "dev").code == 0
    assert cli.ask("pull", "me/adapter@dev", "--output", tmp_path / "pulled").code == 0
    assert {p.name for p in (tmp_path / "pulled" / "adapter").iterdir()} == {
        p.name for p in (run / "adapter").iterdir()
    }
    asked = cli.ask("predict", tmp_path / "pulled", "a text")
    assert (asked.code, asked.out) == (2, "")
    assert "has an adapter and no model/, so it needs its base, './model', which is not at hand" in asked.err
    base = f"model.name={recipe.model.name}"
    answers = cli.ask("predict", tmp_path / "pulled", test, "--json", "--set", base)
    assert answers.code == 0, answers.err
    told = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text("utf-8").splitlines()]
    assert [json.loads(line)["answer"] for line in answers.out.splitlines()] == [row["answer"] for row in told]
    assert cli.ask("push", run, "me/alone").code == 0
    told = "model is 'me/alone', which is an adapter on the Hub: a change to a model, here to 'model', and no model."
    assert told in cli.ask("predict", "me/alone", "a text").err


def test_a_published_recipe_repeats_the_run(cli, server, run, tmp_path):
    assert cli.ask("push", run, "me/model").code == 0
    own = hfft.Recipe.load(run / "recipe.yaml")
    said = cli.run("import hfft; print(hfft.Recipe.load('hf://me/model').flat())")
    assert said.out.strip() == str(portable(own).flat())
    where = (f"data.root={own.data.root}", f"model={own.model.name}")
    lost = cli.ask("plan", "hf://me/model", where[1])
    assert lost.code == 2
    assert "data.files.train is 'train.csv', but there is no file " in lost.err
    assert "data.root says where the files lie." in lost.err
    lost = cli.ask("plan", "hf://me/model", where[0])
    assert lost.code == 2
    assert "model is './model', but there is no folder" in lost.err
    done = cli.ask("train", "hf://me/model", *where, "--output", tmp_path / "again")
    assert (done.code, done.err) == (0, "")
    assert scores(tmp_path / "again") == scores(run)
    weights = [(folder / "model" / "model.safetensors").read_bytes() for folder in (run, tmp_path / "again")]
    assert weights[0] == weights[1]


def test_a_recipe_from_the_hub_is_trusted_no_more_than_another(cli, server, run):
    recipe = yaml.safe_load((run / "recipe.yaml").read_text("utf-8"))
    recipe["task"]["name"] = "os:system"
    server.put("you/evil", {"hfft/recipe.yaml": yaml.safe_dump(recipe).encode()})
    said = cli.ask("plan", "hf://you/evil")
    assert said.code == 2
    assert "trust" in said.err


def test_what_hfft_has_not_published_is_not_pulled(cli, server, tmp_path):
    server.put("you/plain", {"config.json": b"{}"})
    server.put("you/broken", {"hfft/recipe.yaml": b"name: x", "hfft/files.json": b"{"})
    server.put("you/odd", {"hfft/recipe.yaml": b"", "hfft/files.json": b'{"kind": "model", "files": ["../../x"]}'})
    server.put("you/pickle", {"hfft/recipe.yaml": b"", "hfft/files.json": b'{"kind": "model", "files": ["m.bin"]}'})
    needed = ["hfft/recipe.yaml", "hfft/files.json", "hfft/results.json"]
    for name, files in (
        ("lost", [*needed, "m.json"]),
        ("bare", ["m.json"]),
        ("early", needed[:2]),
        ("page", [*needed, "hfft/report.html"]),
        ("checkpoint", [*needed, "hfft/checkpoints/step-00000009/state.json"]),
        ("inner", [*needed, "HFFT/model/x.json"]),
    ):
        listed = json.dumps({"kind": "model", "files": files}).encode()
        server.put(f"you/{name}", {**dict.fromkeys(files, b""), "hfft/recipe.yaml": b"", "hfft/files.json": listed})
    for repo, told in (
        ("you/plain", "was not published by hfft: it has no hfft/recipe.yaml. `hfft predict you/plain ...` works with"),
        ("you/broken", "hfft/files.json of you/broken is damaged"),
        ("you/odd", "names what hfft does not publish: ../../x"),
        ("you/pickle", "names what hfft does not publish: m.bin"),
        ("you/bare", "hfft/files.json of you/bare is damaged: it does not name hfft/recipe.yaml, hfft/files.json."),
        ("you/early", "you/early has no hfft/results.json: its weights are of a run that is not finished."),
        ("you/page", "names what hfft does not publish: hfft/report.html"),
        ("you/checkpoint", "names what hfft does not publish: hfft/checkpoints/step-00000009/state.json"),
        ("you/inner", "names what hfft does not publish: HFFT/model/x.json"),
        ("you/absent", "the Hub has no repository you/absent that you may read."),
        ("you/plain@nope", "you/plain has no branch, tag or commit 'nope'."),
        ("you/plain@", "ends with @ and names no revision"),
        ("plain", "'plain' names no repository of the Hub"),
    ):
        said = cli.ask("pull", repo, "--output", tmp_path / "pulled")
        assert (said.code, said.out) == (2, ""), repo
        assert told in said.err
        assert said.err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
    del server.repositories["you/lost"].branches["main"][-1].files["m.json"]
    said = cli.ask("pull", "you/lost", "--output", tmp_path / "pulled")
    assert "lacks files that hfft/files.json names: m.json" in said.err
    assert list(tmp_path.iterdir()) == []
    for command in (("plan", "hf://you/plain"), ("train", "hf://you/plain")):
        assert "was not published by hfft" in cli.ask(*command).err


def test_a_folder_that_cannot_be_made_is_said(cli, server, run, tmp_path):
    assert cli.ask("push", run, "me/model").code == 0
    (tmp_path / "file").write_text("x")
    said = cli.ask("pull", "me/model", "--output", tmp_path / "file" / "run")
    assert (said.code, said.out) == (2, "")
    assert "cannot be written" in said.err


def test_a_run_is_no_model_by_its_address_but_by_its_name(cli):
    said = cli.ask("predict", "hf://me/model@dev", "a text")
    assert (said.code, said.out) == (2, "")
    assert "for a model of the Hub write me/model, without hf:// and @ (a recipe has model.revision)" in said.err
    assert "hfft pull me/model@dev, and give its folder" in said.err


@pytest.mark.parametrize(
    "fault",
    [Fault("GET .*/resolve/.*safetensors", 500), Fault("GET .*/resolve/.*safetensors"), Fault("GET .*/tree/", 500)],
    ids=["500", "cut", "tree"],
)
def test_a_fault_on_the_way_leaves_no_half_folder(cli, server, run, tmp_path, fault):
    assert cli.ask("push", run, "me/model").code == 0
    server.faults = [fault]
    said = cli.ask("pull", "me/model", "--output", tmp_path / "pulled")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Error: Fetching me/model: ")
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    server.faults = []
    assert cli.ask("pull", "me/model", "--output", tmp_path / "pulled").code == 0
