"""Each family of encoder-decoder models is given texts as it was pretrained on them, and writes as it would alone."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig

import hfft
from hfft.data.loaders import Batch
from hfft.errors import RecipeError
from hfft.models.pretrained import PretrainedSource
from hfft.tasks.prepare import prepare
from hfft.tasks.seq2seq.task import Summarization, Translation
from tests import tiny
from tests.product import first_of_all
from tests.tiny import GERMAN, translations, write_json, write_jsonl


@dataclass(frozen=True)
class Family:
    """What a family does with a text.

    Attributes:
        write: Writes a tiny model.
        source: The tokens around a source; `{}` is the text.
        target: Those around a target.
        languages: English and German, as codes of its tokenizer; None where it has none.
        first: The tokens that what the decoder reads begins with, `<pad>` and so on.
    """

    write: Callable[..., None]
    source: str
    target: str
    first: str
    languages: tuple[str, str] | None = None


FAMILIES = {
    "t5": Family(tiny.t5, "{} </s>", "{} </s>", "<pad>"),
    "mt5": Family(tiny.mt5, "{} </s>", "{} </s>", "<pad>"),
    "bart": Family(tiny.bart, "<s> {} </s>", "<s> {} </s>", "</s> <s>"),
    "led": Family(tiny.led, "<s> {} </s>", "<s> {} </s>", "</s> <s>"),
    "pegasus": Family(tiny.pegasus, "{} </s>", "{} </s>", "<pad>"),
    "marian": Family(tiny.marian, "{} </s>", "{} </s>", "<pad>"),
    "mbart": Family(tiny.mbart, "{} </s> en_XX", "{} </s> de_DE", "de_DE", ("en_XX", "de_DE")),
    "mbart50": Family(tiny.mbart50, "en_XX {} </s>", "de_DE {} </s>", "</s> de_DE", ("en_XX", "de_DE")),
    "nllb": Family(tiny.nllb, "eng_Latn {} </s>", "deu_Latn {} </s>", "</s> deu_Latn", ("eng_Latn", "deu_Latn")),
    "m2m100": Family(tiny.m2m100, "__en__ {} </s>", "__de__ {} </s>", "</s> __de__", ("en", "de")),
}
LANGUAGES = {f"{side}_language": number for number, side in enumerate(("source", "target"))}
ROWS = [{"en": "old dog", "de": "alte Hund"}, *translations(5, 3)]
needs_sentencepiece = pytest.mark.skipif(
    importlib.util.find_spec("sentencepiece") is None, reason="its tokenizer is a SentencePiece model: no sentencepiece"
)
without_moses = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning")  # it is optional
MARKS = {"marian": [needs_sentencepiece, without_moses], "m2m100": [needs_sentencepiece]}

HERE = {"t5", "bart", "marian", "mbart50"}
"""Without languages, with a token at the start, of one direction, of many languages: what every run tries."""


def families(*left_out: str) -> Any:
    names = [name for name in FAMILIES if name not in left_out]
    return pytest.mark.parametrize("name", first_of_all(names, HERE & set(names), MARKS))


@dataclass(frozen=True)
class Opened:
    """A task with data and model, and one batch of all of it."""

    task: Any
    model: Any
    batch: Batch


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Callable[[str], Path]:
    """Gives the folder of a family's tiny model."""
    made: dict[str, Path] = {}

    def give(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "model"
            FAMILIES[name].write(made[name])
        return made[name]

    return give


def options(name: str, **changes: Any) -> dict[str, Any]:
    """The options of a translation by a family, with changes."""
    codes = FAMILIES[name].languages
    languages = {option: codes[number] for option, number in LANGUAGES.items()} if codes else {}
    plain = {"prefix": ""} if name == "t5" else {}  # which else wants to know the languages
    return {"source": "en", "target": "de", "max_target_length": 12, **plain, **languages, **changes}


def opened(folder: Path, kind: Any, rows: list[dict[str, Any]], **given: Any) -> Opened:
    task = kind(kind.Options(**given))
    examples = prepare(task, {"train": Dataset.from_list(rows)}, pretrained := PretrainedSource(str(folder))).splits[
        "train"
    ]
    model, new = task.model(pretrained)
    assert not new
    return Opened(task, model.eval(), task.collate([examples.rows[row] for row in range(len(rows))]))


def tokens(tokenizer: Any, ids: torch.Tensor) -> str:
    """The tokens of a row as one text, pieces of a word put together."""
    names = tokenizer.convert_ids_to_tokens(ids.tolist())
    special = {*tokenizer.all_special_tokens, *getattr(tokenizer, "supported_language_codes", ())}
    text = "".join(f" {name} " if name in special else name for name in names)
    return " ".join(text.replace("▁", " ").replace("Ġ", " ").split())


def heard(model: Any, side: str, name: str, ask: Callable[[], Any]) -> torch.Tensor:
    """What `model`'s encoder or decoder is given by this name the first time that `ask` calls it."""
    found: list[torch.Tensor] = []
    part = getattr(model, f"get_{side}")()
    callback = part.register_forward_pre_hook(lambda _, __, given: found.append(given[name]), with_kwargs=True)
    ask()
    callback.remove()
    return found[0]


def as_meant(plain: Any, batch: Any) -> dict[str, torch.Tensor]:
    """What a model of plain transformers is to be given of a batch, as its authors say."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels") if name in batch}
    if plain.config.model_type == "led":
        inputs["global_attention_mask"] = torch.zeros_like(batch["input_ids"]).index_fill(1, torch.tensor([0]), 1)
    return inputs


@families()
def test_source_and_target_stand_between_the_tokens_the_model_knows_them_by(written, name):
    family, found = FAMILIES[name], opened(written(name), Translation, ROWS, **options(name))
    tokenizer, batch = AutoTokenizer.from_pretrained(written(name)), found.batch
    for row, ids, mask, labels in zip(ROWS, batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True):
        source, target = tokens(tokenizer, ids[mask.bool()]), tokens(tokenizer, labels[labels != -100])
        assert source == family.source.format(row["en"])
        assert target == family.target.format(row["de"])


@families()
def test_labels_are_ignored_behind_the_target_and_nowhere_else(written, name):
    found = opened(written(name), Translation, ROWS, **options(name))
    lengths = [len(ids) for ids in found.task.processor(text_target=[row["de"] for row in ROWS])["input_ids"]]
    assert len(set(lengths)) > 1
    for length, labels in zip(lengths, found.batch["labels"], strict=True):
        assert (labels[:length] >= 0).all()
        assert (labels[length:] == -100).all()
    assert found.task.weight(found.batch) == sum(lengths)


@families()
def test_a_source_and_a_target_that_are_cut_keep_the_tokens_around_them(written, name):
    found = opened(written(name), Translation, ROWS[1:], **options(name, max_source_length=6, max_target_length=5))
    tokenizer, sides = found.task.processor, (FAMILIES[name].source, FAMILIES[name].target)
    for ids, most, side in zip((found.batch["input_ids"], found.batch["labels"]), (6, 5), sides, strict=True):
        assert ids.shape[1] == most
        whole = next(row for row in ids if row[-1] not in (-100, tokenizer.pad_token_id))
        before, after = side.split("{}")
        assert tokens(tokenizer, whole).startswith(before)
        assert tokens(tokenizer, whole).endswith(after)


@families()
def test_the_loss_is_that_of_plain_transformers(written, name):
    found = opened(written(name), Translation, ROWS, **options(name))
    plain = AutoModelForSeq2SeqLM.from_pretrained(written(name)).eval()
    with torch.no_grad():
        ours, theirs = found.task.loss(found.model, found.batch), plain(**as_meant(plain, found.batch)).loss
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)


@families()
def test_the_decoder_reads_what_the_model_itself_makes_of_the_labels(written, name):
    found = opened(written(name), Translation, ROWS, **options(name))
    plain = AutoModelForSeq2SeqLM.from_pretrained(written(name)).eval()
    ours = heard(found.model, "decoder", "input_ids", lambda: found.task.loss(found.model, found.batch))
    theirs = heard(plain, "decoder", "input_ids", lambda: plain(**as_meant(plain, found.batch)))
    assert ours.tolist() == theirs.tolist()
    begun = tokens(AutoTokenizer.from_pretrained(written(name)), ours[0])
    assert begun.startswith(f"{FAMILIES[name].first} alte")


def trained(folder: Path, model: Path, task: str, **given: Any) -> Path:
    """Trains two steps, and gives the run folder."""
    for split, rows in (("train", ROWS), ("eval", translations(4, 4))):
        write_jsonl(folder / f"{split}.jsonl", rows)
    recipe = {
        "task": {"name": task, **given},
        "data": {"root": str(folder), "files": {"train": "train.jsonl", "eval": "eval.jsonl"}},
        "model": str(model),
        "optim": {"lr": 1e-2},
        "train": {"steps": 2, "batch_size": 3},
    }
    hfft.train(hfft.Recipe.from_dict(recipe), output=folder / "run", quiet=True)
    return folder / "run"


def predicted(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "predictions" / "eval.jsonl").read_text("utf-8").splitlines()]


@families()
def test_the_saved_model_alone_writes_the_same_tokens(written, tmp_path, name):
    run = trained(tmp_path, written(name), "translation", **options(name))
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    model = AutoModelForSeq2SeqLM.from_pretrained(run / "model").eval()
    answers = predicted(run)
    assert len(answers) == 4
    for row, answer in zip(translations(4, 4), answers, strict=True):
        encoded = tokenizer(row["en"], return_tensors="pt")
        assert tokens(tokenizer, encoded["input_ids"][0]) == FAMILIES[name].source.format(row["en"])
        written_ids = model.generate(**as_meant(model, encoded))[0]
        forced = "</s>" if name == "led" else FAMILIES[name].first  # LED's settings force no first token
        assert tokens(tokenizer, written_ids).startswith(forced)
        assert tokenizer.decode(written_ids, skip_special_tokens=True).strip() == answer["answer"]
        assert not set(answer["answer"].split()) & {*["</s>", "<s>", "<pad>"], *(FAMILIES[name].languages or ())}
        assert written_ids[1:].tolist() == answer["tokens"]


@families()
def test_the_saved_settings_of_generation_are_those_of_the_model_with_language_and_length(written, tmp_path, name):
    run = trained(tmp_path, written(name), "translation", **options(name, generation={"num_beams": 2}))
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    before = GenerationConfig.from_pretrained(written(name)).to_diff_dict()
    after = GenerationConfig.from_pretrained(run / "model").to_diff_dict()
    languages = FAMILIES[name].languages
    expected = {**before, "num_beams": 2, "max_new_tokens": 12}
    if languages is not None:
        code = tokenizer.convert_tokens_to_ids(FAMILIES[name].first.split()[-1])
        assert code not in (None, tokenizer.unk_token_id)
        expected["decoder_start_token_id" if name == "mbart" else "forced_bos_token_id"] = code
        assert (tokenizer.src_lang, tokenizer.tgt_lang) == languages
    assert {key: after.get(key) for key in expected} == expected


def refused(folder: Path, kind: Any, **given: Any) -> str:
    with pytest.raises(RecipeError) as error:
        opened(folder, kind, ROWS, **given)
    return str(error.value)


@families(*(name for name in FAMILIES if FAMILIES[name].languages is None))
def test_a_model_of_several_languages_must_be_told_which(written, name):
    for option in LANGUAGES:
        message = refused(written(name), Translation, **options(name, **{option: None}))
        assert f"task.{option} is missing" in message
        assert ", ... (" in message  # some of the codes it knows, and how many there are


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("mbart", "de_De", "de_DE"),
        ("mbart", "de", "de_DE"),
        ("mbart50", "ro_R0", "ro_RO"),
        ("nllb", "deu_Lat", "deu_Latn"),
        pytest.param("m2m100", "De", "de", marks=MARKS["m2m100"]),
    ],
)
def test_an_unknown_language_is_refused_with_the_nearest_known_one(written, name, given, meant):
    message = refused(written(name), Translation, **options(name, target_language=given))
    assert f"task.target_language is '{given}'" in message
    assert f"Did you mean '{meant}'?" in message


@pytest.mark.parametrize("name", ["mt5", "bart", "pegasus", "led"])
@pytest.mark.parametrize("option", LANGUAGES)
def test_a_language_given_to_a_model_that_knows_none_is_refused(written, name, option):
    message = refused(written(name), Translation, **options(name, **{option: "de"}))
    assert f"task.{option} is 'de'" in message
    assert "leave it out" in message


@pytest.mark.parametrize("name", [pytest.param("marian", marks=MARKS["marian"])])
def test_a_model_of_one_direction_takes_its_own_languages_and_no_others(written, name):
    opened(written(name), Translation, ROWS, **options(name, source_language="en", target_language="de"))
    message = refused(written(name), Translation, **options(name, source_language="en", target_language="fr"))
    assert "task.target_language is 'fr', but this model has 'de' for it" in message


@pytest.mark.parametrize("name", [pytest.param("marian", marks=MARKS["marian"])])
def test_a_marian_model_that_writes_several_languages_is_told_which_by_a_mark(written, tmp_path, name):
    FAMILIES[name].write(tmp_path)
    marks = {"▁w38": ">>deu<<", "▁w39": ">>fra<<"}
    vocabulary = json.loads((tmp_path / "vocab.json").read_text("utf-8"))
    write_json(tmp_path / "vocab.json", {marks.get(token, token): number for token, number in vocabulary.items()})
    found = opened(tmp_path, Translation, ROWS, **options(name, target_language="deu"))
    assert tokens(found.task.processor, found.batch["input_ids"][0]).startswith(">>deu<< old dog </s>")
    assert "task.target_language is missing" in refused(tmp_path, Translation, **options(name))
    message = refused(tmp_path, Translation, **options(name, target_language="dez"))
    assert "Did you mean 'deu'?" in message


TEXTS = [{"document": "old dog", "summary": "dog"}]
PREFIXED = [
    (Summarization, {}, "summarize: old dog </s>"),
    (Summarization, {"prefix": ""}, "old dog </s>"),
    (Summarization, {"prefix": "translate "}, "translate old dog </s>"),
    (Translation, {"source_language": "en", "target_language": "de"}, "translate English to German: old dog </s>"),
    (Translation, {"prefix": "translate "}, "translate old dog </s>"),
]


@pytest.mark.parametrize(("kind", "given", "read"), PREFIXED)
def test_t5_reads_the_prefix_of_its_configuration_unless_the_recipe_has_one(written, kind, given, read):
    columns = {"source": "document", "target": "summary"}
    found = opened(written("t5"), kind, TEXTS, **columns, **given, max_target_length=12)
    assert tokens(found.task.processor, found.batch["input_ids"][0]) == read
    assert tokens(found.task.processor, found.batch["labels"][0]) == "dog </s>"


def test_t5_refuses_a_pair_of_languages_it_has_no_prefix_for(written):
    message = refused(
        written("t5"), Translation, **options("t5", prefix=None, source_language="en", target_language="df")
    )
    assert "Did you mean 'translation_en_to_de'?" in message


def test_the_prefix_stands_in_the_plan_and_before_every_source_that_is_answered(written, tmp_path):
    write_jsonl(tmp_path / "train.jsonl", [{"document": row["en"], "summary": row["de"]} for row in ROWS])
    recipe = {
        "task": {"name": "summarization", "max_target_length": 12},
        "data": {"root": str(tmp_path), "files": {"train": "train.jsonl", "eval": "train.jsonl"}},
        "model": str(written("t5")),
    }
    plan = hfft.plan(hfft.Recipe.from_dict(recipe))
    assert all(line.startswith("summarize: ") for line in plan.batch)


def test_the_first_token_of_led_looks_at_all_others_in_training_and_in_answering(written):
    found = opened(written("led"), Translation, ROWS, **options("led"))
    shape = found.batch["input_ids"].shape
    for ask in (found.task.loss, found.task.predict):
        mask = heard(found.model, "encoder", "global_attention_mask", partial(ask, found.model, found.batch))
        assert mask[:, : shape[1]].tolist() == [[1] + [0] * (shape[1] - 1)] * shape[0]
    with torch.no_grad():
        blind = found.model(**{name: found.batch[name] for name in ("input_ids", "attention_mask", "labels")}).loss
        assert found.task.loss(found.model, found.batch).item() != pytest.approx(blind.item(), abs=1e-6)


def test_a_long_document_of_led_may_be_longer_than_what_its_decoder_writes(tmp_path):
    tiny.led(tmp_path, positions=2048)
    rows = [{"document": " ".join(["old dog"] * 900), "summary": " ".join(GERMAN.values())}]
    found = opened(tmp_path, Summarization, rows, max_source_length=2048)
    assert found.batch["input_ids"].shape[1] == 1802
    message = refused(tmp_path, Summarization, source="en", target="de", max_target_length=1025)
    assert "task.max_target_length is 1025, but this model takes 1024 tokens at most" in message
