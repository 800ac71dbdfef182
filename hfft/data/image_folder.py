"""Image folders: the name of a subfolder is the label of the images in it. No image is decoded here.

Every visible file counts, whatever its name ends in: what is no image is found and named when the images are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from datasets import ClassLabel, Dataset, Features, Value

from hfft.data.class_folders import LAYOUT, layout_findings
from hfft.data.folders import IMAGE_ENDINGS, files_below, require_utf8, some
from hfft.data.sounds import FILM_ENDINGS, NO_TASK, SOUND_ENDINGS
from hfft.data.table import Table
from hfft.errors import DataError

SNIFFED = 8  # files, to tell texts from images
UTF16 = (b"\xff\xfe", b"\xfe\xff")  # how such texts begin


def read_class_folders(folders: Iterable[Path], classes: list[str], where: str) -> Table:
    """Rows of `image`, an absolute path, and `label`, one of `classes`: all visible files below their subfolders.

    Raises:
        DataError: There are no files in a folder, or texts, sounds or films and no images, or one has a name that is
            not UTF-8.
    """
    images, labels, remarks = [], [], []
    for folder in folders:
        found = [files_below(folder / name, where) for name in classes]
        counts = [len(files) for files in found]
        files = [file for some_of_them in found for file in some_of_them]
        if not files:
            raise DataError(f"{where}: the subfolders of {folder} hold no files. {LAYOUT}")
        _refuse_others(folder, files, where)
        images += files
        labels += [number for number, count in enumerate(counts) for _ in range(count)]
        remarks += layout_findings(folder, classes, counts, where)
    features = Features({"image": Value("string"), "label": ClassLabel(names=classes)})
    return Table(Dataset.from_dict({"image": images, "label": labels}, features), remarks=remarks)


def _refuse_others(folder: Path, files: Sequence[str], where: str) -> None:
    """Raises DataError where class folders hold sounds, films or texts: their names would be read, not what they say.

    Images need no ending. Files without one of an image are texts if they begin with no zero byte, as others soon do.
    """
    if any(Path(name).suffix.lower() in IMAGE_ENDINGS for name in files):
        return
    if all(Path(name).suffix.lower() in (*SOUND_ENDINGS, *FILM_ENDINGS) for name in files):
        raise DataError(f"{where}: the subfolders of {folder} hold sounds or films, but {NO_TASK}.")
    begun = [_beginning(Path(name)) for name in files[:: math.ceil(len(files) / SNIFFED)]]
    if any(begun) and all(b"\0" not in begin or begin.startswith(UTF16) for begin in begun):
        named = [str(Path(name).relative_to(folder.absolute())) for name in files]
        raise DataError(
            f"{where}: the subfolders of {folder} hold texts, and no images: {some(named)}. Folders of classes are "
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
        found = files_below(folder, where)
        if not found:
            raise DataError(f"{where}: the folder {folder} holds no files.")
        images += found
    return image_rows(images, where)


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
