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
from hfft.data.labels import NEW_ROWS
from hfft.data.loaders import Batch, Examples
from hfft.errors import RecipeError
from hfft.metrics.bleu import bleu_scorer
from hfft.metrics.generation import generation_weighted, signatures
from hfft.metrics.weighing import Weighted
from hfft.models.pretrained import Pretrained, require_decoder
from hfft.tasks.seq2seq import generation, postprocess
from hfft.tasks.seq2seq.options import SummarizationOptions, TranslationOptions, WritingOptions
from hfft.tasks.seq2seq.pairs import Columns, pad_pairs, pair_findings, pair_lengths, read_sources, read_targets
from hfft.tasks.seq2seq.reader import Reader, open_reader
from hfft.tasks.task import IGNORED, NOT_FINITE, Answer, Notes, Purpose, ScoringDefaults, Task

CUT_SHARE = {"source": 0.01, "target": 0.0}  # more cut ones are worth a warning; a cut target teaches to end too early


class Seq2Seq(Task):
    """An encoder-decoder model that writes (see `hfft.tasks.task.Task` for what each method promises)."""

    name: ClassVar[str]
    Options: ClassVar[type[BaseModel]]
    auto_class = AutoModelForSeq2SeqLM
    output = "text"
    unranked: ClassVar[frozenset[str]] = frozenset({"length_ratio"})
    scoring: ClassVar[ScoringDefaults] = ScoringDefaults(while_training=500, batch_tokens=8192)
    reads_labels = True
    label_option = "target"
    reader: Reader
    search: GenerationConfig

    def __init__(self, options: WritingOptions):
        if options.bleu_tokenize is not None and "bleu" in options.metrics:
            bleu_scorer(options.bleu_tokenize)  # a wrong one is refused before anything is downloaded
        elif options.bleu_tokenize is not None:
            raise RecipeError("task.bleu_tokenize has no effect: 'bleu' is not among task.metrics.")
        super().__init__(options)
        self.inputs = [options.source]
        self.columns = Columns(options.source, options.target, options.references)
        self.most = options.max_target_length  # tokens of an answer; None for what a finished model's settings say

    def setup(self, pretrained: Pretrained) -> None:
        require_decoder(pretrained)
        self.reader = open_reader(self.name, self.options, pretrained)
        self.processor, self.max_length = self.reader.tokenizer, self.reader.limits.source
        self.usage = postprocess.usage(self.reader.tongue.prefix, generation.looks_from_the_first(pretrained.config))

    def read(self, rows: Dataset, split: str) -> Dataset:
        return Dataset.from_dict({"source": read_sources(rows, split, self.columns)})

    def labels(self, rows: Dataset, split: str) -> list[Any]:
        return read_targets(rows, split, self.columns, self.reader.special.without)

    def fit(self, rows: Dataset, labels: Sequence[Any], learnt: Sequence[bool], pretrained: Pretrained) -> None:
        self.most, least = self.reader.limits.target, self.options.generation.min_new_tokens or 0
        if least >= self.most:
            raise RecipeError(
                f"task.generation.min_new_tokens is {least}, but an answer may have {self.most} tokens at most "
                "(task.max_target_length): give less."
            )

    def encode_labels(self, labels: Sequence[Any], split: str) -> Sequence[Any] | None:
        texts = [None if label is None else label.text for label in labels]
        return texts if any(text is not None for text in texts) else None

    def shown_labels(self, labels: Sequence[Any], rows: Dataset) -> Sequence[Any]:
        return [None if label is None else label.right for label in labels]

    def preprocess(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return self.reader.encode(batch["source"], batch.get("labels"))

    def preprocess_settings(self) -> list[Any]:
        return self.reader.settings

    def lengths(self, rows: Dataset) -> np.ndarray:
        return pair_lengths(rows)

    def findings(self, inputs: Mapping[str, Dataset], labels: Sequence[Any]) -> list[checks.Finding]:
        if self.options.references is not None and set(inputs) == {"train"}:
            raise RecipeError("task.references has no effect: there is neither an eval nor a test split.")
        return checks.repeated({split: rows["source"][:] for split, rows in inputs.items()}, checks.folded)

    def describe(
        self, split: str, inputs: Dataset, labels: Sequence[Any], examples: Examples
    ) -> tuple[dict[str, Any], list[checks.Finding]]:
        sources, targets = inputs["source"][:], [None if label is None else label.text for label in labels]
        found = [] if split == NEW_ROWS else pair_findings(split, sources, labels)
        if split != "train":
            found += postprocess.unread_findings(split, targets, self.options)
        read = "have {tokens} in the source, which the model reads as such"
        written = "have {tokens} in the target: the model learns them as such, and scores are of texts without them"
        found += self.reader.special.findings(split, sources, read)
        found += self.reader.special.findings(split, targets, written)
        told: dict[str, Any] = {}
        for side, share in CUT_SHARE.items():
            text = f"have a {side} that is cut to {getattr(self.reader.limits, side)} tokens"
            counted, cut = self.told_cut(split, examples, f"{side}_cut", text, share)
            told, found = {**told, **counted}, found + cut
        return told, found

    def model(self, pretrained: Pretrained) -> tuple[PreTrainedModel, list[str]]:
        start = {} if self.reader.frame.start is None else {"decoder_start_token_id": self.reader.frame.start}
        model, new = pretrained.load(self.auto_class, **start)
        first = {**start, **self.reader.tongue.first}
        self.search = generation.complete(model.generation_config, self.options.generation, self.most, first)
        model.generation_config = self.search
        generation.require_start(model, pretrained.name)
        return model, new

    def collate(self, rows: list[dict[str, Any]]) -> Batch:
        return pad_pairs(rows, self.processor)

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """The mean over tokens, of which `weight`, as the class has it, is the number."""
        labels = batch["labels"]
        shifted = generation.decoder_inputs(model, labels)
        logits = model(**generation.model_inputs(model, batch), decoder_input_ids=shifted, use_cache=False).logits
        flat, smoothing = logits.flatten(0, 1).float(), self.options.label_smoothing
        return cross_entropy(flat, labels.flatten(), ignore_index=IGNORED, label_smoothing=smoothing)

    def predict(self, model: Any, batch: Batch) -> list[Answer]:
        found = generation.generate(model, batch, self.search, seed=int(batch["input_ids"].sum()))
        return [{"answer": None, "error": NOT_FINITE} if tokens is None else {"tokens": tokens} for tokens in found]

    def postprocess(self, answers: Sequence[Answer], examples: Examples) -> list[Answer]:
        return postprocess.in_words(answers, examples.inputs["source"][:], self.processor, self.search)

    def show(self, batch: Batch) -> list[str]:
        labels = batch["labels"].masked_fill(batch["labels"] == IGNORED, self.processor.pad_token_id)
        sources, targets = (self.processor.batch_decode(ids) for ids in (batch["input_ids"], labels))
        return [f"{source} => {target}" for source, target in zip(sources, targets, strict=True)]

    def weighted(self, answers: Sequence[Answer], labels: Sequence[Any]) -> Weighted:
        return generation_weighted(_texts(answers), labels, self.options.metrics, self.options.bleu_tokenize)

    def notes(self, split: str, answers: Sequence[Answer], labels: Sequence[Any]) -> Notes:
        signed = signatures(_texts(answers), labels, self.options.metrics, self.options.bleu_tokenize)
        return postprocess.notes(
            split, answers, labels, {"signatures": signed, "generation": self.search.to_diff_dict()}
        )

    def answer_bytes(self, model: Any, rows: int, length: int) -> int:
        return generation.search_bytes(model.config, self.search, rows, length)


def _texts(answers: Sequence[Answer]) -> list[str]:
    return [answer["answer"] for answer in answers]


class Summarization(Seq2Seq):
    """Summaries, scored by ROUGE."""

    name = "summarization"
    Options = SummarizationOptions
    purpose = Purpose(
        "A shorter text for each text, scored by ROUGE.",
        "source, target",
        "task: {name: summarization, source: article, target: summary}",
    )


class Translation(Seq2Seq):
    """Translations, scored by BLEU, chrF and TER."""

    name = "translation"
    Options = TranslationOptions
    purpose = Purpose(
        "The same in another language, scored by BLEU, chrF and TER.",
        "source, target ('translation.en' for a nested one)",
        "task: {name: translation, source: en, target: de}",
    )
