"""The tasks hfft knows, by name. To add one: a file here, a line in TASKS, a tiny example in tests/tiny.py."""

from __future__ import annotations

from collections.abc import Sequence

from hfft.errors import ModelError, RecipeError
from hfft.find import find
from hfft.tasks.task import Task

TASKS = {
    "text-classification": "hfft.tasks.text_classification:TextClassification",
}


ARCHITECTURES = {"ForSequenceClassification": "text-classification"}  # how transformers' classes end


def find_task(name: str, trust: bool) -> type[Task]:
    """Finds a task's class by its name in TASKS, an entry point of the group `hfft.tasks`, or `module:Class`.

    Raises:
        RecipeError: There is no such task, its code is not trusted, or it lacks a member of `Task`.
    """
    kind = find(name, TASKS, where="task.name", trust=trust, group="hfft.tasks")
    wanted = {*(name for name in vars(Task) if not name.startswith("_")), "Options", "lower_is_better"}
    missing = sorted(name for name in wanted if not hasattr(kind, name))
    if missing:
        raise RecipeError(f"task.name is '{name}', which lacks {', '.join(missing)}: see hfft.tasks.task.Task.")
    return kind


def task_of_architectures(model: str, architectures: Sequence[str] | None) -> str:
    """The name of the task that a model of these transformers classes was made for.

    Raises:
        ModelError: None of hfft's.
    """
    for architecture in architectures or ():
        for ending, task in ARCHITECTURES.items():
            if architecture.endswith(ending):
                return task
    raise ModelError(
        f"'{model}' is a {', '.join(architectures or ['model without a named architecture'])}, which has no head of a "
        f"task that hfft knows: {', '.join(f'*{ending} for {task}' for ending, task in ARCHITECTURES.items())}."
    )
