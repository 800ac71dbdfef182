"""Order: a function of (seed, epoch), the same for any number of processes."""

from __future__ import annotations

import numpy as np
import pytest

from hfft.data.sampling import POOL_BATCHES, Budget, epoch_batches, parts, scoring_parts, steps_per_epoch

SIZES = [(1, 1), (7, 3), (8, 8), (9, 8), (5, 32), (1000, 16), (1001, 16)]


def lengths_of(count, seed=0):
    return np.random.default_rng(seed).geometric(0.05, size=count)


def cells(batches, lengths):
    return sum(len(batch) * lengths[batch].max() for batch in batches)


@pytest.mark.parametrize(("count", "batch_size"), SIZES)
@pytest.mark.parametrize("by_length", [False, True])
def test_an_epoch_holds_each_row_once_in_batches_of_equal_size_but_the_last(count, batch_size, by_length):
    batches = epoch_batches(count, batch_size, 0, 0, lengths_of(count) if by_length else None)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    assert len(batches) == steps_per_epoch(count, batch_size)
    assert len(batches[-1]) == (count % batch_size or batch_size)


@pytest.mark.parametrize("by_length", [False, True])
def test_seed_and_epoch_decide_the_order(by_length):
    lengths = lengths_of(100) if by_length else None

    def order(seed, epoch):
        np.random.seed(epoch)  # the global state has no say
        return [batch.tolist() for batch in epoch_batches(100, 8, seed, epoch, lengths)]

    assert order(0, 0) == order(0, 0)
    assert len({str(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_batches_by_length_are_padded_little():
    lengths = lengths_of(16 * POOL_BATCHES * 4)
    shuffled, grouped = (cells(epoch_batches(len(lengths), 16, 0, 0, given), lengths) for given in (None, lengths))
    assert lengths.sum() / shuffled < 0.4
    assert lengths.sum() / grouped > 0.9


def test_batches_that_are_not_alike_are_the_random_ones_sorted_inside():
    lengths = lengths_of(1003)
    batches = epoch_batches(1003, 16, 0, 0, lengths, "micro")
    assert [set(batch) for batch in batches] == [set(batch) for batch in epoch_batches(1003, 16, 0, 0)]
    assert all((np.diff(lengths[batch]) >= 0).all() for batch in batches)
    plain = epoch_batches(1003, 16, 0, 0, lengths, False)
    assert [batch.tolist() for batch in plain] == [batch.tolist() for batch in epoch_batches(1003, 16, 0, 0)]
    small = [part.rows for batch in batches for part in parts(batch, 4, 0, 1)]
    assert lengths.sum() / cells(small, lengths) > 1.5 * lengths.sum() / cells(batches, lengths)


def test_the_place_of_a_batch_says_nothing_about_its_length():
    lengths = lengths_of(16 * POOL_BATCHES * 4)
    means = [lengths[batch].mean() for batch in epoch_batches(len(lengths), 16, 0, 0, lengths)]
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.15  # two standard errors of 200 batches


def test_the_rows_of_the_short_last_batch_are_drawn_before_sorting():
    lengths = lengths_of(1003)
    for epoch in range(5):
        with_lengths, without = epoch_batches(1003, 16, 0, epoch, lengths), epoch_batches(1003, 16, 0, epoch)
        assert with_lengths[-1].tolist() == without[-1].tolist()


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 32])
@pytest.mark.parametrize("micro_batch_size", [None, 1, 3, 100])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_parts_of_all_processes_are_the_batch_and_equally_many(rows, micro_batch_size, processes):
    batch = np.arange(100, 100 + rows)
    cut = [parts(batch, micro_batch_size, rank, processes) for rank in range(processes)]
    assert len({len(mine) for mine in cut}) == 1
    counting = [row for mine in cut for part in mine if part.counts for row in part.rows.tolist()]
    assert sorted(counting) == batch.tolist()
    assert all(1 <= len(part.rows) <= (micro_batch_size or rows) for mine in cut for part in mine)


def test_a_process_without_rows_takes_one_that_does_not_count():
    filler = parts(np.array([4, 9]), None, 2, 3)
    assert [(part.rows.tolist(), part.counts) for part in filler] == [([4], False)]


@pytest.mark.parametrize("count", [1, 5, 23])
@pytest.mark.parametrize("size", [1, 4, 50])
@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("by_length", [False, True])
def test_scoring_takes_each_row_once_and_keeps_processes_in_step(count, size, processes, by_length):
    lengths = lengths_of(count) if by_length else None
    cut = [scoring_parts(lengths, count, Budget(size), rank, processes) for rank in range(processes)]
    assert len({len(mine) for mine in cut}) == 1
    counting = [row for mine in cut for part in mine if part.counts for row in part.rows.tolist()]
    assert sorted(counting) == list(range(count))
    assert all(len(part.rows) <= size for mine in cut for part in mine)


def test_scoring_begins_with_the_longest_rows():
    lengths = np.array([3, 9, 1, 7, 9])
    assert [part.rows.tolist() for part in scoring_parts(lengths, 5, Budget(2), 0, 1)] == [[1, 4], [3, 0], [2]]


def test_a_budget_of_tokens_counts_padding_and_gives_the_longest_row_a_part_of_its_own():
    lengths = np.array([3, 9, 1, 7, 3, 40])
    cut = [part.rows.tolist() for part in scoring_parts(lengths, 6, Budget(None, 18), 0, 1)]
    assert cut == [[5], [1, 3], [0, 4, 2]]
    assert [len(part.rows) for part in scoring_parts(lengths, 6, Budget(1, 18), 0, 1)] == [1] * 6
    assert [len(part.rows) for part in scoring_parts(None, 6, Budget(None, 18), 0, 1)] == [6]
