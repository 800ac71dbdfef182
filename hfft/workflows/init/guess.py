"""What `hfft init` takes data for: the task, the label, the text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hfft.data.checks import NO_TASK
from hfft.data.label_warnings import WORDS, delimiter_of
from hfft.errors import DataError, alternatives
from hfft.workflows.init.columns import IDS, Column, text_columns
from hfft.workflows.init.guess_sequences import guess_words, guess_writing, named_pair, translated_pair, word_columns
from hfft.workflows.init.state import GIVEN, Guess, InitOptions, Question, Sure, tasks_of_flags

Columns = Mapping[str, Column]

ONLY: tuple[str, Sure] = ("the only column of images", "certain")


def guess(columns: Columns, wanted: InitOptions) -> Guess:
    """Says what is to be learnt, as far as the user has not said it.

    Raises:
        DataError: A column that was named is not there, or nothing that can be learnt was found.
    """
    _require(columns, wanted)
    sounds = [column.name for column in columns.values() if column.kind == "sound"]
    if sounds and not any(wanted.given(flag) for flag in ("text", "image", "tokens", "source")):
        raise DataError(
            f"'{sounds[0]}' holds sounds or films, but {NO_TASK}. To learn from other columns, name one: --text COLUMN."
        )
    if len(columns) == 1:
        raise DataError(_nothing(columns))
    task, reason, question = _task(columns, wanted)
    made = Guess(task)
    made.reasons["name"] = reason
    if question is not None:
        made.questions.append(question)
    if task == "image-classification":
        _image(columns, wanted, made)
        guess_label(columns, wanted, made, taken=[made.options["image"]])
    elif task == "text-classification":
        labels = guess_label(columns, wanted, made, taken=wanted.text)
        guess_texts(columns, wanted, made, taken=labels)
    elif task == "token-classification":
        guess_words(columns, wanted, made)
    else:
        guess_writing(columns, wanted, made)
    return made


def _require(columns: Columns, wanted: InitOptions) -> None:
    for flag in ("text", "label", "source", "target", "tokens", "tags", "image"):
        for name in wanted.given(flag):
            outer, _, inner = name.partition(".")
            nested = outer in columns and inner in columns[outer].parts
            if name not in columns and not nested:
                raise DataError(
                    f"--{flag} is '{name}', but the data has no such column.{alternatives(name, list(columns))}"
                )


def _task(columns: Columns, wanted: InitOptions) -> tuple[str, str, Question | None]:
    """The task, why, and what is unclear about it."""
    possible = tasks_of_flags(wanted)
    if len(possible) == 1:
        return possible[0], GIVEN if wanted.task else "as the columns that were named say", None
    pair = None if wanted.text or wanted.label else translated_pair(columns) or named_pair(columns)
    if pair is None and possible == ["summarization", "translation"]:  # --source or --target was given
        return _kind_of_writing(columns, wanted)
    images = [column.name for column in columns.values() if column.kind == "image"]
    if images and "image-classification" in possible and not wanted.text:
        return "image-classification", f"'{images[0]}' holds images", None
    if word_columns(columns) is not None and not wanted.given("label"):
        return "token-classification", "there are words with a tag each, or texts with spans", None
    labels, texts = label_candidates(columns, wanted.text), text_columns(columns)
    if pair is not None:
        source, target, task, reason = pair
        strong = [column.name for score, column in labels if score >= 4 and column.name not in (source, target)]
        if not strong or not set(possible) & {"text-classification"}:
            return task, reason, None
        why = f"'{source}' and '{target}' look like {task}, but '{strong[0]}' looks like a label"
        choices = ("text-classification", task)
        return choices[0], f"'{strong[0]}' looks like a label", Question("task", "The task", choices[0], choices, why)
    if wanted.text or wanted.label or (labels and texts):
        return "text-classification", "there are texts and what looks like a label", None
    if len(texts) >= 2 and not labels:
        return _kind_of_writing(columns, wanted)
    raise DataError(_nothing(columns))


def _kind_of_writing(columns: Columns, wanted: InitOptions) -> tuple[str, str, Question | None]:
    made = Guess("summarization")
    guess_writing(columns, wanted, made)
    source, target = (made.options[side] for side in ("source", "target"))
    words = [_words(columns, name) for name in (source, target)]
    task = "summarization" if words[1] < 0.5 * words[0] else "translation"
    why = f"'{target}' has {words[1]:g} words in the median where '{source}' has {words[0]:g}"
    return task, why, Question("task", "The task", task, ("summarization", "translation"), why)


def _words(columns: Columns, name: str) -> float:
    outer, _, inner = name.partition(".")
    if name in columns:
        return columns[name].words
    values = [value[inner] for value in columns[outer].values if value.get(inner)]
    return sum(len(value.split()) for value in values) / max(1, len(values))


def _image(columns: Columns, wanted: InitOptions, made: Guess) -> None:
    images = [column.name for column in columns.values() if column.kind == "image"]
    if wanted.image is not None:
        if columns[wanted.image].kind != "image":
            raise DataError(f"--image is {columns[wanted.image]}, which is no column of images, or of names of images.")
        made.take("image", wanted.image, GIVEN)
    elif not images:
        raise DataError(f"No column holds images or names of image files. {_listed(columns)} Name it with --image.")
    else:
        made.take("image", images[0], *ONLY if len(images) == 1 else ("the first", "unclear"))
        if len(images) > 1:
            why = f"several columns hold images: {', '.join(images)}"
            made.questions.append(Question("image", "The column of the image", images[0], tuple(images), why))


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


STRONG = re.compile(
    "labels?|class|classes|category|categories|intent|sentiment|emotions?|topics?|gold|y|entailment|.*label"
)

WEAK = re.compile(
    "target|tags?|rating|stars|score|similarity|genres?|type|polarity|stance|spam|toxic|team|department|relation|answer|"
    "price|language|gender|tone|style|priority|status"
)


def label_candidates(columns: Mapping[str, Column], taken: Sequence[str]) -> list[tuple[float, Column]]:
    """Columns that may be the label, the likeliest first, each with its score; from 4 on it is as good as certain."""
    found = []
    for column in columns.values():
        score = 0.0 if column.name in taken or IDS.fullmatch(column.name) else _score(column)
        if score > 0:
            found.append((score, column))
    return sorted(found, key=lambda pair: -pair[0])


def _score(column: Column) -> float:
    named = _named(column)
    if column.kind in ("nothing", "other", "image", "languages", "spans"):
        return 0
    if column.kind == "text" and column.words >= WORDS and not named:
        return 0
    if column.kind in ("class", "numbers"):
        return named + 3
    if column.kind == "number":
        return named + 1
    if column.kind == "flag" or column.repeats or (column.kind == "lists" and column.distinct > 1):
        return named + (1.5 if column.kind == "whole" else 2)
    return named  # all different, or all the same: only where its name says so, to be told that


def _named(column: Column) -> float:
    """How much the name says that it is a label: 3, 1.5 or nothing."""
    plain = re.sub(r"[^a-z]", "", column.name.lower())
    return 3 if STRONG.fullmatch(plain) else 1.5 if WEAK.fullmatch(plain) else 0


def guess_label(columns: Mapping[str, Column], wanted: InitOptions, made: Guess, taken: Sequence[str]) -> list[str]:
    """Takes the column, or columns, of the label. Gives their names.

    Raises:
        DataError: There is none.
    """
    if wanted.label:
        names = list(wanted.label)
        made.take("label", names[0] if len(names) == 1 else names, GIVEN)
        if len(names) == 1:
            _read_delimiter(columns[names[0]], made)
        return names
    found = label_candidates(columns, taken)
    flags = _marks([column for _, column in found])
    if len(flags) >= 3 and found[0][0] < 4:
        made.take("label", flags, f"{len(flags)} columns of 0 and 1: each is a label", "unclear")
        why = f"{', '.join(flags)} hold nothing but 0 and 1"
        text = "The column of the label, or several with commas"
        made.questions.append(Question("label", text, ",".join(flags), tuple(columns), why, True))
        return flags
    if not found:
        raise DataError(
            f"No column looks like a label. The data has: {'; '.join(map(str, columns.values()))}. Name it with "
            "--label."
        )
    score, best = found[0]
    rivals = [column.name for other, column in found if other > score - 1]
    vague = _why_vague(best, columns)
    unclear = score < 2 or (len(rivals) > 1 and score < 4) or bool(vague)
    sure = "unclear" if unclear else "certain" if score >= 4 and len(rivals) == 1 else "likely"
    made.take("label", best.name, _why(best, len(found)), sure)
    if unclear:
        why = f"it may be {' or '.join(rivals)}" if len(rivals) > 1 else f"only {best} could be one{vague}"
        choices = tuple(column.name for _, column in found)
        made.questions.append(Question("label", "The column of the label", best.name, choices, why))
    _read_delimiter(best, made)
    return [best.name]


def _why_vague(best: Column, columns: Mapping[str, Column]) -> str:
    """Why a column of texts without a label's name may just repeat, as the titles of articles do; empty if it may not.

    So it is where something else seems to be the answer: one that cannot be learnt from, or one about two texts.
    """
    if best.kind != "text" or _named(best):
        return ""
    lost = [column.name for column in columns.values() if column.kind == "other" and not IDS.fullmatch(column.name)]
    if lost:
        return f", but its name does not say so, and '{lost[0]}', which may be the answer, cannot be learnt from"
    pair = pair_of([column.name for column in text_columns(columns, [best.name])])
    return f", but its name does not say so beside the texts {' and '.join(pair)}" if pair else ""


def _marks(found: Sequence[Column]) -> list[str]:
    return [
        column.name
        for column in found
        if column.kind == "flag"
        or (column.kind == "whole" and {str(value).strip() for value in column.values} <= MARKS)
    ]


MARKS = {"0", "1", "0.0", "1.0"}


def _why(column: Column, candidates: int) -> str:
    if column.kind == "class":
        return "a class with names"
    alone = "the only column that can be a label" if candidates == 1 else "by its name and its values"
    return f"{alone}: {column.distinct} different values" if column.distinct else alone


def _read_delimiter(column: Column, made: Guess) -> None:
    """Takes a delimiter where texts look like several labels in one."""
    if column.kind != "text":
        return
    found = delimiter_of(column.values)
    if found is not None:
        made.take("delimiter", found[0], f"{found[1]} labels stand between them, several in some rows", "likely")


CERTAIN = ("text", "sentence")

PAIRS = (
    ("premise", "hypothesis"),
    ("question", "sentence"),
    ("question", "passage"),
    ("question", "context"),
    ("query", "passage"),
    ("query", "document"),
)

FIRST, SECOND = (re.compile(rf"(.*?)[ _\-]?({ends})", re.IGNORECASE) for ends in ("1|a|one", "2|b|two"))

MUCH = 0.5  # of the words of the longest text: what has as many may be meant as well


def guess_texts(columns: Mapping[str, Column], wanted: InitOptions, made: Guess, taken: Sequence[str]) -> None:
    """Takes the column of the text, or two.

    Raises:
        DataError: There is none, or one that was named holds images.
    """
    for name in wanted.text:
        if name in columns and columns[name].kind == "image":
            raise DataError(f"--text is {columns[name]}: that is to be named with --image.")
    if wanted.text:
        made.take("text", wanted.text[0] if len(wanted.text) == 1 else list(wanted.text), GIVEN)
        return
    found = text_columns(columns, taken)
    if not found:
        raise DataError(
            f"No column is left for the text beside the label {' and '.join(taken)}. The data has: "
            f"{'; '.join(map(str, columns.values()))}. Name it with --text."
        )
    pair = pair_of([column.name for column in found])
    if pair is not None:
        made.take("text", list(pair), "a pair, by their names", "likely")
        return
    named = [column for column in found if column.name.lower() in CERTAIN]
    best = named[0] if named else found[0]
    rivals = [column.name for column in found if column.words >= MUCH * best.words]
    alone = "the only column of texts" if len(found) == 1 else "by its name" if named else "the longest texts"
    unclear = not named and len(rivals) > 1
    made.take("text", best.name, alone, "unclear" if unclear else "certain" if len(found) == 1 else "likely")
    if unclear:
        text = "The column of the text, or the two of a pair with a comma"
        why = f"there are several columns of texts: {', '.join(rivals)}"
        made.questions.append(Question("text", text, best.name, tuple(column.name for column in found), why, True))


def pair_of(names: Sequence[str]) -> tuple[str, str] | None:
    """The two columns whose names say that they belong together; None where there are none."""
    lower = {name.lower(): name for name in names}
    for first, second in PAIRS:
        if first in lower and second in lower:
            return lower[first], lower[second]
    firsts = {found[1].lower(): name for name in names if (found := FIRST.fullmatch(name))}
    seconds = {found[1].lower(): name for name in names if (found := SECOND.fullmatch(name))}
    return next(((firsts[stem], seconds[stem]) for stem in firsts if stem in seconds), None)
