"""Where splits come from: local files or the Hub, slices of them, and a hold-out cut from the training rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import datasets.config
import numpy as np
from datasets import Dataset, ReadInstruction, load_dataset

from hfft.data.files import read_files
from hfft.errors import DataError, SetupError
from hfft.network import hub_is_reachable


def read_local(files: dict[str, str | list[str]], expressions: dict[str, str | None], root: str) -> dict[str, Dataset]:
    """Reads the splits of local files.

    Args:
        files: File names or globs by split name.
        expressions: For `train`, `eval` and `test` what to take, as `NAME` or `NAME[slice]`; None takes the files of
            that very name, where there are any.
        root: The folder that relative names start from.

    Raises:
        DataError: A file is missing or broken, or an expression names no split of `files`.
    """
    splits = {}
    for role, expression in expressions.items():
        expression = expression or (role if role in files else None)
        if expression is None:
            continue
        name, _, _ = expression.partition("[")
        if name not in files:
            raise DataError(
                f"data.{role} is '{expression}', but data.files has no '{name}'; it has {', '.join(files)}."
            )
        named = files[name]
        dataset = read_files([named] if isinstance(named, str) else named, root, f"data.files.{name}")
        splits[role] = _sliced(dataset, expression, name, f"data.{role}")
    return splits


def read_hub(
    name: str, config: str | None, revision: str | None, expressions: dict[str, str | None]
) -> dict[str, Dataset]:
    """Reads the splits of a data set on the Hub, or from the local cache of it.

    Raises:
        DataError: There is no such data set, configuration or split.
        SetupError: The Hub cannot be reached and the cache does not have it.
    """
    splits = {}
    offline = not hub_is_reachable()
    for role, expression in expressions.items():
        if expression is None:
            continue
        try:
            with _from_cache_alone() if offline else nullcontext():
                splits[role] = load_dataset(name, config, split=expression, revision=revision)
        except (ConnectionError, FileNotFoundError) as error:
            if not offline:
                raise DataError(f"The Hub has no data set '{name}' (data.hub) that you may read: {error}") from error
            raise SetupError(
                f"data.hub is '{name}', but the Hub cannot be reached and the local cache does not have it. Check the "
                "network, or give local files (data.files)."
            ) from error
        except ValueError as error:  # an unknown configuration or split; datasets lists the known ones
            raise DataError(f"data.{role} is '{expression}' of '{name}': {error}") from error
        except Exception as error:
            raise DataError(
                f"The data set '{name}' (data.hub) cannot be read: {type(error).__name__}: {error}"
            ) from error
    return splits


@contextmanager
def _from_cache_alone() -> Iterator[None]:
    """Lets datasets look into its cache only, where it would try the Hub again and again."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _sliced(dataset: Dataset, expression: str, name: str, where: str) -> Dataset:
    if "[" not in expression:
        return dataset
    try:
        if not re.fullmatch(r"[^\[]+\[[^\[\]]*\]", expression):
            raise ValueError("the slice is not of the form name[from:to]")
        part = ReadInstruction.from_spec(expression).to_absolute({name: len(dataset)})[0]
    except (ValueError, AssertionError) as error:
        raise DataError(
            f"{where} is '{expression}': {error}. Write for example '{name}[:8000]' or '{name}[10%:20%]'; "
            f"there are {len(dataset)} rows."
        ) from None
    return dataset.select(range(part.from_ or 0, len(dataset) if part.to is None else part.to))


def hold_out(dataset: Dataset, share: float, seed: int, strata: Sequence[Any] | None) -> tuple[Dataset, Dataset]:
    """Cuts a seeded part off a data set, keeping the share of each stratum as near as whole rows allow.

    Returns:
        The rest and the part, both in file order.

    Raises:
        DataError: One of the two would be empty.
    """
    wanted = round(len(dataset) * share)
    if not 0 < wanted < len(dataset):
        raise DataError(f"data.holdout is {share}, but of {len(dataset)} training rows that leaves one part empty.")
    generator = np.random.default_rng([seed, 0x48])
    keys = np.zeros(len(dataset), dtype=np.int64) if strata is None else _codes(strata)
    rows = generator.permutation(len(dataset))
    by_key = [rows[keys[rows] == key] for key in range(keys.max() + 1)]
    counts = _shares([len(group) for group in by_key], wanted)
    held = np.sort(np.concatenate([group[:count] for group, count in zip(by_key, counts, strict=True)]))
    kept = np.setdiff1d(np.arange(len(dataset)), held)
    return dataset.select(kept), dataset.select(held)


def _codes(values: Sequence[Any]) -> np.ndarray:
    table: dict[str, int] = {}
    return np.array([table.setdefault(str(value), len(table)) for value in values])


def _shares(sizes: list[int], wanted: int) -> list[int]:
    """Splits `wanted` over groups in proportion to their sizes, by largest remainder."""
    exact = np.array(sizes) * wanted / sum(sizes)
    counts = np.floor(exact).astype(int)
    for group in np.argsort(counts - exact, kind="stable")[: wanted - counts.sum()]:
        counts[group] += 1
    return counts.tolist()
