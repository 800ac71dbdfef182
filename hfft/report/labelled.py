"""What the report shows of answers that are one label each: of a class of text or picture."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from hfft.report.calibration import calibration
from hfft.report.confusion import confused, confusion, label_rows, label_slices
from hfft.report.galleries import PICTURES, SHOWN, drawn, example, gallery
from hfft.report.label_errors import likely_label_errors
from hfft.report.predictions import About, Predictions

MISLABELLED = (
    "The probabilities speak against these labels (confident learning, Northcutt et al. 2021): {count} of {total} "
    "examples are candidates, the likeliest first. That is a hint and no proof, and the weaker the model, the less it "
    "says: look at them."
)


def label_facts(found: Predictions, about: About) -> dict[str, Any]:
    """Scores by label, confusion, calibration and galleries of answers that are one label each."""
    split, answers, truths = found.split, found.answers, found.truths
    right = np.array([answer == truth for answer, truth in zip(answers, truths, strict=True)])
    rows = label_rows(about.label_scores(split), Counter(truths), found.labels)
    made = {
        "labels": rows,
        "confusion": confusion(truths, answers, found.labels),
        "confused": confused(truths, answers),
        "slices": label_slices(rows),
        "galleries": right_and_wrong(found, right, about.kind),
    }
    if found.scores is not None:
        kind, selected = "the answer's probability", about.selected(split)
        made["calibration"] = calibration(found.scores, right, kind, about.confidence, selected=selected)
    return {name: value for name, value in made.items() if value}


def right_and_wrong(found: Predictions, right: np.ndarray, kind: str) -> list[dict[str, Any]]:
    """Galleries of wrong and right answers; with probabilities, by how sure the model was."""
    most = PICTURES if kind == "pictures" else SHOWN
    wrong_rows, right_rows = np.flatnonzero(~right), np.flatnonzero(right)
    scores = found.scores
    if scores is None:
        some = wrong_rows[drawn(len(wrong_rows), most)]
        made = gallery("Mistakes", _counted(some, wrong_rows, "wrong"), kind, _examples(found, some))
    else:
        surest = wrong_rows[np.argsort(-scores[wrong_rows], kind="stable")][:most]
        note = "Wrong answers, those that the model was surest of first."
        made = gallery("Most confident mistakes", note, kind, _examples(found, surest))
        made += _mislabelled(found, kind)
        unsure = right_rows[np.argsort(scores[right_rows], kind="stable")][:SHOWN]
        note = "Right answers, those that the model was least sure of first."
        made += gallery("Least confident right answers", note, kind, _examples(found, unsure))
    some = right_rows[drawn(len(right_rows), most)]
    return made + gallery("Right answers", _counted(some, right_rows, "right"), kind, _examples(found, some))


def _counted(some: np.ndarray, all_of_them: np.ndarray, word: str) -> str:
    count = len(all_of_them)
    return f"All {count} {word} answers." if len(some) == count else f"{len(some)} of {count} {word} answers, drawn."


def _mislabelled(found: Predictions, kind: str) -> list[dict[str, Any]]:
    place = {label: number for number, label in enumerate(found.labels)}
    if found.probabilities is None or not all(isinstance(truth, str) and truth in place for truth in found.truths):
        return []
    rows = likely_label_errors(found.probabilities, np.array([place[truth] for truth in found.truths], dtype=int))
    note = MISLABELLED.format(count=len(rows), total=len(found.rows))
    return gallery("May be mislabelled: look", note, kind, _examples(found, rows[:SHOWN]))


def _examples(found: Predictions, rows: np.ndarray) -> list[dict[str, Any]]:
    place = {label: number for number, label in enumerate(found.labels)}
    made = []
    for row in rows.tolist():
        truth, table = found.truths[row], found.probabilities
        column = place.get(truth) if isinstance(truth, str) else None
        score = float(table[row, column]) if table is not None and column is not None else None
        made.append(example(found.rows[row], truth_score=score))
    return made


def other_facts(found: Predictions, about: About) -> dict[str, Any]:
    """What can be said of the answers of somebody else's task: right ones, wrong ones, and whether scores hold."""
    right = np.array([answer == truth for answer, truth in zip(found.answers, found.truths, strict=True)], dtype=bool)
    made: dict[str, Any] = {"galleries": right_and_wrong(found, right, about.kind)}
    scores = about.label_scores(found.split)
    made |= {"labels": label_rows(scores, None, found.labels)} if scores else {}
    if found.scores is not None and right.any():  # else answers are not said in the words of the truths
        kind = "the answer's probability"
        made["calibration"] = calibration(
            found.scores, right, kind, about.confidence, selected=about.selected(found.split)
        )
    return made
