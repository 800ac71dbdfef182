"""The fenced blocks of the pages, in order, and what kind each is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^(`{3,})(.*?)\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\w+)\.(yaml|py)\n")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Where it stands.
        line: Its first line, counted from 1.
        language: The word behind the fence.
        note: What stands behind that word: `fails`, `output`, `files`.
        text: What is in it.
    """

    page: Path
    line: int
    language: str
    note: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}, line {self.line}"

    @property
    def file(self) -> str | None:
        """The file that its first line says it is."""
        found = NAMED.match(self.text)
        return f"{found[1]}.{found[2]}" if found else None


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for found in FENCE.finditer(text):
        language, _, note = found[2].strip().partition(" ")
        yield Block(page, text.count("\n", 0, found.start()) + 2, language, note, found[3])


def recipes_of_pages() -> dict[str, Block]:
    """The recipes that the pages give names to, by name; each has a name of its own."""
    made: dict[str, Block] = {}
    for block in (block for page in PAGES for block in blocks_of(page) if block.language == "yaml" and block.file):
        name = str(block.file).removesuffix(".yaml")
        assert name not in made or made[name].text == block.text, f"{name}.yaml: {made[name].place}, {block.place}"
        made.setdefault(name, block)
    return made
