"""Documents as windows of token ids, batches of them, and the tags of words from logits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from hfft.data.loaders import Batch
from hfft.data.tokenization import never_empty, pad, room_beside
from hfft.errors import ModelError
from hfft.models.pretrained import Pretrained
from hfft.tasks.task import IGNORED, Answer
from hfft.tasks.token_classification.schemes import inside_of
from hfft.tasks.token_classification.words import Cut, words_of_text


def open_tokenizer(pretrained: Pretrained, words: bool) -> Any:
    """Loads the tokenizer of a model.

    Those of byte pairs (RoBERTa, GPT-2, ModernBERT) have one token for a word behind a space and another for one at the
    start of a text. In a list of words all must be read as behind a space, or a text's words would be unlike any that
    the model has seen.

    Args:
        pretrained: The model.
        words: Whether it is to read lists of words.

    Raises:
        ModelError: It cannot tell which word a token belongs to, or cannot read words as behind a space.
    """
    tokenizer: Any = pretrained.tokenizer()
    if not tokenizer.is_fast:
        raise ModelError(
            f"model '{pretrained.name}' brings a {type(tokenizer).__name__}, which does not tell the word that a token "
            "belongs to. token-classification needs a fast tokenizer (tokenizer.json)."
        )
    if words and not reads_words_as_texts(tokenizer):
        wanted = _behind_a_space(tokenizer)
        tokenizer = pretrained.tokenizer(add_prefix_space=True)  # the saved tokenizer keeps this setting
        _put_spaces_before(tokenizer.backend_tokenizer)
        if _second_of_a_list(tokenizer) != wanted:  # as where a text is split before, and each part gets a space
            raise ModelError(
                f"model '{pretrained.name}' has one token for a word behind a space and another for one at the start "
                "of a text, and its tokenizer cannot read the words of a list as behind a space. Give whole texts "
                "instead, with spans of characters (task.tags)."
            )
    return tokenizer


def for_words(tokenizer: Any, pretrained: Pretrained) -> Any:
    """The tokenizer that reads lists of words as this one, of the same model, reads texts: itself, where it can."""
    return tokenizer if reads_words_as_texts(tokenizer) else open_tokenizer(pretrained, words=True)


PROBE = ("a", "a-1a")  # most tokenizers cut the second one into parts


def reads_words_as_texts(tokenizer: Any) -> bool:
    """Whether a word of a list is read as the same word behind a space in a text."""
    return _second_of_a_list(tokenizer) == _behind_a_space(tokenizer)


def _second_of_a_list(tokenizer: Any) -> list[int]:
    found = tokenizer.backend_tokenizer.encode(list(PROBE), is_pretokenized=True, add_special_tokens=False)
    return [number for number, word in zip(found.ids, found.word_ids, strict=True) if word == 1]


def _behind_a_space(tokenizer: Any) -> list[int]:
    found = tokenizer.backend_tokenizer.encode(" ".join(PROBE), add_special_tokens=False)
    return [number for number, (start, _) in zip(found.ids, found.offsets, strict=True) if start >= len(PROBE[0])]


def _put_spaces_before(backend: Any) -> None:
    """Not all tokenizers of transformers heed `add_prefix_space`, and none tells the part that trims the offsets."""
    described = json.loads(backend.to_str())
    for place in ("pre_tokenizer", "post_processor"):
        for part in _byte_levels(described[place]):
            part["add_prefix_space"] = True
    changed = Tokenizer.from_str(json.dumps(described))
    backend.pre_tokenizer, backend.post_processor = changed.pre_tokenizer, changed.post_processor


def _byte_levels(part: dict[str, Any] | None) -> list[dict[str, Any]]:
    if part is None:
        return []
    inside = part.get("pretokenizers") or part.get("processors") or []
    own = [part] if part["type"] in ("ByteLevel", "RobertaProcessing") else []
    return [*own, *(found for inner in inside for found in _byte_levels(inner))]


def cut_of(tokenizer: Any, max_length: int, overlap: int | None) -> Cut:
    """How documents are cut into windows. Raises RecipeError where the overlap leaves no room for more."""
    shared = (max_length - tokenizer.num_special_tokens_to_add()) // 8 if overlap is None else overlap
    return Cut(room_beside(tokenizer, max_length, shared, "task.overlap"), shared)


def encode_documents(documents: Sequence[Any], whole: bool, tokenizer: Any, cut: Cut) -> dict[str, list[Any]]:
    """Tokenizes documents and cuts them into windows.

    Args:
        documents: Lists of words, or whole texts.
        whole: Which of the two.
        tokenizer: Its special tokens stand around each window.
        cut: Into windows.

    Returns:
        The tokenizer's columns without the attention mask, each a list of windows; `word_of_piece`, for each token the
        number of the word it belongs to, -1 for special tokens and those that belong to another window; `places`, for
        whole texts the first character of each word and the one behind its last, else None; `word_count`; and
        `learnable`, whether a word has a token.
    """
    names = [name for name in tokenizer.model_input_names if name != "attention_mask"]
    numbers: Callable[[Any, Any, Any], Any] = words_of_text if whole else _words_of_list
    read = tokenizer(
        documents, is_split_into_words=not whole, return_attention_mask=False, verbose=False, truncation=False
    )
    read_columns = never_empty({name: read[name] for name in names}, tokenizer)
    made = (*names, "word_of_piece", "places", "word_count", "learnable")
    columns: dict[str, list[Any]] = {name: [] for name in made}
    for row, (document, encoding) in enumerate(zip(documents, read.encodings, strict=True)):
        inside = [place for place, owner in enumerate(encoding.sequence_ids) if owner is not None]
        first, end = (inside[0], inside[-1] + 1) if inside else (len(encoding.ids), len(encoding.ids))
        behind = len(read_columns["input_ids"][row]) - end
        places, words = numbers(document, encoding.word_ids[first:end], encoding.offsets[first:end])
        windows = cut.windows(end - first)
        for name in names:
            values = read_columns[name][row]
            columns[name].append([[*values[:first], *values[first:end][part], *values[end:]] for part, _ in windows])
        framed = [_framed(words, part, mine, first, behind) for part, mine in windows]
        columns["word_of_piece"].append(framed)
        columns["places"].append(places)
        columns["word_count"].append(len(document if places is None else places))
        columns["learnable"].append(any(word >= 0 for window in framed for word in window))
    return columns


def _words_of_list(words: list[str], word_ids: Any, offsets: Any) -> tuple[None, list[int]]:
    return None, list(word_ids)


def _framed(words: list[int], part: slice, mine: slice, before: int, behind: int) -> list[int]:
    inside = [word if mine.start <= at < mine.stop else -1 for at, word in enumerate(words[part], part.start)]
    return [-1] * before + inside + [-1] * behind


def first_pieces(windows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Leaves the numbers of words, as `word_of_piece` has them, at the first token of each word only."""
    seen, found = {-1}, []
    for window in windows:
        found.append([-1 if word in seen or seen.add(word) else word for word in window])
    return found


def inside_tags(labels: Sequence[str]) -> list[int]:
    """For each tag the one of a word's further pieces: `I-` for `B-`, where there is one, else itself."""
    numbers = {label: number for number, label in enumerate(labels)}
    return [numbers.get(inside_of(label), number) for number, label in enumerate(labels)]


def pad_documents(rows: Sequence[dict[str, Any]], tokenizer: Any, inside: Sequence[int] | None) -> Batch:
    """Pads the windows of documents to the longest.

    Args:
        rows: With the columns of `encode_documents`, and `tags`: the number of each word's tag, or IGNORED.
        tokenizer: Pads.
        inside: The tags of further pieces, of `inside_tags`; None where these are not learnt.

    Returns:
        What the model reads, and `windows` of `(rows,)`, as `hfft.data.tokenization.pad`; `labels` of `(windows of all
        rows, length)`, IGNORED where there is nothing to be learnt; and `first` of the same shape: at the first token
        of each word its number, else -1.
    """
    batch = pad(rows, tokenizer)
    labels = torch.full(batch["input_ids"].shape, IGNORED)
    first = torch.full(batch["input_ids"].shape, -1)
    window = 0
    for row in rows:
        tags = np.array([*row["tags"], IGNORED])  # the last: of no word
        further = np.full_like(tags, IGNORED)
        if inside is not None:
            further[:-1] = [inside[tag] if tag >= 0 else tag for tag in row["tags"]]
        for words, starts in zip(row["word_of_piece"], first_pieces(row["word_of_piece"]), strict=True):
            real = slice(-len(words), None) if tokenizer.padding_side == "left" else slice(len(words))
            learnt = np.where(np.array(starts) >= 0, tags[words], further[words])
            labels[window, real] = torch.from_numpy(learnt)
            first[window, real] = torch.tensor(starts)
            window += 1
    return {**batch, "labels": labels, "first": first}


def shown(batch: Batch, tokenizer: Any, labels: Sequence[str]) -> list[str]:
    """Shows documents as the model reads them, a line each: tokens, with the tag behind those where one is learnt."""
    lines, window = [], 0
    for count in batch["windows"].tolist():
        texts = []
        for place in range(window, window + count):
            real = batch["attention_mask"][place].bool() if "attention_mask" in batch else slice(None)
            tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][place][real].tolist())
            tags = batch["labels"][place][real].tolist()
            pairs = zip(tokens, tags, strict=True)
            texts.append(" ".join(token if tag == IGNORED else f"{token}/{labels[tag]}" for token, tag in pairs))
        lines.append(" | ".join(texts))
        window += count
    return lines


def answers_of(logits: Tensor, batch: Batch) -> list[Answer]:
    """The most probable tag of each word, and its probability, by the word's first token.

    Args:
        logits: `(windows of all rows, length, tags)`.
        batch: Of `pad_documents`; with `word_count`, how many words each row has.

    Returns:
        For each row `tags` (-1 for words without a token) and `scores`.
    """
    at = batch["first"] >= 0
    best = logits[at].softmax(-1).max(-1)
    rows = torch.arange(len(batch["windows"]), device=at.device).repeat_interleave(batch["windows"])
    found = zip(
        rows[:, None].expand_as(at)[at].tolist(),
        batch["first"][at].tolist(),
        best.indices.tolist(),
        best.values.tolist(),
        strict=True,
    )
    answers: list[Answer] = [{"tags": [-1] * count, "scores": [0.0] * count} for count in batch["word_count"].tolist()]
    for row, word, tag, score in found:
        answers[row]["tags"][word], answers[row]["scores"][word] = tag, score
    return answers
