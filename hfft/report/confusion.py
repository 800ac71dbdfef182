"""What is taken for what, and the scores of single labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 20  # labels of a matrix, at most
PAIRS = 15
FEW = 30  # labels that have slices of their own, at most


def confusion(truths: Sequence[str], answers: Sequence[str], order: Sequence[str]) -> dict[str, Any]:
    """The confusion matrix of the labels with most examples; of equally many, those with more mistakes come first.

    Args:
        truths: Label names.
        answers: Label names.
        order: Of the labels; those that stand nowhere in it come last, by name.
    """
    pairs = Counter(zip(truths, answers, strict=True))
    true, answered = Counter(truths), Counter(answers)
    wrong = {name: true[name] + answered[name] - 2 * pairs[name, name] for name in {*true, *answered}}
    place = {name: number for number, name in enumerate(dict.fromkeys([*order, *sorted(wrong)]))}
    largest = sorted(wrong, key=lambda name: (-true[name], -wrong[name], place[name]))[:SHOWN]
    labels = sorted(largest, key=lambda name: place[name])
    made = {"labels": labels, "counts": [[pairs[truth, answer] for answer in labels] for truth in labels]}
    if len(wrong) > len(labels):  # else the rows would not add up to the examples of a label
        made["other_answers"] = [true[truth] - sum(row) for truth, row in zip(labels, made["counts"], strict=True)]
    return {**made, "left_out": len(wrong) - len(labels)}


def confused(truths: Sequence[str], answers: Sequence[str]) -> list[dict[str, Any]]:
    """The pairs of labels that are taken for each other most often."""
    pairs = Counter(pair for pair in zip(truths, answers, strict=True) if pair[0] != pair[1])
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]
    return [{"truth": truth, "answer": answer, "count": count} for (truth, answer), count in ranked]


def label_rows(
    scores: Mapping[str, Mapping[str, Any]], counts: Mapping[str, int] | None, order: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each label: how many examples truly have it, and its scores.

    Args:
        scores: By label, as in results.json under `SPLIT_labels`.
        counts: Examples by label; None where that is not known.
        order: Of the labels; others come last, as they stand.
    """
    names = [*(name for name in order if name in scores), *(name for name in scores if name not in order)]
    known = {} if counts is None else {name: {"examples": counts.get(name, 0)} for name in names}
    return [{"label": name, **known.get(name, {}), **scores[name]} for name in names]


def label_slices(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The accuracy on the examples of each label, which is its recall; of many labels the least accurate ones."""
    known = [row for row in rows if "recall" in row and row.get("examples")]
    column = "label" if len(known) <= FEW else f"label (the {FEW} least accurate of {len(known)})"
    shown = known if len(known) <= FEW else sorted(known, key=lambda row: row["recall"]["value"])[:FEW]
    return [
        {
            "column": column,
            "value": row["label"],
            "examples": row["examples"],
            "scores": {"accuracy": row["recall"]},
        }
        for row in shown
    ]
