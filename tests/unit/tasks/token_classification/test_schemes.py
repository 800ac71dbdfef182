"""Tags, schemes, entities, and how words and spans lie together: by hand, and as seqeval reads tags."""

from __future__ import annotations

import random
import warnings

import pytest
from seqeval.metrics.sequence_labeling import get_entities

from hfft.errors import DataError
from hfft.tasks.token_classification.schemes import (
    UNNAMED,
    Span,
    begins_inside,
    entities_of,
    in_order,
    refuse_misspelled,
    scheme_of,
    tags_of_spans,
    tags_of_types,
    whole_scheme,
)


@pytest.mark.parametrize(
    "names", [["O", "B-a", "I-a", "B-b", "I-b"], ["O", "I-a", "I-b"], ["O", "B-a-b", "I-a-b"], ["O", "B", "I"]]
)
def test_entities_are_those_of_seqeval_whatever_the_order_of_tags(names):
    draw = random.Random(0)
    for _ in range(300):
        tags = [draw.choice(names) for _ in range(draw.randint(0, 12))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [Span(kind, start, end + 1) for kind, start, end in get_entities(tags)]
        wanted = [span._replace(label=UNNAMED) if span.label == "_" else span for span in found]
        assert entities_of(tags) == wanted


def test_names_without_prefixes_are_entities_as_long_as_they_last():
    assert entities_of(["per", "per", "O", "loc", "per"]) == [Span("per", 0, 2), Span("loc", 3, 4), Span("per", 4, 5)]


def test_an_inside_tag_needs_a_tag_of_its_type_before_it():
    assert begins_inside(["I-a"])
    assert begins_inside(["B-a", "O", "I-a"])
    assert begins_inside(["B-a", "I-b"])
    assert not begins_inside(["B-a", "I-a", "I-a", "B-b", "I-b", "O"])
    assert begins_inside(["O", "I"])
    assert not begins_inside(["B", "I"])


def test_the_scheme_is_found_from_the_names():
    assert scheme_of(["O", "B-a", "I-a"]) == "BIO"
    assert scheme_of(["O", "I-a"]) == "IO"
    assert scheme_of(["NOUN", "VERB"]) == "IO"
    assert scheme_of(["O", "B"]) == "BIO"
    assert scheme_of(["O", "I"]) == "IO"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["O", "B-PER", "BPER"], "'BPER'.*Did you mean 'B-PER'"),
        (["B-a", "S-a"], "BIOES"),
        (["O", "S-PER"], "tags as 'S-PER'. BIOES .* write S- and U- as B-.* write I-S-PER"),
        (["B", "E", "M", "S"], "'B' and tags as 'E'.*BIOES"),
        (["O", "B-"], "'B-' names no type. Write B-X and I-X"),
        (["O", "PER-B", "PER-I"], "'PER-B', .* write B-PER"),
        (["O", "B", "I", "B-PER"], "'B-PER' and tags as 'B', which name no type"),
    ],
)
def test_tags_of_several_schemes_are_refused(names, message):
    with pytest.raises(DataError, match=message):
        scheme_of(names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["B_PER", "I_PER", "O"], "there are tags as 'B_PER': write B-PER. If it is a type, write I-B_PER"),
        (["b-per", "i-per", "O"], "'b-per': write B-per"),
        (["O", "PER:B", "PER:I"], "'PER:B': write B-PER"),
        (["B-PER", "I-PER", "o"], "there is a tag 'o': write O"),
    ],
)
def test_tags_that_are_written_otherwise_are_refused_with_how_to_write_them(names, message):
    with pytest.raises(DataError, match=message):
        refuse_misspelled(names)


@pytest.mark.parametrize("names", [["B-PER", "O"], ["PER", "O"], ["B_cell", "T_cell", "virus", "O"], ["b", "NOUN"]])
def test_types_that_look_a_little_like_letters_are_types(names):
    refuse_misspelled(names)


def test_missing_tags_of_a_scheme_are_added_and_tags_are_ordered():
    assert whole_scheme(["O", "B-b", "I-a"]) == ["O", "B-b", "I-a", "I-b", "B-a"]
    assert whole_scheme(["O", "B"]) == ["O", "B", "I"]
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
