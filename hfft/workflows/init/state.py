"""What the user asks of `hfft init`, and what it is still unsure of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hfft.errors import RecipeError, near
from hfft.tasks import TASKS

GIVEN = "as given"  # why a column was taken

SIZES = ("tiny", "small", "base", "large")

COLUMNS = {
    "text-classification": ("text", "label"),
    "image-classification": ("image", "label"),
    "token-classification": ("tokens", "tags"),
    "summarization": ("source", "target"),
    "translation": ("source", "target"),
}
"""The columns of each task."""


@dataclass(frozen=True)
class InitOptions:
    """The flags of `hfft init`; None, or nothing, where one was not given.

    Attributes:
        data: Files, folders, or one data set of the Hub.
        eval: Files to score while training.
        test: Files to score at the end.
        task: The task's name.
        config: Of a data set of the Hub.
        model: The model's name.
        text: The column of the text, or the two of a pair.
        label: The column of the label, or several.
        source: The column that is read.
        target: The column that is to be written.
        tokens: The column of words, or of texts.
        tags: The column of their tags, or spans.
        image: The column of the image.
        language: Of the texts; of a translation both, such as en-de.
        size: Of the model that is proposed.
        output: Where to write.
        name: Of the run.
    """

    data: tuple[str, ...] = ()
    eval: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    task: str | None = None
    config: str | None = None
    model: str | None = None
    text: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    source: str | None = None
    target: str | None = None
    tokens: str | None = None
    tags: str | None = None
    image: str | None = None
    language: str | None = None
    size: str | None = None
    output: str | None = None
    name: str | None = None

    @property
    def columns(self) -> list[str]:
        """All columns that flags name."""
        return [column for name in _flags(self) for column in self.given(name)]

    def given(self, name: str) -> tuple[str, ...]:
        """The columns that a flag names."""
        value = getattr(self, name)
        return value if isinstance(value, tuple) else () if value is None else (value,)


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


def check_options(wanted: InitOptions) -> None:
    """Refuses flags that are wrong by themselves.

    Raises:
        RecipeError: A task or size is unknown, or two flags do not go together.
    """
    if wanted.task is not None and wanted.task not in TASKS:
        raise RecipeError(
            f"--task is '{wanted.task}', which hfft init does not know.{near(wanted.task, TASKS)} It knows: "
            f"{', '.join(TASKS)}. A task of your own needs a recipe written by hand."
        )
    if wanted.size is not None and wanted.size not in SIZES:
        raise RecipeError(f"--size is '{wanted.size}'.{near(wanted.size, SIZES)} It is one of {', '.join(SIZES)}.")
    if wanted.size is not None and wanted.model is not None:
        raise RecipeError("--size says which model to propose, and --model names one: give only one of the two.")
    if len(wanted.text) > 2:
        raise RecipeError(f"--text is given {len(wanted.text)} times: give one column, or the two of a pair.")
    tasks = tasks_of_flags(wanted)
    if wanted.task is not None:
        for name in _flags(wanted):
            if name not in COLUMNS[wanted.task]:
                needed = " and ".join(f"--{column}" for column in COLUMNS[wanted.task])
                raise RecipeError(f"--{name} has no effect on {wanted.task}, whose columns are named by {needed}.")
    elif not tasks:
        flags = " and ".join(f"--{name}" for name in _flags(wanted))
        raise RecipeError(f"{flags} do not go together: no task has all of these columns (hfft tasks lists them).")


def tasks_of_flags(wanted: InitOptions) -> list[str]:
    """The tasks that have all the columns that flags name, or the one that is given."""
    if wanted.task is not None:
        return [wanted.task]
    return [task for task, names in COLUMNS.items() if set(_flags(wanted)) <= set(names)]


def _flags(wanted: InitOptions) -> list[str]:
    names = dict.fromkeys(name for names in COLUMNS.values() for name in names)
    return [name for name in names if wanted.given(name)]


Sure = Literal["certain", "likely", "unclear"]


@dataclass
class Guess:
    """What is to be learnt.

    Attributes:
        task: The task's name.
        options: Of the task: its columns, and what says how to read them.
        reasons: By option, why, and how sure that is.
        questions: What is not certain; the options hold the best guess.
    """

    task: str
    options: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """All columns that are taken, which each split needs."""
        taken = [self.options[option] for option in (*COLUMNS[self.task], "references") if option in self.options]
        return [name for value in taken for name in (value if isinstance(value, list) else [value])]

    def take(self, option: str, value: Any, reason: str, sure: Sure = "certain") -> None:
        """Sets an option, with the reason and how sure it is."""
        self.options[option] = value
        self.reasons[option] = reason if reason == GIVEN else f"{reason} ({sure})"
