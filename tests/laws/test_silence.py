"""Law 9: nothing is silent. Bad input ends with one message that names place, fault and fix, and loses nothing."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import yaml

from hfft.cli import main
from hfft.testing import events
from tests.laws.runs import train
from tests.tiny import labelled_texts, write_csv


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    """Runs the command line in this process: exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def refused(capsys, *arguments: str) -> str:
    code, out, err = run(capsys, *arguments)
    assert code == 2, out + err
    assert "Traceback" not in err
    assert err.startswith("Error: ")
    return err


@pytest.fixture
def recipe_file(tiny, tmp_path):
    """Writes the tiny recipe, with changes, and gives its path."""

    def write(**changes) -> str:
        file = tmp_path / "recipe.yaml"
        file.write_text(yaml.safe_dump({**tiny("text-classification"), **changes}, sort_keys=False))
        return str(file)

    return write


OVERRIDES = {
    "optm.lr=1": ["optm is not a known key", "Did you mean 'optim'?"],
    "train.epochs=three": ["train.epochs is 'three'", "valid number"],
    "optim.lr=-1": ["optim.lr is -1", "greater than 0"],
    "optim.lr": ["'optim.lr' is not of the form section.key=value"],
    "optim.name=adamv": ["optim.name is 'adamv'", "Did you mean 'adam", "adagrad", "--trust"],
    "optim.name=os:system": ["optim.name is 'os:system'", "runs code from outside hfft", "--trust"],
    "optim.options={betaz: 1}": ["'adamw' cannot be made", "betaz", "betas"],
    "optim.options={lr: 1}": ["optim.options has 'lr'", "optim.lr itself"],
    "optim.warmup=500": ["optim.warmup is 500 steps", "the run has 24"],
    "task.name=text-clasification": ["task.name is 'text-clasification'", "Did you mean 'text-classification'?"],
    "task.txt=a": ["task.txt is not a known key", "Did you mean 'text'?"],
    "task.text=txet": ["task.text is 'txet'", "train split has no such column", "Did you mean 'text'?"],
    "task.labels=[good, bad]": ["has the label 'odd'", "'good', 'bad'", "row"],
    "task.labels=[yes, no]": ["quote it: YAML reads the bare word as true or false"],
    "task.class_weights={god: 2}": ["task.class_weights names 'god'", "Did you mean 'good'?"],
    "data.files.train=trian.csv": ["data.files.train is 'trian.csv'", "there is no file", "Did you mean 'train.csv'?"],
    "data.files.eval=x/*.csv": ["data.files.eval is 'x/*.csv'", "There is no folder", "data.root"],
    "data.files.dev=a.csv": ["'files' has 'dev'", "'train', 'eval' or 'test'", "named by 'eval' or 'test'"],
    "data.eval=[eval, test, test]": ["'eval' names two splits that would both be 'eval-test'"],
    "task.text=[text, other]": ["task.text is 'other'", "train split has no such column", "It has: text, label"],
    "task.text=[text]": ["task.text", "at least 2 items"],
    "task.threshold=0.3": ["task.threshold is 0.3, but has no effect here", "the problem is 'single'"],
    "task.threshold=1.3": ["task.threshold", "1.3", "less than or equal to 1"],
    "task.loss=focl": ["task.loss is 'focl'", "'focal'"],
    "task.loss=huber": ["task.loss is 'huber'", "it takes cross_entropy, focal"],
    "task.problem=regression": ["in row 0 of the train split the column 'label' is", "which is no number"],
    "task.problem=multi": ["in row 0 of the train split the column 'label' is", "task.delimiter"],
    "task.windows={overlap: 62}": ["task.windows.overlap is 62", "a window has room for 30 tokens"],
    "train.seeds=[1, 1]": ["'seeds' is [1, 1]", "each once"],
    "data.train=tain": ["data.train is 'tain'", "there is train, eval, test"],
    "data.train=train[5:x]": ["data.train is 'train[5:x]'", "train[:8000]", "61 rows"],
    "data.train=train[:0]": ["The train split", "has no rows"],
    "data.holdout=0.5": ["'holdout' cuts an eval split, and 'eval' names one"],
    "model=/no/such/folder": ["there is no folder /no/such/folder"],
    "model=package://no_such/model": ["no installed package 'no_such'"],
    "model=no-such/model": ["Tried: the folder", "the Hub's cache", "which cannot be reached"],
    "tune.freeze.blocks=14": ["tune.freeze.blocks is 14", "this model has 3 blocks", "use 0 to 3"],
    "tune={freeze: {blocks: all}, adapter: {rank: 2}}": ["no adapter would learn"],
    "tune.adapter.targets=[qurey]": ["pattern 'qurey'", "matches no linear layer", "attention.self.query"],
    "train.keep_best=acuracy": ["train.keep_best is 'acuracy'", "Did you mean 'accuracy'?"],
    "train.early_stop=2": ["'early_stop' watches the metric of 'keep_best'"],
    "eval.metrics=[os:getcwd]": ["eval.metrics is 'os:getcwd'", "--trust"],
    "task.max_length=5000": ["task.max_length is 5000", "64 tokens at most"],
    "model.revision=v2": ["model.revision is 'v2'", "is a folder"],
    "track.to=[mlflow]": ["track.to 'mlflow' needs the package 'mlflow'", "pip install 'hfft[mlflow]'"],
    "train.eval_every=2.5": ["'eval_every' is 2.5", "whole steps"],
}


@pytest.mark.parametrize("change", OVERRIDES)
def test_a_wrong_setting_is_refused(recipe_file, tmp_path, capsys, change):
    output = tmp_path / "run"
    message = refused(capsys, "train", recipe_file(), change, "--output", str(output))
    for part in OVERRIDES[change]:
        assert part in message
    assert not output.exists() or not any(output.iterdir())


def test_a_misspelt_section_is_named_with_its_line(recipe_file, capsys):
    message = refused(capsys, "train", recipe_file(optm={"lr": 1}))
    assert "recipe.yaml, line " in message
    assert "Did you mean 'optim'?" in message
    assert ".." not in message


RECIPES = {
    "twice": (b"model: a\nmodel: b\n", "line 2: the key 'model' stands in line 1 already"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a text file"),
    "broken": (b"task: {name: x", "is not valid YAML"),
    "list": (b"- a\n", "holds list; a recipe is a mapping"),
    "empty": (b"", "holds nothing"),
}


@pytest.mark.parametrize("kind", RECIPES)
def test_a_file_that_is_no_recipe_is_refused(tmp_path, capsys, kind):
    content, expected = RECIPES[kind]
    (tmp_path / "recipe.yaml").write_bytes(content)
    assert expected in refused(capsys, "train", str(tmp_path / "recipe.yaml"))


def test_a_recipe_that_is_not_there_suggests_one_that_is(recipe_file, capsys):
    file = recipe_file()
    assert "Did you mean 'recipe.yaml'?" in refused(capsys, "train", file.replace("recipe.yaml", "recpie.yaml"))


DATA = {
    "latin.jsonl": (b'\n{"text": "ol\xe9"}\n', ["line 2", "0xe9 is not UTF-8", "iconv"]),
    "short.csv": (b"text,label\na,good\nb\n", ["line 3: 1 fields", "names 2 columns"]),
    "long.csv": (b"text,label\na,b,good\n", ["line 2: 3 fields", "double quotes"]),
    "quote.csv": (b'text,label\n"a,good\n', ["not valid csv"]),
    "empty.csv": (b"", ["is empty"]),
    "bare.csv": (b"text,label\n", ["The train split", "has no rows"]),
    "one.csv": (b"text,label\na,good\nb,good\n", ["labels ['good']", "at least two"]),
    "none.csv": (b"text,label\na,\nb,\n", ["at least two"]),
    "list.jsonl": (b'{"text": "a", "label": "good"}\n[1]\n', ["line 2", "is no object"]),
    "broken.jsonl": (b'{"text": "a"\n', ["line 1: not valid JSON"]),
    "number.jsonl": (b'{"text": 3, "label": "good"}\n{"text": 4, "label": "bad"}\n', ["row 0", "which is no text"]),
    "numbers.jsonl": (b'{"text": "a", "label": 0.5}\n{"text": "b", "label": 0.5}\n', ["have the same number"]),
    "halves.csv": (b"text,label\na,0.5\nb,high\nc,1.5\n", ["in row 1 it is 'high'", "task.problem=single"]),
    "mixed.jsonl": (b'{"text": "a", "label": 1}\n{"text": "b", "label": "x"}\n', ["'label' mixes kinds", "row 1"]),
    "broken.parquet": (b"PAR1 no", ["not a readable parquet file"]),
    "sheet.ods": (b"PK", ["of no known kind", ".csv"]),
}


@pytest.mark.parametrize("name", DATA)
def test_broken_data_is_refused(recipe_file, tmp_path, capsys, name):
    content, expected = DATA[name]
    (tmp_path / name).write_bytes(content)
    changes = ("data.files.eval=null", f"data.files={{train: {tmp_path / name}}}")
    message = refused(capsys, "train", recipe_file(), *changes, "--output", str(tmp_path / "run"))
    for part in expected:
        assert part in message


def test_a_column_that_mixes_kinds_stops_only_a_run_that_uses_it(recipe_file, tmp_path, capsys):
    rows = [{**row, "id": [row["text"], 1][number % 2]} for number, row in enumerate(labelled_texts(20, 1))]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    plan = ("plan", recipe_file(), f"data.files={{train: {file}, eval: {file}}}")
    code, out, err = run(capsys, *plan)
    assert code == 0, out + err
    assert "train: 20 of 20 rows (100.0%) are read without a column that nothing uses" in out
    for change in ("eval.slices=[id]", "task.label=id"):
        assert "the column 'id' mixes kinds of values: row 1 is int, rows before it str" in refused(
            capsys, *plan, change
        )


def test_a_folder_of_other_files_is_left_alone(recipe_file, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    message = refused(capsys, "train", recipe_file(), "--output", str(tmp_path / "run"))
    assert "holds other files (thesis.txt)" in message
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_is_refused_by_its_rights(recipe_file, tmp_path, capsys):
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(stat.S_IRUSR | stat.S_IXUSR)
    message = refused(capsys, "train", recipe_file(), "--output", str(tmp_path / "locked" / "run"))
    assert "cannot be written to" in message


def test_an_output_that_is_a_file_is_refused(recipe_file, tmp_path, capsys):
    (tmp_path / "run").write_text("mine")
    assert "cannot be written to" in refused(capsys, "train", recipe_file(), "--output", str(tmp_path / "run"))
    assert (tmp_path / "run").read_text() == "mine"


def test_a_run_of_another_recipe_keeps_all_its_files(tiny, recipe_file, tmp_path, capsys):
    output = tmp_path / "run"
    assert run(capsys, "train", recipe_file(), "train.epochs=1", "--output", str(output))[0] == 0
    before = {file: file.read_bytes() for file in output.rglob("*") if file.is_file()}
    message = refused(capsys, "train", recipe_file(), "train.epochs=1", "optim.lr=1", "--output", str(output))
    assert "optim.lr is 1.0, there 0.003" in message
    assert before == {file: file.read_bytes() for file in output.rglob("*") if file.is_file()}


def test_the_traceback_is_there_for_who_wants_it(recipe_file, monkeypatch):
    from hfft.errors import RecipeError

    monkeypatch.setenv("HFFT_TRACEBACK", "1")
    with pytest.raises(RecipeError):
        main(["train", recipe_file(), "optm.lr=1"])


def test_findings_in_the_data_are_counted_printed_and_kept(tiny, recipe_file, tmp_path, capsys):
    rows = [row for row in labelled_texts(40, 3) if row["label"] != "odd"]
    long = {"text": "w1 " * 60, "label": "good"}
    odd = {"text": "w9 odd", "label": "odd"}
    contrary = {**rows[0], "label": "bad" if rows[0]["label"] == "good" else "good"}
    extra = [rows[0], contrary, {"text": " ", "label": "good"}, {"text": "w2", "label": ""}, long, odd]
    write_csv(tmp_path / "train.csv", rows + extra)
    write_csv(tmp_path / "eval.csv", [rows[1], {"text": "new", "label": "good"}])
    changes = ("train.epochs=1", f"data={{root: {tmp_path}, files: {{train: train.csv, eval: eval.csv}}}}")
    code, out, _ = run(capsys, "train", recipe_file(), *changes, "--output", str(tmp_path / "run"))
    assert code == 0
    kinds = {row["kind"]: row["count"] for row in json.loads((tmp_path / "run" / "data.json").read_text())["findings"]}
    assert kinds["duplicate"] == 2
    assert kinds["contradiction"] == 1
    assert kinds["empty"] == 1
    assert kinds["unlabelled"] == 1
    assert kinds["shared"] == 1
    assert kinds["cut"] == 1
    assert {"rare-label", "no-example"} <= set(kinds)
    kept = json.loads((tmp_path / "run" / "results.json").read_text())["warnings"]
    assert f"{len(kept)} warning(s):" in out
    assert all(warning in out for warning in kept)


POISON = "tests.laws.poison:Poisoned"


def test_a_step_that_is_not_finite_is_skipped_and_said(tiny, tmp_path):
    recipe = {**tiny("text-classification"), "task": {"name": POISON, "steps": [3, 4], "max_length": 32}}
    train(recipe, tmp_path / "run", trust=True)
    skipped, trained = events(tmp_path / "run", "skip"), events(tmp_path / "run", "train")
    assert [row["step"] for row in skipped] == [3, 4]
    assert all("loss" not in row for row in skipped)
    assert [row["step"] for row in trained] == [step for step in range(1, 25) if step not in (3, 4)]
    assert json.loads((tmp_path / "run" / "results.json").read_text())["eval"]["accuracy"]["value"] > 0.3


def test_many_such_steps_in_a_row_end_the_run_with_the_last_good_weights(tiny, tmp_path):
    from safetensors.torch import load_file

    from hfft.errors import TrainingError

    task = {"name": POISON, "steps": list(range(5, 25)), "max_length": 32}
    kept = ["train.checkpoint_every=4", "train.keep_checkpoints=9"]
    with pytest.raises(
        TrainingError, match=r"not finite in 10 steps in a row, steps 5 to 14,.*last checkpoint is .*step-0000001"
    ):
        train({**tiny("text-classification"), "task": task}, tmp_path / "run", *kept, trust=True)
    places = sorted((tmp_path / "run" / "checkpoints").iterdir())
    good, last = (load_file(str(place / "model.safetensors")) for place in (places[0], places[-1]))
    assert places[0].name == "step-00000004"
    assert all((good[name] == last[name]).all() for name in good)
    assert not Path(tmp_path / "run" / "results.json").exists()
