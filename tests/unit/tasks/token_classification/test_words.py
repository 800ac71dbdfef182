"""Words of texts and windows of pieces: by hand, and as tokenizers cut windows."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from hfft.tasks.token_classification.schemes import Span, tags_of_spans
from hfft.tasks.token_classification.words import Cut, words_of_text


def test_words_of_a_text_end_at_white_space_and_punctuation_and_hold_none():
    # one word for the tokenizer, as SentencePiece without a pre-tokenizer has it, with spaces in front of its pieces
    text = "New  York, Bonn"
    offsets = [(0, 3), (3, 4), (4, 7), (7, 9), (9, 10), (10, 15)]
    assert words_of_text(text, [0] * 6, offsets) == ([(0, 3), (5, 9), (9, 10), (11, 15)], [0, 1, 1, 1, 2, 3])


def test_white_space_that_is_a_word_of_its_own_belongs_to_none():
    assert words_of_text("a \n", [0, 1, 2], [(0, 1), (1, 2), (2, 3)]) == ([(0, 1)], [0, -1, -1])


@pytest.mark.parametrize(
    ("text", "offsets", "words"),
    [
        ("cafe\u0301 a", [(0, 4), (6, 7)], [(0, 5), (6, 7)]),  # the accent is left out, as BERT does
        ("cafe\u0301s", [(0, 4), (5, 6)], [(0, 6)]),
        ("I \u2764\ufe0f it", [(0, 1), (2, 3), (5, 7)], [(0, 1), (2, 4), (5, 7)]),  # a variation selector
        ("\u0645\u06cc\u200c\u062e", [(0, 2), (3, 4)], [(0, 4)]),  # a joiner of Persian
        ("Bonn\u200b.", [(0, 5), (5, 6)], [(0, 4), (5, 6)]),  # a space without a width
        ("Bonn\u200f", [(0, 4)], [(0, 4)]),  # a mark of the direction of writing
    ],
)
def test_words_end_behind_their_accents_and_joiners_that_no_piece_has(text, offsets, words):
    numbers = [0 if len(words) == 1 else place for place in range(len(offsets))]
    assert words_of_text(text, numbers, offsets)[0] == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我住在北京", [(0, 1), (1, 2), (2, 3), (3, 5)]),
        ("東京タワー", [(0, 1), (1, 2), (2, 3), (3, 5)]),
        ("กทมดี", [(0, 1), (1, 2), (2, 3), (3, 5)]),
        ("กิน", [(0, 2), (2, 3)]),  # a vowel sign goes with the letter before it
        ("Bonn人", [(0, 4), (4, 5)]),
        ("서울에서", [(0, 4)]),  # Korean has spaces
    ],
)
def test_in_scripts_without_spaces_each_piece_is_a_word(text, words):
    """Of one tokenizer's word, in pieces of a character, the last of two."""
    ends = [*range(1, len(text) - 1), len(text)]
    offsets = {"Bonn人": [(0, 2), (2, 4), (4, 5)], "กิน": [(0, 1), (1, 2), (2, 3)]}.get(
        text, list(zip([0, *ends], ends, strict=False))
    )
    assert words_of_text(text, [0] * len(offsets), offsets)[0] == words


@pytest.mark.parametrize("scheme", ["bytes", "sentencepiece"])
def test_a_span_of_a_text_without_spaces_can_be_said(scheme):
    letters = "我住在北京กทม"
    if scheme == "bytes":
        tokens, parts = sorted(pre_tokenizers.ByteLevel.alphabet()), pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokens, parts = ["▁", *letters], pre_tokenizers.Metaspace()
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    made.pre_tokenizer = parts  # type: ignore[assignment]
    for text, span in (("我住在北京", (3, 5)), ("กทม", (1, 2))):
        read = made.encode(text)
        words, _ = words_of_text(text, read.word_ids, read.offsets)
        assert tags_of_spans(words, [Span("loc", *span)], "BIO")[1] == 0


def test_bytes_of_one_character_are_one_word():
    assert words_of_text("☃ a", [0, 0, 1], [(0, 1), (0, 1), (1, 3)]) == ([(0, 1), (2, 3)], [0, 0, 1])


@pytest.mark.parametrize("overlap", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 7, 23])
def test_every_piece_belongs_to_one_window_and_to_the_one_where_it_has_most_around_it(count, overlap):
    windows = Cut(room=4, overlap=overlap).windows(count)
    assert [piece for _, mine in windows for piece in range(count)[mine]] == list(range(count))
    for piece in range(count):
        around = {
            number: min(
                piece - part.start if part.start else count, part.stop - 1 - piece if part.stop < count else count
            )
            for number, (part, _) in enumerate(windows)
            if part.start <= piece < part.stop
        }
        owner = next(number for number, (_, mine) in enumerate(windows) if mine.start <= piece < mine.stop)
        assert around[owner] == max(around.values())


def test_windows_are_those_of_a_tokenizers_stride(tmp_path):
    from transformers import AutoTokenizer

    from tests.tiny.tokenizers import tokenizer as write

    write(tmp_path, 64)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    for count in range(1, 30):
        text = " ".join(f"w{number}" for number in range(count))
        found = tokenizer(text, truncation=True, max_length=9, stride=3, return_overflowing_tokens=True)
        whole = tokenizer(text, add_special_tokens=False)["input_ids"]
        parts = [whole[part] for part, _ in Cut(room=7, overlap=3).windows(count)]
        assert [ids[1:-1] for ids in found["input_ids"]] == parts
