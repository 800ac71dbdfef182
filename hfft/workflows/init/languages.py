"""Which language texts are in, coarsely: by the script, and where several share one by their commonest words.

Only few languages are told apart, and where two are near each other none is named: a multilingual model is then right.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHARE = 0.08  # of the words that must be common words of a language

AHEAD = 1.4  # times as many as of the next language


@dataclass(frozen=True)
class Language:
    """A language.

    Attributes:
        code: Of ISO 639-1.
        name: In English.
        flores: As NLLB's tokenizer calls it.
        mbart: As mBART-50's does; None where it lacks it.
        common: Some of its commonest words, where its script alone does not tell.
    """

    code: str
    name: str
    flores: str
    mbart: str | None = None
    common: frozenset[str] = frozenset()


def _language(code: str, name: str, flores: str, mbart: str | None = None, common: str = "") -> Language:
    return Language(code, name, flores, mbart, frozenset(common.split()))


LANGUAGES = {
    language.code: language
    for language in (
        _language(
            "en", "English", "eng_Latn", "en_XX", "the of and to is in that it for you was with on are this i my"
        ),
        _language(
            "de", "German", "deu_Latn", "de_DE", "der die und das ist nicht ein eine ich zu mit den auf sich von"
        ),
        _language("fr", "French", "fra_Latn", "fr_XX", "le la les et des est une un du dans que pour pas je vous il"),
        _language("es", "Spanish", "spa_Latn", "es_XX", "el la los las y que en un una es por con del se para no"),
        _language("it", "Italian", "ita_Latn", "it_IT", "il di che la e un una per non sono del della con è gli"),
        _language("pt", "Portuguese", "por_Latn", "pt_XX", "o a os as que e do da em um uma não para com é"),
        _language("nl", "Dutch", "nld_Latn", "nl_XX", "de het een van en is dat niet op te zijn voor met ik"),
        _language("sv", "Swedish", "swe_Latn", "sv_SE", "och att det som en är på för inte av till den med jag ett"),
        _language("da", "Danish", "dan_Latn", None, "og at det som en er på for ikke af til den med jeg et"),
        _language("fi", "Finnish", "fin_Latn", "fi_FI", "ja on ei että se oli hän mutta kun niin ovat myös"),
        _language("pl", "Polish", "pol_Latn", "pl_PL", "i w na nie z się do to że jest po jak co o"),
        _language("cs", "Czech", "ces_Latn", "cs_CZ", "a je se na v že to s z do ve by jsem jako"),
        _language("ro", "Romanian", "ron_Latn", "ro_RO", "și în de la a nu cu o este că pe din un se"),
        _language("hu", "Hungarian", "hun_Latn", None, "a az és nem hogy egy is van ez volt de meg"),
        _language("tr", "Turkish", "tur_Latn", "tr_TR", "ve bir bu da de için ile çok ne gibi var mı"),
        _language("vi", "Vietnamese", "vie_Latn", "vi_VN", "và là của có không được cho người một các trong"),
        _language("id", "Indonesian", "ind_Latn", "id_ID", "yang dan di ini itu dengan untuk tidak dari dalam saya"),
        _language("ru", "Russian", "rus_Cyrl", "ru_RU", "и в не на что с я по как это он но к из у"),
        _language("uk", "Ukrainian", "ukr_Cyrl", "uk_UA", "і в не на що з я як це та він у до є"),
        _language("bg", "Bulgarian", "bul_Cyrl", None, "и в не на че с да е за се от по са"),
        _language("el", "Greek", "ell_Grek"),
        _language("ar", "Arabic", "arb_Arab", "ar_AR", "في من على أن إلى ما لا هذا التي الذي"),
        _language("fa", "Persian", "pes_Arab", "fa_IR", "و در به از که این را با است برای"),
        _language("he", "Hebrew", "heb_Hebr", "he_IL"),
        _language("hi", "Hindi", "hin_Deva", "hi_IN", "है के में की से और को का नहीं यह"),
        _language("th", "Thai", "tha_Thai", "th_TH"),
        _language("ja", "Japanese", "jpn_Jpan", "ja_XX"),
        _language("ko", "Korean", "kor_Hang", "ko_KR"),
        _language("zh", "Chinese", "zho_Hans", "zh_CN"),
    )
}

UNSPACED = ("zh", "ja", "th")  # languages that put no space between words

SCRIPTS = {
    "ja": "\u3040-\u30ff",
    "ko": "\uac00-\ud7af\u1100-\u11ff",
    "th": "\u0e00-\u0e7f",
    "he": "\u0590-\u05ff",
    "el": "\u0370-\u03ff",
    "Han": "\u4e00-\u9fff\u3400-\u4dbf",
    "Cyrillic": "\u0400-\u04ff",
    "Arabic": "\u0600-\u06ff",
    "Devanagari": "\u0900-\u097f",
    "Latin": "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
}
"""The characters of scripts; one named as a language is that language's alone."""

OF_SCRIPT = {"Cyrillic": ("ru", "uk", "bg"), "Arabic": ("ar", "fa"), "Devanagari": ("hi",)}

ELSEWHERE = {"el", "he", "th", "ja", "ko", "zh", *(code for codes in OF_SCRIPT.values() for code in codes)}


def language_of(texts: Iterable[str]) -> str | None:
    """The code of the language that most of the texts are in; None where that is not clear."""
    whole = " ".join(texts).lower()
    counts = {script: len(re.findall(f"[{span}]", whole)) for script, span in SCRIPTS.items()}
    letters = sum(counts.values())
    if not letters:
        return None
    if counts["ja"] > 0.1 * letters and counts["ja"] + counts["Han"] > 0.5 * letters:
        return "ja"
    script = max(counts, key=lambda name: counts[name])
    if counts[script] < 0.5 * letters:
        return None
    if script == "Han":
        return "zh"
    if script in LANGUAGES:
        return script
    codes = OF_SCRIPT.get(script) or tuple(code for code in LANGUAGES if code not in ELSEWHERE)
    return _by_common_words(re.findall(r"[^\W\d_]+", whole), codes)


def _by_common_words(words: Sequence[str], codes: Sequence[str]) -> str | None:
    counts = Counter(words)
    found = {code: sum(counts[word] for word in LANGUAGES[code].common) for code in codes}
    (best, most), *rest = sorted(found.items(), key=lambda pair: -pair[1])
    if most < SHARE * len(words) or most < 3 or (rest and most < AHEAD * rest[0][1]):
        return None
    return best


_BY_NAME = {
    spelling: language.code
    for language in LANGUAGES.values()
    for spelling in (language.code, language.name.lower(), language.flores.lower(), language.flores[:3].lower())
}

_BY_NAME |= {language.mbart.lower(): language.code for language in LANGUAGES.values() if language.mbart}


def language_of_name(column: str) -> str | None:
    """The language that the name of a column says: `en`, `german`, `text_de`, `deu_Latn`; None where it says none."""
    name = column.strip().lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    ends = [part for part in re.split(r"[ _.\-]+", name) if part]
    found = {_BY_NAME[part] for part in (ends[:1] + ends[-1:] if len(ends) > 1 else []) if part in _BY_NAME}
    return found.pop() if len(found) == 1 else None


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
