"""Reads the splits: whole where they are not too large, else the first rows of their first file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset

from hfft.data.checks import Finding
from hfft.data.files import read_files
from hfft.data.parquet import first_of_parquet
from hfft.data.sources import stream_hub
from hfft.data.table import Table
from hfft.errors import DataError, SetupError
from hfft.start.sources import EVAL_NAMES, TEST_NAMES, Source

LARGE = 200 * 2**20  # bytes of a file of which only the first rows are read
FIRST = 16 * 2**20  # bytes of these
FIRST_ROWS = 20_000  # of a parquet file
HUB_ROWS = 1_000
FIRST_LINE = 2**16  # bytes


@dataclass(frozen=True)
class Split:
    """A split as it was read.

    Attributes:
        name: `train`, `eval` or `test`.
        rows: Those that were read.
        total: How many there are; None where that is not known.
        exact: Whether `total` was counted, rather than estimated.
        place: What the recipe names: of the Hub, the split's name there.
        findings: What is worth a warning in how the files are written.
    """

    name: str
    rows: Dataset
    total: int | None
    exact: bool = True
    place: str = ""
    findings: Sequence[Finding] = ()

    @property
    def whole(self) -> bool:
        """Whether all rows were read."""
        return self.total == len(self.rows)


def read_split(source: Source, name: str, named: Iterable[str], file_columns: Sequence[str] = ()) -> Split:
    """Reads the files of a split.

    Args:
        source: Where they are.
        name: The split's.
        named: The columns that are used.
        file_columns: Columns that name files, as `hfft.data.files.read_files` has it.

    Raises:
        DataError: They cannot be read, or hold no rows.
    """
    flag = "--data" if name == "train" else f"--{name}"
    files, place = source.files[name], ", ".join(Path(file).name for file in source.files[name])
    single = Path(files[0])
    if len(files) == 1 and single.is_file() and single.stat().st_size > LARGE and single.suffix != ".json":
        table, total, exact = _first_rows(single, flag)
    else:
        if len(files) == 1 and single.is_file():
            _require_table(single, flag)
        table, total, exact = read_files(files, ".", flag, file_columns), None, True
    rows = table.rows
    split = Split(name, rows, len(rows) if total is None else total, exact, place, table.findings(name, named))
    if not len(split.rows) or not split.rows.column_names:
        raise DataError(f"{flag}: {place} has no rows.")
    if len(files) == 1 and single.suffix.lower() in (".csv", ".tsv"):
        _require_header(single, split.rows, flag)
    return split


def _require_table(path: Path, flag: str) -> None:
    with open(path, "rb") as file:
        first = file.readline(FIRST_LINE)
    if not first:
        raise DataError(f"{flag}: {path} is empty.")
    if path.suffix.lower() == ".csv" and b"," not in first:
        for delimiter, name, fix in ((b"\t", "tabs", "name it .tsv"), (b";", "';'", "write ',' in their place")):
            if delimiter in first:
                raise DataError(
                    f"{flag}: the first line of {path} has {name} and no commas: {fix}, for .csv has commas."
                )


def _require_header(path: Path, rows: Dataset, flag: str) -> None:
    """Raises DataError where the first line looks like a row."""
    for name in rows.column_names:
        values = rows[:1000][name]
        text = len(name.split()) > 6 or re.fullmatch(r"[-+]?[0-9]*\.[0-9]+", name)
        if text or (name and values.count(name) and len(set(values)) < max(3, len(values))):
            first = ", ".join(f"'{column[:40]}'" for column in rows.column_names)
            raise DataError(
                f"{flag}: the first line of {path} looks like a row, and not like the names of the columns: {first}. "
                "Put a line with names above it, such as: text,label"
            )


def _first_rows(path: Path, flag: str) -> tuple[Table, int, bool]:
    """The first rows of a file, how many there are in all of it, and whether these were counted."""
    if path.suffix.lower() == ".parquet":
        table, total = first_of_parquet(path, FIRST_ROWS)
        return table, total, True
    with open(path, "rb") as file:
        first = file.read(FIRST)
    ends = [place.end() for place in re.finditer(b"\n", first)]
    if path.suffix.lower() in (".csv", ".tsv"):  # inside quotes a line may end where no row does
        quotes = first.count(b'"')
        while ends and quotes % 2:
            quotes -= first[ends.pop() :].count(b'"')
            first = first[: ends[-1]] if ends else b""
            quotes = first.count(b'"')
    first = first[: ends[-1]] if ends else first
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, path.name).write_bytes(first)
        table = read_files([str(Path(folder, path.name))], ".", flag)
    return table, round(len(table.rows) * path.stat().st_size / max(1, len(first))), False


def read_hub(source: Source) -> dict[str, Split]:
    """Looks at a data set of the Hub: the first rows of its splits.

    Raises:
        DataError: It cannot be read, or has no training split.
        SetupError: The Hub cannot be reached.
    """
    assert source.hub is not None
    try:
        first = _first_of_hub(source, "train")
        named = {"train": "train"}
        sizes = _sizes(source)
    except SetupError as error:
        raise SetupError(
            f"{error} hfft init needs a look at the first rows of '{source.hub}': run it where the Hub can be reached, "
            "or download the files and give them with --data."
        ) from error
    for split, names in (("eval", EVAL_NAMES), ("test", TEST_NAMES)):
        found = next((name for name in names if name in sizes), None)
        if found is not None:
            named[split] = found
    rows = {"train": first, **{split: _first_of_hub(source, name) for split, name in named.items() if split != "train"}}
    return {
        split: Split(split, rows[split], sizes.get(name), exact=sizes.get(name) is not None, place=name)
        for split, name in named.items()
    }


def _first_of_hub(source: Source, split: str) -> Dataset:
    stream = stream_hub(str(source.hub), source.config, None, f"{split}[:{HUB_ROWS}]")
    rows = list(stream)
    return Dataset.from_list(rows, features=stream.features)  # type: ignore[arg-type]


def _sizes(source: Source) -> dict[str, int | None]:
    """How many rows each split has, as far as the data set says it."""
    builder = datasets.load_dataset_builder(str(source.hub), source.config)
    told: dict[str, Any] = dict(builder.info.splits or {})
    if not told:
        return dict.fromkeys(datasets.get_dataset_split_names(str(source.hub), source.config))
    return {name: getattr(split, "num_examples", None) or None for name, split in told.items()}
