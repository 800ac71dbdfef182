"""The parts of `hfft init` by themselves: languages, names of columns, siblings, first rows, YAML."""

from __future__ import annotations

import pytest
import yaml

import hfft.workflows.init.sources
from hfft.errors import RecipeError
from hfft.recipe import Recipe
from hfft.tasks import TASKS, find_task
from hfft.workflows.describe import describe_tasks
from hfft.workflows.init.columns import columns_of
from hfft.workflows.init.languages import language_of, language_of_name, tokens_of
from hfft.workflows.init.models import TABLES, choose_model
from hfft.workflows.init.options import InitOptions
from hfft.workflows.init.sources import Source, find_source, is_hub_name, read_hub, read_split, shown_files
from hfft.workflows.init.text import comment, flow
from hfft.workflows.resolve import resolve
from tests import tiny
from tests.tiny import write_csv, write_jsonl


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The cat is on the roof and it was not happy with you.", "en"),
        ("Die Katze ist auf dem Dach und das ist nicht ein Problem.", "de"),
        ("Le chat est sur le toit et les enfants ne sont pas dans la maison.", "fr"),
        ("El gato no está en el tejado, y los niños que se fueron con la madre.", "es"),
        ("O gato não está no telhado, e as crianças foram com a mãe.", "pt"),
        ("Katten er på taget, og den er ikke glad.", "da"),
        ("Katten är på taket, och den är inte glad.", "sv"),
        ("Кошка не на крыше, и это как он, что я в доме", "ru"),
        ("猫は屋根の上にいます", "ja"),
        ("这只猫在屋顶上", "zh"),
        ("고양이가 지붕 위에 있다", "ko"),
        ("η γάτα είναι στη στέγη", "el"),
        ("zork blip quux frobnicate", None),
        ("12 34 !", None),
    ],
)
def test_languages_are_told_apart(text, code):
    assert language_of([text]) == code


def test_names_of_columns_say_languages():
    names = ["en", "German", "text_fr", "deu_Latn", "en_XX", "zh", "label", "text", "tense"]
    assert [language_of_name(name) for name in names] == ["en", "de", "fr", "de", "en", "zh", None, None, None]


def test_tokens_are_counted_by_words_characters_or_signs():
    assert tokens_of("one two three four", "en") == pytest.approx(5.2)
    assert tokens_of("one two three four", "de") == pytest.approx(6.8)
    assert tokens_of("a" * 45, "en") == pytest.approx(10)
    assert tokens_of("屋顶上", "zh") == 3


def test_siblings_take_the_place_of_train_in_a_name(tmp_path):
    for name in ("news.train.csv", "news.dev.csv", "news.test.csv", "other.csv", "other_test.csv", "x"):
        (tmp_path / name).touch()
    found = find_source(InitOptions(data=(str(tmp_path / "news.train.csv"),)))
    assert found.files == {
        split: [str(tmp_path / f"news.{name}.csv")]
        for split, name in (("train", "train"), ("eval", "dev"), ("test", "test"))
    }
    assert found.beside == {"eval", "test"}
    given = find_source(InitOptions(data=(str(tmp_path / "other.csv"),), eval=("mine.csv",)))
    assert given.files["eval"] == ["mine.csv"]
    assert given.files["test"] == [str(tmp_path / "other_test.csv")]


def test_a_folder_with_a_table_in_parts_is_a_glob(tmp_path):
    for number in range(2):
        (tmp_path / f"train-{number:05d}-of-00002.parquet").touch()
    (tmp_path / "test-00000-of-00001.parquet").touch()
    found = find_source(InitOptions(data=(str(tmp_path),)))
    assert found.files["train"] == [str(tmp_path / "train-*-of-*.parquet")]
    assert found.files["test"] == [str(tmp_path / "test-*-of-*.parquet")]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["car/a.png", "train/b.png", "boat/c.png", "README.txt"], ""),
        (["train/a.png", "test/b.png"], "train"),
        (["train/car/a.png", "docs/b.png"], "train"),
        (["train/data.csv", "docs/b.png"], "train/data.csv"),
    ],
    ids=["class", "flat", "classes", "table"],
)
def test_a_folder_named_train_is_the_split_unless_it_is_a_class_among_others(tmp_path, files, found):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert find_source(InitOptions(data=(str(tmp_path),))).files["train"] == [str(tmp_path / found)]


def test_names_of_the_hub_are_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    names = ["nyu-mll/glue", "data/glue", "owner/train.csv", "imdb", "a/b/c"]
    assert [is_hub_name(name) for name in names] == [True, False, False, False, False]


def test_files_are_named_from_their_common_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown_files({"train": ["train.csv"]}) == (None, {"train": "train.csv"})
    assert shown_files({"train": [str(tmp_path / "a" / "x.csv")], "test": ["b/y.csv"]}) == (
        None,
        {"train": "a/x.csv", "test": "b/y.csv"},
    )
    assert shown_files({"train": ["/d/a/*.csv"], "test": ["/d/b/y.csv"]}) == (
        "/d",
        {"train": "a/*.csv", "test": "b/y.csv"},
    )


def test_of_large_files_the_first_whole_rows_are_read(tmp_path, monkeypatch):
    rows = [{"text": f"a line\nand, another {number}", "label": "ab"[number % 2]} for number in range(200)]
    write_csv(tmp_path / "train.csv", rows)
    monkeypatch.setattr(hfft.workflows.init.sources, "LARGE", 1000)
    monkeypatch.setattr(hfft.workflows.init.sources, "FIRST", 2000)
    split = read_split(find_source(InitOptions(data=(str(tmp_path / "train.csv"),))), "train", [])
    assert list(split.rows["text"]) == [row["text"] for row in rows[: len(split.rows)]]
    assert 40 < len(split.rows) < 100
    assert not split.exact
    assert split.total == pytest.approx(200, rel=0.1)


def test_of_the_hub_the_first_rows_of_each_split_are_read(tmp_path, monkeypatch):
    for name, rows in (("train", 9), ("validation", 3)):
        write_jsonl(tmp_path / "hub" / f"{name}.jsonl", [{"text": f"text {n}", "label": n % 2} for n in range(rows)])
    monkeypatch.setattr(hfft.workflows.init.sources, "HUB_ROWS", 5)
    found = read_hub(Source(hub=str(tmp_path / "hub")))
    assert {name: (len(split.rows), split.place) for name, split in found.items()} == {
        "train": (5, "train"),
        "eval": (3, "validation"),
    }
    assert not found["train"].whole


def test_columns_are_read_as_what_they_hold(tmp_path):
    row = {"id": "1", "price": "2.5", "level": "3", "ok": "true", "note": "some words", "none": "", "file": "a.png"}
    write_csv(tmp_path / "train.csv", [row, {**row, "id": "2"}])
    found = columns_of(read_split(find_source(InitOptions(data=(str(tmp_path / "train.csv"),))), "train", []).rows)
    kinds = {name: column.kind for name, column in found.items()}
    assert kinds == {
        "id": "whole",
        "price": "number",
        "level": "whole",
        "ok": "flag",
        "note": "text",
        "none": "nothing",
        "file": "image",
    }


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "",
        "yes",
        "12",
        "a: b",
        "a #b",
        "- x",
        "2024-01-01",
        "9999-99-99",
        "über",
        "a\nb",
        ["a, b", "null"],
        {"x y": [1, 0.5, True, None]},
    ],
)
def test_values_are_yaml_that_reads_back(value):
    assert yaml.safe_load(f"key: {flow(value)}") == {"key": value}
    assert yaml.safe_load(flow([value])) == [value]


def test_rates_are_written_as_people_write_them():
    assert [flow(value) for value in (2e-5, 1.5e-3, 0.05, 1.0, 1e6)] == ["2.0e-5", "1.5e-3", "0.05", "1", "1.0e+6"]


def test_comments_hold_one_line_each():
    assert list(comment("a\nb: \u2028c", "# ")) == ["# a b: c"]
    assert all(line.startswith("  # ") and len(line) <= 118 for line in comment("word " * 60, "  # "))


def test_sizes_of_the_table_grow():
    for table in TABLES:
        sizes = [table[size].size for size in ("tiny", "small", "base", "large") if size in table]
        assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("t5", ("en", "de")),
        ("mt5", ()),
        ("led", ()),
        ("marian", ()),
        ("mbart50", ("en_XX", "de_DE")),
        ("nllb", ("eng_Latn", "deu_Latn")),
        ("m2m100", ("en", "de")),
    ],
)
@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning")  # Marian's; it is optional
def test_a_translator_at_hand_reads_what_its_tokenizer_takes_and_gets_the_codes_that_it_knows(tmp_path, kind, codes):
    getattr(tiny, kind)(tmp_path)
    model = choose_model("translation", InitOptions(model=str(tmp_path)), ["en", "de"], 30, [])
    assert model.limit == 64
    assert tuple(code for _, code in model.options) == codes


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("google/mt5-small", ()),  # was pretrained without prefixes
        ("google-t5/t5-small", ("en", "de")),
        ("Helsinki-NLP/opus-mt-en-de", ()),
        ("facebook/mbart-large-50-many-to-many-mmt", ("en_XX", "de_DE")),
        ("facebook/m2m100_418M", ("en", "de")),
    ],
)
def test_a_translator_of_the_hub_gets_the_codes_that_its_name_promises(name, codes):
    model = choose_model("translation", InitOptions(model=name), ["en", "de"], 30, [])
    assert tuple(code for _, code in model.options) == codes


@pytest.mark.parametrize("task", TASKS)
def test_each_task_is_described_with_an_example_that_holds(task):
    lines = list(describe_tasks(task))
    purpose = find_task(task, trust=False).purpose
    assert purpose is not None
    assert lines[0] == f"{task}: {purpose.sentence}"
    assert f"  example: {purpose.example}" in lines
    shortest = {**yaml.safe_load(purpose.example), "data": {"files": {"train": "a.csv"}}, "model": "a/b"}
    assert resolve(Recipe.from_dict(shortest), trust=False).recipe.task.name == task


def test_all_tasks_or_one_are_described_and_unknown_ones_refused():
    everything = list(describe_tasks())
    assert all(line in everything for line in describe_tasks("translation"))
    assert sum(line.startswith("  columns: ") for line in everything) == len(TASKS)
    with pytest.raises(RecipeError, match="Did you mean 'translation'"):
        list(describe_tasks("translaton"))
