"""The command line. Every door passes errors on as one message on standard error and an exit code."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from hfft.errors import HfftError, Stopped

app = typer.Typer(
    name="hfft",
    help="Fine-tune pretrained Transformers models from a recipe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RecipeFile = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe, a YAML file.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to change, such as optim.lr=3e-5.")
]
Trust = Annotated[bool, typer.Option("--trust", help="Allow code that the recipe names or the model brings.")]


@app.command()
def train(
    recipe: RecipeFile,
    overrides: Overrides = None,
    output: Annotated[str | None, typer.Option(metavar="DIR", help="The run folder. Default: runs/NAME.")] = None,
    resume: Annotated[str, typer.Option(metavar="auto|never|CHECKPOINT", help="Where to go on from.")] = "auto",
    trust: Trust = False,
) -> None:
    """Fine-tune, and leave a run folder. Goes on by itself where it was stopped."""
    from hfft.recipe import Recipe

    loaded = Recipe.load(recipe, *(overrides or []))  # before torch: a typing error should cost no seconds
    from hfft.api import train as run

    run(loaded, output=output, resume=resume, trust=trust)


@app.command()
def plan(
    recipe: RecipeFile,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    trust: Trust = False,
) -> None:
    """Do everything but training: checks, a decoded batch, what learns how fast, steps, memory, warnings."""
    from hfft.recipe import Recipe

    loaded = Recipe.load(recipe, *(overrides or []))
    from hfft.api import plan as make
    from hfft.screen import Screen

    made = make(loaded, trust=trust)
    if as_json:
        sys.stdout.write(json.dumps(made.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        made.show(Screen())


@app.command()
def tasks() -> None:
    """List the tasks and their options."""
    from hfft.schema import describe_tasks
    from hfft.screen import Screen

    for line in describe_tasks():
        Screen().say(line)


@app.command()
def schema() -> None:
    """Print the JSON schema of recipes, for editors."""
    from hfft.schema import recipe_schema

    sys.stdout.write(json.dumps(recipe_schema(), indent=2) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 2 the user's to mend, 130 or 143 stopped by a signal, 1 anything else.

    HFFT_TRACEBACK=1 shows the traceback of errors that are the user's to mend.
    """
    try:
        app(args=arguments, prog_name="hfft")
    except HfftError as error:
        if os.environ.get("HFFT_TRACEBACK") == "1":
            raise
        if _speaks():
            sys.stderr.write(f"{'' if isinstance(error, Stopped) else 'Error: '}{error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _speaks() -> bool:
    """Whether this process is the one that speaks for all."""
    return os.environ.get("RANK", "0") == "0"


if __name__ == "__main__":
    main()
