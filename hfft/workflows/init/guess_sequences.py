"""Columns of words and tags, and of sources and targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hfft.errors import DataError
from hfft.workflows.init.columns import Column, text_columns
from hfft.workflows.init.languages import LANGUAGES, language_of, language_of_name
from hfft.workflows.init.state import GIVEN, InitOptions, Question

if TYPE_CHECKING:
    from hfft.workflows.init.state import Guess

READ = ("document", "article", "dialogue", "report", "transcript", "conversation", "content", "body", "text")

WRITTEN = ("summary", "highlights", "abstract", "tldr", "headline", "summaries")

NEUTRAL = (("source", "target"), ("src", "tgt"), ("source_text", "target_text"), ("input_text", "target_text"))

SHORTER = 0.6  # a summary has at most this share of the words

LOOKED_AT = 500  # texts whose language is found

Pair = tuple[str, str, str, str]  # source, target, task, reason


def translated_pair(columns: Mapping[str, Column]) -> Pair | None:
    """The two columns, or nested ones, whose names are languages; of several the first two; None where none are."""
    names = _sides(columns)
    if len(names) < 2:
        return None
    source, target = names[:2]
    return source, target, "translation", "named by a language; the first column is read"


def _sides(columns: Mapping[str, Column]) -> list[str]:
    nested = next((column for column in columns.values() if column.kind == "languages"), None)
    if nested is not None:
        return [f"{nested.name}.{part}" for part in nested.parts]
    texts = [column.name for column in columns.values() if column.kind == "text"]
    named = {name: language for name in texts if (language := language_of_name(name)) is not None}
    return list(named) if len(set(named.values())) == len(named) else []


def named_pair(columns: Mapping[str, Column]) -> Pair | None:
    """Two columns whose names say that one is written from the other; None where there are none."""
    texts = {column.name.lower(): column for column in text_columns(columns)}
    for first, second in NEUTRAL:
        if first in texts and second in texts:
            source, target = texts[first], texts[second]
            languages = [language_of(column.values[:LOOKED_AT]) for column in (source, target)]
            shorter = target.words < SHORTER * source.words
            if languages[0] == languages[1] and not shorter:
                return None  # paraphrases, corrections, unknown languages: to be asked
            if languages[0] != languages[1] and None not in languages:
                return source.name, target.name, "translation", "they are in two languages"
            if shorter:
                return source.name, target.name, "summarization", "the one is much shorter than the other"
    source = next((texts[name] for name in READ if name in texts), None)
    target = next((texts[name] for name in WRITTEN if name in texts and texts[name] is not source), None)
    if source is None or target is None or target.words >= SHORTER * source.words:
        return None
    return source.name, target.name, "summarization", "by its name, and the one is much shorter"


def guess_writing(columns: Mapping[str, Column], wanted: InitOptions, made: Guess) -> None:
    """Takes the columns of source and target, and of several right answers where there are some.

    Raises:
        DataError: There are not two columns of texts.
    """
    found = translated_pair(columns) or named_pair(columns)
    names = _sides(columns) or [column.name for column in text_columns(columns)]
    if wanted.source is None or wanted.target is None:
        others = [name for name in names if name not in (wanted.source, wanted.target)]
        if len(others) < (wanted.source is None) + (wanted.target is None):
            raise DataError(
                "A translation or a summary needs two columns of texts. The data has: "
                f"{'; '.join(map(str, columns.values()))}. Name them with --source and --target."
            )
    in_order = list(found[:2]) if found else names[:2]
    for number, option in enumerate(("source", "target")):
        given = getattr(wanted, option)
        if given is not None:
            made.take(option, given, GIVEN)
            continue
        other = wanted.target if option == "source" else wanted.source or made.options.get("source")
        free = [name for name in [*in_order[number:], *in_order, *names] if name != other]
        chosen = other in (wanted.source, wanted.target) and other is not None
        unclear = found is None or (len(names) > 2 and found[2] == "translation" and not chosen)
        reason = found[3] if found else "the longer texts" if option == "source" else "the others"
        made.take(option, free[0], reason, "unclear" if unclear else "likely")
        if unclear:
            what = "is read" if option == "source" else "is to be written"
            why = f"there are the texts {', '.join(names)}"
            made.questions.append(Question(option, f"The column that {what}", free[0], tuple(names), why))
    _references(columns, made)


def _references(columns: Mapping[str, Column], made: Guess) -> None:
    """Takes a column of lists that hold the target in every row: several right answers."""
    target = columns.get(made.options["target"])
    for column in columns.values():
        if target is None or column.kind != "lists" or len(column.values) != len(target.values):
            continue
        if all(text in texts for text, texts in zip(target.values, column.values, strict=True)):
            made.take("references", column.name, "lists of right answers, the target among them")
            return


def languages_of(columns: Mapping[str, Column], wanted: InitOptions, options: Mapping[str, str]) -> list[str | None]:
    """The languages of source and target: as given, by the names of the columns, or by their texts."""
    if wanted.language is not None:
        return _given_languages(wanted.language)
    return [_language(columns, options[side]) for side in ("source", "target")]


def _language(columns: Mapping[str, Column], name: str) -> str | None:
    outer, _, inner = name.partition(".")
    named = language_of_name(name if name in columns else inner)
    if named is not None:
        return named
    if name in columns:
        return language_of(columns[name].values[:LOOKED_AT])
    return language_of([value[inner] for value in columns[outer].values[:LOOKED_AT] if value.get(inner)])


def _given_languages(text: str) -> list[str | None]:
    codes = text.split("-")
    wrong = [code for code in codes if code not in LANGUAGES]
    if len(codes) != 2 or wrong:
        raise DataError(
            f"--language is '{text}'; a translation wants those of source and target, such as en-de, of "
            f"{', '.join(LANGUAGES)}."
        )
    return list(codes)


NAMED = ("ner_tags", "tags", "ner", "labels", "entities")


def word_columns(columns: Mapping[str, Column]) -> tuple[list[str], list[str]] | None:
    """Columns of documents and of what tags them; None where there are none.

    Words and tags are lists of equal length in every row, and the words those of which more differ.
    """
    spans = [column.name for column in columns.values() if column.kind == "spans"]
    if spans:
        return [column.name for column in text_columns(columns)], spans
    lists = [column for column in columns.values() if column.kind == "lists"]
    for words in sorted(lists, key=lambda column: -column.distinct):
        if isinstance(words.values[0][0], str):
            tags = [column.name for column in lists if column is not words and _aligned(words, column)]
            if tags:
                return [words.name], sorted(tags, key=lambda name: (name not in NAMED, name))
    return None


def _aligned(words: Column, tags: Column) -> bool:
    same = len(words.values) == len(tags.values) and tags.distinct <= words.distinct
    return same and all(len(one) == len(other) for one, other in zip(words.values, tags.values, strict=True))


def guess_words(columns: Mapping[str, Column], wanted: InitOptions, made: Guess) -> None:
    """Takes the columns of documents and of their tags.

    Raises:
        DataError: There are none.
    """
    found = word_columns(columns)
    documents, tags = found or ([], [])
    for option, given, names, what in (
        ("tokens", wanted.tokens, documents, "the words, or texts"),
        ("tags", wanted.tags, tags, "their tags, or spans"),
    ):
        if given is not None:
            made.take(option, given, GIVEN)
            continue
        names = [name for name in names if name not in (wanted.tokens, wanted.tags)]
        if not names:
            raise DataError(
                f"No column looks like {what}. The data has: {'; '.join(map(str, columns.values()))}. Lists come from "
                f"json, jsonl and parquet files, and have one tag for each word. Name the column with --{option}."
            )
        unclear = len(names) > 1 and names[0] not in NAMED
        made.take(option, names[0], _reason(option, columns[names[0]]), "unclear" if unclear else "certain")
        if unclear:
            why = f"it may be {' or '.join(names)}"
            made.questions.append(Question(option, f"The column of {what}", names[0], tuple(names), why))


def _reason(option: str, column: Column) -> str:
    if column.kind in ("text", "spans"):
        return "texts" if option == "tokens" else "spans of characters in them"
    return "lists of words" if option == "tokens" else "lists of as many tags as there are words"
