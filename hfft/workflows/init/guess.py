"""What `hfft init` takes data for: the task whose roles the columns fill best, and which column is what."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hfft.data.checks import NO_TASK
from hfft.data.label_warnings import delimiter_of
from hfft.errors import DataError, RecipeError, alternatives, near
from hfft.workflows.init.columns import Column
from hfft.workflows.init.languages import LANGUAGES, language_of, language_of_name
from hfft.workflows.init.roles import (
    AHEAD,
    CLEAR,
    IDS,
    ROLES,
    STRONG,
    SUMMARIES,
    Columns,
    named_by_language,
    ranked,
)
from hfft.workflows.init.state import COLUMNS, GIVEN, Guess, InitOptions, Question, tasks_of_flags

REASONS = {
    "image-classification": "there are images",
    "token-classification": "there are words with a tag each, or texts with spans",
    "text-classification": "there are texts and what looks like a label",
    "summarization": "there are texts, and others that are written from them",
}
"""Why a task is taken, by task. Of equals the first is; that of writing stands for translations too."""

SHORTER = 0.6  # a summary has at most this share of the words


def guess(columns: Columns, wanted: InitOptions) -> Guess:
    """Says what is to be learnt, as far as the user has not said it.

    Raises:
        DataError: A column that was named is not there, or nothing that can be learnt was found.
    """
    _require(columns, wanted)
    task, reason, question = _task(columns, wanted)
    made = Guess(task)
    made.reasons["name"] = reason
    if question is not None:
        made.questions.append(question)
    for option in _options(task):
        _take(option, columns, wanted, made)
    if "target" in made.options:
        _references(columns, made)
    return made


def _options(task: str) -> list[str]:
    """The options that name a task's columns, in the order in which they are guessed: texts from what is left."""
    return sorted(COLUMNS[task], key=lambda option: option == "text")


def _require(columns: Columns, wanted: InitOptions) -> None:
    for flag in ROLES:
        for name in wanted.given(flag):
            if name not in columns:
                raise DataError(
                    f"--{flag} is '{name}', but the data has no such column.{alternatives(name, list(columns))}"
                )
            if flag == "text" and columns[name].kind == "image":
                raise DataError(f"--text is {columns[name]}: that is to be named with --image.")
            if flag == "image" and columns[name].kind != "image":
                raise DataError(f"--image is {columns[name]}, which is no column of images, or of names of images.")
    sounds = [column.name for column in columns.values() if column.kind == "sound"]
    if sounds and not any(wanted.given(flag) for flag in ("text", "image", "tokens", "source")):
        raise DataError(
            f"'{sounds[0]}' holds sounds or films, but {NO_TASK}. To learn from other columns, name one: --text COLUMN."
        )
    if len(columns) == 1:
        (column,) = columns.values()
        raise DataError(
            f"The data has one column, {column}: a model learns from two, such as a text and its label. If others "
            "stand in it, they may be separated otherwise: .csv files by commas, .tsv files by tabs."
        )


def _task(columns: Columns, wanted: InitOptions) -> tuple[str, str, Question | None]:
    """The task, why, and what is unclear about it."""
    possible = tasks_of_flags(wanted)
    if len(possible) == 1:
        return possible[0], GIVEN if wanted.task else "as the columns that were named say", None
    found = [(*_weakest(task, columns, wanted), task) for task in REASONS if task in possible]
    found = sorted((strength for strength in found if strength[0] > 0), key=lambda strength: -strength[0])
    if not found:
        raise DataError(
            f"No column looks like something to learn. {_listed(columns)} Name the columns: --text and --label, "
            "--source and --target, --tokens and --tags, or --image and --label."
        )
    (_, names, task), *others = found
    if not others or others[0][0] < STRONG:
        return _written(columns, wanted) if task == "summarization" else (task, REASONS[task], None)
    _, other_names, other = others[0]
    either = [_written(columns, wanted)[0] if one == "summarization" else one for one in (task, other)]
    why = f"{names} look like {either[0]}, but {other_names} like {either[1]}"
    return either[0], why, Question("task", "The task", either[0], tuple(either), why)


def _weakest(task: str, columns: Columns, wanted: InitOptions) -> tuple[float, str]:
    """How much speaks for a task: as much as for the role that is filled worst; and by which columns."""
    points, names = [], []
    for option in _options(task):
        given = wanted.given(option)
        best = [(STRONG, columns[name]) for name in given] or ranked(option, columns, [*wanted.columns, *names])
        if not best:
            return 0.0, ""
        points.append(best[0][0])
        names.append(best[0][1].name)
    return min(points), " and ".join(f"'{name}'" for name in names)


def _written(columns: Columns, wanted: InitOptions) -> tuple[str, str, Question | None]:
    """Whether texts are translated or, in one language, written anew, which a summary stands for."""
    made = Guess("summarization")
    for option in _options("summarization"):
        _take(option, columns, wanted, made)
    sides = [columns[made.options[option]] for option in ("source", "target")]
    source, target = sides
    if {source.name, target.name} <= {*named_by_language(columns)}:
        return "translation", "they are named by languages", None
    given = (wanted.language or "").split("-")
    languages = given if len(given) == 2 else [_language(side) for side in sides]
    shorter = target.words < SHORTER * source.words
    if re.fullmatch(SUMMARIES, target.name.lower()) and (shorter or languages[0] == languages[1]):
        return "summarization", "by the name of what is written", None
    if None not in languages and languages[0] != languages[1]:
        return "translation", "they are in two languages", None
    known = " and ".join(LANGUAGES[code].name if code else "an unknown language" for code in dict.fromkeys(languages))
    words = f"'{target.name}' has {target.words:g} words in the median where '{source.name}' has {source.words:g}"
    why = f"{words}; {known}"
    told = wanted.target is not None or ROLES["target"].named(target)
    if told and (shorter or None not in languages):
        return "summarization", why, None
    return "summarization", why, Question("task", "The task", "summarization", ("summarization", "translation"), why)


def _language(column: Column) -> str | None:
    return language_of_name(column.name.rpartition(".")[2]) or language_of(column.values)


def languages_of(columns: Columns, wanted: InitOptions, made: Guess) -> list[str | None]:
    """As far as they are known before the texts are read: of a translation both, else that of what is read.

    Raises:
        RecipeError: Those that were given are unknown, or have no effect.
    """
    pair = made.task == "translation"
    if wanted.language is None:
        return [_language(columns[made.options[side]]) for side in ("source", "target")] if pair else [None]
    if made.task == "image-classification":
        raise RecipeError("--language has no effect on images: leave it out.")
    codes = wanted.language.split("-")
    wrong = [code for code in codes if code not in LANGUAGES]
    if wrong or len(codes) != 1 + pair:
        what = "those of source and target, such as en-de" if pair else "one"
        raise RecipeError(
            f"--language is '{wanted.language}'; {made.task} wants {what}, of {', '.join(LANGUAGES)}."
            f"{near(wrong[0], LANGUAGES) if wrong else ''}"
        )
    return list(codes)


def _take(option: str, columns: Columns, wanted: InitOptions, made: Guess) -> None:
    """Takes the column of a role, or several, and asks where that is unclear.

    Raises:
        DataError: None fits.
    """
    given, role = wanted.given(option), ROLES[option]
    if given:
        made.take(option, given[0] if len(given) == 1 else list(given), GIVEN)
        _delimiter(option, [columns[name] for name in given], made)
        return
    found = ranked(option, columns, [*wanted.columns, *made.columns])
    if not found:
        raise DataError(f"No column is left that can be the one {role.what}. {_listed(columns)} Name it: --{option}.")
    if _several(option, found, columns, made):
        return
    points, best = found[0]
    rivals = [column.name for other, column in found if other > points - AHEAD]
    vague = _vague(best, columns) if option == "label" else ""
    unclear = len(rivals) > 1 or bool(vague) or (option == "label" and points < CLEAR)
    sure = "unclear" if unclear else "certain" if len(found) == 1 or points > STRONG else "likely"
    made.take(option, best.name, _reason(option, best, len(found), columns), sure)
    if unclear:
        text, why = f"The column {role.what}", f"it may be {' or '.join(rivals)}"
        if option == "text":
            text = f"{text}, or the two of a pair with a comma"
            why = f"there are several columns of texts: {', '.join(rivals)}"
        elif len(rivals) == 1:
            why = f"only {best} could be one{vague}"
        choices = tuple(column.name for _, column in found)
        made.questions.append(Question(option, text, best.name, choices, why, option == "text"))
    _delimiter(option, [best], made)


def _reason(option: str, best: Column, candidates: int, columns: Columns) -> str:
    if option in ("source", "target") and best.name in named_by_language(columns):
        return "named by a language; the first column is read"
    role = ROLES[option]
    reason = role.only if candidates == 1 else "by its name" if role.named(best) else role.best
    return f"{reason}: {best.distinct} different values" if option == "label" and best.distinct else reason


def _several(option: str, found: Sequence[tuple[float, Column]], columns: Columns, made: Guess) -> bool:
    """Takes a pair of texts, or marks that are a label each; whether there are such."""
    if option == "text":
        pair = pair_of([column.name for _, column in found])
        if pair is not None:
            made.take("text", list(pair), "a pair, by their names", "likely")
        return pair is not None
    marks = [column.name for _, column in found if _is_mark(column)] if option == "label" else []
    if len(marks) < 3 or found[0][0] >= STRONG:
        return False
    made.take("label", marks, f"{len(marks)} columns of 0 and 1: each is a label", "unclear")
    why = f"{', '.join(marks)} hold nothing but 0 and 1"
    text = "The column of the label, or several with commas"
    made.questions.append(Question("label", text, ",".join(marks), tuple(columns), why, True))
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


def _delimiter(option: str, taken: Sequence[Column], made: Guess) -> None:
    """Takes a delimiter where texts look like several labels in one."""
    if option != "label" or len(taken) > 1 or taken[0].kind != "text":
        return
    found = delimiter_of(taken[0].values)
    if found is not None:
        made.take("delimiter", found[0], f"{found[1]} labels stand between them, several in some rows", "likely")


def _references(columns: Columns, made: Guess) -> None:
    """Takes a column of lists that hold the target in every row: several right answers."""
    target = columns[made.options["target"]]
    for column in columns.values():
        if column.kind != "lists" or len(column.values) != len(target.values):
            continue
        if all(text in texts for text, texts in zip(target.values, column.values, strict=True)):
            made.take("references", column.name, "lists of right answers, the target among them")
            return


def _listed(columns: Columns) -> str:
    return f"The data has: {'; '.join(map(str, columns.values()))}."


PAIRS = (
    ("premise", "hypothesis"),
    ("question", "sentence"),
    ("question", "passage"),
    ("question", "context"),
    ("question", "answer"),
    ("query", "passage"),
    ("query", "document"),
)

FIRST, SECOND = (re.compile(rf"(.*?)[ _\-]?({ends})", re.IGNORECASE) for ends in ("1|a|one", "2|b|two"))


def pair_of(names: Sequence[str]) -> tuple[str, str] | None:
    """The two columns whose names say that they belong together; None where there are none."""
    lower = {name.lower(): name for name in names}
    for first, second in PAIRS:
        if first in lower and second in lower:
            return lower[first], lower[second]
    firsts = {found[1].lower(): name for name in names if (found := FIRST.fullmatch(name))}
    seconds = {found[1].lower(): name for name in names if (found := SECOND.fullmatch(name))}
    return next(((firsts[stem], seconds[stem]) for stem in firsts if stem in seconds), None)
