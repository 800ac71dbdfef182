"""Where the data lies that `hfft init` is given: files, folders, the Hub; its splits and first rows."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset

from hfft.data.checks import Finding
from hfft.data.files import KINDS, read_files
from hfft.data.folders import is_visible
from hfft.data.formats.parquet import first_of_parquet
from hfft.data.sources import stream_hub
from hfft.data.table import Table
from hfft.errors import DataError, RecipeError, SetupError
from hfft.workflows.init.state import InitOptions

EVAL_NAMES = ("eval", "validation", "valid", "val", "dev", "devel")

TEST_NAMES = ("test", "testing", "held_out", "heldout")

TRAIN = re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)

HUB = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")


@dataclass(frozen=True)
class Source:
    """Where the splits come from.

    Attributes:
        files: File names or globs by split, as the user can open them; empty for the Hub.
        hub: The data set's name.
        config: Its configuration.
        beside: The splits that were not given but found.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    hub: str | None = None
    config: str | None = None
    beside: frozenset[str] = frozenset()


def find_source(wanted: InitOptions) -> Source:
    """Finds the files of all splits.

    Raises:
        DataError: A folder has no data that can be told apart.
        RecipeError: Flags do not go together.
    """
    if len(wanted.data) == 1 and is_hub_name(wanted.data[0]):
        for flag in ("eval", "test"):
            if wanted.given(flag):
                raise RecipeError(f"--{flag} names files, but --data is the Hub's '{wanted.data[0]}': leave it out.")
        return Source(hub=wanted.data[0], config=wanted.config)
    if wanted.config is not None:
        raise RecipeError("--config belongs to a data set of the Hub, and --data names files: leave it out.")
    found = {"train": [_opened(name, "--data") for name in wanted.data]}
    given = {"eval": wanted.eval, "test": wanted.test}
    found |= {split: [_opened(name, f"--{split}") for name in names] for split, names in given.items() if names}
    beside = set()
    for split, names in (("eval", EVAL_NAMES), ("test", TEST_NAMES)):
        sibling = _sibling(found["train"][0], names) if split not in found and len(found["train"]) == 1 else None
        if sibling is not None:
            found[split] = [sibling]
            beside.add(split)
    return Source(found, beside=frozenset(beside))


def is_hub_name(name: str) -> bool:
    """Whether it is the name of a data set on the Hub, `owner/name`, and no file or folder."""
    path = Path(name)
    here = path.exists() or path.parent.exists() or path.suffix.lower() in KINDS
    return HUB.fullmatch(name) is not None and not here


def _opened(name: str, flag: str) -> str:
    """The file, the glob or the image folder that is meant by the name of a file or a folder."""
    folder = Path(name)
    if not folder.is_dir():
        return name
    visible = sorted(path for path in folder.iterdir() if is_visible(path.name))
    folders = [path for path in visible if path.is_dir()]
    train = next((path for path in folders if TRAIN.fullmatch(path.name)), None)
    if train is not None and _is_split(train, folders):
        return _opened(str(train), flag)
    tables = [path for path in visible if path.is_file() and path.suffix.lower() in KINDS]
    if folders:  # classes, beside which stand a readme, or lists, as in IMDB's
        tables = [path for path in tables if path.suffix.lower() != ".txt"]
    named = [path for path in tables if TRAIN.search(path.stem)]
    if len(tables) == 1:
        return str(tables[0])
    if len(named) > 1 and (glob := _glob_of(named)) is not None:
        return glob
    if len(named) == 1:
        return str(named[0])
    if tables:
        raise DataError(
            f"{flag}: the folder {folder} has several tables, of which none, or more than one, is named train: "
            f"{', '.join(path.name for path in tables[:8])}. Name the files: --data FILE --eval FILE --test FILE."
        )
    return name


def _is_split(train: Path, folders: Sequence[Path]) -> bool:
    """Whether a folder named train is the split, and not the class of the trains among other classes."""
    others = [path.name.lower() for path in folders if path != train]
    if all(name in (*EVAL_NAMES, *TEST_NAMES) for name in others):
        return True
    return any(path.is_dir() or path.suffix.lower() in KINDS for path in train.iterdir())


def _glob_of(files: Sequence[Path]) -> str | None:
    """What matches parts of one table, such as `train-00000-of-00003.parquet`; None where they are not that."""
    patterns = {re.sub(r"[0-9]+", "*", file.name) for file in files}
    return str(files[0].with_name(patterns.pop())) if len(patterns) == 1 else None


def _sibling(train: str, names: Sequence[str]) -> str | None:
    """The file, glob or folder beside `train` that has one of the names in the place of its own."""
    path = Path(train.rstrip("/"))
    for name in names:
        if TRAIN.search(path.name):
            tried = [TRAIN.sub(name, path.name)]
        else:
            tried = [f"{path.stem}{between}{name}{path.suffix}" for between in ("_", "-", ".")]
            tried += [f"{name}{path.suffix}"] if path.is_file() else []
        for candidate in tried:
            exists = any(path.parent.glob(candidate)) if "*" in candidate else path.with_name(candidate).exists()
            if exists and candidate != path.name:
                return str(path.with_name(candidate))
    return None


def shown_files(files: dict[str, list[str]]) -> tuple[str | None, dict[str, str | list[str]]]:
    """The files as a recipe names them: the folder they start from, None for the one it is used in, and the names.

    Relative names stay so; absolute ones become relative where they lie below the current folder.
    """
    named = {split: [_from_here(name) for name in names] for split, names in files.items()}
    folders = {os.path.dirname(name) for names in named.values() for name in names}  # noqa: PTH120 - globs are no paths
    root = folders.pop() if len(folders) == 1 else os.path.commonpath(folders) if _alike(folders) else ""
    if root:
        named = {split: [os.path.relpath(name, root) for name in names] for split, names in named.items()}
    return root or None, {split: names[0] if len(names) == 1 else names for split, names in named.items()}


def _alike(folders: set[str]) -> bool:
    return len({os.path.isabs(folder) for folder in folders}) == 1 and all(folders)  # noqa: PTH117


def _from_here(name: str) -> str:
    path = Path(name).expanduser()
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_posix()


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
        if len(files) == 1 and single.is_file() and single.suffix.lower() == ".csv":
            _require_commas(single, flag)
        table, total, exact = read_files(files, ".", flag, file_columns), None, True
    rows = table.rows
    split = Split(name, rows, len(rows) if total is None else total, exact, place, table.findings(name, named))
    if not len(split.rows) or not split.rows.column_names:
        raise DataError(f"{flag}: {place} has no rows.")
    if len(files) == 1 and single.suffix.lower() in (".csv", ".tsv"):
        _require_header(single, split.rows, flag)
    return split


def _require_commas(path: Path, flag: str) -> None:
    """Raises DataError where other signs part the names of the columns: a comma in a row would be taken for one."""
    with open(path, "rb") as file:
        first = file.readline(FIRST_LINE)
    for delimiter, name, fix in ((b"\t", "tabs", "name it .tsv"), (b";", "';'", "write ',' in their place")):
        if delimiter in first and b"," not in first:
            raise DataError(f"{flag}: the first line of {path} has {name} and no commas: {fix}, for .csv has commas.")


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
        quotes, end = first.count(b'"'), len(first)
        while ends and quotes % 2:
            ends.pop()
            start = ends[-1] if ends else 0
            quotes -= first.count(b'"', start, end)
            end = start
        first = first[:end]
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
