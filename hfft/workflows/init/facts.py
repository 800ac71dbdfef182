"""What the task's own readers say of the splits: rows, labels, lengths. What they refuse, a plan would refuse too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from datasets import Dataset

from hfft.data import checks
from hfft.data.images import as_images, look_at, none_left
from hfft.errors import DataError
from hfft.tasks.problems import problem_of_data
from hfft.tasks.problems.problem import ProblemOptions
from hfft.tasks.seq2seq.pairs import Columns as PairColumns
from hfft.tasks.seq2seq.pairs import read_sources, read_targets
from hfft.tasks.token_classification.documents import Columns as TagColumns
from hfft.tasks.token_classification.documents import read_answered
from hfft.tasks.token_classification.labels import learn
from hfft.tasks.token_classification.options import Options as TagOptions
from hfft.tasks.token_classification.schemes import entities_of, how_read
from hfft.workflows.init.columns import Column
from hfft.workflows.init.guess import Guess
from hfft.workflows.init.languages import given_languages, language_of_column, tokens_of
from hfft.workflows.init.options import WRITING
from hfft.workflows.init.sources import Split

NUMBERS = 50  # different whole numbers, beyond which they are to be predicted as numbers

OPENED = 200  # images

NEARLY_ALL = 99  # percent of texts, which a model should read whole


@dataclass(frozen=True)
class Lengths:
    """Lengths of texts.

    Attributes:
        words: In the median.
        longest: Words at most.
        tokens: That 99 of 100 have at most, estimated.
        language: Of the texts; None where it was not recognized.
        counts: `(texts,)`, the tokens of each, estimated.
    """

    words: float
    longest: int
    tokens: int
    language: str | None
    counts: np.ndarray = field(repr=False, compare=False)


@dataclass
class Facts:
    """What is known of the data.

    Attributes:
        rows: By split, how many, as far as it is known.
        problem: Where labels are asked for: single, multi or regression; of tags, entities or words.
        labels: How many rows have each label, or how many entities are of each type.
        unanswered: Training rows without an answer.
        span: Of numbers, the least and the most.
        lengths: Of the texts by option: `text`, `tokens`, or `source` and `target`.
        side: Height and width of images in the median.
        unlike: Labels of other splits that no training row has.
    """

    rows: dict[str, int | None]
    problem: str = ""
    labels: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    span: tuple[float, float] | None = None
    lengths: dict[str, Lengths] = field(default_factory=dict)
    side: tuple[float, float] | None = None
    unlike: list[str] = field(default_factory=list)

    @property
    def train_rows(self) -> int:
        """How many training rows there are; 0 where nobody knows."""
        return self.rows["train"] or 0

    @property
    def languages(self) -> list[str | None]:
        """Of what is read, and of what is written; None where it was not recognized."""
        return [lengths.language for lengths in self.lengths.values()]


def facts_of(
    guess: Guess, splits: Mapping[str, Split], columns: Mapping[str, Column], language: str | None = None
) -> Facts:
    """Reads the splits as the task does.

    Args:
        guess: What is to be learnt; what whole numbers are is told to it.
        splits: What was read.
        columns: Those of train.
        language: Of the texts, where the user gave it, and of a translation both.

    Raises:
        DataError: A split does not fit the columns.
        RecipeError: The language is unknown, or has no effect.
    """
    rows = {name: split.rows for name, split in splits.items()}
    facts = Facts({name: split.total for name, split in splits.items()})
    given = given_languages(language, guess.task)
    if guess.task in WRITING:
        texts = _pairs(guess, rows, facts)
    elif guess.task == "token-classification":
        texts = {"tokens": _tags(guess, rows, facts)}
    else:
        _labels(guess, rows, columns, facts)
        texts = {"text": _texts(guess, rows)} if "text" in guess.options else {}
    for (option, found), known in zip(texts.items(), given, strict=False):
        facts.lengths[option] = _lengths(found, known or language_of_column(guess.named(option)[0], found))
    if "image" in guess.options:
        facts.side = _side(rows["train"], guess.options["image"])
    return facts


def _labels(guess: Guess, rows: Mapping[str, Dataset], columns: Mapping[str, Column], facts: Facts) -> None:
    names = guess.options["label"]
    if isinstance(names, str):
        _require_labels(columns[names], guess)
        _numbers(columns[names], guess)
    options = {name: value for name, value in guess.options.items() if name in ProblemOptions.model_fields}
    target = problem_of_data(ProblemOptions(**options), rows["train"])
    facts.problem = target.name
    read = {split: target.read(held, split) for split, held in rows.items()}
    told = {split: [truth for truth in truths if truth is not None] for split, truths in read.items()}
    facts.unanswered = len(read["train"]) - len(told["train"])
    if not told["train"]:
        raise DataError(f"The label column {names!r} has no value in any training row.")
    if facts.problem == "regression":
        numbers = np.array(told["train"], dtype=float)
        facts.span = float(numbers.min()), float(numbers.max())
        if facts.span[0] == facts.span[1]:
            raise DataError(f"The label column {names!r} is {facts.span[0]:g} in every row: there is nothing to learn.")
        return
    counts = {split: Counter(_each(truths)) for split, truths in told.items()}
    facts.labels = counts["train"]
    facts.unlike = sorted({label for found in counts.values() for label in found} - set(facts.labels))
    if len(facts.labels) < 2:
        raise DataError(
            f"The label column {names!r} has only one label, '{next(iter(facts.labels), '')}': nothing can be told "
            "apart. Name another column with --label, or add rows of other labels."
        )


def _each(truths: Sequence[Any]) -> list[str]:
    """The labels of all rows, of each of which there may be several."""
    return [label for truth in truths for label in (truth if isinstance(truth, list) else [truth])]


def _numbers(column: Column, guess: Guess) -> None:
    """Takes what whole numbers are: so many that they are to be predicted, or labels of which one may be none."""
    if column.kind != "whole":
        return
    if column.distinct > max(NUMBERS, len(column.values) / 10):
        why = f"{column.distinct} different whole numbers are numbers to predict (certain)"
        guess.take("problem", "regression", why)
    if {float(value) for value in column.values} == {-1, 0, 1}:
        guess.take("labels", ["-1", "0", "1"], "take -1 out if it says that there is no label (unclear)")


def _require_labels(column: Column, guess: Guess) -> None:
    """Raises DataError where the values of a column cannot be labels."""
    if column.kind in ("spans", "image", "other", "languages", "nothing"):
        raise DataError(f"--label: the column {column} cannot be a label. Name another one with --label.")
    alone = column.distinct == len(column.values) > 2 and "delimiter" not in guess.options
    if column.kind in ("text", "whole") and alone:
        free = column.kind == "text" and column.words >= 3
        looks = "free text" if free else "the number or the name of a row (an id)"
        raise DataError(
            f"The label column '{column.name}' has a different value in each of its {len(column.values)} rows: it "
            f"looks like {looks}, not like a label, which repeats. Name another column with --label; a text that is "
            "to be written is named with --target."
        )


def _texts(guess: Guess, rows: Mapping[str, Dataset]) -> list[str]:
    """The texts to classify; of pairs both in one."""
    names = guess.named("text")
    for split, held in rows.items():
        for name in names:
            checks.require_texts(held[name], split, name, "--text")
    return [" ".join(parts) for parts in zip(*(rows["train"][name] for name in names), strict=True)]


def _pairs(guess: Guess, rows: Mapping[str, Dataset], facts: Facts) -> dict[str, list[str]]:
    """The sources, and those targets that there are."""
    options = guess.options
    where = PairColumns(options["source"], options["target"], options.get("references"))
    read = {split: (read_sources(held, split, where), read_targets(held, split, where)) for split, held in rows.items()}
    sources, labels = read["train"]
    targets = [label.text for label in labels if label is not None]
    facts.unanswered = len(labels) - len(targets)
    if not targets:
        raise DataError(f"--target: no training row has a text in '{options['target']}'.")
    return {"source": sources, "target": targets}


def _tags(guess: Guess, rows: Mapping[str, Dataset], facts: Facts) -> list[str]:
    """The documents, as texts."""
    options = TagOptions(tokens=guess.options["tokens"], tags=guess.options["tags"])
    where = TagColumns(options.tokens, options.tags, None)
    train = {split: read_answered(held, split, where) for split, held in rows.items()}["train"]
    spans_of = how_read(learn(options, train, rows["train"], where, None)[0], None)
    truths: list[Any] = [truth for truth in train.truths if truth is not None]
    facts.unanswered = len(train.truths) - len(truths)
    facts.problem = "entities" if train.whole or spans_of is entities_of else "words"
    facts.labels = Counter(span.label for truth in truths for span in (truth if train.whole else spans_of(truth)))
    return train.given if train.whole else [" ".join(words) for words in train.given]


def _side(rows: Dataset, column: str) -> tuple[float, float]:
    """Height and width of images in the median, of those that are tried."""
    images = as_images(rows, column, "train")
    images = images.select(range(0, len(images), max(1, len(images) // OPENED)))
    looked = look_at(images, column)
    if not looked.readable.any():
        raise none_left(images, column, looked, "train")
    height, width = np.median(looked.sizes[looked.readable], axis=0).tolist()
    return height, width


def _lengths(texts: Sequence[str], language: str | None) -> Lengths:
    words = [len(text.split()) for text in texts]
    tokens = np.array([tokens_of(text, language) for text in texts])
    return Lengths(float(np.median(words)), max(words), int(np.percentile(tokens, NEARLY_ALL)), language, tokens)
