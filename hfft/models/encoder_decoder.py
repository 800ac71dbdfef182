"""An encoder-decoder model that starts from two checkpoints, such as BERT's twice, neither of them made for it.

The method is that of Rothe, Narayan and Severyn 2020, "Leveraging Pre-trained Checkpoints for Sequence Generation
Tasks", section 3. We do not share weights between encoder and decoder (their BERTSHARE).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from hfft.errors import ModelError
from hfft.models.pretrained import PretrainedSource, drop_idle_pooler, quiet


@dataclass(frozen=True)
class EncoderDecoder:
    """Two checkpoints that become one model; nothing is loaded before it is asked for.

    It is a `hfft.models.pretrained.Pretrained`. Encoder and decoder share one vocabulary, for one
    tokenizer is saved with the model, but no weights.

    Attributes:
        encoder: Reads the source.
        decoder: Writes the target: it sees the tokens before, and what the encoder says.
    """

    encoder: PretrainedSource
    decoder: PretrainedSource

    @property
    def name(self) -> str:
        """Both names, `ENCODER+DECODER`."""
        return f"{self.encoder.name}+{self.decoder.name}"

    @property
    def public_name(self) -> str | None:
        """Both names, or None where one of them is a folder of this machine."""
        names = (self.encoder.public_name, self.decoder.public_name)
        return None if None in names else self.name

    @property
    def has_head(self) -> bool:
        """False: what comes behind the decoder is no classification head."""
        return False

    @property
    def labels(self) -> None:
        """None: a model that writes has no labels."""

    @property
    def rates(self) -> list[str]:
        """What the settings of dropout and of stochastic depth do to each of the two."""
        parts = {"encoder": self.encoder, "decoder": self.decoder}
        return [f"{line} (of the {role})" for role, part in parts.items() for line in part.rates]

    @cached_property
    def config(self) -> Any:
        """The configuration, with the tokens that answers begin and end with.

        Raises:
            ModelError: The two cannot be made into one model, or one of them cannot be found.
            SetupError: The Hub cannot be reached.
        """
        encoder, decoder = self.encoder.config, self.decoder.config
        self._require_parts()
        tokenizer = self.tokenizer()
        start, end = _first(tokenizer, "cls", "bos"), _first(tokenizer, "sep", "eos")
        if start is None or end is None:
            raise ModelError(
                f"model '{self.name}': the tokenizer has no token to begin a text with (cls or bos) or none to end it "
                "with (sep or eos), so the decoder would not know where to begin and when to stop."
            )
        for config in (encoder, decoder):
            config._name_or_path = ""  # may be a path of this machine, and would be saved
        made: Any = EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
        made.decoder_start_token_id = start
        made.eos_token_id = end
        made.pad_token_id = tokenizer.pad_token_id
        made.vocab_size = decoder.vocab_size
        return made

    def tokenizer(self, **settings: Any) -> PreTrainedTokenizerBase:
        """Loads the tokenizer of both, with these settings.

        Raises:
            ModelError: The two have different vocabularies, or a tokenizer cannot be loaded.
            SetupError: The Hub cannot be reached.
        """
        found = self.encoder.tokenizer(**settings)
        if self.encoder.place != self.decoder.place:
            mine, other = found.get_vocab(), self.decoder.tokenizer().get_vocab()
            if mine != other:
                raise ModelError(
                    f"model.encoder is '{self.encoder.name}' with a vocabulary of {len(mine)} tokens, model.decoder "
                    f"'{self.decoder.name}' with one of {len(other)}; {len(mine.items() & other.items())} tokens have "
                    "the same number in both. One tokenizer goes with the model: give two with the same vocabulary."
                )
        return found

    def image_processor(self) -> Any:
        """Raises ModelError: two models of texts see no images."""
        raise ModelError(f"model is the pair '{self.name}', which reads texts and sees no images. Give one model.")

    def load(self, auto_class: Any, **settings: Any) -> tuple[PreTrainedModel, list[str]]:
        """Makes the model in float32, its decoder with a cross-attention that is new.

        Args:
            auto_class: `AutoModelForSeq2SeqLM`.
            settings: Changes to the configuration.

        Returns:
            The model, and the names of parameters that start at random: of the cross-attention, of an output layer
            that the decoder's checkpoint does not have, and of a projection where the two differ in width. The matrix
            of the output layer is the table of words, where the decoder's class ties them.

        Raises:
            ModelError: Another class is wanted, or one of the two has no usable weights.
        """
        if auto_class is not AutoModelForSeq2SeqLM:
            raise ModelError(
                "model.encoder and model.decoder make a model that writes, for summarization and translation. Give "
                f"model.name for a task that loads an {auto_class.__name__}."
            )
        config = self.config
        for name, value in settings.items():
            setattr(config, name, value)
        encoder, new_in_encoder = self.encoder.load(AutoModel, **_plain_encoder(self.encoder.config))
        decoder, new_in_decoder = self.decoder.load(AutoModelForCausalLM, is_decoder=True, add_cross_attention=True)
        with quiet():
            model = EncoderDecoderModel(config=config, encoder=encoder, decoder=decoder)
        drop_idle_pooler(model)
        new = {f"encoder.{name}" for name in new_in_encoder} | {f"decoder.{name}" for name in new_in_decoder}
        names = [name for name, _ in model.named_parameters()]
        return model, [name for name in names if name in new or not name.startswith(("encoder.", "decoder."))]

    def _require_parts(self) -> None:
        """Raises ModelError where the one cannot be an encoder or the other no decoder."""
        for role, part in (("encoder", self.encoder), ("decoder", self.decoder)):
            if getattr(part.config, "is_encoder_decoder", False):
                raise ModelError(
                    f"model.{role} is '{part.name}', which has an encoder and a decoder of its own. Give it alone, as "
                    "model.name."
                )
        config = self.decoder.config
        kind: Any = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
        if kind is None or "encoder_hidden_states" not in inspect.signature(kind.forward).parameters:
            raise ModelError(
                f"model.decoder is '{self.decoder.name}', a {config.model_type} model, whose blocks cannot be given a "
                "cross-attention: transformers has none for this kind. Give BERT, RoBERTa, ELECTRA, GPT-2 or kin."
            )


def _first(tokenizer: Any, *names: str) -> int | None:
    """The id of the first of these special tokens that the tokenizer has."""
    found = (getattr(tokenizer, f"{name}_token_id") for name in names)
    return next((number for number in found if number is not None), None)


def _plain_encoder(config: Any) -> dict[str, bool]:
    """What to change in the configuration of a checkpoint that was a decoder, to have it read in both directions."""
    return {name: False for name in ("is_decoder", "add_cross_attention") if getattr(config, name, False)}
