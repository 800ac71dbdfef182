"""Single inputs as columns hold them: texts, lists of words, pictures; and why one of them cannot be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import PIL.Image
from PIL.Image import Image
from transformers.image_utils import load_image

from hfft.data.checks import SHOWN
from hfft.data.folders import require_utf8
from hfft.errors import DataError, near, quoted

PICTURES = (
    "pictures of PIL, arrays, or the names of images, folders and tables. An array is of numbers from 0 to 255 "
    "(uint8), (height, width, 3); PIL.Image.fromarray makes a picture of it, and PIL.Image.open(io.BytesIO(...)) one "
    "of the bytes of a file"
)


def cells_of(values: Iterable[Any], are_pictures: bool, name: str) -> tuple[list[Any], dict[int, str]]:
    """The values of a column as data sets hold them, and why some cannot be asked."""
    cells, faults = [], {}
    for number, value in enumerate(values):
        cell, fault = (None, None)
        if not is_missing(value):
            cell, fault = _picture(value, number, len(faults)) if are_pictures else _text(value, number, name)
        cells.append(cell)
        faults |= {number: fault} if fault else {}
    kinds = {isinstance(cell, list): number for number, cell in reversed(list(enumerate(cells))) if cell is not None}
    if len(kinds) > 1:
        raise DataError(f"Input {kinds[True]} (from 0) is a list of words, but input {kinds[False]} is a text.")
    return cells, faults


def is_missing(value: Any) -> bool:
    """Whether there is nothing in a cell: None, or what pandas has for it."""
    return value is None or value is pandas.NA or value is pandas.NaT or (isinstance(value, float) and np.isnan(value))


def _text(value: Any, number: int, name: str) -> tuple[Any, str | None]:
    """A text, or a list of them, with what stands against asking it."""
    parts = value.tolist() if isinstance(value, np.ndarray) else value
    texts = [parts] if isinstance(parts, str) else parts
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        hint = " PIL.Image needs a model that sees." if isinstance(value, Image) else ""
        raise DataError(
            f"Input {number} (from 0) is of type {type(value).__name__}, {quoted(value)}, but this model reads texts "
            f"({name}).{hint}"
        )
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return None, f"its character {error.start} is half of a surrogate pair, which is no Unicode text"
    return (parts if isinstance(parts, str) else list(texts)), None


def _picture(value: Any, number: int, missing: int = 0) -> tuple[dict[str, Any], str | None]:
    """A picture as data sets hold it, with what stands against asking it.

    Args:
        value: A picture of PIL, an array, the bytes or the name of a file, or a struct of the two.
        number: Its place, for messages.
        missing: How many could not be read before: only of the first few that are not there are like names looked for.
    """
    if isinstance(value, Mapping) and set(value) <= {"bytes", "path"}:
        return {"bytes": value.get("bytes"), "path": value.get("path")}, None
    if isinstance(value, bytes):
        return {"bytes": value, "path": None}, None
    if isinstance(value, np.ndarray):
        value = _from_array(value, number)
    if isinstance(value, Image):
        name = getattr(value, "filename", None) or None
        content, fault = _as_png(value)
        return {"bytes": content, "path": str(name) if name else None}, fault
    if not isinstance(value, (str, Path)):
        raise DataError(f"Input {number} (from 0) is of type {type(value).__name__}, but this model sees {PICTURES}.")
    require_utf8([value], "the input")
    file = Path(value).absolute()
    there = file.is_file()
    siblings = [] if there or missing >= SHOWN or not file.parent.is_dir() else [f.name for f in file.parent.iterdir()]
    return {"bytes": None, "path": str(file)}, None if there else f"there is no file {file}.{near(file.name, siblings)}"


def _from_array(array: np.ndarray, number: int) -> Image:
    if array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3, 4))):
        return PIL.Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)
    raise DataError(
        f"Input {number} (from 0) is of type ndarray, but this model sees {PICTURES}. Its shape is {array.shape}, and "
        f"its numbers are {array.dtype}."
    )


def _as_png(picture: Image) -> tuple[bytes, str | None]:
    """A picture as it is seen, without loss: datasets would write one that was read from a JPEG as a JPEG again."""
    file = BytesIO()
    try:
        load_image(picture).save(file, "PNG")
    except Exception as error:  # Pillow reads a file when it is asked for pixels, and raises almost anything
        return b"", f"the picture cannot be read: {str(error) or type(error).__name__}"
    return file.getvalue(), None
