"""What is said of models that lack something."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import ByT5Tokenizer, CanineConfig, CanineTokenizer, MarianConfig, Qwen2Config, T5Config

from hfft.backbone import Backbone, require_decoder
from hfft.errors import ModelError
from tests import tiny


@pytest.mark.parametrize(
    "make",
    [
        tiny.bert,
        tiny.roberta_bytes,
        lambda folder: MarianConfig().save_pretrained(folder),  # raises a TypeError
        lambda folder: Qwen2Config().save_pretrained(folder),
        lambda folder: T5Config().save_pretrained(folder),  # knows its hundred sentinels
    ],
    ids=["bert", "roberta", "marian", "qwen", "t5"],
)
def test_a_model_without_tokenizer_files_is_refused(tmp_path, make):
    """Where there are none, transformers 5 makes one that knows no word, with which nothing is learnt."""
    make(tmp_path)
    for file in tmp_path.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            file.unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer files .* Copy them \(tokenizer.json"):
        Backbone(str(tmp_path)).tokenizer()


@pytest.mark.parametrize(("tokenizer", "config"), [(ByT5Tokenizer, T5Config), (CanineTokenizer, CanineConfig)])
def test_tokenizers_of_bytes_and_letters_have_no_words_and_are_read(tmp_path, tokenizer, config):
    config().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    assert isinstance(Backbone(str(tmp_path)).tokenizer(), tokenizer)


def test_a_model_of_images_is_not_told_to_write_as_a_pair(tmp_path: Path):
    tiny.vit(tmp_path)
    with pytest.raises(ModelError, match=r"which sees images; .* Give a model such as T5 or BART\.") as found:
        require_decoder(Backbone(str(tmp_path)))
    assert "encoder" not in str(found.value)
