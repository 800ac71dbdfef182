"""A recipe for others: no path of this machine is left in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hfft
from hfft.hub.portable import as_published, missing, places_of, portable, without_paths

BARE: dict[str, Any] = {"task": {"name": "text-classification"}, "data": {"hub": "nyu-mll/glue"}, "model": "some/model"}


def made(**sections: Any) -> hfft.Recipe:
    return hfft.Recipe.from_dict({**BARE, **sections})


@pytest.mark.parametrize(
    ("files", "published"),
    [
        ({"train": "train.csv", "eval": "more/*.csv"}, {"train": "train.csv", "eval": "more/*.csv"}),
        ({"train": "/home/jo/a/train.csv", "eval": "~/eval.csv"}, {"train": "train.csv", "eval": "eval.csv"}),
        ({"train": "../x/train.csv", "eval": "a/../../e.csv"}, {"train": "train.csv", "eval": "e.csv"}),
        ({"train": r"C:\data\train.csv", "eval": r"D:\eval.csv"}, {"train": "train.csv", "eval": "eval.csv"}),
        ({"train": "/d/a/x.csv", "eval": "/d/b/x.csv"}, {"train": "a/x.csv", "eval": "b/x.csv"}),
        ({"train": ["/d/*.csv", "x.csv"], "eval": "/e/x.csv"}, {"train": ["d/*.csv", "x.csv"], "eval": "e/x.csv"}),
    ],
)
def test_files_keep_as_much_of_their_names_as_makes_them_different(files, published):
    recipe = made(data={"files": files, "root": "/data/of/jo"})
    assert portable(recipe).data.files == published
    assert portable(recipe).data.root == "."
    assert portable(portable(recipe)) == portable(recipe)


def test_local_folders_are_no_names_of_the_hub(tmp_path):
    recipe = made(model=str(tmp_path / "bert"), data={"hub": str(tmp_path)})
    assert (portable(recipe).model.name, portable(recipe).data.hub) == ("./bert", f"./{tmp_path.name}")
    assert len(missing(recipe)) == len(missing(portable(recipe))) == 2
    assert as_published(recipe) == as_published(portable(recipe))
    assert portable(made()) == made()
    assert missing(made()) == []
    pair = made(model={"encoder": "~/bert", "decoder": "package://pkg/model"})
    assert (portable(pair).model.encoder, portable(pair).model.decoder) == ("./bert", "package://pkg/model")


def test_where_a_model_goes_is_nobody_elses_affair(tmp_path):
    script = tmp_path / "metric.py"
    script.touch()
    sections = {
        "publish": {"to": "me/model", "private": True, "license": "mit"},
        "eval": {"metrics": [f"evaluate:{script}", "evaluate:f1?average=macro"]},
    }
    recipe = portable(made(**sections))
    assert recipe.publish.model_dump(exclude_defaults=True) == {"license": "mit"}
    assert recipe.eval.metrics == ["evaluate:metric.py", "evaluate:f1?average=macro"]


def test_paths_in_messages_are_replaced():
    recipe = made(data={"files": {"train": "train.csv"}, "root": "/data/of/jo"})
    told = {"a": ["no /data/of/jo/train.csv", {"b": f"{Path.cwd()}/x and /runs/r/checkpoints"}], "c": 3}
    assert without_paths(told, places_of(recipe, Path("/runs/r"))) == {
        "a": ["no jo/train.csv", {"b": "./x and RUN/checkpoints"}],
        "c": 3,
    }
