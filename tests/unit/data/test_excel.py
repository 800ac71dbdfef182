"""Excel's own files: read as the csv that Excel would write of them."""

from __future__ import annotations

import importlib.util
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from hfft.data.files import read_files
from hfft.errors import DataError, SetupError

needs_openpyxl = pytest.mark.skipif(importlib.util.find_spec("openpyxl") is None, reason="openpyxl is not installed")


def written(path: Path, **sheets: list[list[Any]]) -> Path:
    import openpyxl  # type: ignore[import-not-found]

    book = openpyxl.Workbook()
    del book["Sheet"]
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


@needs_openpyxl
def test_cells_are_texts_as_in_csv(tmp_path):
    rows = [
        ["text", "label", None, "when", None],
        ['Köln; 5 €, "ja"\nnein', 3, None, date(2026, 5, 1), None],
        [None, None, None, None, None],
        ["007", 3.5, None, datetime(2026, 5, 1, 12, 30), ""],
        ["NA", True],
        ["text", "label", None, "when", None],
    ]
    written(tmp_path / "a.xlsx", Daten=rows)
    (tmp_path / "~$a.xlsx").write_bytes(b"of Excel, while the file is open")
    found = read_files(["*.xlsx"], str(tmp_path), "data.files.train")
    assert found.rows.to_dict() == {
        "text": ['Köln; 5 €, "ja"\nnein', "007", "NA"],
        "label": ["3", "3.5", "True"],
        "when": ["2026-05-01", "2026-05-01 12:30:00", ""],
    }
    assert [str(finding) for finding in found.findings("train", [])] == [
        "train: 1 of 4 rows (25.0%) of a.xlsx are the names of the columns again, and are left out: line 6"
    ]


@needs_openpyxl
def test_the_first_sheet_is_read_and_the_others_are_named(tmp_path):
    written(tmp_path / "a.xlsx", One=[["text"], ["a"]], Two=[["text"], ["b"]], Three=[])
    found = read_files(["a.xlsx"], str(tmp_path), "x")
    assert found.rows["text"][:] == ["a"]
    assert str(found.findings("train", [])[0]).endswith("of a.xlsx are the sheet 'One'; not read: Two, Three")


@needs_openpyxl
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "the first row of the sheet 'One' is empty; it should name the columns."),
        ([[None], ["text"]], "the first row of the sheet 'One' is empty; it should name the columns."),
        ([["text", "text"], ["a", "b"]], "in its first line, names a column twice: 'text'."),
    ],
)
def test_a_sheet_without_names_of_columns_is_refused(tmp_path, rows, message):
    with pytest.raises(DataError) as caught:
        read_files([str(written(tmp_path / "a.xlsx", One=rows))], ".", "x")
    assert message in str(caught.value)


@needs_openpyxl
def test_what_is_no_excel_file_is_refused(tmp_path):
    whole = written(tmp_path / "whole.xlsx", One=[["text"], ["a"]]).read_bytes()
    with zipfile.ZipFile(tmp_path / "empty.xlsx", "w") as file:
        file.writestr("a", "b")
    (tmp_path / "half.xlsx").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.xlsx").write_text("text,label\na,b\n")
    for name in ("empty.xlsx", "half.xlsx", "text.xlsx"):
        with pytest.raises(DataError, match=f"{name} is not a readable Excel file: "):
            read_files([name], str(tmp_path), "x")


def test_the_package_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(
        SetupError, match=r"a.xlsx: an Excel file needs the package 'openpyxl': pip install 'hfft\[xlsx"
    ):
        read_files(["a.xlsx"], str(tmp_path), "x")
