"""Comparing finished runs: hand-written folders, what is refused, and runs of every kind of task beside themselves."""

from __future__ import annotations

import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import hfft
from hfft.errors import DataError, RecipeError, SetupError
from hfft.io.console import Console
from hfft.recipe import Recipe
from hfft.reports.compare.comparison import compare
from hfft.reports.compare.show import Comparison, comparison_page, show
from hfft.reports.compare.statistics import APPROXIMATED, JACKKNIFED, MCNEMAR, PERMUTATION, STUDENT

LABELS = ["no", "yes"]
TRUTHS = ["yes", "no"] * 20


@pytest.fixture(scope="session")
def model(tiny, tmp_path_factory) -> Path:
    """A folder with the configuration and the tokenizer of a finished model, and no weights."""
    folder = tmp_path_factory.mktemp("finished") / "model"
    shutil.copytree(tiny("text-classification")["model"], folder, ignore=shutil.ignore_patterns("*.safetensors"))
    config = json.loads((folder / "config.json").read_text())
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {name: number for number, name in enumerate(LABELS)}}
    config |= {**names, "problem_type": "single_label_classification"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def write(tmp_path, model):
    """Writes the folder of a finished run by hand: one answer an example, wrong where its number is listed."""

    def made(name: str, wrong=(), overrides=(), texts: bool = True, **changes: Any) -> Path:
        truths = changes.get("truths", TRUTHS)
        flipped = {"yes": "no", "no": "yes"}
        rows = []
        for number, truth in enumerate(truths):
            answer = flipped[truth] if number in wrong else truth
            row = {"id": number, "answer": answer, "probabilities": [float(answer == label) for label in LABELS]}
            rows.append({**({"input": f"text {number}"} if texts else {}), **row, "truth": truth})
        folder = tmp_path / name
        recipe = {"task": {"name": "text-classification"}, "data": {"hub": "a/b"}, "model": "some/model", "name": "x"}
        saved = Recipe.from_dict(recipe, *overrides)
        (folder / "predictions").mkdir(parents=True)
        saved.save(folder / "recipe.yaml")
        shutil.copytree(model, folder / "model")
        (folder / "predictions" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        accuracy = {"value": 1 - len(set(wrong)) / len(truths), "low": None, "high": None, **changes.get("entry", {})}
        results = {"task": "text-classification", "steps": 10, "test": {"accuracy": accuracy}, "train_seconds": 2.0}
        results |= {"test_examples": len(truths), "samples_per_second": 5.0, "confidence": 0.95}
        (folder / "results.json").write_text(json.dumps(results))
        environment = {"versions": {"torch": changes.get("torch", "2.13")}, "seed": saved.train.seed}
        environment["data"] = {"train": changes.get("train", "t1"), "test": changes.get("test", "s1")}
        (folder / "environment.json").write_text(json.dumps(environment))
        group = {"name": "weight", "stack": "layers", "block": 0, "lr": 1e-3, "weight_decay": 0.0}
        parameters = [{"shape": [3, 4], "trainable": True}, {"shape": [5], "trainable": False}]
        (folder / "parameters.json").write_text(json.dumps([{**group, **row} for row in parameters]))
        return folder

    return made


def test_two_runs_by_hand(write):
    first, other = (
        write("first", wrong=[0, 1]),
        write("other", wrong=[1, 2, 3, 4, 5, 6, 7, 8], overrides=["optim.lr=1e-3"]),
    )
    found = compare([first, other])
    assert (found.split, found.examples, found.headline) == ("test", 40, "accuracy")
    (one,) = found.against
    accuracy = one.differences["accuracy"]
    assert (accuracy.first, accuracy.other, accuracy.value) == pytest.approx((38 / 40, 32 / 40, -6 / 40))
    assert (accuracy.p, accuracy.test) == (pytest.approx(2 * (1 + 8) / 2**8), MCNEMAR)  # 7 of 8 one way
    assert accuracy.low < -6 / 40 < accuracy.high == 0  # Tango's alone would leave out 0, but the exact test does not
    f1 = one.differences["f1"]
    assert f1.test in (PERMUTATION, JACKKNIFED)
    assert f1.low < f1.value < 0
    assert (f1.high >= 0) == (f1.p > 0.05)
    assert one.verdict == "no difference"
    assert (one.changed.by, one.changed.first, one.changed.other, one.changed.same) == ("right", 7, 1, 32)
    example = {"id": 0, "input": "text 0", "truth": "yes", "first": "no", "other": "yes", "better": "other"}
    assert one.changed.examples[0] == example
    assert [row["id"] for row in one.changed.examples] == [0, *range(2, 9)]
    assert one.settings == [("optim.lr", None, 1e-3)]
    assert found.runs[0].cost == {
        "steps": 10,
        "train_seconds": 2.0,
        "samples_per_second": 5.0,
        "learning_parameters": 12,
        "parameters": 17,
    }


@pytest.mark.parametrize(
    ("metrics", "verdict"), [(None, "worse"), (["f1"], "worse"), (["f1/yes", "accuracy"], "worse")]
)
def test_a_clear_difference_is_told_by_every_score(write, metrics, verdict):
    found = compare([write("first"), write("other", wrong=range(0, 40, 3))], metrics=metrics)
    assert found.headline == (metrics or ["accuracy"])[0]
    assert list(found.against[0].differences) == (metrics or list(found.runs[0].scores))
    assert found.against[0].verdict == verdict
    assert (
        compare([write("third", wrong=range(0, 40, 3)), write("last")], metrics=metrics).against[0].verdict == "better"
    )


def test_a_run_beside_itself_has_no_difference(write):
    run = write("run", wrong=[3, 4, 5])
    assert_nothing_found(compare([run, run]))


def assert_nothing_found(found: Comparison) -> None:
    for one in found.against:
        assert one.verdict == "no difference"
        assert (one.corrected_p, one.changed.first, one.changed.other) == (1, 0, 0)
        assert (one.changed.examples, one.settings, one.machine, one.warnings) == ([], [], [], [])
        for each in one.differences.values():
            assert (each.value, each.p) == (0, 1), each.metric
            assert each.low < 0 < each.high or math.isnan(each.low), each.metric
    assert found.notes == []


def test_several_runs_are_corrected_together_and_have_names_of_their_own(write):
    first, some = write("a/run"), write("b/run", wrong=range(6))
    found = compare([first, some, first, some])
    assert [side.name for side in found.runs] == ["a/run", "b/run", "a/run (2)", "b/run (2)"]
    alone = compare([first, some]).against[0]
    assert alone.corrected_p == alone.differences["accuracy"].p == pytest.approx(2 / 2**6)
    assert [one.corrected_p for one in found.against] == pytest.approx([3 / 32, 1, 3 / 32])
    assert (alone.verdict, found.against[0].verdict) == ("worse", "no difference")
    assert "corrected for 3 comparisons" in found.against[0].said


def test_what_makes_a_difference_doubtful_is_said(write):
    first = write("first", entry={"selected": True})
    settings = ["optim.lr=1e-3", "train.epochs=9", "data.root=elsewhere", "train.log_every=99", "name=y"]
    other = write("other", overrides=settings, train="t2", torch="2.14", entry={"value": 0.5})
    found = compare([first, other])
    (one,) = found.against
    assert [key for key, *_ in one.settings] == ["optim.lr", "train.epochs", "data (train)"]
    assert one.machine == [("versions.torch", "2.13", "2.14")]
    assert "of first were chosen on the test split: scores there run high" in one.warnings[0]
    assert "other differs from first in 3 settings (optim.lr, train.epochs, data (train))" in one.warnings[1]
    assert found.runs[0].scores["accuracy"]["selected"]
    assert "other give a accuracy of 1.0000, its results.json says 0.5000" in found.notes[0]


def seeds(write, name: str, wrong: dict[int, Any], **changes: Any) -> Path:
    """The folder of a run of several seeds."""
    folder = write(name, overrides=[f"train.seeds=[{','.join(map(str, wrong))}]"])
    for seed, rows in wrong.items():
        write(f"{name}/seed-{seed}", rows, overrides=[f"train.seed={seed}"], **changes)
    results = json.loads((folder / "results.json").read_text()) | {"seeds": list(wrong)}
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_runs_of_several_seeds_are_compared_seed_by_seed(write):
    first = seeds(write, "first", {0: [0, 1], 1: [0], 2: [0, 1]})
    other = seeds(write, "other", {2: range(12), 1: range(13), 0: range(11)})
    found = compare([first, other])
    (one,) = found.against
    accuracy = one.differences["accuracy"]
    assert (accuracy.first, accuracy.value) == pytest.approx((1 - 5 / 120, -31 / 120))
    assert accuracy.low < -31 / 120 < accuracy.high < 0
    assert (accuracy.test, one.verdict) == (STUDENT, "worse")
    assert "that of the seeds, seed by seed" in one.covers
    assert one.settings == []
    assert found.runs[1].scores["accuracy"]["values"] == pytest.approx([28 / 40, 27 / 40, 29 / 40])
    assert one.changed.examples[0]["first"] == ["yes", "yes", "yes"]  # on the 3rd, which no seed of the first has wrong
    assert_nothing_found(compare([first, first]))


def test_a_single_run_beside_several_seeds_is_taken_to_spread_alike(write):
    single, several = write("single", [0, 1]), seeds(write, "several", {4: [1], 5: [0, 1, 2]})
    (one,) = compare([single, several]).against
    assert one.differences["accuracy"].value == pytest.approx(0)
    assert one.differences["accuracy"].p == pytest.approx(1)
    assert "the mean of 1 against that of 2, taken to spread alike" in one.covers
    assert [key for key, *_ in one.settings] == ["train.seeds"]
    assert one.warnings == []


def test_a_pulled_run_of_several_seeds_has_no_predictions(write):
    run = seeds(write, "run", {0: [0, 1], 1: [0]})
    for seed in (0, 1):
        shutil.rmtree(run / f"seed-{seed}")
    with pytest.raises(SetupError, match=r"run was pulled, as it seems: it has no predictions of its seeds \(0, 1\)"):
        compare([run, write("other")])
    shutil.rmtree(run / "predictions")
    (run / "results.json").write_text((write("single") / "results.json").read_text())
    with pytest.raises(DataError, match=r"run has no predictions/test.jsonl.*A run that was pulled has none"):
        compare([run, run])


def test_what_was_chosen_by_the_split_is_marked_at_its_score(write, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    first, other = write("first", entry={"selected": True}), write("other", wrong=range(5))
    found = compare([first, other])
    show(found, Console())
    printed = capsys.readouterr().out
    (line,) = (line for line in printed.splitlines() if line.startswith("accuracy"))
    assert "1.0000 (selected)" in line
    assert "0.8750 (selected)" not in line
    assert "p, not corrected" in printed
    page = comparison_page(found)
    mark = '<span class="badge warning">selected</span>'
    assert page.count(mark) == 1
    assert f"1.0000 {mark}" in page
    assert comparison_page(compare([first, other, other])).count(mark) == 3  # and in the table of all runs
    assert "scores there run high" in compare([first, other], metrics=["f1", "accuracy"]).against[0].warnings[0]


def test_names_and_values_stand_apart_in_a_narrow_terminal_and_on_the_page(write, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    found = compare([write("first"), write("other", wrong=range(5))])
    show(found, Console())
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("  accuracy")
    assert lines[place + 1 : place + 4] == ["    first: 1.0000", "    other: 0.8750", "    difference: -0.1250"]
    shown = comparison_page(found).split('<dl class="answers">')[1].split("</dl>")[0]
    names, values = (re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", shown, re.DOTALL) for tag in ("dt", "dd"))
    assert names == ["truth", "first", "other"]
    right, wrong = ('<span class="good" role="img" aria-label="right">✓</span> yes', "✗</span> no")
    assert [">yes<" in values[0], right in values[1], wrong in values[2]] == [True] * 3


def test_answers_of_each_seed_have_a_mark_of_their_own(write):
    page = comparison_page(
        compare([seeds(write, "first", {0: [0], 1: []}), seeds(write, "other", {0: [0, 5], 1: [0]})])
    )
    shown = page.split("text 0 ")[1].split("</dl>")[0]
    assert re.findall(r'aria-label="(\w+)">.</span> (\w+)', shown) == [
        ("wrong", "no"),
        ("right", "yes"),
        ("wrong", "no"),
        ("wrong", "no"),
    ]


def test_tags_stand_beside_their_words(tiny, tmp_path):
    hfft.train(
        hfft.Recipe.from_dict(tiny("token-classification"), "train.epochs=null", "train.steps=1"),
        output=tmp_path / "run",
        quiet=True,
    )
    changed = altered(tmp_path / "run", tmp_path / "altered")
    found = compare([tmp_path / "run", changed])
    (example,) = found.against[0].changed.examples
    tags = [(word, tag) for word, tag in zip(example["input"], example["truth"], strict=True) if tag != "O"]
    shown = comparison_page(found).split('<ul class="examples">')[1].split("</ul>")[0]
    assert shown.count(", ".join(f"{word} {tag}" for word, tag in tags)) == 2, "the truth, and the right answer"
    assert re.findall('aria-label="(right|wrong)"', shown) == ["wrong", "right"]


def test_differences_are_dots_on_one_axis_that_holds_zero(write):
    page = comparison_page(compare([write("first"), write("other", wrong=range(5))]))
    table = page.split('<div class="differences">')[1].split("</table>")[0]
    assert '<span class="ends"><span>' in table
    assert "//" not in table
    assert table.count('class="zero"') == table.count('class="strip"') > 3


def test_a_label_of_two_words_is_a_score_like_others(write):
    run = write("run")
    config = (run / "model" / "config.json").read_text().replace('"yes"', '"oh yes"')
    (run / "model" / "config.json").write_text(config)
    truths = {"yes": "oh yes", "no": "no"}
    file = run / "predictions" / "test.jsonl"
    rows = [json.loads(row) for row in file.read_text().splitlines()]
    rows = [{**row, "answer": truths[row["answer"]], "truth": truths[row["truth"]]} for row in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "f1/oh yes" in comparison_page(compare([run, run], metrics=["f1/oh yes"]))


def test_one_example_is_never_better(write):
    first, other = write("first", truths=["yes"], wrong=[0]), write("other", truths=["yes"])
    (one,) = compare([first, other], metrics=["f1"]).against
    assert (one.verdict, one.differences["f1"].value) == ("no difference", 1)
    assert "f1 +1.0000, p = 1.00 by paired permutation test" in one.said
    found = compare([first, other])
    assert found.against[0].verdict == "no difference"
    assert "no difference that this one example can show" in found.against[0].said
    assert " to " not in found.against[0].said
    assert all(math.isnan(each.low) for each in found.against[0].differences.values())


def test_more_runs_and_more_confidence_do_not_hide_a_clear_difference(write):
    first, other = write("first"), write("other", wrong=range(0, 40, 3))
    found = compare([first, *[other] * 30], metrics=["f1"])
    assert {one.verdict for one in found.against} == {"worse"}
    assert found.against[0].differences["f1"].test in (APPROXIMATED, JACKKNIFED)


DAMAGED = [
    ("results.json", '{"task": 1', "no JSON"),
    ("results.json", "[]", "it is a list, expected an object"),
    ("environment.json", "[]", "it is a list, expected an object"),
    ("environment.json", "{", "no JSON"),
    ("parameters.json", '{"a": 1}', "it is an object, expected a list"),
    ("predictions/test.jsonl", b"\xff\xfe", "Line 1 of .*no text in UTF-8"),
]


@pytest.mark.parametrize(("name", "content", "said"), DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_named(write, name, content, said):
    run = write("run")
    (run / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SetupError, match=rf"(?s){said}") as caught:
        compare([run, run])
    assert name in str(caught.value)


def test_odd_rows_are_refused(write):
    for number, values in enumerate([{"answer": None}, {"id": 0}, {"score": "x"}, {"answer": math.nan}]):
        with pytest.raises(SetupError, match=r"Line 3 of .*test.jsonl is no"):
            compare([replaced(write(f"run{number}"), 2, **values)] * 2)
    with pytest.raises(DataError, match="cannot be scored as those of text-classification"):
        compare([replaced(write("unknown"), 2, answer="maybe")] * 2)
    half = replaced(write("half"), 2, input="a \ud83d b")
    assert "\ud83d" not in comparison_page(
        compare([half, replaced(write("alone"), 2, input="a \ud83d b", answer="no")])
    )


def replaced(run: Path, line: int, **values: Any) -> Path:
    """The run with other values in a row of its predictions."""
    file = run / "predictions" / "test.jsonl"
    rows = [json.loads(row) for row in file.read_text().splitlines()]
    rows[line] |= values
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def test_other_examples_are_refused_with_the_first_row_that_differs(write):
    first = write("first")
    fewer = write("fewer", truths=TRUTHS[:30])
    with pytest.raises(DataError, match="first answered 40 examples of the test split, fewer 30"):
        compare([first, fewer])
    with pytest.raises(
        DataError, match=r"Row 7 .* in first and truth: its truth is 'no' in the one and 'yes' in the other"
    ):
        compare([first, replaced(write("truth"), 7, truth="yes")])
    with pytest.raises(
        DataError, match=r"Row 5 .* in first and input: its input is 'text 5' in the one and 'other' in"
    ):
        compare([first, replaced(write("input"), 5, input="other")])
    with pytest.raises(DataError, match="Row 39 of the test split was answered by first alone, of first and ids"):
        compare([first, replaced(write("ids"), 39, id=77)])


def test_other_files_are_refused_where_the_rows_do_not_tell(write):
    first = write("first", texts=False)
    with pytest.raises(
        DataError, match=r"The data of the test split is not the same in first and other, as its finger"
    ):
        compare([first, write("other", texts=False, test="s2")])
    told, elsewhere = write("told"), write("elsewhere", test="s2")
    assert "differ, but not in inputs and truths" in compare([told, elsewhere]).notes[0]


def test_what_is_no_finished_run_or_no_score_is_refused(write, tmp_path, tiny):
    run = write("run")
    with pytest.raises(SetupError, match="takes two runs or more, and 1 is given"):
        compare([run])
    with pytest.raises(SetupError, match=r"is no run folder: it has no recipe.yaml"):
        compare([run, tmp_path])
    with pytest.raises(DataError, match=r"Not all runs have scored the split 'tets'. Did you mean 'test'"):
        compare([run, run], split="tets")
    with pytest.raises(DataError, match=r"'accurcy' is no score that all runs have .* Did you mean 'accuracy'"):
        compare([run, run], metrics=["accurcy"])
    with pytest.raises(RecipeError, match="add --trust"):
        compare([write("own", overrides=["eval.metrics=['math:fsum']"])] * 2)
    other = write("tags", overrides=["task={name: token-classification}"])
    with pytest.raises(RecipeError, match="run does text-classification and tags does token-classification"):
        compare([run, other])
    (run / "predictions" / "test.jsonl").write_text("{}\n")
    with pytest.raises(SetupError, match=r"Line 1 of .*test.jsonl is no prediction: expected an object with an id"):
        compare([run, run])
    (other / "results.json").unlink()
    with pytest.raises(SetupError, match=r"is not finished: it has no results.json yet"):
        compare([other, run])


def test_an_adapter_that_was_not_merged_is_scored_by_its_base(write, tiny):
    runs = [write(name, wrong, overrides=[f"model={tiny('text-classification')['model']}"]) for name, wrong in SIDES]
    with_model = compare(runs)
    for run in runs:
        shutil.rmtree(run / "model")
        told = {"splits": {"train": {"problem": "single", "labels": {"no": 20, "yes": 20}}}}
        (run / "data.json").write_text(json.dumps(told))
    assert compare(runs) == with_model
    (runs[0] / "data.json").unlink()
    with pytest.raises(SetupError, match="one has no model/"):
        compare(runs)


SIDES = (("one", [1, 2]), ("two", [2, 3, 4, 5]))


class Texts(HTMLParser):
    """What a page says, and what it would load."""

    def __init__(self, page: str):
        super().__init__()
        self.said: list[str] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_data(self, data):
        self.said.append(data)

    def handle_starttag(self, tag, attrs):
        places = [value or "" for name, value in attrs if name in ("src", "href")]
        self.loads += [place for place in places if not place.startswith(("#", "data:"))]


def test_it_is_shown_as_json_on_the_screen_and_as_a_page(write, capsys):
    first = replaced(write("first", wrong=[4]), 4, input="<b>bold</b> & so")
    other = replaced(write("other", wrong=range(5, 15), overrides=["optim.lr=1e-3"]), 4, input="<b>bold</b> & so")
    found = compare([first, other])
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert told["against"][0]["verdict"] == "worse"
    assert told["against"][0]["differences"]["accuracy"]["value"] == pytest.approx(-9 / 40)
    show(found, Console())
    printed = capsys.readouterr().out
    for part in ("other against first", "-0.2250", "other is worse", "optim.lr", "Only first is right on 10 examples"):
        assert part in printed
    assert "<b>bold</b> & so" in printed
    page = Texts(comparison_page(found))
    assert page.loads == []
    assert any("<b>bold</b> & so" in text for text in page.said)
    for part in ("other is worse", "-0.2250", "Settings that differ", "seconds of training"):
        assert any(part in text for text in page.said)


KINDS = [
    "several-labels",
    "numbers",
    "translation",
    "image-classification",
    "token-classification",
    "spans",
    "outside",
]


@pytest.mark.parametrize("task", KINDS)
def test_of_every_task_a_run_beside_itself_has_no_difference(task, tiny, tmp_path):
    recipe = tiny(task)
    trusted = ":" in recipe["task"]["name"]
    quick = ["train.epochs=null", "train.steps=1"]
    hfft.train(hfft.Recipe.from_dict(recipe, *quick), output=tmp_path / "run", trust=trusted, quiet=True)
    found = compare([tmp_path / "run"] * 2, trust=trusted)
    assert_nothing_found(found)
    results = json.loads((tmp_path / "run" / "results.json").read_text())["test"]
    for name, entry in found.runs[0].scores.items():
        for key in ("value", "low", "high", "interval"):
            assert entry[key] == pytest.approx(results[name][key]), name
    changed = altered(tmp_path / "run", tmp_path / "altered")
    (one,) = compare([tmp_path / "run", changed], trust=trusted).against
    assert (one.changed.first, one.changed.other) == (0, 1), one.changed.by
    assert len(one.changed.examples) == 1


def altered(run: Path, copy: Path) -> Path:
    """A copy of a run in which one wrong answer is right."""
    shutil.copytree(run, copy)
    file = copy / "predictions" / "test.jsonl"
    rows = [json.loads(row) for row in file.read_text("utf-8").splitlines()]
    row = next(row for row in rows if row["truth"] and row["answer"] != row["truth"])
    row["answer"] = row["truth"]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return copy
