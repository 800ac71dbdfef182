"""The tasks hfft knows, by name. To add one: a file here, a line in TASKS, a tiny example in tests/tiny/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hfft.errors import ModelError, RecipeError
from hfft.registry import find
from hfft.tasks.task import Task

TASKS = {
    "text-classification": "hfft.tasks.text_classification:TextClassification",
    "summarization": "hfft.tasks.seq2seq.task:Summarization",
    "translation": "hfft.tasks.seq2seq.task:Translation",
    "image-classification": "hfft.tasks.image_classification.task:ImageClassification",
    "token-classification": "hfft.tasks.token_classification.task:TokenClassification",
}

ARCHITECTURES = {
    "ForSequenceClassification": ["text-classification"],
    "ForImageClassification": ["image-classification"],
    "ForImageClassificationWithTeacher": ["image-classification"],
    "ForTokenClassification": ["token-classification"],
    "MarianMTModel": ["translation"],
    "M2M100ForConditionalGeneration": ["translation"],
    "ForConditionalGeneration": ["summarization", "translation"],
    "EncoderDecoderModel": ["summarization", "translation"],
}
"""What models are made for, by how their class in transformers ends: the first that fits."""


def find_task(name: str, trust: bool) -> type[Task]:
    """Finds a task's class by its name in TASKS, an entry point of the group `hfft.tasks`, or `module:Class`.

    Raises:
        RecipeError: There is no such task, its code is not trusted, or it lacks a member of `Task`.
    """
    kind = find(name, TASKS, where="task.name", trust=trust, group="hfft.tasks")
    methods = (member for member in vars(Task) if not member.startswith("_"))
    _require(name, [member for member in ("Options", *methods) if not hasattr(kind, member)])
    return kind


def make_task(kind: type[Task], options: Any) -> Task:
    """Makes a task. Raises RecipeError where it lacks an attribute of `Task`, whether of the class or its own."""
    made = kind(options)
    # Not asked of the task itself: what is computed on demand may not be known before the data is.
    known = {*dir(kind), *vars(made)}
    _require(f"{kind.__module__}:{kind.__qualname__}", [name for name in Task.__annotations__ if name not in known])
    return made


def _require(name: str, missing: list[str]) -> None:
    if missing:
        raise RecipeError(f"task.name is '{name}', which lacks {', '.join(sorted(missing))}: see hfft.tasks.task.Task.")


def task_of_architectures(model: str, architectures: Sequence[str] | None) -> str:
    """The name of the task that a model of these transformers classes was made for.

    Raises:
        ModelError: None of hfft's, or one of several.
    """
    for architecture in architectures or ():
        for ending, tasks in ARCHITECTURES.items():
            if architecture.endswith(ending):
                if len(tasks) > 1:
                    raise ModelError(
                        f"'{model}' is a {architecture}, which may do {' or '.join(tasks)}. Say which: "
                        f"task.name={tasks[-1]} (behind --set on the command line)."
                    )
                return tasks[0]
    known = ", ".join(f"*{ending} for {' or '.join(tasks)}" for ending, tasks in ARCHITECTURES.items())
    raise ModelError(
        f"'{model}' is a {', '.join(architectures or ['model without a named architecture'])}, which has no head of a "
        f"task that hfft knows: {known}. A task of your own is named by task.name=package.module:Class (behind --set "
        "on the command line), with --trust."
    )
