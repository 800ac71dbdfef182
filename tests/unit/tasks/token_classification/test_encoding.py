"""Tokenizers of every kind: lists of words are read as texts are, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hfft.errors import ModelError
from hfft.tasks.token_classification.encoding import open_tokenizer

LETTERS = r" ?[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"  # how Llama 3 and Qwen 2 split texts


class Holding:
    """A model that brings a tokenizer."""

    name = "tiny"

    def __init__(self, backend: Tokenizer):
        self.backend = backend.to_str()

    def tokenizer(self, **settings: Any) -> PreTrainedTokenizerFast:
        backend = Tokenizer.from_str(self.backend)
        return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", **settings)


def _bytes(pre_tokenizer: Any) -> Tokenizer:
    tokens = ["<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġa", "ĠN"]
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, [("Ġ", "a"), ("Ġ", "N")]))
    made.pre_tokenizer, made.decoder = pre_tokenizer, decoders.ByteLevel()
    return made


def _marked(**parts: Any) -> Tokenizer:
    tokens = ["<pad>", "▁", *"-1NYaekorw", "▁a", "▁N"]
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, [("▁", "a"), ("▁", "N")]))
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def _split_first(*first: Any) -> Any:
    return pre_tokenizers.Sequence([*first, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not first)])


READABLE = {
    "gpt2": _bytes(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "one part": _bytes(_split_first()),
    "metaspace": _marked(pre_tokenizer=pre_tokenizers.Metaspace()),
    "llama2": _marked(normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])),
}
UNREADABLE = {
    "llama3": _bytes(_split_first(pre_tokenizers.Split(Regex(LETTERS), "isolated"))),
    "digits": _bytes(_split_first(pre_tokenizers.Digits(individual_digits=True))),
    "gemma": _marked(normalizer=normalizers.Replace(" ", "▁")),
    "no prefix": _marked(pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="never")),
}


@pytest.mark.parametrize("name", READABLE)
def test_a_word_of_a_list_is_read_as_behind_a_space(name):
    made = open_tokenizer(Holding(READABLE[name]), words=True)  # type: ignore[arg-type]
    words = ["New", "York", "a-1", "New-Yorker"]
    found = made(words, is_split_into_words=True, add_special_tokens=False)["input_ids"]
    text = made("a " + " ".join(words), add_special_tokens=False)["input_ids"]
    assert found == text[len(made("a", add_special_tokens=False)["input_ids"]) :]


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_tokenizer_that_cannot_is_refused_for_words_and_read_for_texts(name):
    open_tokenizer(Holding(UNREADABLE[name]), words=False)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"cannot read the words of a list as behind a space. Give whole texts"):
        open_tokenizer(Holding(UNREADABLE[name]), words=True)  # type: ignore[arg-type]
