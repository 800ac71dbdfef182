"""A text written from a text: summaries and translations, by an encoder-decoder model, scored by what it generates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from datasets import Dataset
from pydantic import BaseModel
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, PreTrainedModel

from hfft.data import checks
from hfft.data.loaders import Batch, Examples
from hfft.errors import DataError, RecipeError
from hfft.metrics.bleu import bleu_scorer
from hfft.metrics.generation import LOWER_IS_BETTER, generation_scores, generation_weighted, signatures
from hfft.metrics.weighing import Scores, Weighted
from hfft.models.pretrained import Pretrained, require_decoder
from hfft.tasks.seq2seq import generation
from hfft.tasks.seq2seq import postprocess as wording
from hfft.tasks.seq2seq.options import SummarizationOptions, TranslationOptions, WritingOptions
from hfft.tasks.seq2seq.pairs import IGNORED, Pairs, pad_pairs, pair_findings, read_sources
from hfft.tasks.seq2seq.reader import Reader, open_reader
from hfft.tasks.task import NOT_FINITE, Answer, Notes, Plain, Prepared, ScoringDefaults


class Seq2Seq(Plain):
    """An encoder-decoder model that writes (see `hfft.tasks.task.Task` for what each method promises)."""

    name: ClassVar[str]
    Options: ClassVar[type[BaseModel]]
    lower_is_better: ClassVar[frozenset[str]] = LOWER_IS_BETTER
    unranked: ClassVar[frozenset[str]] = frozenset({"length_ratio"})
    scoring: ClassVar[ScoringDefaults] = ScoringDefaults(while_training=500, batch_tokens=8192)
    usage = ""  # known when the model is

    def __init__(self, options: WritingOptions):
        if options.bleu_tokenize is not None and "bleu" in options.metrics:
            bleu_scorer(options.bleu_tokenize)  # a wrong one is refused before anything is downloaded
        elif options.bleu_tokenize is not None:
            raise RecipeError("task.bleu_tokenize has no effect: 'bleu' is not among task.metrics.")
        self.options = options
        self.settled: dict[str, Any] = {}
        self.reader: Reader
        self.search: GenerationConfig
        self.most: int | None = None  # tokens of an answer; None for as many as a finished model's own settings say

    @property
    def processor(self) -> Any:
        return self.reader.tokenizer

    @property
    def inputs(self) -> list[str]:
        return [self.options.source]

    def prepare(self, splits: Mapping[str, Dataset], pretrained: Pretrained) -> Prepared:
        checks.require_rows(splits)
        self._open(pretrained)
        self.most = self.reader.limits.target
        least = self.options.generation.min_new_tokens or 0
        if least >= self.most:
            raise RecipeError(
                f"task.generation.min_new_tokens is {least}, but an answer may have {self.most} tokens at most "
                "(task.max_target_length): give less."
            )
        if self.options.references is not None and set(splits) == {"train"}:
            raise RecipeError("task.references has no effect: there is neither an eval nor a test split.")
        read = {split: self.reader.read(rows, split) for split, rows in splits.items()}
        prepared = Prepared({}, pair_findings(read))
        for split, pairs in read.items():
            if split != "train":
                prepared.findings.extend(wording.unread_findings(split, pairs.targets, self.options))
            self.reader.put_answered(split, pairs, prepared)
        return prepared

    def reopen(self, pretrained: Pretrained) -> None:
        self._open(pretrained)
        self.most = self.options.max_target_length

    def questions(self, rows: Dataset, answered: bool) -> Prepared:
        if not len(rows):
            raise DataError("There are no rows to answer.")
        prepared = Prepared({}, [])
        if answered:
            pairs = self.reader.read(rows, "data")
            prepared.findings.extend(wording.unread_findings("data", pairs.targets, self.options))
            self.reader.put_answered("data", pairs, prepared, keep=False)
        else:
            nothing: list[Any] = [None] * len(rows)
            pairs = Pairs(read_sources(rows, "data", self.reader.columns), nothing, nothing)
            self.reader.put("data", pairs, np.arange(len(rows)), prepared, keep=False)
        return prepared

    def check_stream(self, first: Dataset) -> list[checks.Finding]:
        return []

    def answered(self, rows: Dataset) -> list[bool]:
        return [target is not None for target in self.reader.read(rows, "train").targets]

    def encode(self, rows: Dataset) -> Examples:
        return self.reader.encode("train", self.reader.read(rows, "train"), np.arange(len(rows)), keep=False)[0]

    def _open(self, pretrained: Pretrained) -> None:
        require_decoder(pretrained)
        self.reader = open_reader(self.name, self.options, pretrained)
        self.usage = wording.usage(self.reader.tongue.prefix, generation.looks_from_the_first(pretrained.config))

    def model(self, pretrained: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        start = {} if self.reader.frame.start is None else {"decoder_start_token_id": self.reader.frame.start}
        model, new = pretrained.load(AutoModelForSeq2SeqLM, **start)
        first = {**start, **self.reader.tongue.first}
        self.search = generation.complete(model.generation_config, self.options.generation, self.most, first)
        model.generation_config = self.search
        generation.require_start(model, pretrained.name)
        return model, new

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        return pad_pairs(rows, self.processor)

    def loss(self, model: Any, batch: Batch) -> Tensor:
        labels = batch["labels"]
        shifted = generation.decoder_inputs(model, labels)
        logits = model(**generation.model_inputs(model, batch), decoder_input_ids=shifted, use_cache=False).logits
        flat, smoothing = logits.flatten(0, 1).float(), self.options.label_smoothing
        return cross_entropy(flat, labels.flatten(), ignore_index=IGNORED, label_smoothing=smoothing)

    def weight(self, batch: Batch) -> float:
        return float((batch["labels"] != IGNORED).sum())

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        found = generation.generate(model, batch, self.search, seed=int(batch["input_ids"].sum()))
        return [{"answer": None, "error": NOT_FINITE} if tokens is None else {"tokens": tokens} for tokens in found]

    def postprocess(self, answers: Sequence[Answer], examples: Examples) -> list[Answer]:
        return wording.in_words(answers, examples.inputs, self.processor, self.search)

    def show(self, batch: Batch) -> list[str]:
        labels = batch["labels"].masked_fill(batch["labels"] == IGNORED, self.processor.pad_token_id)
        sources, targets = (self.processor.batch_decode(ids) for ids in (batch["input_ids"], labels))
        return [f"{source} => {target}" for source, target in zip(sources, targets, strict=True)]

    def score(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Scores:
        return generation_scores(_texts(answers), truths, self.options.metrics, self.options.bleu_tokenize)

    def weighted(self, answers: Sequence[Answer], truths: Sequence[Any]) -> Weighted:
        return generation_weighted(_texts(answers), truths, self.options.metrics, self.options.bleu_tokenize)

    def notes(self, split: str, answers: Sequence[Answer], truths: Sequence[Any]) -> Notes:
        signed = signatures(_texts(answers), truths, self.options.metrics, self.options.bleu_tokenize)
        return wording.notes(split, answers, truths, {"signatures": signed, "generation": self.search.to_diff_dict()})

    def answer_bytes(self, model: Any, rows: int, length: int) -> int:
        return generation.search_bytes(model.config, self.search, rows, length)


def _texts(answers: Sequence[Answer]) -> list[str]:
    return [answer["answer"] for answer in answers]


class Summarization(Seq2Seq):
    """Summaries, scored by ROUGE."""

    name = "summarization"
    Options = SummarizationOptions


class Translation(Seq2Seq):
    """Translations, scored by BLEU, chrF and TER."""

    name = "translation"
    Options = TranslationOptions
