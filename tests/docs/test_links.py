"""Every link of the pages leads somewhere: files are there, headings too; addresses are well formed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import FENCE, PAGES

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ADDRESS = re.compile(r"https://[\w.-]+\.[a-z]+(/[\w./#?=&%:@+-]*)?")


def text_of(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    titles = (re.sub(r"[^\w\- ]", "", title.lower()).strip() for title in HEADING.findall(text_of(page)))
    return {title.replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path):
    for target in LINK.findall(text_of(page)):
        if target.startswith("http"):
            assert ADDRESS.fullmatch(target), target
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        assert place.exists(), f"{page.name} leads to {target}, which is not there"
        assert not anchor or anchor in anchors(place), f"{page.name}: {place.name} has no heading #{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_of_the_project_that_a_page_names_are_there(page: Path):
    root = Path(__file__).resolve().parents[2]
    named = re.findall(
        r"`((?:recipes|benchmarks|tests|hfft|accelerate_configs)/[\w./]+\.(?:py|yaml|png))`", text_of(page)
    )
    missing = [name for name in named if not (root / name).exists() and not Path(name).name.startswith("my_")]
    assert missing == []
