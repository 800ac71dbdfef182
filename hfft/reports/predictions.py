"""Reads the predictions of a finished run: the rows that have a truth, and what the columns of probabilities are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import Any, NoReturn

import numpy as np

from hfft.errors import SetupError
from hfft.io.run_files import FIX, KINDS, Row, read_lines


@dataclass(frozen=True)
class About:
    """What is known of a run beside the answers to a split.

    Attributes:
        options: The task's, as recipe.yaml has them.
        results: As in results.json.
        summary: What data.json says of the training rows.
        kind: Of galleries: "pictures" or "texts".
        watched: The score by which weights were chosen, if any.
    """

    options: Mapping[str, Any]
    results: Mapping[str, Any]
    summary: Mapping[str, Any]
    kind: str = "texts"
    watched: str | None = None

    @property
    def confidence(self) -> float:
        """Of the intervals."""
        return self.results["confidence"]

    def selected(self, split: str) -> bool:
        """Whether weights or thresholds were chosen on this split."""
        return any(entry.get("selected") for entry in self.results.get(split, {}).values())

    def label_scores(self, split: str) -> Mapping[str, Mapping[str, Any]]:
        """The scores of single labels."""
        return self.results.get(f"{split}_labels", {})


@dataclass(frozen=True)
class Predictions:
    """The answers to a split that have a truth beside them.

    Attributes:
        split: Its name.
        rows: As in the file, without probabilities.
        probabilities: `(rows, labels)`; None where the rows have none, or not equally many.
        labels: The names of their columns; empty where these are not known.
    """

    split: str
    rows: list[Row]
    probabilities: np.ndarray | None
    labels: list[str]

    @cached_property
    def answers(self) -> list[Any]:
        """The answers, a row each."""
        return [row["answer"] for row in self.rows]

    @cached_property
    def truths(self) -> list[Any]:
        """The truths, a row each."""
        return [row["truth"] for row in self.rows]

    @cached_property
    def scores(self) -> np.ndarray | None:
        """`(rows,)`, the probabilities of the answers; None where not every row has one."""
        found = [row.get("score") for row in self.rows]
        if not found or not all(isinstance(score, (int, float)) and 0 <= score <= 1 for score in found):
            return None
        return np.array(found, dtype=np.float64)


def prediction_lines(path: Path) -> Iterator[tuple[int, Row]]:
    """Reads predictions, with the numbers of their lines: objects with an id each, that no other has.

    Raises:
        SetupError: A line is something else.
    """
    seen: dict[int, int] = {}
    for number, row in read_lines(path):
        identity = row.get("id")
        if not isinstance(identity, int) or isinstance(identity, bool):
            _refuse(path, number, "expected an object with an id, a whole number")
        if identity in seen:
            _refuse(path, number, f"its id, {identity}, is that of line {seen[identity]} too")
        if not all(_is_finite(row.get(name)) for name in ("answer", "truth", "score", "probabilities")):
            _refuse(path, number, "a number in it is too large to be one")
        seen[identity] = number
        yield number, row


def answer_lines(path: Path) -> Iterator[tuple[int, Row]]:
    """As `prediction_lines`, of a task of hfft's own: each row that has a truth has an answer too, or an error.

    Raises:
        SetupError: A line is something else.
    """
    for number, row in prediction_lines(path):
        if row.get("truth") is not None and not isinstance(row.get("error"), str):
            answer, score = row.get("answer"), row.get("score")
            if answer is None:
                _refuse(path, number, "it has a truth and no answer")
            if isinstance(answer, str) and row["truth"] == []:
                _refuse(path, number, "its answer is a text and its truth an empty list")
            if not isinstance(score, (int, float, NoneType)):
                _refuse(path, number, f"its score is {KINDS[type(score)]}, expected a number")
            if not (row.get("probabilities") is None or are_numbers(row["probabilities"])):
                _refuse(path, number, "its probabilities are no list of numbers")
        yield number, row


def are_numbers(given: Any) -> bool:
    """Whether this is a list of numbers."""
    return isinstance(given, list) and set(map(type, given)) <= {int, float}


def _refuse(path: Path, number: int, why: str) -> NoReturn:
    raise SetupError(
        f"Line {number} of {path} is no prediction: {why}. {FIX}. Score the model anew with hfft evaluate."
    )


def _is_finite(value: Any) -> bool:
    """Whether there is no infinite number in a value; thousands of probabilities are looked at in their sum."""
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    try:
        if isinstance(value, list):
            plain = set(map(type, value)) <= {int, float} and math.isfinite(sum(value))
            return plain or all(map(_is_finite, value))
        return not isinstance(value, (int, float)) or math.isfinite(value)
    except OverflowError:  # a whole number that no float can be
        return False


def read_predictions(
    path: Path,
    split: str,
    candidates: Sequence[Sequence[str]] = (),
    lines: Callable[[Path], Iterator[tuple[int, Row]]] = answer_lines,
) -> Predictions:
    """Reads the predictions of a split.

    Args:
        path: The file; where it is not there, there are no rows.
        split: Its name.
        candidates: Lists of labels, one of which may name the columns of the probabilities: the first that fits the
            answers does.
        lines: Reads the rows: `answer_lines`, or of tasks of somebody's own `prediction_lines`.

    Raises:
        SetupError: A line cannot be read.
    """
    if not path.is_file():
        return Predictions(split, [], None, [])
    rows: list[Row] = []
    probabilities: list[Any] = []
    for _, row in lines(path):
        numbers = row.pop("probabilities", None)
        if row.get("truth") is not None and "answer" in row and "error" not in row:
            rows.append(_with_score(row))
            probabilities.append(np.array(numbers, dtype=np.float32) if are_numbers(numbers) else None)
    table = _table(probabilities)
    labels = next((list(names) for names in candidates if table is not None and _fit(names, table, rows)), [])
    return Predictions(split, rows, table, labels)


def _with_score(row: Row) -> Row:
    """The row; a `score` that is no number, as a task of somebody's own may have, is left out."""
    plain = type(row.get("score")) in (int, float)
    return row if plain else {name: value for name, value in row.items() if name != "score"}


def _table(probabilities: Sequence[np.ndarray | None]) -> np.ndarray | None:
    shapes = {None if numbers is None else numbers.shape for numbers in probabilities}
    if len(shapes) != 1 or None in shapes or len(next(iter(shapes)) or ()) != 1:
        return None
    return np.stack([numbers for numbers in probabilities if numbers is not None])


def _fit(names: Sequence[str], table: np.ndarray, rows: Sequence[Row]) -> bool:
    """Whether these may be the names of the columns: one label answered is the likeliest, several are among them."""
    if len(names) != table.shape[1]:
        return False
    place = {name: number for number, name in enumerate(names)}
    for row, numbers in zip(rows, table, strict=True):
        answer = row["answer"]
        if isinstance(answer, str) and (answer not in place or numbers[place[answer]] < numbers.max()):
            return False
        if isinstance(answer, list) and not all(name in place for name in answer):
            return False
    return True


def kind_of(output: str | None, predictions: Predictions) -> str:
    """What the answers of a split can be shown as: what they are, where the rows have what that takes, else "other".

    Args:
        output: What the task says they are. Where it does not say, they are what they look like.
        predictions: Of the split.
    """
    rows, labels = predictions.rows, predictions.labels
    if not rows:
        return "other"
    both = [*predictions.answers, *predictions.truths]
    texts = all(isinstance(value, str) for value in both)
    lists = all(isinstance(value, list) and all(isinstance(name, str) for name in value) for value in both)
    sequences = all(isinstance(value, (list, str)) for value in both)
    written = all(isinstance(answer, str) for answer in predictions.answers) and [] not in predictions.truths
    fits = {
        "numbers": _numeric(both),
        "spans": sequences and all("entities" in row and "scores" in row for row in rows),
        "text": written and sequences,
        "label": texts,
        "labels": lists and bool(labels),
    }
    if output in fits:
        return output if fits[output] else "other"
    looks = {
        "numbers": fits["numbers"] and predictions.probabilities is None and "score" not in rows[0],
        "spans": fits["spans"],
        "text": fits["text"] and all("flags" in row for row in rows),
        "label": texts and bool(labels),
        "labels": fits["labels"],
    }
    return next((kind for kind, holds in looks.items() if holds), "other")


def _numeric(values: Sequence[Any]) -> bool:
    """Whether all are numbers, or lists of numbers of one length."""
    lists = [value if isinstance(value, list) else [value] for value in values]
    plain = all(isinstance(number, (int, float)) and not isinstance(number, bool) for row in lists for number in row)
    return plain and len({len(row) for row in lists}) == 1 and len(lists[0]) > 0
