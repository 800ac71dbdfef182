"""Tiny tokenizers: of whole words, or that put them together."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast, RobertaTokenizer

from tests.tiny.words import GERMAN, all_words

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tokenizer(folder: Path, positions: int) -> None:
    """Writes a tokenizer of whole words with BERT's special tokens."""
    words = whole_words()
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=positions,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)


def whole_words() -> list[str]:
    return [*SPECIAL, *all_words()]


def fairseq() -> list[tuple[str, float]]:
    return [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]


def _seq2seq_words() -> list[str]:
    prompt = ["summarize:", "translate", "English", "to", "German:"]
    return [*all_words(), *GERMAN, *GERMAN.values(), *prompt]


def unigrams(words: Iterable[str] | None = None, mark: str = "▁") -> list[tuple[str, float]]:
    """The vocabulary of a unigram tokenizer of whole words."""
    return [(f"{mark}{word}", -1.0) for word in words or ["", *_seq2seq_words()]]


def byte_pair_merges(marks: list[str]) -> tuple[list[str], Any]:
    """The vocabulary and merges of a byte pair tokenizer that puts words together from the left, behind any mark."""
    marked = [mark + word for mark in marks for word in _seq2seq_words()]
    starts = list(dict.fromkeys(word[:end] for word in marked for end in range(2, len(word) + 1)))
    return sorted({letter for word in marked for letter in word}) + starts, [(w[:-1], w[-1]) for w in starts]


def byte_pairs(positions: int) -> PreTrainedTokenizerBase:
    """The tokenizer of BART and LED; a word behind a space is another than one at the start of a text."""
    vocabulary, merges = byte_pair_merges(["Ġ", ""])
    tokens = [*(name for name, _ in fairseq()), *vocabulary, "<mask>"]
    numbered = {token: number for number, token in enumerate(tokens)}
    return RobertaTokenizer(numbered, merges, model_max_length=positions)


def sentencepiece_words(file: Path) -> list[str]:
    """Writes a SentencePiece model of whole words, and gives its pieces."""
    import sentencepiece

    words, made = _seq2seq_words(), BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words),
        model_writer=made,
        model_type="word",
        vocab_size=len(words) + 3,
        minloglevel=2,
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(made.getvalue())
    return [f"▁{word}" for word in words]
