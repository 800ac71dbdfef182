"""What is to be learnt from a table: the task, and what each of its columns is, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hfft.data.sounds import NO_TASK
from hfft.errors import DataError, alternatives
from hfft.start.columns import Column
from hfft.start.guessing_labels import guess_label, label_candidates
from hfft.start.guessing_texts import guess_texts, text_columns
from hfft.start.guessing_words import guess_words, word_columns
from hfft.start.guessing_writing import guess_writing, named_pair, translated_pair
from hfft.start.wishes import GIVEN, Doubt, Wishes, tasks_of_flags

Columns = Mapping[str, Column]
Sure = Literal["certain", "likely", "unclear"]
ONLY: tuple[str, Sure] = ("the only column of images", "certain")


@dataclass
class Guess:
    """What is to be learnt.

    Attributes:
        task: The task's name.
        options: Of the task: its columns, and what says how to read them.
        reasons: By option, why, and how sure that is.
        doubts: What is not certain; the options hold the best guess.
    """

    task: str
    options: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)

    def take(self, option: str, value: Any, reason: str, sure: Sure = "certain") -> None:
        """Sets an option, with the reason and how sure it is."""
        self.options[option] = value
        self.reasons[option] = reason if reason == GIVEN else f"{reason} ({sure})"


def guess(columns: Columns, wishes: Wishes) -> Guess:
    """Says what is to be learnt, as far as the user has not said it.

    Raises:
        DataError: A column that was named is not there, or nothing that can be learnt was found.
    """
    _require(columns, wishes)
    sounds = [column.name for column in columns.values() if column.kind == "sound"]
    if sounds and not any(wishes.given(flag) for flag in ("text", "image", "tokens", "source")):
        raise DataError(
            f"'{sounds[0]}' holds sounds or films, but {NO_TASK}. To learn from other columns, name one: --text COLUMN."
        )
    if len(columns) == 1:
        raise DataError(_nothing(columns))
    task, reason, doubt = _task(columns, wishes)
    made = Guess(task)
    made.reasons["name"] = reason
    if doubt is not None:
        made.doubts.append(doubt)
    if task == "image-classification":
        _image(columns, wishes, made)
        guess_label(columns, wishes, made, taken=[made.options["image"]])
    elif task == "text-classification":
        labels = guess_label(columns, wishes, made, taken=wishes.text)
        guess_texts(columns, wishes, made, taken=labels)
    elif task == "token-classification":
        guess_words(columns, wishes, made)
    else:
        guess_writing(columns, wishes, made)
    return made


def _require(columns: Columns, wishes: Wishes) -> None:
    for flag in ("text", "label", "source", "target", "tokens", "tags", "image"):
        for name in wishes.given(flag):
            outer, _, inner = name.partition(".")
            nested = outer in columns and inner in columns[outer].parts
            if name not in columns and not nested:
                raise DataError(
                    f"--{flag} is '{name}', but the data has no such column.{alternatives(name, list(columns))}"
                )


def _task(columns: Columns, wishes: Wishes) -> tuple[str, str, Doubt | None]:
    """The task, why, and what is unclear about it."""
    possible = tasks_of_flags(wishes)
    if len(possible) == 1:
        return possible[0], GIVEN if wishes.task else "as the columns that were named say", None
    pair = None if wishes.text or wishes.label else translated_pair(columns) or named_pair(columns)
    if pair is None and possible == ["summarization", "translation"]:  # --source or --target was given
        return _kind_of_writing(columns, wishes)
    images = [column.name for column in columns.values() if column.kind == "image"]
    if images and "image-classification" in possible and not wishes.text:
        return "image-classification", f"'{images[0]}' holds images", None
    if word_columns(columns) is not None and not wishes.given("label"):
        return "token-classification", "there are words with a tag each, or texts with spans", None
    labels, texts = label_candidates(columns, wishes.text), text_columns(columns)
    if pair is not None:
        source, target, task, reason = pair
        strong = [column.name for score, column in labels if score >= 4 and column.name not in (source, target)]
        if not strong or not set(possible) & {"text-classification"}:
            return task, reason, None
        why = f"'{source}' and '{target}' look like {task}, but '{strong[0]}' looks like a label"
        choices = ("text-classification", task)
        return choices[0], f"'{strong[0]}' looks like a label", Doubt("task", "The task", choices[0], choices, why)
    if wishes.text or wishes.label or (labels and texts):
        return "text-classification", "there are texts and what looks like a label", None
    if len(texts) >= 2 and not labels:
        return _kind_of_writing(columns, wishes)
    raise DataError(_nothing(columns))


def _kind_of_writing(columns: Columns, wishes: Wishes) -> tuple[str, str, Doubt | None]:
    made = Guess("summarization")
    guess_writing(columns, wishes, made)
    source, target = (made.options[side] for side in ("source", "target"))
    words = [_words(columns, name) for name in (source, target)]
    task = "summarization" if words[1] < 0.5 * words[0] else "translation"
    why = f"'{target}' has {words[1]:g} words in the median where '{source}' has {words[0]:g}"
    return task, why, Doubt("task", "The task", task, ("summarization", "translation"), why)


def _words(columns: Columns, name: str) -> float:
    outer, _, inner = name.partition(".")
    if name in columns:
        return columns[name].words
    values = [value[inner] for value in columns[outer].values if value.get(inner)]
    return sum(len(value.split()) for value in values) / max(1, len(values))


def _image(columns: Columns, wishes: Wishes, made: Guess) -> None:
    images = [column.name for column in columns.values() if column.kind == "image"]
    if wishes.image is not None:
        if columns[wishes.image].kind != "image":
            raise DataError(f"--image is {columns[wishes.image]}, which is no column of images, or of names of images.")
        made.take("image", wishes.image, GIVEN)
    elif not images:
        raise DataError(f"No column holds images or names of image files. {_listed(columns)} Name it with --image.")
    else:
        made.take("image", images[0], *ONLY if len(images) == 1 else ("the first", "unclear"))
        if len(images) > 1:
            why = f"several columns hold images: {', '.join(images)}"
            made.doubts.append(Doubt("image", "The column of the image", images[0], tuple(images), why))


def _nothing(columns: Columns) -> str:
    if len(columns) == 1:
        (column,) = columns.values()
        return (
            f"The data has one column, {column}: a model learns from two, such as a text and its label. If others "
            "stand in it, they may be separated otherwise: .csv files by commas, .tsv files by tabs."
        )
    return (
        f"No column looks like something to learn. {_listed(columns)} Name the columns: --text and --label, --source "
        "and --target, --tokens and --tags, or --image and --label."
    )


def _listed(columns: Columns) -> str:
    return f"The data has: {'; '.join(map(str, columns.values()))}."
