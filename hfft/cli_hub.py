"""The commands that speak with the Hub: push and pull."""

from __future__ import annotations

from typing import Annotated

import typer


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
    from hfft.hub import push as publish
    from hfft.screen import Screen

    publish(run, repo, private, revision, adapter, overwrite, screen=Screen())


def pull(
    repo: Annotated[str, typer.Argument(metavar="USER/NAME", help="A repository that hfft published.")],
    revision: Annotated[str | None, typer.Option(metavar="REVISION", help="A branch, tag or commit.")] = None,
    output: Annotated[str | None, typer.Option(metavar="DIR", help="The run folder. Default: runs/NAME.")] = None,
) -> None:
    """Fetch a published run: a run folder to predict and evaluate with, or to repeat."""
    from hfft.hub import pull as fetch
    from hfft.screen import Screen

    Screen().say(f"Run folder: {fetch(repo, revision, output)}")
