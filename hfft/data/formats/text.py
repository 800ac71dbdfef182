"""Files of text: UTF-8, UTF-16 by the mark it begins with, and cp1252 where a kind of file may be in it."""

from __future__ import annotations

import re
from pathlib import Path

from hfft.data.findings import Finding
from hfft.errors import DataError, quoted

MARK = "\ufeff"  # which some programs begin a file with; where files were put together it stands amid them

AROUND = 20  # characters shown before and behind the first one that was guessed


def read_text(path: Path) -> str:
    """Reads a file in UTF-8 or UTF-16, without the mark that it may begin with.

    Raises:
        DataError: It is in another encoding, or no text; with the line, and how to convert it.
    """
    data = path.read_bytes()
    text = _unicode(path, data)
    if text is None:
        raise DataError(
            f"{path}, {_first_odd_byte(data)}; it looks like Windows' cp1252. {_convert('cp1252', path.name)}"
        )
    return text


def read_text_of_any_program(path: Path) -> tuple[str, list[Finding]]:
    """Reads a file as `read_text`, or else in Windows' cp1252, which a finding says with the first line read so.

    Raises:
        DataError: It is in another encoding, or no text; with the line.
    """
    data = path.read_bytes()
    text = _unicode(path, data)
    if text is not None:
        return text, []
    text = _without_zeros(path, data, data.decode("cp1252"))
    lines = text.rstrip("\n").split("\n")
    guessed = [number for number, line in enumerate(lines) if not line.isascii()]
    first = lines[guessed[0]].rstrip("\r")
    place = next(place for place, letter in enumerate(first) if not letter.isascii())
    shown = quoted(first[max(0, place - AROUND) : place + AROUND])
    what = f"of {path.name} are not in UTF-8, and are read as Windows' cp1252: line {guessed[0] + 1} holds {shown}"
    return text, [Finding("encoding", "", len(guessed), len(lines), what, "lines")]


def _unicode(path: Path, data: bytes) -> str | None:
    """The text of a file in UTF-8 or UTF-16; None where it is neither, but may be in cp1252."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return _without_zeros(path, data, data.decode(encoding))
    except UnicodeDecodeError as error:
        if encoding == "utf-16":
            raise DataError(f"{path} is in UTF-16, but broken at byte {error.start}: {error.reason}.") from None
    _require_cp1252(path, data)
    return None


def _without_zeros(path: Path, data: bytes, text: str) -> str:
    if "\0" not in text:
        return text
    for first, encoding in ((0, "utf-16be"), (1, "utf-16le")):
        if len(data) > 8 and 2 * data[first::2].count(0) > len(data) // 2:
            raise DataError(f"{path} is in {encoding}, not in UTF-8. {_convert(encoding, path.name)}")
    line = text.count("\n", 0, text.index("\0")) + 1
    raise DataError(f"{path} is not a text file: it holds zero bytes. The first is in line {line}.")


def _require_cp1252(path: Path, data: bytes) -> None:
    """Raises DataError where bytes that are not UTF-8 are rather damaged UTF-8 than cp1252, or cannot be cp1252."""
    name, found = path.name, f"{path}, {_first_odd_byte(data)}"
    halves = data.decode("utf-8", "replace")
    if len(re.findall("[^\0-\x7f\ufffd]", halves)) >= halves.count("\ufffd"):  # by chance a few bytes fit together
        raise DataError(
            f"{found}, though other parts of the file are. Mend that line, or leave out all such bytes: iconv -c -f "
            f"utf-8 -t utf-8 {name}"
        )
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        raise DataError(
            f"{found}. Find out what it is in (`file -i {name}` guesses), and convert it: iconv -f ... -t utf-8 {name}"
        ) from None


def _first_odd_byte(data: bytes) -> str:
    try:
        data.decode()
        raise AssertionError("only asked of what is not UTF-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return f"line {line}: the byte 0x{data[error.start]:02x} is not UTF-8"


def _convert(encoding: str, name: str) -> str:
    return f"Convert the file first, for example: iconv -f {encoding} -t utf-8 {name}"
