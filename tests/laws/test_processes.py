"""Laws 2 and 3 with several processes: they are one run. One of them writes, they end together, and nobody comes in."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import hfft
from hfft.errors import DataError, SetupError
from hfft.io.run_folder import RunFolder, alone_in, read_json
from hfft.tasks import text_classification
from hfft.testing import assert_same_run, cut_off
from hfft.workflows.build import build
from hfft.workflows.environment import make_accelerator
from hfft.workflows.resolve import resolve
from tests.laws.runs import LAWFUL, finished, launch, launch_as_users_do, train, trusted
from tests.laws.test_resuming import KEPT, wait_for
from tests.tiny import VARIANTS

RANK = int(os.environ.get("RANK", "0"))


class Options(text_classification.Options):
    fails: dict[int, str] = {}
    alone: str | None = None


class Watched(text_classification.TextClassification):
    """Fails in the processes it is told to, and lets the main one alone write below `alone`, and read first."""

    Options = Options

    def __init__(self, options: Options):
        super().__init__(options)
        self.fault = options.fails.get(RANK)
        self.was_read = Path(options.alone, "read") if options.alone is not None else None
        if self.was_read is not None and RANK == 0:
            self.was_read.unlink(missing_ok=True)
        elif self.was_read is not None:
            forbid_writing(self.was_read.parent)

    def look(self, train: Any) -> None:
        if self.fault == "data":
            raise DataError("The file train.csv is missing.")
        assert RANK == 0 or self.was_read is None or self.was_read.exists()
        super().look(train)

    def model(self, pretrained: Any) -> Any:
        made = super().model(pretrained)
        if RANK == 0 and self.was_read is not None:
            self.was_read.touch()
        return made

    def loss(self, model: Any, batch: Any) -> Any:
        if self.fault == "bug":
            raise ZeroDivisionError("a bug")
        return super().loss(model, batch)


def forbid_writing(folder: Path) -> None:
    """Makes this process fail where it opens a file of a folder for writing, or makes, renames or removes one."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        changes = event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir")
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (changes or writes) and str(arguments[0]).startswith(f"{folder}{os.sep}"):
            raise PermissionError(f"process {RANK}: {event} of {arguments[0]}")

    sys.addaudithook(watch)


def watched(**options: Any) -> list[str]:
    return [f"task.name={__name__}:Watched", *(f"task.{name}={value}" for name, value in options.items())]


@pytest.mark.parametrize(
    ("again", "processes"), [pytest.param(launch_as_users_do, 2, marks=pytest.mark.wide), (launch, 3)]
)
def test_several_processes_resume_exactly_and_one_of_them_reads_first_writes_and_speaks(
    tiny, tmp_path, again, processes
):
    def printed_by(start: Any, output: Path) -> str:
        given = [*KEPT, "train.epochs=2", "train.micro_batch_size=2", *watched(alone=tmp_path)]
        return finished(start(tiny("text-classification"), output, *given, processes=processes, options=("--trust",)))

    printed = printed_by(launch, tmp_path / "whole")
    steps = [line.split()[1] for line in printed.splitlines() if line.startswith("step ") and " loss " in line]
    assert steps == [f"{step}/16" for step in range(1, 17)]
    assert printed.count("run folder") == 1
    cut_off(tmp_path / "whole", tmp_path / "cut", 11)  # inside the second epoch, and the best weights are of before
    assert printed_by(again, tmp_path / "cut").count("Going on after step 11") == 1
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


ONE = ("{1: data}", "process 1: Error: The file train.csv is missing.\n", "rank0")


@pytest.mark.parametrize(
    ("start", "fails", "told", "untold"),
    [
        pytest.param(launch_as_users_do, *ONE, id="one, by accelerate launch", marks=pytest.mark.wide),
        pytest.param(launch, *ONE, id="one"),
        pytest.param(launch, "{0: data, 1: data}", "Error: The file train.csv is missing.\n", "process 1: ", id="all"),
        pytest.param(launch, "{1: bug}", "[rank1]: ZeroDivisionError: a bug\n", "rank0", id="unforeseen"),
    ],
)
def test_one_process_that_fails_ends_all_and_its_message_is_told_once(tiny, tmp_path, start, fails, told, untold):
    recipe = tiny("text-classification")
    process = start(recipe, tmp_path / "run", *watched(fails=fails), processes=2, options=("--trust",))
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert err.count(told) == 1
    assert err.count(told.rpartition(": ")[2]) == 1
    assert f"[{untold}" not in err
    assert untold not in err.partition(told)[0]


def test_a_second_run_into_a_folder_is_refused_while_the_first_one_lives(tiny, tmp_path):
    """With workers: these outlive a killed run by some seconds, and must not hold its lock."""
    recipe, output = tiny("text-classification"), tmp_path / "run"
    process = launch(recipe, output, "train.epochs=400", "data.workers=2")
    wait_for(lambda: (output / "metrics.jsonl").exists(), process)
    before = read_json(output / "environment.json")
    with pytest.raises(
        SetupError, match=rf"at work in .*run: process {process.pid} on .*, since 20.* Wait for its end"
    ):
        train(recipe, output)
    assert read_json(output / "environment.json") == before
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (output / ".holder.json").exists()
    with alone_in(RunFolder(output)):
        pass
    assert not (output / ".holder.json").exists()


@pytest.mark.parametrize("task", [*LAWFUL, *VARIANTS])
def test_a_process_that_loads_batches_can_start_afresh(tiny, task):
    """Windows and macOS fork none: what makes batches goes to it by pickle, and makes the same ones there."""
    given = tiny(task)
    run = build(resolve(hfft.Recipe.from_dict(given), trusted(given)), make_accelerator()).run
    (here,), (there,) = (list(batches(0, 1)) for batches in (run.batches, pickle.loads(pickle.dumps(run.batches))))
    torch.testing.assert_close(
        [part.batch for part in there.micro_batches], [part.batch for part in here.micro_batches], rtol=0, atol=0
    )
