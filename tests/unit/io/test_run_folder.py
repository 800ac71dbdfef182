"""The run folder: its names are a contract, and what stands in it is whole."""

from __future__ import annotations

import errno
import json
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hfft.errors import DiskError, SetupError
from hfft.io.run_folder import (
    MANIFEST,
    RunFolder,
    damage,
    read_json,
    sha256,
    whole_folder,
    write_json,
    write_manifest,
    write_text,
    writing,
)


def names(place):
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))


def test_the_names_of_a_run_are_those_other_programs_read(tmp_path):
    folder = RunFolder(tmp_path)
    places = {
        "recipe.yaml": folder.recipe,
        "environment.json": folder.environment,
        "parameters.json": folder.parameters,
        "metrics.jsonl": folder.metrics,
        "results.json": folder.results,
        "predictions/eval.jsonl": folder.predictions("eval"),
        "checkpoints/step-00000500": folder.checkpoint(500),
        "checkpoints/best-00000500": folder.best(500),
        "model": folder.model,
        "adapter": folder.adapter,
        ".lock": folder.lock,
        ".holder.json": folder.holder,
    }
    assert {name: tmp_path / name for name in places} == places


def test_create_makes_the_folder_with_its_parents_and_leaves_nothing_else(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "first")
    folder.create()
    folder.create()
    assert names(tmp_path) == ["runs", "runs/first"]


def test_a_folder_that_cannot_be_written_to_is_refused_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        SetupError, match=r"output folder .*file cannot be written to \(.*\)\. Choose another with --out"
    ):
        RunFolder(tmp_path / "file").create()


def test_steps_are_listed_as_numbers_and_strangers_are_not(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.checkpoint_steps() == folder.best_steps() == []
    for place in (folder.checkpoint(123456789), folder.checkpoint(20), folder.checkpoint(3), folder.best(7)):
        place.mkdir(parents=True)
    for stranger in (".tmp-step-00000004", "step-last", "notes"):
        (folder.checkpoints / stranger).mkdir()
    assert folder.checkpoint_steps() == [3, 20, 123456789]
    assert folder.best_steps() == [7]


def test_a_text_is_written_as_utf8_with_plain_line_ends_and_leaves_no_temporary_file(tmp_path):
    write_text(tmp_path / "deep" / "a.txt", "old")
    write_text(tmp_path / "deep" / "a.txt", "näw\n")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == "näw\n".encode()
    assert names(tmp_path) == ["deep", "deep/a.txt"]


def test_a_write_that_fails_leaves_the_old_text(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half of it\ud800")
    assert path.read_text() == "old"
    RunFolder(tmp_path).remove_unfinished()
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused_and_the_old_value_stays(tmp_path, number):
    write_json(tmp_path / "a.json", {"label": "größer"})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"f1": number})
    assert read_json(tmp_path / "a.json") == {"label": "größer"}


def test_a_folder_appears_when_it_is_whole(tmp_path):
    place = tmp_path / "step-1"
    with whole_folder(place) as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "weights").write_bytes(b"12")
        assert not place.exists()
    assert names(tmp_path) == ["step-1", "step-1/deep", "step-1/deep/weights"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("old", "new"):
        with whole_folder(tmp_path / "model") as temporary:
            (temporary / name).touch()
    assert names(tmp_path) == ["model", "model/new"]


def stop_while_writing(place, error):
    with whole_folder(place) as temporary:
        (temporary / "new").touch()
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_that_was_not_finished_leaves_the_old_one(tmp_path, error):
    with whole_folder(tmp_path / "model") as temporary:
        (temporary / "old").touch()
    with pytest.raises(error):
        stop_while_writing(tmp_path / "model", error)
    assert names(tmp_path) == ["model", "model/old"]


def test_what_a_kill_left_behind_long_ago_goes_with_the_next_folder(tmp_path):
    (tmp_path / ".tmp-model-0a1b2c3d").mkdir()
    (tmp_path / ".tmp-model-0a1b2c3d" / "stale").touch()
    os.utime(tmp_path / ".tmp-model-0a1b2c3d", (0, 0))
    with whole_folder(tmp_path / "model") as temporary:
        (temporary / "new").touch()
    assert names(tmp_path) == ["model", "model/new"]


def test_remove_unfinished_takes_temporary_things_alone(tmp_path):
    folder = RunFolder(tmp_path)
    for place in (folder.checkpoint(1), folder.checkpoints / ".tmp-step-00000002", tmp_path / ".tmp-model"):
        place.mkdir(parents=True)
        (place / "weights").touch()
    (tmp_path / ".tmp-results.json").touch()
    folder.remove_unfinished()
    assert names(tmp_path) == ["checkpoints", "checkpoints/step-00000001", "checkpoints/step-00000001/weights"]


def test_several_write_the_same_at_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: write_text(tmp_path / "deep" / "a.txt", "whole" * 9999), range(200)))
    assert (tmp_path / "deep" / "a.txt").read_text() == "whole" * 9999
    assert names(tmp_path) == ["deep", "deep/a.txt"]


@pytest.fixture
def little_room():
    """A process that may write no file of more than 1,000 bytes: what is seen of it is what a full disk shows."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def save_weights(place):
    with whole_folder(place) as temporary:
        (temporary / "small").touch()
        save_file({"weights": torch.zeros(1000)}, temporary / "model.safetensors")


@pytest.mark.parametrize("write", [save_weights, lambda place: write_text(place, "long" * 1000)])
def test_a_full_disk_is_told_with_its_folder_and_nothing_is_left(tmp_path, little_room, write):
    with pytest.raises(
        DiskError, match=rf"{tmp_path}/step-1 cannot be written: File too large. On the disk of {tmp_path} "
    ):
        write(tmp_path / "step-1")
    assert names(tmp_path) == []


def test_a_full_disk_is_found_beneath_what_its_closing_raises(tmp_path):
    def closing() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise ValueError("I/O operation on closed file")  # as datasets does

    with (
        pytest.raises(DiskError, match="tokens cannot be written: No space left on device"),
        writing(tmp_path / "tokens"),
    ):
        closing()
    with pytest.raises(ValueError, match="closed"), writing(tmp_path / "tokens"):
        raise ValueError("closed")


def test_a_device_is_written_to_and_not_replaced():
    write_text(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(DiskError, match=r"/dev/full cannot be written: No space left on device"):
        write_text(Path("/dev/full"), "text")


@pytest.fixture
def checkpoint(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "weights").write_bytes(b"abc")
    (tmp_path / "state.json").write_text("{}")
    write_manifest(tmp_path)
    return tmp_path


def test_the_manifest_lists_size_and_hash_of_every_file(checkpoint):
    files = json.loads((checkpoint / MANIFEST).read_text())
    hashed = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, of "abc"
    assert sha256(checkpoint / "deep" / "weights") == hashed
    assert files["deep/weights"] == {"bytes": 3, "sha256": hashed}
    assert sorted(files) == ["deep/weights", "state.json"]
    assert damage(checkpoint) is None


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda place: (place / "deep" / "weights").unlink(), "deep/weights is missing"),
        (lambda place: (place / "deep" / "weights").write_bytes(b"ab"), "deep/weights has 2 bytes instead of 3"),
        (lambda place: (place / "deep" / "weights").write_bytes(b"abd"), "deep/weights is not what was written"),
        (lambda place: (place / MANIFEST).unlink(), "manifest.json cannot be read"),
        (lambda place: (place / MANIFEST).write_text("{"), "manifest.json cannot be read"),
        (lambda place: (place / MANIFEST).write_text("[1]"), "manifest.json cannot be read"),
        (lambda place: (place / MANIFEST).write_text('{"state.json": 3}'), "manifest.json cannot be read"),
    ],
)
def test_damage_is_found_and_named(checkpoint, harm, told):
    harm(checkpoint)
    assert told in str(damage(checkpoint))
