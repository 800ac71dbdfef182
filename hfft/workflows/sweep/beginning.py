"""Before the first trial: what trials are compared by, and whether the folder and the study are this sweep's."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.storages import BaseStorage

from hfft.errors import RecipeError, SetupError
from hfft.io.run_folder import write_text
from hfft.recipe import Recipe
from hfft.recipe.recipe import differences
from hfft.recipe.space import check_space, first_settings
from hfft.recipe.sweep import SweepSection
from hfft.tasks.scores import headline_metric
from hfft.training.callbacks.cadence import Cadence
from hfft.training.processes import on_main
from hfft.workflows.build import Setup, build
from hfft.workflows.resolve import resolve
from hfft.workflows.sweep.told import Measure
from hfft.workflows.sweep.trial import Work, of_trial

MAY_DIFFER = (
    "sweep.trials",
    "sweep.time_limit",
    "sweep.finalists",
    "sweep.storage",
    "sweep.keep",
    "track.",
    "publish.",
)

OF_LENGTH = ("train.epochs", "train.steps", "train.eval_every", "train.batch_size")


def check(work: Work) -> None:
    """Checks what can be checked without data and model.

    Raises:
        RecipeError: There is no eval split, or a value of the space fits no recipe.
    """
    recipe, given = work.recipe, work.given
    if not given.recipe.data.has_eval:
        raise RecipeError(
            "hfft sweep chooses by the scores of the eval split, and the recipe has none: name one by data.eval or "
            "data.files.eval, or cut it off the training rows, data.holdout=0.1."
        )
    if recipe.train.seeds is not None:
        raise RecipeError(
            "train.seeds trains a recipe several times, and a trial is trained once: leave it out. sweep.seeds trains "
            "the best trials with several seeds."
        )
    check_space(recipe, lambda tried: resolve(tried, given.trust))


def measure_of(work: Work) -> tuple[Measure, list[str]]:
    """Reads data and model as the first trial will, and says by what trials are compared. All processes call it.

    Returns:
        The measure, and warnings.

    Raises:
        HfftError: Data, model and recipe do not fit together, or pruning has nothing to go by.
    """
    setup = build(of_trial(work, first_settings(work.recipe), "first"), work.accelerator)
    return on_main(work.accelerator, lambda: (_measure(setup), _one_evaluation(work.section, setup)))


def _measure(setup: Setup) -> Measure:
    evaluator, train, task = setup.evaluators["eval"], setup.recipe.train, setup.task
    scores = evaluator.trial(setup.run.model, setup.run.accelerator).scores
    plain = [name for name in scores if "/" not in name]
    metric = train.best_metric or headline_metric(plain, unranked=list(task.unranked))
    if metric is None:
        raise RecipeError("The eval split has no scores: no row of it has a label.")
    less = train.less_is_better(task.lower_is_better) if train.best_metric else metric in task.lower_is_better
    return Measure(metric, less, len(evaluator.examples), setup.fingerprints["eval"])


def _one_evaluation(section: SweepSection, setup: Setup) -> list[str]:
    run, pruner = setup.run, section.pruner
    cadence = Cadence(setup.recipe.train.eval_every, run.steps_per_epoch, run.total_steps)
    if pruner == "none" or cadence.left(0) > 1:
        return []
    said = (
        f"sweep.pruner is '{pruner}', but a trial of {run.total_steps} steps is evaluated once, at its end, where "
        f"nothing is left to save. Evaluate more often, such as train.eval_every={max(run.total_steps // 4, 1)}"
    )
    if not any(key in section.space for key in OF_LENGTH):
        raise RecipeError(f"{said}, or leave the pruner out.")
    return [f"{said}; longer trials may end early."]


def claim(place: Path, recipe: Recipe) -> None:
    """Looks whether a folder is new or this sweep's, and writes sweep.yaml into it.

    Raises:
        SetupError: It holds something else, or another sweep.
    """
    file = place / "sweep.yaml"
    foreign = sorted(path.name for path in place.iterdir() if not path.name.startswith("."))
    if foreign and not file.exists():
        raise SetupError(
            f"The folder {place} holds other files ({', '.join(foreign[:3])}) and no sweep. Choose another with "
            "--output."
        )
    if file.exists():
        _require_same(Recipe.load(file), recipe, f"The folder {place}", "choose another folder with --output")
    write_text(file, yaml.safe_dump(_for_files(recipe), sort_keys=False, allow_unicode=True, width=120))


def _for_files(recipe: Recipe) -> dict[str, Any]:
    """The recipe as it was given, its `sweep` section whole, without a password."""
    assert recipe.sweep is not None
    given = recipe.model_dump(mode="json", exclude_unset=True, exclude={"sweep"})
    return {**given, "name": recipe.name, "sweep": recipe.sweep.for_files().model_dump(mode="json")}


def _require_same(old: Recipe, new: Recipe, where: str, fix: str) -> None:
    rows = [row for row in differences(old, new) if not row[0].startswith(MAY_DIFFER)]
    if rows:
        listed = "; ".join(f"{key} is {after!r}, there {before!r}" for key, before, after in rows[:5])
        raise SetupError(f"{where} holds another sweep: {listed}. Give the same to go on, or {fix}.")


def study_there(storage: BaseStorage, recipe: Recipe) -> Measure | None:
    """By what the trials of a study that has begun are compared; None where it has not.

    Raises:
        SetupError: The study of that name is another sweep's.
    """
    if recipe.name not in optuna.get_all_study_names(storage):
        return None
    known = optuna.load_study(study_name=recipe.name, storage=storage).user_attrs
    if "recipe" not in known or "measure" not in known:
        return None
    fix = "give this one another name, such as name=another"
    _require_same(Recipe.from_dict(known["recipe"]), recipe, f"The study '{recipe.name}' in the storage", fix)
    return Measure(**known["measure"])


def note(study: optuna.Study, recipe: Recipe, measure: Measure, warnings: list[str]) -> None:
    """Notes in a study which sweep it is of."""
    if "recipe" not in study.user_attrs:
        study.set_user_attr("measure", asdict(measure))
        study.set_user_attr("warnings", warnings)
        study.set_user_attr("recipe", _for_files(recipe))


def points(section: SweepSection) -> list[dict[str, Any]]:
    """Every combination of a grid."""
    values = [found.few or [] for found in section.space.values()]
    return [dict(zip(section.space, point, strict=True)) for point in product(*values)]
