"""Publishes each best evaluation of a run that goes on: a commit each. What fails there never ends the run."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import replace
from typing import Any

from huggingface_hub import HfApi

from hfft.hub.files import publication_on_the_way
from hfft.hub.push import Pushed, commit
from hfft.hub.repository import OVERWRITE, open_target, require_same_model
from hfft.io.console import Console
from hfft.io.run_folder import RunFolder
from hfft.tasks.scores import Scored, score_table
from hfft.training.callbacks.ema import averaged
from hfft.training.loop import Run, StepReport, plain_model
from hfft.training.processes import on_main
from hfft.workflows.build import Callbacks, Setup
from hfft.workflows.finish import save_model


class PublishBest:
    """Publishes the weights of an evaluation that is the best so far. The main process does, the others go on.

    Args:
        setup: The run.
        folder: Its folder.
        callbacks: Its callbacks; of those it stands behind the one that scores.
        console: Gets a line for each time.
    """

    def __init__(self, setup: Setup, folder: RunFolder, callbacks: Callbacks, console: Console):
        self.setup, self.folder, self.callbacks, self.console = setup, folder, callbacks, console

    def __call__(self, run: Run, report: StepReport) -> None:
        """Publishes where the step just made was scored, and is the best."""
        self.catch_up(run)

    def catch_up(self, run: Run) -> None:
        """Publishes where the run stands at its best evaluation: after a step, or where it goes on there."""
        latest = self.callbacks.evaluate.latest if self.callbacks.evaluate is not None else None
        step = run.progress.step
        if latest is None or latest[0] != step or run.progress.best_step != step:
            return
        with run.paused():
            on_main(run.accelerator, lambda: self._publish_or_say(run, latest[1]))

    def _publish_or_say(self, run: Run, scored: Scored) -> None:
        try:
            pushed = self._publish(run, scored)
        except Exception as error:  # whatever the Hub, the disk or the memory come up with
            said = f"Step {run.progress.step} was not published: {error or type(error).__name__}"
            self.setup.warnings.append(said)
            self.console.say(f"warning: {said}")
            self.callbacks.log.event_of_main(run, "publish", {"failed": str(error)})
        else:
            self.console.say(f"step {run.progress.step} published: {pushed.address} (commit {pushed.commit[:8]})")
            self.callbacks.log.event_of_main(run, "publish", {"commit": pushed.commit})

    def _publish(self, run: Run, scored: Scored) -> Pushed:
        recipe = self.setup.recipe
        publish, metric = recipe.publish, recipe.train.best_metric
        assert publish.to is not None  # the recipe has seen to it
        title = f"{recipe.name}, step {run.progress.step}, eval {metric} {run.progress.best_value:.4f}"
        api = HfApi()
        target = open_target(api, publish.to, publish.revision, publish.private)
        if not publish.overwrite:
            require_same_model(target, recipe, self.setup.fingerprints, OVERWRITE)
        with tempfile.TemporaryDirectory(dir=self.folder.path, prefix=".tmp-publish-") as place:
            weights = RunFolder(place)
            with averaged(run):
                copied = _copied(self.setup)
            save_model(copied, weights, _results(self.setup, scored))
            made = publication_on_the_way(self.folder, weights, publish.to, publish.revision, publish.adapter, title)
            return commit(api, target, made, publish.private)


def _copied(setup: Setup) -> Setup:
    """The run with a model and a task of its own, which saving uses up."""
    run = setup.run
    task, model = copy.deepcopy((setup.task, plain_model(run.model, run.accelerator)))
    return replace(setup, task=task, run=replace(run, task=task, model=model))


def _results(setup: Setup, scored: Scored) -> dict[str, Any]:
    """What the card tells of a run that goes on."""
    step = setup.run.progress.step
    whole, by_label = score_table(scored, setup.recipe.eval.confidence, selected=True)
    return {
        "steps": step,
        "best_step": step,
        "eval": whole,
        "eval_labels": by_label,
        "eval_examples": len(scored.labelled[1]),
        "confidence": setup.recipe.eval.confidence,
        "settled": setup.task.fitted,
        "output": setup.task.output,
        "ended": None,
        "warnings": [*setup.warnings, *scored.warnings("eval")],
        "remarks": [
            f"These are weights of step {step} of {setup.run.total_steps}: training was not finished.",
            *map(str, scored.notes("eval").findings),
        ],
    }
