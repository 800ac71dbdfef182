"""The flags of `hfft init`, and the tasks whose columns they name."""

from __future__ import annotations

from dataclasses import dataclass

from hfft.errors import RecipeError, near
from hfft.tasks import TASKS

SIZES = ("tiny", "small", "base", "large")

COLUMNS = {
    "text-classification": ("text", "label"),
    "image-classification": ("image", "label"),
    "token-classification": ("tokens", "tags"),
    "summarization": ("source", "target"),
    "translation": ("source", "target"),
}
"""By task, the options that name its columns, each of which is a flag too."""

WRITING = ("summarization", "translation")  # the tasks whose answers are texts


@dataclass(frozen=True)
class InitOptions:
    """The flags of `hfft init`, whose help says what they mean; None, or nothing, where one was not given."""

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
    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns that flags name, by flag."""
        flags = dict.fromkeys(flag for flags in COLUMNS.values() for flag in flags)
        given = {flag: getattr(self, flag) for flag in flags}
        return {flag: value if isinstance(value, tuple) else (value,) for flag, value in given.items() if value}

    @property
    def columns(self) -> list[str]:
        """All columns that flags name."""
        return [column for columns in self.named.values() for column in columns]

    @property
    def tasks(self) -> list[str]:
        """The task that is given, or else all that have the columns that flags name."""
        return [self.task] if self.task else [task for task in COLUMNS if self.named.keys() <= {*COLUMNS[task]}]


def check_options(wanted: InitOptions) -> None:
    """Refuses flags that are wrong by themselves.

    Raises:
        RecipeError: A task or size is unknown, or two flags do not go together.
    """
    task, flags = wanted.task, [f"--{flag}" for flag in wanted.named]
    if task is not None and task not in TASKS:
        raise RecipeError(
            f"--task is '{task}', which hfft init does not know.{near(task, TASKS)} It knows: {', '.join(TASKS)}. "
            "A task of your own needs a recipe written by hand."
        )
    if wanted.size is not None and wanted.size not in SIZES:
        raise RecipeError(f"--size is '{wanted.size}'.{near(wanted.size, SIZES)} It is one of {', '.join(SIZES)}.")
    if wanted.size is not None and wanted.model is not None:
        raise RecipeError("--size says which model to propose, and --model names one: give only one of the two.")
    if len(wanted.text) > 2:
        raise RecipeError(f"--text is given {len(wanted.text)} times: give one column, or the two of a pair.")
    if not wanted.tasks:
        raise RecipeError(
            f"{' and '.join(flags)} do not go together: no task has all of these columns (hfft tasks lists them)."
        )
    needed = [f"--{flag}" for flag in COLUMNS[wanted.tasks[0]]]
    useless = [flag for flag in flags if task is not None and flag not in needed]
    if useless:
        raise RecipeError(f"{useless[0]} has no effect on {task}, whose columns are named by {' and '.join(needed)}.")
