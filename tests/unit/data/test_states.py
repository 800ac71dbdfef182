from __future__ import annotations

import os
import pickle
import time

import numpy as np
import pytest
import torch

from hfft.data.states import States, cut, make_room, rows_in, writer


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_states_come_back_to_where_the_tokens_stand(tmp_path, dtype):
    mask = torch.tensor([[0, 1, 1], [1, 1, 1], [1, 0, 0]])  # padded at either side
    states = torch.randn(3, 3, 2).to(dtype)
    parts = cut(states, {"attention_mask": mask, "windows": torch.tensor([2, 1])}, 2)
    assert parts is not None
    with writer(tmp_path / "a.arrow") as write:
        write([1, 0], parts)
    kept = States([tmp_path / "a.arrow"], (2,), dtype)
    for each in (kept, pickle.loads(pickle.dumps(kept))):
        wide = torch.cat([mask[2:], mask[:2]])
        torch.testing.assert_close(
            each.batch(np.array([0, 1]), wide), torch.cat([states[2:], states[:2]]) * wide[..., None]
        )


def test_states_without_tokens_have_the_shape_of_an_example(tmp_path):
    states = torch.randn(4, 3, 2, 2)
    for number, places in enumerate(([3, 1], [0, 2])):
        with writer(tmp_path / f"{number}.arrow") as write:
            write(places, cut(states[places], {}, 2) or [])
    kept = States([tmp_path / "0.arrow", tmp_path / "1.arrow"], (3, 2, 2), torch.float32)
    torch.testing.assert_close(kept.batch(np.array([2, 3, 0]), None), states[[2, 3, 0]])


def test_nobody_knows_whose_rows_they_are_where_they_are_more():
    assert cut(torch.zeros(5, 3), {}, 2) is None


def test_only_whole_files_count(tmp_path):
    file = tmp_path / "a.arrow"
    assert rows_in(file) == 0
    with writer(file) as write:
        write([0, 1], [b"1234", b"5678"])
    assert rows_in(file) == 2
    file.write_bytes(file.read_bytes().replace(b"5678", b"5679"))
    assert rows_in(file) == 0


def test_a_file_that_is_not_finished_is_not_there(tmp_path):
    def begin() -> None:
        with writer(tmp_path / "a.arrow") as write:
            write([0], [b"1234"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert list(tmp_path.iterdir()) == []


def test_what_was_used_longest_ago_makes_room(tmp_path):
    for name, age in (("a", 30), ("b", 10), ("c", 20)):
        (tmp_path / f"{name}.arrow").write_bytes(bytes(100))
        then = time.time() - age
        os.utime(tmp_path / f"{name}.arrow", (then, then))
    make_room(tmp_path, 100, 300)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.arrow", "c.arrow"]
    make_room(tmp_path / "absent", 100, 300)
