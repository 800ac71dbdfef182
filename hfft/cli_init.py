"""The command that writes a first recipe: init."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hfft.start.wishes import Doubt

Files = list[str] | None
Column = str | None


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
    from hfft.screen import Screen, quiet_libraries
    from hfft.start.first_recipe import write_first_recipe
    from hfft.start.wishes import Wishes

    quiet_libraries()
    wishes = Wishes(
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
    ask = _take_guess if yes else _prompt if sys.stdin.isatty() else _refuse
    write_first_recipe(wishes, ask, Screen().say)


def _take_guess(doubt: Doubt) -> str:
    if doubt.default is None:
        return _refuse(doubt)
    typer.echo(f"{doubt.flag} is taken to be {doubt.default}: {doubt.why}")
    return doubt.default


def _prompt(doubt: Doubt) -> str:
    from hfft.errors import near

    if doubt.why:
        typer.echo(f"Not clear: {doubt.why}.")
    among = f" ({', '.join(doubt.choices)})" if doubt.choices else ""
    while True:
        answer = typer.prompt(f"{doubt.question}{among}", default=doubt.default).strip()
        wrong = [part for part in doubt.parts(answer) if part not in doubt.choices]
        if not doubt.choices or not wrong:
            return answer
        typer.echo(f"There is no '{wrong[0]}'.{near(wrong[0], doubt.choices)}")


def _refuse(doubt: Doubt) -> str:
    from hfft.errors import RecipeError

    if doubt.default is None:
        raise RecipeError(f"{doubt.flag} is missing. {doubt.question}.")
    raise RecipeError(
        f"It is not clear what {doubt.flag} should be: {doubt.why}. Give it; --yes takes '{doubt.default}', and on a "
        "terminal hfft init asks."
    )
