"""Fashion-MNIST and an ImageNet MobileNetV2, in the folder that HFFT_DATA names: learnt, resumed, agreed with."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Image
from PIL import Image as Pictures
from sklearn import metrics

import hfft
from hfft.testing import predictions
from tests.laws.runs import finished, launch
from tests.laws.test_resuming import wait_for

DATA = Path(os.environ.get("HFFT_DATA", "HFFT_DATA is not set"))
FASHION = DATA / "image_classification" / "fashion_mnist"
MOBILENET = DATA / "pretrained" / "mobilenet_v2_1.0_224"
RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "mobilenet_local.yaml"
ALL = {
    **{"policy": "randaugment", "mixup": 0.2, "cutmix": 1.0, "erasing": 0.25, "rotation": 10},
    **{"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.05, "vertical_flip": 0.1},
}

pytestmark = [
    pytest.mark.skipif(not FASHION.is_dir(), reason=f"the data is not there: {FASHION}"),
    pytest.mark.skipif(not MOBILENET.is_dir(), reason=f"the weights are not there: {MOBILENET}"),
]


@pytest.fixture
def recipe():
    """The recipe on a few rows, as plain values, with a new head."""
    given = [f"data.root={FASHION}", "data.train=train[:960]", "data.eval=test[:100]", "data.test=test[100:400]"]
    given += [f"model.name={MOBILENET}", "model.new_head=true"]
    return hfft.Recipe.load(RECIPE, *given).model_dump(mode="json")


def test_a_new_head_learns_and_transformers_and_scikit_learn_agree(recipe, tmp_path):
    from transformers import pipeline

    head = ["tune.freeze.blocks=all", "tune.layer_decay=1", "optim.lr=3e-3", "train.epochs=3"]
    result = hfft.train(hfft.Recipe.from_dict(recipe, *head), output=tmp_path / "run", quiet=True)
    rows = predictions(tmp_path / "run", "test")
    answers, truths = ([row[name] for row in rows] for name in ("answer", "truth"))
    scores = result.scores["test"]
    assert scores["accuracy"]["low"] > 0.55
    assert scores["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(truths, answers), abs=1e-12)
    assert scores["f1"]["value"] == pytest.approx(metrics.f1_score(truths, answers, average="macro"), abs=1e-12)
    stored = Dataset.from_parquet(str(FASHION / "test.parquet")).select(range(100, 400))
    files = stored.cast_column("image", Image(decode=False))["image"]
    images: list[Any] = [Pictures.open(BytesIO(value["bytes"])) for value in files]
    told: Any = pipeline("image-classification", model=str(tmp_path / "run" / "model"), top_k=1)(images)
    assert [answer[0]["label"] for answer in told] == answers
    assert [answer[0]["score"] for answer in told] == pytest.approx([row["score"] for row in rows], abs=1e-5)


def test_a_run_killed_with_all_augmentation_and_two_workers_goes_on_to_the_same_bytes(recipe, tmp_path):
    given = {**recipe, "task": {**recipe["task"], "augment": ALL}, "data": {**recipe["data"], "workers": 2}}
    overrides = ["train.epochs=1", "train.checkpoint_every=5"]
    finished(launch(given, tmp_path / "whole", *overrides), seconds=600)
    process = launch(given, tmp_path / "killed", *overrides)
    wait_for(lambda: (tmp_path / "killed" / "checkpoints" / "step-00000010").exists(), process, seconds=600)
    process.kill()
    process.communicate()
    assert "Going on after step" in finished(launch(given, tmp_path / "killed", *overrides), seconds=600)
    for name in ("model/model.safetensors", "metrics.jsonl", "predictions/test.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
