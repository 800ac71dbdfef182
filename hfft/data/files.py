"""Files of data: csv, tsv, xlsx, json, jsonl, parquet, txt, CoNLL, and folders of images; columns that name files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path, PureWindowsPath
from typing import Any

import pyarrow
import pyarrow.compute
from datasets import Dataset, concatenate_datasets

from hfft.data.checks import Finding
from hfft.data.decimals import with_points
from hfft.data.folders import IMAGE_ENDINGS
from hfft.data.formats.conll import conll_table, is_conll, read_conll
from hfft.data.formats.delimited import read_csv, read_tsv
from hfft.data.formats.excel import read_xlsx
from hfft.data.formats.json import read_json, read_jsonl
from hfft.data.formats.parquet import read_parquet
from hfft.data.formats.text import read_text_of_any_program
from hfft.data.image_folder import class_names, image_rows, read_class_folders, read_flat_folders
from hfft.data.table import DOES_NOT_FIT, Table
from hfft.errors import DataError
from hfft.io.paths import matches


def read_files(
    patterns: list[str],
    root: str,
    where: str,
    file_columns: Sequence[str] = (),
    labelled: bool = True,
    number_columns: Sequence[str] | None = (),
) -> Table:
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
        number_columns: Columns that are numbers, if their texts are: in files of texts that no comma parts, decimals
            may stand behind a comma. None for all.

    Raises:
        DataError: No file matches, a file is broken, a folder is no image folder, the columns of two files differ, or
            folders with labels stand beside tables.
    """
    paths = list(dict.fromkeys(path for pattern in patterns for path in matches(pattern, root, where)))
    of_kind = {_kind(path): path for path in reversed(paths)}
    if labelled and "folder" in of_kind and "table" in of_kind:
        raise DataError(
            f"{where}: {of_kind['folder']} is a folder and {of_kind['table']} a table, which cannot be joined in one "
            "split. Leave one of them out, or write a table with the names and labels of all images."
        )
    classes = sorted({name for path in paths if labelled and path.is_dir() for name in class_names(path, where)})
    parts: list[tuple[Path, Table]] = []
    for kind, group in groupby(paths, _kind):
        alike = list(group)
        if kind == "folder":
            table = read_class_folders(alike, classes, where) if labelled else Table(read_flat_folders(alike, where))
            parts.append((alike[0], table))
        elif kind == "image":
            parts.append((alike[0], Table(image_rows(alike, where))))
        else:
            parts += [
                (path, with_points(_read(path, where, file_columns), path.name, number_columns)) for path in alike
            ]
    return _joined(parts, where) if len(parts) > 1 else parts[0][1]


def _joined(parts: Sequence[tuple[Path, Table]], where: str) -> Table:
    """Puts tables below one another. A column that does not fit together, or was left out of one, is left out."""
    first_path, first = parts[0]
    names = [*first.rows.column_names, *first.left_out]
    for path, part in parts[1:]:
        others = [*part.rows.column_names, *part.left_out]
        if set(others) != set(names):
            raise DataError(
                f"{where}: {path} has the columns {others}, but {first_path} has {names}. "
                "The files of one split need the same columns."
            )
    left_out = {name: reason for _, part in parts for name, reason in part.left_out.items()}
    kept = [name for name in names if name not in left_out]
    unlike = {name: reason for name in kept if (reason := _unlike(name, parts))}
    left_out |= {name: f"{where}: {reason}" for name, reason in unlike.items()}
    kept = [name for name in kept if name not in unlike]
    if not kept:
        raise DataError(next(iter(left_out.values())))
    rows = concatenate_datasets([part.rows.select_columns(kept) for _, part in parts])
    return Table(rows, left_out, [remark for _, part in parts for remark in part.remarks])


def _unlike(name: str, parts: Sequence[tuple[Path, Table]]) -> str | None:
    """What keeps a column of several tables from being one, as a sentence; None where nothing does."""
    try:
        concatenate_datasets([part.rows.select_columns(name) for _, part in parts])
    except DOES_NOT_FIT:
        first_path, first = parts[0]
        kinds = [(path, part.rows.features[name]) for path, part in parts]
        path, kind = next(((path, kind) for path, kind in kinds if kind != kinds[0][1]), kinds[-1])
        return (
            f"the column '{name}' of {first_path} and that of {path} do not fit together: {first.rows.features[name]} "
            f"and {kind}. Write all values in one way."
        )
    return None


def _kind(path: Path) -> str:
    if path.is_dir():
        return "folder"
    return "image" if path.suffix.lower() in IMAGE_ENDINGS else "table"


def _read(path: Path, where: str, file_columns: Sequence[str]) -> Table:
    ending = path.suffix.lower()
    if ending not in KINDS:
        cure = f" {OTHERS[ending]}" if ending in OTHERS else ""
        raise DataError(f"{where}: {path} is of no known kind. Known: {', '.join(KINDS)}, images.{cure}")
    try:
        table = KINDS[ending](path)
    except OSError as error:
        raise DataError(f"{where}: {path} cannot be read: {error.strerror or error}.") from None
    return replace(table, rows=_located(table.rows, path.parent, file_columns))


def _located(table: Dataset, folder: Path, columns: Sequence[str]) -> Dataset:
    """Makes the names of files in some columns absolute; null and empty ones stay."""
    start = folder.absolute()
    held = {name: table.data.column(name) for name in table.column_names}
    located = {name: renamed(held[name], lambda file: _in_folder(start, file)) for name in columns if name in held}
    if all(located[name] is held[name] for name in located):
        return table
    # Made anew: where datasets has put a column beside others, rows are lost when those others are not selected.
    return Dataset.from_dict({**held, **located}, features=table.features)


def _in_folder(folder: Path, name: str) -> str:
    path = folder / name
    if "\\" in name and not path.exists():  # as Windows writes it
        path = folder / PureWindowsPath(name).as_posix()
    return str(path)


def _read_lines(path: Path) -> Table:
    """A row of `text` a line; of a CoNLL file, which are often named so, a row a sentence."""
    text, guessed = read_text_of_any_program(path)
    if is_conll(text):
        table = conll_table(path, text, guessed)
        what = f"of {path.name}, whose lines hold a word and its tag each (CoNLL), are its sentences"
        remark = Finding("conll", "", len(table.rows), len(table.rows), what)
        return replace(table, remarks=[*table.remarks, remark])
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")  # splitlines would cut at form feeds and U+2028 too
    empty = [number for number, line in enumerate(lines, start=1) if not line] if text.strip() else []
    remark = Finding("empty", "", len(empty), len(lines), f"of {path.name} are empty lines, and are left out")
    rows = Dataset.from_dict({"text": [line for line in lines if line]})
    return Table(rows, remarks=[*guessed, remark] if empty else guessed)


KINDS: dict[str, Callable[[Path], Table]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".xlsx": read_xlsx,
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".parquet": read_parquet,
    ".txt": _read_lines,
    ".conll": read_conll,
    ".bio": read_conll,
    ".iob": read_conll,
    ".iob2": read_conll,
}
"""Readers by the ending of a file's name."""

OTHERS = {
    **dict.fromkeys((".xls", ".ods"), "Save it as .xlsx or .csv in the program that wrote it."),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".zip"), "Unpack it first."),
}
"""What becomes of other files, by the ending of their names."""


def renamed(values: Any, rename: Callable[[str], str]) -> Any:
    """Replaces the names of files in an arrow array, which may be chunked, and leaves all else as it is.

    Empty names and null stay, and so do names beside bytes: where the bytes are given, no file is opened. An array that
    names no files is returned itself.

    Args:
        values: Texts, structs of `bytes` and `path`, or anything else.
        rename: Gives the new name.
    """
    if isinstance(values, pyarrow.ChunkedArray):
        old = values.chunks
        new = [renamed(chunk, rename) for chunk in old]
        same = all(one is other for one, other in zip(new, old, strict=True))
        return values if same else pyarrow.chunked_array(new, values.type)
    if _is_text(values.type):
        return pyarrow.array([rename(name) if name else name for name in values.to_pylist()], values.type)
    if not _is_file(values.type):
        return values
    compute: Any = pyarrow.compute
    parts = {field.name: compute.struct_field(values, field.name) for field in values.type}
    alone = parts["bytes"].is_null() if "bytes" in parts else pyarrow.array([True] * len(values))
    if not compute.any(compute.and_(alone, parts["path"].is_valid())).as_py():
        return values
    named = zip(parts["path"].to_pylist(), alone.to_pylist(), strict=True)
    names = [rename(name) if name and is_alone else name for name, is_alone in named]
    parts["path"] = pyarrow.array(names, parts["path"].type)
    return pyarrow.StructArray.from_arrays(list(parts.values()), fields=list(values.type), mask=values.is_null())


def _is_text(kind: Any) -> bool:
    return pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)


def _is_file(kind: Any) -> bool:
    if not pyarrow.types.is_struct(kind):
        return False
    kinds = {field.name: field.type for field in kind}
    return "path" in kinds and kinds.keys() <= {"bytes", "path"} and _is_text(kinds["path"])
