"""Streams: the batches of an epoch, the same from whatever step on and for any number of processes."""

from __future__ import annotations

import json
import os
from itertools import pairwise

import datasets.config
import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value, load_dataset

import hfft.data.streaming
from hfft import Recipe, plan, train
from hfft.data.loaders import Cut, Examples
from hfft.data.sources import stream_hub
from hfft.data.streaming import Stream, open_stream, require_known_labels, stream_batches
from hfft.errors import DataError, RecipeError, SetupError
from hfft.testing import losses
from tests.laws.runs import finished, launch, no_dropout
from tests.tiny import streaming

BATCH, ROWS, FILES, POOL_BATCHES = 2, 230, 3, 50
POOL = POOL_BATCHES * BATCH


class Numbers:
    """Takes rows of `value`; those that are None have no answer. Counts how many rows were made examples of."""

    def __init__(self, short: bool = False):
        self.encoded, self.short = 0, short

    def check_stream(self, first):
        return []

    def answered(self, rows):
        return [value is not None for value in rows["value"]]

    def encode(self, rows):
        self.encoded += len(rows)
        if "wrong" in rows.column_names and any(rows["wrong"]):
            raise DataError("in row 3 the column 'text' is missing.")
        return Examples(rows, np.arange(len(rows)), np.array(rows["value"]) % 10)

    def collate(self, rows):
        return {"value": torch.tensor([row["value"] for row in rows])}


def write(folder, values, files=FILES, **columns):
    """Writes the rows as the Hub has them, file by file."""
    (folder / "data").mkdir()
    edges = np.linspace(0, len(values), files + 1).astype(int)
    for number, (first, last) in enumerate(pairwise(edges)):
        taken = {name: column[first:last] for name, column in {"value": values, **columns}.items()}
        Dataset.from_dict(taken).to_parquet(folder / "data" / f"train-{number:05d}-of-{files:05d}.parquet")
    return str(folder)


@pytest.fixture(scope="module", autouse=True)
def _cache_and_small_pools(tmp_path_factory):
    cache = str(tmp_path_factory.mktemp("hub"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
        patch.setenv("HF_DATASETS_CACHE", cache)
        patch.setattr(hfft.data.streaming, "POOL_BATCHES", POOL_BATCHES)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """230 rows in three files, of which every tenth has no answer: 207 are left, in pools of 100, 100 and 7."""
    return write(tmp_path_factory.mktemp("rows"), [None if row % 10 == 3 else row for row in range(ROWS)])


@pytest.fixture
def stream(folder):
    return open_stream(stream_hub(folder, None, None, "train"), BATCH, Numbers())


def cut(**changes):
    given = {"batch_size": BATCH, "micro_batch_size": None, "seed": 0, "rank": 0, "processes": 1, "workers": 0}
    return Cut(**{**given, **changes})


def plain(steps):
    return [
        (step.epoch, step.rows, [(part.batch["value"].tolist(), part.counts) for part in step.micro_batches])
        for step in steps
    ]


def values(steps):
    return [value for _, _, parts in plain(steps) for values, counts in parts if counts for value in values]


PER_EPOCH = 104  # 207 rows in batches of 2


def test_an_epoch_takes_every_answered_row_once_and_ends_where_the_stream_ends(stream):
    steps = list(stream_batches(stream, cut(), 0, 2 * PER_EPOCH))
    assert [step.epoch for step in steps] == [0] * PER_EPOCH + [1] * PER_EPOCH
    assert [step.rows for step in steps] == ([2] * 103 + [1]) * 2
    whole = [row for row in range(ROWS) if row % 10 != 3]
    assert sorted(values(steps[:PER_EPOCH])) == sorted(values(steps[PER_EPOCH:])) == whole


def test_the_first_rows_are_those_of_the_file_in_its_order(stream):
    assert stream.first["value"][:5] == [0, 1, 2, None, 4]
    assert len(stream.first) == stream.pool == POOL
    assert str(stream.findings[0]).startswith("train: 100 of 100 rows (100.0%) are the first of a stream")


def test_the_seed_and_the_epoch_alone_decide_the_order(stream, folder):
    again = open_stream(stream_hub(folder, None, None, "train"), BATCH, Numbers())
    first, second = (values(stream_batches(s, cut(), 0, 2 * PER_EPOCH)) for s in (stream, again))
    assert first == second
    assert first[:207] != first[207:] != sorted(first[207:])
    assert values(stream_batches(stream, cut(seed=1), 0, PER_EPOCH)) != first[:207]


def test_files_come_in_an_order_of_their_own_in_each_epoch(tmp_path):
    stream = open_stream(stream_hub(write(tmp_path, list(range(900))), None, None, "train"), BATCH, Numbers())
    steps = list(stream_batches(stream, cut(), 0, 4 * 450))
    begun = [{value // 300 for value in values(steps[450 * epoch : 450 * epoch + 10])} for epoch in range(4)]
    assert [len(files) for files in begun] == [1] * 4
    assert len(set.union(*begun)) > 1


def test_batches_of_a_pool_hold_rows_of_like_length(stream):
    steps = list(stream_batches(stream, cut(), 0, 2 * POOL_BATCHES))
    spread = [max(batch) - min(batch) for batch in ([v % 10 for v in values([step])] for step in steps)]
    assert np.mean(spread) < 0.5  # of two random rows it is 3.3
    assert [min(values([step])) % 10 for step in steps] != sorted(min(values([step])) % 10 for step in steps)


@pytest.mark.parametrize("first", [1, 49, 50, 99, 103, 104, 150, 210, 320])
def test_the_steps_from_one_on_are_those_of_the_whole_run(stream, first):
    last = 325
    whole = plain(stream_batches(stream, cut(), 0, last))
    assert plain(stream_batches(stream, cut(), first, last)) == whole[first:]


def test_pools_that_are_passed_over_are_read_and_not_encoded(folder):
    encoder = Numbers()
    stream = open_stream(stream_hub(folder, None, None, "train"), BATCH, encoder)
    next(stream_batches(stream, cut(), 3 * PER_EPOCH + 60, 10**9))
    assert encoder.encoded == 100


@pytest.mark.parametrize("changes", [{"micro_batch_size": 1}, {"processes": 2}, {"processes": 3}, {"workers": 1}])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_however_a_batch_is_cut_its_rows_are_the_same(stream, changes):
    wanted = [sorted(values([step])) for step in stream_batches(stream, cut(), 90, 120)]
    ranks = range(changes.get("processes", 1))
    runs = [list(stream_batches(stream, cut(**changes, rank=rank), 90, 120)) for rank in ranks]
    for number, rows in enumerate(wanted):
        assert sorted(value for run in runs for value in values([run[number]])) == rows
        assert len({len(run[number].micro_batches) for run in runs}) == 1


@pytest.mark.parametrize(
    ("expression", "taken"),
    [("train[:5]", range(5)), ("train[226:]", range(226, 230)), ("train[70:80]", range(70, 80))],
)
def test_a_slice_takes_the_rows_it_names(folder, expression, taken):
    rows = stream_hub(folder, None, None, expression)
    wanted = {row for row in taken if row % 10 != 3}
    steps = (len(wanted) + 1) // 2
    assert set(values(stream_batches(open_stream(rows, BATCH, Numbers()), cut(), 0, steps))) == wanted


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("train[:10%]", "a stream (data.streaming) is cut by rows counted from its beginning"),
        ("train[-5:]", "'train[:8000]', 'train[8000:]' or 'train[8000:16000]'."),
        ("train[5:5]", "data.train is 'train[5:5]'"),
    ],
)
def test_a_slice_that_needs_the_end_is_refused(expression, message):
    with pytest.raises(RecipeError) as caught:
        stream_hub("no/such", None, None, expression)
    assert message in str(caught.value)


def test_a_stream_that_is_not_there_is_told():
    with pytest.raises(SetupError, match=r"data\.hub is 'no/such', but the Hub cannot be reached and a stream is read"):
        stream_hub("no/such", None, None, "train")


def test_a_row_that_cannot_be_trained_on_is_told_with_its_place(tmp_path):
    name = write(tmp_path, list(range(120)), wrong=[False] * 119 + [True], files=1)
    stream = open_stream(stream_hub(name, None, None, "train"), BATCH, Numbers())
    with pytest.raises(DataError, match=r"pool \d of epoch 0 .* in row 3 the column 'text' is missing"):
        list(stream_batches(stream, cut(), 0, 60))


def test_a_stream_that_breaks_off_says_how_to_go_on(tmp_path):
    name = write(tmp_path, list(range(120)), files=2)
    stream = open_stream(stream_hub(name, None, None, "train"), BATCH, Numbers())
    (tmp_path / "data" / "train-00001-of-00002.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"cannot be read, in epoch 0: .* goes on from its last checkpoint"):
        list(stream_batches(stream, cut(), 0, 60))


def test_an_empty_stream_ends(folder):
    rows = load_dataset(folder, split="train", streaming=True).filter(lambda row: False)
    with pytest.raises(DataError, match="has no rows"):
        open_stream(rows, BATCH, Numbers())
    first = Dataset.from_dict({"value": [1]})
    with pytest.raises(DataError, match="no answered row in epoch 0"):
        list(stream_batches(Stream(rows, first, POOL, Numbers(), []), cut(), 0, 1))


def test_labels_are_known_before_or_asked_for():
    plain_text = Dataset.from_dict({"label": ["a", "b"], "other": ["1", "0"]})
    named = Dataset.from_dict({"label": [0, 1]}, Features({"label": ClassLabel(names=["a", "b"])}))
    with pytest.raises(RecipeError, match=r"the column 'label' brings no list of them. Give it in task.labels."):
        require_known_labels(plain_text, ["label"], None, None)
    with pytest.raises(RecipeError, match=r"class_weights is 'balanced', which counts the labels of all rows"):
        require_known_labels(named, ["label"], None, "balanced")
    require_known_labels(named, ["label"], None, {"a": 2.0})
    require_known_labels(plain_text, ["label"], ["a", "b"], None)
    require_known_labels(plain_text, ["label", "other"], None, None)
    lists = Features({"label": datasets.List(ClassLabel(names=["a", "b"]))})
    require_known_labels(Dataset.from_dict({"label": [[0], [1]]}, lists), ["label"], None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["train.steps=null", "train.epochs=2"], "give train.steps instead of train.epochs"),
        (["train.eval_every=0.5"], "train.eval_every is 0.5, a share of an epoch"),
        (["train.checkpoint_every=0.1"], "train.checkpoint_every is 0.1, a share of an epoch"),
        (["data.holdout=0.1", "data.eval=null"], "'holdout' cuts its part off all the training rows"),
        (["data.hub=null", "data.files={train: a.csv}"], "'streaming' reads 'hub'"),
    ],
)
def test_what_a_stream_cannot_do_is_refused_before_anything_is_read(tmp_path, changes, message):
    data = {"hub": "no/such", "streaming": True, "eval": "validation"}
    recipe = {"task": {"name": "text-classification"}, "data": data, "model": "m", "train": {"steps": 10}}
    Recipe.from_dict(recipe)
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict(recipe, *changes)
    assert message in str(caught.value)


@pytest.fixture(scope="module")
def tiny_stream(tmp_path_factory):
    return streaming(tmp_path_factory.mktemp("tiny"))


def test_the_plan_tells_what_was_looked_at(tiny_stream):
    made = plan(Recipe.from_dict(tiny_stream, "train.eval_every=6"))
    assert made.splits["train"]["stream"] is True
    assert (made.steps, made.evaluations) == (24, 4)
    assert any("are the first of a stream" in warning for warning in made.warnings)
    assert plan(Recipe.from_dict(tiny_stream)).evaluations == 1
    with pytest.raises(RecipeError, match=r"Give it in task\.labels"):
        plan(Recipe.from_dict(tiny_stream, "task.labels=null"))


def test_numbers_are_scaled_by_the_first_rows_and_that_is_told(tmp_path, tiny_stream):
    texts = [f"w{row} w{row % 7}" for row in range(9)]
    (tmp_path / "data").mkdir()
    for split in ("train", "eval"):
        path = tmp_path / "data" / f"{split}-00000-of-00001.parquet"
        features = Features({"text": Value("string"), "label": Value("float64")})
        Dataset.from_dict({"text": texts, "label": [row / 2 for row in range(9)]}, features).to_parquet(path)
    data = {"hub": str(tmp_path), "streaming": True, "eval": "eval"}
    made = plan(Recipe.from_dict({**tiny_stream, "data": data}, "task.labels=null"))
    assert any("give the mean and the spread by which the numbers are scaled" in text for text in made.warnings)


def test_a_run_over_several_pools_goes_on_exactly(tmp_path, tiny_stream):
    """With one row in a batch, 61 rows are a pool of 50 and one of 11."""
    overrides = ["train.batch_size=1", "train.steps=130", "train.checkpoint_every=10", "train.keep_checkpoints=99"]
    recipe = Recipe.from_dict(tiny_stream, *overrides)
    train(recipe, tmp_path / "run", quiet=True)
    told = json.loads((tmp_path / "run" / "environment.json").read_text())["data"]
    assert told["train"].startswith("first 50 rows: ")
    before = {name: (tmp_path / "run" / name).read_bytes() for name in ("metrics.jsonl", "model/model.safetensors")}
    for step in (30, 60, 100):
        os.remove(tmp_path / "run" / "results.json")
        train(recipe, tmp_path / "run", quiet=True, resume=f"step-{step:08d}")
        assert before == {name: (tmp_path / "run" / name).read_bytes() for name in before}


def test_processes_do_not_change_the_losses(tmp_path, tiny_stream):
    overrides = [*no_dropout("streaming"), "train.log_every=1", "train.micro_batch_size=2"]
    train(Recipe.from_dict(tiny_stream, *overrides), tmp_path / "one", quiet=True)
    finished(launch(tiny_stream, tmp_path / "two", *overrides, processes=2))
    assert len(losses(tmp_path / "two")) == 24
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5, abs=1e-5)
