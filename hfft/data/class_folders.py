"""How class folders are laid out: which subfolders are the classes, and what people may have meant otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hfft.data.folders import IMAGE_ENDINGS, is_visible, leads_back, require_utf8, some
from hfft.errors import DataError

SPLITS = ("train", "test", "val", "valid", "validation", "eval", "dev")
PLACES = ("image", "images", "img", "imgs", "jpegimages", "photos", "pictures")
"""Names of a folder with all images in it: of no class."""
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
LAYOUT = "In an image folder each class needs its own subfolder, named as the class, with its images in it."


def class_names(folder: Path, where: str) -> list[str]:
    """The names of the subfolders of an image folder, sorted.

    Raises:
        DataError: It is laid out in another way.
    """
    visible = sorted(path for path in folder.iterdir() if is_visible(path.name))
    require_utf8(visible, where)
    names = [path.name for path in visible if path.is_dir() and not leads_back(path)]
    files = [path.name for path in visible if path.is_file()]
    images = [name for name in files if Path(name).suffix.lower() in IMAGE_ENDINGS]
    if not visible:
        raise DataError(f"{where}: the folder {folder} is empty. {LAYOUT}")
    if not names:
        others = [name for name in files if name not in images]
        hint = f" If {others[0]} is a table of the data, name it in the folder's place." if others else ""
        raise DataError(f"{where}: the folder {folder} has no subfolders, but {some(files)}. {LAYOUT}{hint}")
    if images:
        raise DataError(
            f"{where}: the folder {folder} has {some(images)} beside the subfolders {some(names)}. {LAYOUT}"
        )
    if all(name.lower() in SPLITS for name in names):
        setting = where.rpartition(".")[0]  # a split of a recipe, `data.files.train`, has a section; `--data` has none
        named = ", ".join(f"{_role(name)}: {folder / name}" for name in names)
        hint = f"Name them apart in {setting}: {{{named}}}." if setting else f"Name one of them: {folder / names[0]}."
        raise DataError(
            f"{where}: the subfolders of {folder} look like splits, not like classes: {', '.join(names)}. {hint}"
        )
    if len(names) == 1:
        _require_class(folder / names[0], files, where)
    return names


def _role(name: str) -> str:
    return name.lower() if name.lower() in ("train", "test") else "eval"


def _require_class(only: Path, beside: Sequence[str], where: str) -> None:
    """Raises DataError where the only subfolder is no class, but holds the classes, or the images of all of them."""
    inside = sorted(path for path in only.iterdir() if is_visible(path.name))
    folders = [path.name for path in inside if path.is_dir()]
    found = f"{where}: the folder {only.parent} has only one subfolder, {only.name}"
    if len(folders) > 1 and len(folders) == len(inside):
        raise DataError(f"{found}, with the subfolders {some(folders)}. If these are the classes, name {only}.")
    if only.name.lower() in PLACES:
        tables = [name for name in beside if Path(name).suffix.lower() in TABLES]
        hint = f" If {tables[0]} has the labels, name {only.with_name(tables[0])} in its place." if tables else ""
        raise DataError(f"{found}, which would be the label of all images. {LAYOUT}{hint}")
