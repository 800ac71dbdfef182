"""The cards of an adapter run: that of adapter/ holds code that gives the answers of the run, with PEFT alone."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

import hfft
from hfft.errors import ModelError

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


def test_the_code_of_an_adapter_of_a_model_that_writes_gives_the_text_of_the_run(tiny, tmp_path):
    recipe = tiny("translation")
    run = trained(recipe, tmp_path / "run", "tune.adapter=ia3", "optim.lr=1e-2", "train.epochs=1")
    row, task = first_row(recipe), recipe["task"]
    names = said(run, recipe["model"], **{"...": row[task["source"]]})
    told = names["tokenizer"].decode(names["tokens"][0], skip_special_tokens=True)
    assert told.strip() == first_answer(run)["answer"]
    assert "\nlibrary_name: transformers\n" in card(run, "model")
    assert "peft" not in card(run, "model")
    assert "strategy adapter ia3, " in card(run, "model")


def test_the_code_of_an_adapter_on_a_model_made_for_other_images_gives_the_answers_of_the_run(tiny, tmp_path):
    recipe = tiny("resized")
    run = trained(recipe, tmp_path / "run", LILY, "train.epochs=1")
    (tmp_path / "photo.png").write_bytes(first_row(recipe)["image"]["bytes"])
    names = said(run, recipe["model"], **{"photo.jpg": str(tmp_path / "photo.png")})
    answer, logits = first_answer(run), names["logits"][0]
    assert names["labels"][int(logits.argmax())] == answer["answer"]
    assert float(logits.softmax(-1).max()) == pytest.approx(answer["score"], abs=1e-5)
    assert "strategy adapter lily, " in card(run, "adapter")
