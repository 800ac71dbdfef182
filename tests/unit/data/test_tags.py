"""Tags, schemes, entities, and how pieces, words and spans lie together: by hand, and as seqeval reads tags."""

from __future__ import annotations

import random
import warnings

import pytest
from seqeval.metrics.sequence_labeling import get_entities

from hfft.data.tags import (
    Cut,
    Span,
    begins_inside,
    entities_of,
    in_order,
    scheme_of,
    tags_of_spans,
    tags_of_types,
    whole_scheme,
    words_of_text,
)
from hfft.errors import DataError


@pytest.mark.parametrize("names", [["O", "B-a", "I-a", "B-b", "I-b"], ["O", "I-a", "I-b"], ["O", "B-a-b", "I-a-b"]])
def test_entities_are_those_of_seqeval_whatever_the_order_of_tags(names):
    draw = random.Random(0)
    for _ in range(300):
        tags = [draw.choice(names) for _ in range(draw.randint(0, 12))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = [Span(kind, start, end + 1) for kind, start, end in get_entities(tags)]
        assert entities_of(tags) == wanted


def test_names_without_prefixes_are_entities_as_long_as_they_last():
    assert entities_of(["per", "per", "O", "loc", "per"]) == [Span("per", 0, 2), Span("loc", 3, 4), Span("per", 4, 5)]


def test_an_inside_tag_needs_a_tag_of_its_type_before_it():
    assert begins_inside(["I-a"])
    assert begins_inside(["B-a", "O", "I-a"])
    assert begins_inside(["B-a", "I-b"])
    assert not begins_inside(["B-a", "I-a", "I-a", "B-b", "I-b", "O"])


def test_the_scheme_is_found_from_the_names():
    assert scheme_of(["O", "B-a", "I-a"]) == "BIO"
    assert scheme_of(["O", "I-a"]) == "IO"
    assert scheme_of(["NOUN", "VERB"]) == "IO"


@pytest.mark.parametrize(
    ("names", "message"), [(["O", "B-PER", "BPER"], "'BPER'.*Did you mean 'B-PER'"), (["B-a", "S-a"], "BIOES")]
)
def test_tags_of_several_schemes_are_refused(names, message):
    with pytest.raises(DataError, match=message):
        scheme_of(names)


def test_missing_tags_of_a_scheme_are_added_and_tags_are_ordered():
    assert whole_scheme(["O", "B-b", "I-a"]) == ["O", "B-b", "I-a", "I-b", "B-a"]
    assert in_order(["I-b", "B-b", "O", "I-a", "B-a"]) == ["O", "B-a", "I-a", "B-b", "I-b"]
    assert tags_of_types(["b", "a"], "BIO") == ["O", "B-a", "I-a", "B-b", "I-b"]
    assert tags_of_types(["b", "a"], "IO") == ["O", "I-a", "I-b"]


WORDS = [(0, 3), (4, 8), (8, 9), (10, 14)]  # "New York, Bonn"


def test_spans_cover_the_words_they_touch():
    tags, inexact = tags_of_spans(WORDS, [Span("loc", 10, 14), Span("loc", 0, 8)], "BIO")
    assert (tags, inexact) == (["B-loc", "I-loc", "O", "B-loc"], 0)


@pytest.mark.parametrize(
    ("spans", "scheme", "wanted", "inexact"),
    [
        ([Span("loc", 0, 6)], "BIO", ["B-loc", "I-loc", "O", "O"], 1),  # ends inside a word
        ([Span("loc", 3, 4)], "BIO", ["O", "O", "O", "O"], 1),  # touches none
        ([Span("a", 4, 6), Span("b", 6, 8)], "BIO", ["O", "B-a", "O", "O"], 2),  # both in one word
        ([Span("a", 0, 3), Span("a", 4, 8)], "IO", ["I-a", "I-a", "O", "O"], 2),  # neighbours become one
        ([Span("a", 0, 3), Span("b", 4, 8)], "IO", ["I-a", "I-b", "O", "O"], 0),
        ([Span("a", 0, 3), Span("a", 4, 8)], "BIO", ["B-a", "B-a", "O", "O"], 0),
    ],
)
def test_spans_that_tags_cannot_say_are_counted(spans, scheme, wanted, inexact):
    assert tags_of_spans(WORDS, spans, scheme) == (wanted, inexact)


def test_words_of_a_text_end_at_white_space_and_punctuation_and_hold_none():
    # one word for the tokenizer, as SentencePiece without a pre-tokenizer has it, with spaces in front of its pieces
    text = "New  York, Bonn"
    offsets = [(0, 3), (3, 4), (4, 7), (7, 9), (9, 10), (10, 15)]
    assert words_of_text(text, [0] * 6, offsets) == ([(0, 3), (5, 9), (9, 10), (11, 15)], [0, 1, 1, 1, 2, 3])


def test_white_space_that_is_a_word_of_its_own_belongs_to_none():
    assert words_of_text("a \n", [0, 1, 2], [(0, 1), (1, 2), (2, 3)]) == ([(0, 1)], [0, -1, -1])


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
