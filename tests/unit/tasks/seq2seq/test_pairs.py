"""Pairs of texts as token ids: what is cut, dropped, padded, and how long a side may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from transformers import AutoTokenizer, BartConfig, BertConfig, EncoderDecoderConfig, LEDConfig, RobertaConfig, T5Config

from hfft.data.checks import read_column
from hfft.errors import DataError, RecipeError
from hfft.tasks.seq2seq.languages import Tongue
from hfft.tasks.seq2seq.pairs import (
    DEFAULT_SOURCE,
    Frame,
    Limits,
    limits,
    pad_pairs,
    pair_lengths,
)
from hfft.tasks.seq2seq.reader import Reader
from hfft.tasks.task import IGNORED
from tests.tiny import gpt2, tokenizer

CLS, SEP, PAD = 2, 3, 0


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """BERT's tokenizer of whole words, which puts [CLS] before a text and [SEP] behind it; w0 is 5."""
    folder = tmp_path_factory.mktemp("words")
    tokenizer(folder, 64)
    return AutoTokenizer.from_pretrained(folder)


def encode_pairs(rows: Dataset, tokenizer: Any, limits: Limits, frame: Frame) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Pairs as a model reads them; which sources and which targets were cut."""
    made = Reader(tokenizer, Tongue(), frame, limits).encode(rows["source"][:], rows["target"][:])
    return Dataset.from_dict(made), np.array(made["source_cut"]), np.array(made["target_cut"])


def pairs(*rows: tuple[str, str]) -> Dataset:
    return Dataset.from_dict({"source": [row[0] for row in rows], "target": [row[1] for row in rows]})


def test_a_target_does_not_begin_with_what_the_decoder_begins_with(words):
    made, _, _ = encode_pairs(pairs(("w0 w1", "w2")), words, Limits(9, 9), Frame(start=CLS))
    assert made["input_ids"][0] == [CLS, 5, 6, SEP]
    assert made["labels"][0] == [7, SEP]
    other, _, _ = encode_pairs(pairs(("w0 w1", "w2")), words, Limits(9, 9), Frame(start=SEP))
    assert other["labels"][0] == [CLS, 7, SEP]


@pytest.mark.parametrize("start", [CLS, None])
def test_each_side_is_cut_to_its_own_limit_and_keeps_its_end(words, start):
    rows = pairs(("w0 w1 w2 w3", "w0"), ("w0", "w0 w1 w2 w3 w4"), ("w0 w1", "w0 w1"))
    made, source_cut, target_cut = encode_pairs(rows, words, Limits(5, 4), Frame(start=start))
    assert source_cut.tolist() == [True, False, False]
    assert target_cut.tolist() == [False, True, False]
    assert made["input_ids"][0] == [CLS, 5, 6, 7, SEP]
    assert made["labels"][1] == ([5, 6, 7, SEP] if start == CLS else [CLS, 5, 6, SEP])


@pytest.mark.parametrize(("target", "labels"), [("w0", [5, 9]), ("w0 w1 w2 w3", [5, 6, 7, 9])])
def test_a_target_ends_also_where_the_tokenizer_does_not_see_to_it(tmp_path, target, labels):
    gpt2(tmp_path)
    endless = AutoTokenizer.from_pretrained(tmp_path)
    made, _, cut = encode_pairs(pairs(("w0", target)), endless, Limits(9, 4), Frame(end=9))
    assert made["labels"][0] == labels
    assert cut.tolist() == [target != "w0"]


def test_a_prefix_stands_before_every_source(words):
    made, _, _ = encode_pairs(pairs(("w0", "w1")), words, Limits(9, 9), Frame("w3 ", CLS))
    assert made["input_ids"][0] == [CLS, 8, 5, SEP]


def test_pairs_are_padded_side_by_side_and_the_longer_side_is_the_length(words):
    made, _, _ = encode_pairs(pairs(("w0 w1", "w2"), ("w0", "w1 w2 w3")), words, Limits(9, 9), Frame(start=CLS))
    assert pair_lengths(made).tolist() == [4, 4]
    batch = pad_pairs([made[0], made[1]], words)
    assert batch["input_ids"].tolist() == [[CLS, 5, 6, SEP], [CLS, 5, SEP, PAD]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["labels"].tolist() == [[7, SEP, IGNORED, IGNORED], [6, 7, 8, SEP]]
    assert batch["decoder_attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]


TAKES = {
    "T5, which knows no limit": (T5Config(), 64),
    "BART": (BartConfig(max_position_embeddings=40), 40),
    "LED": (LEDConfig(max_encoder_position_embeddings=50, max_decoder_position_embeddings=20), 50),
    "a pair": (
        EncoderDecoderConfig(
            encoder=RobertaConfig(max_position_embeddings=44, pad_token_id=1).to_dict(),
            decoder=BertConfig(max_position_embeddings=20).to_dict(),
        ),
        42,  # RoBERTa counts positions from behind the padding index
    ),
}


@pytest.mark.parametrize("name", TAKES)
def test_a_source_may_be_as_long_as_the_model_reads(words, name):
    config, most = TAKES[name]
    assert limits(words, config, None, 15) == Limits(most, 15)
    with pytest.raises(RecipeError, match=rf"task.max_source_length is 99, but this model takes {most} tokens at most"):
        limits(words, config, 99, 15)


@pytest.mark.parametrize("name", ["LED", "a pair"])
def test_a_target_may_be_as_long_as_the_decoder_writes(words, name):
    with pytest.raises(RecipeError, match=r"task.max_target_length is 21, but this model takes 20 tokens at most"):
        limits(words, TAKES[name][0], None, 21)


def test_without_any_limit_there_is_still_one(words, tmp_path):
    words.save_pretrained(tmp_path)
    endless = AutoTokenizer.from_pretrained(tmp_path, model_max_length=10**30)
    assert limits(endless, T5Config(), None, 15) == Limits(DEFAULT_SOURCE, 15)
    assert limits(endless, T5Config(), 5000, 15) == Limits(5000, 15)


def test_a_column_may_be_nested_or_have_a_dot_in_its_name():
    rows = Dataset.from_dict({"both": [{"en": "a", "de": "b"}, None], "de.en": ["c", "d"]})
    assert read_column(rows, "train", "task.source", "both.de") == ["b", None]
    assert read_column(rows, "train", "task.source", "de.en") == ["c", "d"]
    with pytest.raises(DataError, match=r"Did you mean 'both.de'\? It has: both.de, both.en"):
        read_column(rows, "train", "task.source", "both.dee")
    with pytest.raises(DataError, match=r"task.target is 'bth', but the train split has no such column.*'both'"):
        read_column(rows, "train", "task.target", "bth")
