"""What a task has to write, and what is said where it does not."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import BaseModel

from hfft.errors import RecipeError
from hfft.tasks import TASKS, find_task
from hfft.tasks.task import Task


class Bare(Task):
    """Writes its options, and `loss` in the place of `logits`."""

    Options: ClassVar[type[BaseModel]] = BaseModel
    loss = None  # type: ignore[assignment]


class Alone:
    """Builds on nothing."""


def test_every_task_of_hfft_has_what_it_must_write():
    assert all(issubclass(find_task(name, trust=False), Task) for name in TASKS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Bare", "which lacks auto_class, labels, predict, compute_metrics, preprocess: see hfft.tasks.task.Task"),
        ("Alone", "which is no subclass of hfft.tasks.task.Task"),
    ],
)
def test_a_task_that_lacks_something_is_refused_by_name(name, said):
    with pytest.raises(RecipeError, match=f"task.name is 'tests.unit.tasks.test_task:{name}', {said}"):
        find_task(f"tests.unit.tasks.test_task:{name}", trust=True)
