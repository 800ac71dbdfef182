"""The only import by name: table, then entry point, then `module:attribute`. The trust rule lives here too."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from typing import Any

from hfft.errors import RecipeError, SetupError, near


def find(name: str, table: Mapping[str, str], *, where: str, trust: bool, group: str | None = None) -> Any:
    """Finds the object a recipe names.

    Args:
        name: A name of `table`, of an installed entry point, or `module:attribute`.
        table: Names to `module:attribute` strings; imported only when asked for.
        where: The setting that holds the name, for messages (`task.name`).
        trust: Whether names outside hfft's table and entry points may be imported: doing so runs their code.
        group: The entry point group that may add names.

    Raises:
        RecipeError: The name is not known, cannot be imported, or needs trust that was not given.
    """
    if name in table:
        return _attribute(table[name], where)
    added = {point.name: point for point in importlib.metadata.entry_points(group=group)} if group else {}
    if name in added:
        try:
            return added[name].load()
        except (ImportError, AttributeError) as error:
            raise RecipeError(f"{where} is '{name}', the entry point {added[name].value}: {error}.") from error
    if ":" not in name:
        known = [*table, *added]
        listed = f" Known: {', '.join(known)}." if known else ""
        raise RecipeError(
            f"{where} is '{name}', which is not known.{near(name, known)}{listed} One of your own is named "
            "'package.module:Name' and needs --trust."
        )
    if not trust:
        raise RecipeError(
            f"{where} is '{name}': loading it runs code from outside hfft. "
            "If you trust that code, add --trust (in Python: trust=True)."
        )
    return _attribute(name, where)


def _attribute(path: str, where: str) -> Any:
    module_name, _, attribute = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError, TypeError) as error:  # the last two: no module name, or a relative one
        raise RecipeError(f"{where} is '{path}', and {module_name} cannot be imported: {error}.") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise RecipeError(
            f"{where} is '{path}', but {module_name} has no '{attribute}'.{near(attribute, dir(module))}"
        ) from None


def require(module: str, extra: str, purpose: str) -> None:
    """Raises a SetupError naming the install line, unless the optional `module` is installed. Imports nothing."""
    if importlib.util.find_spec(module) is None:
        raise SetupError(f"{purpose} needs the package '{module}': pip install 'hfft[{extra}]'")
