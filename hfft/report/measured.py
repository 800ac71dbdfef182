"""What the report shows of answers that are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hfft.report.confusion import label_rows
from hfft.report.galleries import SHOWN, example, gallery, histogram
from hfft.report.galleries import drawn as drawn_rows
from hfft.report.predictions import About, Predictions

POINTS = 500  # of a scatter plot
BINS = 30


def number_facts(found: Predictions, about: About) -> dict[str, Any]:
    """Points of answer by truth, residuals and the largest errors."""
    answers, truths = _table(found.answers), _table(found.truths)
    names = _names(about, truths.shape[1])
    some = drawn_rows(len(truths), POINTS)
    scores = about.label_scores(found.split)
    counts = dict.fromkeys(names, len(truths))
    return {
        **({"labels": label_rows(scores, counts, names)} if scores else {}),
        "numbers": [
            {"name": name, "truth": truths[some, column].tolist(), "answer": answers[some, column].tolist()}
            for column, name in enumerate(names)
        ],
        "distributions": [
            {
                "name": f"Error of {name}",
                "unit": "answer less truth",
                **histogram({"answers": answers[:, column] - truths[:, column]}, BINS),
            }
            for column, name in enumerate(names)
        ],
        "galleries": _galleries(found, answers, truths, names),
    }


def _galleries(found: Predictions, answers: np.ndarray, truths: np.ndarray, names: Sequence[str]) -> list[Any]:
    errors = answers - truths
    spread = truths.std(0)
    size = (abs(errors) / np.where(spread > 0, spread, 1)).mean(1)
    order = np.argsort(-size, kind="stable")
    many = len(names) > 1
    over = "; of several numbers the mean, each by the standard deviation of its truths" if many else ""

    def shown(rows: np.ndarray) -> list[dict[str, Any]]:
        return [example(found.rows[row], note=_said(errors[row], names)) for row in rows.tolist()]

    made = gallery("Largest errors", f"The largest first{over}.", "numbers", shown(order[:SHOWN]))
    rest = order[SHOWN:]
    return made + gallery("Closest answers", f"The smallest error first{over}.", "numbers", shown(rest[::-1][:SHOWN]))


def _said(errors: np.ndarray, names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"off by {errors[0]:+.4g}"
    return ", ".join(f"{name} {error:+.4g}" for name, error in zip(names, errors, strict=True))


def _names(about: About, outputs: int) -> list[str]:
    """The names of the numbers, as the data have them."""
    known = list(about.summary.get("numbers", {}))
    return known if len(known) == outputs else [f"number {place}" for place in range(1, outputs + 1)]


def _table(values: Sequence[Any]) -> np.ndarray:
    """`(examples, outputs)`."""
    return np.array([value if isinstance(value, list) else [value] for value in values], dtype=np.float64)
