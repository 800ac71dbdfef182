"""What trackers are told: the recipe without the paths of this machine, and each value under its event."""

from __future__ import annotations

import pytest
import yaml
from accelerate import Accelerator

from hfft.errors import SetupError
from hfft.training.callbacks.log import Track


def test_the_recipe_arrives_with_the_last_part_of_its_paths_alone(tmp_path):
    settings = {"model.name": "/home/ann/models/bert", "task.delimiter": "/", "data.files.train": ["/a/b.csv", "c.csv"]}
    settings |= {"data.hub": "nyu-mll/glue", "optim.lr": 0.1, "data.config": None}
    told = Track(Accelerator(cpu=True), ["tensorboard"], "tiny", tmp_path / "run" / "track", settings)
    told.close()
    (file,) = (tmp_path / "run" / "track" / "tiny").glob("*/hparams.yml")
    assert yaml.safe_load(file.read_text()) == {
        "model.name": "bert",
        "task.delimiter": "/",
        "data.files.train": "['b.csv', 'c.csv']",
        "data.hub": "nyu-mll/glue",
        "optim.lr": 0.1,
        "data.config": "None",
    }


def test_a_tracker_that_does_not_start_is_named_with_its_reason(tmp_path):
    (tmp_path / "track").mkdir()
    (tmp_path / "track" / "tiny").touch()  # where tensorboard wants a folder
    with pytest.raises(SetupError, match=r"track.to is \['tensorboard'\], and one does not start: FileEx.*\. Log"):
        Track(Accelerator(cpu=True), ["tensorboard"], "tiny", tmp_path / "track", {})
