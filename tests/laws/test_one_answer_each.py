"""One answer for each input, in order, always; and nothing is answered that nobody asked."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from datasets import Dataset, DatasetDict

import hfft
from hfft.cli import main
from hfft.errors import DataError
from tests.laws.kinds import image_files, split_file
from tests.tiny import write_csv


class Asked:
    """hfft predict, asked in this process from a folder.

    Attributes:
        code: How it ended last.
        out: What it said on standard output.
        err: What it said on standard error.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch, run: Path):
        self.capsys, self.patch, self.run = capsys, patch, run
        self.code, self.out, self.err = 0, "", ""

    def __call__(self, *arguments: str, command: str = "predict", typed: bytes = b"") -> Asked:
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
        with pytest.raises(SystemExit) as stop:
            main([command, str(self.run), *arguments])
        said = self.capsys.readouterr()
        self.code, self.out, self.err = int(stop.value.code or 0), said.out, said.err
        return self

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def ask(trained, capsys, monkeypatch, tmp_path):
    """Gives hfft predict for the run of a task; files are named from an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda task: Asked(capsys, monkeypatch, trained(task, "full"))


def _answers(rows: list[dict[str, Any]]) -> list[Any]:
    return [row["answer"] for row in rows]


def test_texts_are_taken_however_python_holds_them(trained):
    run, texts = trained("text-classification", "full"), ["w1 fine", "w2 poor w3 w4", "weird"]
    told = hfft.predict(run, texts)
    assert [row["input"] for row in told] == texts
    frame = pandas.DataFrame({"when": [1, "a", None], "text": texts}, index=[7, 3, 5])
    for given in (
        (text for text in texts),
        np.array(texts),
        pandas.Series(texts, index=[4, 4, 4]),
        frame,
        Dataset.from_dict({"text": texts, "more": [1, 2, 3]}).with_format("numpy"),
        [{"text": text} for text in texts],
        ({"text": text, "label": 3} for text in texts),
    ):
        assert hfft.predict(run, given) == told
    (alone,) = hfft.predict(run, {"text": texts[1]})
    assert alone.pop("probabilities") == pytest.approx(told[1]["probabilities"])  # some CPUs add up one row otherwise
    assert alone == pytest.approx({key: told[1][key] for key in alone} | {"id": 0})
    renamed = hfft.predict(run, frame.rename(columns={"text": "body"}), overrides=["task.text=body"])
    assert _answers(renamed) == _answers(told)


def test_pairs_and_words_are_taken_as_rows_too(trained):
    run = trained("pairs", "full")
    told = hfft.predict(run, [("w1 fine", "nice"), ("poor", "fine")])
    assert told[0]["input"] == ["w1 fine", "nice"]
    assert hfft.predict(run, pandas.DataFrame({"two": ["nice", "fine"], "one": ["w1 fine", "poor"]})) == told
    words = trained("token-classification", "full")
    assert len(hfft.predict(words, {"tokens": ["w1", "fine"]})[0]["answer"]) == 2
    assert hfft.predict(words, pandas.DataFrame({"tokens": [["w1", "fine"], ["w2"]]}))[1]["input"] == ["w2"]


@pytest.mark.parametrize(
    ("task", "given", "unanswered"),
    [
        ("text-classification", ["w1", "", None, " \n", "a\ud800"], [1, 2, 3, 4]),
        ("text-classification", pandas.Series([None, "w1", float("nan")]), [0, 2]),
        ("text-classification", [{"text": "w1"}, {}, {"text": ""}], [1, 2]),
        ("text-classification", Dataset.from_dict({"text": [None, "w1", None]}), [0, 2]),
        ("pairs", [("a", "b"), (None, "b"), ("a", ""), ("", "")], [1, 3]),
        ("token-classification", [{"tokens": ["w1"]}, {"tokens": []}, {"tokens": None}], [1, 2]),
        ("spans", ["w1 fine", ""], [1]),
        ("translation", ["the water", "", None], [1, 2]),
        ("translation", Dataset.from_dict({"en": ["the water", None]}), [1]),
        ("outside", [{"context": "w1", "endings": ["a", "b"]}, {"context": None, "endings": ["a", "b"]}], [1]),
    ],
)
def test_each_text_has_its_answer_or_why_it_has_none(trained, task, given, unanswered):
    answers = hfft.predict(trained(task, "full"), given, trust=task == "outside")
    assert [row["id"] for row in answers] == list(range(len(given)))
    assert [row["id"] for row in answers if row["answer"] is None] == unanswered
    assert all(bool(row.get("error")) == (row["id"] in unanswered) for row in answers)


def test_each_picture_has_its_answer_or_why_it_has_none(tiny, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, whole = trained("image-folder", "full"), image_files(split_file(tiny("image-folder"), "test"))[0]
    (tmp_path / "whole.png").write_bytes(whole.read_bytes())
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:60])
    (tmp_path / "bad.png").write_bytes(b"no picture")
    names = ["whole.png", "cut.png", "hole.png", "bad.png", "whole.png"]
    write_csv(tmp_path / "table.csv", [{"image": name, "label": "red"} for name in [*names, ""]])
    told = hfft.predict(run, names)
    assert [row["input"] for row in told] == names
    assert [row["answer"] is None for row in told] == [False, True, True, True, False]
    assert told[2]["error"] == f"there is no file {tmp_path}/hole.png. Did you mean 'whole.png'?"
    assert told[0] == {**told[4], "id": 0}
    for given in (
        "table.csv",
        Dataset.from_dict({"image": [*names, None]}),
        pandas.DataFrame({"image": [*names, None]}),
    ):
        found = hfft.predict(run, given)
        assert _answers(found) == [*_answers(told), None]
        assert "nothing stands in the column 'image'" in found[5]["error"]
    scored = hfft.evaluate(run, "table.csv")
    assert (scored.examples, scored.rows_read) == (2, 6)
    assert "data: 4 of 6 rows (66.7%) are not scored, all in all: rows 1, 2, 3, ..." in scored.findings


def test_rows_scored_and_rows_named_as_left_out_are_all_rows(trained, tmp_path):
    rows = [("w1", "good"), (None, "good"), ("", "bad"), ("w3", None), (None, None)]
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    found = hfft.evaluate(trained("text-classification", "full"), tmp_path / "rows.jsonl")
    assert (found.examples, found.rows_read, [row["id"] for row in found.rows]) == (2, 5, [0, 2])
    why = "nothing stands in the column 'text'"
    assert f"data: 2 of 5 rows (40.0%) are left out, since {why}: rows 1, 4" in found.findings
    assert "data: 3 of 5 rows (60.0%) are not scored, all in all: rows 1, 3, 4" in found.findings
    (tmp_path / "none.jsonl").write_text('{"text": null, "label": "good"}')
    with pytest.raises(DataError, match=f"none of 1 rows can be scored, the first since {why}"):
        hfft.evaluate(trained("text-classification", "full"), tmp_path / "none.jsonl")


def test_a_file_without_rows_is_refused(trained, tmp_path):
    (tmp_path / "new.txt").write_text("\ufeff", encoding="utf-8")
    with pytest.raises(DataError, match="there are no rows to score"):
        hfft.evaluate(trained("text-classification", "full"), tmp_path / "new.txt")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "nothing to answer"),
        (None, "nothing to answer"),
        (3, "Input 0 .* is of type int, 3, but this model reads texts"),
        (["w1", 3], "Input 1 .* is of type int"),
        ([b"w1"], "Input 0 .* is of type bytes"),
        ({"w1", "w2"}, "is a set, which has no order"),
        ([{"text": "w1"}, "w2"], "Some inputs are rows .*'w2': give either"),
        ({"txt": "w1"}, "task.text is 'text', but the input has no such column. Did you mean 'txt'"),
        (pandas.DataFrame({"body": ["w1"]}), "has no such column.*It has: body. Another is named by task.text=COLUMN"),
        (pandas.DataFrame({"text": ["w1", 3]}), "Input 1 .* is of type int"),
        (Dataset.from_dict({"text": [None, None]}), "None of the 2 inputs can be answered: 0 .nothing stands in the"),
        (Dataset.from_dict({"text": [0.5, None]}), "in row 0 .* is 0.5, which is no text"),
        (Dataset.from_dict({"text": [{"a": 1}, None]}), "in row 0 .* which is no text"),
        (Dataset.from_dict({"text": [date(2026, 1, 2), None]}), "in row 0 .* which is no text"),
        (DatasetDict({"test": Dataset.from_dict({"text": ["w1"]})}), "is a DatasetDict: give one of its splits, test"),
    ],
)
def test_what_is_no_text_is_refused_by_its_place(trained, given, told):
    with pytest.raises(DataError, match=told):
        hfft.predict(trained("text-classification", "full"), given)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["new.xlsx"], "there is no file .*new.xlsx. Did you mean 'new.csv'"),
        (["nwe.csv"], "there is no file .*nwe.csv. Did you mean 'new.csv'"),
        (["README.md"], "README.md is of no kind that is read.*If 'README.md' is itself the text"),
        (["folder"], "folder is a folder, but this model reads texts"),
        (["./new"], "there is no file .*new. Did you mean 'new.csv'"),
        (["photo.png"], "photo.png is an image, but this model reads texts"),
        (["new.csv", "a text"], "'new.csv' is a file and 'a text' is none"),
        (["--file", "a text"], "there is no file .*a text"),
        (["--file", "README.md"], "README.md is of no kind that is read; texts are read from .csv[^\n]*iob2.$"),
        ([""], "No input can be answered: 0 .the text is empty"),
        ([], "There is nothing to answer"),
        (["-", "more"], "- reads the inputs from standard input: give no others beside it"),
        (["-1 star"], 'In front of texts that begin with a dash write -- alone: hfft predict RUN -- "-1 is what'),
        (["--outptu", "x", "a text"], "No such option: --outptu. Possible options: --output"),
        (["w1 caf\udce9"], r"Input 0 .from 0. is not UTF-8: the byte 0xe9 stands in b'w1 caf.xe9'"),
    ],
)
def test_the_command_answers_no_name_of_a_file_and_no_half_of_a_text(ask, tmp_path, arguments, told):
    write_csv(tmp_path / "new.csv", [{"text": "w1 fine"}])
    (tmp_path / "README.md").write_text("A text?")
    (tmp_path / "folder").mkdir()
    said = ask("text-classification")(*arguments)
    assert (said.code, said.out) == (2, "")
    assert re.search(told, said.err.strip(), re.DOTALL)


def test_the_command_says_the_input_beside_each_answer_and_the_rest_elsewhere(ask, tmp_path):
    write_csv(tmp_path / "new.csv", [{"text": "w1 fine"}, {"text": ""}, {"text": "w2\tpoor"}])
    said = ask("text-classification")("new.csv", "--json")
    assert said.code == 0
    assert [(row["id"], row.get("input")) for row in said.rows] == [(0, "w1 fine"), (1, None), (2, "w2\tpoor")]
    assert said.err.startswith("1 of 3 inputs have no answer: 1 (the text is empty)\n3 rows in ")
    assert said.rows == hfft.predict(said.run, "new.csv")
    lines, rows = said("--file", "new.csv").out.splitlines(), said.rows if said.out.startswith("{") else []
    assert [line.split("\t")[-1] for line in lines] == ["w1 fine", "", "w2 poor"]
    assert lines[1].startswith("no answer: the text is empty")
    assert rows == []
    assert said("new.csv", "--output", "out.jsonl").out == ""
    assert [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()] == hfft.predict(
        said.run, "new.csv"
    )


def test_standard_input_gives_a_text_a_line(ask, tmp_path):
    said = ask("text-classification")("-", "--json", typed=b"w1 fine\r\n\nnew.csv\n-1\n")
    assert [row.get("input") for row in said.rows] == ["w1 fine", None, "new.csv", "-1"]
    assert [row["answer"] is None for row in said.rows] == [False, True, False, False]
    bad = said("-", typed=b"w1\ncaf\xe9\n")
    assert (bad.code, "Standard input, line 2: the byte 0xe9 is not UTF-8" in bad.err) == (2, True)
    assert "nothing to answer" in said("-").err
    pairs = ask("pairs")("-", "--json", typed=b'a\tb\n["a", "b"]\n{"two": "b", "one": "a"}\n')
    assert [row["input"] for row in pairs.rows] == [["a", "b"]] * 3
    assert "line 2 holds 1 text(s), but this model reads 2 together" in pairs("-", typed=b"a\tb\nc\n").err


def test_standard_input_names_a_picture_a_line(ask, tiny):
    file = image_files(split_file(tiny("image-folder"), "test"))[0]
    said = ask("image-folder")("-", "--json", typed=f"{file}\nnone.png\n".encode())
    assert [row["input"] for row in said.rows] == [str(file), "none.png"]
    assert [row["answer"] is None for row in said.rows] == [False, True]
    assert "1 of 2 inputs have no answer: 1 'none.png' (there is no file" in said.err
