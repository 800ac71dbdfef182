"""Why an image cannot be read, in words, and what may help."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import PIL

from hfft.errors import shortened

LONGEST, OF_OTHERS = 300, 80  # characters of a name in a message, and of what is none

FOLDERS = 1000  # looked into for a file

MISSING = "there is no such file"

OTHERS = {
    "the image itself as numbers": re.compile(r"[0-9.,\s\[\]]{200}$"),
    "the image itself as text (base64)": re.compile(r"data:image/|[A-Za-z0-9+/=\s]{200}$"),
    "an image as Python prints it": re.compile(r"""(^|[/\s])b['"](\\x|GIF8|RIFF|BM)|<PIL\."""),
}
"""What may stand in the place of the name of a file."""


def shown_name(value: Mapping[str, Any]) -> str:
    """The name of an image's file for a message; of bytes their number."""
    path = value["path"]
    if not path:
        return f"of {len(value['bytes'])} bytes"
    return shortened(path, OF_OTHERS if _no_name(path) else LONGEST)


def reason(error: Exception, value: Mapping[str, Any]) -> str:
    """Why an image cannot be read.

    Args:
        error: What its reader raised.
        value: The image, `{"bytes", "path"}`.
    """
    if isinstance(error, OSError) and value["bytes"] is None and (no_name := _no_name(value["path"])):
        return no_name
    if isinstance(error, FileNotFoundError):
        return MISSING
    if isinstance(error, PIL.UnidentifiedImageError):
        return "it is no image of a kind that Pillow can read"
    strerror = error.strerror if isinstance(error, OSError) else None
    return (strerror or str(error) or type(error).__name__).rstrip(".")


def cure(value: Mapping[str, Any], fault: str | None) -> str:
    """What may help where an image cannot be read, as sentences with a leading space; nothing where that is not known.

    Args:
        value: The image, `{"bytes", "path"}`.
        fault: Why it cannot be read, as `reason` has it.
    """
    if value["bytes"] is None and _no_name(value["path"]):
        return " Decode the images into files, and write their names; or put their bytes into a parquet file."
    if fault != MISSING:
        return ""
    path = Path(value["path"])
    start = next((folder for folder in path.parents if folder.is_dir()), None)
    meant = None if start is None or start == start.parent else _meant(start, path)
    if meant is None or start is None:
        return " Names of files start from the folder of the table that they stand in."
    return (
        f" But there is '{meant.relative_to(start)}' in {start}: names need their folder and ending. Write that in the "
        f"place of '{path.relative_to(start)}', and so in all rows."
    )


def _no_name(path: str) -> str | None:
    """What a text is that stands where the name of a file should; None for a name."""
    return next((f"it is no name of a file, but {what}" for what, form in OTHERS.items() if form.search(path)), None)


def _meant(start: Path, wanted: Path) -> Path | None:
    """A file below a folder that a name without its own folder, or without its ending, or with another, may mean."""
    for folder, _, names in islice(os.walk(start), FOLDERS):
        for name in names:
            in_place = Path(folder) == wanted.parent and Path(name).stem == wanted.stem
            if in_place or wanted.name in (name, Path(name).stem):
                return Path(folder, name)
    return None
