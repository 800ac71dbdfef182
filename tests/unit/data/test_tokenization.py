"""Texts: tokenized as the tokenizer does it, once; padded batch by batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoTokenizer,
    BartForSequenceClassification,
    BertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

import hfft
from hfft.data.tokenization import SpecialTokens, cache_folder, encode_rows, longest_input, pad, token_counts, tokenized
from hfft.errors import RecipeError
from tests import tiny

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c"]
TEXTS = ["a b", "", "c c c c c", "a B zzz", "a b c a"]
INPUTS = ["input_ids", "token_type_ids", "attention_mask"]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path))


def tokenizer(words: list[str] = WORDS, lower: bool = False, **settings: Any) -> PreTrainedTokenizerFast:
    """Whole words between [CLS] and [SEP]."""
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))  # type: ignore[assignment]
    if lower:
        made.normalizer = normalizers.Lowercase()  # type: ignore[assignment]
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **{"model_input_names": INPUTS, **special, **settings})


def data(texts=tuple(TEXTS), **columns):
    return Dataset.from_dict({"text": list(texts), **columns})


def tokenize(rows: Dataset, tokenizer: PreTrainedTokenizerFast, max_length: int) -> tuple[Dataset, np.ndarray]:
    """Texts as tasks tokenize them, and which of them were cut."""

    def encode(batch: dict[str, list[str]]) -> dict[str, Any]:
        columns, long = tokenized(tokenizer, max_length, text=batch["text"])
        return {**columns, "cut": long}

    encoded = encode_rows(rows, encode, ["text"], tokenizer, [max_length])
    return encoded.remove_columns("cut"), np.array(encoded["cut"][:])


def cached() -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in (cache_folder() / "tokens").iterdir()}


def test_texts_become_what_the_tokenizer_makes_of_them_and_other_columns_stay():
    encoded, cut = tokenize(data(row=[7, 8, 9, 10, 11]), tokenizer(), 5)
    assert encoded.to_dict() == {
        "row": [7, 8, 9, 10, 11],
        "input_ids": [[2, 4, 5, 3], [2, 3], [2, 6, 6, 6, 3], [2, 4, 1, 1, 3], [2, 4, 5, 6, 3]],
        "token_type_ids": [[0] * 4, [0] * 2, [0] * 5, [0] * 5, [0] * 5],
    }
    assert cut.tolist() == [False, False, True, False, True]
    assert token_counts(encoded).tolist() == [4, 2, 5, 5, 5]


@pytest.mark.parametrize(("side", "kept"), [("right", [4, 5]), ("left", [6, 4])])
def test_a_text_is_cut_on_the_side_of_the_tokenizer(side, kept):
    encoded, _ = tokenize(data(["a b c a"]), tokenizer(truncation_side=side), 4)
    assert encoded["input_ids"][0] == [2, *kept, 3]


@pytest.mark.parametrize(("length", "cut"), [(6, False), (5, True)])
def test_a_text_is_cut_where_it_is_longer_than_the_limit(length, cut):
    encoded, flags = tokenize(data(["a b c a"]), tokenizer(), length)
    assert (flags.tolist(), token_counts(encoded).tolist()) == ([cut], [length])


def test_texts_are_tokenized_once():
    first, first_cut = tokenize(data(), tokenizer(), 5)
    before = cached()
    second, second_cut = tokenize(data(), tokenizer(), 5)
    assert cached() == before
    assert len(before) == 1
    assert second.to_dict() == first.to_dict()
    assert np.array_equal(first_cut, second_cut)


def test_kept_tokens_that_are_damaged_are_made_anew():
    first, _ = tokenize(data(), tokenizer(), 5)
    (file,) = (cache_folder() / "tokens").iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[:100], whole[: len(whole) // 2], whole[:-30], b"\0" * len(whole)):
        file.unlink()
        file.write_bytes(damaged)
        assert tokenize(data(), tokenizer(), 5)[0].to_dict() == first.to_dict()


def test_calls_of_a_tokenizer_leave_no_trace_in_the_cache():
    made = tokenizer()
    tokenize(data(), made, 5)
    before = cached()
    made(["a b c"], truncation=True, max_length=3, padding="max_length")
    tokenize(data(), made, 5)
    assert cached() == before


@pytest.mark.parametrize(
    "other",
    [
        lambda: (data(), tokenizer(), 6),
        lambda: (data(TEXTS[::-1]), tokenizer(), 5),
        lambda: (data(row=[7, 8, 9, 10, 11]), tokenizer(), 5),
        lambda: (data(), tokenizer([*WORDS[:4], "b", "a", "c"]), 5),
        lambda: (data(), tokenizer(lower=True), 5),
        lambda: (data(), tokenizer(truncation_side="left"), 5),
        lambda: (data(), tokenizer(model_input_names=["input_ids"]), 5),
    ],
)
def test_what_changes_the_tokens_is_never_taken_from_the_cache(other, tmp_path, monkeypatch):
    rows, made, length = other()
    with monkeypatch.context() as patch:
        patch.setenv("HFFT_CACHE", str(tmp_path / "another"))
        fresh, fresh_cut = tokenize(rows, made, length)
    tokenize(data(), tokenizer(), 5)
    found, found_cut = tokenize(rows, made, length)
    assert found.to_dict() == fresh.to_dict()
    assert np.array_equal(found_cut, fresh_cut)


@pytest.mark.parametrize(
    ("settings", "folder"),
    [
        ({"HFFT_CACHE": "/own", "XDG_CACHE_HOME": "/users"}, "/own"),
        ({"XDG_CACHE_HOME": "/users"}, "/users/hfft"),
        ({"HOME": "/home/anna"}, "/home/anna/.cache/hfft"),
    ],
)
def test_the_cache_is_where_the_environment_says(monkeypatch, settings, folder):
    for name in ("HFFT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


def test_token_counts_follow_rows_that_were_chosen_or_joined():
    encoded, _ = tokenize(data(), tokenizer(), 9)
    assert token_counts(encoded).tolist() == [4, 2, 7, 5, 6]
    assert token_counts(encoded.select([4, 0])).tolist() == [6, 4]
    assert token_counts(encoded.select(range(1, 3))).tolist() == [2, 7]


def test_rows_are_padded_to_the_longest_of_them():
    made = tokenizer()
    encoded, _ = tokenize(data(row=[7, 8, 9, 10, 11]), made, 5)
    batch = pad([encoded[0], encoded[1]], made)
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[2, 4, 5, 3], [2, 3, 0, 0]],
        "token_type_ids": [[0] * 4] * 2,
        "attention_mask": [[1, 1, 1, 1], [1, 1, 0, 0]],
    }


@pytest.mark.parametrize(
    ("positions", "tokenizer_says", "wanted", "longest"),
    [
        (16, 64, None, 16),
        (64, 16, None, 16),
        (16, 64, 8, 8),
        (16, 64, 16, 16),
        (-1, 64, None, 64),
        (16, None, None, 16),
    ],
)
def test_a_text_is_as_long_as_recipe_model_and_tokenizer_allow(positions, tokenizer_says, wanted, longest):
    settings = {} if tokenizer_says is None else {"model_max_length": tokenizer_says}
    assert longest_input(tokenizer(**settings), BertConfig(max_position_embeddings=positions), wanted) == longest


def test_more_tokens_than_the_model_takes_are_refused():
    with pytest.raises(RecipeError, match=r"task.max_length is 32, but this model takes 16 tokens at most"):
        longest_input(tokenizer(), BertConfig(max_position_embeddings=16), 32)


@pytest.mark.parametrize("padding", [1, 3])
def test_a_model_that_counts_positions_from_behind_the_padding_can_read_the_longest_text(padding):
    sizes: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = RobertaConfig(vocab_size=8, max_position_embeddings=16, pad_token_id=padding, **sizes)
    length = longest_input(tokenizer(), config, None)  # this tokenizer names no limit of its own
    RobertaModel(config)(torch.full((1, length), 4))


def test_special_tokens_in_texts_are_counted_and_left_out_where_the_model_has_them_for_itself(tmp_path):
    """BART's head refuses a batch whose texts have unlike numbers of end tokens."""
    tiny.bart(tmp_path / "bart")
    settings: Any = {"id2label": {0: "no", 1: "yes"}, "label2id": {"no": 0, "yes": 1}}
    model = BartForSequenceClassification.from_pretrained(tmp_path / "bart", **settings)
    model.save_pretrained(tmp_path / "bart")
    plain, marked = hfft.predict(tmp_path / "bart", ["fine film", "fine </s> film"])
    assert marked["probabilities"] == pytest.approx(plain["probabilities"])
    special = SpecialTokens(AutoTokenizer.from_pretrained(tmp_path / "bart"))
    (finding,) = special.findings("train", ["fine", "a</s>", None, "<pad>\nb <pad>"], "have {tokens} {in} it")
    assert str(finding).endswith("have special tokens of the tokenizer (</s>, <pad>) {in} it: rows 1, 3")
    assert [special.without(text) for text in (" fine  ", "a </s> b", "a\n<pad>")] == [" fine  ", "a b", "a"]
