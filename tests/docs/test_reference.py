"""The recipe reference is what the schema says."""

from __future__ import annotations

from docs.make_reference import PAGE, page


def test_the_recipe_reference_is_that_of_the_schema():
    assert PAGE.read_text("utf-8") == page(), "docs/recipe_reference.md is stale: make docs writes it anew"
