"""Question answering: scores against values worked by hand, windows, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

import hfft
from hfft.errors import DataError
from hfft.metrics.answers import answers_weighted, normalized
from hfft.models.pretrained import PretrainedSource
from hfft.tasks.prepare import prepare
from hfft.tasks.question_answering import Options, QuestionAnswering
from tests.tiny import bert


def test_scores_are_those_of_squad():
    """Worked by hand: 'the cat sat' and 'a cat' share one word of two and one."""
    assert normalized("The  cat's, an apple!") == "cats apple"
    found = answers_weighted(["the cat sat", "Paris.", "x", ""], [["a cat"], ["paris", "rome"], ["y"], [""]])
    assert found.scores == pytest.approx({"exact_match": 0.5, "f1": (2 / 3 + 1 + 0 + 1) / 4})
    assert found.shares["exact_match"].right == 2


def prepared(folder: Path, rows: list[dict[str, Any]], **options: Any) -> Any:
    bert(folder / "model")
    task = QuestionAnswering(Options(**options))
    splits = {"train": Dataset.from_list(rows), "eval": Dataset.from_list(rows)}
    return task, prepare(task, splits, PretrainedSource(str(folder / "model")))


def row(context: str, text: str | None, start: int) -> dict[str, Any]:
    answers = None if text is None else {"text": [text], "answer_start": [start]}
    return {"question": "w1", "context": context, "answers": answers}


def test_each_window_learns_where_the_answer_stands_in_it(tmp_path):
    """Nine tokens: [CLS] w1 [SEP], five of the context, [SEP]; the next window begins two tokens before the end."""
    rows = [row("w0 w1 w2 w3 w4 w5 w6", "w4 w5", 12), row("w0", None, 0)]
    task, made = prepared(tmp_path, rows, max_length=9, overlap=2)
    train = made.splits["train"]
    assert train.ids.tolist() == [0]
    assert train.rows["labels"][0] == [[0, 0], [4, 5]]  # the first window ends behind w4
    assert made.splits["eval"].labels == [["w4 w5"]]
    assert [finding.kind for finding in made.findings if finding.split == "train"] == ["unlabelled"]
    batch = task.collate([train.rows[0]])
    assert task.weight(batch) == 4
    model, _ = task.model(PretrainedSource(str(tmp_path / "model")))
    (answer,) = task.postprocess(task.predict(model.eval(), batch), made.splits["eval"])
    assert answer["answer"] in rows[0]["context"]


def test_an_answer_is_never_longer_than_wanted_and_never_the_question(tmp_path):
    task, made = prepared(tmp_path, [row("w0 w1 w2 w3", "w2", 6)], max_answer_length=2)
    batch = task.collate([made.splits["train"].rows[0]])

    class Model:
        """Is sure that all from the question's first token to the context's last is the answer."""

        def __call__(self, input_ids: Any, **_: Any) -> Any:
            start, end = torch.zeros(input_ids.shape), torch.zeros(input_ids.shape)
            start[:, 1], start[:, 4], end[:, 6] = 9, 5, 9
            return type("Found", (), {"start_logits": start, "end_logits": end})

    (answer,) = task.postprocess(task.predict(Model(), batch), made.splits["eval"])
    assert answer["answer"] == "w2 w3"


@pytest.mark.parametrize(
    "answers",
    [
        {"text": ["w3"], "answer_start": [4]},
        {"text": ["w3", "w2"], "answer_start": [9]},
        {"text": ["w3"], "answer_start": [-3]},
        "w3",
    ],
)
def test_an_answer_that_does_not_stand_at_its_place_is_refused(tmp_path, answers):
    rows = [{"question": "w1", "context": "w0 w1 w2 w3", "answers": answers}]
    with pytest.raises(DataError, match=r"task.answers: in row 0 of the train split the answer .* counted in char"):
        prepared(tmp_path, rows)


def test_a_run_answers_by_the_columns_of_the_recipe(tiny, run_of, tmp_path):
    run = run_of(tiny("question-answering"))
    (answer,) = hfft.predict(run, [{"question": "w1", "context": "w0 w2 w3"}])
    assert answer["answer"] in "w0 w2 w3"
    assert answer["input"] == ["w1", "w0 w2 w3"]
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert results["output"] == "text"
    assert set(results["test"]) == {"exact_match", "f1"}
