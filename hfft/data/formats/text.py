"""Files of text: read as UTF-8, and where they are something else, what that is and how it becomes UTF-8."""

from __future__ import annotations

from pathlib import Path

from hfft.errors import DataError

MARK = "\ufeff"  # which some programs begin a file with; where files were put together it stands amid them


def read_text(path: Path) -> str:
    """Reads a file, without the mark that it may begin with.

    Raises:
        DataError: It is not UTF-8, or no text; with the line, and how to convert it.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, {_not_utf8(data, error.start, path.name)}") from None
    if "\0" not in text:
        return text
    for first, encoding in ((0, "utf-16be"), (1, "utf-16le")):
        if len(data) > 8 and 2 * data[first::2].count(0) > len(data) // 2:
            raise DataError(f"{path} is in {encoding}, not in UTF-8. {_convert(encoding, path.name)}")
    line = text.count("\n", 0, text.index("\0")) + 1
    raise DataError(f"{path} is not a text file: it holds zero bytes. The first is in line {line}.")


def _not_utf8(data: bytes, place: int, name: str) -> str:
    line = data.count(b"\n", 0, place) + 1
    found = f"line {line}: the byte 0x{data[place]:02x} is not UTF-8"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return f"{found}; the file is in UTF-16. {_convert('utf-16', name)}"
    if not data.decode("utf-8", "ignore").isascii():
        return (
            f"{found}, though other parts of the file are. Mend that line, or leave out all such bytes: iconv -c -f "
            f"utf-8 -t utf-8 {name}"
        )
    if not any(0x80 <= byte <= 0x9F for byte in set(data)):  # in latin1 control characters, which no text holds
        return f"{found}. {_convert('latin1', name)}"
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return (
            f"{found}. Find out what it is in (`file -i {name}` guesses), and convert it: iconv -f ... -t utf-8 {name}"
        )
    return f"{found}; it looks like Windows' cp1252. {_convert('cp1252', name)}"


def _convert(encoding: str, name: str) -> str:
    return f"Convert the file first, for example: iconv -f {encoding} -t utf-8 {name}"
