"""`hfft init` writes a recipe that holds: for each kind of task, with what it found beside the data."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from datasets import ClassLabel, Dataset, Features, List, Value

import hfft
from hfft.cli import init
from hfft.errors import DataError, HfftError, RecipeError
from hfft.workflows.init.options import InitOptions
from hfft.workflows.init.questions import Question, prompt
from hfft.workflows.init.recipe import check, write_first_recipe
from tests import tiny

WORDS = "the and of in is to a house river stone green under never bright window forty quickly paper"
GERMAN = "der und die ist das nicht Haus Fluss Stein grün unter niemals hell Fenster vierzig schnell Papier"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refuse(question: Question) -> str:
    raise RecipeError(f"{question.flag}: {question.why}")


def take(question: Question) -> str:
    assert question.default is not None
    return question.default


def started(*data: str, ask: Any = refuse, **flags: Any) -> tuple[hfft.Recipe, str, str]:
    """The recipe that is written for data, its text, and what was said."""
    said: list[str] = []
    wanted = replace(InitOptions(data=data), **flags)
    output = write_first_recipe(wanted, ask, said.append)
    text = output.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 160
    loaded = hfft.Recipe.load(output)
    assert check(text, output).task.name == loaded.task.name
    return loaded, text, "\n".join(said)


def sentence(number: int, words: str = WORDS, length: int = 9) -> str:
    known = words.split()
    return " ".join([*(known[(number * 3 + place * 5) % len(known)] for place in range(length)), f"n{number}"])


def labelled(rows: int = 30, **columns: Any) -> list[dict[str, str]]:
    made = [{"text": sentence(number), "label": "abc"[number % 3]} for number in range(rows)]
    return [{**row, **{name: value(number) for name, value in columns.items()}} for number, row in enumerate(made)]


def test_texts_with_labels_and_the_files_beside_them(tmp_path):
    for name in ("train", "dev", "test"):
        tiny.write_csv(tmp_path / "data" / f"{name}.csv", labelled())
    recipe, text, said = started("data/train.csv", size="small")
    assert recipe.task.options == {"text": "text", "label": "label", "max_length": 32}
    assert recipe.data.root == "data"
    assert recipe.data.files == {"train": "train.csv", "eval": "dev.csv", "test": "test.csv"}
    assert recipe.model.name == "distilbert/distilbert-base-uncased"
    assert recipe.train.keep_best == "accuracy"
    assert "label: one label a row; a (10), b (10), c (10)" in said
    assert "dev.csv (found beside it)" in text
    assert "hfft plan recipe.yaml" in text
    assert "hfft train recipe.yaml" in text


def test_without_an_eval_file_a_part_is_held_out_and_a_file_that_lacks_a_column_is_named(tmp_path):
    tiny.write_csv(tmp_path / "train.csv", labelled())
    tiny.write_csv(tmp_path / "test.csv", [{"text": "a"}])
    recipe, _, said = started("train.csv")
    assert recipe.data.files == {"train": "train.csv"}
    assert recipe.data.holdout == 0.2
    assert "test.csv is beside the data, and is not used: --test: test.csv has no column 'label'." in said


def test_labels_of_unlike_size_are_scored_by_f1(tmp_path):
    rows = [{**row, "label": "common" if number > 1 else "rare"} for number, row in enumerate(labelled(60))]
    tiny.write_csv(tmp_path / "train.csv", rows)
    recipe, text, _ = started("train.csv")
    assert recipe.train.keep_best == "f1"
    assert "task.class_weights=balanced" in text


def test_labels_of_other_splits_are_listed(tmp_path):
    tiny.write_csv(tmp_path / "train.csv", labelled())
    tiny.write_csv(tmp_path / "test.csv", [{"text": sentence(1), "label": "d"}])
    recipe, text, _ = started("train.csv")
    assert recipe.task.options["labels"] == ["a", "b", "c", "d"]
    assert "'d' is in eval or test, but in no training row" in text


@pytest.mark.parametrize(
    ("columns", "options", "metric"),
    [
        ({"label": lambda n: "|".join("ab"[: 1 + n % 2])}, {"delimiter": "|"}, "f1"),
        ({"label": lambda n: str(n / 7)}, {}, "rmse"),
        ({"label": lambda n: str(1000 + n % 70)}, {"problem": "regression"}, "rmse"),
    ],
    ids=["several", "decimals", "whole"],
)
def test_the_problem_is_found(tmp_path, columns, options, metric):
    tiny.write_csv(tmp_path / "train.csv", labelled(140, **columns))
    recipe, _, _ = started("train.csv")
    assert recipe.task.options == {"text": "text", "label": "label", **options, "max_length": 32}
    assert recipe.train.keep_best == metric


def test_a_table_of_a_german_excel_is_read(tmp_path):
    rows = [f"{sentence(number, GERMAN)};{number},{number % 10}" for number in range(40)]
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_bytes("\r\n".join(["Titel;Größe", *rows]).encode("cp1252"))
    recipe, _, said = started("train.csv", text=("Titel",), label=("Größe",))
    assert recipe.task.options == {"text": "Titel", "label": "Größe", "max_length": 32}
    assert "Größe: numbers from 0 to 39.9" in said
    for name in ("train", "test"):
        for found in ("with ';' between columns", "line 1 holds 'Titel;Größe'", "decimals of 'Größe'"):
            assert sum(f" of {name}.csv " in line and found in line for line in said.splitlines()) == 1


def test_pairs_and_columns_of_marks(tmp_path):
    rows = [
        {"id": str(n), "question1": sentence(n), "question2": sentence(n + 1), **{m: str(n % 2) for m in "pqr"}}
        for n in range(20)
    ]
    tiny.write_csv(tmp_path / "train.csv", rows)
    recipe, _, _ = started("train.csv", ask=take)
    assert recipe.task.options["text"] == ["question1", "question2"]
    assert recipe.task.options["label"] == ["p", "q", "r"]


def test_long_texts_are_read_in_windows(tmp_path):
    tiny.write_csv(tmp_path / "train.csv", [{**row, "text": row["text"] * 60} for row in labelled()])
    recipe, _, _ = started("train.csv", model="FacebookAI/roberta-base")
    assert recipe.task.options["max_length"] == 512
    assert recipe.task.options["windows"] == {"overlap": 64}
    assert recipe.train.micro_batch_size == 8


def test_the_windows_of_a_text_count_in_what_is_held_at_once(tmp_path):
    # Each has 1.3 x 1200 = 1560 tokens: a window of 510, and then (1560 - 510) / (510 - 64) = 2.4, so 3 more.
    tiny.write_csv(tmp_path / "train.csv", [{**row, "text": "the house " * 600} for row in labelled()])
    recipe, text, _ = started("train.csv", model="FacebookAI/roberta-base", language="en")
    assert recipe.train.micro_batch_size == 4  # times 4 windows of 512: 8192 tokens
    assert "4 a text in the mean, estimated" in text
    assert "99 have 1560 at most, estimated at 1.3 a word; hfft plan counts them" in text


def test_translations_nested_and_by_columns(tmp_path):
    rows = [{"de": sentence(n, GERMAN), "en": sentence(n)} for n in range(20)]
    tiny.write_jsonl(tmp_path / "flat.jsonl", rows)
    tiny.write_jsonl(tmp_path / "nested.jsonl", [{"id": n, "translation": row} for n, row in enumerate(rows)])
    recipe, _, said = started("flat.jsonl")
    assert (recipe.task.options["source"], recipe.task.options["target"]) == ("de", "en")
    assert recipe.model.name == "Helsinki-NLP/opus-mt-de-en"
    assert "named by a language; the first column is read (likely)" in said
    recipe, _, _ = started("nested.jsonl", size="large", output="nested.yaml")
    assert recipe.task.options["source_language"] == "deu_Latn"
    assert recipe.task.options["target"] == "translation.en"
    assert recipe.tune.adapter is not None


def test_source_and_target_are_translations_by_their_languages_and_summaries_by_their_lengths(tmp_path):
    tiny.write_jsonl(tmp_path / "a.jsonl", [{"source": sentence(n), "target": sentence(n, GERMAN)} for n in range(20)])
    tiny.write_jsonl(
        tmp_path / "b.jsonl",
        [
            {"article": sentence(n, length=60), "summary": sentence(n), "all": [sentence(n + 1), sentence(n)]}
            for n in range(20)
        ],
    )
    assert started("a.jsonl", output="a.yaml")[0].task.name == "translation"
    recipe = started("b.jsonl", output="b.yaml")[0]
    assert recipe.task.name == "summarization"
    assert recipe.task.options["references"] == "all"
    assert recipe.train.keep_best == "rougeL"


@pytest.mark.parametrize("kind", ["tags", "classes", "spans"])
def test_tags_of_words_and_spans_of_texts(tmp_path, kind):
    rows: Any = tiny.spanned_texts(20, 0) if kind == "spans" else tiny.tagged_words(20, 0)
    names = sorted({tag for row in rows for tag in row.get("tags", ())})
    if kind == "classes":
        features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=names))})
        numbered = [{**row, "tags": [names.index(tag) for tag in row["tags"]]} for row in rows]
        Dataset.from_list(numbered, features=features).to_parquet(tmp_path / "train.parquet")
    else:
        tiny.write_jsonl(tmp_path / "train.jsonl", rows)
    recipe, _, said = started("train.parquet" if kind == "classes" else "train.jsonl")
    columns = {"tokens": "text", "tags": "spans"} if kind == "spans" else {"tokens": "tokens", "tags": "tags"}
    assert recipe.task.name == "token-classification"
    assert {name: recipe.task.options[name] for name in columns} == columns
    assert recipe.train.keep_best == "f1"
    assert "entities; " in said


def test_a_folder_of_images_and_a_table_with_their_names(tmp_path):
    for number, row in enumerate(tiny.pictures(8, 0)):
        for split in ("train", "test"):
            file = tmp_path / "pics" / split / f"kind{number % 2}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            row["image"].save(file)
    files = sorted((tmp_path / "pics" / "train").rglob("*.png"))
    named = [{"file": f"pics/train/{file.parent.name}/{file.name}", "kind": file.parent.name} for file in files]
    tiny.write_csv(tmp_path / "all.csv", named)
    recipe, text, _ = started("pics", size="tiny")
    assert recipe.data.files == {"train": "train", "test": "test"}
    assert recipe.data.root == "pics"
    assert recipe.model.new_head
    assert recipe.task.options["image_size"] == 96
    assert "pixels in the median" in text
    recipe, _, _ = started("all.csv", output="table.yaml")
    assert (recipe.task.options["image"], recipe.task.options["label"]) == ("file", "kind")


def test_what_it_writes_trains(tiny, tmp_path):
    given = tiny("text-classification")
    folder = given["data"]["root"]
    recipe, _, _ = started(f"{folder}/train.csv", model=given["model"])
    assert recipe.data.root == folder
    short = hfft.Recipe.load("recipe.yaml", "train.epochs=null", "train.steps=3")
    result = hfft.train(short, output=tmp_path / "run", quiet=True)
    assert set(result.scores) == {"eval", "test"}


def test_the_language_decides_the_model(tmp_path):
    for name, words in (("de", GERMAN), ("zh", "你好 世界 今天 天气 很好"), ("xx", "zork blip quux frob")):
        tiny.write_csv(
            tmp_path / f"{name}.csv", [{**row, "text": sentence(n, words)} for n, row in enumerate(labelled())]
        )
    found = {name: started(f"{name}.csv", output=f"{name}.yaml")[0].model.name for name in ("de", "zh", "xx")}
    assert found == {
        "de": "google-bert/bert-base-german-cased",
        "zh": "google-bert/bert-base-chinese",
        "xx": "FacebookAI/xlm-roberta-base",
    }


def test_odd_names_of_columns_are_quoted(tmp_path):
    tiny.write_csv(tmp_path / "train.csv", [{'a: #1, "b"': row["text"], "yes": row["label"]} for row in labelled()])
    recipe, _, _ = started("train.csv", ask=take)
    assert recipe.task.options["text"] == 'a: #1, "b"'
    assert recipe.task.options["label"] == "yes"


def test_what_is_unclear_is_asked_and_answers_are_used(tmp_path):
    rows = [{"title": sentence(n), "body": sentence(n + 1), "label": "ab"[n % 2]} for n in range(20)]
    tiny.write_csv(tmp_path / "train.csv", rows)
    asked: list[Question] = []

    def answer(question: Question) -> str:
        asked.append(question)
        return "title,body"

    recipe, text, _ = started("train.csv", ask=answer)
    assert [question.flag for question in asked] == ["--text"]
    assert recipe.task.options["text"] == ["title", "body"]
    assert "there are several columns of texts: title, body (chosen)" in text


def test_a_title_that_repeats_is_asked_for_beside_an_answer_that_cannot_be_learnt(tmp_path):
    answers = {"text": ["a"], "answer_start": [3]}
    rows = [
        {"id": f"x{n}", "title": "ABC"[n % 3], "context": sentence(n), "question": sentence(n + 1), "answers": answers}
        for n in range(20)
    ]
    tiny.write_jsonl(tmp_path / "squad.jsonl", rows)
    with pytest.raises(RecipeError, match=r"--label: only 'title' .*'answers', which may be the answer, cannot be"):
        started("squad.jsonl")
    tiny.write_jsonl(tmp_path / "pairs.jsonl", [{**row, "answers": None} for row in rows])
    with pytest.raises(RecipeError, match=r"--label: only 'title' .* beside the texts question and context"):
        started("pairs.jsonl")
    recipe, _, _ = started("pairs.jsonl", label=("title",))
    assert recipe.task.options["text"] == ["question", "context"]


def test_folders_of_texts_are_refused_and_the_images_of_a_folder_are_no_texts(tmp_path):
    for name, content in (("txt/pos/1.txt", b"good"), ("txt/neg/2.txt", b"bad"), ("txt/urls.txt", b"a")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"--data: the subfolders of txt hold texts, and no images: neg/2\.txt, pos/1"):
        started("txt")
    for number, row in enumerate(tiny.pictures(8, 0)):
        file = tmp_path / "pics" / "ab"[number % 2] / f"{number}.dat"
        file.parent.mkdir(parents=True, exist_ok=True)
        row["image"].save(file, "PNG")
    assert started("pics")[0].task.name == "image-classification"
    with pytest.raises(DataError, match=r"--text is 'image' \(images.*\): that is to be named with --image"):
        started("pics", text=("image",), output="texts.yaml")


def test_the_command_refuses_to_guess_without_a_terminal_and_takes_guesses_with_yes(tmp_path, monkeypatch):
    rows = [{"title": sentence(n), "body": sentence(n + 1), "label": "ab"[n % 2]} for n in range(20)]
    tiny.write_csv(tmp_path / "train.csv", rows)
    monkeypatch.setattr(sys, "stdin", StringIO(""))
    with pytest.raises(RecipeError, match=r"what --text should be: .* title, body\. Give it; --yes takes 'title'"):
        init(data=["train.csv"])
    assert not Path("recipe.yaml").exists()
    init(data=["train.csv"], yes=True, name="mine")
    assert yaml.safe_load(Path("mine.yaml").read_text("utf-8"))["task"]["text"] == "title"
    with pytest.raises(RecipeError, match=r"--data is missing"):
        init(yes=True)


@pytest.mark.parametrize(
    ("several", "answers", "taken"),
    [(False, ["titel", "title, body", "title"], "title"), (True, ["title, bdy", "title, body"], "title, body")],
)
def test_a_question_is_asked_until_the_answer_is_among_its_choices(monkeypatch, capsys, several, answers, taken):
    monkeypatch.setattr(sys, "stdin", StringIO("\n".join(answers)))
    question = Question("text", "The column of the text", "title", ("title", "body"), "there are two", several)
    assert prompt(question) == taken
    said = capsys.readouterr().out
    assert "Not clear: there are two." in said
    assert said.count("There is no") == len(answers) - 1


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "empty": ("", {}, r"data\.csv is empty"),
    "no-rows": ("text,label\n", {}, r"data\.csv has no rows"),
    "no-header": ("so good,yes\nso bad,no\nvery good,yes\n", {}, "looks like a row.*Put a line with names above it"),
    "one-column": ("text\na b\nc d\n", {}, "one column, 'text'"),
    "zeros": ("te\0xt,label\na,b\n", {}, "zero bytes"),
    "one-label": ("text,label\na b,x\nc d,x\n", {}, "only one label, 'x'"),
    "id": ("text,label\na b,11\nc d,12\ne f,13\n", {}, r"different value in each of its 3 rows.*\(an id\)"),
    "free-text": ("text,label\na b,so it is\nc d,so it was\ne f,so may it be\n", {}, "looks like free text"),
    "column": ("text,label\na b,x\nc d,y\n", {"label": ("lable",)}, "--label is 'lable'.*Did you mean 'label'"),
    "task": ("text,label\na b,x\n", {"task": "translaton"}, "--task is 'translaton'.*Did you mean 'translation'"),
    "flags": ("text,label\na b,x\n", {"text": ("text",), "tags": "label"}, "--text and --tags do not go together"),
    "size": ("text,label\na b,x\n", {"size": "bse"}, "--size is 'bse'.*Did you mean 'base'"),
    "both": ("text,label\na b,x\n", {"size": "base", "model": "a/b"}, "give only one of the two"),
    "output": ("text,label\na b,x\n", {"output": "there.yaml"}, r"--output there_2\.yaml"),
    "model": ("text,label\na b,x\nc d,y\ne f,y\n", {"model": "./none"}, "there is no folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_and_nothing_is_written(tmp_path, case):
    text, flags, message = WRONG[case]
    (tmp_path / "data.csv").write_text(text, encoding="utf-8")
    (tmp_path / "there.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(HfftError, match=message):
        started("data.csv", **flags)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "there.yaml"]
    assert (tmp_path / "there.yaml").read_text("utf-8") == "mine"


def test_a_file_that_is_not_there_and_junk(tmp_path):
    (tmp_path / "train.jsonl").write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match=r"Did you mean 'train\.jsonl'"):
        started("trian.jsonl")
    with pytest.raises(DataError, match="is not UTF-8"):
        started("train.jsonl")


def test_a_head_that_answers_other_labels_is_replaced(tiny, tmp_path):
    given = tiny("image-classification")
    config = json.loads(Path(given["model"], "config.json").read_text("utf-8"))
    folder = tmp_path / "headed"
    folder.mkdir()
    for file in Path(given["model"]).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    headed = {**config, "architectures": ["ViTForImageClassification"], "id2label": {"0": "cat", "1": "dog"}}
    (folder / "config.json").write_text(json.dumps(headed), encoding="utf-8")
    recipe, _, said = started(f"{given['data']['root']}/train.parquet", model=str(folder))
    assert recipe.model.new_head
    assert "so it gets a new one" in said
