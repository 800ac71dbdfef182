"""What `eval.metrics` names: functions of one's own, and modules of the `evaluate` library such as `evaluate:rouge`.

A module's values are named `evaluate_` and their name there, for hfft has its own of many: `evaluate_f1` beside `f1`.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hfft.errors import RecipeError, SetupError
from hfft.io.hub_client import hub_is_reachable
from hfft.metrics.weighing import GROUPS, RESAMPLES, Scores
from hfft.registry import find, require

PREFIX = "evaluate:"

COLUMNS = ("predictions", "references")

LABEL_ARGUMENTS = ("pos_label", "labels")  # may name labels where the module counts them

SLOW_SECONDS = 60.0


def find_metric(setting: str, trust: bool) -> Callable[[list[Any], list[Any]], Mapping[str, float]]:
    """Finds the metric that an entry of `eval.metrics` names. A module of `evaluate` is not loaded yet.

    Raises:
        RecipeError: There is none, it needs trust that was not given, or its arguments cannot be read.
        SetupError: The `evaluate` library is not installed.
    """
    if not setting.startswith(PREFIX) or not trust:
        return find(setting, {}, where="eval.metrics", trust=trust)  # which refuses whatever is not trusted
    require("evaluate", "evaluate", f"eval.metrics '{setting}'")
    return EvaluateModule(setting)


class EvaluateModule:
    """A module of the `evaluate` library as a function (answers, truths) -> {name: number}.

    Where a module takes whole numbers only, such as accuracy and f1, label names become the numbers that the model's
    configuration gives them; so its `pos_label`, 1 where nothing else is said, is the second label.

    Args:
        setting: `evaluate:NAME?argument=value&...`. NAME is one of the Hub's, or the path of a script or of a folder
            with a script of its name. Values are YAML; `config_name` is for loading, the others for each call;
            `pos_label` and `labels` may name labels.

    Attributes:
        numbers: The number of each label.
        left_out: What the module gave that is no number, by name, as people read it.
        seconds: How long the last call took.

    Raises:
        RecipeError: The arguments cannot be read, or there is no such file.
    """

    def __init__(self, setting: str):
        self.setting = setting
        name, _, query = setting.removeprefix(PREFIX).partition("?")
        self.arguments = self._arguments(query)
        self.config_name = self.arguments.pop("config_name", None)
        self.script = self._script(name)
        self.name = name
        self.numbers: Mapping[str, int] = {}
        self.left_out: dict[str, str] = {}
        self.seconds = 0.0
        self._module: Any = None

    def load(self) -> Any:
        """Loads the module, once. The main process goes first: it may download.

        Raises:
            RecipeError: There is no such module, or it wants more than answers and truths.
            SetupError: The Hub cannot be reached, or a package is missing that the module needs.
        """
        if self._module is None:
            self._module = self._loaded()
        return self._module

    def __call__(self, answers: Sequence[Any], truths: Sequence[Any]) -> Scores:
        """Scores answers. What is no finite number is left out.

        Raises:
            ValueError: An answer is neither a number nor a label, or nothing the module gives is a number.
        """
        module, start = self.load(), time.perf_counter()
        given: dict[str, Sequence[Any]] = {"predictions": answers, "references": truths}
        counted = _counted(module)
        inputs = {
            name: [self._number(value) for value in given[name]] if counts else given[name]
            for name, counts in counted.items()
        }
        arguments = {
            name: self._number(value, strict=False) if name in LABEL_ARGUMENTS and all(counted.values()) else value
            for name, value in self.arguments.items()
        }
        values = module.compute(**inputs, **arguments)
        scores = self._scores(values if isinstance(values, Mapping) else {module.name: values})
        self.seconds = time.perf_counter() - start
        return scores

    def warnings(self) -> list[str]:
        """What people should know of the last call."""
        found = [f"gives {what}, which is no number and is left out" for what in self.left_out.values()]
        calls = RESAMPLES + GROUPS
        seconds = calls * self.seconds
        if seconds > SLOW_SECONDS:
            found.append(f"takes {self.seconds:.1f} s; its interval, of {calls} calls, about {seconds / 60:.0f} min")
        return [f"eval.metrics '{self.setting}' {text}" for text in found]

    def _arguments(self, query: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part in filter(None, query.split("&")):
            name, equals, value = part.partition("=")
            if not (name and equals):
                raise RecipeError(f"eval.metrics '{self.setting}': '{part}' is not of the form argument=value.")
            try:
                found[name] = yaml.safe_load(value)
            except (yaml.YAMLError, ValueError):
                raise RecipeError(f"eval.metrics '{self.setting}': '{value}' is not valid YAML.") from None
        return found

    def _script(self, name: str) -> Path | None:
        """The script of a local module; None for one of the Hub's."""
        if not name:
            raise RecipeError(f"eval.metrics '{self.setting}' names no module; write evaluate:NAME.")
        path = Path(name).expanduser()
        script = path if path.suffix == ".py" else path / f"{path.name}.py"
        if script.is_file():
            return script
        if script == path or name.startswith((".", "~")) or path.is_absolute() or name.count("/") > 1:
            raise RecipeError(
                f"eval.metrics '{self.setting}': there is no file {script}. A module of one's own is a script, or a "
                "folder with a script of its name."
            )
        return None

    def _loaded(self) -> Any:
        import evaluate

        asks_hub = self.script is None and hub_is_reachable()
        path = os.fspath(self.script) if self.script else self.name
        try:
            with nullcontext() if asks_hub else _without_hub():
                # The seed is for modules that draw at random; in memory, for else each call writes a file.
                module = evaluate.load(path, self.config_name, keep_in_memory=True, seed=0)
        except ImportError as error:
            raise SetupError(f"eval.metrics '{self.setting}' needs what is not installed: {error}") from error
        except FileNotFoundError as error:
            if self.script is None and not asks_hub:
                raise SetupError(
                    f"eval.metrics '{self.setting}': the Hub cannot be reached, and its cache has no such module. A "
                    "copy of its script works without: give the path."
                ) from None
            raise RecipeError(f"eval.metrics '{self.setting}': {error}") from error
        except Exception as error:  # it is code from outside: of whatever kind, it is the setting's
            raise RecipeError(
                f"eval.metrics '{self.setting}' cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        wanted = list(_counted(module))
        if not set(wanted) <= set(COLUMNS) or "predictions" not in wanted:
            raise RecipeError(
                f"eval.metrics '{self.setting}' scores {' and '.join(wanted)}; hfft has predictions and references "
                "only. Write a function (answers, truths) of your own."
            )
        return module

    def _number(self, value: Any, strict: bool = True) -> Any:
        if isinstance(value, list):
            return [self._number(item, strict) for item in value]
        if strict and (value not in self.numbers if isinstance(value, str) else value != int(value)):
            raise ValueError(f"{self.setting} compares whole numbers, and {value!r:.80} is neither one nor a label")
        return self.numbers.get(value, value) if isinstance(value, str) else value

    def _scores(self, values: Mapping[str, Any]) -> Scores:
        """Single numbers by name; a table such as seqeval's for each tag becomes `evaluate_f1/TAG`."""
        parts: dict[str, Any] = {}
        for name, value in values.items():
            inner = value.items() if isinstance(value, Mapping) else ()
            parts |= {f"{key}/{name}": part for key, part in inner} if isinstance(value, Mapping) else {name: value}
        numbers = {name: number for name, part in parts.items() if (number := _as_number(part)) is not None}
        self.left_out = {name: f"'{name}' as {_kind(part)}" for name, part in parts.items() if name not in numbers}
        if not numbers:
            listed = ", ".join(self.left_out.values()) or "nothing"
            raise ValueError(f"{self.setting} gives {listed}, and no number; an argument may help")
        return {f"evaluate_{name}": number for name, number in numbers.items() if math.isfinite(number)}


def load_modules(metrics: Iterable[Any]) -> None:
    """Loads the modules of `evaluate` among the metrics."""
    for metric in metrics:
        if isinstance(metric, EvaluateModule):
            metric.load()


def number_labels(metrics: Iterable[Any], label2id: Mapping[str, Any] | None) -> None:
    """Tells the modules of `evaluate` among the metrics which number the model's configuration gives each label."""
    for metric in metrics:
        if isinstance(metric, EvaluateModule):
            metric.numbers = {name: int(number) for name, number in (label2id or {}).items()}


def refuse_same_names(given: Iterable[tuple[str, Iterable[str]]]) -> None:
    """Raises RecipeError where two give a value of one name: the later would take the place of the earlier.

    Args:
        given: Who gives values, and their names.
    """
    giver: dict[str, str] = {}
    for who, names in given:
        for name in names:
            if name in giver:
                raise RecipeError(
                    f"eval.metrics: '{name}' comes from {giver[name]} and from {who}. Give it another name, or leave "
                    "one of the two out."
                )
            giver[name] = who


def _counted(module: Any) -> dict[str, bool]:
    """A module's inputs, and whether it takes them as whole numbers only."""
    options = module.features if isinstance(module.features, list) else [module.features]
    return {name: all("int" in _leaf(option[name]) for option in options) for name in options[0]}


def _leaf(feature: Any) -> str:
    """The type of a feature's values, inside whatever lists."""
    while True:
        inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
        if inner is None:
            return getattr(feature, "dtype", "")
        feature = inner


def _as_number(value: Any) -> float | None:
    if value is None or isinstance(value, (str, bytes)) or np.ndim(value):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _kind(value: Any) -> str:
    return f"{type(value).__name__}" + (f" of {len(value)}" if hasattr(value, "__len__") else "")


@contextmanager
def _without_hub() -> Iterator[None]:
    """The `evaluate` library looks into its cache only, while inside; else it tries for minutes before it says no."""
    import evaluate.config as settings

    before, settings.HF_EVALUATE_OFFLINE = settings.HF_EVALUATE_OFFLINE, True
    try:
        yield
    finally:
        settings.HF_EVALUATE_OFFLINE = before
