"""What the task's own readers say of the splits: rows, labels, lengths. What they refuse, a plan would refuse too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from datasets import Dataset

from hfft.data import checks
from hfft.data.images import as_images, open_image
from hfft.errors import DataError
from hfft.tasks.problems import problem_of_data
from hfft.tasks.problems.problem import ProblemOptions
from hfft.tasks.seq2seq.pairs import Columns as PairColumns
from hfft.tasks.seq2seq.pairs import read_sources, read_targets
from hfft.tasks.token_classification.documents import Columns as TagColumns
from hfft.tasks.token_classification.documents import read_answered
from hfft.tasks.token_classification.options import Options as TagOptions
from hfft.tasks.token_classification.schemes import Span, how_read, refuse_misspelled, scheme_of
from hfft.workflows.init.columns import Column
from hfft.workflows.init.languages import language_of, tokens_of
from hfft.workflows.init.sources import Split
from hfft.workflows.init.state import Guess

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
        language: Of the texts.
        counts: `(texts,)`, the tokens of each, estimated.
    """

    words: float
    longest: int
    tokens: int
    language: str | None
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)


@dataclass
class Facts:
    """What is known of the data.

    Attributes:
        rows: By split, how many, as far as it is known.
        problem: Where labels are asked for: single, multi or regression; of tags, entities or words.
        labels: How many rows have each label, or how many entities are of each type.
        unanswered: Training rows without an answer.
        span: Of numbers, the least and the most.
        lengths: Of the texts by option: `text`, `source`, `target` or `tokens`.
        language: Of what is read.
        side: Height and width of images in the median.
        unlike: Labels of other splits that no training row has.
    """

    rows: dict[str, int | None]
    problem: str = ""
    labels: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    span: tuple[float, float] | None = None
    lengths: dict[str, Lengths] = field(default_factory=dict)
    language: str | None = None
    side: tuple[float, float] | None = None
    unlike: list[str] = field(default_factory=list)

    @property
    def train_rows(self) -> int:
        """How many training rows there are; 0 where nobody knows."""
        return self.rows["train"] or 0


def facts_of(
    guess: Guess, splits: Mapping[str, Split], columns: Mapping[str, Column], languages: Sequence[str | None]
) -> Facts:
    """Reads the splits as the task does.

    Args:
        guess: What is to be learnt.
        splits: The splits.
        columns: Of train.
        languages: As far as they are known: of a translation both, else the one of what is read.

    Raises:
        DataError: A split does not fit the columns.
    """
    rows = {name: split.rows for name, split in splits.items()}
    facts = Facts({name: split.total for name, split in splits.items()})
    if guess.task == "token-classification":
        _tags(guess, rows, facts, languages[0])
    elif guess.task in ("summarization", "translation"):
        _pairs(guess, rows, facts, languages)
    else:
        _answers(guess, splits, columns, facts)
        if guess.task == "image-classification":
            _images(guess, rows["train"], facts)
        else:
            _texts(guess, rows, facts, languages[0])
    return facts


def _answers(guess: Guess, splits: Mapping[str, Split], columns: Mapping[str, Column], facts: Facts) -> None:
    names = guess.options["label"]
    one = columns[names] if isinstance(names, str) else None
    if one is not None:
        _require_labels(one, guess)
        if one.kind == "whole" and one.distinct > NUMBERS and one.distinct > len(one.values) / 10:
            guess.take("problem", "regression", f"{one.distinct} different whole numbers are numbers to predict")
        if one.kind == "whole" and {float(value) for value in one.values} == {-1, 0, 1}:
            guess.take("labels", ["-1", "0", "1"], "take -1 out if it says that there is no label", "unclear")
    options = ("label", "delimiter", "problem", "labels")
    given = {name: guess.options[name] for name in options if name in guess.options}
    target = problem_of_data(ProblemOptions(**given), splits["train"].rows)
    facts.problem = target.problem
    read = {name: target.read(split.rows, name) for name, split in splits.items()}
    told = [truth for truth in read["train"] if truth is not None]
    facts.unanswered = len(read["train"]) - len(told)
    if not told:
        raise DataError(f"The label column {names!r} has no value in any training row.")
    if facts.problem == "regression":
        numbers = np.array(told, dtype=float)
        facts.span = float(numbers.min()), float(numbers.max())
        if facts.span[0] == facts.span[1]:
            raise DataError(f"The label column {names!r} is {facts.span[0]:g} in every row: there is nothing to learn.")
        return
    facts.labels = _counted(told)
    if len(facts.labels) < 2:
        raise DataError(
            f"The label column {names!r} has only one label, '{next(iter(facts.labels), '')}': nothing can be told "
            "apart. Name another column with --label, or add rows of other labels."
        )
    others = {name: _counted(truth for truth in truths if truth is not None) for name, truths in read.items()}
    facts.unlike = sorted({label for counts in others.values() for label in counts} - set(facts.labels))


def _counted(truths: Any) -> Counter[str]:
    return Counter(label for truth in truths for label in (truth if isinstance(truth, list) else [truth]))


def _require_labels(column: Column, guess: Guess) -> None:
    """Raises DataError where the values of a column cannot be labels."""
    if column.kind in ("spans", "image", "other", "languages", "nothing"):
        raise DataError(f"--label: the column {column} cannot be a label. Name another one with --label.")
    alone = column.distinct == len(column.values) and "delimiter" not in guess.options
    if column.kind in ("text", "whole") and alone and len(column.values) > 2:
        looks = (
            "free text" if column.kind == "text" and column.words >= 3 else "the number or the name of a row (an id)"
        )
        raise DataError(
            f"The label column '{column.name}' has a different value in each of its {len(column.values)} rows: it "
            f"looks like {looks}, not like a label, which repeats. Name another column with --label; a text that is "
            "to be written is named with --target."
        )


def _texts(guess: Guess, rows: Mapping[str, Dataset], facts: Facts, language: str | None) -> None:
    names = guess.options["text"]
    names = names if isinstance(names, list) else [names]
    for split, held in rows.items():
        for name in names:
            checks.require_texts(held[name], split, name, "--text")
    texts = [" ".join(parts) for parts in zip(*(rows["train"][name] for name in names), strict=True)]
    facts.language = language or language_of(texts)
    facts.lengths["text"] = _lengths(texts, facts.language)


def _pairs(guess: Guess, rows: Mapping[str, Dataset], facts: Facts, languages: Sequence[str | None]) -> None:
    options = guess.options
    where = PairColumns(options["source"], options["target"], options.get("references"))
    read_of = {
        split: (read_sources(held, split, where), read_targets(held, split, where)) for split, held in rows.items()
    }
    sources, labels = read_of["train"]
    targets = [label.text for label in labels if label is not None]
    facts.unanswered = len(labels) - len(targets)
    if not targets:
        raise DataError(f"--target: no training row has a text in '{options['target']}'.")
    from_, written = (*languages, *languages)[:2]
    facts.language = from_ or language_of(sources)
    facts.lengths["source"] = _lengths(sources, facts.language)
    facts.lengths["target"] = _lengths(targets, written or language_of(targets))


def _tags(guess: Guess, rows: Mapping[str, Dataset], facts: Facts, language: str | None) -> None:
    where = TagColumns(guess.options["tokens"], guess.options["tags"], None)
    documents = {split: read_answered(held, split, where) for split, held in rows.items()}
    train = documents["train"]
    truths = [truth for truth in train.truths if truth is not None]
    facts.unanswered = len(train.truths) - len(truths)
    tags = Counter(tag.label if isinstance(tag, Span) else tag for truth in truths for tag in truth)
    if train.whole:
        facts.problem, facts.labels = "entities", tags
    else:
        names = sorted(str(tag) for tag in tags)
        refuse_misspelled(names)  # as a plan would
        scheme_of(names)
        spans_of = how_read(names, TagOptions().scheme)
        facts.problem = "entities" if any(name == "O" or name[:2] in ("B-", "I-") for name in names) else "words"
        facts.labels = Counter(span.label for truth in truths for span in spans_of([str(tag) for tag in truth]))
    if not facts.labels:
        raise DataError(f"--tags: no training row has a tag other than O in '{guess.options['tags']}'.")
    texts = [given if train.whole else " ".join(given) for given in train.given]
    facts.language = language or language_of(texts)
    facts.lengths["tokens"] = _lengths(texts, facts.language)


def _images(guess: Guess, rows: Dataset, facts: Facts) -> None:
    column = guess.options["image"]
    images = as_images(rows, column, "train")
    step = max(1, len(images) // OPENED)
    chosen = images.select(range(0, len(images), step))
    sizes, broken = [], []
    for value in chosen[column]:
        try:
            sizes.append(open_image(value).size[::-1])
        except DataError as error:
            broken.append(str(error))
    if len(broken) > len(sizes):
        raise DataError(f"--image: {len(broken)} of {len(chosen)} images that were tried cannot be read: {broken[0]}")
    heights, widths = zip(*sizes, strict=True)
    facts.side = float(np.median(heights)), float(np.median(widths))


def _lengths(texts: Sequence[str], language: str | None) -> Lengths:
    words = [len(text.split()) for text in texts]
    tokens = np.array([tokens_of(text, language) for text in texts])
    return Lengths(float(np.median(words)), max(words), int(np.percentile(tokens, NEARLY_ALL)), language, tokens)
