"""Answers by generation: the settings of a search, made complete for a model, and the search itself."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from hfft.data.loaders import Batch
from hfft.errors import ModelError, RecipeError
from hfft.tasks.task import IGNORED

NUM_BEAMS = 4  # where neither recipe nor checkpoint says how many

LOOKING_FROM_THE_FIRST = ("led",)  # their first token sees all (Beltagy et al. 2020, section 5.3), if it is told to

OF_OTHERS = (  # what asks for more than one text an answer, or for a search that transformers 5 does not do by itself
    *("num_beam_groups", "diversity_penalty", "num_return_sequences", "return_dict_in_generate"),
    *("output_scores", "output_logits", "output_attentions", "output_hidden_states"),
)

OF_BEAMS = ("length_penalty", "early_stopping")

OF_SAMPLING = ("temperature", "top_k", "top_p")

MORE_OF_SAMPLING = ("min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")

LENGTHS = ("max_length", "min_length", "max_new_tokens", "min_new_tokens")  # the checkpoint's are those of other data

COPIES = 4  # tensors of the scores of all words that a step of the search holds at once


class Generation(BaseModel):
    """`task.generation`: how answers are searched for. What is not given is as the checkpoint has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_beams: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Beams of the search; 1 is greedy. Default: the checkpoint's, else 4; sampling: 1."
    )
    do_sample: bool | None = Field(
        default=None,
        description="Draw tokens at random: the same ones again where the same rows are answered together.",
    )
    temperature: Annotated[float, Field(gt=0)] | None = Field(default=None, description="Of sampling.")
    top_k: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Draw from so many likeliest tokens.")
    top_p: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="Draw from the likeliest tokens that have this probability together."
    )
    min_new_tokens: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Tokens an answer has at least."
    )
    length_penalty: float | None = Field(default=None, description="Of beams: above 0 the larger, the longer.")
    no_repeat_ngram_size: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="No so many tokens stand twice in an answer; 0 for any."
    )
    repetition_penalty: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Above 1: tokens that stand in the answer already become less likely."
    )
    early_stopping: bool | None = Field(default=None, description="End the search when every beam has ended once.")

    @model_validator(mode="after")
    def _has_effect(self) -> Generation:
        sampling = [name for name in OF_SAMPLING if getattr(self, name) is not None]
        if sampling and self.do_sample is not True:
            raise ValueError(f"'{sampling[0]}' has no effect without do_sample: true")
        beams = [name for name in OF_BEAMS if getattr(self, name) is not None]
        if beams and (self.num_beams == 1 or (self.do_sample and self.num_beams is None)):
            raise ValueError(f"'{beams[0]}' has no effect with one beam: give num_beams")
        return self


def complete(
    found: GenerationConfig, settings: Generation, most: int | None, first: dict[str, int]
) -> GenerationConfig:
    """Makes the settings of a search complete.

    Args:
        found: The checkpoint's.
        settings: The recipe's, which win.
        most: Tokens an answer may have, which makes the checkpoint's limits void; None leaves these.
        first: Token ids that answers begin with.

    Raises:
        RecipeError: They contradict each other.
    """
    values = found.to_diff_dict()
    if most is not None:
        values = {name: value for name, value in values.items() if name not in LENGTHS} | {"max_new_tokens": most}
    given = {name: value for name, value in settings.model_dump().items() if value is not None}
    default = 1 if given.get("do_sample", values.get("do_sample")) else NUM_BEAMS
    beams = None if given.get("do_sample") else values.get("num_beams")
    values = {**values, "num_beams": beams or default, **first, **given}
    idle = set(OF_OTHERS) | (set(OF_BEAMS) if values["num_beams"] == 1 else set())
    idle |= set() if values.get("do_sample") else {*OF_SAMPLING, *MORE_OF_SAMPLING}
    made = GenerationConfig(**{name: value for name, value in values.items() if name in given or name not in idle})
    try:
        made.validate(strict=True)  # as saving it does, at the end of a training
    except ValueError as error:
        raise RecipeError(f"task.generation does not fit this model: {error}") from error
    return made


def model_inputs(model: Any, batch: Batch) -> Batch:
    """What an encoder-decoder model reads of a batch: tensors of `(rows, source length)`."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    if looks_from_the_first(_without_wrapper(model).config):
        first = torch.zeros_like(batch["input_ids"])
        first[:, 0] = 1
        inputs["global_attention_mask"] = first
    return inputs


def _without_wrapper(model: Any) -> Any:
    """The model inside DistributedDataParallel, which hides its configuration and methods; else the model itself."""
    return getattr(model, "module", model)


def looks_from_the_first(config: Any) -> bool:
    """Whether the model wants to be told that its first token sees all."""
    return config.model_type in LOOKING_FROM_THE_FIRST


def decoder_inputs(model: Any, labels: Tensor) -> Tensor:
    """The labels shifted right, as the model itself does it where it is given labels: `(rows, target length)`.

    Passing them in leaves the loss to us (smoothing, no loss computed twice), whatever the model adds to its own.
    """
    plain = _without_wrapper(model)
    own = getattr(plain, "prepare_decoder_input_ids_from_labels", None)
    if own is not None:
        return own(labels=labels)
    shifted = labels.roll(1, dims=1)  # M2M100 and kin, which shift inside their forward pass
    shifted[:, 0] = plain.config.decoder_start_token_id
    return shifted.masked_fill(shifted == IGNORED, plain.config.pad_token_id)


def generate(model: Any, batch: Batch, settings: GenerationConfig, seed: int) -> list[list[int] | None]:
    """Searches for answers: token ids, from behind the token that the decoder begins with up to the end token.

    None where the model's scores of the words are not finite.

    Args:
        model: Prepared or not.
        batch: Of `pad_pairs`.
        settings: Of `complete`.
        seed: Of what is drawn at random, where something is; the random state is left as it was.
    """
    plain = _without_wrapper(model)
    devices = [batch["input_ids"].device] if batch["input_ids"].is_cuda else []
    with torch.random.fork_rng(devices, enabled=bool(settings.do_sample)):
        if settings.do_sample:
            torch.manual_seed(seed)
        watched = _EndWhereNotFinite(len(batch["input_ids"]), ends(settings), batch["input_ids"].device)
        found = plain.generate(
            **model_inputs(plain, batch), generation_config=settings, logits_processor=LogitsProcessorList([watched])
        )
    rows = zip(found[:, 1:].tolist(), watched.spoilt.tolist(), strict=True)
    return [None if spoilt else _ended(ids, settings) for ids, spoilt in rows]


class _EndWhereNotFinite(LogitsProcessor):
    """Ends an answer where the scores of its next word are no numbers, and notes for which rows that was so.

    NaN passes for the first word of the vocabulary in a greedy search, and breaks off one that draws. Minus infinity
    is what other processors give to words that may not come.
    """

    def __init__(self, rows: int, last: list[int], device: torch.device):
        self.last = last
        self.spoilt = torch.zeros(rows, dtype=torch.bool, device=device)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # type: ignore[override]
        spoilt = ~(scores < torch.inf).all(-1)
        self.spoilt |= spoilt.view(len(self.spoilt), -1).any(-1)
        ended = torch.full_like(scores, -torch.inf)
        ended[:, self.last] = 0
        return torch.where(spoilt[:, None], ended, scores)


def _ended(ids: list[int], settings: GenerationConfig) -> list[int]:
    """The ids up to the first that ends an answer: behind it is padding."""
    last = ends(settings)
    for place, number in enumerate(ids):
        if number in last:
            return ids[: place + 1]
    return ids


def ends(settings: GenerationConfig) -> list[int]:
    """The ids of tokens that end an answer."""
    found = settings.eos_token_id
    return list(found) if isinstance(found, list) else [found]  # type: ignore[list-item]


def require_start(model: Any, name: str) -> None:
    """Raises ModelError where nothing says which token the decoder begins with."""
    if model.config.decoder_start_token_id is None and model.generation_config.decoder_start_token_id is None:
        raise ModelError(f"model '{name}' does not say which token its decoder begins with (decoder_start_token_id).")


def search_bytes(config: Any, settings: GenerationConfig, rows: int, source: int) -> int:
    """Bytes that a search holds beside the weights, about: scores of all words, keys and values, what is encoded.

    Args:
        config: The model's.
        settings: Of the search.
        rows: Answered at once.
        source: Tokens of the longest source among them.
    """
    decoder = getattr(config, "decoder", config)
    layers = getattr(decoder, "num_decoder_layers", None) or getattr(
        decoder, "decoder_layers", decoder.num_hidden_layers
    )
    hidden, most = decoder.hidden_size, settings.max_new_tokens or settings.max_length or 0
    sequences = rows * (settings.num_beams or 1)
    scores = COPIES * decoder.vocab_size
    kept = 2 * layers * hidden * (source + most) + hidden * source
    return 4 * sequences * (scores + kept)
