"""Scores of written answers: as sacrebleu and rouge-score give them, and by hand; intervals: as resampling does."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, get_args

import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from hfft.errors import DataError, RecipeError
from hfft.metrics.bleu import bleu_scorer
from hfft.metrics.generation import (
    GenerationMetric,
    copied,
    generation_weighted,
    repeating,
    signatures,
)
from hfft.metrics.rouge import unread
from hfft.metrics.scripts import bleu_tokenizer, unspaced
from hfft.metrics.weighing import repeated
from tests.product import spread
from tests.unit.metrics.middles import middles

ALL = get_args(GenerationMetric)
ROUGE = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
TEXT = (
    "the a running runner ran houses house quickly, river. banks banking Berlin café naïve 1984 3.5 (new) old! "
    "Zürich don't state-of-the-art über people peoples' say said saying in of to and with over"
)
WORDS = TEXT.split()


def edited(words: Sequence[str], draw: random.Random) -> list[str]:
    """Some words dropped, replaced or doubled, and now and then two parts exchanged."""
    kept = []
    for word in words:
        kept += draw.choices([[word], [], [draw.choice(WORDS)], [word, word]], [7, 1, 1, 1])[0]
    if draw.random() < 0.3:
        cut = draw.randrange(len(kept) + 1)
        kept = kept[cut:] + kept[:cut]
    return kept


def as_lines(words: list[str], draw: random.Random) -> str:
    return "".join(word + draw.choices([" ", "\n"], [8, 1])[0] for word in words).strip()


def example(rows: int, seed: int, references: Sequence[int], length: int = 20) -> tuple[list[str], list[Any]]:
    """Answers, and of each the number of references drawn from `references`; of one, the text itself."""
    draw = random.Random(seed)
    answers, truths = [], []
    for _ in range(rows):
        source = draw.choices(WORDS, k=draw.randint(1, length))
        answers.append(as_lines(edited(source, draw), draw))
        texts = [as_lines(edited(source, draw), draw) for _ in range(draw.choice(references))]
        truths.append(texts if len(texts) > 1 else texts[0])
    return answers, truths


def rows_of(truths: Sequence[Any]) -> list[list[str]]:
    return [[truth] if isinstance(truth, str) else list(truth) for truth in truths]


def by_sacrebleu(
    answers: Sequence[str], truths: Sequence[Any], tokenize: str = "13a", asian: bool = False
) -> dict[str, float]:
    rows = rows_of(truths)
    most = max(map(len, rows))
    streams: Any = [[row[number] if number < len(row) else None for row in rows] for number in range(most)]
    evaluators = {"bleu": BLEU(tokenize=tokenize), "chrf": CHRF(), "ter": TER(normalized=asian, asian_support=asian)}
    return {name: evaluator.corpus_score(answers, streams).score for name, evaluator in evaluators.items()}


def by_rouge_score(answers: Sequence[str], truths: Sequence[Any]) -> dict[str, float]:
    evaluator = RougeScorer(ROUGE, use_stemmer=True)
    found = [evaluator.score_multi(row, answer) for answer, row in zip(answers, rows_of(truths), strict=True)]
    return {name: sum(score[name].fmeasure for score in found) / len(found) for name in ROUGE}


def without_length(scores: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if name != "length_ratio"}


def assert_as_the_references(answers: Sequence[str], truths: Sequence[Any], tokenize: str = "13a") -> dict[str, float]:
    scores = generation_weighted(answers, truths, ALL, tokenize).scores
    expected = by_sacrebleu(answers, truths, tokenize) | by_rouge_score(answers, truths)
    assert without_length(scores) == pytest.approx(expected, rel=0, abs=1e-9)
    return scores


@pytest.mark.parametrize(("references", "seed"), spread([[1], [3], [1, 2, 4]], range(3)))
def test_all_scores_are_those_of_sacrebleu_and_rouge_score(references, seed):
    scores = assert_as_the_references(*example(60, seed, references))
    assert 10 < scores["bleu"] < 90
    assert 0.1 < scores["rouge2"] < 0.9


@pytest.mark.parametrize("tokenize", ["13a", "intl", "char", "none", "zh"])
def test_bleu_parts_words_as_told(tokenize):
    assert_as_the_references(*example(20, 5, [1]), tokenize=tokenize)


UNSPACED = {
    "zh": (["我喜欢吃苹果。", "今天天气很好"], ["我喜欢吃梨。", "今天的天气很好"]),
    "char": (["ฉันชอบกินแอปเปิ้ล", "วันนี้อากาศดี"], ["ฉันชอบกินลูกแพร์", "วันนี้อากาศดีมาก"]),
    "13a": (["Я люблю яблоки.", "Сегодня хорошая погода"], ["Я люблю груши.", "Сегодня очень хорошая погода"]),
}


@pytest.mark.parametrize("tokenize", UNSPACED)
def test_words_are_parted_as_the_language_of_the_references_has_them(tokenize):
    answers, truths = UNSPACED[tokenize]
    scores = generation_weighted(answers, truths, ["bleu", "ter", "chrf"]).scores
    wanted = by_sacrebleu(answers, truths, tokenize, asian=tokenize == "zh")
    assert without_length(scores) == pytest.approx(wanted, rel=0, abs=1e-9)
    assert scores["bleu"] > 20
    signed = signatures(answers, truths, ["bleu", "ter"])
    assert f"tok:{tokenize}|" in signed["bleu"]
    assert ("asian:yes" in signed["ter"]) == (tokenize == "zh")


def test_in_a_language_without_spaces_lengths_are_those_of_letters():
    assert generation_weighted(["我喜欢 吃"], ["我喜欢吃苹果。"], []).scores["length_ratio"] == 4 / 7


@pytest.mark.parametrize(
    ("texts", "language", "tokenize"),
    [
        (["政府今天宣布了新的政策。"], "Chinese", "zh"),
        (["政府はきょう新しい政策を発表した。"], "Japanese", "char"),
        (["ភាសាខ្មែរ"], "Khmer", "char"),
        (["ພາສາລາວ"], "Lao", "char"),
        (["မြန်မာဘာသာ"], "Burmese", "char"),
        (["한국어는 띄어쓰기가 있다"], None, "13a"),
        (["भारत ने 2023 में नई नीति लागू की", "Über Größe"], None, "13a"),
        (["The word 政府 means government"], None, "13a"),
        ([], None, "13a"),
    ],
)
def test_the_script_of_most_letters_decides(texts, language, tokenize):
    assert (unspaced(texts), bleu_tokenizer(texts)) == (language, tokenize)


@pytest.mark.parametrize(
    ("text", "is_unread"),
    [
        ("भारत ने 2023 में नई नीति लागू की", True),  # a year is no word
        ("Новый iPhone вышел", True),
        ("Größe über alles", False),
        ("2023", False),
        ("", False),
    ],
)
def test_what_rouge_does_not_read_is_told_by_letters(text, is_unread):
    assert unread(text) is is_unread


@pytest.mark.parametrize(
    ("answers", "truths"),
    [
        (["the cat sat on the mat"], ["the cat sat on the mat"]),  # one row
        (["the cat sat", ""], ["the cat sat on the mat", "a dog"]),  # an empty answer
        (["", ""], ["the cat", "a dog"]),  # all answers empty
        (["the cat", "a dog"], ["", ""]),  # all references empty
        (["", ""], ["", ""]),
        (["the cat sat on a mat"], ["a dog ran"]),  # one word in common: three of four lengths are smoothed
        (["the cat sat", "a dog"], ["the cat sat", "a dog"]),  # no four words anywhere: BLEU is 0
        (["the cat sat down there", "dog"], ["the cat sat down here", "a dog"]),
        (["big red cars stop"], ["small blue boats float"]),  # nothing in common
        (["ab", "b"], ["abc", "ab"]),  # too short for six characters
        (["naïve café — “déjà vu” 😀 ﬁn"], ["naïve cafe — “déjà vu” 😀 fin"]),
    ],
)
def test_edges_are_scored_as_the_references_score_them(answers, truths):
    assert_as_the_references(answers, truths)


def test_a_list_of_one_reference_is_that_reference():
    answers, truths = example(10, 1, [1])
    assert (
        generation_weighted(answers, [[truth] for truth in truths], ALL).scores
        == generation_weighted(answers, truths, ALL).scores
    )


def test_an_empty_reference_counts_and_is_no_missing_one():
    answers, truths = ["the cat sat on the mat today"], [["the cat sat on the mat now", ""]]
    scores = assert_as_the_references(answers, truths)
    assert (
        scores["ter"] > generation_weighted(answers, [truths[0][:1]], ["ter"]).scores["ter"]
    )  # half as many words a reference


@pytest.mark.parametrize(
    ("answers", "truths", "expected"),
    [
        (["a b c", "d"], ["a b", "d e f"], 4 / 5),
        (["a b c"], [["a", "a b c d"]], 3 / 4),  # the closest
        (["a b c"], [["a b c d", "a b"]], 3 / 2),  # of two as close, the shorter
        (["  a\tb\n"], ["a"], 2),
        (["", ""], ["a", "b"], 0),
    ],
)
def test_length_ratio_by_hand(answers, truths, expected):
    assert generation_weighted(answers, truths, []).scores == pytest.approx({"length_ratio": expected})


def test_references_without_words_have_no_length_ratio():
    assert generation_weighted(["a b"], [" "], []).scores == {}


def test_intervals_are_those_of_plain_resampling_with_the_reference_libraries():
    answers, truths = example(6, 3, [1, 2], length=8)

    def plain(answers: Sequence[str], truths: Sequence[Any]) -> dict[str, float]:
        return by_sacrebleu(answers, truths) | by_rouge_score(answers, truths)

    found = middles(generation_weighted(answers, truths, ALL), 0.9)
    expected = middles(repeated(plain, answers, truths), 0.9)
    assert found.keys() == {*expected, "length_ratio"}
    for name, interval in expected.items():
        assert found[name] == pytest.approx(interval, abs=1e-6), name
        assert interval[0] < interval[1]


@pytest.mark.parametrize(
    ("answers", "truths"),
    [
        (["", "the cat sat on the mat", "no"], ["a dog", "the cat sat on a mat", ""]),  # resamples of "" and "no" only
        (["a", "b c"], [["a", "a b"], "c d"]),
    ],
)
def test_intervals_of_short_answers_are_those_of_plain_resampling(answers, truths):
    found = middles(generation_weighted(answers, truths, ALL), 0.8)
    expected = middles(repeated(lambda some, true: generation_weighted(some, true, ALL).scores, answers, truths), 0.8)
    assert found.keys() == expected.keys()
    for name, interval in expected.items():
        assert found[name] == pytest.approx(interval, abs=1e-6), name


def test_signatures_are_what_the_scorers_say():
    answers, truths = example(5, 0, [1])
    found = signatures(answers, truths, ALL, "intl")
    bleu, chrf, ter = BLEU(tokenize="intl"), CHRF(), TER()
    for evaluator in (bleu, chrf, ter):
        evaluator.corpus_score(answers, [truths])
    assert found == {
        "rouge": f"nrefs:1|refs:best-f1|stem:porter|lsum:lines|version:rouge-score-{version('rouge-score')}",
        "bleu": str(bleu.get_signature()),
        "chrf": str(chrf.get_signature()),
        "ter": str(ter.get_signature()),
    }
    assert found["bleu"] == f"nrefs:1|case:mixed|eff:no|tok:intl|smooth:exp|version:{version('sacrebleu')}"


def test_signatures_tell_the_number_of_references():
    answers = ["a", "b"]
    for truths, number in (([["a", "b"], ["b", "c"]], "2"), (["a", ["b", "c"]], "var")):
        assert all(text.startswith(f"nrefs:{number}|") for text in signatures(answers, truths, ALL).values())


def test_an_answer_without_reference_is_named():
    with pytest.raises(DataError, match=r"Example 1 .* references \[\]"):
        generation_weighted(["a", "b"], ["a", []], ["bleu"])


def test_a_missing_text_is_named():
    truths: Any = ["a", None]
    with pytest.raises(DataError, match=r"Example 1 .* references \[None\]"):
        generation_weighted(["a", "b"], truths, ["bleu"])


def test_an_unknown_metric_is_named_with_the_nearest():
    for scoring in (generation_weighted, signatures):
        with pytest.raises(RecipeError, match=r"'blue' is no metric of written text\. Did you mean 'bleu'"):
            scoring(["a"], ["a"], ["blue"])


def test_an_unknown_tokenizer_is_named_with_the_nearest():
    with pytest.raises(RecipeError, match=r"task\.bleu_tokenize is '13b'.* Did you mean '13a'.* zh"):
        generation_weighted(["a"], ["a"], ["bleu"], "13b")


@pytest.mark.parametrize(("tokenize", "module", "extra"), [("ja-mecab", "MeCab", "ja"), ("ko-mecab", "mecab_ko", "ko")])
def test_a_tokenizer_that_needs_a_package_names_it(tokenize, module, extra):
    if importlib.util.find_spec(module):
        pytest.skip(f"{module} is installed")
    with pytest.raises(RecipeError, match=rf"task\.bleu_tokenize is '{tokenize}'.* pip install 'sacrebleu\[{extra}\]'"):
        bleu_scorer(tokenize)


def test_a_tokenizer_whose_model_cannot_be_downloaded_says_so(monkeypatch, tmp_path):
    pytest.importorskip("sentencepiece")
    from sacrebleu.tokenizers import tokenizer_spm

    monkeypatch.setattr(tokenizer_spm, "SACREBLEU_DIR", str(tmp_path))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr("urllib.request._opener", None)  # made from the proxies of its time
    with pytest.raises(RecipeError, match=r"task\.bleu_tokenize is 'flores200'.* could not download .*13a"):
        bleu_scorer("flores200")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("no no no", False),
        ("no no no no", True),
        ("No NO no nO", True),
        ("no no, no no", False),  # punctuation belongs to its word
        ("a b a b a b a b", True),
        ("a b a b a b a", False),  # the fourth time is not whole
        ("it was so that b a b a b a b a", True),
        ("a b a b a b x a b a b a b", False),  # not in direct succession
        ("1 2 3 4 5 6 7 8 " * 4, True),
        ("1 2 3 4 5 6 7 8 9 " * 4, False),  # longer than 8 words
        ("哈哈哈哈哈哈哈哈", False),  # one word
    ],
)
def test_repetition_is_four_times_in_direct_succession(text, expected):
    assert repeating(text) is expected


SOURCE = "The quick brown fox jumps over\nthe  lazy dog."


@pytest.mark.parametrize(
    ("answer", "source", "expected"),
    [
        ("quick brown fox jumps", SOURCE, True),
        ("QUICK  brown\nfox jumps", SOURCE, True),
        ("over the lazy dog.", SOURCE, True),
        ("brown fox jumps", SOURCE, False),  # three words
        ("brown fox jumps high", SOURCE, False),
        ("uick brown fox jumps", SOURCE, False),  # no whole word
        ("over the lazy dog", SOURCE, False),  # punctuation belongs to its word
        ("lazy", "Lazy ", True),  # the whole source
        ("", SOURCE, False),
        (" ", "", False),
    ],
)
def test_copied_is_word_for_word(answer, source, expected):
    assert copied(answer, source) is expected
