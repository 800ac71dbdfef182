"""Tags of words and spans of texts: what is learnt, answered, counted and refused."""

from __future__ import annotations

import json
import random
import warnings
from bisect import bisect
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from seqeval.metrics import f1_score
from sklearn.metrics import accuracy_score, recall_score
from sklearn.metrics import f1_score as multiclass_f1
from sklearn.utils.class_weight import compute_class_weight
from tokenizers import pre_tokenizers, processors
from torch.nn.functional import cross_entropy
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTokenClassification,
    CanineConfig,
    CanineModel,
    CanineTokenizer,
    FNetConfig,
    FNetModel,
    GPT2Tokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    pipeline,
)

import hfft
from hfft.errors import DataError, ModelError, RecipeError
from hfft.models.pretrained import PretrainedSource
from hfft.tasks.prepare import new_rows, prepare, restore
from hfft.tasks.token_classification.documents import without_overlaps
from hfft.tasks.token_classification.options import Options
from hfft.tasks.token_classification.schemes import Span
from hfft.tasks.token_classification.task import TokenClassification
from hfft.testing import predictions
from tests.product import first_of_all
from tests.tiny import bert, gpt2, modernbert, roberta_bytes, write_jsonl
from tests.tiny.tokenizers import byte_pair_merges, byte_pairs
from tests.tiny.words import SIGNS

TASK = "hfft.tasks.token_classification.task:TokenClassification"


def gpt2_bytes(folder: Path) -> None:
    """A GPT-2 with its tokenizer of byte pairs: `w1` behind a space is another token than at the start."""
    gpt2(folder)
    vocabulary, merges = byte_pair_merges(["Ġ", ""])
    numbered = {token: number for number, token in enumerate(["<|endoftext|>", *vocabulary])}
    _bring(folder, GPT2Tokenizer(numbered, merges, model_max_length=64), bos_token_id=0, eos_token_id=0)


def modernbert_bytes(folder: Path) -> None:
    """A ModernBERT with byte pairs, as the real one has them: by no class of its own."""
    modernbert(folder)
    backend: Any = byte_pairs(64).backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ends = [("<s>", 0), ("</s>", 2)]
    backend.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=ends)
    names = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    inputs = ["input_ids", "attention_mask"]
    made = PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, model_input_names=inputs, **names)
    _bring(folder, made, cls_token_id=0, bos_token_id=0, pad_token_id=1, sep_token_id=2, eos_token_id=2)


def _bring(folder: Path, tokenizer: PreTrainedTokenizerBase, **ids: int) -> None:
    """Gives a model another tokenizer, and an embedding for each of its tokens."""
    tokenizer.save_pretrained(folder)
    config = AutoConfig.from_pretrained(folder, vocab_size=len(tokenizer), **ids)
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)


def canine(folder: Path) -> None:
    """A CANINE, which reads letters by a tokenizer without a fast backend."""
    CanineTokenizer().save_pretrained(folder)
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 48,
    }
    CanineModel(CanineConfig(**sizes, num_hash_buckets=16)).save_pretrained(folder)


MODELS = [bert, roberta_bytes, gpt2_bytes, modernbert_bytes]
HERE = [bert, roberta_bytes]  # pieces of words, and of bytes with the space before them: what every run tries


def tagged_words(count: int, seed: int) -> list[dict]:
    """Words of a sign, one to three in a row and always in one order, are entities; rows of 1 to 27 words."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        words, tags = [], []
        while len(words) < draw.randint(1, 24):
            if draw.random() < 0.3:
                sign = draw.choice(sorted(SIGNS))
                new = SIGNS[sign][: draw.randint(1, 3)]
                tags += [f"B-{sign}", *[f"I-{sign}"] * (len(new) - 1), "O"]
                words += [*new, "w0"]
            else:
                words.append(f"w{draw.randint(1, 39)}")
                tags.append("O")
        rows.append({"tokens": words, "tags": tags})
    return rows


def as_texts(rows: list[dict]) -> list[dict]:
    """The same with whole texts, and spans of characters."""
    made = []
    for row in rows:
        starts, spans = [0, *accumulate(len(word) + 1 for word in row["tokens"])], []
        for word, tag, start in zip(row["tokens"], row["tags"], starts, strict=False):
            if tag.startswith("B-"):
                spans.append({"start": start, "end": start + len(word), "label": tag[2:]})
            elif tag.startswith("I-"):
                spans[-1]["end"] = start + len(word)
        made.append({"tokens": " ".join(row["tokens"]), "tags": spans})
    return made


def recipe(folder: Path, model=bert, *overrides: str, whole: bool = False, **task) -> hfft.Recipe:
    model(folder / "model")
    for seed, split in enumerate(("train", "eval")):
        rows = tagged_words(150 if split == "train" else 40, seed)
        write_jsonl(folder / f"{split}.jsonl", as_texts(rows) if whole else rows)
    return hfft.Recipe.from_dict(
        {
            "name": "tags",
            "task": {"name": TASK, "max_length": 16, **task},
            "data": {"root": str(folder), "files": {"train": "train.jsonl", "eval": "eval.jsonl"}},
            "model": str(folder / "model"),
            "optim": {"lr": 3e-3},
            "train": {"epochs": 5, "batch_size": 10, "keep_best": "f1"},
        },
        *overrides,
    )


def task_of(folder: Path, train: list[dict] | Dataset, model=bert, **options):
    """A task that is prepared on rows, and what that gave; the eval split is given as `eval`."""
    model(folder / "model")
    given = {"train": train, "eval": options.pop("eval", None)}
    splits = {
        split: rows if isinstance(rows, Dataset) else Dataset.from_list(rows) for split, rows in given.items() if rows
    }
    task = TokenClassification(Options(**options))
    return task, prepare(task, splits, PretrainedSource(str(folder / "model")))


def logits_of(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return model(**{name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}).logits


def texts_of(prepared) -> str:
    return "\n".join(map(str, prepared.findings))


def tag_of_pieces(folder: Path, words: list[str]) -> list[str]:
    """As the model card has it."""
    tagger: Any = pipeline("token-classification", model=str(folder), ignore_labels=[])
    starts = [0, *accumulate(len(word) + 1 for word in words)]
    tags = ["O"] * len(words)
    for piece in reversed(tagger([words], is_split_into_words=True)[0]):
        tags[bisect(starts, piece["start"]) - 1] = piece["entity"]
    return tags


@pytest.mark.parametrize("model", first_of_all(MODELS, HERE))
def test_words_are_learnt_and_transformers_agrees(tmp_path, model):
    result = hfft.train(recipe(tmp_path, model, max_length=48), tmp_path / "run", trust=True, quiet=True)
    rows = predictions(tmp_path / "run")
    answers, truths = [row["answer"] for row in rows], [row["truth"] for row in rows]
    assert result.scores["eval"]["f1"]["value"] == pytest.approx(f1_score(truths, answers))
    assert result.scores["eval"]["f1"]["value"] > 0.8
    asked = [json.loads(line)["tokens"] for line in (tmp_path / "eval.jsonl").read_text("utf-8").splitlines()]
    for words, answer in zip(asked, answers, strict=True):
        assert tag_of_pieces(tmp_path / "run" / "model", words) == answer
    again = hfft.predict(tmp_path / "run", [str(tmp_path / "eval.jsonl")], trust=True)
    assert [row["answer"] for row in again] == answers


@pytest.mark.parametrize("model", first_of_all(MODELS, HERE))
def test_texts_are_learnt_and_transformers_agrees(tmp_path, model):
    given = recipe(tmp_path, model, whole=True, max_length=48)
    result = hfft.train(given, tmp_path / "run", trust=True, quiet=True)
    assert result.scores["eval"]["f1"]["value"] > 0.8
    tagger: Any = pipeline("token-classification", model=str(tmp_path / "run" / "model"), ignore_labels=[])
    asked = [json.loads(line)["tokens"] for line in (tmp_path / "eval.jsonl").read_text("utf-8").splitlines()]
    for text, row in zip(asked, predictions(tmp_path / "run"), strict=True):
        found = reversed(tagger(text))  # some tokenizers count the space before a word to it
        pieces = {piece["end"] - len(text[piece["start"] : piece["end"]].lstrip()): piece for piece in found}
        assert [pieces[start]["entity"] for start, _ in row["words"]] == row["tags"]
        assert [float(pieces[start]["score"]) for start, _ in row["words"]] == pytest.approx(row["scores"], abs=1e-5)
        for entity in row["entities"]:
            assert text[entity["start"] : entity["end"]] == entity["text"]


@pytest.mark.parametrize("model", [bert, roberta_bytes])
def test_a_model_of_words_answers_texts_and_one_of_texts_answers_words(tmp_path, model):
    for name, whole in (("words", False), ("texts", True)):
        (tmp_path / name).mkdir()
        hfft.train(recipe(tmp_path / name, model, whole=whole), tmp_path / name / "run", trust=True, quiet=True)
    words = ["fine", "nice", "weird", "great", "poor"]
    write_jsonl(tmp_path / "new.jsonl", [{"tokens": words}])
    for name in ("words", "texts"):
        [of_text] = hfft.predict(tmp_path / name / "run", [" ".join(words)], trust=True)
        [of_words] = hfft.predict(tmp_path / name / "run", [str(tmp_path / "new.jsonl")], trust=True)
        assert [of_text["answer"][0][key] for key in ("start", "end", "label")] == [0, 9, "good"]
        assert of_words["answer"][:3] == ["B-good", "I-good", "B-odd"]
        assert of_words["entities"][0]["text"] == of_text["entities"][0]["text"] == "fine nice"
        if name == "words" or model is bert:  # a text's first word is, to byte pairs, another than that of a list
            assert of_words["answer"] == of_text["tags"]


@pytest.mark.parametrize("pieces", ["first", "all"])
def test_each_word_of_a_long_document_is_learnt_and_answered_once(tmp_path, pieces):
    words = [f"w{number}" for number in range(30)] + ["w1-w2-w3-w4-w5-w6-w7-w8"]  # the last: more pieces than a window
    row = {"tokens": words, "tags": ["B-a", "I-a", *["O"] * 29]}
    task, prepared = task_of(tmp_path, [row], max_length=9, overlap=3, pieces=pieces, eval=[row])
    batch = task.collate([prepared.splits["train"].rows[0]])
    assert batch["windows"].tolist() == [11]
    assert batch["first"][batch["first"] >= 0].tolist() == list(range(31))
    assert task.weight(batch) == (31 if pieces == "first" else 30 + 15)
    model, _ = task.model(PretrainedSource(str(tmp_path / "model")))
    [answer] = task.postprocess(task.predict(model.eval(), batch), prepared.splits["eval"])
    assert len(answer["answer"]) == 31
    assert prepared.summary["train"]["in_windows"] == 1


def test_further_pieces_are_learnt_as_inside(tmp_path):
    task, prepared = task_of(tmp_path, [{"tokens": ["w1-w2", "w3"], "tags": ["B-a", "O"]}], pieces="all")
    assert task.show(task.collate([prepared.splits["train"].rows[0]])) == ["[CLS] w1/B-a [UNK]/I-a w2/I-a w3/O [SEP]"]


def test_the_loss_is_the_weighted_mean_over_words(tmp_path):
    rows = [{"tokens": ["w1", "w2"], "tags": ["B-a", "O"]}, {"tokens": ["w3"], "tags": ["O"]}]
    task, prepared = task_of(tmp_path, rows, class_weights={"B-a": 3.0})
    model, _ = task.model(PretrainedSource(str(tmp_path / "model")))
    batch = task.collate([prepared.splits["train"].rows[number] for number in range(2)])
    chances = logits_of(model.eval(), batch).log_softmax(-1)
    wanted = -(3 * chances[0, 1, 1] + chances[0, 2, 0] + chances[1, 1, 0]) / 5
    assert task.weight(batch) == 5
    torch.testing.assert_close(task.loss(model, batch), wanted)


def test_label_smoothing_shares_with_all_tags(tmp_path):
    """Szegedy et al. 2016: of three tags, the right one has 0.7 + 0.3 / 3, each other 0.3 / 3."""
    task, prepared = task_of(tmp_path, [{"tokens": ["w1", "w2"], "tags": ["B-a", "O"]}], label_smoothing=0.3)
    batch = task.collate([prepared.splits["train"].rows[0]])
    model, _ = task.model(PretrainedSource(str(tmp_path / "model")))
    model.eval()
    first, second = logits_of(model, batch)[0, 1:3].log_softmax(-1)
    wanted = -(0.1 * first[0] + 0.8 * first[1] + 0.1 * first[2] + 0.8 * second[0] + 0.1 * second[1] + 0.1 * second[2])
    torch.testing.assert_close(task.loss(model, batch), wanted / 2)


BALANCED = [4 / (3 * 2), 4 / (3 * 1), 4 / (3 * 1)]  # words / (tags x words of the tag)


@pytest.mark.parametrize(
    ("given", "weights"), [("balanced", BALANCED), ({"I-a": 5.0, "O": 0.5}, [0.5, 1, 5])], ids=["balanced", "by name"]
)
@pytest.mark.parametrize("smoothing", [0, 0.2])
def test_weighted_losses_are_those_of_torch(tmp_path, given, weights, smoothing):
    rows = [{"tokens": ["w1", "w2", "w3"], "tags": ["B-a", "I-a", "O"]}, {"tokens": ["w4"], "tags": ["O"]}]
    task, prepared = task_of(tmp_path, rows, class_weights=given, label_smoothing=smoothing)
    if given == "balanced":
        assert compute_class_weight("balanced", classes=np.arange(3), y=[1, 2, 0, 0]) == pytest.approx(weights)
    batch = task.collate([prepared.splits["train"].rows[number] for number in range(2)])
    model, _ = task.model(PretrainedSource(str(tmp_path / "model")))
    model.eval()
    logits, tags = logits_of(model, batch), torch.tensor([1, 2, 0, 0])
    at = torch.stack([*logits[0, 1:4], logits[1, 1]])
    wanted = cross_entropy(at, tags, torch.tensor(weights), label_smoothing=smoothing)
    assert task.weight(batch) == pytest.approx(sum(weights) + weights[0])
    torch.testing.assert_close(task.loss(model, batch), wanted)


def test_a_batch_without_a_tag_weighs_and_costs_nothing(tmp_path):
    row = {"tokens": ["w1"], "tags": ["O"]}
    nothing = {"tokens": [], "tags": []}
    task, prepared = task_of(tmp_path, [row, {"tokens": ["w1"], "tags": ["B-a"]}], eval=[row, nothing])
    model, _ = task.model(PretrainedSource(str(tmp_path / "model")))
    batch = task.collate([prepared.splits["eval"].rows[1]])
    assert (task.weight(batch), task.loss(model, batch).item()) == (0, 0)
    [answer] = task.postprocess(task.predict(model, batch), prepared.splits["eval"].select(np.array([1])))
    assert answer == {"answer": [], "entities": [], "scores": []}


SPANS = [{"start": 0, "end": 2, "label": "a"}]


def trained_head(folder: Path, labels: list[str]) -> torch.Tensor:
    """Gives a BERT a head for these tags, and returns its weights."""
    bert(folder)
    numbers = {label: number for number, label in enumerate(labels)}
    torch.manual_seed(1)
    model: Any = AutoModelForTokenClassification.from_pretrained(
        folder, id2label=dict(enumerate(labels)), label2id=numbers
    )
    model.save_pretrained(folder)
    return model.classifier.weight.detach()


@pytest.mark.parametrize(
    "labels",
    [
        ["I-b", "B-a", "O", "I-a", "B-b"],
        ["I-b", "I-c", "B-a", "O", "B-c", "I-a", "B-b"],  # it knows more than the data has
        ["B-b", "B-a", "O", "I-a"],  # b has never been longer than a word
    ],
)
def test_a_trained_head_is_kept_with_its_tags_in_its_order(tmp_path, labels):
    weights = trained_head(tmp_path / "model", labels)
    rows = [{"tokens": ["w1", "w2", "w3", "w4"], "tags": ["B-a", "I-a", "O", "B-b"]}]
    task, prepared = task_of(tmp_path, rows, model=lambda folder: None)
    assert task.tags == labels
    assert prepared.splits["train"].rows[0]["tags"] == [labels.index(tag) for tag in rows[0]["tags"]]
    model, new = task.model(PretrainedSource(str(tmp_path / "model")))
    assert new == []
    assert torch.equal(model.state_dict()["classifier.weight"], weights)


@pytest.mark.parametrize(
    ("labels", "tags", "options", "message"),
    [
        (["O", "B-a", "I-a", "E-a", "S-a"], ["B-a", "I-a"], {}, "head has O, B-a, I-a, E-a, S-a, which hfft cannot"),
        (["O", "B-a", "I-a"], ["I-a", "O"], {}, "rows have tags of IO, but the checkpoint's .* which are BIO"),
        (["O", "B-a", "I-a"], SPANS, {"scheme": "IO"}, "rows have tags of IO, but .* model.new_head=true"),
    ],
)
def test_a_head_of_another_scheme_is_refused_before_training(tmp_path, labels, tags, options, message):
    """Opened again, the model would be read by its head's tags."""
    trained_head(tmp_path / "model", labels)
    row = {"tokens": "w1 w2" if tags is SPANS else ["w1", "w2"], "tags": tags}
    with pytest.raises(DataError, match=message):
        task_of(tmp_path, [row], model=lambda folder: None, **options)
    if "S-a" in labels:
        with pytest.raises(ModelError, match=r"which hfft cannot read.*BIOES"):
            hfft.predict(tmp_path / "model", ["w1"])


def test_a_head_without_names_is_read_as_entities(tmp_path):
    trained_head(tmp_path / "model", ["LABEL_0", "LABEL_1"])
    task = TokenClassification(Options())
    restore(task, PretrainedSource(str(tmp_path / "model")))
    answers = [{"answer": ["LABEL_0", "LABEL_1"]}]
    assert "f1" in task.compute_metrics(answers, [["LABEL_0", "LABEL_1"]])


def test_tags_without_a_type_are_of_one(tmp_path):
    rows = [{"tokens": ["w1", "w2", "w3-w4"], "tags": ["O", "B", "I"]}, {"tokens": ["w1"], "tags": ["B"]}]
    task, prepared = task_of(tmp_path, rows, pieces="all")
    assert task.tags == ["O", "B", "I"]
    assert prepared.summary["train"]["labels"] == {"entity": 2}
    assert prepared.findings == []
    scores = task.compute_metrics([{"answer": row["tags"]} for row in rows], [row["tags"] for row in rows])
    assert (scores["f1"], scores["f1/entity"]) == (1, 1)
    assert "aggregation_strategy" not in task.usage  # its pipeline would take B and I for two types


def test_a_head_that_has_other_tags_is_refused_and_replaced_where_wanted(tmp_path):
    trained_head(tmp_path / "model", ["O", "B-x", "I-x"])
    rows = [{"tokens": ["w1", "w2"], "tags": ["B-a", "O"]}]
    with pytest.raises(DataError, match=r"answers 'O', 'B-x', 'I-x', but the data has 'O', 'B-a', 'I-a'"):
        task_of(tmp_path, rows, model=lambda folder: None)
    fresh = PretrainedSource(str(tmp_path / "model"), new_head=True)
    task = TokenClassification(Options())
    prepare(task, {"train": Dataset.from_list(rows)}, fresh)
    assert task.tags == ["O", "B-a", "I-a"]
    assert set(task.model(fresh)[1]) == {"classifier.weight", "classifier.bias"}


def test_a_tokenizer_that_does_not_tell_words_is_refused_before_training(tmp_path):
    with pytest.raises(ModelError, match=r"CanineTokenizer, which does not tell the word .* needs a fast tokenizer"):
        hfft.train(recipe(tmp_path, canine), tmp_path / "run", trust=True, quiet=True)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_parts_of_speech_are_scored_word_by_word(tmp_path):
    """Neighbours of one tag are no entity together, which would be right as a whole or not at all."""
    kinds = {"NOUN": SIGNS["good"], "VERB": SIGNS["bad"], "X": [f"w{number}" for number in range(9)]}
    draw, given = random.Random(0), recipe(tmp_path, bert, "train.keep_best=accuracy", "train.epochs=2")
    for split, count in (("train", 60), ("eval", 30)):
        tags = [draw.choices(list(kinds), weights=(4, 2, 1), k=draw.randint(1, 9)) for _ in range(count)]
        rows = [{"tokens": [draw.choice(kinds[tag]) for tag in row], "tags": row} for row in tags]
        write_jsonl(tmp_path / f"{split}.jsonl", rows)
    hfft.train(given, tmp_path / "run", trust=True, quiet=True)
    made = hfft.evaluate(tmp_path / "run", str(tmp_path / "eval.jsonl"), trust=True)
    rows = predictions(tmp_path / "run")
    answers, truths = ([tag for row in rows for tag in row[side]] for side in ("answer", "truth"))
    scores = {name: entry["value"] for name, entry in made.scores.items()}
    assert set(scores) == {"accuracy", "f1_macro"}
    assert scores["accuracy"] == pytest.approx(accuracy_score(truths, answers))
    assert 0.5 < scores["accuracy"] < 1
    assert scores["f1_macro"] == pytest.approx(multiclass_f1(truths, answers, average="macro"))
    for kind in kinds:
        alone = recall_score(truths, answers, labels=[kind], average="macro")
        assert made.by_label[kind]["recall"]["value"] == pytest.approx(alone)
    assert [len(row["entities"]) for row in rows] == [len(row["answer"]) for row in rows]
    [of_text] = hfft.predict(tmp_path / "run", ["fine nice"], trust=True)
    assert [(span["start"], span["end"]) for span in of_text["answer"]] == [(0, 4), (5, 9)]


def test_words_without_a_mark_are_entities_where_a_scheme_is_asked_for(tmp_path):
    rows = [{"tokens": ["w1", "w2", "w3"], "tags": ["NOUN", "NOUN", "VERB"]}]
    for scheme, counts in ((None, {"NOUN": 2, "VERB": 1}), ("IO", {"NOUN": 1, "VERB": 1})):
        task, prepared = task_of(tmp_path, rows, scheme=scheme)
        assert task.tags == ["NOUN", "VERB"]
        assert prepared.summary["train"]["labels"] == counts
    answers = [{"answer": ["NOUN", "VERB", "VERB"]}]
    assert task.compute_metrics(answers, [rows[0]["tags"]])["f1"] == 0


def test_classes_bring_names_and_order_and_a_missing_inside_is_added(tmp_path):
    names = ["B-b", "O", "B-a", "I-a"]
    features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=names))})
    rows = Dataset.from_dict({"tokens": [["w1", "w2"]], "tags": [[0, 1]]}, features=features)
    task, prepared = task_of(tmp_path, rows, eval=rows)
    assert task.tags == [*names, "I-b"]
    assert list(prepared.splits["eval"].labels[:1]) == [["B-b", "O"]]


def test_numbers_are_positions_in_labels(tmp_path):
    rows = [{"tokens": ["w1", "w2"], "tags": [1, 0]}]
    _, prepared = task_of(tmp_path, rows, labels=["O", "B-a", "I-a"], eval=rows)
    assert list(prepared.splits["eval"].labels[:1]) == [["B-a", "O"]]
    with pytest.raises(DataError, match=r"holds numbers \(1 in row 0 .*task.labels"):
        task_of(tmp_path, rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["w1", "w2"], "tags": ["O"]}, "row 1 of the train split has 2 words .* 1 tags"),
        ({"tokens": ["w1", "w2"], "tags": ["O", None]}, "row 1 .* missing"),
        ({"tokens": None, "tags": ["O"]}, "task.tokens: in row 1 .* missing"),
        ({"tokens": ["w1", "w2"], "tags": ["O", "Ba"]}, "different schemes"),
        ({"tokens": ["w1", "w2"], "tags": ["O", "B-"]}, "names no type"),
    ],
)
def test_tags_that_do_not_fit_are_refused(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        task_of(tmp_path, [{"tokens": ["w1"], "tags": ["B-a"]}, row])


def test_a_tag_that_train_lacks_is_refused_by_name(tmp_path):
    train = [{"tokens": ["w1", "w2"], "tags": ["B-per", "O"]}]
    with pytest.raises(DataError, match=r"row 1 of the eval split has the tag 'B-pre'.*Did you mean 'B-per'"):
        task_of(tmp_path, train, eval=[*train, {"tokens": ["w1"], "tags": ["B-pre"]}])


SPAN = {"start": 0, "end": 4, "label": "a"}


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({"start": False}, "from False to 4"),
        ({"start": 5, "end": 99}, "row 0 of the train split has a span from 5 to 99 .* 7 characters"),
        ({"start": 3, "end": 3}, "from 3 to 3"),
        ({"start": 4, "end": 5}, "nothing but white space"),
        ({"label": ""}, "type of an entity"),
    ],
)
def test_spans_that_cannot_be_are_refused(tmp_path, span, message):
    with pytest.raises(DataError, match=message):
        task_of(tmp_path, [{"tokens": "nice w1", "tags": [{**SPAN, **span}]}])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"tokens": ["w1"], "tags": None}, {"tokens": ["w1"], "tags": None}], "has no tag in the column 'tags'"),
        ([{"tokens": ["w1"], "tags": ["O"]}], "nothing to learn, for the train split has no tag beside O"),
        ([{"tokens": "w1", "tags": []}], "has no span in the column 'tags'. Give rows with entities"),
        ([{"tokens": [], "tags": []}], "has no tag in"),
        ([{"tokens": ["w1"], "tags": ["NOUN"]}], "every word of the train split has the tag 'NOUN'"),
        ([{"tokens": "['w1', 'w2']", "tags": "['O', 'B-x']"}], "a list written as text, as csv has it: only json"),
        ([{"tokens": ["w1", "w2"], "tags": "['O', 'B-x']"}], "a list written as text"),
        ([{"tokens": "w1", "tags": {"start": [0, 5], "end": [2], "label": ["a"]}}], "row 0 .* as many of each: start"),
    ],
)
def test_rows_of_which_nothing_can_be_learnt_are_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        task_of(tmp_path, rows)


def test_a_span_without_a_class_is_refused(tmp_path):
    span = {"start": Value("int64"), "end": Value("int64"), "label": ClassLabel(names=["a"])}
    features = Features({"tokens": Value("string"), "tags": List(span)})
    rows = Dataset.from_dict({"tokens": ["w1"], "tags": [[{"start": 0, "end": 2, "label": -1}]]}, features=features)
    with pytest.raises(DataError, match=r"row 0 of the train split .* holds -1; it should be the type of an entity"):
        task_of(tmp_path, rows)


def test_white_space_at_the_ends_of_spans_is_left_out(tmp_path):
    rows = [{"tokens": "nice w1 ", "tags": [{**SPAN, "end": 5}, {**SPAN, "start": 4, "end": 8}]}]
    _, prepared = task_of(tmp_path, rows, eval=rows)
    assert {finding.kind for finding in prepared.findings} == {"shared"}
    assert list(prepared.splits["eval"].labels[:1]) == [[SPAN, {**SPAN, "start": 5, "end": 7}]]


def test_of_spans_that_overlap_the_longest_stay():
    draw = random.Random(0)
    for _ in range(200):
        starts = [draw.randint(0, 30) for _ in range(12)]
        spans = [Span(draw.choice("ab"), start, start + draw.randint(1, 6)) for start in starts]
        kept: list[Span] = []
        for span in sorted(set(spans), key=lambda span: (span.start - span.end, span)):
            if all(span.end <= other.start or other.end <= span.start for other in kept):
                kept.append(span)
        assert without_overlaps(spans) == sorted(kept, key=lambda span: span.start)


def test_spans_that_tags_cannot_say_are_counted(tmp_path):
    rows = [
        {"tokens": "nice w1", "tags": [SPAN]},
        {"tokens": "nice w1", "tags": [{**SPAN, "end": 2}]},
        {"tokens": "nice w2", "tags": [SPAN, {**SPAN, "end": 7}]},
    ]
    _, prepared = task_of(tmp_path, rows)
    assert "train: 2 of 3 rows (66.7%) have a span that begins or ends inside a word" in texts_of(prepared)


def test_what_is_odd_is_counted(tmp_path):
    train = [
        {"tokens": ["w1", "w2"], "tags": ["B-a", "I-b"]},
        {"tokens": [], "tags": []},
        {"tokens": ["w3", ""], "tags": ["O", "O"]},
        {"tokens": ["w3"], "tags": None},
        {"tokens": [" ", ""], "tags": ["O", "O"]},
    ]
    task, prepared = task_of(tmp_path, train)
    assert task.tags == ["O", "B-a", "I-a", "B-b", "I-b"]
    assert prepared.splits["train"].ids.tolist() == [0, 2]
    told = texts_of(prepared)
    for text in (
        "1 of 5 rows (20.0%) have no tags and are left out: row 3",
        "have an I- behind no tag of its type, which is read as the beginning of an entity: row 0",
        "have no words and are left out: row 1",
        "have a word of which the tokenizer makes no token, whose answer is O: row 2",
        "have words, of none of which the tokenizer makes a token, and are left out: row 4",
    ):
        assert text in told


@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words:UserWarning")
@pytest.mark.parametrize(
    ("model", "whole", "words"), [(bert, True, True), (roberta_bytes, True, False), (roberta_bytes, False, True)]
)
def test_the_card_reads_long_texts_and_words_only_where_they_are_read_as_by_us(tmp_path, model, whole, words):
    row = {"tokens": "w1 w2" if whole else ["w1", "w2"], "tags": SPANS if whole else ["B-a", "O"]}
    task, _ = task_of(tmp_path, [row], model=model, max_length=12)
    assert ("words = " in task.usage) == words
    assert "It reads 12 tokens" in task.usage
    made, _ = task.model(PretrainedSource(str(tmp_path / "model")))
    made.save_pretrained(tmp_path / "made")
    task.processor.save_pretrained(tmp_path / "made")
    known: dict[str, Any] = {}
    exec(task.usage.replace("path/to/model", str(tmp_path / "made")), known)
    long = " ".join(["w1"] * 40)
    given = {"aggregation_strategy": "first", "stride": task.cut.overlap}
    assert f"stride={task.cut.overlap}." in task.usage
    assert known["tagger"](long, **given)[-1]["end"] == len(long)


def test_what_is_kept_on_disk_is_made_anew_where_texts_are_read_in_another_way(tmp_path, monkeypatch):
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "cache"))
    for number, reading in enumerate((1, 1, 2)):
        monkeypatch.setattr("hfft.tasks.token_classification.task.READING", reading)
        task_of(tmp_path, [{"tokens": "w1 w2", "tags": SPANS}])
        assert len(list((tmp_path / "cache" / "tokens").iterdir())) == (1 if number < 2 else 2)


def test_a_finished_model_is_asked_again_and_again(tmp_path):
    rows = [{"tokens": ["w1", "w2"], "tags": ["B-a", "O"]}]
    task, _ = task_of(tmp_path, rows)
    for tag in ("O", "B-a"):
        new = [{"tokens": ["w1"], "tags": [tag]}]
        made = new_rows(task, Dataset.from_list(new), scored=True).splits["data"]
        assert list(made.labels) == [[tag]]
    with pytest.raises(DataError, match=r"row 0 of the data split has the tag 'B-b'.*'B-a'\?$"):
        new_rows(task, Dataset.from_list([{"tokens": ["w1"], "tags": ["B-b"]}]), scored=True)


def fnet(folder: Path) -> None:
    """A model that takes no attention mask, by a tokenizer that gives none."""
    bert(folder)
    settings: dict[str, Any] = {"model_input_names": ["input_ids", "token_type_ids"]}
    PreTrainedTokenizerFast.from_pretrained(folder, **settings).save_pretrained(folder)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 48}
    words = len(PreTrainedTokenizerFast.from_pretrained(folder))
    config = FNetConfig(**sizes, vocab_size=words, max_position_embeddings=64, pad_token_id=0)
    FNetModel(config).save_pretrained(folder)


def test_a_model_without_an_attention_mask_is_trained(tmp_path):
    rows = [{"tokens": ["w1", "w2", "w3"], "tags": ["B-a", "I-a", "O"]}, {"tokens": ["w4"], "tags": ["O"]}]
    task, prepared = task_of(tmp_path, rows, model=fnet)
    batch = task.collate([prepared.splits["train"].rows[number] for number in range(2)])
    assert "attention_mask" not in batch
    assert batch["labels"].tolist() == [[-100, 1, 2, 0, -100], [-100, 0, -100, -100, -100]]
    model, _ = task.model(PretrainedSource(str(tmp_path / "model")))
    assert [len(answer["tags"]) for answer in task.predict(model.eval(), batch)] == [3, 1]
    assert task.loss(model, batch).isfinite()
    assert len(task.show(batch)) == 2


def test_unlabelled_rows_are_answered_where_wanted(tmp_path):
    train = [{"tokens": ["w1", "w2"], "tags": ["B-a", "O"]}]
    _, prepared = task_of(tmp_path, train, eval=[{"tokens": ["w1"]}], unlabelled="predict")
    assert list(prepared.splits["eval"].labels[:1]) == [None]


def test_settings_that_cannot_hold_are_refused(tmp_path):
    train = [{"tokens": ["w1", "w2"], "tags": ["B-a", "O"]}]
    with pytest.raises(RecipeError, match=r"task.overlap is 7, but a window has room for 7 tokens"):
        task_of(tmp_path, train, max_length=9, overlap=7)
    with pytest.raises(DataError, match=r"task.scheme is IO"):
        task_of(tmp_path, train, scheme="IO")
    with pytest.raises(DataError, match=r"task.scheme is BIO, but no tag begins with B: they are IO"):
        task_of(tmp_path, [{"tokens": ["w1", "w2"], "tags": ["I-a", "O"]}], scheme="BIO")
    with pytest.raises(RecipeError, match=r"task.class_weights names 'B-b'"):
        task_of(tmp_path, train, class_weights={"B-b": 2})


def test_spans_are_learnt_inside_outside_where_wanted(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task, prepared = task_of(tmp_path, [{"tokens": "nice w1", "tags": [SPAN]}], scheme="IO")
    assert task.tags == ["O", "I-a"]
    assert task.show(task.collate([prepared.splits["train"].rows[0]])) == ["[CLS] nice/I-a w1/O [SEP]"]
