"""Damaged files of a run folder, and odd rows: each is refused with its name and line, and none ends in a traceback."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from hfft.errors import HfftError, SetupError
from hfft.io.run_files import read_events, read_results
from hfft.io.run_folder import RunFolder
from hfft.reports.facts import collect, write_report
from hfft.reports.predictions import answer_lines, prediction_lines, read_predictions
from tests.unit.reports.test_facts import PARAMETERS, RECIPE, RESULTS, ROWS, run_folder

TRUTH = {"id": 0, "answer": "cat", "truth": "cat"}


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def without(table: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != name}


FILES = [
    ("results.json", "[]", "it is a list, expected an object"),
    ("results.json", {**RESULTS, "steps": "4"}, "steps is a text, expected a whole number"),
    ("results.json", without(RESULTS, "eval_examples"), "has scores of eval, and no eval_examples"),
    ("results.json", without(RESULTS, "eval"), "it has no eval"),
    ("results.json", {**RESULTS, "eval": {"f1": {"value": None}}}, "eval.f1.value is null, expected a whole number or"),
    ("results.json", json.dumps(RESULTS).replace("0.95", "1e999"), "confidence is no finite number"),
    ("results.json", json.dumps(RESULTS).replace("0.95", "NaN"), "NaN is no number of JSON"),
    ("parameters.json", {"a": 1}, "it is an object, expected a list"),
    ("parameters.json", [*PARAMETERS, without(PARAMETERS[0], "shape")], r"\[2\] has no shape"),
    ("data.json", [], "it is a list, expected an object"),
    ("data.json", {"splits": {"train": {"rows": "many"}}}, "splits.train.rows is a text, expected a whole number"),
    ("environment.json", [], "it is a list, expected an object"),
    ("environment.json", {"accelerate": []}, "accelerate is a list, expected an object"),
    ("environment.json", "{", "is no JSON"),
    ("environment.json", b"\xff\xfe", "is no text in UTF-8"),
    ("predictions/eval.jsonl", b"\xff\xfe\x00garbage\n", "Line 1 of .* is no text in UTF-8"),
    ("model/config.json", "[]", "it is a list, expected an object"),
]


@pytest.mark.parametrize(("name", "content", "said"), FILES, ids=range(len(FILES)))
def test_a_damaged_file_is_named_with_what_is_wrong(name, content, said, tmp_path: Path):
    folder = run_folder(tmp_path / "run")
    file = folder.path / name
    file.parent.mkdir(exist_ok=True)
    text = content if isinstance(content, (str, bytes)) else json.dumps(content)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SetupError, match=said) as caught:
        write_report(folder)
    assert name in str(caught.value)


ODD = [
    ({**TRUTH, "answer": None}, "it has a truth and no answer"),
    ({"id": 0, "truth": "cat"}, "it has a truth and no answer"),
    ({**TRUTH, "score": "x"}, "its score is a text"),
    ({**TRUTH, "truth": []}, "its answer is a text and its truth an empty list"),
    ({**TRUTH, "probabilities": "x"}, "its probabilities are no list of numbers"),
    ({**TRUTH, "probabilities": [0.5, [0.5]]}, "its probabilities are no list of numbers"),
    ('{"id": 0, "answer": NaN, "truth": 1.0}', "NaN is no number of JSON"),
    ('{"id": 0, "answer": [1e999], "truth": [1.0]}', "a number in it is too large"),
    ('{"id": 0, "answer": 1' + "0" * 400 + ', "truth": 1.0}', "a number in it is too large"),
    ({**TRUTH, "id": "0"}, "expected an object with an id, a whole number"),
    ({**TRUTH, "id": 7}, "its id, 7, is that of line 1 too"),
    ([], "it is a list, expected an object"),
]


@pytest.mark.parametrize(("row", "said"), ODD, ids=range(len(ODD)))
def test_odd_rows_are_refused_by_line(row, said, tmp_path: Path):
    file = lines(tmp_path / "eval.jsonl", {**TRUTH, "id": 7}, row)
    with pytest.raises(SetupError, match=rf"Line 2 of .*eval.jsonl is .*{said}"):
        list(answer_lines(file))


def test_a_task_of_somebodys_own_may_say_nothing(tmp_path: Path):
    rows = [{"id": 0, "answer": None, "truth": "x", "score": {"a": 1}}, {"id": 1, "answer": "y", "truth": []}]
    file = lines(tmp_path / "eval.jsonl", *rows)
    assert [row for _, row in prediction_lines(file)] == rows
    found = read_predictions(file, "eval", lines=prediction_lines)
    assert [("score" in row, row["answer"]) for row in found.rows] == [(False, None), (False, "y")]
    folder = run_folder(tmp_path / "own", rows, RECIPE.replace("text-classification", "own:Task"))
    assert "galleries" in collect(folder)["splits"]["eval"]
    assert write_report(folder).is_file()


def test_half_a_character_is_shown_as_a_mark(tmp_path: Path):
    folder = run_folder(tmp_path / "half", [{**ROWS[0], "input": "a \ud83d b, \ud83d\ude00"}, ROWS[1]])
    assert "a \N{REPLACEMENT CHARACTER} b, \N{GRINNING FACE}" in write_report(folder).read_text(encoding="utf-8")


BROKEN = [
    b"\xff\xfe",
    b"null",
    b"1",
    b"[]",
    b'{"step": 1}',
    b'{"step": 1, "event": "eval", "f1": "x"}',
    b'{"step": 2, "ev',
]


def test_lines_of_metrics_that_are_no_rows_are_passed_over_and_told(tmp_path: Path):
    folder = run_folder(tmp_path / "run")
    row = b'{"step": 1, "event": "skip"}'
    folder.metrics.write_bytes(b"\n".join([row, *BROKEN, row, b'{"step": 2, "ev\xc3']))  # the last may be half
    assert read_events(folder.metrics) == ([json.loads(row)] * 2, [2, 3, 4, 5, 6, 7, 8])
    told = "7 line(s) of metrics.jsonl cannot be read and are left out: 2, 3, 4, 5, 6, ..."
    assert told in collect(folder)["checks"]["remarks"][-1]


def test_results_as_a_run_writes_them_are_read_as_they_are(tmp_path: Path):
    assert read_results(run_folder(tmp_path / "run").results) == RESULTS


WRITTEN = {
    "environment.json": {"versions": {"torch": "2.13"}, "devices": [], "processes": 1, "data": {"train": "a0"}},
    "metrics.jsonl": {"step": 1, "event": "eval", "f1": 0.5, "examples": 2},
}


@pytest.mark.parametrize("name", ["results.json", "data.json", "parameters.json", "recipe.yaml", *WRITTEN])
def test_a_bit_that_flips_anywhere_is_read_over_or_named_and_is_no_traceback(name, tmp_path: Path):
    file = run_folder(tmp_path / "run").path / name
    if name in WRITTEN:
        lines(file, WRITTEN[name])
    whole = file.read_bytes()
    for at in range(0, len(whole), max(len(whole) // 30, 1)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with contextlib.suppress(HfftError):
            collect(RunFolder(file.parent))
