"""What a training says on the screen: nothing, calm lines, or every detail."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import hfft
from hfft.cli import main
from hfft.io.console import Console
from hfft.training.callbacks.log import Log, ProgressLine
from hfft.training.loop import Progress, StepReport

LINE = r"step (\d+)/60  loss \d\.\d{4}  lr \d\.\d\de-0\d  \d+ samples/s  \d+\.\d% padding  0:00:\d\d left"


@pytest.fixture(scope="module")
def said(tiny, tmp_path_factory):
    """What is printed by a run of sixty steps, however much is asked for."""

    def give(capsys, **how: Any) -> str:
        recipe = hfft.Recipe.from_dict(
            tiny("text-classification"),
            "train.epochs=null",
            "train.steps=60",
            "train.log_every=1",
            "eval.slices=[label]",
        )
        capsys.readouterr()
        hfft.train(recipe, tmp_path_factory.mktemp("log") / "run", **how)
        return capsys.readouterr().out

    return give


def test_a_run_tells_where_it_stands_in_about_fifty_lines_and_ends_with_its_scores(said, capsys):
    text = said(capsys)
    steps = [int(found) for found in re.findall(LINE, text)]
    assert steps[0] == 1
    assert steps[-1] == 60
    assert 50 <= len(steps) <= 60
    assert "gradient" not in text
    assert re.search(r"eval accuracy\s+\d\.\d{4}\s+\d\.\d{4} to \d\.\d{4}", text)
    assert "eval accuracy by label" in text
    assert "test accuracy by label" in text
    assert "Report: " in text.splitlines()[-2]
    assert text.splitlines()[-1].startswith("test accuracy ")


def test_quiet_says_nothing(said, capsys):
    assert said(capsys, quiet=True) == ""


def test_verbose_says_gradients_a_batch_and_the_scores_of_labels(said, capsys):
    text = said(capsys, verbose=True)
    assert len(re.findall(r"lr \S+  gradient \S+  \d+ samples/s", text)) == 60
    for part in ("A batch as the model reads it:", "Versions: python", "eval, by label", "f1_weighted"):
        assert part in text


def test_less_and_more_at_once_are_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "any.yaml", "--quiet", "--verbose"])
    assert stop.value.code == 2
    assert "--quiet and --verbose" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "facts"),
    [
        (120, r"━+ loss \d\.\d{4}  lr \S+  \d+ samples/s  \d\S* padding  0:00:\d\d left"),
        (80, r"loss \d\.\d{4}  lr \S+  \d+ samples/s  \d\S* padding  0:00:\d\d left"),
        (60, r"loss \d\.\d{4}  \d+ samples/s  0:00:\d\d left"),
    ],
)
def test_on_a_terminal_there_is_one_line_that_moves(said, capsys, monkeypatch, columns, facts):
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setenv("COLUMNS", str(columns))
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said(capsys))
    assert re.search(rf"step 60/60 {facts} *\n", plain)
    assert "step 60/60  loss" not in plain  # no plain line beside it


def shown(capsys, seconds: list[float], ahead: float | None) -> str:
    """The last line of a run of 100 steps of 8 samples, of which as many are made as have seconds here."""
    accelerator, progress = SimpleNamespace(num_processes=1), Progress()
    run: Any = SimpleNamespace(progress=progress, total_steps=100, accelerator=accelerator)
    run.steps_per_epoch, run.counts_epochs = 10, True
    log = Log(None, 1, Console(verbose=True))
    log.seconds_ahead = lambda run: ahead
    for took in seconds:
        progress.step, progress.samples, progress.seconds = (
            progress.step + 1,
            progress.samples + 8,
            progress.seconds + took,
        )
        log(run, StepReport(progress.step, 0, *torch.tensor([1.0, 1.0, 1.0]), lr=0.1))
    return capsys.readouterr().out.splitlines()[-1]


def test_speed_and_time_left_are_those_of_the_last_steps_and_of_the_scoring_to_come(capsys):
    slow_at_first = [60.0] * 5 + [0.5] * 45
    assert "16 samples/s  0:00:25 left" in shown(capsys, slow_at_first, 0.0)
    assert "0:10:25 left" in shown(capsys, slow_at_first, 600.0)
    assert "0:00:00 left, then scoring" in shown(capsys, [0.5] * 100, None)
    assert "4 samples/s  0:03:18 left" in shown(capsys, [2.0], 0.0)  # the first step is all that is known


def test_while_a_split_is_scored_the_line_says_how_far_that_is(capsys, monkeypatch):
    monkeypatch.setattr("hfft.training.callbacks.log.SCORING_PATIENCE", -1)
    line = ProgressLine(Console())
    line.show(8, 24, [("loss 1.0", 5)])
    tell = line.scoring("eval")
    for done in range(4):
        tell(done, 3)
    told = capsys.readouterr().out.splitlines()
    assert told[1:] == [f"step 8/24  scoring eval: {k} of 3 batches{'  0:00:00 left' * (k > 0)}" for k in range(3)]
