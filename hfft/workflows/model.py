"""A finished model in the hand: opened once, asked as often as one likes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch

from hfft.errors import SetupError, near
from hfft.workflows.finished import Finished
from hfft.workflows.predict import Evaluation, answer, score

Precision = Literal["float32", "bfloat16"]

AT_ONCE = 256  # inputs of a stream that are read ahead, so that those of like length are answered together


@dataclass(frozen=True)
class OneDevice:
    """What answering needs of an Accelerator, where there is one process: of these there may be several, each its own.

    Attributes:
        device: Where the model is.
        dtype: Of its weights, and of what it computes.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    process_index: int = 0
    num_processes: int = 1

    def autocast(self) -> AbstractContextManager[Any]:
        """Computes in `dtype`."""
        plain = self.dtype == torch.float32
        return nullcontext() if plain else torch.autocast(self.device.type, dtype=self.dtype)


def one_device(device: str | torch.device | None, dtype: str) -> OneDevice:
    """Where a model is opened.

    Args:
        device: Such as "cpu", "cuda:1" or "mps"; by default the accelerator of the machine, where it has one.
        dtype: "float32" or "bfloat16".

    Raises:
        SetupError: There is no such device, or the precision is another one.
    """
    known = get_args(Precision)
    if dtype not in known:
        raise SetupError(f"dtype is '{dtype}', but models answer in {', '.join(known)}.{near(dtype, known)}")
    if device is None:
        device = torch.accelerator.current_accelerator(check_available=True) or "cpu"  # else what torch is built for
    try:
        torch.empty(0, device=device)
        return OneDevice(torch.device(device), getattr(torch, dtype))
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise SetupError(f"The device '{device}' is not to be had here: {str(error).splitlines()[0]}") from error


class Model:
    """A finished model, from `hfft.load`. It can be called from several threads: they take turns.

    Args:
        finished: The model, its task, and how it is asked.
        place: Where it was loaded from.
    """

    def __init__(self, finished: Finished, place: str):
        self._finished, self._place, self._turn = finished, place, threading.Lock()

    @property
    def labels(self) -> list[str]:
        """What it can answer, in the order of the model's numbers; empty where answers are no labels."""
        return self._finished.labels

    def __call__(self, inputs: Any, with_input: bool = False) -> list[dict[str, Any]]:
        """Answers texts, images or rows: one answer for each, in order.

        Args:
            inputs: As for `hfft.predict`.
            with_input: Put the input beside each answer, as `input`.

        Returns:
            For each `id` (from 0) and `answer`; where there are any `score`, and `probabilities` by label. Where there
            is no answer, as to an empty text, it is None, and `error` says why.

        Raises:
            DataError: The inputs are of a wrong kind.
        """
        with self._turn:
            rows = answer(self._finished, inputs).rows
        return rows if with_input else [{key: row[key] for key in row if key != "input"} for row in rows]

    def stream(self, inputs: Iterable[Any], with_input: bool = False) -> Iterator[dict[str, Any]]:
        """Answers what comes in, such as the lines of a file, a few hundred at a time; else as a call does."""
        coming, first = iter(inputs), 0
        while chunk := list(itertools.islice(coming, AT_ONCE)):
            for row in self(chunk, with_input):
                yield {**row, "id": first + row["id"]}
            first += len(chunk)

    def evaluate(self, *data: Any) -> Evaluation:
        """Scores the answers to labelled rows.

        Args:
            data: Names of files, or one table: a Dataset, a DataFrame of pandas, or a list of dicts.

        Raises:
            DataError: The rows do not fit the model, or none of them can be scored.
        """
        with self._turn:
            return replace(score(self._finished, data), model=self._place)

    def __repr__(self) -> str:
        kind = type(self._finished.task).__name__
        return f"<hfft model {self._place}: {kind} on {self._finished.accelerator.device}>"
