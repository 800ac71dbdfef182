"""CoNLL files: a word and its tag a line, and an empty line behind each sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from hfft.data.findings import Finding
from hfft.data.formats.text import read_text_of_any_program
from hfft.data.table import Table, table_of
from hfft.errors import DataError, shortened

ENTITY = re.compile(r"[BILUESM]-\S+")

BLANKS = re.compile("[ \t]+")  # and no other white space: a word may hold some

DOCUMENT = "-DOCSTART-"  # how a line between documents begins


def read_conll(path: Path) -> Table:
    """Reads rows of `tokens` and `tags`: the first and the last of a line's fields, which tabs or else blanks part.

    Raises:
        DataError: A line has more or fewer fields than most, or no tag; with the line.
    """
    return conll_table(path, *read_text_of_any_program(path))


def conll_table(path: Path, text: str, remarks: Sequence[Finding]) -> Table:
    """The rows of a file's text, as `read_conll` gives and refuses them, with what is worth a warning in the text."""
    lines = _fields(text)
    width = Counter(len(fields) for fields in lines if fields).most_common(1)
    wanted = max(2, width[0][0]) if width else 2
    sentences = []
    for is_sentence, group in groupby(enumerate(lines, start=1), lambda line: bool(line[1])):
        words = list(group) if is_sentence else []
        while words and _is_remark(words[0][1], wanted):
            del words[0]
        for line, fields in words:
            if len(fields) != wanted:
                raise DataError(
                    f"{path}, line {line}: {len(fields)} fields ({shortened(' '.join(fields))}) where {wanted} are "
                    "expected. A line holds a word and its tag, as its first and its last field, with a tab or blanks "
                    "between them; an empty line stands behind each sentence."
                )
        if words:
            sentences.append([(fields[0], fields[-1]) for _, fields in words])
    columns = [[[part[place] for part in words] for words in sentences] for place in (0, 1)]
    return table_of(str(path), {"tokens": columns[0], "tags": columns[1]}, remarks)


def is_conll(text: str) -> bool:
    """Whether every line that is not empty ends in a tag of BIO or its like, and not all of these are O."""
    tags = [
        fields[-1] if len(fields) > 1 else "" for fields in _fields(text) if fields and not fields[0].startswith("#")
    ]
    return all(tag == "O" or ENTITY.fullmatch(tag) for tag in tags) and set(tags) > {"O"}


def _is_remark(fields: list[str], words: int) -> bool:
    """Whether a line before a sentence is about it, such as `# id = 3`; a line of a word has a number of fields."""
    return fields[0].startswith("#") and (len(fields) != words or any("=" in part for part in fields))


def _fields(text: str) -> list[list[str]]:
    """The fields of each line; none of one that is empty, or that stands between documents."""
    lines = [line.strip(" \t\r") for line in text.split("\n")]
    lines = ["" if line.startswith(DOCUMENT) else line for line in lines]
    tabs = all("\t" in line for line in lines if line and not line.startswith("# "))
    return [re.split("\t+" if tabs else BLANKS, line) if line else [] for line in lines]
