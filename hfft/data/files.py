"""Reads local files into data sets. A broken file is an error that names the file and the line.

csv is read by the standard library, every value as text: type guessing turns the text "NA" into nothing and "007"
into 7 (pandas, and `datasets` on top of it, do both).
"""

from __future__ import annotations

import csv
import glob
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from datasets import Dataset, concatenate_datasets
from datasets.exceptions import DatasetGenerationError

from hfft.data.class_folders import class_names
from hfft.data.file_names import renamed
from hfft.data.folders import IMAGE_ENDINGS, is_visible
from hfft.data.image_folder import image_rows, read_class_folders, read_flat_folders
from hfft.errors import DataError, near, quoted, shortened


def read_files(
    patterns: list[str], root: str, where: str, file_columns: Sequence[str] = (), labelled: bool = True
) -> Dataset:
    """Reads and joins files of one split, in the order of the patterns, then of the names.

    A folder is read as an image folder: every file below a subfolder is a row of `image`, its absolute path, and
    `label`, the name of that subfolder. The labels are the names of all subfolders, sorted, of empty ones too. Image
    files that are named themselves are rows of `image` alone. No image is opened.

    Args:
        patterns: File names, globs or folders, relative to `root` or absolute.
        root: The folder that relative names start from.
        where: The setting that names the files, for messages (`data.files.train`).
        file_columns: Columns of tables that name files, as texts or in structs without bytes: the names become absolute
            paths, relative ones starting from the folder of their table.
        labelled: Whether the subfolders of a folder are labels; if not, every file below it is a row of `image`.

    Raises:
        DataError: No file matches, a file is broken, a folder is no image folder, the columns of two files differ, or
            folders with labels stand beside tables.
    """
    paths = list(dict.fromkeys(path for pattern in patterns for path in _matches(pattern, root, where)))
    of_kind = {_kind(path): path for path in reversed(paths)}
    if labelled and "folder" in of_kind and "table" in of_kind:
        raise DataError(
            f"{where}: {of_kind['folder']} is a folder and {of_kind['table']} a table, which cannot be joined in one "
            "split. Leave one of them out, or write a table with the names and labels of all images."
        )
    classes = sorted({name for path in paths if labelled and path.is_dir() for name in class_names(path, where)})
    parts: list[tuple[Path, Dataset]] = []
    for kind, group in groupby(paths, _kind):
        alike = list(group)
        if kind == "folder":
            rows = read_class_folders(alike, classes, where) if labelled else read_flat_folders(alike, where)
            parts.append((alike[0], rows))
        elif kind == "image":
            parts.append((alike[0], image_rows(alike, where)))
        else:
            parts += [(path, _located(_reader(path, where)(path), path.parent, file_columns)) for path in alike]
    first_path, first = parts[0]
    for path, part in parts[1:]:
        if set(part.column_names) != set(first.column_names):
            raise DataError(
                f"{where}: {path} has the columns {part.column_names}, but {first_path} has {first.column_names}. "
                "The files of one split need the same columns."
            )
    try:
        return concatenate_datasets([part for _, part in parts])
    except (ValueError, pyarrow.ArrowInvalid) as error:
        raise DataError(f"{where}: the files {paths} do not fit together: {error}.") from error


def _matches(pattern: str, root: str, where: str) -> list[Path]:
    path = Path(root, pattern)
    if path.is_file() or path.is_dir():
        return [path]
    names = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    matched = sorted(Path(root, name) for name in names if is_visible(Path(name).name))
    found = [file for file in matched if file.is_file()] or [folder for folder in matched if folder.is_dir()]
    if not found and "://" in pattern:
        raise DataError(f"{where} is '{pattern}', an address: download it first, and give the name of the file.")
    if not found:
        root = "data.root says where the files lie" if where.startswith("data.") else ""
        siblings = [file.name for file in path.parent.glob("*")] if path.parent.is_dir() else []
        there = near(path.name, siblings) + (f" {root}." if root else "")
        hint = there if path.parent.is_dir() else f" There is no folder {path.parent}{f'; {root}' if root else ''}."
        raise DataError(f"{where} is '{pattern}', but there is no file {path.absolute()}.{hint}")
    return found


def _kind(path: Path) -> str:
    if path.is_dir():
        return "folder"
    return "image" if path.suffix.lower() in IMAGE_ENDINGS else "table"


def _located(table: Dataset, folder: Path, columns: Sequence[str]) -> Dataset:
    """Makes the names of files in some columns absolute; null and empty ones stay."""
    start = folder.absolute()
    held = {name: table.data.column(name) for name in table.column_names}
    located = {name: renamed(held[name], lambda file: str(start / file)) for name in columns if name in held}
    if all(located[name] is held[name] for name in located):
        return table
    # Made anew: where datasets has put a column beside others, rows are lost when those others are not selected.
    return Dataset.from_dict({**held, **located}, features=table.features)


def _reader(path: Path, where: str) -> Callable[[Path], Dataset]:
    if path.suffix.lower() not in KINDS:
        raise DataError(f"{where}: {path} is of no known kind. Known: {', '.join(KINDS)}, images.")
    return KINDS[path.suffix.lower()]


def _read_csv(path: Path, delimiter: str) -> Dataset:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a document is one field; the library's own limit is 128 KiB
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, None)
        if not header:
            raise DataError(f"{path} is empty, or its first line is; that line should name the columns.")
        if len(set(header)) != len(header):
            raise DataError(f"{path} names a column twice in its first line: {header}.")
        rows = []
        start = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(header):
                raise DataError(
                    f"{path}, line {start}: {len(row)} fields ({shortened(str(row))}), but the first line names "
                    f"{len(header)} columns. A field that holds '{delimiter}' or a quote must stand in double quotes."
                )
            if row:
                rows.append(row)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not valid csv: {error}.") from None
    return Dataset.from_dict({name: [row[index] for row in rows] for index, name in enumerate(header)})


def _read_json(path: Path) -> Dataset:
    try:
        rows = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}.") from None
    if isinstance(rows, dict) and len(lists := [value for value in rows.values() if isinstance(value, list)]) == 1:
        rows = lists[0]  # {"data": [...]}, as many exports have it
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path} should hold a list of objects, one a row.")
    return _from_rows(path, rows)


def _read_jsonl(path: Path) -> Dataset:
    rows = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not valid JSON: {error.msg}.") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: {quoted(row)} is no object; each line should be one, with names.")
        rows.append(row)
    return _from_rows(path, rows)


def _from_rows(path: Path, rows: list[dict[str, Any]]) -> Dataset:
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        return Dataset.from_dict({name: [row.get(name) for row in rows] for name in names})
    except (pyarrow.ArrowException, TypeError, OverflowError) as error:
        for name, number, kinds in _mixed(names, rows):
            raise DataError(
                f"{path}: the column '{name}' mixes kinds of values: row {number} is {kinds[1]}, rows before it "
                f"{kinds[0]}. Write all its values in one way."
            ) from None
        raise DataError(f"{path} does not fit into columns: {error}.") from error


def _mixed(names: list[str], rows: list[dict[str, Any]]) -> Iterator[tuple[str, int, tuple[str, str]]]:
    for name in names:
        kinds: list[str] = []
        for number, row in enumerate(rows):
            kind = type(row.get(name)).__name__
            if kind == "NoneType" or kind in kinds:
                continue
            kinds.append(kind)
            if len(kinds) > 1:
                yield name, number, (kinds[0], kind)
                break


def _read_parquet(path: Path) -> Dataset:
    try:
        pyarrow.parquet.read_schema(path)  # datasets would print the traceback of a broken file before it raises
        return Dataset.from_parquet(str(path))  # type: ignore[return-value]
    except (pyarrow.ArrowException, DatasetGenerationError) as error:
        raise DataError(f"{path} is not a readable parquet file: {error.__cause__ or error}.") from error


def _read_text(path: Path) -> Dataset:
    lines = _text(path).replace("\r\n", "\n").split("\n")  # splitlines would cut at form feeds and U+2028 too
    return Dataset.from_dict({"text": [line for line in lines if line]})


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin1"
        raise DataError(
            f"{path}, line {line}: the byte 0x{data[error.start]:02x} is not UTF-8. "
            f"Convert the file first, for example: iconv -f {encoding} -t utf-8 {path.name}"
        ) from None
    if "\0" in text:
        raise DataError(f"{path} is not a text file: it holds zero bytes.")
    return text


KINDS: dict[str, Callable[[Path], Dataset]] = {
    ".csv": lambda path: _read_csv(path, ","),
    ".tsv": lambda path: _read_csv(path, "\t"),
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
    ".txt": _read_text,
}
"""Readers by the ending of a file's name."""
