"""Finds pretrained weights: a Hub id, a local folder, or a folder inside an installed Python package."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import transformers
from transformers import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoImageProcessor,
    AutoTokenizer,
    EncoderDecoderModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.peft_utils import find_adapter_config_file

from hfft.errors import ModelError
from hfft.io.hub_client import SCHEME, hub_is_reachable
from hfft.io.run_folder import read_json
from hfft.models.dropout import Rate, set_drop_path, set_dropout, told
from hfft.models.files import explained
from hfft.models.fit import head_names, ready, renewed, require_rows

PACKAGE = "package://"

_WITH_HEAD = re.compile("For(Sequence|Token|Image)Classification(WithTeacher)?$")

_TIMM = "timm_wrapper"  # its checkpoints name no class


class Pretrained(Protocol):
    """What a task needs of the weights it starts from: a `PretrainedSource`, or an `EncoderDecoder` of two."""

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

    @property
    def rates(self) -> list[str]:
        """What the settings of dropout and of stochastic depth do, a sentence each."""
        ...

    def tokenizer(self, **settings: Any) -> PreTrainedTokenizerBase:
        """Loads the tokenizer, with settings other than the checkpoint's where they are given.

        It pads on the right, so that a text has the same positions in whatever batch it is.
        """
        ...

    def image_processor(self) -> Any:
        """Loads the image processor."""
        ...

    def load(self, auto_class: Any, **settings: Any) -> tuple[PreTrainedModel, list[str]]:
        """Loads the model in float32; the second value names parameters that start at random."""
        ...


@dataclass(frozen=True)
class PretrainedSource:
    """The pretrained model a run starts from; nothing is loaded before it is asked for.

    Attributes:
        name: As the recipe has it: a Hub id, a local folder, or `package://NAME/PATH`.
        revision: A branch, tag or commit on the Hub.
        from_scratch: Take the configuration only.
        new_head: Do not use a trained head of the checkpoint.
        dropout: Set the dropout rates of the configuration to this, as `hfft.models.dropout.set_dropout`.
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

    @property
    def config(self) -> Any:
        """The configuration, with `dropout` and `drop_path` applied.

        Raises:
            ModelError: There is no such model, or it has no such rate to set.
            SetupError: The Hub cannot be reached.
        """
        return self._config[0]

    @property
    def rates(self) -> list[str]:
        """What `dropout` and `drop_path` do, a sentence each. Raises as `config`."""
        return told(self._config[1])

    @cached_property
    def _config(self) -> tuple[Any, list[Rate]]:
        with explained(self):
            self._refuse_adapter()
            config = AutoConfig.from_pretrained(self.place, **self._hub_arguments)
        rates = set_dropout(config, self.dropout, self.name) if self.dropout is not None else []
        rates += set_drop_path(config, self.drop_path, self.name) if self.drop_path is not None else []
        return config, rates

    @property
    def has_head(self) -> bool:
        """Whether the checkpoint brings a trained classification head."""
        named = self.config.architectures or []
        return any(_WITH_HEAD.search(name) for name in named) or (self.config.model_type == _TIMM and not named)

    @property
    def labels(self) -> list[str] | None:
        """The label names of the checkpoint's trained classification head, in order; None where it has none."""
        if not self.has_head or self.new_head or self.from_scratch:
            return None
        return labels_of(self.config)

    def tokenizer(self, **settings: Any) -> PreTrainedTokenizerBase:
        """Loads the tokenizer, with these settings; it pads on the right, with some token that it has.

        Raises:
            ModelError: As `config`; there are no tokenizer files; or it has tokens that the model has no weights for.
            SetupError: As `config`.
        """
        with explained(self):
            try:
                made = AutoTokenizer.from_pretrained(self.place, **settings, **self._hub_arguments)
            except Exception as error:  # where there are no files, some tokenizers raise these
                if type(error) not in (TypeError, Exception):
                    raise
                raise ModelError(NO_TOKENIZER.format(self.name)) from error
        # Where there are no files, transformers 5 makes most tokenizers such that they know no word.
        if len(set(made.get_vocab()) - set(made.all_special_tokens)) <= 1:
            raise ModelError(NO_TOKENIZER.format(self.name))
        require_rows(made, self.config, self.name)
        return ready(made, self.config, self.name)

    def image_processor(self) -> Any:
        """Loads the image processor. Raises ModelError or SetupError as `config` does."""
        with explained(self):
            made = AutoImageProcessor.from_pretrained(self.place, **self._hub_arguments)
        for name in ("image_mean", "image_std"):
            value = getattr(made, name, None)
            if isinstance(value, (int, float)) or (isinstance(value, (list, tuple)) and len(value) == 1):
                setattr(made, name, [float(np.mean(value))] * 3)  # one number for all channels
        return made

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
        config, trained = self.config, self.labels
        new_head = self.new_head or (
            trained is not None and head_is_new(trained, settings.get("num_labels", len(trained)))
        )
        for name, value in settings.items():
            setattr(config, name, value)
        if hasattr(config, "label_names") and "id2label" in settings:
            config.label_names = list(settings["id2label"].values())  # timm's configurations keep them there
        with explained(self), quiet():
            if self.from_scratch:
                model = auto_class.from_config(config, trust_remote_code=self.trust, dtype=torch.float32)
                drop_idle_pooler(model)
                return model.eval(), [name for name, _ in model.named_parameters()]
            model, found = auto_class.from_pretrained(
                self.place,
                config=config,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,  # refused below, by name
                output_loading_info=True,
                **self._hub_arguments,
            )
        drop_idle_pooler(model)
        new = renewed(model, found, new_head, self.name)
        if new_head:
            fresh = auto_class.from_config(config, trust_remote_code=self.trust, dtype=torch.float32).state_dict()
            head = {name: fresh[name] for name in head_names(model)}
            model.load_state_dict(head, strict=False)
            new |= set(head)
        return model, [name for name, _ in model.named_parameters() if name in new]

    def _refuse_adapter(self) -> None:
        """Raises ModelError where a repository of the Hub holds an adapter. Of a folder, `place` says so."""
        if self.is_folder:
            return
        arguments = {name: value for name, value in self._hub_arguments.items() if name != "trust_remote_code"}
        found = find_adapter_config_file(self.place, **arguments)
        if found is not None:
            base = read_json(Path(found)).get("base_model_name_or_path")
            raise ModelError(
                f"model is '{self.name}', which is an adapter on the Hub: a change to a model, here to '{base}', and "
                f"no model. If hfft published it: hfft pull {self.name}, and give the folder of the run; else load it "
                "with PEFT."
            )

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


def labels_of(config: Any) -> list[str]:
    """The labels of a model's configuration, in order.

    Raises:
        ModelError: They are not numbered from 0, or it numbers them in two ways.
    """
    names, numbers = config.id2label, getattr(config, "label2id", None) or {}
    cure = "Number them from 0 in the model's config.json, or start a new head with model.new_head=true."
    given = sorted(names)
    if given != list(range(len(names))):
        raise ModelError(
            f"The model's config.json (id2label) numbers its {len(names)} labels {given[0]} to {given[-1]}, where 0 to "
            f"{len(names) - 1} are expected. {cure}"
        )
    if set(numbers) == set(names.values()) and any(numbers[name] != number for number, name in names.items()):
        wrong = next(name for number, name in names.items() if numbers[name] != number)
        raise ModelError(
            f"The model's config.json numbers its labels in two ways: '{wrong}' is {numbers[wrong]} in label2id, and "
            f"another in id2label. {cure}"
        )
    return [names[number] for number in range(len(names))]


def head_is_new(trained: Sequence[str] | None, outputs: int) -> bool:
    """Whether a model of so many outputs gets a new head: nothing is lost where a head's labels are but placeholders.

    Args:
        trained: The labels of the checkpoint's trained head, if any.
        outputs: How many the data needs.
    """
    return trained is None or (len(trained) != outputs and all(name.startswith(PLACEHOLDER) for name in trained))


PLACEHOLDER = "LABEL_"  # what transformers calls labels that were given no name


def require_decoder(pretrained: Pretrained) -> None:
    """Refuses a model that cannot write. Raises ModelError where it has no decoder that reads what an encoder says."""
    config = pretrained.config
    if not getattr(config, "is_encoder_decoder", False):
        kind = (getattr(config, "architectures", None) or [f"{config.model_type} model"])[0]
        name = pretrained.name
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
