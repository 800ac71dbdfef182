"""How several processes wait for each other: minutes while all work, hours where the main one works alone.

A process that died is missed in the first collective operation it does not come to, after `TOGETHER`. That is too short
where the main process reads and tokenizes all data, writes weights or uploads them, and the others have nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar, cast

import torch.distributed as dist
from accelerate import Accelerator

from hfft.errors import HfftError, SetupError

TOGETHER = timedelta(minutes=10)

ALONE = timedelta(hours=3)

Found = TypeVar("Found")


@contextmanager
def main_process_first(accelerator: Accelerator) -> Iterator[None]:
    """The main process goes through this alone, then all others."""
    if not accelerator.is_main_process:
        _wait(accelerator)
    yield
    if accelerator.is_main_process:
        _wait(accelerator)


def _wait(accelerator: Accelerator) -> None:
    if accelerator.num_processes > 1:
        dist.barrier(_patient(dist.group.WORLD))


@cache
def _patient(world: Any) -> Any:
    """A group of all processes that waits long. All of them make it together, once for each group of the world.

    Of gloo, whatever the other one is: its connections break at once where a process dies.
    """
    return dist.new_group(backend="gloo", timeout=ALONE)


def on_main(accelerator: Accelerator, act: Callable[[], Found]) -> Found:
    """Does something in the main process alone, such as writing files or drawing at random. It may take hours.

    What it gives there is given in all processes, and what it raises is raised in all: they all call this, and agree.

    Raises:
        HfftError: As `act`; of any other error the other processes get its text as a SetupError.
    """
    if accelerator.num_processes == 1:
        return act()
    found: Any = None
    raised: Exception | None = None
    if accelerator.is_main_process:
        try:
            found = act()
        except Exception as error:
            raised = error
    told = raised
    if raised is not None and not isinstance(raised, HfftError):  # it may be one that cannot be sent
        told = SetupError(f"The main process failed: {type(raised).__name__}: {raised}")
    given = [(found, told)]
    dist.broadcast_object_list(given, src=0, group=_patient(dist.group.WORLD))
    found, told = given[0]
    if told is not None:
        raise raised or told
    return cast(Found, found)


def meet(accelerator: Accelerator) -> None:
    """Lets all processes make what they need for waiting; they call it together, before the first wait."""
    if accelerator.num_processes > 1:
        _patient(dist.group.WORLD)
