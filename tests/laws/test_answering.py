"""Law 4 for new rows: predict and evaluate say of a finished run what the run said of itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from PIL import Image

import hfft
from hfft.errors import DataError, HfftError, ModelError, SetupError
from hfft.testing import assert_alike, check_answers, cut_off, predictions
from tests.laws.kinds import image_files, rows, split_file
from tests.laws.runs import READ, train, trusted
from tests.product import first_of_all
from tests.tiny import VARIANTS, write_csv
from tests.tiny.pictures import pictures, write_pictures

HERE = first_of_all(READ, [case for case in READ if (case[0] in VARIANTS) == (case[1] == "full")])
"""Tasks with an adapter that is merged, variants with none; how they answer does not hang on how they have learnt."""


@pytest.mark.parametrize(("task", "strategy"), HERE)
def test_a_run_answers_and_scores_new_rows_as_it_did_its_own(tiny, trained, task, strategy):
    run, file = trained(task, strategy), split_file(tiny(task), "test")
    check_answers(run, file, trusted(tiny(task)))
    assert len(predictions(run, "test")) == 17


def test_images_are_answered_by_their_files_their_folder_and_as_pictures(tiny, trained):
    run, folder = trained("image-folder", "full"), split_file(tiny("image-folder"), "test")
    labels = hfft.load(run).labels
    nameless = [
        {
            **{key: row[key] for key in row if key not in ("input", "truth", "unknown")},
            "probabilities": dict(zip(labels, row["probabilities"], strict=True)),
        }
        for row in predictions(run, "test")
    ]
    files = image_files(folder)
    told = [{**row, "input": str(file)} for row, file in zip(nameless, files, strict=True)]
    pictures = [row["image"] for row in rows(tiny("image-folder"), "test")]
    arrays = [np.asarray(picture) for picture in pictures if picture.mode == "RGB"]
    assert len(arrays) == len(pictures)
    in_rows = [{"image": picture} for picture in pictures]
    contents = pandas.DataFrame({"image": [file.read_bytes() for file in files]})
    for given in ([folder], files, [str(file) for file in files], pandas.Series([str(file) for file in files])):
        assert_alike(hfft.predict(run, given), told)
    for given in (pictures, arrays, (picture for picture in pictures), in_rows, contents):
        assert_alike(hfft.predict(run, given), nameless)
    one = hfft.predict(run / "model", files[3])  # without the recipe
    assert_alike(one, [{**told[3], "id": 0}])
    assert_alike(hfft.predict(run, arrays[3]), [{**nameless[3], "id": 0}])


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (np.zeros((8, 8, 3), np.float32), "ndarray"),
        ([np.zeros((3, 8, 8), np.uint8)], "ndarray"),
        (np.array(3), "ndarray"),
        (torch.zeros(3, 8, 8), "Tensor"),
        (b"\x89PNG", "bytes"),
        ({"image": 3}, "int"),
        (3, "int"),
        ([Image.new("RGB", (8, 8)), b"\x89PNG"], "bytes"),
    ],
    ids=["floats", "channels first", "number of numpy", "tensor", "bytes", "row", "number", "picture and bytes"],
)
def test_what_is_no_picture_is_refused_with_the_way_to_one(tiny, trained, given, kind):
    run = trained("image-folder", "full")
    with pytest.raises(DataError, match=rf"Input \d .* is of type {kind}, but .*PIL\.Image\.fromarray makes"):
        hfft.predict(run, given)


def test_a_picture_that_cannot_be_read_is_named_by_its_place(tiny, trained, tmp_path):
    run, whole = trained("image-folder", "full"), Image.new("RGB", (64, 64))
    whole.save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    with Image.open(tmp_path / "a.png") as cut:
        first, second = hfft.predict(run, [whole, cut])
    assert first["answer"] == hfft.predict(run, whole)[0]["answer"] is not None
    assert (second["id"], second["input"], second["answer"]) == (1, str(tmp_path / "a.png"), None)
    assert re.search("the picture cannot be read: .*truncated", second["error"])


def test_an_address_is_to_be_downloaded_first(tiny, trained):
    with pytest.raises(DataError, match=r"the input is 'https://a.b/c.jpg', an address: download it first"):
        hfft.predict(trained("image-folder", "full"), "https://a.b/c.jpg")


def test_a_folder_is_scored_whatever_the_columns_of_the_run_are_called(tiny, tmp_path):
    recipe = tiny("image-classification")
    files = {split: str(tmp_path / f"{split}.parquet") for split in ("train", "eval")}
    for file in files.values():
        write_pictures(Path(file), pictures(9, 0), "img", "kind")
    task = {**recipe["task"], "image": "img", "label": "kind"}
    run = train({**recipe, "task": task, "data": {"files": files}}, tmp_path / "run", "train.epochs=1").folder
    folder = split_file(tiny("image-folder"), "test")
    assert hfft.evaluate(run, folder).examples == 17
    write_csv(tmp_path / "t.csv", [{"image": str(file), "label": "red"} for file in image_files(folder)])
    with pytest.raises(DataError, match=r"task.image is 'img', but the data split has no such column"):
        hfft.evaluate(run, tmp_path / "t.csv")


def test_texts_and_pairs_are_answered_in_the_order_given(tiny, run_of, tmp_path):
    run = run_of(tiny("text-classification"), "train.epochs=1")
    texts = ["w1 fine", "w2 poor w3 w4 w5 w6", "weird"]
    answers = hfft.predict(run, texts)
    assert [(row["id"], row["input"]) for row in answers] == list(enumerate(texts))
    for number, text in enumerate(texts):  # alone or together, the same
        assert hfft.predict(run / "model", [text])[0]["probabilities"] == pytest.approx(
            answers[number]["probabilities"], abs=1e-6
        )
    train(tiny("pairs"), tmp_path / "two", "train.epochs=1")
    as_tuples = hfft.predict(tmp_path / "two", [("w1 fine", "nice"), ("poor", "fine")])
    assert hfft.predict(tmp_path / "two", ["w1 fine", "nice", "poor", "fine"]) == as_tuples
    with pytest.raises(DataError, match=r"reads 2 input\(s\) together \(one, two\), but 3 are given"):
        hfft.predict(tmp_path / "two", ["a", "b", "c"])


def test_columns_of_another_name_can_be_told(tiny, run_of, tmp_path):
    run = run_of(tiny("text-classification"), "train.epochs=1")
    write_csv(tmp_path / "new.csv", [{"body": "w1 fine", "kind": "good"}, {"body": "poor", "kind": "-1"}])
    new, told = tmp_path / "new.csv", ["task.text=body", "task.label=kind"]
    with pytest.raises(DataError, match=r"task.text is 'text', but the data split has no such column.*body, kind"):
        hfft.predict(run, [new])
    assert len(hfft.predict(run, [new], overrides=told[:1])) == 2
    found = hfft.evaluate(run, new, overrides=told)
    assert found.examples == 1
    assert "data: 1 of 2 rows (50.0%) have no label and are left out: row 1" in found.findings


def test_what_cannot_answer_says_why(tiny, tmp_path):
    recipe = tiny("text-classification")
    train(recipe, tmp_path / "run", "train.epochs=1", "train.checkpoint_every=4")
    cut_off(tmp_path / "run", tmp_path / "cut", 4)
    with pytest.raises(SetupError, match=r"is not finished: it has no model/ yet"):
        hfft.predict(tmp_path / "cut", ["a"])
    with pytest.raises(ModelError, match=r"is a BertModel, which has no head of a task that hfft knows"):
        hfft.predict(recipe["model"], ["a"])
    with pytest.raises(DataError, match=r"there is no file .*new.csv"):
        hfft.predict(tmp_path / "run", ["new.csv"])
    with pytest.raises(DataError, match=r"is a file and 'a text' is none"):
        hfft.predict(tmp_path / "run", ["new.csv", "a text"])
    with pytest.raises(DataError, match=r"nothing to answer"):
        hfft.predict(tmp_path / "run", [])
    (tmp_path / "bad.csv").write_text("text,label\na,unheard\n")
    with pytest.raises(DataError, match=r"row 0 of the data split has the label 'unheard'"):
        hfft.evaluate(tmp_path / "run", tmp_path / "bad.csv")
    with pytest.raises(HfftError, match=r"task.txt is not a known key"):
        hfft.predict(tmp_path / "run", ["a"], overrides=["task.txt=b"])


def test_rows_without_a_label_are_answered_where_the_recipe_says_so(tiny, tmp_path):
    recipe = tiny("text-classification")
    rows = [{"text": "w1 fine", "label": "good"}, {"text": "w2 poor", "label": "-1"}, {"text": "w3", "label": ""}]
    write_csv(tmp_path / "test.csv", rows)
    write_csv(tmp_path / "hidden.csv", [{"text": row["text"]} for row in rows])
    short, test = "train.epochs=1", f"data.files.test={tmp_path / 'test.csv'}"
    train(recipe, tmp_path / "skip", short, test)
    assert [row["id"] for row in predictions(tmp_path / "skip", "test")] == [0]
    train(recipe, tmp_path / "predict", short, test, "task.unlabelled=predict")
    assert [row["truth"] for row in predictions(tmp_path / "predict", "test")] == ["good", None, None]
    results = json.loads((tmp_path / "predict" / "results.json").read_text())
    assert results["test_examples"] == 1
    assert any("2 of 3 rows (66.7%) have no label and are answered and not scored" in w for w in results["warnings"])
    hidden = f"data.files.test={tmp_path / 'hidden.csv'}"
    train(recipe, tmp_path / "hidden", short, hidden, "task.unlabelled=predict")
    assert [row["truth"] for row in predictions(tmp_path / "hidden", "test")] == [None] * 3
    assert json.loads((tmp_path / "hidden" / "results.json").read_text())["test"] == {}
    with pytest.raises(DataError, match=r"task.label is 'label', but the test split has no such column"):
        train(recipe, tmp_path / "none", short, hidden)


def test_a_file_may_have_a_space_in_its_name_and_a_text_may_end_like_a_file(tiny, run_of, tmp_path):
    run = run_of(tiny("text-classification"), "train.epochs=1")
    write_csv(tmp_path / "my new.csv", [{"text": "w1 fine"}, {"text": "w2 poor"}])
    assert len(hfft.predict(run, [str(tmp_path / "my new.csv")])) == 2
    assert len(hfft.predict(run, "have a look at new.csv")) == 1
    with pytest.raises(DataError, match=r"reads 1 input\(s\) together \(text\), but one of those given has 2"):
        hfft.predict(run, [("a", "b")])
    write_csv(tmp_path / "bad.csv", [{"text": "w1", "label": "good"}])
    (tmp_path / "bad.jsonl").write_text('{"text": "w1"}\n{"text": null}\n')
    first, second = hfft.predict(run, [tmp_path / "bad.jsonl"])
    assert first["answer"] is not None
    assert second == {"id": 1, "answer": None, "error": "nothing stands in the column 'text'"}
