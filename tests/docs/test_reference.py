"""The recipe reference is what the schema says; the page of Python has every public name."""

from __future__ import annotations

import hfft
from docs.make_reference import PAGE, page


def test_the_recipe_reference_is_that_of_the_schema():
    assert PAGE.read_text("utf-8") == page(), "docs/recipe_reference.md is stale: make docs writes it anew"


def test_every_public_name_stands_on_the_page_of_python():
    text = PAGE.with_name("python.md").read_text("utf-8")
    assert [name for name in hfft.__all__ if f"`{name}`" not in text] == []
