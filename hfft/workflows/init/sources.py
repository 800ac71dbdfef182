"""Where the data lies that `hfft init` is given, files, folders or the Hub; its splits and their first rows."""

from __future__ import annotations

import posixpath
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
from hfft.data.formats.parquet import first_of_parquet
from hfft.data.sources import stream_hub
from hfft.data.table import Table
from hfft.errors import DataError, RecipeError, SetupError
from hfft.io.paths import is_visible
from hfft.workflows.init.options import InitOptions

SPLIT_NAMES = {
    "eval": ("eval", "validation", "valid", "val", "dev", "devel"),
    "test": ("test", "testing", "held_out", "heldout"),
}
"""The splits beside train, and what their files, folders, or splits on the Hub are called."""

TRAIN = re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)

HUB = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")

LARGE = 200 * 2**20  # bytes of a file of which only the first rows are read

FIRST = 16 * 2**20  # bytes of these

FIRST_ROWS = 20_000  # of a parquet file

HUB_ROWS = 1_000


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
        for flag in SPLIT_NAMES:
            if getattr(wanted, flag):
                raise RecipeError(f"--{flag} names files, but --data is the Hub's '{wanted.data[0]}': leave it out.")
        return Source(hub=wanted.data[0], config=wanted.config)
    if wanted.config is not None:
        raise RecipeError("--config belongs to a data set of the Hub, and --data names files: leave it out.")
    given = {"train": wanted.data, "eval": wanted.eval, "test": wanted.test}
    files = {split: [_opened(name, _flag(split)) for name in names] for split, names in given.items() if names}
    missing = [split for split in SPLIT_NAMES if split not in files and len(wanted.data) == 1]
    found = {split: [file] for split in missing if (file := _sibling(files["train"][0], SPLIT_NAMES[split]))}
    return Source(files | found, beside=frozenset(found))


def _flag(split: str) -> str:
    return "--data" if split == "train" else f"--{split}"


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
    named = tables if len(tables) == 1 else [path for path in tables if TRAIN.search(path.stem)]
    parts = {re.sub(r"[0-9]+", "*", path.name) for path in named}  # train-00000-of-00003.parquet
    if len(parts) == 1:
        return str(named[0] if len(named) == 1 else folder / parts.pop())
    if tables:
        raise DataError(
            f"{flag}: the folder {folder} has several tables, of which none, or more than one, is named train: "
            f"{', '.join(path.name for path in tables[:8])}. Name the files: --data FILE --eval FILE --test FILE."
        )
    return name


def _is_split(train: Path, folders: Sequence[Path]) -> bool:
    """Whether a folder named train is the split, and not the class of the trains among other classes."""
    splits = {name for names in SPLIT_NAMES.values() for name in names}
    if all(path.name.lower() in splits for path in folders if path != train):
        return True
    return any(path.is_dir() or path.suffix.lower() in KINDS for path in train.iterdir())


def _sibling(train: str, names: Sequence[str]) -> str | None:
    """The file, glob or folder beside `train` that has one of the names in the place of its own."""
    path = Path(train.rstrip("/"))
    for name in names:
        if TRAIN.search(path.name):
            tried = [TRAIN.sub(name, path.name)]
        else:
            tried = [f"{path.stem}{between}{name}{path.suffix}" for between in "_-."]
            tried += [f"{name}{path.suffix}"] if path.is_file() else []
        for candidate in tried:
            exists = path.with_name(candidate).exists() or ("*" in candidate and any(path.parent.glob(candidate)))
            if exists and candidate != path.name:
                return str(path.with_name(candidate))
    return None


def shown_files(files: dict[str, list[str]]) -> tuple[str | None, dict[str, str | list[str]]]:
    """The files as a recipe names them: the folder they start from, None for the one it is used in, and the names.

    Relative names stay so; absolute ones become relative where they lie below the current folder. All have slashes, so
    that a recipe written on Windows is read anywhere.
    """
    named = {split: [_from_here(name) for name in names] for split, names in files.items()}
    try:
        root = posixpath.commonpath({posixpath.dirname(name) for names in named.values() for name in names})
    except ValueError:  # some are relative, and some are not
        root = ""
    if root:
        named = {split: [posixpath.relpath(name, root) for name in names] for split, names in named.items()}
    return root or None, {split: names[0] if len(names) == 1 else names for split, names in named.items()}


def _from_here(name: str) -> str:
    path = Path(name).expanduser()
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_posix()


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
    """Reads the files of a split, of a large file the first rows.

    Args:
        source: Where they are.
        name: The split's.
        named: The columns that are used.
        file_columns: Columns that name files, as `hfft.data.files.read_files` has it.

    Raises:
        DataError: They cannot be read, or hold no rows.
    """
    files, flag = source.files[name], _flag(name)
    place = ", ".join(Path(file).name for file in files)
    single = Path(files[0]) if len(files) == 1 and Path(files[0]).is_file() else None
    if single is not None and single.stat().st_size > LARGE and _has_first_rows(single):
        table, total, exact = _first_rows(single, flag)
    else:
        table = read_files(files, ".", flag, file_columns, number_columns=None)
        total, exact = len(table.rows), True
    if not len(table.rows) or not table.rows.column_names:
        raise DataError(f"{flag}: {place} has no rows.")
    if single is not None and single.suffix.lower() in (".csv", ".tsv", ".xlsx"):
        _require_header(single, table.rows, flag)
    return Split(name, table.rows, total, exact, place, table.findings(name, named))


def _require_header(path: Path, rows: Dataset, flag: str) -> None:
    """Raises DataError where the first line looks like a row."""
    for name in rows.column_names:
        values = rows[:1000][name]
        text = len(name.split()) > 6 or re.fullmatch(r"[-+]?[0-9]*\.[0-9]+", name)
        if text or (name and name in values and len(set(values)) < max(3, len(values))):
            first = ", ".join(f"'{column[:40]}'" for column in rows.column_names)
            raise DataError(
                f"{flag}: the first line of {path} looks like a row, and not like the names of the columns: {first}. "
                "Put a line with names above it, such as: text,label"
            )


def _has_first_rows(path: Path) -> bool:
    """Whether the first rows can be read without the rest."""
    with open(path, "rb") as file:
        is_utf16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    return path.suffix.lower() not in (".json", ".xlsx") and not is_utf16


def _first_rows(path: Path, flag: str) -> tuple[Table, int, bool]:
    """The first rows of a file, how many there are in all of it, and whether these were counted."""
    if path.suffix.lower() == ".parquet":
        table, total = first_of_parquet(path, FIRST_ROWS)
        return table, total, True
    with open(path, "rb") as file:
        lines = file.readlines(FIRST)
    if path.suffix.lower() in (".csv", ".tsv"):  # inside quotes a line may end where no row does
        quotes = sum(line.count(b'"') for line in lines)
        while quotes % 2:
            quotes -= lines.pop().count(b'"')
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, path.name).write_bytes(b"".join(lines))
        table = read_files([str(Path(folder, path.name))], ".", flag, number_columns=None)
    return table, round(len(table.rows) * path.stat().st_size / max(1, sum(map(len, lines)))), False


def read_hub(source: Source) -> dict[str, Split]:
    """Looks at a data set of the Hub: the first rows of its splits.

    Raises:
        DataError: It cannot be read, or has no training split.
        SetupError: The Hub cannot be reached.
    """
    try:
        train = _first_of_hub(source, "train")
        sizes = _sizes(source)
    except SetupError as error:
        raise SetupError(
            f"{error} hfft init needs a look at the first rows of '{source.hub}': run it where the Hub can be reached, "
            "or download the files and give them with --data."
        ) from error
    found = {split: next((name for name in names if name in sizes), None) for split, names in SPLIT_NAMES.items()}
    rows = {split: (name, _first_of_hub(source, name)) for split, name in found.items() if name is not None}
    return {
        split: Split(split, first, sizes.get(name), sizes.get(name) is not None, name)
        for split, (name, first) in {"train": ("train", train), **rows}.items()
    }


def _first_of_hub(source: Source, split: str) -> Dataset:
    stream = stream_hub(str(source.hub), source.config, None, f"{split}[:{HUB_ROWS}]")
    return Dataset.from_list(list(stream), features=stream.features)  # type: ignore[arg-type]


def _sizes(source: Source) -> dict[str, int | None]:
    """How many rows each split has, as far as the data set says it."""
    builder = datasets.load_dataset_builder(str(source.hub), source.config)
    told: dict[str, Any] = dict(builder.info.splits or {})
    names = told or datasets.get_dataset_split_names(str(source.hub), source.config)
    return {name: getattr(told.get(name), "num_examples", None) or None for name in names}
