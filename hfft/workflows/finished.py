"""Opens a finished model: that of a run folder, or any model of transformers for one of hfft's tasks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer, GenerationConfig, PreTrainedModel

from hfft.data.sampling import Budget
from hfft.errors import HfftError, ModelError, SetupError
from hfft.io.run_files import read_environment
from hfft.io.run_folder import RunFolder, require_no_near_name
from hfft.metrics.custom import find_metric, load_modules, number_labels
from hfft.models.origin import WEIGHTS, origin_of
from hfft.models.pretrained import Pretrained, PretrainedSource, labels_of
from hfft.recipe import Recipe
from hfft.recipe.parsing import override
from hfft.tasks import find_task, task_of_architectures
from hfft.tasks.prepare import restore
from hfft.tasks.scores import ExtraMetric
from hfft.tasks.task import Task
from hfft.workflows.build import open_pretrained
from hfft.workflows.defaults import BATCH_SIZE

TRANSIENT = "answers only"  # stands where a recipe wants data, which a finished model does without


@dataclass(frozen=True)
class Finished:
    """A finished model, ready to answer.

    Attributes:
        task: What it was trained for.
        model: On its device.
        accelerator: An Accelerator, or a `hfft.workflows.model.OneDevice`.
        budget: What is answered at once.
        confidence: Of the intervals of scores.
        extra: Further metrics of the recipe.
    """

    task: Task
    model: Any
    accelerator: Any
    budget: Budget
    confidence: float
    extra: Sequence[ExtraMetric]

    @property
    def labels(self) -> list[str]:
        """What it can answer, in the order of the model's numbers; empty where answers are no labels."""
        return labels_of(self.model.config) if self.task.output in ("label", "labels") else []


@dataclass(frozen=True)
class OnBase:
    """A model whose weights are those of its base, and all else of the folder of its adapter, which comes on it last.

    A `Pretrained`, as a task reopens it.

    Attributes:
        base: What was fine-tuned.
        folder: Of the adapter.
        trust: Whether code that comes with the base may run.
    """

    base: Pretrained
    folder: Path
    trust: bool

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.folder)

    @property
    def public_name(self) -> None:
        """None: a folder of this machine."""

    @cached_property
    def config(self) -> Any:
        """The configuration of the finished model."""
        return AutoConfig.from_pretrained(self.folder, trust_remote_code=self.trust)

    @property
    def has_head(self) -> bool:
        """False: the head comes with the adapter."""
        return False

    @property
    def labels(self) -> None:
        """None: the base has none that count."""

    @property
    def rates(self) -> list[str]:
        """None: a finished model drops nothing."""
        return []

    def tokenizer(self, **settings: Any) -> Any:
        """Loads the tokenizer, with these settings."""
        return AutoTokenizer.from_pretrained(self.folder, trust_remote_code=self.trust, **settings)

    def image_processor(self) -> Any:
        """Loads the image processor."""
        return AutoImageProcessor.from_pretrained(self.folder, trust_remote_code=self.trust)

    def load(self, auto_class: Any, **settings: Any) -> tuple[PreTrainedModel, list[str]]:
        """Loads the base as it was for training. Nothing in it counts as new: what is comes with the adapter."""
        model, _ = self.base.load(auto_class, **settings)
        if model.can_generate():
            model.generation_config = GenerationConfig.from_pretrained(self.folder)
        return model, []


def open_finished(
    place: str, overrides: Sequence[str], batch_size: int | None, trust: bool, accelerator: Any
) -> Finished:
    """Loads the model of a run folder, or a model of transformers, and the task it was trained for.

    A run that has an adapter alone is opened with its base, which the recipe names.

    Args:
        place: A run folder, a folder of a model, a Hub id, or package://NAME/PATH.
        overrides: Changes to the recipe, such as `task.text=body`; for a plain model, to the task's defaults.
        batch_size: Rows answered at once; by default the recipe's, or 32.
        trust: Whether code of the recipe or of the model may run.
        accelerator: What to run on: an Accelerator, or a `hfft.workflows.model.OneDevice`, whose precision it gets.

    Raises:
        HfftError: There is no such model, it has no trained head, or an override does not fit.
    """
    require_no_near_name(place)
    folder = RunFolder(place)
    if folder.recipe.is_file():
        recipe = Recipe.load(folder.recipe, *overrides)
        pretrained = _of_run(folder, recipe, trust)
    else:
        pretrained = PretrainedSource(place, trust=trust)
        task = reduce(override, overrides, {}).get("task")
        named = task.get("name") if isinstance(task, dict) else None
        name = named or task_of_architectures(place, pretrained.config.architectures)
        values = {"task": {"name": name}, "model": place}
        recipe = Recipe.from_dict({**values, "data": {"hub": TRANSIENT}}, *overrides)
    kind = find_task(recipe.task.name, trust)
    extra = [find_metric(name, trust) for name in recipe.eval.metrics]
    task = kind(recipe.task_options(kind.Options))
    restore(task, pretrained)
    model, new = task.model(pretrained)
    if new:
        raise ModelError(f"'{place}' has no trained head: {', '.join(new[:3])} would start at random. Train it first.")
    if isinstance(pretrained, OnBase):
        model = _adapted(model, pretrained)
    load_modules(extra)
    number_labels(extra, model.config.label2id)
    model = model.to(accelerator.device, getattr(accelerator, "dtype", None)).eval()
    settings = recipe.eval.with_defaults(**vars(kind.scoring))
    usual = None if settings.batch_tokens else recipe.train.batch_size or BATCH_SIZE
    rows = batch_size or settings.batch_size or usual
    budget = Budget(rows, None if batch_size else settings.batch_tokens)
    return Finished(task, model, accelerator, budget, recipe.eval.confidence, extra)


def _of_run(folder: RunFolder, recipe: Recipe, trust: bool) -> Pretrained:
    """The model of a run, or its adapter on its base."""
    if folder.model.is_dir():
        return PretrainedSource(str(folder.model), trust=trust)
    if not folder.results.is_file() or not folder.adapter.is_dir():
        raise SetupError(f"The run in {folder.path} is not finished: it has no {folder.model.name}/ yet.")
    alone = f"The run in {folder.path} has an adapter and no {folder.model.name}/, so it needs its base"
    if not (folder.adapter / "config.json").is_file():
        raise SetupError(
            f"{alone}, and {folder.adapter} has no config.json, which says what the answers are called. Load it with "
            "PEFT, as its README.md shows: PeftModel.from_pretrained."
        )
    if recipe.model.name is None or recipe.model.from_scratch:
        raise SetupError(f"{alone}, which started with random weights that nobody else has. It cannot answer.")
    base = open_pretrained(recipe.model, trust)
    try:
        _ = base.config
    except HfftError as error:
        raise type(error)(
            f"{alone}, '{base.name}', which is not at hand: {error} Where it lies elsewhere: --set model.name=PLACE "
            '(in Python overrides=["model.name=PLACE"]).'
        ) from error
    _require_same_base(folder, base, alone)
    return OnBase(base, folder.adapter, trust)


def _require_same_base(folder: RunFolder, base: Pretrained, alone: str) -> None:
    """Raises ModelError where the weights of the base are not those that the run began with, as far as is known."""
    try:
        before = read_environment(folder.environment).get("base", {})
    except SetupError:  # damaged: nothing is known then
        return
    now = origin_of(base)
    other = [name for name in now if name.endswith(WEIGHTS) and before.get(name, now[name]) != now[name]]
    if other:
        raise ModelError(
            f"{alone}, and '{base.name}' is another one: its {', '.join(other[:3])} is not what the run began with. "
            "Give the one that it began with: --set model.name=PLACE."
        )


def _adapted(model: Any, found: OnBase) -> Any:
    """Puts the adapter, with the head in it, on the base."""
    from peft import PeftModel

    try:
        with warnings.catch_warnings():  # as where adapters are added
            warnings.simplefilter("ignore")
            return PeftModel.from_pretrained(model, str(found.folder))
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"The adapter in {found.folder} does not fit '{found.base.name}': it is of another model. {error}"
        ) from error
