"""The end of a sweep: the best few are trained with several seeds, one is chosen, and it alone is scored on test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datasets import Dataset
from filelock import FileLock, Timeout

from hfft.errors import TrainingError
from hfft.io.run_files import read_results
from hfft.io.run_folder import RunFolder, alone_in
from hfft.recipe import Recipe
from hfft.recipe.space import without_test
from hfft.recipe.sweep import SweepSection
from hfft.training.processes import main_process_first, on_main
from hfft.workflows.finished import open_finished
from hfft.workflows.predict import score
from hfft.workflows.seeds import train_seeds
from hfft.workflows.splits import read_splits
from hfft.workflows.sweep.storage import settings_of
from hfft.workflows.sweep.study import Trials
from hfft.workflows.sweep.told import Measure, best_first
from hfft.workflows.sweep.trial import Silent, Work, drop_weights, of_trial


@dataclass(frozen=True)
class Candidate:
    """One of the best trials."""

    number: int
    settings: dict[str, Any]
    folder: str


def choose(work: Work, measure: Measure, trials: Trials | None) -> None:
    """Chooses one of the best, unless that is done, and scores it on test. One worker does it; all its processes call.

    Raises:
        TrainingError: No trial has a score.
    """
    with ExitStack() as held:
        candidates = on_main(work.accelerator, lambda: _candidates(work, measure, trials, held))
        if candidates is None:
            return
        seeds, finalists = work.section.final_seeds, []
        if seeds is not None:
            finalists = [found for each in candidates if (found := _with_seeds(work, measure, each, seeds)) is not None]
        best, folder = candidates[0], candidates[0].folder
        if finalists:
            winner = min(finalists, key=lambda entry: entry["mean"] * (1 if measure.less else -1))
            best, folder = next(each for each in candidates if each.number == winner["number"]), winner["folder"]
        recipe = on_main(work.accelerator, lambda: _recipe_of(work, folder))
        test = _test_scores(work, recipe, work.place / folder)
        chosen = {"number": best.number, "settings": best.settings, "folder": folder, "recipe": "best.yaml", **test}
        numbers = [each.number for each in candidates]
        on_main(work.accelerator, lambda: _note(work, trials, recipe, chosen, numbers, finalists))


def _candidates(work: Work, measure: Measure, trials: Trials | None, held: ExitStack) -> list[Candidate] | None:
    """The best trials, the best first; None where another worker has chosen, or has what there is to choose from."""
    assert trials is not None
    lock = FileLock(work.place / ".final.lock")
    try:
        held.enter_context(lock.acquire(blocking=False))
    except Timeout:
        work.console.say("Another worker trains the best and scores them. Waiting for it.")
        held.enter_context(lock.acquire())
    ranked = best_first(trials.all(), measure)[: work.section.finalists]
    if not ranked:
        raise TrainingError(
            f"No trial has a score. Either all have failed, and {work.place / 'sweep.json'} says why, or time was up "
            "before one was done (sweep.time_limit)."
        )
    if trials.study.user_attrs.get("chosen_of") == _signature([each.number for each in ranked], work.section):
        return None
    folder = RunFolder(work.place / ranked[0].user_attrs["folder"])
    if not folder.results.exists():
        work.console.say(
            f"The best trial, {ranked[0].number}, has its folder on the machine of its worker, "
            f"{ranked[0].user_attrs['worker']}, which scores it. Nothing is left to do here."
        )
        return None
    space = work.section.space
    return [Candidate(each.number, settings_of(each, space), each.user_attrs["folder"]) for each in ranked]


def _signature(numbers: Sequence[int], section: SweepSection) -> dict[str, Any]:
    """By which a later command sees that this choice was made already."""
    return {"trials": list(numbers), "seeds": section.final_seeds}


def _with_seeds(work: Work, measure: Measure, candidate: Candidate, seeds: list[int]) -> dict[str, Any] | None:
    """Trains a finalist with several seeds; None where that fails."""
    name = Path(candidate.folder).name
    place = RunFolder(work.place / "final" / name)
    resolved = of_trial(work, candidate.settings, f"final-{name}")
    train = resolved.recipe.train.model_copy(update={"seed": 0, "seeds": seeds})
    resolved = replace(resolved, recipe=resolved.recipe.model_copy(update={"train": train}))
    main = work.accelerator.is_main_process
    try:
        with alone_in(place) if main else nullcontext():
            train_seeds(place, resolved, work.accelerator, "auto", Silent())
    except TrainingError as error:
        work.console.say(f"warning: trial {candidate.number} with seeds {seeds} failed, and is passed over: {error}")
        return None

    def read() -> dict[str, Any]:
        found = read_results(place.results)["eval"][measure.metric]
        if work.section.keep == "best":
            for seed in seeds:
                drop_weights(place.seed(seed).path)
        work.console.say(
            f"trial {candidate.number} with seeds {', '.join(map(str, seeds))}: mean {measure.metric} "
            f"{found['value']:.4f}, spread {found['spread'] or 0:.4f}"
        )
        numbers = {"mean": found["value"], **{key: found[key] for key in ("spread", "low", "high", "values")}}
        return {"number": candidate.number, "seeds": seeds, **numbers, "folder": f"final/{name}"}

    return on_main(work.accelerator, read)


def _recipe_of(work: Work, folder: str) -> Recipe:
    """The recipe of a trial, or of a finalist, what was chosen for it too, with all that was taken away from it."""
    run, given = Recipe.load(RunFolder(work.place / folder).recipe), work.recipe
    kept = {key: getattr(given.train, key) for key in ("keep_checkpoints", "seed", "seeds")}
    train = run.train.model_copy(update=kept)
    back = {"data": work.given.recipe.data, "publish": given.publish, "name": given.name, "train": train}
    return run.model_copy(update=back)


def _test_scores(work: Work, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """The scores of each test split, by metric. The only time that the test rows are looked at."""
    rows: dict[str, Dataset] = {}
    if without_test(recipe.data) != recipe.data:
        with main_process_first(work.accelerator):
            read = read_splits(recipe, work.given.task, work.given.tables).splits
        rows = {split: found for split, found in read.items() if split.partition("-")[0] == "test"}
    finished = open_finished(str(folder), (), None, work.given.trust, work.accelerator) if rows else None
    return {
        "test": None,
        **{
            split: score(finished, [found], work.console.rich.quiet).scores for split, found in rows.items() if finished
        },
    }


def _note(
    work: Work,
    trials: Trials | None,
    recipe: Recipe,
    chosen: dict[str, Any],
    numbers: Sequence[int],
    finalists: Sequence[Mapping[str, Any]],
) -> None:
    """Writes best.yaml, and what was chosen into the study."""
    assert trials is not None
    study = trials.study
    before = study.user_attrs.get("chosen")
    if before is not None and before.get("test") and before["number"] != chosen["number"]:
        text = f"The test split was scored before, for trial {before['number']}, which was the best then."
        study.set_user_attr("warnings", [*study.user_attrs.get("warnings", []), text])
    recipe.save(work.place / "best.yaml")
    study.set_user_attr("finalists", list(finalists))
    scores = read_results(RunFolder(work.place / chosen["folder"]).results)["eval"]
    study.set_user_attr("chosen", {**chosen, "eval": scores})
    study.set_user_attr("chosen_of", _signature(numbers, work.section))
