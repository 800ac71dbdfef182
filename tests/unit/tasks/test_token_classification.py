"""Tags of words and spans of texts: what is learnt, answered, counted and refused."""

from __future__ import annotations

import json
import random
import warnings
from bisect import bisect
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from seqeval.metrics import f1_score
from transformers import RobertaConfig, RobertaModel, pipeline

import hfft
from hfft.backbone import Backbone
from hfft.errors import DataError, RecipeError
from hfft.tasks.token_classification import Options, TokenClassification
from tests.laws.runs import predictions
from tests.tiny import bert, write_jsonl
from tests.tiny.tokenizers import byte_pairs
from tests.tiny.words import SIGNS

TASK = "hfft.tasks.token_classification:TokenClassification"


def byte_level_roberta(folder: Path) -> None:
    """A RoBERTa with a tokenizer of byte pairs: `w1` behind a space is another token than at the start."""
    tokenizer = byte_pairs(64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
    }
    RobertaModel(RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66, **sizes)).save_pretrained(folder)


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


def recipe(folder: Path, model=bert, whole: bool = False, **task) -> hfft.Recipe:
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
        }
    )


def task_of(folder: Path, train: list[dict] | Dataset, model=bert, **options):
    """A task that is prepared on rows, and what that gave; the eval split is given as `eval`."""
    model(folder / "model")
    given = {"train": train, "eval": options.pop("eval", None)}
    splits = {
        split: rows if isinstance(rows, Dataset) else Dataset.from_list(rows) for split, rows in given.items() if rows
    }
    task = TokenClassification(Options(**options))
    return task, task.prepare(splits, Backbone(str(folder / "model")))


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


@pytest.mark.parametrize("model", [bert, byte_level_roberta])
def test_words_are_learnt_and_transformers_agrees(tmp_path, model):
    result = hfft.train(recipe(tmp_path, model, max_length=64), tmp_path / "run", trust=True, quiet=True)
    rows = predictions(tmp_path / "run")
    answers, truths = [row["answer"] for row in rows], [row["truth"] for row in rows]
    assert result.scores["eval"]["f1"]["value"] == pytest.approx(f1_score(truths, answers))
    assert result.scores["eval"]["f1"]["value"] > 0.8
    asked = [json.loads(line)["tokens"] for line in (tmp_path / "eval.jsonl").read_text("utf-8").splitlines()]
    for words, answer in zip(asked, answers, strict=True):
        assert tag_of_pieces(tmp_path / "run" / "model", words) == answer
    again = hfft.predict(tmp_path / "run", [str(tmp_path / "eval.jsonl")], trust=True)
    assert [row["answer"] for row in again] == answers


@pytest.mark.parametrize("model", [bert, byte_level_roberta])
def test_texts_are_learnt_and_transformers_agrees(tmp_path, model):
    given = recipe(tmp_path, model, whole=True, max_length=64)
    result = hfft.train(given, tmp_path / "run", trust=True, quiet=True)
    assert result.scores["eval"]["f1"]["value"] > 0.8
    tagger: Any = pipeline("token-classification", model=str(tmp_path / "run" / "model"), ignore_labels=[])
    asked = [json.loads(line)["tokens"] for line in (tmp_path / "eval.jsonl").read_text("utf-8").splitlines()]
    for text, row in zip(asked, predictions(tmp_path / "run"), strict=True):
        pieces = {piece["start"]: piece for piece in reversed(tagger(text))}
        assert [pieces[start]["entity"] for start, _ in row["words"]] == row["tags"]
        assert [float(pieces[start]["score"]) for start, _ in row["words"]] == pytest.approx(row["scores"], abs=1e-5)
        for entity in row["entities"]:
            assert text[entity["start"] : entity["end"]] == entity["text"]


@pytest.mark.parametrize("model", [bert, byte_level_roberta])
def test_a_model_of_words_answers_texts_and_one_of_texts_answers_words(tmp_path, model):
    for name, whole in (("words", False), ("texts", True)):
        (tmp_path / name).mkdir()
        hfft.train(recipe(tmp_path / name, model, whole), tmp_path / name / "run", trust=True, quiet=True)
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
    task, prepared = task_of(tmp_path, [row], max_length=9, overlap=3, pieces=pieces)
    batch = task.collate([prepared.splits["train"].rows[0]])
    assert batch["windows"].tolist() == [11]
    assert batch["first"][batch["first"] >= 0].tolist() == list(range(31))
    assert task.weight(batch) == (31 if pieces == "first" else 30 + 15)
    model, _ = task.model(Backbone(str(tmp_path / "model")))
    [answer] = task.worded(task.answers(model.eval(), batch))
    assert len(answer["answer"]) == 31
    assert prepared.summary["train"]["in_windows"] == 1


def test_further_pieces_are_learnt_as_inside(tmp_path):
    task, prepared = task_of(tmp_path, [{"tokens": ["w1-w2", "w3"], "tags": ["B-a", "O"]}], pieces="all")
    assert task.decoded(task.collate([prepared.splits["train"].rows[0]])) == [
        "[CLS] w1/B-a [UNK]/I-a w2/I-a w3/O [SEP]"
    ]


def test_the_loss_is_the_weighted_mean_over_words(tmp_path):
    rows = [{"tokens": ["w1", "w2"], "tags": ["B-a", "O"]}, {"tokens": ["w3"], "tags": ["O"]}]
    task, prepared = task_of(tmp_path, rows, class_weights={"B-a": 3.0})
    model, _ = task.model(Backbone(str(tmp_path / "model")))
    batch = task.collate([prepared.splits["train"].rows[number] for number in range(2)])
    inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
    chances = model.eval()(**inputs).logits.log_softmax(-1)
    wanted = -(3 * chances[0, 1, 1] + chances[0, 2, 0] + chances[1, 1, 0]) / 5
    assert task.weight(batch) == 5
    torch.testing.assert_close(task.loss(model, batch), wanted)


def test_a_batch_without_a_tag_weighs_and_costs_nothing(tmp_path):
    row = {"tokens": ["w1"], "tags": ["O"]}
    nothing = {"tokens": [], "tags": []}
    task, prepared = task_of(tmp_path, [row, {"tokens": ["w1"], "tags": ["B-a"]}], eval=[row, nothing])
    model, _ = task.model(Backbone(str(tmp_path / "model")))
    batch = task.collate([prepared.splits["eval"].rows[1]])
    assert (task.weight(batch), task.loss(model, batch).item()) == (0, 0)
    [answer] = task.worded(task.answers(model, batch))
    assert answer == {"answer": [], "entities": [], "scores": []}


def test_classes_bring_names_and_order_and_a_missing_inside_is_added(tmp_path):
    names = ["B-b", "O", "B-a", "I-a"]
    features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=names))})
    rows = Dataset.from_dict({"tokens": [["w1", "w2"]], "tags": [[0, 1]]}, features=features)
    task, prepared = task_of(tmp_path, rows)
    assert task.labels == [*names, "I-b"]
    assert task.truths(task.collate([prepared.splits["train"].rows[0]])) == [["B-b", "O"]]


def test_numbers_are_positions_in_labels(tmp_path):
    rows = [{"tokens": ["w1", "w2"], "tags": [1, 0]}]
    task, prepared = task_of(tmp_path, rows, labels=["O", "B-a", "I-a"])
    assert task.truths(task.collate([prepared.splits["train"].rows[0]])) == [["B-a", "O"]]
    with pytest.raises(DataError, match=r"holds numbers \(1 in row 0 .*task.labels"):
        task_of(tmp_path, rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["w1", "w2"], "tags": ["O"]}, "row 1 of the train split has 2 words .* 1 tags"),
        ({"tokens": ["w1", "w2"], "tags": ["O", None]}, "row 1 .* missing"),
        ({"tokens": None, "tags": ["O"]}, "task.tokens: in row 1 .* missing"),
        ({"tokens": ["w1", "w2"], "tags": ["O", "Ba"]}, "different schemes"),
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
        ({"start": 5, "end": 99}, "row 0 of the train split has a span from 5 to 99 .* 7 characters"),
        ({"start": 3, "end": 3}, "from 3 to 3"),
        ({"start": 4, "end": 5}, "nothing but white space"),
        ({"label": ""}, "type of an entity"),
    ],
)
def test_spans_that_cannot_be_are_refused(tmp_path, span, message):
    with pytest.raises(DataError, match=message):
        task_of(tmp_path, [{"tokens": "nice w1", "tags": [{**SPAN, **span}]}])


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
    ]
    task, prepared = task_of(tmp_path, train)
    assert task.labels == ["O", "B-a", "I-a", "B-b", "I-b"]
    assert prepared.splits["train"].ids.tolist() == [0, 2]
    told = texts_of(prepared)
    for text in (
        "1 of 4 rows (25.0%) have no tags and are left out: row 3",
        "have an I- behind no tag of its type, which is read as the beginning of an entity: row 0",
        "have no words and are left out: row 1",
        "have a word of which the tokenizer makes no token, whose answer is O: row 2",
    ):
        assert text in told


def test_unlabelled_rows_are_answered_where_wanted(tmp_path):
    train = [{"tokens": ["w1", "w2"], "tags": ["B-a", "O"]}]
    task, prepared = task_of(tmp_path, train, eval=[{"tokens": ["w1"]}], unlabelled="predict")
    assert task.truths(task.collate([prepared.splits["eval"].rows[0]])) == [None]


def test_settings_that_cannot_hold_are_refused(tmp_path):
    train = [{"tokens": ["w1", "w2"], "tags": ["B-a", "O"]}]
    with pytest.raises(RecipeError, match=r"task.overlap is 7, but a window has room for 7 tokens"):
        task_of(tmp_path, train, max_length=9, overlap=7)
    with pytest.raises(DataError, match=r"task.scheme is IO"):
        task_of(tmp_path, train, scheme="IO")
    with pytest.raises(RecipeError, match=r"task.class_weights names 'B-b'"):
        task_of(tmp_path, train, class_weights={"B-b": 2})


def test_spans_are_learnt_inside_outside_where_wanted(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task, prepared = task_of(tmp_path, [{"tokens": "nice w1", "tags": [SPAN]}], scheme="IO")
    assert task.labels == ["O", "I-a"]
    assert task.decoded(task.collate([prepared.splits["train"].rows[0]])) == ["[CLS] nice/I-a w1/O [SEP]"]
