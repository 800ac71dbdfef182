"""Where splits come from: local files or the Hub, slices of them, and a hold-out cut from the training rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import datasets.config
import numpy as np
from datasets import Dataset, IterableDataset, ReadInstruction, load_dataset
from datasets.exceptions import DatasetGenerationError
from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

from hfft.data.checks import Finding, undecoded
from hfft.data.table import Table
from hfft.errors import DataError, RecipeError, SetupError
from hfft.io.hub_client import PERMISSION, hub_is_reachable

LOCAL = "It is a folder: files that data.files names are read by hfft itself, and faults in them are named by line."


def read_local(
    names: Collection[str], expressions: dict[str, str | None], named: Collection[str], read: Callable[[str], Table]
) -> tuple[dict[str, Dataset], list[Finding]]:
    """Reads the splits of local data, and finds what is worth a warning in how they are written.

    Args:
        names: Of what there is.
        expressions: For `train`, `eval`, `test` and further ones (`eval-NAME`) what to take, as `NAME` or
            `NAME[slice]`; None takes what has that very name, where there is such a one.
        named: The columns that are used: others may hold values that do not go together.
        read: Reads what has a name.

    Raises:
        DataError: As `read`, a column that is named cannot be read, or an expression has none of `names`.
    """
    splits, findings = {}, []
    for role, expression in expressions.items():
        expression = expression or (role if role in names else None)
        if expression is None:
            continue
        name, _, _ = expression.partition("[")
        if name not in names:
            raise DataError(
                f"data.{role.partition('-')[0]} is '{expression}', but no local data has the name '{name}'; "
                f"there is {', '.join(names)}."
            )
        table = read(name)
        findings += table.findings(role, named)
        splits[role] = _sliced(table.rows, expression, name, f"data.{role.partition('-')[0]}")
    return splits, findings


def read_hub(
    name: str, config: str | None, revision: str | None, expressions: dict[str, str | None]
) -> dict[str, Dataset]:
    """Reads the splits of a data set on the Hub, or from the local cache of it.

    Raises:
        DataError: There is no such data set, revision, configuration or split, or none that the user may read.
        SetupError: The Hub cannot be reached and the cache does not have it.
    """
    return {
        role: _load(name, config, revision, role, expression, streaming=False)
        for role, expression in expressions.items()
        if expression is not None
    }


def stream_hub(name: str, config: str | None, revision: str | None, expression: str) -> IterableDataset:
    """Opens a split of a data set on the Hub as a stream of rows, which are read when they are asked for.

    Args:
        name: The data set, or a folder of files.
        config: Its configuration.
        revision: Its branch, tag or commit.
        expression: `NAME`, `NAME[:N]`, `NAME[M:]` or `NAME[M:N]` in whole rows; of those before M all are passed over.

    Raises:
        RecipeError: The slice is of another form.
        DataError: As `read_hub`.
        SetupError: As `read_hub`.
    """
    found = re.fullmatch(r"([^\[\]]+)(?:\[([0-9]*):([0-9]*)\])?", expression)
    first, last = (int(found[2] or 0), int(found[3]) if found[3] else None) if found else (0, 0)
    if found is None or (last is not None and last <= first):
        split = expression.partition("[")[0]
        raise RecipeError(
            f"data.train is '{expression}', but a stream (data.streaming) is cut by rows counted from its beginning, "
            f"for its end is not known: '{split}[:8000]', '{split}[8000:]' or '{split}[8000:16000]'."
        )
    rows = _load(name, config, revision, "train", found[1], streaming=True)
    rows = rows.skip(first) if first else rows
    return rows if last is None else rows.take(last - first)


def _load(
    name: str, config: str | None, revision: str | None, role: str, expression: str, streaming: bool
) -> Any:  # a Dataset, or an IterableDataset
    offline = not hub_is_reachable()
    try:
        with _from_cache_alone() if offline else nullcontext():
            return undecoded(load_dataset(name, config, split=expression, revision=revision, streaming=streaming))
    except (ConnectionError, FileNotFoundError) as error:
        if isinstance(error.__cause__, RevisionNotFoundError):
            raise DataError(f"data.revision is '{revision}', but '{name}' (data.hub) has no such one.") from error
        if not offline:
            raise DataError(
                f"The Hub has no data set '{name}' (data.hub) that you may read: {_in_one_line(error)} {PERMISSION}"
            ) from error
        missing = "a stream is read from there" if streaming else "the local cache does not have it"
        raise SetupError(
            f"data.hub is '{name}', but the Hub cannot be reached and {missing}. Check the network, or give local "
            "files (data.files)."
        ) from error
    except ValueError as error:  # an unknown configuration or split; datasets lists the known ones
        raise DataError(f"data.{role.partition('-')[0]} is '{expression}' of '{name}': {error}") from error
    except Exception as error:
        refused = isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403)
        cause = error.__cause__ if isinstance(error, DatasetGenerationError) and error.__cause__ else error
        hint = f" {PERMISSION}" if refused else f" {LOCAL}" if Path(name).is_dir() else ""
        raise DataError(
            f"The data set '{name}' (data.hub) cannot be read: {type(cause).__name__}: {_in_one_line(cause)}{hint}"
        ) from error


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


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


def hold_out(count: int, share: float, seed: int, strata: Sequence[Any] | None) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a seeded part off rows, keeping the share of each stratum as near as whole rows allow.

    Args:
        count: How many rows there are.
        share: How many of them, above 0 and below 1.
        seed: Decides which.
        strata: Each row's stratum, of which a row stays in the rest; or all that is in a row, in a list, such as its
            labels, of each of which a row stays in the rest.

    Returns:
        The numbers of the rows of the rest and of the part, both in file order.

    Raises:
        DataError: One of the two would be empty, or too few rows have what others have too.
    """
    wanted = round(count * share)
    if not 0 < wanted < count:
        raise DataError(f"data.holdout is {share}, but of {count} training rows that leaves one part empty.")
    rows = np.random.default_rng([seed, 0x48]).permutation(count)
    if strata is None:
        held = rows[:wanted]
    elif any(isinstance(stratum, list) for stratum in strata):
        held = _with_others_left(rows, strata, wanted)
    else:
        keys = _codes(strata)
        by_key = [rows[keys[rows] == key] for key in range(keys.max() + 1)]
        counts = _shares([len(group) for group in by_key], wanted)
        held = np.concatenate([group[:count] for group, count in zip(by_key, counts, strict=True)])
    if len(held) < wanted:
        raise DataError(
            f"data.holdout is {share}, which are {wanted} of {count} training rows, but only {len(held)} can be "
            "held out: each of the others is the only one of its label, and what is held out cannot be learnt. If the "
            "labels are numbers: task.problem=regression; else name rows of your own in data.eval."
        )
    held = np.sort(held)
    return np.setdiff1d(np.arange(count), held), held


def _codes(values: Sequence[Any]) -> np.ndarray:
    table: dict[str, int] = {}
    return np.array([table.setdefault(str(value), len(table)) for value in values])


def _with_others_left(rows: np.ndarray, parts: Sequence[Sequence[Any] | None], wanted: int) -> np.ndarray:
    """The first `wanted` of `rows`, without those that have a part that none of the rows left has."""
    left = Counter(part for found in parts for part in set(found or ()))
    held = []
    for row in rows.tolist():
        found = set(parts[row] or ())
        if len(held) < wanted and all(left[part] > 1 for part in found):
            held.append(row)
            left.subtract(found)
    return np.array(held, dtype=np.int64)


def _shares(sizes: list[int], wanted: int) -> list[int]:
    """Splits `wanted` over groups in proportion to their sizes, by largest remainder.

    No group is taken whole, for what is in the part alone cannot be learnt: they may sum to less than `wanted`.
    """
    exact = np.array(sizes) * wanted / sum(sizes)
    most = np.array(sizes) - 1
    counts = np.minimum(np.floor(exact).astype(int), most)
    while counts.sum() < min(wanted, most.sum()):
        open_groups = np.flatnonzero(counts < most)
        counts[open_groups[np.argmax((exact - counts)[open_groups])]] += 1
    return counts.tolist()
