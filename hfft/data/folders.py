"""What stands in folders: the files that people put there, and not those that systems and programs leave."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hfft.errors import DataError
from hfft.io.paths import is_visible

# What the names of image files end in: what Pillow opens without other programs, less what may be something else.
IMAGE_ENDINGS = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"),
    *(".pcx", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".tga", ".tif", ".tiff", ".webp"),
)


def files_below(folder: Path, where: str) -> list[str]:
    """The absolute paths of all visible files in a folder or deeper, sorted. Links are followed, but not in circles."""
    files = []
    for place, folders, names in os.walk(folder.absolute(), followlinks=True):
        folders[:] = [name for name in folders if is_visible(name) and not leads_back(Path(place, name))]
        files += [os.path.join(place, name) for name in filter(is_visible, names)]  # noqa: PTH118 - a Path each is slow
    require_utf8(files, where)
    return sorted(files)


def leads_back(folder: Path) -> bool:
    """Whether a folder is a link to one that it lies in, or that was passed on the way to it."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(passed.resolve().is_relative_to(target) for passed in folder.absolute().parents)


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


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
