"""The study of a sweep without training: who takes what, and what becomes of the trials of workers that are gone."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock
from optuna.trial import TrialState

from hfft.recipe.sweep import SweepSection, without_password
from hfft.workflows.sweep import study as studies
from hfft.workflows.sweep.beginning import points
from hfft.workflows.sweep.storage import open_storage, open_study, settings_of
from hfft.workflows.sweep.study import Trials, is_interrupted


@pytest.fixture
def worker(tmp_path: Path):
    """Opens a worker of the study in this folder, as a process of its own would be."""
    with ExitStack() as held:

        def give(**settings) -> Trials:
            section = SweepSection.model_validate({"space": {"optim.lr": "log:1e-5..1e-3"}, "trials": 4, **settings})
            storage = held.enter_context(open_storage(section, tmp_path / "study.log"))
            study = open_study(storage, "one", "maximize", section.pruner)
            return Trials(tmp_path, section, study, FileLock(tmp_path / ".lock"))

        yield give


def silent(text: str) -> None:
    """Says nothing."""


def taken(worker: Trials):
    found = worker.take(silent)
    assert found is not None
    return found


def test_what_is_drawn_hangs_on_the_trials_before_and_not_on_who_draws(worker, tmp_path):
    drawn = []
    for _ in range(4):
        one = worker(method="random")  # a command that ended and came again
        drawn.append(taken(one).settings["optim.lr"])
        one.end(drawn[-1], TrialState.COMPLETE)
    assert worker(method="random").take(silent) is None
    assert len(set(drawn)) == 4
    (tmp_path / "study.log").unlink()
    one = worker(method="random")
    for rate in drawn:
        assert taken(one).settings["optim.lr"] == rate
        one.end(rate, TrialState.COMPLETE)


def test_a_grid_has_each_point_once_whoever_takes_it(worker):
    space = {"optim.lr": [1e-4, 1e-3], "tune.freeze.blocks": [None, "50%", {"encoder": 1}]}
    first = worker(space=space, method="grid", trials=None)
    other = worker(space=space, method="grid", trials=None)
    for each in (first, other):
        each.fill_grid(points(each.section))
    seen = []
    for each in (first, other) * 3:
        seen.append(taken(each).settings)
        each.end(0.5, TrialState.COMPLETE)
    assert first.take(silent) is None
    assert sorted(seen, key=str) == sorted(points(first.section), key=str)


def test_a_grid_is_cut_by_the_number_of_trials_and_filled_by_more(worker):
    space = {"optim.lr": [1e-4, 1e-3, 1e-2]}
    for count in (2, 3):
        one = worker(space=space, method="grid", trials=count)
        one.fill_grid(points(one.section))
        while one.take(silent) is not None:
            one.end(0.5, TrialState.COMPLETE)
        assert len(one.all()) == count


def test_the_trial_of_a_worker_of_another_machine_is_taken_up_when_it_shows_no_life(worker, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "BEAT", 0.01)
    gone, here = worker(trials=2), worker(trials=2)
    gone.worker = "elsewhere-7"
    lost = taken(gone)
    gone.report(10, 0.25, last=False)
    gone.holding.close()  # the process is gone, and with it its pulse
    assert taken(here).settings != lost.settings
    here.end(0.5, TrialState.COMPLETE)
    monkeypatch.setattr(studies, "GRACE", 0.05)
    again = taken(here)
    assert (again.settings, again.folder) == (lost.settings, lost.folder)
    assert again.number != lost.number
    assert is_interrupted(here.all()[lost.number])
    known = here.all()[again.number]
    assert known.user_attrs["evaluations"] == [[10, 0.25]]
    assert known.user_attrs["retry_of"] == lost.number
    here.end(0.5, TrialState.COMPLETE)
    assert here.take(silent) is None


def test_the_trial_of_a_living_worker_is_left_alone(worker):
    one, other = worker(trials=2), worker(trials=2)
    first = taken(one)
    assert taken(other).number != first.number
    other.end(0.5, TrialState.COMPLETE)
    one.end(0.5, TrialState.COMPLETE)
    assert one.take(silent) is None
    assert [trial.state for trial in one.all()] == [TrialState.COMPLETE] * 2


def test_what_was_lost_between_two_writes_of_a_kill_is_put_back(worker):
    one = worker(trials=1)
    lost = taken(one)
    one.holding.close()
    one.study.tell(lost.number, state=TrialState.FAIL)  # and killed before it was put back
    other = worker(trials=1)
    other.mend()
    other.mend()
    assert taken(other).settings == lost.settings
    other.end(0.5, TrialState.COMPLETE)
    assert other.take(silent) is None


def test_half_a_line_at_the_end_of_the_journal_is_cut_off(worker, tmp_path):
    one = worker()
    first = taken(one)
    one.end(0.5, TrialState.COMPLETE)
    with open(tmp_path / "study.log", "ab") as file:
        file.write(b'{"op_code": 4, "wor')
    other = worker()
    assert settings_of(other.all()[0], other.section.space) == first.settings
    assert taken(other).number == 1
    other.end(0.5, TrialState.COMPLETE)


def test_no_trial_begins_when_time_is_up(worker):
    one = worker(trials=None, time_limit="1s")
    taken(one)
    one.end(0.5, TrialState.COMPLETE, seconds=2.0)
    assert one.take(silent) is None


def test_a_bad_trial_is_pruned_at_its_evaluation(worker):
    one = worker(pruner="asha", trials=8)
    said = []
    for value in (0.9, 0.8, 0.7, 0.1):
        taken(one)
        said.append(one.report(10, value, last=False))
        one.end(None if said[-1] else value, TrialState.PRUNED if said[-1] else TrialState.COMPLETE)
    assert said[0] is False
    assert said[-1] is True
    taken(one)
    assert one.report(20, 0.0, last=True) is False  # nothing is left to save
    one.end(0.0, TrialState.COMPLETE)


@pytest.mark.parametrize("address", ["postgresql://me:pw@host/db", "mysql+pymysql://me:pw@host/db?password=pw"])
def test_a_password_is_taken_out_of_an_address(address):
    assert "pw" not in without_password(address)
