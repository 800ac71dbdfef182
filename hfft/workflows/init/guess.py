"""What `hfft init` takes data for: the task whose roles the columns fill best, and which column is what."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hfft.data.checks import NO_TASK
from hfft.data.label_warnings import delimiter_of
from hfft.errors import DataError, alternatives
from hfft.workflows.init.columns import Column
from hfft.workflows.init.languages import LANGUAGES, language_of_column
from hfft.workflows.init.options import COLUMNS, InitOptions
from hfft.workflows.init.questions import Question
from hfft.workflows.init.roles import (
    AHEAD,
    CLEAR,
    IDS,
    ROLES,
    STRONG,
    SUMMARIES,
    Columns,
    named_by_language,
    pair_of,
    ranked,
)

REASONS = {
    "image-classification": "there are images",
    "token-classification": "there are words with a tag each, or texts with spans",
    "text-classification": "there are texts and what looks like a label",
    "summarization": "there are texts, and others that are written from them",
}
"""Why a task is taken, by task. Of equals the first is; that of writing stands for translations too."""

SHORTER = 0.6  # a summary has at most this share of the words


@dataclass
class Guess:
    """What is to be learnt.

    Attributes:
        task: The task's name.
        options: Of the task: its columns, and what says how to read them.
        reasons: By option, and for `name`, why, and how sure that is.
        questions: What is not certain; the options hold the best guess.
        points: How much speaks for the task: as much as for the column that fits worst.
    """

    task: str
    options: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    points: float = math.inf

    @property
    def columns(self) -> list[str]:
        """All columns that are taken, which each split needs."""
        return [name for option in (*COLUMNS[self.task], "references") for name in self.named(option)]

    def named(self, option: str) -> list[str]:
        """The columns that an option names; none where it is not taken."""
        value = self.options.get(option, [])
        return value if isinstance(value, list) else [value]

    def take(self, option: str, value: Any, reason: str) -> None:
        """Sets an option, with the reason."""
        self.options[option] = value
        self.reasons[option] = reason

    def ask_task(self, other: str, why: str) -> None:
        """Asks whether it is another task, before all else."""
        self.reasons["name"] = why
        question = Question("task", "The task", self.task, (self.task, other), why)
        self.questions = [question, *(asked for asked in self.questions if asked.field != "task")]


def guess(columns: Columns, wanted: InitOptions) -> Guess:
    """Says what is to be learnt, as far as the user has not said it.

    Raises:
        DataError: A column that was named is not there, or nothing that can be learnt was found.
    """
    _require(columns, wanted)
    if len(wanted.tasks) == 1:
        reason = "as given" if wanted.task else "as the columns that were named say"
        return _filled(wanted.tasks[0], reason, columns, wanted)
    found = []
    for task in [task for task in REASONS if task in wanted.tasks]:
        with suppress(DataError):
            found.append(_filled(task, REASONS[task], columns, wanted))
    if not found:
        raise DataError(
            f"No column looks like something to learn. {_listed(columns)} Name the columns: --text and --label, "
            "--source and --target, --tokens and --tags, or --image and --label."
        )
    made, *others = sorted(found, key=lambda made: -made.points)
    rivals = [other for other in others[:1] if other.points >= STRONG]
    for each in (made, *rivals):
        if each.task == "summarization":
            _tell_translations(each, columns, wanted)
    for rival in rivals:
        made.ask_task(rival.task, f"{_quoted(made)} look like {made.task}, but {_quoted(rival)} like {rival.task}")
    return made


def _quoted(made: Guess) -> str:
    return " and ".join(f"'{name}'" for name in made.columns)


def _listed(columns: Columns) -> str:
    return f"The data has: {'; '.join(map(str, columns.values()))}."


def _require(columns: Columns, wanted: InitOptions) -> None:
    for flag, names in wanted.named.items():
        for name in names:
            if name not in columns:
                raise DataError(
                    f"--{flag} is '{name}', but the data has no such column.{alternatives(name, list(columns))}"
                )
            if flag == "text" and columns[name].kind == "image":
                raise DataError(f"--text is {columns[name]}: that is to be named with --image.")
            if flag == "image" and columns[name].kind != "image":
                raise DataError(f"--image is {columns[name]}, which is no column of images, or of names of images.")
    sounds = [column.name for column in columns.values() if column.kind == "sound"]
    if sounds and wanted.named.keys().isdisjoint(("text", "image", "tokens", "source")):
        raise DataError(
            f"'{sounds[0]}' holds sounds or films, but {NO_TASK}. To learn from other columns, name one: --text COLUMN."
        )
    if len(columns) == 1:
        (column,) = columns.values()
        raise DataError(
            f"The data has one column, {column}: a model learns from two, such as a text and its label. If others "
            "stand in it, they may be separated otherwise: .csv files by commas, .tsv files by tabs."
        )


def _tell_translations(made: Guess, columns: Columns, wanted: InitOptions) -> None:
    """Says whether texts are translated or, in one language, written anew, which a summary stands for."""
    source, target = sides = [columns[made.options[option]] for option in ("source", "target")]
    if {source.name, target.name} <= {*named_by_language(columns)}:
        made.task, made.reasons["name"] = "translation", "they are named by languages"
        return
    given = (wanted.language or "").split("-")
    languages = given if len(given) == 2 else [language_of_column(side.name, side.values) for side in sides]
    known = None not in languages
    shorter = target.words < SHORTER * source.words
    if re.fullmatch(SUMMARIES, target.name.lower()) and (shorter or languages[0] == languages[1]):
        made.reasons["name"] = "by the name of what is written"
        return
    if known and languages[0] != languages[1]:
        made.task, made.reasons["name"] = "translation", "they are in two languages"
        return
    names = " and ".join(LANGUAGES[code].name if code else "an unknown language" for code in dict.fromkeys(languages))
    words = f"'{target.name}' has {target.words:g} words in the median where '{source.name}' has {source.words:g}"
    made.reasons["name"] = f"{words}; {names}"
    told = wanted.target is not None or ROLES["target"].named(target)
    if not (told and (shorter or known)):
        made.ask_task("translation", made.reasons["name"])


def _filled(task: str, reason: str, columns: Columns, wanted: InitOptions) -> Guess:
    """Takes the columns that a task needs.

    Raises:
        DataError: None fits for one of them.
    """
    made = Guess(task, reasons={"name": reason})
    for option in sorted(COLUMNS[task], key=lambda option: option == "text"):  # texts from what is left
        given = wanted.named.get(option, ())
        found = [(STRONG, columns[name]) for name in given] or ranked(option, columns, [*wanted.columns, *made.columns])
        if not found:
            what = ROLES[option].what
            raise DataError(f"No column is left that can be the one {what}. {_listed(columns)} Name it: --{option}.")
        made.points = min(made.points, found[0][0])
        if given:
            made.take(option, given[0] if len(given) == 1 else list(given), "as given")
        elif not _take_several(option, found, columns, made):
            _take_best(option, found, columns, made)
    _delimiter([columns[name] for name in made.named("label")], made)
    _references(columns, made)
    return made


def _take_best(option: str, found: Sequence[tuple[float, Column]], columns: Columns, made: Guess) -> None:
    (points, best), role = found[0], ROLES[option]
    rivals = [column.name for other, column in found if other > points - AHEAD]
    vague = _vague(best, columns) if option == "label" else ""
    unclear = len(rivals) > 1 or bool(vague) or (option == "label" and points < CLEAR)
    reason = role.only if len(found) == 1 else "by its name" if role.named(best) else role.best or role.only
    if option in ("source", "target") and best.name in named_by_language(columns):
        reason = "named by a language; the first column is read"
    if option == "label" and best.distinct:
        reason = f"{reason}: {best.distinct} different values"
    sure = "unclear" if unclear else "certain" if len(found) == 1 or points > STRONG else "likely"
    made.take(option, best.name, f"{reason} ({sure})")
    if unclear:
        text, why = f"The column {role.what}", f"it may be {' or '.join(rivals)}"
        if option == "text":
            text = f"{text}, or the two of a pair with a comma"
            why = f"there are several columns of texts: {', '.join(rivals)}"
        elif len(rivals) == 1:
            why = f"only {best} could be one{vague}"
        names = tuple(column.name for _, column in found)
        made.questions.append(Question(option, text, best.name, names, why, several=option == "text"))


def _take_several(option: str, found: Sequence[tuple[float, Column]], columns: Columns, made: Guess) -> bool:
    """Takes a pair of texts, or marks that are a label each; whether there are such."""
    names = [column.name for _, column in found]
    if option == "text" and (pair := pair_of(names)) is not None:
        made.take("text", list(pair), "a pair, by their names (likely)")
        return True
    marks = [column.name for _, column in found if _is_mark(column)]
    if option != "label" or len(marks) < 3 or found[0][0] >= STRONG:
        return False
    made.take("label", marks, f"{len(marks)} columns of 0 and 1: each is a label (unclear)")
    why = f"{', '.join(marks)} hold nothing but 0 and 1"
    text = "The column of the label, or several with commas"
    made.questions.append(Question("label", text, ",".join(marks), tuple(columns), why, several=True))
    return True


def _is_mark(column: Column) -> bool:
    marks = {"0", "1", "0.0", "1.0"}
    return column.kind == "flag" or (
        column.kind == "whole" and {str(value).strip() for value in column.values} <= marks
    )


def _vague(best: Column, columns: Columns) -> str:
    """Why a column of texts without a label's name may just repeat, as the titles of articles do; empty if it may not.

    So it is where something else seems to be the answer: one that cannot be learnt from, or one about two texts.
    """
    if best.kind != "text" or ROLES["label"].named(best):
        return ""
    lost = [column.name for column in columns.values() if column.kind == "other" and not IDS.fullmatch(column.name)]
    if lost:
        return f", but its name does not say so, and '{lost[0]}', which may be the answer, cannot be learnt from"
    pair = pair_of([column.name for _, column in ranked("text", columns, [best.name])])
    return f", but its name does not say so beside the texts {' and '.join(pair)}" if pair else ""


def _delimiter(labels: Sequence[Column], made: Guess) -> None:
    """Takes a delimiter where texts look like several labels in one."""
    several = len(labels) == 1 and labels[0].kind == "text" and delimiter_of(labels[0].values)
    if several:
        made.take("delimiter", several[0], f"{several[1]} labels stand between them, several in some rows (likely)")


def _references(columns: Columns, made: Guess) -> None:
    """Takes a column of lists that hold the target in every row: several right answers."""
    for target in [columns[name] for name in made.named("target")]:
        for column in columns.values():
            pairs = zip(target.values, column.values, strict=False)
            alike = column.kind == "lists" and len(column.values) == len(target.values)
            if alike and all(text in texts for text, texts in pairs):
                made.take("references", column.name, "lists of right answers, the target among them (certain)")
                return
