"""How the command line looks: help with examples, and what mistakes are answered with."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from hfft.errors import SetupError, near

EXAMPLES = {
    "init": ("hfft init --data tickets.csv", "hfft init --data pairs.jsonl --source en --target de"),
    "plan": ("hfft plan tickets.yaml", "hfft plan tickets.yaml tune.adapter=lora --json"),
    "find-lr": ("hfft find-lr tickets.yaml", "hfft find-lr tickets.yaml tune.adapter=lora --html rates.html"),
    "sweep": (
        "hfft sweep tickets.yaml --set optim.lr=log:1e-5..1e-3 --trials 20",
        "hfft sweep tickets.yaml train.epochs=2 --space space.yaml --time 2h",
    ),
    "train": ("hfft train tickets.yaml", "hfft train tickets.yaml train.epochs=3 optim.lr=3e-5 --output auto"),
    "predict": ('hfft predict runs/tickets "the printer is on fire"', "hfft predict runs/tickets - < lines.txt"),
    "evaluate": ("hfft evaluate runs/tickets --data march.csv", "hfft evaluate runs/tickets --data march.csv --json"),
    "report": ("hfft report runs/tickets", "hfft report runs/tickets/seed-1"),
    "compare": ("hfft compare runs/tickets runs/tickets-2", "hfft compare runs/a runs/b --metric f1 --html ab.html"),
    "push": ("hfft push runs/tickets me/tickets --private", "hfft push runs/tickets me/tickets --adapter"),
    "pull": ("hfft pull me/tickets", "hfft pull me/tickets --revision v2 --output runs/v2"),
    "list": ("hfft list", "hfft list old/runs"),
    "tasks": ("hfft tasks", "hfft tasks | less"),
    "schema": ("hfft schema > recipe.schema.json", "hfft schema | python -m json.tool"),
}

ELSEWHERE = {
    "learning_rate": "optim.lr",
    "num_train_epochs": "train.epochs",
    "max_steps": "train.steps",
    "per_device_train_batch_size": "train.batch_size",
    "per_device_eval_batch_size": "eval.batch_size",
    "train_sampling_strategy": "train.group_by_length",
    "warmup_ratio": "optim.warmup",
    "warmup_steps": "optim.warmup",
    "lr_scheduler_type": "optim.schedule",
    "model_name_or_path": "model.name",
    "dataset_name": "data.hub",
    "output_dir": "--output",
    "push_to_hub": "publish.to",
}
"""What the settings of transformers' scripts are called here."""

DATA = ("data", "train_file", "dataset", "train", "file", "csv")


class _Command(TyperCommand):
    """A command that says of an option which it does not have how that is given."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if type(error).__name__ != "NoSuchOption":  # typer brings a click of its own in newer versions
                raise
            said: Any = error
            hint = _how_given(ctx.info_name or "", said.option_name, given)
            if said.possibilities and ctx.info_name not in ("train", "plan"):
                hint = f" Possible options: {', '.join(said.possibilities)}."
            hint = hint or f" hfft {ctx.info_name} --help tells them."
            raise SetupError(f"No such option: {said.option_name}.{hint}") from error


def _how_given(name: str, option: str, args: Sequence[str]) -> str:
    """How what an unknown option means is given to a command; nothing where nobody knows."""
    if name == "predict":
        return ' In front of texts that begin with a dash write -- alone: hfft predict RUN -- "-1 is what I got".'
    if name not in ("train", "plan"):
        return ""
    key = option.lstrip("-").replace("-", "_")
    place = next(number for number, text in enumerate(args) if text.partition("=")[0] == option)
    behind = [text for text in args[place + 1 : place + 2] if not text.startswith("-")]
    value = args[place].partition("=")[2] or next(iter(behind), "")
    if key in DATA:
        return f" hfft {name} takes a recipe, which names the data; hfft init --data {value or 'FILE'} writes one."
    settings = _settings()
    found = ELSEWHERE.get(key) or next((dotted for dotted in settings if dotted.rpartition(".")[2] == key), None)
    if found is None:
        nearest = near(key, [dotted.rpartition(".")[2] for dotted in settings])
        return f"{nearest} Settings of the recipe are given without dashes, such as optim.lr=3e-5." if nearest else ""
    if found.startswith("--"):
        return f" Here it is {found} {value or 'DIR'}."
    return f" Settings of the recipe are given without dashes: {found}={value or '...'}"


def _settings() -> list[str]:
    """All settings of a recipe by their dotted keys, those of training first."""
    from hfft.recipe import Recipe

    sections = ("train", "optim", "task", "model", "data", "tune", "eval", "track", "publish", "sweep")
    fields = ((name, getattr(Recipe.model_fields[name].annotation, "model_fields", {})) for name in sections)
    return [f"{section}.{field}" for section, names in fields for field in names]


app = typer.Typer(
    name="hfft",
    help="Fine-tune pretrained Transformers models from a recipe.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(name: str) -> Callable[[Any], Any]:
    """A command of the app, with its examples below its help."""
    shown = "\n".join(["\b", "Examples:", *(f"  {example}" for example in EXAMPLES[name])])
    return app.command(name, cls=_Command, epilog=shown)


def _tell_version(asked: bool) -> None:
    if asked:
        others = (f"{name} {metadata.version(name)}" for name in ("torch", "transformers"))
        typer.echo(f"hfft {metadata.version('hfft')} ({', '.join(others)}, Python {platform.python_version()})")
        raise typer.Exit


@app.callback()
def _hfft(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """What all commands have in common."""


def loading(quiet: bool = False) -> None:
    """Says on a terminal what the next seconds go by with, before anything heavy is imported."""
    if sys.stderr.isatty() and not quiet:
        sys.stderr.write("Loading torch, transformers and datasets ...\n")
