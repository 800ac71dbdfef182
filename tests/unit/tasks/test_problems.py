"""What is asked: found from the data, trained with the losses of the literature, answered in the data's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from torch import nn

from hfft.data.label_values import Applying, unknown_of
from hfft.errors import DataError, RecipeError
from hfft.tasks import find_task
from hfft.tasks.problems import find_problem, problem_of_data, problem_of_model
from hfft.tasks.problems.problem import ProblemOptions
from hfft.training.loop import on_device
from hfft.workflows.model import OneDevice

TAGS = Features({"y": List(ClassLabel(names=["joy", "fear", "awe"]))})


class Checkpoint:
    """Stands for a backbone: the labels of its trained head, if it has one, and a configuration."""

    def __init__(self, labels: list[str] | None = None, **config: Any):
        self.labels = labels
        self.config = type("Config", (), {"problem_type": None, **config})()


def learnt(values: Any, head: list[str] | None = None, features: Features | None = None, **options: Any) -> Any:
    """A target that has seen training rows: a list is the column y, a dictionary has the columns by name."""
    columns = values if isinstance(values, dict) else {"y": values}
    rows = Dataset.from_dict(columns, features)
    names = list(columns) if len(columns) > 1 else next(iter(columns))
    target = problem_of_data(ProblemOptions(**{"label": names, **options}), rows)
    target.learn(rows, target.read(rows, "train"), Checkpoint(head))  # type: ignore[arg-type]
    return target


@pytest.mark.parametrize(
    ("columns", "features", "delimiter", "problem"),
    [
        ({"y": ["a", "b"]}, None, None, "single"),
        ({"y": [0, 1]}, None, None, "single"),
        ({"y": ["3", "4"]}, None, None, "single"),
        ({"y": ["3.5", "4"]}, None, None, "regression"),
        ({"y": [0.5, 1.0]}, None, None, "regression"),
        ({"y": [["a"], []]}, None, None, "multi"),
        ({"y": [[0, 2], [1]]}, TAGS, None, "multi"),
        ({"y": [[0.5, 2.0]]}, None, None, "regression"),
        ({"y": ["a|b", ""]}, None, "|", "multi"),
        ({"a": ["0", "1"], "b": ["1", "1"]}, None, None, "multi"),
        ({"a": ["0", "5"], "b": ["1", "1"]}, None, None, "regression"),
    ],
)
def test_the_problem_is_found_from_the_data(columns, features, delimiter, problem):
    assert find_problem(Dataset.from_dict(columns, features), list(columns), delimiter) == problem


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ({}, ["label"]),
        ({"problem": "regression", "label": ["a", "b"]}, ["a", "b"]),
        ({"problem": "single"}, []),
        ({"delimiter": ","}, []),
        ({"labels": ["1,5", "2"]}, []),
    ],
)
def test_labels_that_may_be_numbers_are_told_by_the_options(options, columns):
    task = find_task("text-classification", trust=False)
    assert task(task.Options(**options)).number_columns == columns


@pytest.mark.parametrize(
    ("values", "features", "options", "labels", "truths"),
    [
        (["b|a", "", "a", "-1", None], None, {"delimiter": "|"}, ["a", "b"], [["a", "b"], [], ["a"], None, None]),
        ([["b", "a"], [], None], None, {}, ["a", "b"], [["a", "b"], [], None]),
        ([[2, 0], [1]], TAGS, {}, ["joy", "fear", "awe"], [["joy", "awe"], ["fear"]]),
        ([[1, 0], [1]], None, {"labels": ["no", "yes"]}, ["no", "yes"], [["no", "yes"], ["yes"]]),
        (
            {"p": ["1", "0", ""], "q": ["true", "1", "-1"]},
            None,
            {},
            ["p", "q"],
            [["p", "q"], ["q"], None],
        ),
    ],
)
def test_several_labels_are_read_encoded_and_given_back(values, features, options, labels, truths):
    target = learnt(values, features=features, **options)
    assert target.labels == labels
    columns = values if isinstance(values, dict) else {"y": values}
    read = target.read(Dataset.from_dict(columns, features), "train")
    assert target.truths(target.tensor(target.encode(read, "train"))) == truths
    assert target.settings()["problem_type"] == "multi_label_classification"


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"y": ["a", "b c"]},
            {"problem": "multi"},
            "row 0 of the train split the column 'y' is 'a', which is no list.*task.delimiter",
        ),
        (
            {"p": ["1", "2"], "q": ["1", "0"]},
            {"problem": "multi"},
            "row 1 of the train split has '2' for 'p'; a mark is 1 or",
        ),
        ({"y": [["a", None]]}, {}, "row 0 of the train split the column 'y' holds None"),
        ({"y": [1.5, 1.5]}, {}, "all training rows have the same number in 'y'"),
        ({"y": [None, float("nan")]}, {"problem": "regression"}, "no training row has a number"),
        ({"p": ["1", "0"], "q": ["1", "1"]}, {"labels": ["p", "r"]}, "the labels are the columns of task.label"),
    ],
)
def test_rows_that_cannot_be_learnt_from_are_refused(columns, options, message):
    with pytest.raises(DataError, match=message):
        learnt(columns, **options)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (["a", "b"], {"threshold": 0.3}, r"task.threshold is 0.3, but has no effect here: the problem is 'single' \(f"),
        ([0.5, 1.0], {"label_smoothing": 0.1}, "task.label_smoothing is 0.1, but has no effect"),
        ([0.5, 1.0], {"loss": "focal"}, "task.loss is 'focal', but the problem is 'regression'; it takes squared, hub"),
        (["a", "b"], {"loss": "huber"}, "it takes cross_entropy, focal"),
        (["a", "b"], {"loss": "focal", "label_smoothing": 0.1}, "no effect on the focal loss"),
        ([["a"], ["b"]], {"threshold": {"c": 0.5}}, "task.threshold names 'c', which is no label"),
        ([["a"], ["b"]], {"class_weights": {"c": 2}}, "task.class_weights names 'c'"),
    ],
)
def test_options_without_effect_and_unknown_labels_are_refused(values, options, message):
    with pytest.raises(RecipeError, match=message):
        learnt(values, **options)


@pytest.mark.parametrize(
    "options",
    [{"threshold": 1.5}, {"threshold": -0.1}, {"threshold": {"a": 2}}, {"loss": {"name": "huber", "gamma": 1}}],
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=r"threshold|gamma"):
        ProblemOptions(**options)


def test_the_focal_loss_is_that_of_its_paper():
    """Lin et al. 2017: (1 - p)^gamma times cross entropy; with gamma 0 it is cross entropy."""
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5]], requires_grad=True)
    labels = torch.tensor([0, 2])
    p = logits.detach().softmax(-1)[torch.arange(2), labels].double().numpy()
    by_hand = np.mean((1 - p) ** 2 * -np.log(p))
    assert learnt(["a", "b", "c"], loss="focal").loss(logits, labels).item() == pytest.approx(by_hand, rel=1e-6)
    plain = learnt(["a", "b", "c"], loss={"name": "focal", "gamma": 0}).loss(logits, labels)
    assert plain.item() == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-6)


def test_the_focal_loss_of_several_labels_counts_each_entry():
    logits, truth = torch.tensor([[0.4, -1.2]], requires_grad=True), torch.tensor([[1, 0]])
    p = logits.detach().sigmoid().double().numpy()[0]
    by_hand = np.mean([(1 - p[0]) ** 2 * -np.log(p[0]), p[1] ** 2 * -np.log(1 - p[1])])
    found = learnt([["a"], ["b"]], loss="focal").loss(logits, truth)
    assert found.item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "loss", "encoded"),
    [
        (["a", "b", "c"], "cross_entropy", [0, 2]),
        (["a", "b", "c"], {"name": "focal", "gamma": 0.5}, [0, 2]),
        ([["a"], ["b"], ["c"]], "cross_entropy", [[1, 0, 1], [0, 0, 0]]),
        ([["a"], ["b"], ["c"]], "focal", [[1, 0, 1], [0, 0, 0]]),
        ([[1.5, 0.0, 2.0], [2.5, 1.0, 4.0]], "squared", [[1.0, 0.0, 2.0], [3.0, 1.0, 1.0]]),
        ([[1.5, 0.0, 2.0], [2.5, 1.0, 4.0]], {"name": "huber", "delta": 0.5}, [[1.0, 0.0, 2.0], [3.0, 1.0, 1.0]]),
    ],
)
def test_the_gradient_of_each_loss_is_that_of_its_value(values, loss, encoded):
    target = learnt(values, loss=loss)
    logits = torch.tensor([[2.0, 0.3, -1.0], [0.0, 1.0, 0.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: target.loss(given, target.tensor(encoded)), logits)


def test_balanced_weights_of_several_labels_make_both_sides_even():
    target = learnt([["a"], ["a", "b"], ["a"], []], class_weights="balanced")
    assert target.class_weights.tolist() == pytest.approx([1 / 3, 3.0])


def test_a_threshold_is_chosen_on_eval_and_decides_what_follows():
    target = learnt([["a"], ["b"], ["a", "b"]])
    assert (target.tunes_threshold, target.fitted) == (True, {"threshold": 0.5})
    rows = [[0.2, 0.1], [0.15, 0.3], [0.9, 0.02]]
    answers = [{"answer": [], "probabilities": row} for row in rows]
    settled = target.tune_threshold(answers, [["a"], ["b"], ["a"]])
    assert 0.15 < target.fitted["threshold"] <= 0.2
    assert [row["answer"] for row in settled] == [["a"], ["b"], ["a"]]
    assert target.weighted(settled, [["a"], ["b"], ["a"]]).scores["f1"] == 1


def test_a_threshold_of_the_recipe_stands():
    target = learnt([["a"], ["b"]], threshold={"a": 0.9})
    assert (target.tunes_threshold, target.fitted) == (False, {"threshold": {"a": 0.9, "b": 0.5}})
    assert target.predict(torch.tensor([[1.0, 1.0]]))[0]["answer"] == ["b"]  # both have a probability of 0.73


def test_a_finished_model_brings_its_threshold_and_labels():
    config = {"num_labels": 2, "id2label": {0: "x", 1: "y"}, "problem_type": "multi_label_classification"}
    target: Any = problem_of_model(ProblemOptions(), Checkpoint(**config, threshold=0.9))  # type: ignore[arg-type]
    assert (target.labels, target.fitted) == (["x", "y"], {"threshold": 0.9})


@pytest.mark.parametrize("bias", [True, False])
def test_numbers_are_learnt_standardized_and_the_scale_goes_into_the_last_layer(bias):
    torch.manual_seed(0)
    prices = {"price": [1000.5, 3000.0, 2500.0], "rooms": [1.0, 2.5, 4.0]}
    target = learnt(prices)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2, bias=bias))
    target.attach(model)
    inputs = torch.randn(3, 4)
    encoded = target.tensor(target.encode(target.read(Dataset.from_dict(prices), "train"), "train"))
    assert target.loss(model(inputs), encoded).item() < 10  # not in the millions
    before = [row["answer"] for row in target.predict(model(inputs))]
    target.fuse_scale(model)
    after = model(inputs).tolist()
    assert np.allclose(before, after, rtol=1e-5)
    assert np.allclose([row["answer"] for row in target.predict(model(inputs))], after)
    assert target.truths(encoded) == [[1000.5, 1.0], [3000.0, 2.5], [2500.0, 4.0]]  # not a digit lost


def test_the_losses_of_numbers_are_torchs_on_standardized_truths():
    values, logits = [1.0, 2.0, 4.5], torch.tensor([[0.3], [-2.0], [1.0]])
    standard = torch.tensor([(v - np.mean(values)) / np.std(values) for v in values], dtype=torch.float32)[:, None]
    squared, huber = learnt(values), learnt(values, loss={"name": "huber", "delta": 0.5})
    encoded = squared.tensor([[v] for v in values])
    assert squared.loss(logits, encoded).item() == pytest.approx(nn.functional.mse_loss(logits, standard).item())
    by_torch = nn.functional.huber_loss(logits, standard, delta=0.5)
    assert huber.loss(logits, encoded).item() == pytest.approx(by_torch.item())


@pytest.mark.parametrize("bias", [True, False])
def test_a_trained_head_of_numbers_goes_on_as_it_began_and_its_losses_are_standardized_too(bias):
    """Its errors are measured in standard deviations of the numbers (without a bias, in their root mean square)."""
    values = [1000.0, 2000.0, 4500.0]  # their mean is 2500, their standard deviation 1471.96
    target = learnt(values, head=["LABEL_0"], problem="regression", loss={"name": "huber", "delta": 0.5})
    last = nn.Linear(2, 1, bias=bias)
    inputs = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    with torch.no_grad():
        last.weight.copy_(torch.tensor([[1400.0, 1500.0]]))
        if bias:
            last.bias.fill_(300.0)
    said = last(inputs)
    target.attach(last)
    assert [row["answer"] for row in target.predict(last(inputs).detach())] == pytest.approx(said[:, 0].tolist())
    errors = [1700 - 1000, 1800 - 2000, 1800 - 4500] if bias else [1400 - 1000, 1500 - 2000, 1500 - 4500]
    unit = 1471.9601 if bias else (2500**2 + 1471.9601**2) ** 0.5
    far = [abs(error) / unit for error in errors]
    by_hand = [0.5 * (e - 0.25) if e > 0.5 else e**2 / 2 for e in far]
    loss = target.loss(last(inputs), target.tensor([[value] for value in values]))
    assert loss.item() == pytest.approx(np.mean(by_hand), rel=1e-5)
    target.fuse_scale(last)
    assert torch.allclose(last(inputs), said)


def test_a_trained_head_of_another_number_of_numbers_is_refused():
    with pytest.raises(DataError, match="trained head gives 2 numbers, but the data has 1"):
        learnt([1.0, 2.0, 4.5], head=["a", "b"])


def test_a_head_that_writes_its_labels_otherwise_is_matched_by_name():
    target = learnt(["entailment", "neutral", "contradiction"], head=["CONTRADICTION", "NEUTRAL", "ENTAILMENT"])
    assert target.labels == ["contradiction", "neutral", "entailment"]


def test_lists_of_whole_numbers_are_labels_unless_the_recipe_says_otherwise():
    features = Features({"y": List(Value("int64"))})
    assert learnt([[1, 2], [3, 4]], features=features).name == "multi"
    assert learnt([[1, 2], [3, 4]], features=features, problem="regression").names == ["y_0", "y_1"]


def test_a_new_head_of_several_labels_starts_from_how_common_each_is():
    """Else rare labels are learnt late or never: all outputs start at one half, and it first learns to say no."""
    values = [["a"], ["a", "b"], ["a"], [], [], []]
    last = nn.Linear(3, 2)
    model = nn.Sequential(nn.Linear(4, 3), last)
    learnt(values).attach(model)
    assert torch.allclose(last.bias.sigmoid(), torch.tensor([4 / 8, 2 / 8]))  # one more row of each kind than there are
    before = last.bias.clone()
    learnt(values, head=["b", "a"]).attach(model)  # a trained head stays as it is
    assert torch.equal(last.bias, before)


MARKS = {"p": ["1", "0", "", "1.0"], "q": ["0", "", "1", "true"], "r": ["1", "0", "0", ""]}


def test_marks_that_nobody_knows_are_read_encoded_and_given_back_as_unknown():
    target = learnt(MARKS)
    read = target.read(Dataset.from_dict(MARKS), "train")
    assert [(list(names), unknown_of(names)) for names in read] == [
        (["p", "r"], ()),
        ([], ("q",)),
        (["q"], ("p",)),
        (["p", "q"], ("r",)),
    ]
    encoded = target.encode(read, "train")
    assert encoded == [[1, 0, 1], [0, -1, 0], [-1, 1, 0], [1, 1, -1]]
    back = target.truths(target.tensor(encoded))
    assert [(names, unknown_of(names)) for names in back] == [(names, unknown_of(names)) for names in read]
    assert [finding.count for finding in target.summary("eval", read)[1] if finding.kind == "unknown-mark"] == [3]


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_the_loss_is_a_mean_over_the_marks_that_are_known_however_a_batch_is_cut(loss):
    target = learnt(MARKS, loss=loss)
    encoded = target.tensor([[1, 0, 1], [0, -1, 0], [-1, 1, -1]])
    logits = torch.tensor([[0.3, -1.0, 2.0], [1.0, 5.0, 0.2], [7.0, 0.4, -3.0]])
    whole, parts = target.loss(logits, encoded), [slice(0, 1), slice(1, 3)]
    cut = [(target.loss(logits[part], encoded[part]), target.weight(encoded[part])) for part in parts]
    assert sum(value * weight for value, weight in cut) / target.weight(encoded) == pytest.approx(whole.item())
    known = encoded >= 0
    every = [
        target.loss(row[None, None], mark[None, None]) for row, mark in zip(logits[known], encoded[known], strict=True)
    ]
    assert whole.item() == pytest.approx(np.mean([value.item() for value in every]))
    moved = torch.where(known, logits, logits + 100)
    assert target.loss(moved, encoded).item() == whole.item()


def test_weights_and_the_start_of_a_head_count_the_rows_whose_marks_are_known():
    target = learnt(MARKS, class_weights="balanced")
    assert target.class_weights.tolist() == pytest.approx([1 / 2, 1 / 2, 2.0])
    assert target.shares.tolist() == pytest.approx([3 / 5, 3 / 5, 2 / 5])


def test_marks_that_nobody_knows_count_in_no_score_and_in_no_threshold():
    target = learnt(MARKS)
    truths = [Applying(["p"], ["q"]), ["q"], Applying([], ["r"]), ["r", "p"], []]
    rows = [[0.9, 0.99, 0.1], [0.1, 0.7, 0.2], [0.3, 0.1, 0.98], [0.8, 0.2, 0.7], [0.1, 0.1, 0.1]]
    settled = target.tune_threshold([{"answer": [], "probabilities": row} for row in rows], truths)
    scores = target.weighted(settled, truths).scores
    wanted = ("accuracy", "f1", "hamming_loss", "roc_auc", "average_precision")
    assert [scores[name] for name in wanted] == [1, 1, 0, 1, 1]
    assert target.weighted(settled, truths).scores["accuracy"] == 1


@pytest.mark.parametrize(
    ("values", "options", "outputs"),
    [(["a", "b", "c"], {}, 3), ([["a"], ["b", "c"], ["a"]], {}, 3), ([1.0, 2.5], {}, 1)],
)
def test_a_head_of_placeholders_of_another_number_is_left_for_a_new_one(values, options, outputs):
    target = learnt(values, head=["LABEL_0", "LABEL_1"], **options)
    assert target.settings()["num_labels"] == outputs


def test_numbers_are_scaled_in_float64_where_the_device_of_the_model_has_none():
    """As MPS: the numbers stay on the CPU. `meta` stands for a device, which computes shapes alone."""
    target = learnt([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3], problem="regression")
    encoded = target.tensor([[1e9], [1e9 + 3]])
    assert on_device({"labels": encoded}, OneDevice(torch.device("mps")))["labels"] is encoded  # type: ignore[arg-type]
    loss = target.loss(torch.zeros(2, 1, device="meta"), encoded, torch.ones(2, device="meta"))
    assert (loss.device.type, loss.dtype) == ("meta", torch.float32)
    assert target.loss(torch.zeros(2, 1), encoded).item() == pytest.approx(1.5**2 / 1.25)
