"""Documents as windows of token ids, with the word that each token belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer

from hfft.backbone import Pretrained
from hfft.data.loaders import Batch
from hfft.data.tags import Cut, split_tag, words_of_text
from hfft.data.text import encode_rows, pad
from hfft.errors import ModelError, RecipeError

IGNORED = -100  # stands where a token has no tag to be learnt


def open_tokenizer(backbone: Pretrained, words: bool) -> Any:
    """Loads the tokenizer of a model.

    Those of byte pairs (RoBERTa, GPT-2, ModernBERT) have one token for a word behind a space and another for one at the
    start of a text. In a list of words all must be read as behind a space, or a text's words would be unlike any that
    the model has seen.

    Args:
        backbone: The model.
        words: Whether it is to read lists of words.

    Raises:
        ModelError: It cannot tell which word a token belongs to.
    """
    tokenizer: Any = backbone.tokenizer()
    if not tokenizer.is_fast:
        raise ModelError(
            f"model '{backbone.name}' brings a {type(tokenizer).__name__}, which does not tell the word that a token "
            "belongs to. token-classification needs a fast tokenizer (tokenizer.json)."
        )
    if words and _reads_starts_apart(tokenizer):
        tokenizer = backbone.tokenizer(add_prefix_space=True)  # the saved tokenizer keeps this setting
        _put_spaces_before(tokenizer.backend_tokenizer)
    if tokenizer.pad_token_id is None:  # GPT-like models were not made for batches of unlike lengths
        tokenizer.pad_token = tokenizer.eos_token
        tokenizer.padding_side = "right"
    return tokenizer


def for_words(tokenizer: Any, backbone: Pretrained) -> Any:
    """The tokenizer that reads lists of words as this one, of the same model, reads texts: itself, where it can."""
    return open_tokenizer(backbone, words=True) if _reads_starts_apart(tokenizer) else tokenizer


def _reads_starts_apart(tokenizer: Any) -> bool:
    described = json.loads(tokenizer.backend_tokenizer.to_str())["pre_tokenizer"]
    return any(not part["add_prefix_space"] for part in _byte_levels(described))


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
    room = max_length - tokenizer.num_special_tokens_to_add()
    shared = room // 8 if overlap is None else overlap
    if shared >= room:
        raise RecipeError(
            f"task.overlap is {shared}, but a window has room for {room} tokens beside the special ones "
            f"(task.max_length is {max_length}): it must be smaller."
        )
    return Cut(room, shared)


def encode_documents(documents: Sequence[Any], whole: bool, tokenizer: Any, cut: Cut, keep: bool) -> Dataset:
    """Tokenizes documents and cuts them into windows.

    Args:
        documents: Lists of words, or whole texts.
        whole: Which of the two.
        tokenizer: Its special tokens stand around each window.
        cut: Into windows.
        keep: Keep the result on disk, for the next time.

    Returns:
        The tokenizer's columns without the attention mask, each a list of windows; beside them `word`, for each token
        the number of the word it belongs to, -1 for special tokens and those that belong to another window; and
        `places`, for whole texts the first character of each word and the one behind its last.
    """
    names = [name for name in tokenizer.model_input_names if name != "attention_mask"]
    numbers: Callable[[Any, Any, Any], Any] = words_of_text if whole else _words_of_list

    def encode(batch: dict[str, list[Any]]) -> dict[str, Any]:
        read = tokenizer(
            batch["document"],
            is_split_into_words=not whole,
            return_attention_mask=False,
            verbose=False,
            truncation=False,
        )
        columns: dict[str, list[Any]] = {name: [] for name in [*names, "word", "places"]}
        for row, (document, encoding) in enumerate(zip(batch["document"], read.encodings, strict=True)):
            inside = [place for place, owner in enumerate(encoding.sequence_ids) if owner is not None]
            first, end = (inside[0], inside[-1] + 1) if inside else (len(encoding.ids), len(encoding.ids))
            places, words = numbers(document, encoding.word_ids[first:end], encoding.offsets[first:end])
            windows = cut.windows(end - first)
            for name in names:
                values = read[name][row]
                columns[name].append(
                    [[*values[:first], *values[first:end][part], *values[end:]] for part, _ in windows]
                )
            columns["word"].append(
                [_framed(words, part, mine, first, len(encoding.ids) - end) for part, mine in windows]
            )
            columns["places"].append(places)
        return _never_empty(columns, tokenizer)

    rows = Dataset.from_dict({"document": list(documents)})
    return encode_rows(rows, encode, ["document"], tokenizer, ["tags", whole, cut.room, cut.overlap] if keep else None)


def _words_of_list(words: list[str], word_ids: Any, offsets: Any) -> tuple[list[Any], list[int]]:
    return [], list(word_ids)


def _framed(words: list[int], part: slice, mine: slice, before: int, behind: int) -> list[int]:
    inside = [word if mine.start <= at < mine.stop else -1 for at, word in enumerate(words[part], part.start)]
    return [-1] * before + inside + [-1] * behind


def _never_empty(columns: dict[str, list[Any]], tokenizer: Any) -> dict[str, list[Any]]:
    """Gives windows without any token (of empty documents, without special tokens) a padding token to be read."""
    for row, windows in enumerate(columns["input_ids"]):
        if windows == [[]]:
            for name in columns.keys() - {"places"}:
                columns[name][row] = [[{"input_ids": tokenizer.pad_token_id, "word": -1}.get(name, 0)]]
    return columns


def first_pieces(windows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Leaves the numbers of words, as `word` has them, at the first token of each word only."""
    seen, found = {-1}, []
    for window in windows:
        found.append([-1 if word in seen or seen.add(word) else word for word in window])
    return found


def inside_tags(labels: Sequence[str]) -> list[int]:
    """For each tag the one of a word's further pieces: `I-` for `B-`, else itself."""
    numbers = {label: number for number, label in enumerate(labels)}
    return [
        numbers.get(f"I-{split_tag(label)[1]}", number) if label.startswith("B-") else number
        for number, label in enumerate(labels)
    ]


def pad_documents(rows: Sequence[dict[str, Any]], tokenizer: Any, inside: Sequence[int] | None) -> Batch:
    """Pads the windows of documents to the longest.

    Args:
        rows: With the columns of `encode_documents`, and `tags`: the number of each word's tag, or IGNORED.
        tokenizer: Pads.
        inside: The tags of further pieces, of `inside_tags`; None where these are not learnt.

    Returns:
        What the model reads, and `windows` of `(rows,)`, as `hfft.data.text.pad`; `labels` of `(windows of all rows,
        length)`, IGNORED where there is nothing to be learnt; and `first` of the same shape: at the first token of each
        word its number, else -1.
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
        for words, starts in zip(row["word"], first_pieces(row["word"]), strict=True):
            real = batch["attention_mask"][window].bool()
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
            real = batch["attention_mask"][place].bool()
            tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][place][real].tolist())
            tags = batch["labels"][place][real].tolist()
            pairs = zip(tokens, tags, strict=True)
            texts.append(" ".join(token if tag == IGNORED else f"{token}/{labels[tag]}" for token, tag in pairs))
        lines.append(" | ".join(texts))
        window += count
    return lines
