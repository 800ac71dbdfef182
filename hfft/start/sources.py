"""Where the data is: files, folders or a data set of the Hub; and the files beside those of train that go with them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hfft.data.files import KINDS
from hfft.data.folders import is_visible
from hfft.errors import DataError, RecipeError
from hfft.start.wishes import Wishes

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


def find_source(wishes: Wishes) -> Source:
    """Finds the files of all splits.

    Raises:
        DataError: A folder has no data that can be told apart.
        RecipeError: Flags do not go together.
    """
    if len(wishes.data) == 1 and is_hub_name(wishes.data[0]):
        for flag in ("eval", "test"):
            if wishes.given(flag):
                raise RecipeError(f"--{flag} names files, but --data is the Hub's '{wishes.data[0]}': leave it out.")
        return Source(hub=wishes.data[0], config=wishes.config)
    if wishes.config is not None:
        raise RecipeError("--config belongs to a data set of the Hub, and --data names files: leave it out.")
    found = {"train": [_opened(name, "--data") for name in wishes.data]}
    given = {"eval": wishes.eval, "test": wishes.test}
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
