"""A sweep that is stopped goes on; several workers share it: no trial is lost, and none is run twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import hfft
from hfft.errors import SetupError
from hfft.testing import events
from tests.laws.forked import Forked
from tests.laws.runs import finished, launch

SPACE = {"optim.lr": "log:1e-4..1e-1", "tune.freeze.blocks": [0, 1]}

OPTIONS = ("--set", "optim.lr=log:1e-4..1e-1", "--set", "tune.freeze.blocks=0,1", "--trials", "4")

OFTEN = ("train.checkpoint_every=2", "train.eval_every=8")


def wait_for(found: Any, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


def cut(sweep: Forked | subprocess.Popen[str], place: Path, trial: int, number: int) -> None:
    """Sends a signal while a trial trains, after a checkpoint of it."""
    wait_for(lambda: list(place.glob(f"trials/{trial:04d}/checkpoints/step-*")) or sweep.poll() is not None)
    sweep.send_signal(number)


def kill_amid_a_trial(worker: Forked, place: Path) -> None:
    """Kills a worker early in a trial of its own, after a checkpoint of it, when another worker has begun too."""

    def amid() -> bool:
        trials = told_of(place)["trials"] if (place / "sweep.json").exists() else []
        mine = [trial for trial in trials if trial["worker"].endswith(f"-{worker.pid}") and trial["state"] == "running"]
        saved = [file.name for trial in mine for file in (place / trial["folder"]).glob("checkpoints/step-*")]
        return len({trial["worker"] for trial in trials}) > 1 and "0" < max(saved, default="") < "step-00000013"

    wait_for(amid)
    worker.kill()


def told_of(place: Path) -> dict[str, Any]:
    return json.loads((place / "sweep.json").read_text())


def require_each_once(told: dict[str, Any], trials: int) -> None:
    """Each trial that was begun has come to an end, under its own number or another; no settings came twice."""
    ended = [trial for trial in told["trials"] if trial["state"] != "interrupted"]
    assert [trial["state"] for trial in ended] == ["complete"] * trials
    assert len({json.dumps(trial["settings"]) for trial in ended}) == trials
    assert len({trial["folder"] for trial in ended}) == trials
    cut_off = [trial for trial in told["trials"] if trial["state"] == "interrupted"]
    again = {trial["retry_of"]: trial for trial in told["trials"] if trial["retry_of"] is not None}
    assert sorted(again) == [trial["number"] for trial in cut_off]
    for trial in cut_off:
        assert all(again[trial["number"]][key] == trial[key] for key in ("settings", "folder"))
    assert told["chosen"]["test"]["accuracy"]["value"] >= 0


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.wide)])
def test_a_sweep_goes_on_where_it_was_cut(tiny, tmp_path, number):
    recipe, place = tiny("text-classification"), tmp_path / "sweep"
    sweep = launch(recipe, place, *OFTEN, options=OPTIONS, command="sweep")
    cut(sweep, place, 1, number)
    _, err = sweep.communicate(timeout=240)
    if number == signal.SIGTERM:
        assert sweep.returncode == 143
        assert "trials/0001 is a trial" in err
        assert told_of(place)["trials"][1]["state"] == "interrupted"
    out = finished(launch(recipe, place, *OFTEN, options=OPTIONS, command="sweep"))
    assert "Going on in" in out
    told = told_of(place)
    require_each_once(told, 4)
    (retried,) = [trial for trial in told["trials"] if trial["retry_of"] is not None]
    assert (retried["retry_of"], retried["folder"]) == (1, "trials/0001")
    assert [event["step"] for event in events(place / "trials" / "0001", "eval")] == [8, 16, 24]
    assert [step for step, _ in retried["evaluations"]] == [8, 16, 24]
    assert "finished" not in finished(launch(recipe, place, *OFTEN, options=OPTIONS, command="sweep"))
    assert told_of(place)["trials"] == told["trials"]


def test_two_workers_share_a_sweep_and_one_takes_up_what_the_other_left(tiny, tmp_path):
    recipe, place = tiny("text-classification"), tmp_path / "sweep"
    first = launch(recipe, place, *OFTEN, options=OPTIONS, command="sweep")
    wait_for(lambda: (place / "trials" / "0000").is_dir())
    second = launch(recipe, place, *OFTEN, options=OPTIONS, command="sweep")
    kill_amid_a_trial(first, place)
    finished(second)
    told = told_of(place)
    require_each_once(told, 4)
    (lost,) = [trial for trial in told["trials"] if trial["state"] == "interrupted"]
    (again,) = [trial for trial in told["trials"] if trial["retry_of"] == lost["number"]]
    assert [trial["worker"].rpartition("-")[2] for trial in (lost, again)] == [str(first.pid), str(second.pid)]


def test_two_processes_train_each_trial_together(tiny, tmp_path):
    recipe, place = tiny("text-classification"), tmp_path / "sweep"
    options = (*OPTIONS[:-1], "2")
    out = finished(launch(recipe, place, *OFTEN, options=options, processes=2, command="sweep"))
    assert out.count("Best: trial") == 1
    told = told_of(place)
    require_each_once(told, 2)
    for trial in told["trials"]:
        assert json.loads((place / trial["folder"] / "environment.json").read_text())["processes"] == 2


@contextmanager
def postgres(place: Path) -> Iterator[str]:
    """A PostgreSQL server of its own, whose user has the password `secret`; its URL. Skips where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or list(filter(None, [shutil.which("initdb")]))
    if not found:
        pytest.skip("there is no PostgreSQL server here (Debian: apt-get install postgresql)")
    tools, data = Path(found[-1]).parent, place / "postgres"
    data.mkdir(parents=True)
    (place / "password").write_text("secret")
    as_user = []
    if os.geteuid() == 0:  # which the server refuses to run as
        shutil.chown(data, "postgres")
        shutil.chown(place / "password", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
        for folder in data.parents:
            if folder != Path("/") and folder.stat().st_uid == 0 and folder not in (Path("/tmp"), Path("/dev/shm")):
                folder.chmod(folder.stat().st_mode | 0o011)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    make = [str(tools / "initdb"), "-D", str(data), "-U", "me", "-A", "scram-sha-256"]
    subprocess.run([*as_user, *make, "--pwfile", str(place / "password")], check=True, capture_output=True)
    serve = [str(tools / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data)]
    server = subprocess.Popen([*as_user, *serve], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ready = [str(tools / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
        wait_for(lambda: subprocess.run(ready, capture_output=True).returncode == 0, 60)
        yield f"postgresql+psycopg://me:secret@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(60)


@pytest.mark.wide
def test_two_workers_share_a_study_on_postgresql(tiny, tmp_path):
    with postgres(tmp_path / "server") as address:
        recipe, place = tiny("text-classification"), tmp_path / "sweep"
        options = (*OPTIONS, "--storage", address)
        first = launch(recipe, place, *OFTEN, options=options, command="sweep")
        wait_for(lambda: (place / "trials" / "0000").is_dir())
        second = launch(recipe, place, *OFTEN, options=options, command="sweep")
        kill_amid_a_trial(first, place)
        out = finished(second)
        told = told_of(place)
        require_each_once(told, 4)
        assert [trial["state"] for trial in told["trials"]].count("interrupted") == 1
        assert not (place / "study.log").exists()
        texts = [file for file in place.rglob("*") if file.is_file() and file.suffix in (".yaml", ".json", ".html")]
        assert not [file for file in texts if "secret" in file.read_text()]
        assert "secret" not in out
        other = {**recipe, "optim": {"lr": 0.5}, "name": "tiny"}
        with pytest.raises(SetupError, match=r"holds another sweep: optim\.lr is 0\.5") as refused:
            hfft.sweep(other, SPACE, output=tmp_path / "elsewhere", trials=4, storage=address, quiet=True)
        assert "secret" not in str(refused.value)
    with pytest.raises(SetupError, match=r"me@127\.0\.0\.1.* cannot be opened") as refused:
        hfft.sweep(recipe, SPACE, output=tmp_path / "third", storage=address, quiet=True)
    assert "secret" not in str(refused.value)
