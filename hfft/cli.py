"""The command line. Every door passes errors on as one message on standard error and an exit code."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from hfft.cli_hub import pull, push
from hfft.cli_init import init
from hfft.cli_look import compare, report
from hfft.errors import DiskError, HfftError, SetupError, Stopped
from hfft.folder import FULL, refusal

app = typer.Typer(
    name="hfft",
    help="Fine-tune pretrained Transformers models from a recipe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RecipeFile = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe: a YAML file, or hf://USER/NAME of a published run.")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to change, such as optim.lr=3e-5.")
]
FinishedModel = Annotated[str, typer.Argument(metavar="RUN|MODEL", help="A run folder, or a transformers model.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting to change, such as task.text=body.")
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Rows answered at once.")]
Trust = Annotated[bool, typer.Option("--trust", help="Allow code that the recipe names or the model brings.")]


@app.command()
def train(
    recipe: RecipeFile,
    overrides: Overrides = None,
    output: Annotated[str | None, typer.Option(metavar="DIR", help="The run folder. Default: runs/NAME.")] = None,
    resume: Annotated[str, typer.Option(metavar="auto|never|CHECKPOINT", help="Where to go on from.")] = "auto",
    seeds: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Train once with each of these seeds: train.seeds=[N,N,...].")
    ] = None,
    trust: Trust = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print details: a batch, gradients, every score, labels and slices.")
    ] = False,
) -> None:
    """Fine-tune, and leave a run folder. Goes on by itself where it was stopped."""
    from hfft.recipe import Recipe

    if quiet and verbose:
        raise SetupError("--quiet and --verbose ask for less and for more: give one of them.")

    changes = [*(overrides or []), *([f"train.seeds=[{seeds}]"] if seeds is not None else [])]
    loaded = Recipe.load(recipe, *changes)  # before torch: a typing error should cost no seconds
    from hfft.api import train as run

    run(loaded, output=output, resume=resume, trust=trust, quiet=quiet, verbose=verbose)


@app.command()
def plan(
    recipe: RecipeFile,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    samples: Annotated[
        str | None, typer.Option(metavar="DIR", help="Write a sheet of training images here, as the model sees them.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(metavar="DIR", help="The run folder to look at: its disk, and a run that would go on.")
    ] = None,
    trust: Trust = False,
) -> None:
    """Do everything but training: checks, a decoded batch, what learns how fast, steps, memory, warnings."""
    from hfft.recipe import Recipe

    loaded = Recipe.load(recipe, *(overrides or []))
    from hfft.api import plan as make
    from hfft.samples import SHEET
    from hfft.screen import Screen

    made = make(loaded, trust=trust, samples=samples, output=output)
    if as_json:
        sys.stdout.write(json.dumps(made.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        made.show(Screen())
    if samples is not None:  # not where the JSON goes
        typer.echo(f"Training images as the model sees them: {Path(samples, SHEET)}", err=as_json)


class _TakesTexts(TyperCommand):
    """A command whose arguments are texts, which may begin with a dash."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if type(error).__name__ != "NoSuchOption":  # typer brings a click of its own in newer versions
                raise
            said: Any = error
            raise SetupError(
                f"{said.format_message().rstrip('.')}. In front of texts that begin with a dash write -- alone: "
                'hfft predict RUN -- "-1 is what I got".'
            ) from error


@app.command(cls=_TakesTexts)
def predict(
    model: FinishedModel,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]...",
            help="Texts (of pairs both, one after the other), images, folders of them, or tables; - reads standard "
            "input, a text (or the name of an image) a line.",
        ),
    ] = None,
    files: Annotated[
        list[str] | None, typer.Option("--file", metavar="FILE", help="A file, whatever its name; may be repeated.")
    ] = None,
    overrides: Set = None,
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the answers here, as jsonl, and not to the screen.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON objects, a line each.")] = False,
    batch_size: BatchSize = None,
    trust: Trust = False,
) -> None:
    """Answer texts, images, or the rows of csv, jsonl, parquet or txt files, with a finished model.

    The answers go to standard output, in the order of the inputs and one for each; all else to standard error.
    """
    from hfft.answering import answer
    from hfft.environment import make_accelerator
    from hfft.folder import check_writable
    from hfft.opening import open_finished
    from hfft.questions.standard_input import read_lines, require_unicode
    from hfft.screen import quiet_libraries

    given: list[str | Path] = [*(inputs or []), *map(Path, files or [])]
    if "-" in given and len(given) > 1:
        raise SetupError("- reads the inputs from standard input: give no others beside it.")
    require_unicode(map(str, given))
    quiet_libraries()
    if output is not None:
        check_writable(Path(output))
    finished = open_finished(model, overrides or [], batch_size, trust, make_accelerator())
    made = answer(finished, read_lines(finished.task, sys.stdin.buffer.read()) if given == ["-"] else given)
    if output is not None:
        made.save(output)
    else:
        lines = (json.dumps(row, ensure_ascii=False) for row in made.rows) if as_json else made.lines()
        sys.stdout.writelines(f"{line}\n" for line in lines)
    for line in made.summary():
        sys.stderr.write(f"{line}\n")


@app.command()
def evaluate(
    model: FinishedModel,
    data: Annotated[
        list[str],
        typer.Option(
            "--data", metavar="FILE", help="A file with labels, or a folder of images in subfolders; may be repeated."
        ),
    ],
    overrides: Set = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    predictions: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write answers and truths here, as jsonl.")
    ] = None,
    batch_size: BatchSize = None,
    trust: Trust = False,
) -> None:
    """Score a finished model on new rows, with an interval for each score."""
    from hfft.api import evaluate as score
    from hfft.folder import check_writable
    from hfft.screen import Screen

    if predictions is not None:
        check_writable(Path(predictions))
    found = score(model, *data, overrides=overrides or [], batch_size=batch_size, trust=trust)
    if predictions is not None:
        found.save(predictions)
    if as_json:
        sys.stdout.write(json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        found.show(Screen())


@app.command()
def tasks(
    name: Annotated[str | None, typer.Argument(metavar="[TASK]", help="Tell of this one alone.")] = None,
) -> None:
    """Say what each task is for, what its data look like, and which options it has."""
    from hfft.schema import describe_tasks
    from hfft.screen import Screen

    for line in describe_tasks(name):
        Screen().say(line)


@app.command()
def schema() -> None:
    """Print the JSON schema of recipes, for editors."""
    from hfft.schema import recipe_schema

    sys.stdout.write(json.dumps(recipe_schema(), indent=2) + "\n")


for command in (report, compare, push, pull, init):
    app.command()(command)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 2 the user's to mend, 130 or 143 stopped by a signal, 1 anything else.

    HFFT_TRACEBACK=1 shows the traceback of errors that are the user's to mend.
    """
    try:
        app(args=arguments, prog_name="hfft")
    except KeyboardInterrupt:
        sys.exit(130)
    except HfftError as error:
        together = isinstance(error, Stopped)  # all processes have agreed on it
        if not together:
            _let_others_speak_first()
        if os.environ.get("HFFT_TRACEBACK") == "1":
            raise
        if _is_first():
            sys.stderr.write(f"{'' if together else 'Error: '}{error}\n")
        elif not together:
            sys.stderr.write(f"process {os.environ['RANK']}: Error: {error}\n")
        sys.exit(error.exit_code)
    except Exception as error:
        _let_others_speak_first()
        if refusal(error) not in FULL:
            raise
        with contextlib.suppress(OSError):  # standard error may be a file on that very disk
            sys.stderr.write(f"Error: A disk is full: {error}\n")
        sys.exit(DiskError.exit_code)


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _let_others_speak_first() -> None:
    """Waits a few seconds in a process that failed, where there are several, before it says so and ends.

    The first process that ends makes the launcher end all others at once. So what all of them have to say is said once,
    by the main one, whose turn comes first. What befell another alone is said by that one: until its turn the others
    wait for it in vain, and what they would say of its end they have no time to say.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        time.sleep(2 if _is_first() else 4 + int(os.environ.get("LOCAL_RANK", "0")))


if __name__ == "__main__":
    main()
