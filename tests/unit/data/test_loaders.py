"""Loading: the batches of a step, the same with worker processes and without, from whatever step on."""

from __future__ import annotations

import os
import random
import resource
import signal

import numpy as np
import pytest
import torch
from datasets import Dataset

from hfft.data.loaders import Cut, Examples, MicroBatch, Views, cores, load, train_batches, worker_warnings
from hfft.data.sampling import Part, epoch_batches
from hfft.errors import SetupError

FORKS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12 on


@pytest.fixture(scope="module")
def examples():
    """Eleven rows; three others were left out, so that an id is not a row."""
    ids = np.array([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13])
    return Examples(Dataset.from_dict({"value": (ids * 10).tolist()}), ids, lengths=None)


def collate(rows):
    values = torch.tensor([row["value"] for row in rows])
    return {"value": values, "attention_mask": (values[:, None] >= torch.tensor([0, 50])).long()}


def cut(**changes):
    given = {"batch_size": 4, "micro_batch_size": None, "seed": 0, "rank": 0, "processes": 1, "workers": 0}
    return Cut(**{**given, **changes})


def plain(steps):
    """Steps as plain values that can be compared."""
    return [
        (step.epoch, step.rows, [(part.batch["value"].tolist(), part.ids, part.counts) for part in step.micro_batches])
        for step in steps
    ]


def test_steps_run_through_the_epochs_in_their_order(examples):
    steps = list(train_batches(examples, collate, cut(), 0, 7))
    assert [(step.epoch, step.rows) for step in steps] == [(0, 4), (0, 4), (0, 3), (1, 4), (1, 4), (1, 3), (2, 4)]
    wanted = [batch for epoch in range(3) for batch in epoch_batches(11, 4, 0, epoch)]
    for step, rows in zip(steps, wanted, strict=False):
        assert step.micro_batches[0].ids == examples.ids[rows].tolist()


def test_values_belong_to_their_ids(examples):
    for step in train_batches(examples, collate, cut(micro_batch_size=3), 0, 6):
        for part in step.micro_batches:
            assert part.batch["value"].tolist() == [number * 10 for number in part.ids]


@pytest.mark.parametrize("first", [1, 3, 5, 8])
def test_the_steps_from_one_on_are_those_of_the_whole_run(examples, first):
    whole = plain(train_batches(examples, collate, cut(), 0, 8))
    assert plain(train_batches(examples, collate, cut(), first, 8)) == whole[first:]


@pytest.mark.parametrize("changes", [{"micro_batch_size": 1}, {"micro_batch_size": 3}, {"processes": 3}])
def test_however_a_batch_is_cut_its_rows_are_the_same(examples, changes):
    wanted = [sorted(parts[0][1]) for _, _, parts in plain(train_batches(examples, collate, cut(), 0, 6))]
    ranks = range(changes.get("processes", 1))
    runs = [list(train_batches(examples, collate, cut(**changes, rank=rank), 0, 6)) for rank in ranks]
    for step, ids in enumerate(wanted):
        parts = [part for run in runs for part in run[step].micro_batches if part.counts]
        assert sorted(number for part in parts for number in part.ids) == ids
        assert len({len(run[step].micro_batches) for run in runs}) == 1


def random_states():
    numpy_state = np.random.get_state(legacy=False)["state"]
    return torch.get_rng_state().tolist(), numpy_state["key"].tolist(), numpy_state["pos"], random.getstate()


@FORKS
def test_a_worker_process_loads_the_same(examples):
    changes = {"micro_batch_size": 3, "processes": 2, "rank": 1}  # rank 1 gets batches that do not count
    alone = plain(train_batches(examples, collate, cut(**changes), 0, 6))
    assert plain(train_batches(examples, collate, cut(**changes, workers=1), 0, 6)) == alone


@FORKS
@pytest.mark.parametrize("workers", [0, 1])
def test_loading_leaves_every_random_state_alone(examples, workers):
    before = random_states()
    assert len(list(train_batches(examples, collate, cut(workers=workers), 0, 6))) == 6
    assert random_states() == before


def test_parts_are_loaded_in_the_order_they_are_asked_for(examples):
    parts = [Part(np.array([9, 0]), True), Part(np.array([3]), False), Part(np.array([9]), True)]
    loaded = list(load(examples, ((part, None) for part in parts), collate, workers=0))
    assert [(part.ids, part.counts) for part in loaded] == [([12, 0], True), ([4], False), ([12], True)]


def test_cells_are_counted_where_they_count():
    batch = collate([{"value": 40}, {"value": 60}, {"value": 70}])
    assert MicroBatch(batch, [0, 1, 2], counts=True).cells == (5, 6)
    assert MicroBatch(batch, [0, 1, 2], counts=False).cells == (0, 0)
    assert MicroBatch({"value": batch["value"]}, [0, 1, 2], counts=True).cells == (0, 0)


def viewed(examples, mixed=False):
    return Examples(examples.rows, examples.ids, None, Views(mixed))


def draws(rows):
    """What `collate` is given of each row: its value and its draw, and those of its partner."""
    blank = {"value": -1, "draw": (-1, -1, -1)}
    both = [[row, row.get("partner", blank)] for row in rows]
    value = torch.tensor([[each["value"], *each.get("draw", blank["draw"])] for pair in both for each in pair])
    return {"value": value.reshape(len(rows), 2, 4)}


def drawn(steps):
    """By step: a list of `[value, seed, epoch, id]` of a row, and that of its partner."""
    return [[row for part in step.micro_batches for row in part.batch["value"].tolist()] for step in steps]


NOTHING = [-1, -1, -1, -1]


def test_a_view_is_drawn_by_seed_epoch_and_id(examples):
    steps = list(train_batches(viewed(examples), draws, cut(seed=7), 0, 6))
    for step, rows in zip(steps, drawn(steps), strict=True):
        ids = step.micro_batches[0].ids
        assert rows == [[[number * 10, 7, step.epoch, number], NOTHING] for number in ids]


def test_rows_that_are_scored_or_have_no_views_have_no_draw(examples):
    part = Part(np.array([3, 0]), True, np.array([0, 3]))
    (scored,) = load(viewed(examples, mixed=True), [(part, None)], draws, workers=0)
    (plain,) = load(examples, [(part, (7, 1))], draws, workers=0)
    for batch in (scored, plain):
        assert batch.batch["value"].tolist() == [[[40, -1, -1, -1], NOTHING], [[0, -1, -1, -1], NOTHING]]


def partners(examples, **changes):
    """By step: the id of each row that counts and that of its partner, whose draw must be its own."""
    found = []
    for step in train_batches(viewed(examples, mixed=True), draws, cut(**changes), 0, 6):
        rows = [row for part in step.micro_batches if part.counts for row in part.batch["value"].tolist()]
        assert all(each == [each[3] * 10, 0, step.epoch, each[3]] for row in rows for each in row)
        found.append({own[3]: partner[3] for own, partner in rows})
    return found


def test_each_row_is_mixed_with_the_next_of_its_global_batch(examples):
    wanted = [examples.ids[rows].tolist() for epoch in range(2) for rows in epoch_batches(11, 4, 0, epoch)]
    assert partners(examples) == [dict(zip(ids, [*ids[1:], ids[0]], strict=True)) for ids in wanted]


@pytest.mark.parametrize("changes", [{"micro_batch_size": 1}, {"micro_batch_size": 3}])
def test_however_a_batch_is_cut_partners_are_the_same(examples, changes):
    assert partners(examples, **changes) == partners(examples)


def test_over_processes_partners_are_the_same(examples):
    ranks = [partners(examples, processes=3, rank=rank) for rank in range(3)]
    together = [{own: other for rank in step for own, other in rank.items()} for step in zip(*ranks, strict=True)]
    assert together == partners(examples)


def test_a_row_alone_in_its_batch_is_its_own_partner(examples):
    last = partners(examples, batch_size=10)[1]
    assert [own == other for own, other in last.items()] == [True]


@FORKS
def test_worker_processes_draw_the_same(examples):
    alone = drawn(train_batches(viewed(examples, mixed=True), draws, cut(micro_batch_size=3), 0, 6))
    assert drawn(train_batches(viewed(examples, mixed=True), draws, cut(micro_batch_size=3, workers=2), 0, 6)) == alone


def killed(rows):
    os.kill(os.getpid(), signal.SIGKILL)


def without_shared_memory(rows):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # which holds for shared memory too
    return {"value": torch.zeros(9999)}


@FORKS
@pytest.mark.parametrize(
    ("collated", "told"),
    [
        (killed, r"DataLoader worker \(pid.*(killed by signal|exited unexpectedly).*"),
        (without_shared_memory, "right size: File too large"),
    ],
)
def test_a_worker_that_cannot_go_on_ends_the_wait_for_it(examples, collated, told):
    with pytest.raises(SetupError, match=rf"data\.workers.*{told}.*/dev/shm.*0 does without"):
        list(train_batches(examples, collated, cut(workers=1), 0, 6))


@FORKS
def test_more_workers_than_cores_are_a_warning_of_ours_alone(examples):
    assert worker_warnings(cores()) == []
    assert f"data.workers is {cores() + 1}" in worker_warnings(cores() + 1)[0]
    assert len(list(train_batches(examples, collate, cut(workers=cores() + 1), 0, 3))) == 3
