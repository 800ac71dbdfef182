"""The tasks hfft knows, by name. To add one: a file here, a line in TASKS, a tiny example in tests/tiny/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hfft.errors import ModelError, RecipeError
from hfft.registry import find

if TYPE_CHECKING:
    from hfft.tasks.task import Task

TASKS = {
    "text-classification": "hfft.tasks.text_classification:TextClassification",
    "summarization": "hfft.tasks.seq2seq.task:Summarization",
    "translation": "hfft.tasks.seq2seq.task:Translation",
    "image-classification": "hfft.tasks.image_classification.task:ImageClassification",
    "token-classification": "hfft.tasks.token_classification.task:TokenClassification",
    "question-answering": "hfft.tasks.question_answering:QuestionAnswering",
}

ARCHITECTURES = {
    "ForSequenceClassification": ["text-classification"],
    "ForImageClassification": ["image-classification"],
    "ForImageClassificationWithTeacher": ["image-classification"],
    "ForTokenClassification": ["token-classification"],
    "ForQuestionAnswering": ["question-answering"],
    "MarianMTModel": ["translation"],
    "M2M100ForConditionalGeneration": ["translation"],
    "ForConditionalGeneration": ["summarization", "translation"],
    "EncoderDecoderModel": ["summarization", "translation"],
}
"""What models are made for, by how their class in transformers ends: the first that fits."""


def find_task(name: str, trust: bool) -> type[Task]:
    """Finds a task's class by its name in TASKS, an entry point of the group `hfft.tasks`, or `module:Class`.

    Raises:
        RecipeError: There is no such task, its code is not trusted, it does not build on `hfft.tasks.task.Task`, or it
            lacks what each task has to write.
    """
    from hfft.tasks.task import Task, lacking  # which brings torch

    kind = find(name, TASKS, where="task.name", trust=trust, group="hfft.tasks")
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        raise RecipeError(f"task.name is '{name}', which is no subclass of hfft.tasks.task.Task.")
    if missing := lacking(kind):
        raise RecipeError(f"task.name is '{name}', which lacks {', '.join(missing)}: see hfft.tasks.task.Task.")
    return kind


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
