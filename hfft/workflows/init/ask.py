"""What becomes of a question that `hfft init` has: the best guess, an answer on the terminal, or an error."""

from __future__ import annotations

import typer

from hfft.errors import RecipeError, near
from hfft.workflows.init.state import Doubt


def take_guess(doubt: Doubt) -> str:
    """Takes the best guess, and says so."""
    if doubt.default is None:
        return refuse(doubt)
    typer.echo(f"{doubt.flag} is taken to be {doubt.default}: {doubt.why}")
    return doubt.default


def prompt(doubt: Doubt) -> str:
    """Asks until the answer is one of the choices, where there are any."""
    if doubt.why:
        typer.echo(f"Not clear: {doubt.why}.")
    among = f" ({', '.join(doubt.choices)})" if doubt.choices else ""
    while True:
        answer = typer.prompt(f"{doubt.question}{among}", default=doubt.default).strip()
        wrong = [part for part in doubt.parts(answer) if part not in doubt.choices]
        if not doubt.choices or not wrong:
            return answer
        typer.echo(f"There is no '{wrong[0]}'.{near(wrong[0], doubt.choices)}")


def refuse(doubt: Doubt) -> str:
    """Raises RecipeError, which says what to give."""
    if doubt.default is None:
        raise RecipeError(f"{doubt.flag} is missing. {doubt.question}.")
    raise RecipeError(
        f"It is not clear what {doubt.flag} should be: {doubt.why}. Give it; --yes takes '{doubt.default}', and on a "
        "terminal hfft init asks."
    )
