"""Finds pretrained weights: a Hub id, a local folder, or a folder inside an installed Python package."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
import transformers
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from safetensors import SafetensorError
from transformers import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoImageProcessor,
    AutoTokenizer,
    EncoderDecoderModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from hfft.errors import ModelError, SetupError
from hfft.hub_access import SCHEME
from hfft.network import hub_is_reachable

PACKAGE = "package://"
SIDES = ("encoder", "decoder")  # a pair of two models has a configuration for each
_DROPOUT = re.compile("dropout|pdrop|layerdrop")
_DROP_PATH = re.compile("^drop_(path|connect)_rate$")  # EfficientNet's paper has another name for it
_WITH_HEAD = re.compile("For(Sequence|Token|Image)Classification(WithTeacher)?$")


class Pretrained(Protocol):
    """What a task needs of the weights it starts from: a `Backbone`, or a `hfft.warm_start.Pair` of two."""

    @property
    def name(self) -> str:
        """The model's name for people."""
        ...

    @property
    def public_name(self) -> str | None:
        """The name under which others find the model too; None where there is none."""
        ...

    @property
    def config(self) -> Any:
        """The configuration."""
        ...

    @property
    def has_head(self) -> bool:
        """Whether there is a trained classification head."""
        ...

    @property
    def labels(self) -> list[str] | None:
        """The label names of the trained classification head, in order; None where there is none."""
        ...

    def tokenizer(self, **settings: Any) -> PreTrainedTokenizerBase:
        """Loads the tokenizer, with settings other than the checkpoint's where they are given."""
        ...

    def image_processor(self) -> Any:
        """Loads the image processor."""
        ...

    def load(self, auto_class: Any, **settings: Any) -> tuple[PreTrainedModel, list[str]]:
        """Loads the model in float32; the second value names parameters that start at random."""
        ...


@dataclass(frozen=True)
class Backbone:
    """The pretrained model a run starts from; nothing is loaded before it is asked for.

    Attributes:
        name: As the recipe has it: a Hub id, a local folder, or `package://NAME/PATH`.
        revision: A branch, tag or commit on the Hub.
        from_scratch: Take the configuration only.
        new_head: Do not use a trained head of the checkpoint.
        dropout: Set every dropout rate of the configuration to this.
        drop_path: Set the rate of stochastic depth of the configuration to this.
        trust: Whether code that comes with the model may run.
    """

    name: str
    revision: str | None = None
    from_scratch: bool = False
    new_head: bool = False
    dropout: float | None = None
    drop_path: float | None = None
    trust: bool = False

    @cached_property
    def place(self) -> str:
        """A local folder, or a Hub id where there is no such folder.

        Raises:
            ModelError: It can be neither.
        """
        if self.name.startswith(PACKAGE):
            self._refuse_revision()
            return _in_package(self.name)
        folder = Path(self.name).expanduser()
        if folder.is_dir():
            if (folder / "adapter_config.json").is_file():
                raise ModelError(
                    f"model is the folder {folder.absolute()}, which is an adapter: a change to a model, and no model. "
                    "Give the folder of its run, or model/ beside it, which has both merged."
                )
            if not (folder / "config.json").is_file():
                raise ModelError(
                    f"model is the folder {folder.absolute()}, which has no config.json: it is no transformers model."
                )
            self._refuse_revision()
            return str(folder)
        if self.name.startswith(SCHEME):
            name, at, _ = self.name.removeprefix(SCHEME).partition("@")
            raise ModelError(
                f"model is '{self.name}', but {SCHEME} is for recipes: for a model of the Hub write {name}, without "
                f"{SCHEME}{' and ' + at + ' (a recipe has model.revision)' if at else ''}; for a run that was "
                f"published, hfft pull {self.name.removeprefix(SCHEME)}, and give its folder."
            )
        if self.name.startswith((".", "/", "~")) or self.name.count("/") > 1:
            raise ModelError(f"model is '{self.name}', but there is no folder {folder.absolute()}.")
        return self.name

    @property
    def is_folder(self) -> bool:
        """Whether the model lies in a folder of this machine, rather than on the Hub."""
        return self.name.startswith(PACKAGE) or Path(self.name).expanduser().is_dir()

    @property
    def public_name(self) -> str | None:
        """The name under which others find the model too: a Hub id or `package://...`; None for a local folder."""
        return self.name if self.name.startswith(PACKAGE) or not self.is_folder else None

    @cached_property
    def config(self) -> Any:
        """The configuration, with `dropout` and `drop_path` applied.

        Raises:
            ModelError: There is no such model, or it has no such rate to set.
            SetupError: The Hub cannot be reached.
        """
        with _explained(self):
            config = AutoConfig.from_pretrained(self.place, **self._hub_arguments)
        for setting, pattern, value in (
            ("dropout", _DROPOUT, self.dropout),
            ("drop_path", _DROP_PATH, self.drop_path),
        ):
            if value is not None:
                self._set_rates(config, setting, pattern, value)
        return config

    def _set_rates(self, config: Any, setting: str, pattern: re.Pattern[str], value: float) -> None:
        parts = [config, *(getattr(config, name) for name in SIDES if hasattr(config, name))]
        rates = [(part, name) for part in parts for name, old in vars(part).items() if _is_rate(pattern, name, old)]
        if not rates:
            raise ModelError(f"model.{setting} is {value}, but the configuration of {self.name} has no such rate.")
        for part, name in rates:
            setattr(part, name, value)

    @property
    def has_head(self) -> bool:
        """Whether the checkpoint brings a trained classification head."""
        return any(_WITH_HEAD.search(name) for name in self.config.architectures or [])

    @property
    def labels(self) -> list[str] | None:
        """The label names of the checkpoint's trained classification head, in order; None where it has none."""
        if not self.has_head or self.new_head or self.from_scratch:
            return None
        return [self.config.id2label[index] for index in range(len(self.config.id2label))]

    def tokenizer(self, **settings: Any) -> PreTrainedTokenizerBase:
        """Loads the tokenizer, with these settings.

        Raises:
            ModelError: As `config`, or there are no tokenizer files.
            SetupError: As `config`.
        """
        with _explained(self):
            try:
                made = AutoTokenizer.from_pretrained(self.place, **settings, **self._hub_arguments)
            except Exception as error:  # where there are no files, some tokenizers raise these
                if type(error) not in (TypeError, Exception):
                    raise
                raise ModelError(NO_TOKENIZER.format(self.name)) from error
        # Where there are no files, transformers 5 makes most tokenizers such that they know no word.
        if len(set(made.get_vocab()) - set(made.all_special_tokens)) <= 1:
            raise ModelError(NO_TOKENIZER.format(self.name))
        return made

    def image_processor(self) -> Any:
        """Loads the image processor. Raises ModelError or SetupError as `config` does."""
        with _explained(self):
            return AutoImageProcessor.from_pretrained(self.place, **self._hub_arguments)

    def load(self, auto_class: Any, **settings: Any) -> tuple[PreTrainedModel, list[str]]:
        """Loads the model in float32.

        transformers 5 would load the checkpoint's own type; half precision comes from Accelerate's autocast.

        Args:
            auto_class: Such as `AutoModelForSequenceClassification`.
            settings: Changes to the configuration, such as `id2label`.

        Returns:
            The model, and the names of parameters the checkpoint does not have, which start at random.

        Raises:
            ModelError: The checkpoint has no usable weights for this class.
        """
        config = self.config
        for name, value in settings.items():
            setattr(config, name, value)
        with _explained(self), quiet():
            if self.from_scratch:
                model = auto_class.from_config(config, trust_remote_code=self.trust, dtype=torch.float32)
                drop_idle_pooler(model)
                return model, [name for name, _ in model.named_parameters()]
            model, found = auto_class.from_pretrained(
                self.place,
                config=config,
                dtype=torch.float32,
                ignore_mismatched_sizes=self.new_head,
                output_loading_info=True,
                **self._hub_arguments,
            )
        drop_idle_pooler(model)
        new = {*found["missing_keys"], *(entry[0] for entry in found["mismatched_keys"])}
        if self.new_head:
            new |= _renew_head(model, auto_class.from_config(config, trust_remote_code=self.trust, dtype=torch.float32))
        return model, [name for name, _ in model.named_parameters() if name in new]

    def _refuse_revision(self) -> None:
        if self.revision is not None:
            raise ModelError(
                f"model.revision is '{self.revision}', but {self.name} is a folder: only the Hub has revisions."
            )

    @property
    def _hub_arguments(self) -> dict[str, Any]:
        offline = not self.is_folder and not hub_is_reachable()
        return {"revision": self.revision, "trust_remote_code": self.trust, "local_files_only": offline}


NO_TOKENIZER = (
    "model '{}' has no tokenizer files that can be read. Copy them (tokenizer.json, tokenizer_config.json) from where "
    "the model came."
)


def require_decoder(backbone: Pretrained) -> None:
    """Refuses a model that cannot write. Raises ModelError where it has no decoder that reads what an encoder says."""
    config = backbone.config
    if not getattr(config, "is_encoder_decoder", False):
        kind = (getattr(config, "architectures", None) or [f"{config.model_type} model"])[0]
        name = backbone.name
        if type(config) in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
            raise ModelError(
                f"model '{name}' is a {kind}, which sees images; summarization and translation need one that reads "
                "texts. Give a model such as T5 or BART."
            )
        raise ModelError(
            f"model '{name}' is a {kind}, which has no decoder that reads what an encoder says, as summarization and "
            f"translation need. Give model: {{encoder: {name}, decoder: {name}}}, or a model such as T5 or BART."
        )


def drop_idle_pooler(model: Any) -> None:
    """Takes the pooler off the encoder of a pair of two models, in place: its output goes nowhere, so it cannot learn.

    The models' classes take it off themselves when they are made with `add_pooling_layer=False`.
    """
    if isinstance(model, EncoderDecoderModel):
        encoder: Any = model.encoder
        if "add_pooling_layer" in inspect.signature(type(encoder).__init__).parameters:
            encoder.pooler = None


def _in_package(name: str) -> str:
    package, _, inside = name.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"model is '{name}', but there is no installed package '{package}'. Install the package that ships the "
            "weights first."
        )
    folder = Path(next(iter(spec.submodule_search_locations)), inside)
    if not (folder / "config.json").is_file():
        raise ModelError(f"model is '{name}', but the folder {folder} has no config.json.")
    return str(folder)


def _is_rate(pattern: re.Pattern[str], name: str, value: Any) -> bool:
    return bool(pattern.search(name)) and isinstance(value, (int, float)) and not isinstance(value, bool)


def _renew_head(model: PreTrainedModel, fresh: PreTrainedModel) -> set[str]:
    """Puts the weights of `fresh` that are no part of the base model into `model`, and returns their names.

    The base model is what the class says it is, or where it has no such part (CLIP's classifier), the largest one.
    """
    sizes = {name: sum(weights.numel() for weights in part.parameters()) for name, part in model.named_children()}
    named = model.base_model_prefix
    base = f"{named if named in sizes else max(sizes, key=lambda name: sizes[name])}."
    head = {name: tensor for name, tensor in fresh.state_dict().items() if not name.startswith(base)}
    model.load_state_dict(head, strict=False)
    return set(head)


@contextlib.contextmanager
def _explained(backbone: Backbone) -> Iterator[None]:
    """Turns what transformers raises for a missing or broken model into our errors."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        name, message = backbone.name, str(error).strip()
        if "trust_remote_code" in message:
            raise ModelError(f"model '{name}' brings code of its own. If you trust that code, add --trust.") from error
        if "image processor" in message:
            raise ModelError(
                f"model '{name}' has no image processor (preprocessor_config.json). Copy it from the checkpoint that "
                "the model was made of; if it reads texts, give a model that sees."
            ) from error
        if "tiktoken" in message:  # what transformers asks for where it has no sentencepiece, and where nothing is
            if type(backbone.config) in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
                raise ModelError(
                    f"model '{name}' has no tokenizer, for it sees images ({backbone.config.model_type}). Give a model "
                    "that reads texts, such as a BERT, or a task of images: image-classification."
                ) from error
            raise ModelError(
                f"model '{name}' has no tokenizer that can be read here. If it has a SentencePiece model: pip install "
                "sentencepiece protobuf; if a tiktoken file: pip install tiktoken; if neither, copy tokenizer.json and "
                "tokenizer_config.json from the checkpoint that the model was made of."
            ) from error
        if backbone.is_folder:
            raise ModelError(f"model '{name}': the folder {backbone.place} cannot be loaded: {message}") from error
        if not hub_is_reachable():
            raise SetupError(
                f"model is '{name}'. Tried: the folder {Path(name).absolute()}, which does not exist; the Hub's cache, "
                "which does not have it; the Hub, which cannot be reached. Give a local folder, or package://NAME/PATH."
            ) from error
        raise ModelError(
            f"model is '{name}'. Tried: the folder {Path(name).absolute()}, which does not exist; the Hub, which "
            f"{_answer_of_hub(error)}"
        ) from error


def _answer_of_hub(error: BaseException) -> str:
    """What the Hub said, from the error of its client that lies under what transformers made of it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, HfHubHTTPError):
        cause = cause.__cause__ or cause.__context__
    if cause is None or isinstance(cause, (EntryNotFoundError, RevisionNotFoundError)):
        return f"answered: {' '.join(str(error).split())}"
    answer = f"{cause.response.status_code} {cause.response.reason_phrase}"
    if isinstance(cause, RepositoryNotFoundError) or cause.response.status_code in (401, 403):
        return (
            f"has no such model that you may read ({answer}). If it is private or gated, ask for access on its page, "
            "then log in with `hf auth login` or set HF_TOKEN."
        )
    return f"answered: {answer}. Try again later."


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences transformers' own report of new weights and its progress bar: hfft reports both itself."""
    logger = logging.getLogger("transformers")
    level = logger.level
    bars = transformers.utils.logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()
