"""What a recipe's data need beside it is looked for before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hfft.errors import DataError
from hfft.io.paths import matches
from hfft.recipe.recipe import Recipe
from hfft.recipe.sections import MemoryTable


def require_data(recipe: Recipe, tables: Iterable[str] = ()) -> None:
    """Raises DataError where a file of data that the recipe names is not there, or a table of Python is not given.

    Args:
        recipe: The recipe.
        tables: The splits of which a table is given.
    """
    for split, names in (recipe.data.files or {}).items():
        for name in [names] if isinstance(names, str) else names:
            matches(name, recipe.data.root, f"data.files.{split}")
    memory, given = recipe.data.memory or {}, set(tables)
    if not memory.keys() <= given:
        raise DataError(
            f"The data of this recipe were tables in Python: {described(memory)}. Give them again, "
            f"hfft.train(recipe, data={{{', '.join(f'{split!r}: ...' for split in memory)}}}), or give data.files."
        )


def described(tables: Mapping[str, MemoryTable]) -> str:
    """Tables that were given in Python, by split, in a few words."""
    return "; ".join(
        split
        if table.rows is None
        else f"{split}, a {table.kind} of {table.rows} rows ({', '.join(table.columns or [])})"
        for split, table in tables.items()
    )
