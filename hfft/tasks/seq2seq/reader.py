"""How one model reads sources and targets: its tokenizer, with what its languages mean, and its limits."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

from hfft.data.tokenization import SpecialTokens, tokenized
from hfft.models.pretrained import Pretrained
from hfft.tasks.seq2seq.languages import Tongue, choose
from hfft.tasks.seq2seq.options import WritingOptions
from hfft.tasks.seq2seq.pairs import Frame, Limits, limits


@dataclass
class Reader:
    """Makes token ids for one model.

    Attributes:
        tokenizer: With its languages set.
        tongue: What the languages mean for the model.
        frame: What stands around the texts.
        limits: Longer texts are cut.
    """

    tokenizer: Any
    tongue: Tongue
    frame: Frame
    limits: Limits

    @cached_property
    def special(self) -> SpecialTokens:
        """The tokenizer's special tokens."""
        return SpecialTokens(self.tokenizer)

    @property
    def settings(self) -> list[Any]:
        """All that `encode` depends on beside texts and tokenizer."""
        languages = [getattr(self.tokenizer, name, None) for name in ("src_lang", "tgt_lang")]
        return [*astuple(self.limits), *astuple(self.frame), *languages]

    def encode(self, sources: list[str], targets: list[str] | None) -> dict[str, list[Any]]:
        """`input_ids` and `labels` of texts, each as the tokenizer does its side, and which of them were cut."""
        frame, tokenizer = self.frame, self.tokenizer
        read, long = tokenized(tokenizer, self.limits.source, text=[frame.prefix + text for text in sources])
        made: dict[str, list[Any]] = {"input_ids": read["input_ids"], "source_cut": long}
        if targets is None:
            return made
        framed = tokenizer(text_target="a")["input_ids"]
        begun = int(frame.start is not None and framed[:1] == [frame.start])
        end = [] if frame.end is None or frame.end in framed else [frame.end]
        room = self.limits.target + begun - len(end)
        written, made["target_cut"] = tokenized(tokenizer, room, text_target=targets)
        return {**made, "labels": [ids[begun:] + end for ids in written["input_ids"]]}


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
    end: Any = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    return Reader(tokenizer, tongue, Frame(tongue.prefix, start, end), most_tokens)
