"""Names and patterns of files, and what in folders people put there."""

from __future__ import annotations

import glob
from pathlib import Path

from hfft.errors import DataError, near, shortened

LEFT_BEHIND = frozenset(
    [
        *("__macosx", ".appledouble", ".trashes", "icon\r"),  # macOS, and what packs zips there
        *("@eadir", "#recycle", "#snapshot", "lost+found"),  # network storage, disks
        *("$recycle.bin", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"),  # Windows
        *(".thumbnails", ".trash", ".git", ".cache", ".ipynb_checkpoints"),  # programs
    ]
)
"""What is left behind in folders, in lower case. Hidden are also names that begin with a dot, or with ~$ (Office's)."""


def is_visible(name: str) -> bool:
    """Whether people put the file or folder there, rather than a system or a program."""
    return not name.startswith((".", "__MACOSX", "~$")) and name.lower() not in LEFT_BEHIND


def matches(pattern: str, root: str, where: str) -> list[Path]:
    """The files, or where there are none the folders, that a name or a pattern stands for.

    Args:
        pattern: Of glob; a name that is there is taken letter by letter.
        root: The folder it starts from.
        where: The setting that has it, for messages.

    Raises:
        DataError: There are none.
    """
    path = Path(root, pattern)
    try:
        if path.is_file() or path.is_dir():
            return [path]
    except OSError as error:  # a name that is too long
        raise DataError(f"{where} is '{shortened(pattern)}', which is no name of a file: {error.strerror}.") from None
    start, rest = _named_part(path)
    names = glob.glob(rest, root_dir=start, recursive=True)  # noqa: PTH207 - Path.glob finds hidden files
    matched = sorted(start / name for name in names if is_visible(Path(name).name))
    found = [file for file in matched if file.is_file()] or [folder for folder in matched if folder.is_dir()]
    if found:
        return found
    if "://" in pattern:
        raise DataError(f"{where} is '{pattern}', an address: download it first, and give the name of the file.")
    root = "data.root says where the files lie" if where.startswith("data.") else ""
    siblings = [file.name for file in path.parent.glob("*")] if path.parent.is_dir() else []
    there = near(path.name, siblings) + (f" {root}." if root else "")
    hint = there if path.parent.is_dir() else f" There is no folder {path.parent}{f'; {root}' if root else ''}."
    if "[" in rest:
        hint += " In a pattern [ ] stands for one of the letters inside, and [[] for a bracket."
    raise DataError(f"{where} is '{pattern}', but there is no file {path.absolute()}.{hint}")


def _named_part(path: Path) -> tuple[Path, str]:
    """The folder in which a pattern begins, whose names are taken letter by letter, and the pattern."""
    parts = path.parts
    count = next((count for count in range(len(parts) - 1, 0, -1) if Path(*parts[:count]).is_dir()), 0)
    return Path(*parts[:count]), str(Path(*parts[count:]))
