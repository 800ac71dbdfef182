"""What the report shows of answers that are any number of labels each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from hfft.report.calibration import calibration
from hfft.report.confusion import label_rows
from hfft.report.galleries import PICTURES, SHOWN, drawn, example, gallery
from hfft.report.predictions import About, Predictions


def several_facts(found: Predictions, about: About) -> dict[str, Any]:
    """Scores by label, calibration and galleries. The probabilities and their labels are known."""
    assert found.probabilities is not None
    counts = Counter(name for truth in found.truths for name in truth)
    known = ~_indicators([row.get("unknown", []) for row in found.rows], found.labels)
    answered, true = (_indicators(sets, found.labels) & known for sets in (found.answers, found.truths))
    table = found.probabilities.astype(np.float64)
    example_of = np.repeat(np.arange(len(table)), known.sum(1))
    return {
        "labels": label_rows(about.label_scores(found.split), counts, found.labels),
        "calibration": calibration(
            table[known],
            true[known],
            "the probability of each label",
            about.confidence,
            example_of,
            about.selected(found.split),
        ),
        "galleries": _galleries(found, answered, true, table, about.kind),
    }


def _galleries(
    found: Predictions, answered: np.ndarray, true: np.ndarray, table: np.ndarray, kind: str
) -> list[dict[str, Any]]:
    most = PICTURES if kind == "pictures" else SHOWN
    # How sure the model was of the wrong side, label by label; 0 where it was right.
    sure = np.where(answered == true, 0, np.where(answered, table, 1 - table))
    wrong, right = np.flatnonzero((answered != true).any(1)), np.flatnonzero((answered == true).all(1))
    surest = wrong[np.argsort(-sure[wrong].max(1), kind="stable")][:most]
    note = "Answers with a label too many or too few, those first of which the model was surest."
    examples = [
        example(found.rows[row], note=_said(found.labels, answered[row], true[row], table[row]))
        for row in surest.tolist()
    ]
    made = gallery("Most confident mistakes", note, kind, examples)
    some = right[drawn(len(right), most)]
    note = f"{len(some)} of {len(right)} answers with exactly the right labels."
    return made + gallery("Right answers", note, kind, [example(found.rows[row]) for row in some.tolist()])


def _said(labels: Sequence[str], answered: np.ndarray, true: np.ndarray, probabilities: np.ndarray) -> str:
    """What is wrong with an answer, label by label, with the probability of each."""
    named = list(zip(labels, answered, true, probabilities, strict=True))
    extra = [f"{name} ({p:.2f})" for name, given, truly, p in named if given and not truly]
    missed = [f"{name} ({p:.2f})" for name, given, truly, p in named if truly and not given]
    parts = (("too many", extra), ("missed", missed))
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in parts if names)


def _indicators(sets: Sequence[Sequence[str]], labels: Sequence[str]) -> np.ndarray:
    """`(examples, labels)`, whether each label is in each set."""
    place = {label: number for number, label in enumerate(labels)}
    made = np.zeros((len(sets), len(labels)), dtype=bool)
    for row, names in enumerate(sets):
        made[row, [place[name] for name in names if name in place]] = True
    return made
