"""What `hfft init` is not sure of, and who answers: the user on a terminal, the best guess, or an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import typer

from hfft.errors import RecipeError, near


@dataclass(frozen=True)
class Question:
    """Something that was neither given nor guessed with confidence.

    Attributes:
        field: Of `InitOptions`.
        text: For people at a terminal.
        default: The best guess; None where there is none.
        choices: What may be answered; empty for anything.
        why: What makes it unclear.
        several: Whether several of the choices may be answered, with commas between them.
    """

    field: str
    text: str
    default: str | None
    choices: tuple[str, ...] = ()
    why: str = ""
    several: bool = False

    @property
    def flag(self) -> str:
        """The flag that answers it."""
        return f"--{self.field}"

    def parts(self, answer: str) -> tuple[str, ...]:
        """The single answers in an answer."""
        if not self.several or answer in self.choices:
            return (answer,)
        return tuple(part.strip() for part in answer.split(","))


Ask = Callable[[Question], str]


def take_guess(question: Question) -> str:
    """Takes the best guess, and says so."""
    if question.default is None:
        return refuse(question)
    typer.echo(f"{question.flag} is taken to be {question.default}: {question.why}")
    return question.default


def prompt(question: Question) -> str:
    """Asks until the answer is one of the choices, where there are any. Ctrl-C and Ctrl-D raise KeyboardInterrupt."""
    if question.why:
        typer.echo(f"Not clear: {question.why}.")
    among = f" ({', '.join(question.choices)})" if question.choices else ""
    while True:
        try:
            answer = typer.prompt(f"{question.text}{among}", default=question.default).strip()
        except typer.Abort:  # Ctrl-C or Ctrl-D
            raise KeyboardInterrupt from None
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
