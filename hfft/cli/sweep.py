"""The command `hfft sweep`."""

from __future__ import annotations

from typing import Annotated

import typer

from hfft.cli.app import command, loading
from hfft.cli.commands import Overrides, RecipeFile, Trust


@command("sweep")
def sweep(
    recipe: RecipeFile,
    overrides: Overrides = None,
    space: Annotated[str | None, typer.Option(metavar="FILE", help="A YAML file: values to try, by setting.")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUES",
            help="Values to try: log:1e-5..1e-3, 0.1..0.9, int:1..5, or choices 0.7,0.8; may be repeated.",
        ),
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="How many: sweep.trials=N. Default: 20.")] = None,
    time: Annotated[str | None, typer.Option(metavar="TIME", help="Such as 90m or 2h: sweep.time_limit=TIME.")] = None,
    method: Annotated[str | None, typer.Option(metavar="tpe|random|grid", help="sweep.method. Default: tpe.")] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="A database that several machines share: sweep.storage=URL.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(metavar="DIR", help="The folder of the sweep. Default: runs/NAME-sweep.")
    ] = None,
    trust: Trust = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Try many settings, and choose by the eval split. Goes on by itself; several at once share the work."""
    from hfft.recipe import Recipe
    from hfft.recipe.files import require_data
    from hfft.recipe.space import with_space
    from hfft.registry import require

    require("optuna", "sweep", "hfft sweep")
    given = {"trials": trials, "time_limit": time, "method": method, "storage": storage}
    settings = {name: value for name, value in given.items() if value is not None}
    loaded = Recipe.load(recipe, *(overrides or []))
    require_data(loaded)
    loaded = with_space(loaded, space, sets or [], settings)  # before torch, as with train
    loading(quiet)
    from hfft.api import sweep as run

    run(loaded, output=output, trust=trust, quiet=quiet)
