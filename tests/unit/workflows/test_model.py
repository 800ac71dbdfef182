"""A model that is loaded once: its answers are those of `predict`, from several threads, in other precisions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from datasets import Dataset

import hfft
from hfft.errors import DataError, SetupError
from hfft.io.run_folder import read_json
from hfft.testing import assert_alike
from tests.laws.kinds import rows, split_file

TEXTS = ["w1 fine", "w2 poor w3 w4 w5 w6", "weird", "", "w2 nice w1"]


@pytest.fixture
def run(tiny, run_of):
    return run_of(tiny("text-classification"), "train.epochs=1")


def test_a_model_says_what_predict_says(run):
    model, told = hfft.load(run), hfft.predict(run, TEXTS)
    assert model(TEXTS, with_input=True) == told
    assert model(TEXTS) == [{key: row[key] for key in row if key != "input"} for row in told]
    assert [row["answer"] is None for row in told] == [False, False, False, True, False]
    assert list(told[0]["probabilities"]) == model.labels == sorted(model.labels)
    assert told[0]["score"] == told[0]["probabilities"][told[0]["answer"]]
    assert sum(told[0]["probabilities"].values()) == pytest.approx(1)
    assert model("") == [{"id": 0, "answer": None, "error": "the text is empty"}]
    assert "TextClassification on cpu" in repr(model)


def test_a_model_is_called_from_several_threads(run):
    model, alone = hfft.load(run), [hfft.load(run)(text) for text in TEXTS]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(model, TEXTS * 8))
    assert found == alone * 8


def test_a_stream_is_answered_as_it_comes(run):
    model, taken = hfft.load(run), []

    def coming():
        for number in range(600):
            taken.append(number)
            yield TEXTS[number % len(TEXTS)]

    stream = model.stream(coming())
    assert (next(stream)["id"], len(taken)) == (0, 256)
    rest = list(stream)
    assert [row["id"] for row in rest] == list(range(1, 600))
    assert [row["answer"] for row in rest[4:9]] == [row["answer"] for row in model(TEXTS)]


def test_rows_in_memory_are_scored_as_those_of_a_file(tiny, run):
    model, file, told = (
        hfft.load(run),
        split_file(tiny("text-classification"), "test"),
        rows(tiny("text-classification"), "test"),
    )
    scores = read_json(run / "results.json")["test"]
    for data in ([file], [Dataset.from_list(told)], [pandas.DataFrame(told)], [told], told):
        found = model.evaluate(*data)
        assert found.examples == 17
        assert_alike(found.scores, scores)
    assert_alike(hfft.evaluate(run, pandas.DataFrame(told)).scores, scores)
    gaps = pandas.DataFrame([*told, {"text": np.nan, "label": "good"}, {"text": "w1", "label": np.nan}])
    found = model.evaluate(gaps)
    assert (found.examples, found.rows_read) == (17, 19)
    with pytest.raises(DataError, match=r"names of files, or one table.*not \['w1', 'w2'\]"):
        model.evaluate(["w1", "w2"])
    with pytest.raises(DataError, match=r"the column 'label' mixes kinds of values: row 1 is float"):
        model.evaluate([{"text": "w1", "label": "good"}, {"text": "w1", "label": 3.5}])


def test_a_file_of_excel_is_answered_and_scored_as_any_other(tiny, run, tmp_path):
    told = rows(tiny("text-classification"), "test")
    lines = ["text;label;Größe", *(f"{row['text']};{row['label']};3,5" for row in told)]
    (tmp_path / "excel.csv").write_bytes("\r\n".join(lines).encode("cp1252"))
    found = hfft.evaluate(run, tmp_path / "excel.csv")
    assert_alike(found.scores, read_json(run / "results.json")["test"])
    assert [finding for finding in found.findings if "between columns" in finding or "cp1252" in finding]
    answers = hfft.predict(run, tmp_path / "excel.csv")
    assert [row["answer"] for row in answers] == [
        row["answer"] for row in hfft.load(run)([row["text"] for row in told])
    ]


def test_a_number_is_scored_with_a_comma_before_its_decimals(tiny, run_of, tmp_path):
    told = rows(tiny("text-classification"), "train")
    lines = ["text;label", *(f"{row['text']};{number},{number % 10}" for number, row in enumerate(told))]
    (tmp_path / "train.csv").write_text("\n".join(lines), encoding="utf-8")
    recipe = tiny("text-classification")
    recipe["data"] = {"files": {"train": str(tmp_path / "train.csv")}, "holdout": 0.2}
    folder = run_of(recipe, "train.epochs=1")
    points = [line.replace(",", ".") for line in lines]
    (tmp_path / "points.tsv").write_text("\n".join(points).replace(";", "\t"), encoding="utf-8")
    scored = [hfft.evaluate(folder, tmp_path / name).scores for name in ("train.csv", "points.tsv")]
    assert scored[0] == scored[1]
    assert "rmse" in scored[0]


def test_pictures_in_memory_are_scored_as_those_of_a_file(tiny, run_of):
    recipe = tiny("image-classification")
    model = hfft.load(run_of(recipe, "train.epochs=1"))
    told = [{**row, "label": model.labels[row["label"]]} for row in rows(recipe, "test")]
    assert_alike(model.evaluate(told).scores, model.evaluate(split_file(recipe, "test")).scores)


def test_a_model_answers_in_half_the_memory(run):
    half, whole = hfft.load(run, dtype="bfloat16", device="cpu"), hfft.load(run)
    assert half(TEXTS)[0]["probabilities"] == pytest.approx(whole(TEXTS)[0]["probabilities"], abs=0.02)
    assert half(TEXTS)[0]["probabilities"] != whole(TEXTS)[0]["probabilities"]


def test_what_there_is_not_is_told(run):
    unknown: Any = "float16"
    with pytest.raises(SetupError, match=r"dtype is 'float16', but .* float32, bfloat16"):
        hfft.load(run, dtype=unknown)
    with pytest.raises(SetupError, match=r"The device 'cuda:7' is not to be had here"):
        hfft.load(run, device="cuda:7")


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator")
def test_what_torch_is_built_for_and_the_machine_has_not_is_no_device(run, monkeypatch):
    """As with the usual build of torch for Linux on a machine without a GPU."""
    monkeypatch.setattr(torch._C, "_accelerator_getAccelerator", lambda: torch.device("cuda"))
    assert repr(hfft.load(run)).endswith(" on cpu>")


def test_a_recipe_may_be_the_name_of_its_file_or_a_dict(tiny, tmp_path):
    recipe = hfft.Recipe.from_dict(tiny("text-classification"), "train.epochs=1")
    recipe.save(tmp_path / "tiny.yaml")
    assert hfft.plan(tmp_path / "tiny.yaml").as_json() == hfft.plan(recipe.model_dump(mode="json")).as_json()
    assert hfft.report(hfft.train(str(tmp_path / "tiny.yaml"), output=tmp_path / "run", quiet=True).folder).is_file()
