"""Image folders: the name of a subfolder is the label of the images in it. No image is decoded here.

Every visible file counts, whatever its name ends in: what is no image is found and named when the images are looked at.
"""

from __future__ import annotations

import math
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
SNIFFED = 8  # files, to tell texts from images
UTF16 = (b"\xff\xfe", b"\xfe\xff")  # how such texts begin
LAYOUT = "In an image folder each class needs its own subfolder, named as the class, with its images in it."


def class_names(folder: Path, where: str) -> list[str]:
    """The names of the subfolders of an image folder, sorted.

    Raises:
        DataError: It is laid out in another way.
    """
    visible = sorted(path for path in folder.iterdir() if _is_visible(path.name))
    require_utf8(visible, where)
    names = [path.name for path in visible if path.is_dir() and not _leads_back(path)]
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
        setting = where.rpartition(".")[0]  # a split of a recipe, `data.files.train`, has a section; `--data` has none
        named = ", ".join(f"{_role(name)}: {folder / name}" for name in names)
        hint = f"Name them apart in {setting}: {{{named}}}." if setting else f"Name one of them: {folder / names[0]}."
        raise DataError(
            f"{where}: the subfolders of {folder} look like splits, not like classes: {', '.join(names)}. {hint}"
        )
    return names


def read_class_folders(folders: Iterable[Path], classes: list[str], where: str) -> Dataset:
    """Rows of `image`, an absolute path, and `label`, one of `classes`: all visible files below their subfolders.

    Raises:
        DataError: There are no files in a folder, or texts and no images, or one has a name that is not UTF-8.
    """
    images, labels = [], []
    for folder in folders:
        before = len(images)
        for number, name in enumerate(classes):
            found = _files_below(folder / name, where)
            images += found
            labels += [number] * len(found)
        if len(images) == before:
            raise DataError(f"{where}: the subfolders of {folder} hold no files. {LAYOUT}")
        _refuse_texts(folder, images[before:], where)
    return Dataset.from_dict(
        {"image": images, "label": labels}, Features({"image": Value("string"), "label": ClassLabel(names=classes)})
    )


def _refuse_texts(folder: Path, files: Sequence[str], where: str) -> None:
    """Raises DataError where class folders hold texts: their names would be learnt from in the place of what they say.

    Images need no ending. Files without one of an image are texts if they begin with no zero byte, as others soon do.
    """
    if any(Path(name).suffix.lower() in IMAGE_ENDINGS for name in files):
        return
    begun = [_beginning(Path(name)) for name in files[:: math.ceil(len(files) / SNIFFED)]]
    if any(begun) and all(b"\0" not in begin or begin.startswith(UTF16) for begin in begun):
        named = [str(Path(name).relative_to(folder.absolute())) for name in files]
        raise DataError(
            f"{where}: the subfolders of {folder} hold texts, and no images: {_some(named)}. Folders of classes are "
            "read for images alone. Write the texts into one table, such as a .csv file with the columns text and "
            "label and a line for each text, and name it in the folder's place."
        )


def _beginning(file: Path) -> bytes:
    """The first bytes; none where it cannot be read, which is said when the images are looked at."""
    try:
        with file.open("rb") as opened:
            return opened.read(2**12)
    except OSError:
        return b""


def read_flat_folders(folders: Iterable[Path], where: str) -> Dataset:
    """Rows of `image` alone, an absolute path: all visible files in the folders or deeper.

    Raises:
        DataError: As `read_class_folders`.
    """
    images = []
    for folder in folders:
        found = _files_below(folder, where)
        if not found:
            raise DataError(f"{where}: the folder {folder} holds no files.")
        images += found
    return image_rows(images, where)


def _files_below(folder: Path, where: str) -> list[str]:
    """The absolute paths of all visible files in a folder or deeper, sorted. Links are followed, but not in circles."""
    files = []
    for place, folders, names in os.walk(folder.absolute(), followlinks=True):
        folders[:] = [name for name in folders if _is_visible(name) and not _leads_back(Path(place, name))]
        files += [os.path.join(place, name) for name in filter(_is_visible, names)]  # noqa: PTH118 - a Path each is slow
    require_utf8(files, where)
    return sorted(files)


def _leads_back(folder: Path) -> bool:
    """Whether a folder is a link to one that it lies in, or that was passed on the way to it."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(passed.resolve().is_relative_to(target) for passed in folder.absolute().parents)


def _is_visible(name: str) -> bool:
    """Whether people put the file there: not so what systems and programs leave (`__MACOSX`: those that pack zips)."""
    return not name.startswith((".", "__MACOSX")) and name.lower() not in ("thumbs.db", "desktop.ini")


def require_utf8(paths: Iterable[str | Path], where: str) -> None:
    """Raises DataError where a name is not UTF-8, which neither tables nor files of results can hold."""
    for path in paths:
        try:
            os.fspath(path).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{where}: the name {os.fsencode(path)!r} is not UTF-8. Rename the file or the folder; "
                "`convmv -r -f latin1 -t utf-8 --notest FOLDER` renames all in a folder, if latin1 is what they are in."
            ) from None


def image_rows(images: Iterable[str | Path], where: str) -> Dataset:
    """Rows of `image` alone, the absolute path of each of these files.

    Raises:
        DataError: A name is not UTF-8.
    """
    images = list(images)
    require_utf8(images, where)
    return Dataset.from_dict(
        {"image": [str(Path(image).absolute()) for image in images]}, Features({"image": Value("string")})
    )


def _role(name: str) -> str:
    return name.lower() if name.lower() in ("train", "test") else "eval"


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
