"""Images with a label, several labels or numbers: what is learnt, answered, counted and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from datasets import Image as ImageFeature
from PIL import Image
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

import hfft
from hfft.data.files import read_files
from hfft.data.loaders import Cut, train_batches
from hfft.errors import DataError, HfftError, ModelError, RecipeError
from hfft.models.pretrained import PretrainedSource
from hfft.tasks.image_classification.task import ImageClassification
from hfft.tasks.prepare import prepare
from tests import tiny
from tests.tiny.pictures import COLOURS, pictures, png, write_pictures
from tests.tiny.vision import vit

FORKS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12 on


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("vit")
    vit(folder, layers=1)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory, model) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("data")
    for split, rows in (("train", 12), ("eval", 5)):
        write_pictures(folder / f"{split}.parquet", pictures(rows, len(split)))
    files = {"train": "train.parquet", "eval": "eval.parquet"}
    hfft.train(recipe(folder, model, files), output=folder / "run", quiet=True)
    return folder / "run"


def recipe(folder: Path, model: Path | str, files: dict[str, str], **task: Any) -> hfft.Recipe:
    return hfft.Recipe.from_dict(
        {
            "task": {"name": "image-classification", **task},
            "data": {"root": str(folder), "files": files},
            "model": str(model),
            "train": {"steps": 2, "batch_size": 4},
        }
    )


def prepared(model: Path, splits: dict[str, Dataset], **options: Any) -> tuple[ImageClassification, Any]:
    task = ImageClassification(ImageClassification.Options(**options))  # type: ignore[arg-type]
    return task, prepare(task, splits, PretrainedSource(str(model)))


def rows_of(labels: list[Any], label: Any) -> Dataset:
    """Pictures with these labels."""
    values = [{"image": row["image"], "label": value} for row, value in zip(pictures(len(labels), 0), labels)]  # noqa: B905
    return Dataset.from_list(values, features=Features({"image": ImageFeature(), "label": label}))


def batch_of(task: Any, examples: Any, draw: bool = False) -> Any:
    rows = [examples.rows[row] for row in range(len(examples))]
    if draw:
        rows = [{**row, "draw": (0, 0, number)} for number, row in enumerate(rows)]
        rows = [{**row, "partner": rows[(number + 1) % len(rows)]} for number, row in enumerate(rows)]
    return task.collate(rows)


def test_several_labels_and_numbers_can_be_asked_of_an_image(model, tmp_path):
    lists = rows_of([["a"], ["a", "b"], [], ["c", "b"]] * 2, List(Value("string")))
    task, found = prepared(model, {"train": lists})
    batch = batch_of(task, found.splits["train"])
    assert batch["labels"].tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1]] * 2
    made, _ = task.model(PretrainedSource(str(model)))
    expected = binary_cross_entropy_with_logits(task.logits(made.eval(), batch), batch["labels"].float())
    assert task.loss(made, batch).item() == pytest.approx(expected.item(), abs=1e-6)
    rows_of([0.5, 1.25, -3.0, 7.5] * 2, Value("float64")).to_parquet(tmp_path / "numbers.parquet")
    files = {"train": "numbers.parquet", "eval": "numbers.parquet"}
    result = hfft.train(recipe(tmp_path, model, files), output=tmp_path / "run", quiet=True)
    assert {"rmse", "mae"} <= set(result.scores["eval"])
    answers = hfft.predict(result.folder, [row["image"] for row in pictures(3, 0)])
    assert all(isinstance(answer["answer"], float) for answer in answers)


def mixed_batch(model: Path, label: Any, values: list[Any], **options: Any) -> tuple[Any, Any, torch.Tensor]:
    task, found = prepared(model, {"train": rows_of(values, label)}, augment={"mixup": 0.4}, **options)
    batch = batch_of(task, found.splits["train"], draw=True)
    made, _ = task.model(PretrainedSource(str(model)))
    return task, batch, task.logits(made.eval(), batch).detach()


CLASSES = ClassLabel(names=["a", "b", "c"])


def test_partners_and_shares_are_those_of_the_rows(model):
    _, batch, _ = mixed_batch(model, CLASSES, [0, 1, 2, 0])
    assert batch["labels"].tolist() == [0, 1, 2, 0]
    assert batch["partner_labels"].tolist() == [1, 2, 0, 0]
    assert ((batch["shares"] >= 0) & (batch["shares"] <= 1)).all()
    assert len(set(batch["shares"].tolist())) == 4


def test_the_loss_of_mixed_images_is_the_cross_entropy_of_mixed_labels(model):
    task, batch, logits = mixed_batch(model, CLASSES, [0, 1, 2, 0], label_smoothing=0.2)
    one_hot, shares = torch.eye(3), batch["shares"][:, None]
    soft = shares * one_hot[batch["labels"]] + (1 - shares) * one_hot[batch["partner_labels"]]
    expected = -((0.8 * soft + 0.2 / 3) * logits.log_softmax(-1)).sum(-1).mean()
    found = task.problem.loss(torch.cat([logits, logits]), *both(batch))
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)
    assert found.item() == pytest.approx(cross_entropy(logits, soft, label_smoothing=0.2).item(), abs=1e-6)
    assert task.weight(batch) == pytest.approx(4)


def test_class_weights_count_by_share(model):
    weights = {"a": 1.0, "b": 3.0, "c": 0.5}
    task, batch, logits = mixed_batch(model, CLASSES, [0, 1, 2, 0], class_weights=weights)
    loss, weight = 0.0, 0.0
    for row in range(4):
        for label, share in (
            (batch["labels"][row], batch["shares"][row]),
            (batch["partner_labels"][row], 1 - batch["shares"][row]),
        ):
            counts = float(share) * list(weights.values())[label]
            loss -= counts * float(logits[row].log_softmax(-1)[label])
            weight += counts
    assert task.problem.loss(torch.cat([logits, logits]), *both(batch)).item() == pytest.approx(loss / weight, abs=1e-6)
    assert task.weight(batch) == pytest.approx(weight, abs=1e-6)


def test_several_labels_of_mixed_images_are_mixed(model):
    values = [["a"], ["a", "b"], [], ["c", "b"]]
    task, batch, logits = mixed_batch(model, List(Value("string")), values)
    shares = batch["shares"][:, None]
    soft = shares * batch["labels"] + (1 - shares) * batch["partner_labels"]
    found = task.problem.loss(torch.cat([logits, logits]), *both(batch))
    assert found.item() == pytest.approx(binary_cross_entropy_with_logits(logits, soft).item(), abs=1e-6)


def both(batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.cat([batch["labels"], batch["partner_labels"]]), torch.cat([batch["shares"], 1 - batch["shares"]])


def test_rows_without_a_label_are_answered_where_that_is_wanted(model):
    train, asked = rows_of([0, 1, 2, -1], CLASSES), rows_of([0, None, -1, 1], CLASSES)
    _, found = prepared(model, {"train": train, "eval": asked})
    assert [found.splits[split].ids.tolist() for split in ("train", "eval")] == [[0, 1, 2], [0, 3]]
    _, found = prepared(model, {"train": train, "eval": asked}, unlabelled="predict")
    assert [found.splits[split].ids.tolist() for split in ("train", "eval")] == [[0, 1, 2], [0, 1, 2, 3]]
    assert found.splits["eval"].rows["labels"][:] == [0, -1, -1, 1]


def broken_files(folder: Path) -> list[Path]:
    """Four files that cannot be read, the last not there."""
    jpeg = folder / "whole.jpg"
    pictures(1, 3)[0]["image"].save(jpeg)
    content = jpeg.read_bytes()
    jpeg.unlink()
    contents = {"cut.jpg": content[:-50], "empty.png": b"", "text.jpg": b"no image"}
    for name, made in contents.items():
        (folder / name).write_bytes(made)
    return [folder / name for name in (*contents, "none.png")]


def image_folder(folder: Path, rows: int = 6, seed: int = 0) -> Path:
    for number, row in enumerate(pictures(rows, seed)):
        place = folder / list(COLOURS)[row["label"]] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        row["image"].save(place)
    return folder


REASONS = {"cut.jpg: image file is truncated", "empty.png: it is empty", "text.jpg: it is no image of a kind"}


@pytest.mark.parametrize("kind", ["csv", "folder", "parquet"])
def test_images_that_cannot_be_read_are_counted_and_named_in_the_plan(model, tmp_path, kind):
    folder = image_folder(tmp_path / "images")
    bad = broken_files(folder / "red")
    if kind == "csv":
        files = sorted(folder.rglob("*.*g"))
        names = [[str(file.relative_to(tmp_path)), file.parent.name] for file in [*files, bad[3]]]
        tiny.write_csv(tmp_path / "train.csv", [{"image": name, "label": label} for name, label in names])
    elif kind == "parquet":
        values = [{"bytes": file.read_bytes() or b"x", "path": file.name} for file in sorted(folder.rglob("*.*g"))]
        rows = Dataset.from_dict({"image": values, "label": ["red", "green"] * 4 + ["blue"]})
        rows.to_parquet(tmp_path / "train.parquet")
    train = {"csv": "train.csv", "folder": "images", "parquet": "train.parquet"}[kind]
    image_folder(tmp_path / "eval", seed=1)
    plan = hfft.plan(recipe(tmp_path, model, {"train": train, "eval": "eval"}))
    (warning,) = [text for text in plan.warnings if "cannot be read" in text]
    count = 4 if kind == "csv" else 3
    assert warning.startswith(f"train: {count} of {6 + count} rows ")
    assert plan.splits["train"]["rows"] == 6
    named = [reason for reason in REASONS if reason in warning]
    assert len(named) >= (2 if kind == "parquet" else 3)


def test_images_that_cannot_be_read_weigh_nothing(model, tmp_path):
    folder = image_folder(tmp_path / "images")  # one of blue, one of green, four of red
    broken_files(folder / "red")
    splits = {"train": read_files([str(folder)], ".", "data.files.train", ["image"]).rows}
    target: Any = prepared(model, splits, class_weights="balanced")[0].problem
    assert target.class_weights.tolist() == [2.0, 2.0, 0.5]


@FORKS
@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_is_gone_when_it_is_trained_on_is_named(model, tmp_path, workers):
    folder = image_folder(tmp_path / "images")
    splits = {"train": read_files([str(folder)], ".", "data.files.train", ["image"]).rows}
    task, found = prepared(model, splits)
    gone = next(folder.rglob("4.png"))
    gone.unlink()
    cut = Cut(batch_size=6, micro_batch_size=None, seed=0, rank=0, processes=1, workers=workers)
    with pytest.raises(DataError, match=rf"^.*{gone.name}"):
        list(train_batches(found.splits["train"], task.collate, cut, 0, 1))


def test_a_split_of_which_no_image_can_be_read_is_refused_with_the_first(model, tmp_path):
    for label in ("a", "b"):
        (tmp_path / "train" / label).mkdir(parents=True)
        broken_files(tmp_path / "train" / label)
    image_folder(tmp_path / "good")
    message = refused(tmp_path, model, {"train": "train", "eval": "good"})
    assert "task.image: no image of the train split is left: 6 of 6 cannot be read, the first, " in message
    assert str(Path("train", "a", "cut.jpg")) in message
    assert "since image file is truncated" in message
    assert "start from" not in message
    tiny.write_csv(
        tmp_path / "train.csv", [{"image": f"nowhere/{row}.jpg", "label": f"l{row % 2}"} for row in range(4)]
    )
    message = refused(tmp_path, model, {"train": "train.csv", "eval": "good"})
    assert f"{tmp_path / 'nowhere' / '0.jpg'}, since there is no such file. Names of files start from" in message


def refused(folder: Path, model: Path | str, files: dict[str, str], **task: Any) -> str:
    with pytest.raises((DataError, RecipeError, ModelError)) as error:
        hfft.plan(recipe(folder, model, files, **task))
    return str(error.value)


def test_a_class_that_train_does_not_have_is_named_with_the_nearest(model, tmp_path):
    image_folder(tmp_path / "train", rows=12)
    image_folder(tmp_path / "eval", rows=12, seed=1)
    (tmp_path / "eval" / "green").rename(tmp_path / "eval" / "greem")
    message = refused(tmp_path, model, {"train": "train", "eval": "eval"})
    assert "of the eval split has the label 'greem'" in message
    assert "Did you mean 'green'?" in message


def test_a_class_without_images_is_counted(model, tmp_path):
    image_folder(tmp_path / "train")
    (tmp_path / "train" / "purple").mkdir()
    plan = hfft.plan(recipe(tmp_path, model, {"train": "train", "eval": "train"}))
    assert plan.splits["train"]["labels"]["purple"] == 0
    assert any("train: 1 of 4 labels (25.0%) have no rows: 'purple'" in text for text in plan.warnings), plan.warnings
    assert any("eval: 6 of 6 rows (100.0%) stand in train as well" in text for text in plan.warnings)


def test_wrong_layouts_and_columns_are_refused(model, tmp_path):
    image_folder(tmp_path / "images")
    files = {"train": "images", "eval": "images"}
    assert "Did you mean 'image'?" in refused(tmp_path, model, files, image="imag")
    assert "Did you mean 'label'?" in refused(tmp_path, model, files, label="lable")
    message = refused(tmp_path, model, {"train": "images/red", "eval": "images"})
    assert "has no subfolders" in message
    assert "each class needs its own subfolder" in message
    Dataset.from_dict({"image": [1, 2], "label": ["a", "b"]}).to_parquet(tmp_path / "numbers.parquet")
    assert "holds Value('int64'), but images" in refused(
        tmp_path, model, {"train": "numbers.parquet", "eval": "images"}
    )


def test_models_that_cannot_see_such_images_are_refused(model, tmp_path):
    image_folder(tmp_path / "images")
    files = {"train": "images", "eval": "images"}
    vit(tmp_path / "blind")
    (tmp_path / "blind" / "preprocessor_config.json").unlink()
    assert "image processor" in refused(tmp_path, tmp_path / "blind", files)
    tiny.bert(tmp_path / "bert")
    assert "image processor" in refused(tmp_path, tmp_path / "bert", files)
    vit(tmp_path / "grey")
    config = json.loads((tmp_path / "grey" / "config.json").read_text("utf-8"))
    tiny.write_json(tmp_path / "grey" / "config.json", {**config, "num_channels": 1})
    assert "The model sees 1 channel(s), but images are opened in RGB" in refused(tmp_path, tmp_path / "grey", files)
    vit(tmp_path / "unlike")
    file = tmp_path / "unlike" / "preprocessor_config.json"
    tiny.write_json(file, {**json.loads(file.read_text("utf-8")), "size": {"height": 24, "width": 24}})
    message = refused(tmp_path, tmp_path / "unlike", files)
    assert "does not take images of 24 x 24 pixels, which its image processor makes" in message
    assert "task.image_size" in message
    assert hfft.plan(recipe(tmp_path, tmp_path / "unlike", files, image_size=16)).splits["train"]["rows"] == 6


def opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.copy()


def ids(answers: list[dict[str, Any]]) -> list[int]:
    return [answer["id"] for answer in answers]


def test_files_folders_tables_and_pictures_get_the_same_answers(run, tmp_path):
    files = sorted(image_folder(tmp_path / "images").rglob("*.png"))
    by_name = hfft.predict(run, [str(file) for file in files])
    assert ids(by_name) == [0, 1, 2, 3, 4, 5]
    assert hfft.predict(run, [str(tmp_path / "images")]) == by_name
    nameless = [{key: row[key] for key in row if key != "input"} for row in by_name]
    assert hfft.predict(run, [opened(file) for file in files]) == nameless
    assert hfft.predict(run, str(files[0]))[0]["probabilities"] == pytest.approx(by_name[0]["probabilities"], abs=1e-6)
    names = [{"image": str(file.relative_to(tmp_path))} for file in files]
    tiny.write_csv(tmp_path / "ask.csv", names)
    assert hfft.predict(run, [str(tmp_path / "ask.csv")]) == by_name


def test_a_file_that_cannot_be_read_has_no_answer_and_moves_no_other(run, tmp_path):
    files = sorted(image_folder(tmp_path / "images").rglob("*.png"))[:3]
    bad = broken_files(tmp_path)
    asked = [files[0], bad[0], files[1], bad[1], files[2]]
    answers = hfft.predict(run, [str(file) for file in asked])
    assert ids(answers) == [0, 1, 2, 3, 4]
    assert [answer["answer"] is None for answer in answers] == [False, True, False, True, False]
    assert answers[3]["error"] == "the picture cannot be read: it is empty"
    expected = hfft.predict(run, [str(file) for file in files])
    for answer, other in zip(answers[::2], expected, strict=True):
        assert answer["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)
    with pytest.raises(DataError, match=r"No input can be answered: 0 .*the picture cannot be read: it is empty"):
        hfft.predict(run, str(bad[1]))


def test_what_is_no_image_is_refused_where_images_are_asked_about(run):
    with pytest.raises(HfftError, match="what a sad film"):
        hfft.predict(run, ["what a sad film"])


def test_folders_and_tables_are_scored_alike(run, tmp_path):
    folder = image_folder(tmp_path / "images", rows=9)
    rows = []
    for label in sorted(COLOURS):
        rows += [
            {"image": Image.open(file), "label": COLOURS[label]} for file in sorted((folder / label).glob("*.png"))
        ]
    write_pictures(tmp_path / "rows.parquet", rows)
    found = [hfft.evaluate(run, str(place)) for place in (folder, tmp_path / "rows.parquet")]
    assert found[0].examples == 9
    assert found[0].scores == found[1].scores
    right = [row["answer"] == row["truth"] for row in found[0].rows]
    assert found[0].scores["accuracy"]["value"] == pytest.approx(np.mean(right))


AUGMENTED = {"rotation": 10, "policy": "randaugment", "hue": 0.1, "erasing": 0.3, "mixup": 0.2, "cutmix": 1.0}


@FORKS
def test_worker_processes_make_the_same_batches(model):
    task, found = prepared(model, {"train": rows_of([0, 1, 2] * 4, CLASSES)}, augment=AUGMENTED)
    made = []
    for workers in (0, 2):
        cut = Cut(batch_size=5, micro_batch_size=2, seed=3, rank=0, processes=1, workers=workers)
        steps = train_batches(found.splits["train"], task.collate, cut, 0, 4)
        made.append([part for step in steps for part in step.micro_batches])
    for alone, worker in zip(*made, strict=True):
        assert alone.ids == worker.ids
        assert alone.batch.keys() == worker.batch.keys()
        assert all(torch.equal(alone.batch[name], worker.batch[name]) for name in alone.batch)


def test_a_view_hangs_on_seed_epoch_and_id_alone(model):
    task, found = prepared(model, {"train": rows_of([0, 1, 2], CLASSES)})
    row = found.splits["train"].rows[0]
    views = {draw: task.collate([{**row, "draw": draw}])["pixel_values"] for draw in ((0, 0, 7), (1, 0, 7), (0, 1, 7))}
    for draw, view in views.items():
        others = [{**found.splits["train"].rows[1], "draw": (0, 0, 8)}, {**row, "draw": draw}]
        assert torch.equal(task.collate(others)["pixel_values"][1], view[0])
    first, *rest = views.values()
    assert not any(torch.equal(first, view) for view in rest)


def test_without_augmentation_training_sees_what_is_scored(model):
    _, found = prepared(model, {"train": rows_of([0, 1, 2], CLASSES)}, augment=None)
    assert found.splits["train"].views is None


def test_titles_of_mixed_pictures_tell_both_labels(model):
    task, batch, _ = mixed_batch(model, CLASSES, [0, 1, 2, 0])
    share = float(batch["shares"][0])
    assert task.pictures(batch)[0][0] == f"{share:.2f} a + {1 - share:.2f} b"
    assert task.show(batch)[0] == f"{share:.2f} a + {1 - share:.2f} b: 16 x 16 pixels"


def test_a_png_in_bytes_is_read_like_a_picture(model):
    values = [{"image": png(row["image"]), "label": row["label"]} for row in pictures(3, 0)]
    task, found = prepared(model, {"train": Dataset.from_list(values)})
    _, pictured = prepared(model, {"train": rows_of([row["label"] for row in values], Value("int64"))})
    expected = batch_of(task, pictured.splits["train"])["pixel_values"]
    assert torch.equal(batch_of(task, found.splits["train"])["pixel_values"], expected)
