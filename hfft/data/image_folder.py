"""Folders of images: a subfolder for each class, or one without."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from datasets import ClassLabel, Dataset, Features, Value

from hfft.data.checks import FILM_ENDINGS, NO_TASK, SOUND_ENDINGS, Finding
from hfft.data.folders import IMAGE_ENDINGS, files_below, leads_back, require_utf8, some
from hfft.data.table import Table
from hfft.errors import DataError
from hfft.io.paths import LEFT_BEHIND, is_visible

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


SPLITS = ("train", "test", "val", "valid", "validation", "eval", "dev")

PLACES = ("image", "images", "img", "imgs", "jpegimages", "photos", "pictures")
"""Names of a folder with all images in it: of no class."""

TABLES = (".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".ndjson", ".parquet")

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


def layout_findings(folder: Path, classes: Sequence[str], counts: Sequence[int], setting: str) -> list[Finding]:
    """Counts images whose label may be meant otherwise, and those in folders that are passed over.

    Args:
        folder: Of class folders.
        classes: The names of its subfolders.
        counts: How many images lie in each of these.
        setting: What names the folder, for messages.
    """
    return [
        *_tables_beside(folder, sum(counts), setting),
        *_classes_below(folder, [folder / name for name in classes], counts, setting),
        *_hidden_classes(folder, sum(counts)),
    ]


def _tables_beside(folder: Path, total: int, setting: str) -> list[Finding]:
    visible = sorted(path for path in folder.iterdir() if is_visible(path.name))
    tables = [path for path in visible if path.is_file() and path.suffix.lower() in TABLES]
    text = (
        f"have the name of their folder as label, and {some([path.name for path in tables])} beside the class folders "
        "is not read. If the labels stand there, name it in the folder's place"
    )
    named = f"{setting}: {tables[0]}, and its columns in task.image and task.label" if tables else ""
    return [Finding("table-beside", "", total, total, f"{text} ({named})")] if tables else []


def _classes_below(folder: Path, classes: Sequence[Path], counts: Sequence[int], setting: str) -> list[Finding]:
    """Where all class folders have the same subfolders and no files: `fold1/cat`, `fold1/dog`, `fold2/cat`, ..."""
    inside = [{path for path in one.iterdir() if is_visible(path.name)} for one in classes if one.is_dir()]
    names = [{path.name for path in paths} for paths in inside]
    shared = sorted(set.intersection(*names)) if len(names) > 1 else []
    if len(shared) < 2 or not all(path.is_dir() for paths in inside for path in paths):
        return []
    text = (
        f"lie in subfolders that all class folders have ({some(shared)}), and their label is the name of the folder "
        f"directly below {folder}. If the subfolders are the classes, name {setting}: {folder}/*"
    )
    return [Finding("classes-below", "", sum(counts), sum(counts), text)]


def _hidden_classes(folder: Path, total: int) -> list[Finding]:
    hidden = [path for path in folder.iterdir() if not is_visible(path.name) and path.is_dir()]
    hidden = sorted(path for path in hidden if path.name.lower() not in LEFT_BEHIND)
    found = {path.name: sum(file.suffix.lower() in IMAGE_ENDINGS for file in path.iterdir()) for path in hidden}
    named, count = [name for name, images in found.items() if images], sum(found.values())
    text = f"lie in folders whose names begin with a dot, and are left out: {some(named)}"
    return [Finding("hidden", "", count, total + count, text)] if named else []
