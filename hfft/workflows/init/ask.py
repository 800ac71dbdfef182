"""What becomes of a question that `hfft init` has: the best guess, an answer on the terminal, or an error."""

from __future__ import annotations

import typer

from hfft.errors import RecipeError, near
from hfft.workflows.init.state import Question


def take_guess(question: Question) -> str:
    """Takes the best guess, and says so."""
    if question.default is None:
        return refuse(question)
    typer.echo(f"{question.flag} is taken to be {question.default}: {question.why}")
    return question.default


def prompt(question: Question) -> str:
    """Asks until the answer is one of the choices, where there are any."""
    if question.why:
        typer.echo(f"Not clear: {question.why}.")
    among = f" ({', '.join(question.choices)})" if question.choices else ""
    while True:
        answer = typer.prompt(f"{question.text}{among}", default=question.default).strip()
        wrong = [part for part in question.parts(answer) if part not in question.choices]
        if not question.choices or not wrong:
            return answer
        typer.echo(f"There is no '{wrong[0]}'.{near(wrong[0], question.choices)}")


def refuse(question: Question) -> str:
    """Raises RecipeError, which says what to give."""
    if question.default is None:
        raise RecipeError(f"{question.flag} is missing. {question.text}.")
    raise RecipeError(
        f"It is not clear what {question.flag} should be: {question.why}. Give it; --yes takes '{question.default}', "
        "and on a terminal hfft init asks."
    )
