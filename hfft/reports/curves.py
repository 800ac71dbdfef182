"""What happened step by step: loss, learning rates, scores and the rest of metrics.jsonl, for drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from hfft.io.run_files import Row
from hfft.metrics import OTHER_AVERAGES

POINTS = 1000  # of a curve, at most

RATE_POINTS = 250  # learning rates have no noise

LINES = 8  # of learning rates, at most

SMOOTHED = 0.05  # share of the steps in the mean of the smoothed line

NOT_DRAWN = (*OTHER_AVERAGES, "_samples")


def curves(events: Sequence[Row], parameters: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> dict:
    """The curves of a run.

    Args:
        events: The rows of metrics.jsonl.
        parameters: The rows of parameters.json.
        results: As in results.json.
    """
    steps = [event for event in events if event["event"] == "train"]
    losses = [(event["step"], event["loss"]) for event in steps if event.get("loss") is not None]
    norms = [(event["step"], event["gradient_norm"]) for event in steps if event.get("gradient_norm") is not None]
    made: dict[str, Any] = {"best_step": results["best_step"]}
    notes = []
    if losses:
        step, value = (np.array(column, dtype=np.float64) for column in zip(*losses, strict=True))
        width = window(len(step))
        smooth = {"smooth": smoothed(value, width)} if width > 1 else {}
        made["loss"] = thinned({"step": step, "value": value, **smooth})
        notes += [f"The smooth line of the loss is the mean of {width} steps around each."] if smooth else []
        if len(step) > POINTS:
            notes.append(f"Each point of the loss is the mean of {-(-len(step) // POINTS)} steps.")
        if lost := len(steps) - len(losses):
            notes.append(f"Not drawn: steps whose loss is not finite, {lost} of {len(steps)}.")
    if norms:
        step, value = (np.array(column, dtype=np.float64) for column in zip(*norms, strict=True))
        made["gradient_norm"] = thinned({"step": step, "value": value})
    rates, more = rate_lines(events, parameters)
    made |= {"lr": rates} if rates else {}
    notes += [f"{LINES} of {more} learning rates are drawn; the table of parameters has all."] if more > LINES else []
    scores = score_lines([event for event in events if event["event"] == "eval"])
    made |= {"scores": scores} if scores else {}
    phases = phases_of(parameters, results["steps"])
    made |= {"phases": phases} if phases else {}
    skips = [event["step"] for event in events if event["event"] == "skip"]
    made |= {"skips": skips} if skips else {}
    return {**made, "notes": notes} if notes else made


def window(count: int) -> int:
    """How many steps the smoothed line averages over: an odd number, about a twentieth of them."""
    return 2 * int(count * SMOOTHED / 2) + 1


def smoothed(values: np.ndarray, width: int) -> np.ndarray:
    """The mean of `width` values around each; near the ends of fewer, as many before as behind it."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    reach = np.minimum(width // 2, np.minimum(places, places[::-1]))
    return (sums[places + reach + 1] - sums[places - reach]) / (2 * reach + 1)


def thinned(columns: Mapping[str, np.ndarray], most: int = POINTS) -> dict[str, list[float]]:
    """Columns of at most `most` points: the means of so many neighbours each. Fewer stay as they are."""
    count = len(next(iter(columns.values())))
    size = -(-count // most) if count else 1
    starts = np.arange(0, count, size)
    lengths = np.diff(np.append(starts, count))
    return {name: _plain(np.add.reduceat(values, starts) / lengths) for name, values in columns.items()}


def rate_lines(events: Sequence[Row], parameters: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The learning rate of each step, a line for all blocks that have the same; and how many lines there would be.

    metrics.jsonl has the largest rate of the groups that learn in a step. The schedule moves all groups alike, so that
    the rate of any other is its own peak times the same share.
    """
    known = [(event["step"], event["lr"]) for event in events if event.get("lr") is not None]
    learning = [row for row in parameters if row["trainable"] and row["lr"] > 0]
    if not known or not learning:
        return [], 0
    step, largest = (np.array(column, dtype=np.float64) for column in zip(*known, strict=True))
    kinds: dict[tuple[float, int], list[Mapping[str, Any]]] = {}
    for row in learning:
        kinds.setdefault((row["lr"], row.get("from_step", 1)), []).append(row)
    peak = np.max([np.where(step >= first, lr, 0) for lr, first in kinds], axis=0)
    share = np.divide(largest, peak, out=np.zeros_like(largest), where=peak > 0)
    chosen = np.unique(np.linspace(0, len(kinds) - 1, min(LINES, len(kinds))).round()).astype(int)
    lines = []
    for (lr, first), name in (list(zip(kinds, _names(kinds), strict=True))[number] for number in chosen):
        inside = np.flatnonzero(step >= first)
        drawn = _drawn(inside, share, [first for _, first in kinds], step)
        lines.append({"name": name, "step": _plain(step[drawn]), "value": _plain(lr * share[drawn])})
    return lines, len(kinds)


def _drawn(inside: np.ndarray, share: np.ndarray, firsts: Sequence[int], step: np.ndarray) -> np.ndarray:
    """Which of the places are drawn: evenly spread ones, and those where the line has a corner."""
    if len(inside) <= RATE_POINTS:
        return inside
    even = inside[np.linspace(0, len(inside) - 1, RATE_POINTS).round().astype(int)]
    corners = [inside[np.argmax(share[inside])], *np.flatnonzero(np.isin(step, firsts)), *_before(step, firsts)]
    return np.intersect1d(np.concatenate([even, corners]), inside)


def _before(step: np.ndarray, firsts: Sequence[int]) -> np.ndarray:
    return np.flatnonzero(np.isin(step + 1, firsts))


def _names(kinds: Mapping[tuple[float, int], Sequence[Mapping[str, Any]]]) -> list[str]:
    """Names each line by its blocks, and by its peak too where a block has several."""
    blocks = [{(row["stack"], row["block"]) for row in rows} for rows in kinds.values()]
    names = []
    for (lr, _), mine, rows in zip(kinds, blocks, kinds.values(), strict=True):
        shared = sum(bool(mine & others) for others in blocks) > 1
        names.append(block_names(rows) + (f", those at {lr:g}" if shared else ""))
    return names


def block_names(rows: Sequence[Mapping[str, Any]]) -> str:
    """Names the blocks of parameters, neighbours together.

    >>> block_names([{"stack": "stem", "block": 0}, *({"stack": "encoder", "block": depth} for depth in (1, 2, 3, 5))])
    'stem, encoder 1 to 3, encoder 5'
    """
    names = []
    places = dict.fromkeys((row["stack"], row["block"]) for row in rows)
    for stack, members in groupby(sorted(places, key=lambda place: list(places).index(place)), lambda place: place[0]):
        for _, run in groupby(enumerate(sorted(depth for _, depth in members)), lambda pair: pair[1] - pair[0]):
            depths = [depth for _, depth in run]
            span = f"{depths[0]}" if len(depths) == 1 else f"{depths[0]} to {depths[-1]}"
            names.append(stack if depths == [0] else f"{stack} {span}")
    return ", ".join(names)


def score_lines(events: Sequence[Row]) -> dict[str, dict[str, list[float]]]:
    """The scores of the evaluations, a line each; variants of averages are left out."""
    lines: dict[str, dict[str, list[float]]] = {}
    for event in events:
        for name, value in event.items():
            if name in ("step", "epoch", "event", "examples") or name.endswith(NOT_DRAWN) or value is None:
                continue
            line = lines.setdefault(name, {"step": [], "value": []})
            line["step"].append(event["step"])
            line["value"].append(value)
    return lines


def phases_of(parameters: Sequence[Mapping[str, Any]], steps: int) -> list[dict[str, Any]]:
    """From which step on what learns, where that changes during the run."""
    learning = [row for row in parameters if row["trainable"]]
    firsts = sorted({row.get("from_step", 1) for row in learning})
    if len(firsts) < 2:
        return []
    members = {first: [row for row in learning if row.get("from_step", 1) == first] for first in firsts}
    return [
        {"step": first, "label": f"joined by {block_names(rows)}" if number else f"{block_names(rows)} alone"}
        for number, (first, rows) in enumerate(members.items())
        if first <= steps
    ]


def _plain(values: np.ndarray) -> list[float]:
    """Numbers for JSON, of six digits: whole ones as such."""
    rounded = (float(f"{value:.6g}") for value in values.tolist())
    return [int(value) if value == int(value) else value for value in rounded]
