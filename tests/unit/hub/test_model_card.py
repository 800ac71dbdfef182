"""The cards: their code gives the answers of the run, their metadata are valid, their text says what is not known."""

from __future__ import annotations

import csv
import json
import re
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import transformers
import yaml
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file

import hfft
from hfft.errors import ModelError
from hfft.hub.metadata import metadata
from hfft.hub.portable import without_any_path
from hfft.io.run_folder import RunFolder
from hfft.training.callbacks.checkpoint import newest_whole

LILY = "tune.adapter={name: lily, r: 4}"  # which PEFT cannot merge


def trained(recipe: dict[str, Any], run: Path, *overrides: str) -> Path:
    hfft.train(hfft.Recipe.from_dict(recipe, *overrides), output=run, quiet=True)
    return run


def said(run: Path, base: str, **instead: str) -> dict[str, Any]:
    """Runs the code of an adapter's card, some texts in it replaced, and returns what it names."""
    code = re.findall(r"```python\n(.*?)```", card(run, "adapter"), re.DOTALL)[0]
    places = {"path/to/base": base, "path/to/adapter": str(run / "adapter")}
    for old, new in {**places, **instead}.items():
        assert old in code
        code = code.replace(old, new)
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def card(run: Path, part: str) -> str:
    return (run / part / "README.md").read_text("utf-8")


def first_row(recipe: dict[str, Any]) -> dict[str, Any]:
    file = Path(recipe["data"]["root"]) / recipe["data"]["files"]["test"]
    if file.suffix == ".parquet":
        return pyarrow.parquet.read_table(file).slice(0, 1).to_pylist()[0]
    lines = file.read_text("utf-8").splitlines()
    return json.loads(lines[0]) if file.suffix == ".jsonl" else next(csv.DictReader(lines))


def first_answer(run: Path) -> dict[str, Any]:
    return json.loads((run / "predictions" / "test.jsonl").read_text("utf-8").splitlines()[0])


def answer_without_model(run: Path, given: Any) -> Any:
    """What a run answers by its adapter, on the base that its recipe names: the score, or the text of one that writes.

    Its model/ is gone afterwards.
    """
    if (run / "model").exists():
        (run / "model").rename(run / "merged")
    (row,) = hfft.predict(run, [given])
    return row.get("score", row["answer"])


@pytest.mark.parametrize(("task", "adapter"), [("text-classification", LILY), ("decoder", "tune.adapter=lora")])
def test_the_code_of_an_adapter_gives_the_answers_of_the_run(tiny, tmp_path, task, adapter):
    recipe = tiny(task)
    run = trained(recipe, tmp_path / "run", adapter, "optim.lr=1e-2")
    names = said(run, recipe["model"], **{"...": first_row(recipe)["text"]})
    answer, logits = first_answer(run), names["logits"][0]
    assert names["labels"][int(logits.argmax())] == answer["answer"]
    assert float(logits.softmax(-1).max()) == pytest.approx(answer["score"], abs=1e-5)
    config = names["base"].config
    assert config.label2id == {name: number for number, name in enumerate(names["labels"])}
    assert config.pad_token_id == names["processor"].pad_token_id is not None
    assert "\nlibrary_name: peft\n" in card(run, "adapter")
    assert (run / "model").exists() == (adapter != LILY)
    with pytest.raises(ModelError, match="is an adapter: a change to a model, and no"):
        hfft.predict(str(run / "adapter"), ["a text"])
    text = first_row(recipe)["text"]
    assert answer_without_model(run, text) == pytest.approx(answer["score"], abs=1e-5)
    other = shutil.copytree(recipe["model"], tmp_path / "other")
    weights = {name: value + 1 for name, value in load_file(other / "model.safetensors").items()}
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"is another one: its model.safetensors is not what the run began with"):
        hfft.predict(run, text, overrides=[f"model.name={other}"])


def test_the_code_of_an_adapter_of_a_model_that_writes_gives_the_text_of_the_run(tiny, tmp_path):
    recipe = tiny("translation")
    run = trained(recipe, tmp_path / "run", "tune.adapter=ia3", "optim.lr=1e-2", "train.epochs=1")
    row, task = first_row(recipe), recipe["task"]
    names = said(run, recipe["model"], **{"...": row[task["source"]]})
    told = names["tokenizer"].decode(names["tokens"][0], skip_special_tokens=True)
    assert told.strip() == first_answer(run)["answer"]
    assert "\nlibrary_name: transformers\n" in card(run, "model")
    assert "PeftModel" not in card(run, "model")
    assert "strategy adapter ia3, " in card(run, "model")
    assert answer_without_model(run, row[task["source"]]) == first_answer(run)["answer"]


def test_the_code_of_an_adapter_on_a_model_made_for_other_images_gives_the_answers_of_the_run(tiny, tmp_path):
    recipe = tiny("resized")
    run = trained(recipe, tmp_path / "run", LILY, "train.epochs=1")
    (tmp_path / "photo.png").write_bytes(first_row(recipe)["image"]["bytes"])
    names = said(run, recipe["model"], **{"photo.jpg": str(tmp_path / "photo.png")})
    answer, logits = first_answer(run), names["logits"][0]
    assert names["labels"][int(logits.argmax())] == answer["answer"]
    assert float(logits.softmax(-1).max()) == pytest.approx(answer["score"], abs=1e-5)
    assert "strategy adapter lily, " in card(run, "adapter")
    told = pytest.approx(answer["score"], abs=1e-5)
    assert answer_without_model(run, tmp_path / "photo.png") == told


def test_the_metadata_are_those_that_the_hub_reads(tiny, tmp_path):
    publish = "publish={license: apache-2.0, language: [en, de]}"
    run = trained(tiny("text-classification"), tmp_path / "run", publish, "train.keep_best=f1", "train.epochs=1")
    made: Any = ModelCard.load(run / "model" / "README.md")
    assert str(made) == card(run, "model")  # it comes out of the client's own reading as it went in
    results = json.loads((run / "results.json").read_text("utf-8"))
    told = {(row.dataset_split, row.metric_name): row.metric_value for row in made.data.eval_results}
    assert all(entry["selected"] for entry in results["eval"].values())
    assert told == {("test", name): entry["value"] for name, entry in results["test"].items()}
    kinds = {row.metric_name: (row.metric_type, row.metric_args) for row in made.data.eval_results}
    assert kinds["mcc"] == ("matthews_correlation", None)
    assert kinds["f1"] == ("f1", {"average": "macro"})
    assert kinds["f1_weighted"] == ("f1", {"average": "weighted"})
    data = made.data.to_dict()
    assert (data["license"], data["language"]) == ("apache-2.0", ["en", "de"])
    assert (data["pipeline_tag"], data["library_name"], data["tags"]) == (
        "text-classification",
        "transformers",
        ["hfft"],
    )
    assert "base_model" not in data  # a local folder is none


def test_a_warning_of_a_damaged_checkpoint_names_no_path(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.checkpoint(4).mkdir(parents=True)
    found, warnings = newest_whole(folder)
    assert found is None
    assert warnings[0].startswith(
        "The checkpoint step-00000004 is damaged and passed over: manifest.json cannot be read"
    )
    told = without_any_path([*warnings, "see https://a.org/b/c, 3 rows/s and and/or", r"C:\runs\x and ~/runs/y"])
    assert not any(str(tmp_path) in text for text in told)
    assert told[1:] == ["see https://a.org/b/c, 3 rows/s and and/or", "x and y"]


def test_the_card_says_how_it_was_made_and_what_it_does_not_know(tiny, tmp_path):
    given = tiny("text-classification")
    files = {split: file for split, file in given["data"]["files"].items() if split != "test"}
    recipe = {**given, "data": {**given["data"], "files": files}}
    run = trained(recipe, tmp_path / "run", "train.keep_best=f1", "train.epochs=1")
    text = card(run, "model")
    settings = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    made: Any = ModelCard.load(run / "model" / "README.md")
    names = {row.metric_name for row in made.data.eval_results}  # there are none but those of the split that chose
    assert "accuracy (selected: weights or thresholds were chosen by this split)" in names
    assert all("(selected" in name for name in names)
    assert settings["train"] == {"epochs": 1.0, "batch_size": 8, "keep_best": "f1", "log_every": 4}
    assert settings["data"] == {"files": {"train": "train.csv", "eval": "eval.csv"}}
    assert settings["model"] == {"name": "./model"}
    assert {"tune", "eval", "track", "publish"}.isdisjoint(settings)
    assert str(tmp_path.parent.parent) not in text
    for part in (
        "Intervals of 95% confidence: Wilson's for shares of examples",
        "`f1`, `precision` and `recall` without an ending are means over the labels (macro)",
        "Its weights were chosen on the only data it was scored on, so it does worse on other data.",
        "The labels with the lowest F1 on eval: ",
        "No licence is given",
        "- train: 61 rows",
        f"transformers {transformers.__version__}",
        "python -m hfft.run hf://path/to/model",
    ):
        assert part in text


def test_a_model_of_the_hub_and_its_data_are_named_and_codes_of_languages_are_understood(tiny, tmp_path):
    run = trained(tiny("translation"), tmp_path / "run", "train.epochs=1", "optim.lr=1e-2")
    data = ModelCard.load(run / "model" / "README.md").data.to_dict()
    assert data["language"] == ["eng", "deu"]
    resolved: Any = Namespace(
        recipe=hfft.Recipe.from_dict(
            {"task": {"name": "translation"}, "data": {"hub": "wmt/wmt16", "config": "de-en", "test": "test[:9]"}}
            | {"model": "google-t5/t5-small"}
        ),
        base="google-t5/t5-small",
    )
    results: dict[str, Any] = {"test": {"bleu": {"value": 30.0, "low": 29.0, "high": 31.0}}, "test_examples": 9}
    relations: dict[Any, str] = {"transformers": "finetune", "peft": "adapter"}
    for library, relation in relations.items():
        told = metadata(resolved, results, library).to_dict()
        assert (told["base_model"], told["base_model_relation"]) == (["google-t5/t5-small"], relation)
        assert told["datasets"] == ["wmt/wmt16"]
        assert told["model-index"][0]["results"][0]["dataset"] == {
            "name": "wmt/wmt16",
            "type": "wmt/wmt16",
            "config": "de-en",
            "split": "test",
        }
