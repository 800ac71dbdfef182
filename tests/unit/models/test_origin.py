"""What a pretrained model is known by: its own files, whatever else lies beside them."""

from __future__ import annotations

import pytest

from hfft.models.origin import digest, origin_of
from hfft.models.pretrained import PretrainedSource


@pytest.fixture
def model(tmp_path):
    for name in ("config.json", "vocab.txt", "model.safetensors", "pytorch_model.bin", "README.md"):
        (tmp_path / name).write_text(name)
    (tmp_path / "onnx").mkdir()
    return tmp_path


def test_the_files_that_are_read_are_known(model):
    assert list(origin_of(PretrainedSource(str(model)))) == ["config.json", "model.safetensors", "vocab.txt"]
    assert list(origin_of(PretrainedSource(str(model), from_scratch=True))) == ["config.json", "vocab.txt"]
    (model / "model.safetensors").unlink()
    assert list(origin_of(PretrainedSource(str(model)))) == ["config.json", "pytorch_model.bin", "vocab.txt"]


def test_a_model_that_moves_stays_the_same(model, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "place"
    before = origin_of(PretrainedSource(str(model)))
    model.rename(other)
    assert origin_of(PretrainedSource(str(other))) == before


def test_of_a_large_file_a_change_of_all_its_pieces_is_seen_and_so_is_its_size(tmp_path):
    file = tmp_path / "weights"
    found = set()
    for content in (bytes(9_000_000), b"\1" * 9_000_000, bytes(8_999_999), bytes(8_999_000) + b"\1" * 1000):
        file.write_bytes(content)
        found.add(digest(file, whole=1000))
    assert len(found) == 4
