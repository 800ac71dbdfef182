"""What a frozen part of a model makes of each example of a split: kept in files that are mapped into memory."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import torch
from torch import Tensor

from hfft.io.run_folder import own_name, writing

Batch = dict[str, Tensor]

SCHEMA = pyarrow.schema([("place", pyarrow.int64()), ("states", pyarrow.large_binary()), ("crc", pyarrow.uint32())])


@dataclass
class States:
    """The states of all examples of a split.

    Attributes:
        files: Arrow files, each with the states of some examples.
        shape: Of the states of one token, where examples have tokens; of one example, where they have none.
        dtype: Of the states.
        for_inputs: Whether a model that is given them needs no inputs beside.
    """

    files: Sequence[Path]
    shape: tuple[int, ...]
    dtype: torch.dtype
    for_inputs: bool = False

    def batch(self, places: np.ndarray, mask: Tensor | None) -> Tensor:
        """The states of some examples, padded with zeros.

        Args:
            places: `(examples,)`, their places in the split.
            mask: `(rows, length)`, 1 where the batch has a token; None where there are no tokens.

        Returns:
            `(rows, length, *shape)`, or `(examples, *shape)`.
        """
        return self.joined([self._bytes(place) for place in places.tolist()], mask, self.shape, self.dtype)

    @staticmethod
    def joined(found: Sequence[Any], mask: Tensor | None, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """The same of the bytes of some examples, as `cut` gives them."""
        states = torch.frombuffer(bytearray().join(found), dtype=dtype).view(-1, *shape)
        if mask is None:
            return states
        padded = states.new_zeros(*mask.shape, *shape)
        padded[mask.bool()] = states
        return padded

    def _bytes(self, place: int) -> Any:
        columns, chunk, row = self._rows
        return columns[chunk[place]][row[place]].as_buffer()

    @cached_property
    def _rows(self) -> tuple[list[Any], np.ndarray, np.ndarray]:
        """The columns of states, piece by piece; of each place the piece, and the row in it."""
        pieces = [piece for file in self.files for piece in pieces_of(file)]
        places = [piece.column("place").to_numpy() for piece in pieces]
        order = np.argsort(np.concatenate(places), kind="stable")
        chunk = np.repeat(np.arange(len(pieces)), [len(each) for each in places])[order]
        row = np.concatenate([np.arange(len(each)) for each in places])[order]
        return [piece.column("states") for piece in pieces], chunk, row

    def __getstate__(self) -> dict[str, Any]:
        """For processes that load batches: they map the files themselves."""
        return {key: value for key, value in self.__dict__.items() if key != "_rows"}


def pieces_of(file: Path) -> list[pyarrow.RecordBatch]:
    """The pieces of a file, mapped into memory."""
    with pyarrow.memory_map(str(file)) as mapped, pyarrow.ipc.open_file(mapped) as opened:
        return [opened.get_batch(number) for number in range(opened.num_record_batches)]


def rows_in(file: Path) -> int:
    """How many examples a file has whole; 0 where it is not there, is cut off or was written over."""
    try:
        pieces = pieces_of(file)
        whole = all(_is_whole(piece) for piece in pieces)
    except (OSError, pyarrow.ArrowException):
        return 0
    os.utime(file)  # that was read last goes last
    return sum(map(len, pieces)) if whole else 0


def _is_whole(piece: pyarrow.RecordBatch) -> bool:
    if piece.schema != SCHEMA:
        return False
    states, known = piece.column("states"), piece.column("crc").to_pylist()
    return all(zlib.crc32(states[row].as_buffer()) == crc for row, crc in enumerate(known))


def cut(states: Tensor, batch: Batch, examples: int) -> list[bytes] | None:
    """The states of each example of a batch, without padding, as bytes; None where nobody knows whose row is whose.

    Args:
        states: `(rows, length, ...)`, or `(rows, ...)` where there are no tokens.
        batch: With `attention_mask` where there are tokens, and `windows` where an example has several rows.
        examples: How many there are.
    """
    counts = batch["windows"].tolist() if "windows" in batch else [1] * examples
    if sum(counts) != len(states):
        return None
    mask = batch.get("attention_mask")
    rows = zip(states.split(counts), [None] * examples if mask is None else mask.split(counts), strict=True)
    kept = (part if tokens is None else part[tokens.bool()] for part, tokens in rows)
    return [part.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() for part in kept]


@contextmanager
def writer(file: Path) -> Iterator[Any]:
    """Writes a file of states: gives a function of places and their states. The file is there when all are written."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = own_name(file)
        try:
            with pyarrow.OSFile(str(temporary), "wb") as sink, pyarrow.ipc.new_file(sink, SCHEMA) as opened:

                def write(places: Iterable[int], states: Sequence[bytes]) -> None:
                    columns = [list(places), states, [zlib.crc32(each) for each in states]]
                    opened.write_batch(
                        pyarrow.record_batch(
                            [pyarrow.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
                        )
                    )

                yield write
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)


def make_room(folder: Path, needed: int, most: int) -> None:
    """Deletes files of states that were used longest ago, until there are no more than `most` bytes with the new ones.

    Args:
        folder: Theirs.
        needed: Bytes of the new ones.
        most: Bytes.
    """
    files = sorted(folder.glob("*.arrow"), key=lambda file: file.stat().st_mtime)
    total = needed + sum(file.stat().st_size for file in files)
    for file in files:
        if total <= most:
            return
        total -= file.stat().st_size
        file.unlink(missing_ok=True)  # who has it mapped keeps it
