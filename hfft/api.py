"""What Python users call: `train`, `plan`, `sweep`, `load`, `predict`, `evaluate`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from hfft.errors import DataError, DiskError
from hfft.hub.push import publish_finished, push
from hfft.hub.repository import check_before_training
from hfft.io.console import Console, quiet_libraries
from hfft.io.progress import progress_shown
from hfft.io.run_files import read_results
from hfft.io.run_folder import RunFolder, alone_in, next_free, scored_splits
from hfft.recipe import Recipe
from hfft.recipe.files import require_data
from hfft.recipe.space import Space, with_space
from hfft.registry import require
from hfft.reports.facts import write_report
from hfft.reports.notebook import run_html, run_text
from hfft.training.processes import on_main
from hfft.workflows.build import build
from hfft.workflows.environment import make_accelerator
from hfft.workflows.find_lr import RangeTest, find_rate
from hfft.workflows.finished import open_finished
from hfft.workflows.model import Model, Precision, one_device
from hfft.workflows.plan import Plan, make_plan
from hfft.workflows.predict import Evaluation, answer, score
from hfft.workflows.resolve import ResolvedRecipe, resolve, with_tables
from hfft.workflows.resume import resume_warnings, what_is_whole
from hfft.workflows.samples import require_pictures, write_samples
from hfft.workflows.seeds import train_seeds
from hfft.workflows.sizes import lack_of_room
from hfft.workflows.sweep.result import Sweep
from hfft.workflows.train import train_in


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        folder: The run folder.
        scores: By split, then metric: `{"value", "low", "high"}`, as results.json has it; with several seeds value is
            the mean, and `spread` and `values` stand beside.
    """

    folder: Path
    scores: dict[str, dict[str, dict[str, Any]]]

    def __repr__(self) -> str:
        return run_text(RunFolder(self.folder), self.scores)

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        return run_html(RunFolder(self.folder), self.scores)

    def push(
        self,
        repo: str,
        private: bool = False,
        revision: str | None = None,
        adapter: bool = False,
        overwrite: bool = False,
    ) -> str:
        """Publishes the run on the Hub, in one commit, as `hfft.hub.push` does, and returns the address of its page.

        Args:
            repo: USER/NAME; made where it is not there yet.
            private: Make a new repository private.
            revision: A branch other than the main one.
            adapter: Publish adapter/ rather than model/, where the run has both.
            overwrite: Replace another model that is there.

        Raises:
            SetupError: As `hfft.hub.push.push`.
        """
        return push(self.folder, repo, private, revision, adapter, overwrite)


Settings = Recipe | str | os.PathLike[str] | Mapping[str, Any]
"""A recipe, the name of its file, or its values."""


def train(
    recipe: Settings,
    output: str | os.PathLike[str] | None = None,
    resume: str = "auto",
    trust: bool = False,
    accelerator: Accelerator | None = None,
    quiet: bool = False,
    verbose: bool = False,
    data: Any = None,
) -> Result:
    """Fine-tunes as the recipe says and leaves a run folder.

    With several processes all of them call it; the main one writes and prints.

    Args:
        recipe: What to learn: a recipe, the name of its file, or a dict of its settings.
        output: The run folder; by default `runs/NAME`; "auto": the next of `runs/NAME-2`, ... that is free.
        resume: "auto" goes on from the newest whole checkpoint of the folder; "never" wants a new folder; else the
            name or path of a checkpoint of the folder.
        trust: Whether code named by the recipe, or brought by the model, may run.
        accelerator: What to run on; by default what the launcher asked for.
        quiet: Print nothing.
        verbose: Print details too: a batch as the model reads it, every score, those of labels and slices, gradients.
        data: Where the recipe names no data, the training rows: a DataFrame of pandas, a Dataset, or a list of dicts,
            whose pictures are of PIL, arrays or names of files; or a dict of such tables by split: train, eval, test.
            The run folder notes their columns, the number of their rows and a fingerprint, not the rows.

    Raises:
        HfftError: A recipe, data, model or setup error; nothing that was there is lost.
        Stopped: A signal came; the folder has a checkpoint of that very step.
    """
    quiet_libraries()
    resolved = _resolved(recipe, data, trust)
    accelerator = make_accelerator(accelerator)
    console = Console(quiet=quiet or not accelerator.is_main_process, verbose=verbose)
    console.say(f"{accelerator.num_processes} process(es) on {accelerator.device.type}")
    named = Path("runs", resolved.recipe.name)
    main = accelerator.is_main_process
    folder = RunFolder(on_main(accelerator, lambda: next_free(named)) if output == "auto" else output or named)
    several = resolved.recipe.train.seeds is not None
    try:
        with alone_in(folder) if main else nullcontext(), progress_shown(main and not quiet):
            if main:
                check_before_training(resolved.recipe)
            (train_seeds if several else train_in)(folder, resolved, accelerator, resume, console)
            if main:
                publish_finished(folder, resolved.recipe, console)
    except DiskError as error:
        raise DiskError(f"{error} {what_is_whole(folder)}") from error
    results = read_results(folder.results)
    return Result(folder.path, {split: results[split] for split in scored_splits(results)})


def plan(
    recipe: Settings,
    trust: bool = False,
    accelerator: Accelerator | None = None,
    samples: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    data: Any = None,
) -> Plan:
    """Does everything but training: reads and checks the data, loads and tunes the model, measures memory.

    Args:
        recipe: As for `train`.
        trust: As for `train`.
        accelerator: As for `train`.
        samples: A folder that gets a sheet of training images as the model sees them, `train.png`.
        output: The run folder, as for `train`: there the room on the disk is looked at, and a run that would go on.
        data: As for `train`.

    Raises:
        HfftError: As `train` would, or there are no images to show.
    """
    quiet_libraries()
    resolved = _resolved(recipe, data, trust)
    if samples is not None:
        require_pictures(resolved.task, resolved.recipe.task.name)
    accelerator = make_accelerator(accelerator)
    with progress_shown(accelerator.is_main_process):
        setup = build(resolved, accelerator)
    if samples is not None:
        write_samples(setup, samples)
    folder = RunFolder(output or Path("runs", resolved.recipe.name))
    lack = lack_of_room(setup, folder)
    setup.warnings += [*resume_warnings(folder, setup), *([lack] if lack is not None else [])]
    return make_plan(setup)


def find_lr(
    recipe: Settings,
    steps: int = 100,
    trust: bool = False,
    accelerator: Accelerator | None = None,
    data: Any = None,
) -> RangeTest:
    """Looks for a learning rate: a few training steps, each with a higher one (Smith 2017, section 3.3).

    Nothing is kept of the weights.

    Args:
        recipe: As for `train`.
        steps: At most so many.
        trust: As for `train`.
        accelerator: As for `train`.
        data: As for `train`.

    Returns:
        The rates, the losses, and `suggestion`, an `optim.lr` for this very recipe.

    Raises:
        HfftError: As `train`.
    """
    quiet_libraries()
    return find_rate(build(_resolved(recipe, data, trust), make_accelerator(accelerator)), steps)


def sweep(
    recipe: Settings,
    space: Space | None = None,
    output: str | os.PathLike[str] | None = None,
    trust: bool = False,
    accelerator: Accelerator | None = None,
    quiet: bool = False,
    data: Any = None,
    sets: Sequence[str] = (),
    **settings: Any,
) -> Sweep:
    """Looks for better settings: trains the recipe with many, and chooses by the eval split.

    The test split is scored once, at the end, for the chosen one alone. The same call goes on where it was stopped;
    several at once, with one folder or one storage, share the work. All processes of one call it.

    Args:
        recipe: As for `train`. It may have a `sweep` section.
        space: The values to try by setting, such as `{"optim.lr": "log:1e-5..1e-3", "tune.layer_decay": [0.7, 0.8]}`,
            or the name of a YAML file of such; more than the recipe's section has, or in its place.
        output: The folder of the sweep; by default `runs/NAME-sweep`.
        trust: As for `train`.
        accelerator: As for `train`.
        quiet: Print nothing.
        data: As for `train`.
        sets: More of the space, as `"optim.lr=log:1e-5..1e-3"`.
        settings: Of the `sweep` section: `trials=20`, `method="random"`, `time_limit="2h"`, `pruner="hyperband"`, ...

    Raises:
        HfftError: As `train`; or the space is none.
        Stopped: A signal came; the trial at work goes on with the next call.
    """
    require("optuna", "sweep", "hfft sweep")
    from hfft.workflows.sweep.search import Work, sweep_in  # which brings Optuna

    quiet_libraries()
    whole = with_space(_as_recipe(recipe, data), space, sets, settings)
    accelerator = make_accelerator(accelerator)
    main = accelerator.is_main_process
    place, console = Path(output or Path("runs", f"{whole.name}-sweep")), Console(quiet=quiet or not main)
    with progress_shown(False):
        return sweep_in(Work(place, whole, _given(whole, data, trust), accelerator, console))


def _resolved(given: Settings, data: Any, trust: bool) -> ResolvedRecipe:
    """The recipe of a run, checked, with the tables that it is given."""
    return _given(_as_recipe(given, data).model_copy(update={"sweep": None}), data, trust)


def _as_recipe(given: Settings, data: Any) -> Recipe:
    """The recipe; where data are given it says so."""
    tables = _by_split(data)
    noted = [] if data is None else [f"data.memory={json.dumps({str(split): {} for split in tables})}"]
    if isinstance(given, Recipe) and noted:
        given = given.model_dump(mode="json")
    if isinstance(given, Recipe):
        recipe = given
    else:
        recipe = Recipe.from_dict(dict(given), *noted) if isinstance(given, Mapping) else Recipe.load(given, *noted)
    require_data(recipe, tables)
    return recipe


def _given(recipe: Recipe, data: Any, trust: bool) -> ResolvedRecipe:
    """A recipe, resolved, with the tables that it is given."""
    tables = _by_split(data)
    return with_tables(resolve(recipe, trust), tables) if tables else resolve(recipe, trust)


def _by_split(data: Any) -> Mapping[str, Any]:
    """Tables in memory by split."""
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        return {"train": data}
    if "train" not in data:
        raise DataError(
            f"data is a dict of {', '.join(map(str, data)) or 'nothing'}; give a table, or a dict of tables by split, "
            "{'train': ..., 'eval': ...}. A dict of columns becomes a table by datasets.Dataset.from_dict."
        )
    return data


def load(
    model: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    batch_size: int | None = None,
    trust: bool = False,
    device: Any = None,
    dtype: Precision = "float32",
) -> Model:
    """Opens a finished model once, to be asked as often as one likes.

    Args:
        model: A run folder, or a model of transformers for a task of hfft: a folder, a Hub id, or package://NAME/PATH.
        overrides: Changes to the recipe, such as `"task.text=body"`.
        batch_size: Rows answered at once; rows of like length are put together.
        trust: Whether code that the recipe names, or the model brings, may run.
        device: Such as "cpu" or "cuda:1"; by default the accelerator of the machine, where it has one.
        dtype: Of the weights, and of what is computed: "float32" or "bfloat16".

    Raises:
        HfftError: The model cannot be read, or there is no such device.
    """
    quiet_libraries()
    place = one_device(device, dtype)
    return Model(open_finished(str(model), overrides, batch_size, trust, place), str(model))


def predict(
    model: str | os.PathLike[str],
    inputs: Any,
    overrides: Sequence[str] = (),
    batch_size: int | None = None,
    trust: bool = False,
    accelerator: Accelerator | None = None,
) -> list[dict[str, Any]]:
    """Answers texts, images, or the rows of files, with a finished model. To ask it more than once: `load`.

    Args:
        model: As for `load`.
        inputs: One or several texts (pairs and the like as tuples), or names of csv, tsv, xlsx, json, jsonl, parquet
            or txt files. Of a model that sees images: pictures of PIL, arrays of numbers from 0 to 255 (height, width,
            3), or names of image files, of folders of them, or of tables. Or rows as dicts; or a Dataset, or a
            DataFrame or Series of pandas, whose texts are never taken for names of files.
        overrides: As for `load`.
        batch_size: As for `load`.
        trust: As for `load`.
        accelerator: What to run on.

    Returns:
        For each row, in order: `id` (from 0), `input` (of a picture its file's name, where it has one), `answer`, and
        where there are any `score`, and `probabilities` by label. Where there is no answer, as to an empty text or a
        picture that cannot be read, it is None, and `error` says why.

    Raises:
        HfftError: The model cannot be read, the inputs are of a wrong kind, or not one of them can be answered.
    """
    quiet_libraries()
    finished = open_finished(str(model), overrides, batch_size, trust, make_accelerator(accelerator))
    return answer(finished, inputs).require_some().rows


def evaluate(
    model: str | os.PathLike[str],
    *data: Any,
    overrides: Sequence[str] = (),
    batch_size: int | None = None,
    trust: bool = False,
    accelerator: Accelerator | None = None,
) -> Evaluation:
    """Scores a finished model on labelled rows, with the metrics and intervals of training.

    Args:
        model: As for `predict`.
        data: Names of files, as in a recipe, or one table: a Dataset, a DataFrame of pandas, or a list of dicts.
        overrides: As for `predict`.
        batch_size: As for `predict`.
        trust: As for `predict`.
        accelerator: As for `predict`.

    Raises:
        HfftError: As for `predict`.
    """
    quiet_libraries()
    finished = open_finished(str(model), overrides, batch_size, trust, make_accelerator(accelerator))
    return replace(score(finished, data), model=str(model))


def report(run: str | os.PathLike[str]) -> Path:
    """Writes report.html and report.json of a finished run again, and returns the page.

    Raises:
        SetupError: There is no finished run, or a file of it cannot be read.
    """
    return write_report(RunFolder(run))
