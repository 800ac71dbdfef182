"""Answers that are labels, one or several: confusion, scores by label, likely label errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfft.reports.calibration import calibration
from hfft.reports.examples import PICTURES, SHOWN, drawn, example, gallery
from hfft.reports.in_short import mistakes, said, share
from hfft.reports.predictions import About, Predictions

MISTAKES, CONFIDENT, RIGHT = "Mistakes", "Most confident mistakes", "Right answers"

MISLABELLED = "May be mislabelled: look"

MOST_MISTAKES = 72  # of a gallery by what was taken for what, unless its matrix has more pairs

WHY_MISLABELLED = (
    "The probabilities speak against these labels (confident learning, Northcutt et al. 2021): {count} of {total} "
    "examples are candidates, the likeliest first. That is a hint and no proof, and the weaker the model, the less it "
    "says: look at them."
)


def label_facts(found: Predictions, about: About) -> dict[str, Any]:
    """Scores by label, confusion, calibration and galleries of answers that are one label each."""
    split, answers, truths = found.split, found.answers, found.truths
    right = _right(found)
    matrix = confusion(truths, answers, found.labels)
    suspects, wrong = _suspects(found), int((~right).sum())
    made = {
        "in_short": [
            mistakes(wrong, len(right), MISTAKES if wrong else RIGHT),
            *_may_be_wrong(len(suspects)),
        ],
        "labels": label_rows(about.label_scores(split), Counter(truths), found.labels),
        "confusion": matrix,
        "galleries": [
            *_mistakes(found, right, about.kind, matrix["labels"]),
            *_mislabelled(found, suspects, about.kind),
            *_right_ones(found, right, about.kind),
        ],
        **_calibration(found, right, about),
    }
    return {name: value for name, value in made.items() if value}


def _right(found: Predictions) -> np.ndarray:
    """`(rows,)`, whether each answer is the truth."""
    return np.array([answer == truth for answer, truth in zip(found.answers, found.truths, strict=True)], dtype=bool)


def _calibration(found: Predictions, right: np.ndarray, about: About) -> dict[str, Any]:
    if found.scores is None:
        return {}
    kind, selected = "the answer's probability", about.selected(found.split)
    return {"calibration": calibration(found.scores, right, kind, about.confidence, selected=selected)}


def _may_be_wrong(count: int) -> list[dict[str, str]]:
    return [said(f"{count} label{'' if count == 1 else 's'} may be wrong.", MISLABELLED)] if count else []


def _surest_first(found: Predictions, rows: np.ndarray) -> np.ndarray:
    return rows if found.scores is None else rows[np.argsort(-found.scores[rows], kind="stable")]


def _mistakes(found: Predictions, right: np.ndarray, kind: str, drawn_labels: Sequence[str]) -> list[dict[str, Any]]:
    """The wrong answers by what was taken for what; each pair of a matrix of these labels has one at least."""
    pairs = confused(found.truths, found.answers)
    place = {(pair["truth"], pair["answer"]): number for number, pair in enumerate(pairs)}
    drawn_pairs = {number for pair, number in place.items() if set(pair) <= set(drawn_labels)}
    depth = [0] * len(pairs)
    ranked = []
    for row in _surest_first(found, np.flatnonzero(~right)).tolist():
        number = place[found.truths[row], found.answers[row]]
        ranked.append((depth[number], number not in drawn_pairs, number, row))
        depth[number] += 1
    kept = sorted(ranked)[: max(MOST_MISTAKES, len(drawn_pairs))]  # the first of each pair, then the second of each
    kept.sort(key=lambda one: (one[2], one[0]))
    numbers = {number: new for new, number in enumerate(dict.fromkeys(number for _, _, number, _ in kept))}
    examples = _examples(found, np.array([row for *_, row in kept], dtype=int))
    for made, (_, _, number, _) in zip(examples, kept, strict=True):
        made["pairs"] = [numbers[number]]
    surest = "" if found.scores is None else " Of each pair those come first of which the model was surest."
    note = f"What is taken for what, the most frequent first.{surest}"
    return gallery(MISTAKES, note, kind, examples, open=True, pairs=[pairs[number] for number in numbers])


def _right_ones(found: Predictions, right: np.ndarray, kind: str) -> list[dict[str, Any]]:
    rows, made = np.flatnonzero(right), []
    if found.scores is not None:
        unsure = rows[np.argsort(found.scores[rows], kind="stable")][:SHOWN]
        note = "Right answers, those that the model was least sure of first."
        made = gallery("Least confident right answers", note, kind, _examples(found, unsure))
    some = rows[drawn(len(rows), PICTURES if kind == "pictures" else SHOWN)]
    return made + gallery(RIGHT, _counted(some, rows, "right"), kind, _examples(found, some))


def _counted(some: np.ndarray, all_of_them: np.ndarray, word: str) -> str:
    count = len(all_of_them)
    some_of = f"{len(some)} of {count} {word} answers, at random."
    return f"All {count} {word} answers." if len(some) == count else some_of


def _suspects(found: Predictions) -> np.ndarray:
    """Rows whose labels are likely wrong; none where the probabilities are not known by label."""
    place = {label: number for number, label in enumerate(found.labels)}
    if found.probabilities is None or not all(isinstance(truth, str) and truth in place for truth in found.truths):
        return np.array([], dtype=int)
    return likely_label_errors(found.probabilities, np.array([place[truth] for truth in found.truths], dtype=int))


def _mislabelled(found: Predictions, suspects: np.ndarray, kind: str) -> list[dict[str, Any]]:
    note = WHY_MISLABELLED.format(count=len(suspects), total=len(found.rows))
    return gallery(MISLABELLED, note, kind, _examples(found, suspects[:SHOWN]), open=True)


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
    right, kind = _right(found), about.kind
    rows, most = np.flatnonzero(~right), PICTURES if about.kind == "pictures" else SHOWN
    if found.scores is None:
        some = rows[drawn(len(rows), most)]
        title, note = MISTAKES, _counted(some, rows, "wrong")
    else:
        some = _surest_first(found, rows)[:most]
        title, note = CONFIDENT, "Wrong answers, those that the model was surest of first."
    wrong = gallery(title, note, kind, _examples(found, some), open=True)
    made: dict[str, Any] = {"galleries": [*wrong, *_right_ones(found, right, kind)]}
    scores = about.label_scores(found.split)
    made |= {"labels": label_rows(scores, None, found.labels)} if scores else {}
    if right.any():  # else answers are not said in the words of the truths
        made["in_short"] = [mistakes(int((~right).sum()), len(right), title)]
        made |= _calibration(found, right, about)
    return made


def several_facts(found: Predictions, about: About) -> dict[str, Any]:
    """Scores by label, calibration and galleries. The probabilities and their labels are known."""
    assert found.probabilities is not None
    counts = Counter(name for truth in found.truths for name in truth)
    known = ~_indicators([row.get("unknown", []) for row in found.rows], found.labels)
    answered, true = (_indicators(sets, found.labels) & known for sets in (found.answers, found.truths))
    table = found.probabilities.astype(np.float64)
    example_of = np.repeat(np.arange(len(table)), known.sum(1))
    wrong, too = int((answered != true).any(1).sum()), "a label too many or too few"
    return {
        "in_short": share(wrong, len(true), "examples", f"has {too}", f"have {too}", CONFIDENT),
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
    made = gallery(CONFIDENT, note, kind, examples, open=True)
    some = right[drawn(len(right), most)]
    note = f"{len(some)} of {len(right)} answers with exactly the right labels."
    return made + gallery(RIGHT, note, kind, [example(found.rows[row]) for row in some.tolist()])


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


LABELS_SHOWN = 20  # labels of a matrix, at most


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
    largest = sorted(wrong, key=lambda name: (-true[name], -wrong[name], place[name]))[:LABELS_SHOWN]
    labels = sorted(largest, key=lambda name: place[name])
    made = {"labels": labels, "counts": [[pairs[truth, answer] for answer in labels] for truth in labels]}
    if len(wrong) > len(labels):  # else the rows would not add up to the examples of a label
        made["other_answers"] = [true[truth] - sum(row) for truth, row in zip(labels, made["counts"], strict=True)]
    return {**made, "left_out": len(wrong) - len(labels)}


def confused(truths: Sequence[str], answers: Sequence[str]) -> list[dict[str, Any]]:
    """The pairs of labels of which one is taken for the other, the most frequent first."""
    pairs = Counter(pair for pair in zip(truths, answers, strict=True) if pair[0] != pair[1])
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
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


def likely_label_errors(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The examples that the confident joint counts off its diagonal, the likeliest errors first.

    Section 3.1: the threshold of a label is the mean probability of it over the examples that are given it (equation
    2). An example counts for the likeliest of the labels whose thresholds its probabilities reach (equation 1, with
    ties for the likeliest); where that is another than its own, it is a candidate (section 3.2, method 2). Unlike there
    those for which the model itself answers the given label are left out: nothing but a threshold speaks against
    them. They are ranked by the normalized margin: the probability of the given label less the largest of the others.
    The probabilities are to be of examples that the model was not trained on.

    Args:
        probabilities: `(examples, labels)`.
        given: `(examples,)`, the number of each example's label.

    Returns:
        Numbers of examples.
    """
    rows = np.arange(len(given))
    own = probabilities[rows, given].astype(np.float64)
    counts = np.bincount(given, minlength=probabilities.shape[1])
    sums = np.bincount(given, own, minlength=probabilities.shape[1])
    # A label that no example is given has no threshold, and none can count for it.
    thresholds = np.divide(sums, counts, out=np.full(len(counts), np.inf), where=counts > 0)
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    best = reached.argmax(1)
    candidates = np.flatnonzero((reached[rows, best] >= 0) & (best != given) & (probabilities.argmax(1) != given))
    margins = margin(probabilities[candidates], given[candidates])
    return candidates[np.argsort(margins, kind="stable")]


def margin(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The probability of the given label less the largest of the other labels, `(examples,)`."""
    rows = np.arange(len(given))
    others = probabilities.astype(np.float64)
    own = others[rows, given].copy()
    others[rows, given] = -np.inf
    return own - others.max(1)
