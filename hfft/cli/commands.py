"""The commands of `hfft`: arguments in, one call, its result out. What is heavy is imported where it is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hfft.cli.app import command, loading
from hfft.errors import SetupError

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

PresetName = Annotated[
    str | None,
    typer.Option("--preset", metavar="quick|best", help="How what the recipe leaves open is chosen: defaults.preset."),
]

Trust = Annotated[bool, typer.Option("--trust", help="Allow code that the recipe names or the model brings.")]


@command("train")
def train(
    recipe: RecipeFile,
    overrides: Overrides = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The run folder. Default: runs/NAME; auto: the next of runs/NAME-2, ..."),
    ] = None,
    resume: Annotated[str, typer.Option(metavar="auto|never|CHECKPOINT", help="Where to go on from.")] = "auto",
    seeds: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Train once with each of these seeds: train.seeds=[N,N,...].")
    ] = None,
    preset: PresetName = None,
    trust: Trust = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print details: a batch, gradients, every score, labels and slices.")
    ] = False,
) -> None:
    """Fine-tune, and leave a run folder. Goes on by itself where it was stopped."""
    from hfft.recipe import Recipe
    from hfft.recipe.files import require_data

    if quiet and verbose:
        raise SetupError("--quiet and --verbose ask for less and for more: give one of them.")

    changes = [*_preset(preset), *(overrides or []), *([f"train.seeds=[{seeds}]"] if seeds is not None else [])]
    loaded = Recipe.load(recipe, *changes)  # before torch: a typing error should cost no seconds
    require_data(loaded)
    loading(quiet)
    from hfft.api import train as run

    run(loaded, output=output, resume=resume, trust=trust, quiet=quiet, verbose=verbose)


def _preset(name: str | None) -> list[str]:
    return [] if name is None else [f"defaults.preset={name}"]


@command("plan")
def plan(
    recipe: RecipeFile,
    overrides: Overrides = None,
    preset: PresetName = None,
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
    from hfft.recipe.files import require_data

    loaded = Recipe.load(recipe, *_preset(preset), *(overrides or []))
    require_data(loaded)
    loading()
    from hfft.api import plan as make
    from hfft.io.console import Console
    from hfft.workflows.samples import SHEET

    made = make(loaded, trust=trust, samples=samples, output=output)
    if as_json:
        sys.stdout.write(json.dumps(made.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        made.show(Console())
    if samples is not None:  # not where the JSON goes
        typer.echo(f"Training images as the model sees them: {Path(samples, SHEET)}", err=as_json)


@command("find-lr")
def find_lr(
    recipe: RecipeFile,
    overrides: Overrides = None,
    steps: Annotated[int, typer.Option(help="Training steps, each with a higher rate, at most.")] = 100,
    html: Annotated[str | None, typer.Option("--html", metavar="FILE", help="Write a page with the curve too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    trust: Trust = False,
) -> None:
    """Look for a learning rate: a few steps, each with a higher one, and where the loss is lowest."""
    from hfft.io.run_folder import check_writable, write_text
    from hfft.recipe import Recipe
    from hfft.recipe.files import require_data

    loaded = Recipe.load(recipe, *(overrides or []))
    require_data(loaded)
    if html is not None:
        check_writable(Path(html))
    loading()
    from hfft.api import find_lr as look
    from hfft.io.console import Console

    found = look(loaded, steps, trust)
    if html is not None:
        write_text(Path(html), found.page())
    if as_json:
        sys.stdout.write(json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        found.show(Console())


@command("predict")
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
    """Answer texts, images, or the rows of csv, xlsx, jsonl, parquet or txt files, with a finished model.

    The answers go to standard output, in the order of the inputs and one for each; all else to standard error.
    """
    from hfft.io.run_folder import check_writable, require_no_near_name

    given: list[str | Path] = [*(inputs or []), *map(Path, files or [])]
    if "-" in given and len(given) > 1:
        raise SetupError("- reads the inputs from standard input: give no others beside it.")
    require_no_near_name(model)
    loading()
    from hfft.io.console import quiet_libraries
    from hfft.workflows.environment import make_accelerator
    from hfft.workflows.finished import open_finished
    from hfft.workflows.inputs.standard_input import read_lines, require_unicode
    from hfft.workflows.predict import answer

    require_unicode(map(str, given))
    quiet_libraries()
    if output is not None:
        check_writable(Path(output))
    finished = open_finished(model, overrides or [], batch_size, trust, make_accelerator())
    asked = read_lines(finished.task, sys.stdin.buffer.read()) if given == ["-"] else given
    made = answer(finished, asked).require_some()
    if output is not None:
        made.save(output)
    else:
        lines = (json.dumps(row, ensure_ascii=False) for row in made.rows) if as_json else made.lines()
        sys.stdout.writelines(f"{line}\n" for line in lines)
    for line in made.summary():
        sys.stderr.write(f"{line}\n")


@command("evaluate")
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
    from hfft.io.run_folder import check_writable, require_no_near_name

    require_no_near_name(model)
    loading()
    from hfft.api import evaluate as score
    from hfft.io.console import Console

    if predictions is not None:
        check_writable(Path(predictions))
    found = score(model, *data, overrides=overrides or [], batch_size=batch_size, trust=trust)
    if predictions is not None:
        found.save(predictions)
    if as_json:
        sys.stdout.write(json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        found.show(Console())


@command("tasks")
def tasks(
    name: Annotated[str | None, typer.Argument(metavar="[TASK]", help="Tell of this one alone.")] = None,
) -> None:
    """Say what each task is for, what its data look like, and which options it has."""
    from hfft.io.console import Console
    from hfft.workflows.describe import describe_tasks

    for line in describe_tasks(name):
        Console().say(line)


@command("schema")
def schema() -> None:
    """Print the JSON schema of recipes, for editors."""
    from hfft.workflows.describe import recipe_schema

    sys.stdout.write(json.dumps(recipe_schema(), indent=2) + "\n")


@command("push")
def push(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    repo: Annotated[str, typer.Argument(metavar="USER/NAME", help="The repository; made where it is not there yet.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="A branch other than main; made where it is not there yet.")
    ] = None,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Publish adapter/ rather than model/, where the run has both.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another model that is there.")] = False,
) -> None:
    """Publish a finished run on the Hub, in one commit: weights, card, recipe, results."""
    from hfft.hub.push import push as publish
    from hfft.io.console import Console

    publish(run, repo, private, revision, adapter, overwrite, console=Console())


@command("pull")
def pull(
    repo: Annotated[str, typer.Argument(metavar="USER/NAME", help="A repository that hfft published.")],
    revision: Annotated[str | None, typer.Option(metavar="REVISION", help="A branch, tag or commit.")] = None,
    output: Annotated[str | None, typer.Option(metavar="DIR", help="The run folder. Default: runs/NAME.")] = None,
) -> None:
    """Fetch a published run: a run folder to predict and evaluate with, or to repeat."""
    from hfft.hub.pull import pull as fetch
    from hfft.io.console import Console

    Console().say(f"Run folder: {fetch(repo, revision, output)}")


@command("report")
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
) -> None:
    """Write report.html and report.json into a run folder, as the end of a training does."""
    from hfft.io.run_folder import RunFolder
    from hfft.reports.facts import write_report

    typer.echo(write_report(RunFolder(run)))


@command("compare")
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Finished runs; the first is the measure.")],
    split: Annotated[str | None, typer.Option(help="The split to compare on. Default: test, else eval.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="A score to compare; may be repeated.")] = None,
    html: Annotated[str | None, typer.Option("--html", metavar="FILE", help="Write a page too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Allow code that the recipes name.")] = False,
) -> None:
    """Compare finished runs on the same examples: paired differences with intervals, and what differs in recipes."""
    from hfft.io.console import Console, quiet_libraries
    from hfft.io.run_folder import check_writable, write_text
    from hfft.reports.compare import compare as make
    from hfft.reports.compare.show import comparison_page, show

    quiet_libraries()
    if html is not None:
        check_writable(Path(html))
    found = make(runs, split=split, metrics=metric, trust=trust)
    if html is not None:
        write_text(Path(html), comparison_page(found))
    if as_json:
        sys.stdout.write(json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        show(found, Console())


@command("list")
def list_(
    folder: Annotated[str, typer.Argument(metavar="[DIR]", help="The folder that the runs are in.")] = "runs",
) -> None:
    """List the runs in a folder, newest first: score, time, size on the disk."""
    from hfft.io.console import Console
    from hfft.reports.listing import COLUMNS, list_runs

    Console().table(f"Runs in {folder}", COLUMNS, [run.cells() for run in list_runs(Path(folder))])


Files = list[str] | None

Column = str | None


@command("init")
def init(
    task: Annotated[str | None, typer.Option(metavar="TASK", help="As hfft tasks lists them.")] = None,
    data: Annotated[
        Files,
        typer.Option(metavar="FILE|FOLDER|NAME", help="The training data; of the Hub owner/name. May be repeated."),
    ] = None,
    eval_files: Annotated[
        Files, typer.Option("--eval", metavar="FILE|FOLDER", help="Scored while training. Default: found, or cut off.")
    ] = None,
    test: Annotated[Files, typer.Option(metavar="FILE|FOLDER", help="Scored at the end. Default: found.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="A Hub id, a folder, or package://NAME/PATH. Default: proposed.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="tiny|small|base|large", help="Of the model that is proposed. Default: base.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="CODE", help="Of the texts: de; of a translation en-de. Default: detected.")
    ] = None,
    text: Annotated[Files, typer.Option(metavar="COLUMN", help="The text to classify; twice for a pair.")] = None,
    label: Annotated[Files, typer.Option(metavar="COLUMN", help="Its label; may be repeated.")] = None,
    source: Annotated[Column, typer.Option(metavar="COLUMN", help="What is read: to translate or summarize.")] = None,
    target: Annotated[Column, typer.Option(metavar="COLUMN", help="What is to be written from it.")] = None,
    tokens: Annotated[Column, typer.Option(metavar="COLUMN", help="Lists of words, or texts, to tag.")] = None,
    tags: Annotated[Column, typer.Option(metavar="COLUMN", help="A tag for each word, or spans.")] = None,
    image: Annotated[Column, typer.Option(metavar="COLUMN", help="The image to classify.")] = None,
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Configuration of a data set of the Hub.")] = None,
    output: Annotated[str | None, typer.Option(metavar="FILE", help="The recipe. Default: recipe.yaml.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the run. Default: the recipe's file.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the best guess where something is unclear.")] = False,
) -> None:
    """Look at data, propose a model, and write a recipe with comments, which hfft plan and hfft train take."""
    from hfft.io.console import Console, quiet_libraries
    from hfft.workflows.init.options import InitOptions
    from hfft.workflows.init.questions import prompt, refuse, take_guess
    from hfft.workflows.init.recipe import write_first_recipe

    quiet_libraries()
    wanted = InitOptions(
        data=tuple(data or ()),
        eval=tuple(eval_files or ()),
        test=tuple(test or ()),
        text=tuple(text or ()),
        label=tuple(label or ()),
        task=task,
        config=config,
        model=model,
        source=source,
        target=target,
        tokens=tokens,
        tags=tags,
        image=image,
        language=language,
        size=size,
        output=output,
        name=name,
    )
    ask = take_guess if yes else prompt if sys.stdin.isatty() else refuse
    write_first_recipe(wanted, ask, Console().say)
