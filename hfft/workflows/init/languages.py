"""Which language texts are in, by py3langid, and what models call it; about how many tokens a text has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from hfft.errors import RecipeError, near

SURE = 0.9  # of the probability: below it stand words that are of no language, and languages that are not in the table

LOOKED_AT = 500  # texts


class Language(NamedTuple):
    """A language: its code of ISO 639-1, its name, and what the tokenizers of NLLB and mBART-50 call it."""

    code: str
    name: str
    flores: str
    mbart: str | None = None


LANGUAGES = {
    language.code: language
    for language in (
        Language("en", "English", "eng_Latn", "en_XX"),
        Language("de", "German", "deu_Latn", "de_DE"),
        Language("fr", "French", "fra_Latn", "fr_XX"),
        Language("es", "Spanish", "spa_Latn", "es_XX"),
        Language("it", "Italian", "ita_Latn", "it_IT"),
        Language("pt", "Portuguese", "por_Latn", "pt_XX"),
        Language("nl", "Dutch", "nld_Latn", "nl_XX"),
        Language("sv", "Swedish", "swe_Latn", "sv_SE"),
        Language("da", "Danish", "dan_Latn"),
        Language("fi", "Finnish", "fin_Latn", "fi_FI"),
        Language("pl", "Polish", "pol_Latn", "pl_PL"),
        Language("cs", "Czech", "ces_Latn", "cs_CZ"),
        Language("ro", "Romanian", "ron_Latn", "ro_RO"),
        Language("hu", "Hungarian", "hun_Latn"),
        Language("tr", "Turkish", "tur_Latn", "tr_TR"),
        Language("vi", "Vietnamese", "vie_Latn", "vi_VN"),
        Language("id", "Indonesian", "ind_Latn", "id_ID"),
        Language("ru", "Russian", "rus_Cyrl", "ru_RU"),
        Language("uk", "Ukrainian", "ukr_Cyrl", "uk_UA"),
        Language("bg", "Bulgarian", "bul_Cyrl"),
        Language("el", "Greek", "ell_Grek"),
        Language("ar", "Arabic", "arb_Arab", "ar_AR"),
        Language("fa", "Persian", "pes_Arab", "fa_IR"),
        Language("he", "Hebrew", "heb_Hebr", "he_IL"),
        Language("hi", "Hindi", "hin_Deva", "hi_IN"),
        Language("th", "Thai", "tha_Thai", "th_TH"),
        Language("ja", "Japanese", "jpn_Jpan", "ja_XX"),
        Language("ko", "Korean", "kor_Hang", "ko_KR"),
        Language("zh", "Chinese", "zho_Hans", "zh_CN"),
    )
}

UNSPACED = ("zh", "ja", "th")  # languages that put no space between words


def language_of(texts: Sequence[str]) -> str | None:
    """The code of the language that most of the first texts are in; None where that is not clear."""
    code, _ = _identifier().classify(" ".join(texts[:LOOKED_AT]))
    return code if code in LANGUAGES else None


@cache
def _identifier() -> Any:
    """The model, which knows the languages of the table alone and says `und` where it is not sure."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # it reads its model in about a second

    made = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=SURE)
    made.set_languages(LANGUAGES)
    return made


_BY_NAME = {
    spelling.lower(): language.code
    for language in LANGUAGES.values()
    for spelling in (language.code, language.name, language.flores, language.flores[:3])
}


def language_of_name(column: str) -> str | None:
    """The language that the name of a column says: `en`, `german`, `text_de`, `deu_Latn`; None where it says none."""
    name = column.strip().lower()
    parts = [part for part in re.split(r"[ _.\-]+", name) if part]
    ends = {_BY_NAME[part] for part in parts[:1] + parts[-1:] if part in _BY_NAME}
    return _BY_NAME.get(name) or (ends.pop() if len(ends) == 1 else None)


def language_of_column(name: str, texts: Sequence[str]) -> str | None:
    """The language of a column, by its name, which may lead into a nested one, or else by its texts."""
    return language_of_name(name.rpartition(".")[2]) or language_of(texts)


def given_languages(given: str | None, task: str) -> tuple[str | None, str | None]:
    """The languages of what is read and of what is written, as `--language` has them; None where it was not given.

    Raises:
        RecipeError: They are unknown, or have no effect.
    """
    if given is None:
        return None, None
    if task == "image-classification":
        raise RecipeError("--language has no effect on images: leave it out.")
    codes, pair = given.split("-"), task == "translation"
    wrong = [code for code in codes if code not in LANGUAGES]
    if wrong or len(codes) != 1 + pair:
        what = "those of source and target, such as en-de" if pair else "one"
        hint = near(wrong[0], LANGUAGES) if wrong else ""
        raise RecipeError(f"--language is '{given}'; {task} wants {what}, of {', '.join(LANGUAGES)}.{hint}")
    return codes[0], codes[-1]


def shown(code: str | None) -> str:
    """A language's name for people."""
    return "of no language that was recognized" if code is None else LANGUAGES[code].name


def tokens_of(text: str, code: str | None) -> float:
    """About how many tokens a text has, special ones aside, for no tokenizer is at hand.

    English: 1.3 a word, and never less than one for 4.5 characters; other languages, of which tables of pieces hold
    less: 1.7 a word, one for 3.5 characters; without spaces one a character.
    """
    if code in UNSPACED:
        return float(len(text))
    a_word, characters = (1.3, 4.5) if code == "en" else (1.7, 3.5)
    return max(a_word * len(text.split()), len(text) / characters)


def factor(code: str | None) -> str:
    """How `tokens_of` counts, for people."""
    if code in UNSPACED:
        return "estimated at one a character"
    return f"estimated at {1.3 if code == 'en' else 1.7} a word"
