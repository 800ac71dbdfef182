"""Images: one form of column whatever the data holds, opened as transformers opens them, and looked at before training.

A picture that cannot be read is found here, once, and not in the middle of an epoch: every file is decoded whole, and
what was found is kept on disk for the next run over the same files.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import datasets
import numpy as np
import PIL.Image
import pyarrow
import pyarrow.compute
from datasets import Dataset, Value
from PIL import ExifTags
from transformers.image_utils import load_image

from hfft.data import checks
from hfft.data.image_faults import cure, reason, shown_name
from hfft.data.loaders import cores
from hfft.data.tokenization import cache_folder
from hfft.errors import DataError
from hfft.io.progress import progress
from hfft.io.run_folder import read_json, write_text

ROWS = 100  # held as bytes at once: photographs are megabytes each

FORMAT = 1  # of what is kept on disk

TEXT, BYTES = ("string", "large_string"), ("binary", "large_binary")


def as_images(rows: Dataset, column: str, split: str) -> Dataset:
    """Brings a column of images into one form, as `cast_images`, where each row has an image.

    Raises:
        DataError: As `cast_images`, or a row has no image.
    """
    images = cast_images(rows, column, split)
    missing = missing_images(images, column)
    if missing:
        raise DataError(
            f"task.image: {len(missing)} of {len(rows)} rows of the {split} split have no image in the column "
            f"'{column}': {checks.named_rows(missing, split)}. Take them out of the data."
        )
    return images


def cast_images(rows: Dataset, column: str, split: str) -> Dataset:
    """Brings a column of images into one form: `{"bytes", "path"}`, one of them null. No file is opened.

    Args:
        rows: The column holds images of `datasets`, structs of bytes and path, bytes, or the names of files.
        column: Its name.
        split: The split's name, for messages.

    Raises:
        DataError: The column holds something else.
    """
    feature = rows.features[column]
    if not _holds_images(feature):
        raise DataError(
            f"task.image: the column '{column}' of the {split} split holds {feature}, but images are expected: an "
            "image column of a data set, bytes of image files, or names of image files."
        )
    return rows.cast_column(column, datasets.Image(decode=False))


def missing_images(images: Dataset, column: str) -> list[int]:
    """The rows without an image, of a column that `cast_images` gave."""
    return [row for row, is_missing in enumerate(_flags(images, column, _is_missing)) if is_missing]


def open_image(value: Mapping[str, Any]) -> PIL.Image.Image:
    """Opens an image as the pipelines of transformers do: its first frame, turned as its EXIF data says, in RGB.

    Args:
        value: A value of a column that `as_images` gave.

    Raises:
        DataError: It cannot be read.
    """
    with _silenced():
        try:
            return load_image(PIL.Image.open(BytesIO(_content(value))))
        except Exception as error:  # Pillow's readers raise almost anything on a broken file
            raise DataError(f"The image {shown_name(value)} cannot be read: {reason(error, value)}.") from error


@dataclass(frozen=True, eq=False)
class Looked:
    """What a look at every image of a split found, row by row.

    Attributes:
        faults: Why the row cannot be read; None where it can.
        digests: A hash of the file's bytes; empty where the file itself cannot be read.
        sizes: `(rows, 2)`, height and width in pixels after turning; 0 where it cannot be read.
        deep: `(rows,)`, one channel of more than 8 bits, whose values above 255 become white.
        transparent: `(rows,)`, an alpha channel or a transparent colour, which is dropped.
    """

    faults: list[str | None]
    digests: list[bytes]
    sizes: np.ndarray
    deep: np.ndarray
    transparent: np.ndarray

    @property
    def readable(self) -> np.ndarray:
        """`(rows,)`, whether the row can be read."""
        return np.array([fault is None for fault in self.faults], dtype=bool)


def look_at(rows: Dataset, column: str) -> Looked:
    """Decodes every image of a column that `as_images` gave, in threads; the result is kept on disk for the next time.

    Images given as bytes are known again by their bytes, files by path, size and time of change. What could not be read
    is tried again each time: a disk may have been away, or Pillow may have got a reader that it lacked.
    """
    with ThreadPoolExecutor(cores()) as pool:
        digest = hashlib.sha256(json.dumps([FORMAT, PIL.__version__]).encode())
        for stamp in _mapped(rows, column, _stamp, pool):
            digest.update(stamp)
        file = cache_folder() / "images" / f"{digest.hexdigest()[:32]}.json"
        looked = _kept(file, len(rows))
        if looked is None:
            looked = _look_at_all(rows, column, pool)
            write_text(file, _as_json(looked))
        elif not looked.readable.all():
            again = np.flatnonzero(~looked.readable)
            found = _look_at_all(rows.select(again), column, pool)
            if found.faults != [looked.faults[row] for row in again]:
                looked = _replaced(looked, again, found)
                write_text(file, _as_json(looked))
    return looked


def _look_at_all(rows: Dataset, column: str, pool: ThreadPoolExecutor) -> Looked:
    PIL.Image.init()  # Pillow loads its readers late, and a thread beside the loading one misses them
    seen: list[_Seen] = []
    with _silenced(), progress("Looking at images", "images") as tell:
        for found in _mapped(rows, column, _look, pool):
            seen.append(found)
            tell(len(seen), len(rows))
    return _joined(seen)


def _replaced(looked: Looked, rows: np.ndarray, found: Looked) -> Looked:
    """What was found, with some rows replaced by what was found in them later."""
    faults, digests = list(looked.faults), list(looked.digests)
    sizes, deep, transparent = looked.sizes.copy(), looked.deep.copy(), looked.transparent.copy()
    for number, row in enumerate(rows):
        faults[row], digests[row] = found.faults[number], found.digests[number]
    sizes[rows], deep[rows], transparent[rows] = found.sizes, found.deep, found.transparent
    return Looked(faults, digests, sizes, deep, transparent)


def image_findings(split: str, rows: Dataset, column: str, looked: Looked) -> list[checks.Finding]:
    """Counts what `look_at` found in a split: images that cannot be read, or lose depth or transparency.

    Args:
        split: Its name.
        rows: As `as_images` gave it.
        column: The column of the images.
        looked: What was found.
    """
    total = len(looked.faults)
    faulty = np.flatnonzero(~looked.readable)[: checks.SHOWN].tolist()
    reasons = "; ".join(f"{Path(shown_name(rows[row][column])).name}: {looked.faults[row]}" for row in faulty)
    unreadable = f"cannot be read and are left out ({reasons})"
    return [
        *checks.count_rows("unreadable", split, ~looked.readable, total, unreadable),
        *checks.count_rows("deep", split, looked.deep, total, DEEP),
        *checks.count_rows("transparent", split, looked.transparent, total, TRANSPARENT),
    ]


def repeated_images(looked: Mapping[str, Looked], labels: Sequence[Hashable]) -> list[checks.Finding]:
    """Counts images that stand twice, and those that have two labels.

    Args:
        looked: What `look_at` found in each split.
        labels: The label of each training row, or None where it has none.
    """
    keys = {split: _keys(split, seen) for split, seen in looked.items()}
    return checks.repeated(keys, _itself) + checks.contradictions(keys["train"], labels, _itself)


def _itself(key: Hashable) -> Hashable:
    return key


def none_left(rows: Dataset, column: str, looked: Looked, split: str) -> DataError:
    """The error for a split of which `look_at` left no row, with the first image that cannot be read.

    Args:
        rows: The split, as `as_images` gave it.
        column: The column of the images.
        looked: What `look_at` found in it.
        split: Its name.
    """
    row = int(np.argmin(looked.readable))
    value, fault = rows[row][column], looked.faults[row]
    return DataError(
        f"task.image: no image of the {split} split is left: {int((~looked.readable).sum())} of {len(rows)} cannot be "
        f"read, the first, {shown_name(value)}, since {fault}.{cure(value, fault)}"
    )


DEEP = (
    "have one channel of more than 8 bits, which Pillow and transformers clip to 0 to 255 instead of scaling it "
    "(all above 255 becomes white); convert them to 8 bits first"
)

TRANSPARENT = "have an alpha channel or a transparent colour, which is dropped: what lay beneath it shows"


def _keys(split: str, seen: Looked) -> list[Hashable]:
    """What makes two images the same; one that cannot be read is like no other."""
    return [
        digest if fault is None else (split, row)
        for row, (digest, fault) in enumerate(zip(seen.digests, seen.faults, strict=True))
    ]


def _holds_images(feature: Any) -> bool:
    if isinstance(feature, datasets.Image):
        return True
    if isinstance(feature, Value):
        return feature.dtype in (*TEXT, *BYTES)
    kinds = {"bytes": (*BYTES, "null"), "path": (*TEXT, "null")}
    return (
        isinstance(feature, dict)
        and bool(feature)
        and all(isinstance(part, Value) and part.dtype in kinds.get(name, ()) for name, part in feature.items())
    )


def _flags(images: Dataset, column: str, flag: Callable[[Any], Any]) -> Iterator[bool]:
    for batch in images.select_columns(column).with_format("arrow").iter(ROWS):
        yield from flag(cast(pyarrow.Table, batch)[column]).to_pylist()


def _is_missing(images: Any) -> Any:
    compute: Any = pyarrow.compute
    content, path = (compute.struct_field(images, name) for name in ("bytes", "path"))
    nameless = compute.fill_null(compute.equal(path, ""), True)  # an empty cell of a csv file
    return compute.and_(compute.is_null(content), nameless)


def _content(value: Mapping[str, Any]) -> bytes:
    content = value["bytes"] if value["bytes"] is not None else Path(value["path"]).read_bytes()
    if not content:
        raise ValueError("it is empty")
    return content


@contextmanager
def _silenced() -> Iterator[None]:
    """Pillow warns of odd EXIF data and of very large images: what it can read is read, the rest is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _mapped(rows: Dataset, column: str, function: Callable[[Any], Any], pool: ThreadPoolExecutor) -> Iterator[Any]:
    for batch in rows.select_columns(column).with_format("arrow").iter(ROWS):
        yield from pool.map(function, cast(pyarrow.Table, batch)[column].to_pylist())


def _stamp(value: dict[str, Any]) -> bytes:
    """What changes when an image does. A file that cannot be opened has a stamp of its own."""
    if value["bytes"] is not None:
        return _digest(value["bytes"])
    path = Path(value["path"]).absolute()
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
        stamp = [str(path), status.st_size, status.st_mtime_ns]
    except (OSError, ValueError):
        stamp = [str(path), -1, -1]
    return _digest(json.dumps(stamp).encode())


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


@dataclass
class _Seen:
    fault: str | None = None
    digest: bytes = b""
    size: tuple[int, int] = (0, 0)
    deep: bool = False
    transparent: bool = False


def _look(value: dict[str, Any]) -> _Seen:
    seen = _Seen()
    try:
        content = _content(value)
        seen.digest = _digest(content)
        image = PIL.Image.open(BytesIO(content))
        width, height = image.size
        # A JPEG is decoded at an eighth of its size: all its data is read just the same (of 3,299 cuts through a
        # baseline and a progressive file each was found), and 500 x 375 pixels take 0.5 instead of 2.2 ms.
        if image.draft(None, (1, 1)) is None:
            width, height = load_image(image).size
        else:
            load_image(image)
            if image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8):  # lies on its side
                width, height = height, width
    except Exception as error:  # Pillow's readers raise almost anything on a broken file
        seen.fault = reason(error, value)
        return seen
    seen.size = (height, width)
    seen.deep = image.mode.startswith(("I", "F"))  # 16 and 32 bits; colours of 16 bits Pillow scales itself
    seen.transparent = image.has_transparency_data
    return seen


def _joined(seen: list[_Seen]) -> Looked:
    return Looked(
        [each.fault for each in seen],
        [each.digest for each in seen],
        np.array([each.size for each in seen], dtype=np.int64).reshape(len(seen), 2),
        np.array([each.deep for each in seen], dtype=bool),
        np.array([each.transparent for each in seen], dtype=bool),
    )


def _as_json(looked: Looked) -> str:
    return json.dumps(
        {
            "faults": looked.faults,
            "digests": [digest.hex() for digest in looked.digests],
            "sizes": looked.sizes.tolist(),
            "deep": looked.deep.tolist(),
            "transparent": looked.transparent.tolist(),
        }
    )


def _kept(file: Path, rows: int) -> Looked | None:
    try:
        kept = read_json(file)
        looked = Looked(
            kept["faults"],
            [bytes.fromhex(digest) for digest in kept["digests"]],
            np.array(kept["sizes"], dtype=np.int64).reshape(-1, 2),
            np.array(kept["deep"], dtype=bool),
            np.array(kept["transparent"], dtype=bool),
        )
        parts = (looked.faults, looked.digests, looked.sizes, looked.deep, looked.transparent)
        return looked if {len(part) for part in parts} == {rows} else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):  # not there, or damaged
        return None
