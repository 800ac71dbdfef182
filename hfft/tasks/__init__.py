"""The tasks hfft knows, by name. To add one: a file here, a line in TASKS, a tiny example in tests/tiny.py."""

from __future__ import annotations

from hfft.find import find
from hfft.tasks.task import Task

TASKS = {
    "text-classification": "hfft.tasks.text_classification:TextClassification",
}


def find_task(name: str, trust: bool) -> type[Task]:
    """Finds a task's class by its name in TASKS, an entry point of the group `hfft.tasks`, or `module:Class`.

    Raises:
        RecipeError: There is no such task, or its code is not trusted.
    """
    return find(name, TASKS, where="task.name", trust=trust, group="hfft.tasks")
