"""Image folders: the name of a subfolder is the label of the images in it. No image is opened here.

Every visible file counts, whatever its name ends in: what is no image is found and named when the images are looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from datasets import ClassLabel, Dataset, Features, Value

from hfft.errors import DataError

# What the names of image files end in: what Pillow opens without other programs, less what may be something else.
IMAGE_ENDINGS = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"),
    *(".pcx", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".tga", ".tif", ".tiff", ".webp"),
)
SPLITS = ("train", "test", "val", "valid", "validation", "eval", "dev")
LAYOUT = "In an image folder each class needs its own subfolder, named as the class, with its images in it."


def class_names(folder: Path, where: str) -> list[str]:
    """The names of the subfolders of an image folder, sorted.

    Raises:
        DataError: It is laid out in another way.
    """
    visible = sorted(path for path in folder.iterdir() if _is_visible(path.name))
    names = [path.name for path in visible if path.is_dir()]
    files = [path.name for path in visible if path.is_file()]
    images = [name for name in files if Path(name).suffix.lower() in IMAGE_ENDINGS]
    if not visible:
        raise DataError(f"{where}: the folder {folder} is empty. {LAYOUT}")
    if not names:
        others = [name for name in files if name not in images]
        hint = f" If {others[0]} is a table of the data, name it in the folder's place." if others else ""
        raise DataError(f"{where}: the folder {folder} has no subfolders, but {_some(files)}. {LAYOUT}{hint}")
    if images:
        raise DataError(
            f"{where}: the folder {folder} has {_some(images)} beside the subfolders {_some(names)}. {LAYOUT}"
        )
    if all(name.lower() in SPLITS for name in names):
        setting = where.rpartition(".")[0] or "data.files"
        named = ", ".join(f"{_role(name)}: {folder / name}" for name in names)
        raise DataError(
            f"{where}: the subfolders of {folder} look like splits, not like classes: {', '.join(names)}. "
            f"Name them apart in {setting}: {{{named}}}."
        )
    return names


def read_class_folders(folders: Iterable[Path], classes: list[str], where: str) -> Dataset:
    """Rows of `image`, an absolute path, and `label`, one of `classes`: all visible files below their subfolders.

    Raises:
        DataError: There are no files in a folder.
    """
    images, labels = [], []
    for folder in folders:
        before = len(images)
        for number, name in enumerate(classes):
            found = _files_below(folder / name)
            images += found
            labels += [number] * len(found)
        if len(images) == before:
            raise DataError(f"{where}: the subfolders of {folder} hold no files. {LAYOUT}")
    return Dataset.from_dict(
        {"image": images, "label": labels}, Features({"image": Value("string"), "label": ClassLabel(names=classes)})
    )


def read_flat_folders(folders: Iterable[Path], where: str) -> Dataset:
    """Rows of `image` alone, an absolute path: all visible files in the folders or deeper.

    Raises:
        DataError: There are no files in a folder.
    """
    images = []
    for folder in folders:
        found = _files_below(folder)
        if not found:
            raise DataError(f"{where}: the folder {folder} holds no files.")
        images += found
    return image_rows(images)


def _files_below(folder: Path) -> list[str]:
    """The absolute paths of all visible files in a folder or deeper, sorted."""
    files = []
    for place, folders, names in os.walk(folder.absolute(), followlinks=True):
        folders[:] = filter(_is_visible, folders)
        files += [os.path.join(place, name) for name in filter(_is_visible, names)]  # noqa: PTH118 - a Path each is slow
    return sorted(files)


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in ("thumbs.db", "desktop.ini")


def image_rows(images: Iterable[str | Path]) -> Dataset:
    """Rows of `image` alone, the absolute path of each of these files."""
    return Dataset.from_dict(
        {"image": [str(Path(image).absolute()) for image in images]}, Features({"image": Value("string")})
    )


def _role(name: str) -> str:
    return name.lower() if name.lower() in ("train", "test") else "eval"


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
