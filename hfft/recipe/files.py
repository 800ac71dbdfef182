"""The files that a recipe names are looked for before anything heavy is loaded."""

from __future__ import annotations

from hfft.io.paths import matches
from hfft.recipe.recipe import Recipe


def require_files(recipe: Recipe) -> None:
    """Raises DataError where a file of data that the recipe names is not there."""
    for split, names in (recipe.data.files or {}).items():
        for name in [names] if isinstance(names, str) else names:
            matches(name, recipe.data.root, f"data.files.{split}")
