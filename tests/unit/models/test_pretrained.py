"""What is read of a model as people have it, and what is said where it lacks something or does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    ByT5Tokenizer,
    CanineConfig,
    CanineTokenizer,
    MarianConfig,
    Qwen2Config,
    T5Config,
)

import hfft
from hfft.errors import ModelError
from hfft.models.pretrained import PretrainedSource, require_decoder
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
        PretrainedSource(str(tmp_path)).tokenizer()


@pytest.mark.parametrize(("tokenizer", "config"), [(ByT5Tokenizer, T5Config), (CanineTokenizer, CanineConfig)])
def test_tokenizers_of_bytes_and_letters_have_no_words_and_are_read(tmp_path, tokenizer, config):
    config().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    assert isinstance(PretrainedSource(str(tmp_path)).tokenizer(), tokenizer)


def test_a_model_of_images_is_not_told_to_write_as_a_pair(tmp_path: Path):
    tiny.vit(tmp_path)
    with pytest.raises(ModelError, match=r"which sees images; .* Give a model such as T5 or BART\.") as found:
        require_decoder(PretrainedSource(str(tmp_path)))
    assert "encoder" not in str(found.value)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "ab" * 32 + "\nsize 346293852\n"


def edit(file: Path, **values: object) -> None:
    held = json.loads(file.read_text())
    file.write_text(json.dumps({**held, **values}))


def classifier(folder: Path) -> Path:
    """A BERT with a trained head of two labels."""
    tiny.bert(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = {0: "no", 1: "yes"}
    settings: Any = {"id2label": names, "label2id": {name: number for number, name in names.items()}}
    BertForSequenceClassification.from_pretrained(folder, **settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def load(folder: Path, **settings: Any) -> tuple[Any, list[str]]:
    return PretrainedSource(str(folder), **settings).load(AutoModelForSequenceClassification)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "tokenizer.json", "config.json"])
def test_a_pointer_of_git_lfs_is_named(tmp_path, name):
    tiny.bert(tmp_path)
    if name.endswith(".bin"):
        (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).write_text(POINTER)
    with pytest.raises(ModelError, match=rf"{name} \(134 bytes\) is a pointer of Git LFS .* git lfs pull"):
        _ = PretrainedSource(str(tmp_path)).tokenizer(), load(tmp_path)


def test_a_pointer_beside_what_is_read_is_none_of_our_business(tmp_path):
    tiny.bert(tmp_path)
    for name in ("pytorch_model.bin", "tf_model.h5"):
        (tmp_path / name).write_text(POINTER)
    load(tmp_path)


def test_weights_that_are_cut_off_or_empty_are_named(tmp_path):
    tiny.bert(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"model.safetensors \(1000 bytes\) is damaged or cut off: .* Copy it again"):
        load(tmp_path)
    file.write_bytes(b"")
    with pytest.raises(ModelError, match=r"model.safetensors is empty"):
        load(tmp_path)


def test_a_pickle_that_is_cut_off_is_named(tmp_path):
    tiny.bert(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"weights": torch.zeros(1000)}, tmp_path / "pytorch_model.bin")
    (tmp_path / "pytorch_model.bin").write_bytes((tmp_path / "pytorch_model.bin").read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"pytorch_model.bin \(2000 bytes\) is damaged or cut off"):
        load(tmp_path)


def test_a_pickle_that_torch_refuses_is_explained(tmp_path):
    tiny.bert(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"weights": Path("here")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"file of pickle \(.bin\) that torch refuses to load, .*save_file"):
        load(tmp_path)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "roberta."])
def test_a_checkpoint_with_other_names_is_not_trained_from_random_weights(tmp_path, prefix):
    tiny.bert(tmp_path)
    file = tmp_path / "model.safetensors"
    save_file({prefix + name: tensor for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"weights below the head \d+ are not in .* bert\..*It has others: {prefix}"):
        load(tmp_path)
    _, new = load(tmp_path, from_scratch=True)
    assert len(new) > 50


def test_weights_that_are_no_numbers_are_named(tmp_path):
    tiny.bert(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    tensors["pooler.dense.bias"][3] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(
        ModelError, match=r"1 of its weights hold numbers that are not finite .*: bert.pooler.dense.bias"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    ("id2label", "label2id", "message"),
    [
        ({1: "no", 2: "yes"}, {"no": 1, "yes": 2}, "numbers its 2 labels 1 to 2, where 0 to 1 are expected"),
        ({0: "no", 2: "yes"}, {"no": 0, "yes": 2}, "numbers its 2 labels 0 to 2, where 0 to 1 are expected"),
        ({0: "no", 1: "yes"}, {"no": 1, "yes": 0}, "in two ways: 'no' is 1 in label2id"),
    ],
)
def test_labels_that_are_not_numbered_from_0_ask_for_a_new_head(tmp_path, id2label, label2id, message):
    edit(classifier(tmp_path) / "config.json", id2label=id2label, label2id=label2id)
    with pytest.raises(ModelError, match=f"{message}.*model.new_head=true"):
        _ = PretrainedSource(str(tmp_path)).labels
    settings: Any = {"num_labels": 2, "id2label": {0: "a", 1: "b"}, "label2id": {"a": 0, "b": 1}}
    model, new = PretrainedSource(str(tmp_path), new_head=True).load(AutoModelForSequenceClassification, **settings)
    assert model.config.id2label == settings["id2label"]
    assert set(new) == {"classifier.weight", "classifier.bias"}


def test_placeholders_in_label2id_are_no_second_numbering(tmp_path):
    edit(classifier(tmp_path) / "config.json", label2id={"LABEL_0": 0, "LABEL_1": 1})
    assert PretrainedSource(str(tmp_path)).labels == ["no", "yes"]


def test_a_head_of_another_shape_asks_for_a_new_one_and_a_body_is_never_made_anew(tmp_path):
    classifier(tmp_path)
    settings: Any = {"num_labels": 3, "id2label": dict(enumerate("abc")), "label2id": {"a": 0, "b": 1, "c": 2}}
    with pytest.raises(ModelError, match=r"classifier.bias has the shape \(2,\) .* wants \(3,\) .*model.new_head=true"):
        PretrainedSource(str(tmp_path)).load(AutoModelForSequenceClassification, **settings)
    edit(tmp_path / "config.json", intermediate_size=40)
    with pytest.raises(
        ModelError, match=r"shape \(48,\) in the checkpoint, and the configuration wants \(40,\)"
    ) as found:
        PretrainedSource(str(tmp_path), new_head=True).load(AutoModelForSequenceClassification, **settings)
    assert "model.new_head" not in str(found.value)


def test_a_model_from_scratch_is_in_evaluation_mode_as_a_loaded_one_is(tmp_path):
    """Its BatchNorm would take statistics of whatever is tried with it before the first step."""
    tiny.resnet(tmp_path)
    for scratch in (False, True):
        model, _ = PretrainedSource(str(tmp_path), from_scratch=scratch).load(AutoModelForImageClassification)
        assert not any(module.training for module in model.modules())


def test_one_number_for_all_channels_is_read_as_three(tmp_path):
    tiny.vit(tmp_path)
    edit(tmp_path / "preprocessor_config.json", image_mean=0.5, image_std=[0.25])
    processor = PretrainedSource(str(tmp_path)).image_processor()
    assert (processor.image_mean, processor.image_std) == ([0.5] * 3, [0.25] * 3)


@pytest.mark.parametrize("make", [tiny.gpt2, tiny.bart])
def test_a_tokenizer_pads_on_the_right_and_is_saved_so(tmp_path, make):
    make(tmp_path)
    edit(tmp_path / "tokenizer_config.json", padding_side="left")
    made = PretrainedSource(str(tmp_path)).tokenizer()
    made.save_pretrained(tmp_path / "saved")
    saved: Any = AutoTokenizer.from_pretrained(tmp_path / "saved")
    ids = saved(["the film", "the film was nice"], padding=True)["input_ids"]
    assert (made.padding_side, saved.padding_side) == ("right", "right")
    assert ids[0][-1] == saved.pad_token_id != ids[0][0]


def test_answers_do_not_depend_on_the_batch_where_the_padding_stood_in_front(tmp_path):
    tiny.gpt2(tmp_path / "gpt2")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "gpt2", pad_token="[PAD]", padding_side="left")
    settings: Any = {"id2label": {0: "no", 1: "yes"}, "label2id": {"no": 0, "yes": 1}, "pad_token_id": 0}
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "gpt2", **settings)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    texts = ["nice", "fine film", "the film was nice and fine and dull", "dull"]
    alone, together = (hfft.predict(tmp_path / "model", texts, batch_size=size) for size in (1, 4))
    assert [row["probabilities"] for row in alone] == [pytest.approx(row["probabilities"]) for row in together]


def test_a_tokenizer_with_neither_a_token_to_pad_nor_one_to_end_pads_with_another(tmp_path):
    tiny.gpt2(tmp_path)
    edit(tmp_path / "tokenizer_config.json", bos_token=None, eos_token=None, pad_token=None)
    assert PretrainedSource(str(tmp_path)).tokenizer().pad_token == "[UNK]"
    edit(tmp_path / "tokenizer_config.json", unk_token=None)
    with pytest.raises(ModelError, match="no token to pad with, nor another special one"):
        PretrainedSource(str(tmp_path)).tokenizer()


@pytest.mark.parametrize("make", [tiny.bert, tiny.bart])
def test_tokens_without_a_row_in_the_table_of_words_are_counted(tmp_path, make):
    make(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    rows = len(tokenizer)
    tokenizer.add_tokens(["<user>", "<url>"])
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(
        ModelError, match=rf"{rows + 2} tokens, .* only {rows} rows: 2 .*: <user>, <url>. Give them rows"
    ):
        PretrainedSource(str(tmp_path)).tokenizer()


BART_RATES = {"dropout": 0.1, "attention_dropout": 0.0, "activation_dropout": 0.0, "classifier_dropout": 0.0}


@pytest.mark.parametrize(
    ("make", "value", "expected"),
    [
        (tiny.bart, 0.3, {**BART_RATES, "dropout": 0.3, "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0}),
        (tiny.m2m100, 0.0, {**dict.fromkeys(BART_RATES, 0.0), "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0}),
        (tiny.m2m100, 0.3, {"dropout": 0.3, "attention_dropout": 0.3, "encoder_layerdrop": 0.05}),
        (tiny.bert, 0.3, {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3}),
        (tiny.vit, 0.3, {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.0}),
    ],
)
def test_dropout_sets_what_it_names_and_leaves_what_is_off(tmp_path, make, value, expected):
    make(tmp_path)
    config = PretrainedSource(str(tmp_path), dropout=value).config
    assert {name: getattr(config, name) for name in expected if hasattr(config, name)} == {
        name: rate for name, rate in expected.items() if hasattr(config, name)
    }


def test_the_rates_that_are_set_and_left_are_told(tmp_path):
    tiny.bart(tmp_path)
    (line,) = PretrainedSource(str(tmp_path), dropout=0.3).rates
    assert line.startswith("model.dropout sets dropout from 0.1 to 0.3; it leaves ")
    assert "attention_dropout at 0" in line
    assert PretrainedSource(str(tmp_path)).rates == []
