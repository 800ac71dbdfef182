"""What the report shows of answers that are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hfft.reports.examples import SHOWN, example, gallery, histogram
from hfft.reports.examples import drawn as drawn_rows
from hfft.reports.html.numbers import score_text
from hfft.reports.in_short import said
from hfft.reports.labels import label_rows
from hfft.reports.predictions import About, Predictions

POINTS = 500  # of all scatter plots together

DRAWN = 12  # outputs that are drawn, at most: those with the largest errors

BINS = 30

LARGEST = "Largest errors"


def number_facts(found: Predictions, about: About) -> dict[str, Any]:
    """Points of answer by truth, residuals and the largest errors."""
    answers, truths = _table(found.answers), _table(found.truths)
    names = _names(about, truths.shape[1])
    outputs = _worst(answers, truths)
    some = drawn_rows(len(truths), POINTS // len(outputs))
    scores = about.label_scores(found.split)
    counts = dict.fromkeys(names, len(truths))
    return {
        **({"in_short": _in_short(abs(answers - truths)[:, 0])} if len(names) == 1 else {}),
        **({"labels": label_rows(scores, counts, names)} if scores else {}),
        "numbers": [
            {"name": names[column], "truth": truths[some, column].tolist(), "answer": answers[some, column].tolist()}
            for column in outputs
        ],
        **({"numbers_left_out": len(names) - len(outputs)} if len(outputs) < len(names) else {}),
        "distributions": [
            {
                "name": f"Error of {names[column]}",
                "unit": "answer less truth",
                **histogram({"answers": answers[:, column] - truths[:, column]}, BINS),
            }
            for column in outputs
        ],
        "galleries": _galleries(found, answers, truths, names),
    }


def _in_short(errors: np.ndarray) -> list[dict[str, str]]:
    """How far answers are off: `(examples,)`."""
    half, most, largest = (score_text(value, 2) for value in [*np.quantile(errors, (0.5, 0.9)), errors.max()])
    return [
        said(
            f"Half of the answers are off by {half} or less, nine in ten by {most} or less; at most by {largest}.",
            LARGEST,
        )
    ]


def _galleries(found: Predictions, answers: np.ndarray, truths: np.ndarray, names: Sequence[str]) -> list[Any]:
    errors, sizes = answers - truths, _sizes(answers, truths)
    order = np.argsort(-sizes.mean(1), kind="stable")
    many = len(names) > 1
    over = "; of several numbers the mean, each by the standard deviation of its truths" if many else ""

    def shown(rows: np.ndarray) -> list[dict[str, Any]]:
        return [example(found.rows[row], note=_said(errors[row], sizes[row], names)) for row in rows.tolist()]

    made = gallery(LARGEST, f"The largest first{over}.", "numbers", shown(order[:SHOWN]), open=True)
    rest = order[SHOWN:]
    return made + gallery("Closest answers", f"The smallest error first{over}.", "numbers", shown(rest[::-1][:SHOWN]))


def _sizes(answers: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """`(examples, outputs)`, errors by the standard deviation of the output's truths, where these differ."""
    spread = truths.std(0)
    return abs(answers - truths) / np.where(spread > 0, spread, 1)


def _worst(answers: np.ndarray, truths: np.ndarray) -> list[int]:
    """The outputs to draw, in their order: those with the largest errors, where there are many."""
    order = np.argsort(-_sizes(answers, truths).mean(0), kind="stable")
    return sorted(order[:DRAWN].tolist())


def _said(errors: np.ndarray, sizes: np.ndarray, names: Sequence[str]) -> str:
    """How far an answer is off; of many outputs those that are off most."""
    if len(names) == 1:
        return f"off by {errors[0]:+.4g}"
    told = sorted(np.argsort(-sizes, kind="stable")[:DRAWN].tolist())
    rest = f" and {len(names) - len(told)} others by less" if len(told) < len(names) else ""
    return ", ".join(f"{names[place]} {errors[place]:+.4g}" for place in told) + rest


def _names(about: About, outputs: int) -> list[str]:
    """The names of the numbers, as the data have them."""
    known = list(about.summary.get("numbers", {}))
    return known if len(known) == outputs else [f"number {place}" for place in range(1, outputs + 1)]


def _table(values: Sequence[Any]) -> np.ndarray:
    """`(examples, outputs)`."""
    return np.array([value if isinstance(value, list) else [value] for value in values], dtype=np.float64)
