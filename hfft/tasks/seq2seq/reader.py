"""Rows as examples of sources and targets for one model, with what is worth a warning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from datasets import Dataset

from hfft.data.checks import UNLABELLED, Finding, count_rows
from hfft.data.loaders import Examples
from hfft.data.tokenization import SpecialTokens, told_lengths
from hfft.errors import DataError
from hfft.models.pretrained import Pretrained
from hfft.tasks.seq2seq.languages import Tongue, choose
from hfft.tasks.seq2seq.options import WritingOptions
from hfft.tasks.seq2seq.pairs import (
    Columns,
    Frame,
    Limits,
    Pairs,
    Truth,
    encode_pairs,
    limits,
    pair_lengths,
    read_pairs,
)
from hfft.tasks.task import Prepared

CUT_SHARE = {"source": 0.01, "target": 0.0}  # more cut ones are worth a warning; a cut target teaches to end too early


@dataclass
class Reader:
    """Makes examples for one model.

    Attributes:
        columns: Where the texts stand.
        tokenizer: With its languages set.
        tongue: What the languages mean for the model.
        frame: What stands around the texts.
        limits: Longer texts are cut.
    """

    columns: Columns
    tokenizer: Any
    tongue: Tongue
    frame: Frame
    limits: Limits

    @cached_property
    def special(self) -> SpecialTokens:
        """The tokenizer's special tokens."""
        return SpecialTokens(self.tokenizer)

    def read(self, rows: Dataset, split: str) -> Pairs:
        """Reads a split; truths are without special tokens, as answers are. Raises DataError as `read_pairs`."""
        pairs = read_pairs(rows, split, self.columns, scored=split != "train")
        return replace(pairs, truths=[self._without_special(truth) for truth in pairs.truths])

    def _without_special(self, truth: Truth) -> Truth:
        if isinstance(truth, str):
            return self.special.without(truth) or None
        texts = [self.special.without(text) for text in truth or ()]
        return [text for text in texts if text] or None

    def _special_findings(self, split: str, pairs: Pairs) -> list[Finding]:
        """Counts the rows of a split in which special tokens are written."""
        read = "have {tokens} in the source, which the model reads as such"
        written = "have {tokens} in the target: the model learns them as such, and scores are of texts without them"
        sources = self.special.findings(split, pairs.sources, read)
        return sources + self.special.findings(split, pairs.targets, written)

    def put_answered(self, split: str, pairs: Pairs, prepared: Prepared, keep: bool = True) -> None:
        """Puts the rows that have a target into `prepared`, and counts the others.

        Raises:
            DataError: There is no such row.
        """
        both = zip(pairs.targets, pairs.truths, strict=True)
        without = np.array([target is None or truth is None for target, truth in both])
        if without.all():
            raise DataError(f"task.target: no row of the {split} split has a text in '{self.columns.target}'.")
        prepared.findings.extend(
            count_rows(UNLABELLED, split, without, len(without), "have no target and are left out")
        )
        self.put(split, pairs, np.flatnonzero(~without), prepared, keep)

    def put(self, split: str, pairs: Pairs, ids: np.ndarray, prepared: Prepared, keep: bool) -> None:
        """Puts the rows `ids`, with what was found in them, into `prepared`."""
        examples, *cuts = self.encode(split, pairs, ids, keep)
        prepared.findings.extend(self._special_findings(split, pairs))
        for side, cut in zip(("source", "target"), cuts, strict=True):
            if cut.mean() > CUT_SHARE[side]:
                text = f"have a {side} that is cut to {getattr(self.limits, side)} tokens"
                prepared.findings.extend(count_rows(f"{side}-cut", split, cut, len(ids), text, ids))
        lengths = examples.lengths
        assert lengths is not None
        prepared.splits[split] = examples
        prepared.summary[split] = {
            "rows": len(ids),
            "tokens": told_lengths(lengths),
            **{f"{side}_cut": int(cut.sum()) for side, cut in zip(("source", "target"), cuts, strict=True)},
        }

    def encode(self, split: str, pairs: Pairs, ids: np.ndarray, keep: bool) -> tuple[Examples, np.ndarray, np.ndarray]:
        """Makes examples of the rows `ids`; the other values say which sources and which targets were too long."""
        columns: dict[str, list[Any]] = {"source": [pairs.sources[row] for row in ids]}
        if pairs.targets[ids[0]] is not None:
            columns["target"] = [pairs.targets[row] for row in ids]
        rows, source_cut, target_cut = encode_pairs(
            Dataset.from_dict(columns), self.tokenizer, self.limits, self.frame, keep
        )
        examples = Examples(rows, ids, pair_lengths(rows))
        if split != "train":  # which nobody answers
            labels, inputs = ([texts[row] for row in ids] for texts in (pairs.truths, pairs.sources))
            examples = replace(examples, labels=labels, inputs=inputs)
        return examples, source_cut, target_cut


def open_reader(task: str, options: WritingOptions, pretrained: Pretrained) -> Reader:
    """Opens the tokenizer of a model, sets its languages, and finds its limits.

    Args:
        task: "summarization" or "translation".
        options: The task's.
        pretrained: The model.

    Raises:
        RecipeError: A language or a limit does not fit the model.
    """
    tokenizer, config = pretrained.tokenizer(), pretrained.config
    languages = options.source_language, options.target_language
    tongue = choose(tokenizer, config, task, *languages, options.prefix)
    start = tongue.first.get("decoder_start_token_id", config.decoder_start_token_id)
    most_tokens = limits(tokenizer, config, options.max_source_length, options.max_target_length)
    columns = Columns(options.source, options.target, options.references)
    end: Any = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    return Reader(columns, tokenizer, tongue, Frame(tongue.prefix, start, end), most_tokens)
