"""The facts of a whole run: what a folder holds, and what is said where it holds none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import hfft
from hfft.data.checks import Finding
from hfft.errors import SetupError
from hfft.io.run_folder import RunFolder, read_json
from hfft.recipe import Recipe
from hfft.reports.facts import BUDGET, SIDE, add_pictures, collect, thumbnail, write_report
from hfft.reports.overview import command_of
from hfft.workflows.finish import closing_line

ENTRY = {"value": 0.5, "low": 0.25, "high": 0.75}
RECIPE = """
name: little
task: {name: text-classification}
data: {files: {train: train.csv}, root: /data}
model: bert
optim: {lr: 1e-4}
train: {keep_best: f1, batch_size: 8}
"""
RESULTS = {
    "task": "text-classification",
    "steps": 4,
    "best_step": 2,
    "ended": None,
    "eval": {"accuracy": {**ENTRY, "selected": True}, "f1": {**ENTRY, "selected": True}},
    "eval_labels": {"cat": {"recall": ENTRY}, "dog": {"recall": ENTRY}},
    "eval_examples": 2,
    "eval_slices": [{"column": "length (tokens)", "value": "3 tokens", "examples": 2, "scores": {"accuracy": ENTRY}}],
    "settled": {},
    "confidence": 0.95,
    "train_seconds": 3.0,
    "samples": 32,
    "samples_per_second": 10.7,
    "tokens_per_second": 50.0,
    "padding_share": 0.25,
    "warnings": ["train: odd"],
    "remarks": [],
}
PARAMETERS = [
    {"name": "a", "shape": [3, 2], "stack": "stem", "block": 0, "trainable": False, "lr": 0.0, "weight_decay": 0.0},
    {"name": "b", "shape": [2], "stack": "head", "block": 0, "trainable": True, "lr": 1e-4, "weight_decay": 0.0},
]
DATA = {"splits": {"train": {"rows": 1234, "problem": "single", "labels": {"dog": 600, "cat": 634}}}, "findings": []}
ROWS = [
    {"id": 0, "input": "<b>meow</b>", "answer": "cat", "score": 0.75, "probabilities": [0.25, 0.75], "truth": "cat"},
    {"id": 2, "answer": "cat", "score": 0.625, "probabilities": [0.375, 0.625], "truth": "dog"},
    {"id": 3, "answer": "cat", "score": 0.625, "probabilities": [0.375, 0.625], "truth": None},
]


def run_folder(path: Path, rows: list[dict[str, Any]] = ROWS, recipe: str = RECIPE, **results: Any) -> RunFolder:
    """A finished run as a training leaves it, without weights."""
    folder = RunFolder(path)
    (path / "predictions").mkdir(parents=True)
    folder.recipe.write_text(recipe, encoding="utf-8")
    files = {folder.results: {**RESULTS, **results}, folder.parameters: PARAMETERS, folder.data: DATA}
    for file, value in files.items():
        file.write_text(json.dumps(value), encoding="utf-8")
    folder.predictions("eval").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_a_finished_run_is_read_from_its_folder_alone(tmp_path: Path):
    facts = collect(run_folder(tmp_path / "little"))
    assert facts["headline"] == {"split": "eval", "metric": "f1", **ENTRY, "selected": True, "examples": 2}
    assert facts["summary"] == (
        "bert was fine-tuned for text-classification on 1,234 rows of train.csv: 4 steps of 8 samples (head only)."
    )
    assert (facts["weights"], facts["recipe"]) == ("step 2", RECIPE)
    assert facts["parameters"]["rows"] == [
        ["stem", "6", "0.0%", "-", "-"],
        ["head", "2", "100.0%", "0.0001", "0"],
        ["all", "8", "25.0%", "", ""],
    ]
    assert facts["cost"]["padding_share"] == 0.25
    assert facts["checks"]["warnings"] == ["train: odd"]
    assert dict(facts["facts"])["Weights"] == "8, of which 2 learn (25.0%)"
    assert facts["curves"] == {"best_step": 2}


def test_answers_without_a_truth_are_in_no_gallery(tmp_path: Path):
    found = collect(run_folder(tmp_path / "little"))["splits"]["eval"]
    wrong, right = (g for g in found["galleries"] if g["title"] in ("Mistakes", "Right answers"))
    assert wrong["examples"] == [
        {"id": 2, "answer": "cat", "truth": "dog", "score": 0.625, "truth_score": 0.375, "pairs": [0]},
    ]
    assert wrong["pairs"] == [{"truth": "dog", "answer": "cat", "count": 1}]
    assert [one["text"] for one in found["in_short"]] == ["1 mistake of 2."]
    assert right["examples"] == [
        {"id": 0, "input": "<b>meow</b>", "answer": "cat", "truth": "cat", "score": 0.75, "truth_score": 0.75},
    ]
    assert found["confusion"] == {"labels": ["dog", "cat"], "counts": [[0, 1], [0, 1]], "left_out": 0}
    assert [row["label"] for row in found["labels"]] == ["dog", "cat"]  # in the model's order
    assert [(part["column"], part["value"]) for part in found["slices"]] == [("length (tokens)", "3 tokens")]
    assert found["calibration"]["ece"]["value"] == pytest.approx((0.25 + 0.625) / 2)
    assert found["calibration"]["ece"]["selected"]


def test_the_model_names_its_labels_where_the_data_do_not_fit(tmp_path: Path):
    folder = run_folder(tmp_path / "little")
    data = {"splits": {"train": {"problem": "single", "labels": {"cat": 1, "dog": 1}}}}  # the other way round
    folder.data.write_text(json.dumps(data), encoding="utf-8")
    found = collect(folder)["splits"]["eval"]
    assert "truth_score" not in found["galleries"][0]["examples"][0]
    folder.model.mkdir()
    (folder.model / "config.json").write_text(json.dumps({"id2label": {"1": "cat", "0": "dog"}}), encoding="utf-8")
    found = collect(folder)["splits"]["eval"]
    assert found["galleries"][0]["examples"][0]["truth_score"] == 0.375


def test_answers_of_other_tasks_are_shown_as_they_are(tmp_path: Path):
    rows = [
        {"id": 0, "input": ["a", ["b", "c"]], "answer": {"x": 1}, "score": 0.5, "truth": {"x": 1}},
        {"id": 1, "input": {"q": "ä"}, "answer": 3, "score": 0.75, "truth": 4},
        {"id": 2, "answer": "x" * 3000, "score": 0.25, "truth": None},
    ]
    recipe = RECIPE.replace("text-classification", "my.tasks:Own")
    folder = run_folder(tmp_path / "own", rows, recipe, eval_labels={})
    folder.data.unlink()
    found = collect(folder)["splits"]["eval"]
    assert [gallery["examples"][0] for gallery in found["galleries"]] == [
        {"id": 1, "input": '{"q": "ä"}', "answer": 3, "truth": 4, "score": 0.75},
        {"id": 0, "input": "a\nb\nc", "answer": '{"x": 1}', "truth": '{"x": 1}', "score": 0.5},
        {"id": 0, "input": "a\nb\nc", "answer": '{"x": 1}', "truth": '{"x": 1}', "score": 0.5},
    ]
    assert found["calibration"]["ece"]["value"] == pytest.approx((0.5 + 0.75) / 2)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "hfft train {} --output {}-again"),
        (
            {"processes": 1, "accelerate": {"device": "cuda", "mixed_precision": "bf16"}},
            "ACCELERATE_MIXED_PRECISION=bf16 hfft train {} --output {}-again",
        ),
        (
            {"processes": 2, "accelerate": {"device": "cpu", "mixed_precision": "no"}},
            "ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 -m hfft.run {} --output {}-again",
        ),
        (
            {"processes": 8, "accelerate": {"device": "cuda", "mixed_precision": "no"}},
            "accelerate launch --multi_gpu --num_processes 8 -m hfft.run {} --output {}-again",
        ),
    ],
    ids=["plain", "precision", "cpu processes", "gpus"],
)
def test_the_command_repeats_the_run_on_as_many_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, Any], expected: str
):
    monkeypatch.chdir(tmp_path)
    recipe = Recipe.load(run_folder(tmp_path / "runs" / "little").recipe)
    lines = command_of(Path("runs/little"), recipe, environment)
    assert lines == [expected.format("runs/little/recipe.yaml", "runs/little")]
    text = RECIPE.replace("root: /data", "root: data").replace("text-classification", "a:B")
    recipe = Recipe.load(run_folder(tmp_path / "a b", recipe=text).recipe)
    note, command = command_of(tmp_path / "a b", recipe, {})
    assert note == "# In the folder in which the run was started: data.root is 'data', as seen from there."
    assert command == "hfft train 'a b/recipe.yaml' --output 'a b-again' --trust"


def test_the_command_names_a_folder_elsewhere_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = run_folder(tmp_path / "runs" / "little").path
    recipe = Recipe.load(folder / "recipe.yaml")
    told = "# PATH/TO is the folder in which the run folder lies."
    command = "hfft train PATH/TO/little/recipe.yaml --output PATH/TO/little-again"
    for place in (folder, tmp_path / "runs" / "other", Path(tmp_path.anchor)):
        place.mkdir(exist_ok=True)
        monkeypatch.chdir(place)
        assert command_of(folder, recipe, {}) == [told, command]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("runs")
    for shown in ("runs/little", "link/little"):
        expected = f"hfft train {shown}/recipe.yaml --output {shown}-again --trust"
        assert command_of(tmp_path / shown, recipe, {"trust": True}) == [expected]


def test_f1_is_named_before_precision_where_none_was_watched(tmp_path: Path):
    recipe = RECIPE.replace("keep_best: f1, ", "ema: 0.9, ")
    scores = {"precision": {**ENTRY, "value": 0.75}, "recall": ENTRY, "f1": {**ENTRY, "value": 0.625}}
    facts = collect(run_folder(tmp_path / "tags", recipe=recipe, eval=scores))
    assert (facts["headline"]["metric"], facts["headline"]["value"]) == ("f1", 0.625)
    assert facts["weights"] == "the average (EMA 0.9) at step 2"
    line = closing_line({**RESULTS, "eval": scores}, None, Path("runs/tags"))
    assert line == "eval f1 0.6250 (0.2500 to 0.7500), 2 examples; run folder runs/tags"


def test_what_the_checks_found_is_said_once(tmp_path: Path):
    finding = Finding("empty", "train", 2, 8, "have no text: rows 1, 2")
    folder = run_folder(tmp_path / "little", warnings=["train: odd", str(finding)])
    folder.data.write_text(json.dumps({**DATA, "findings": [finding.as_json()]}), encoding="utf-8")
    write_report(folder)
    assert read_json(folder.report_facts)["checks"]["warnings"] == ["train: odd"]
    html = folder.report.read_text(encoding="utf-8")
    assert html.count("have no text: rows 1, 2") == 1
    assert '<a href="#checks">The data checks found 1 thing that is worth a look.</a>' in html


def test_what_is_no_finished_run_is_said(tmp_path: Path):
    with pytest.raises(SetupError, match="There is no run folder"):
        collect(RunFolder(tmp_path / "none"))
    with pytest.raises(SetupError, match=r"is no run folder: it has no recipe.yaml. It is empty"):
        collect(RunFolder(tmp_path))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SetupError, match=r"is no run folder: it has no recipe.yaml. It holds notes.txt"):
        collect(RunFolder(tmp_path))
    folder = run_folder(tmp_path / "little")
    with pytest.raises(SetupError, match=r"There is no run folder .*litle. Did you mean 'little'"):
        collect(RunFolder(tmp_path / "litle"))
    folder.results.unlink()
    with pytest.raises(SetupError, match=r"not finished.*has no checkpoint yet"):
        collect(folder)
    folder.checkpoint(30).mkdir(parents=True)
    with pytest.raises(SetupError, match="newest checkpoint is of step 30"):
        collect(folder)
    folder.results.write_text('{"task": "x"}', encoding="utf-8")
    with pytest.raises(SetupError, match="is not what a run writes"):
        collect(folder)


def test_a_file_that_was_cut_is_named(tmp_path: Path):
    folder = run_folder(tmp_path / "little")
    with open(folder.predictions("eval"), "a", encoding="utf-8") as file:
        file.write('{"id": 9')
    with pytest.raises(SetupError, match=r"Line 4 of .*eval\.jsonl is no JSON"):
        collect(folder)
    folder.parameters.write_text("[", encoding="utf-8")
    with pytest.raises(SetupError, match=r"parameters\.json is no JSON"):
        collect(folder)


def test_several_seeds_have_a_report_each(tmp_path: Path):
    top = run_folder(tmp_path / "seeds")
    for seed, remarks in ((3, ["of both"]), (5, ["of both", "of one"])):
        recipe = RECIPE.replace("keep_best", f"seed: {seed}, keep_best")
        run_folder(top.seed(seed).path, recipe=recipe, ended="time limit of 1 s", remarks=remarks)
    both = {"spread": 0.1, "values": [0.6, 0.4]}
    scores = {"accuracy": {**ENTRY, **both}, "f1": {**ENTRY, **both}}
    results = {**RESULTS, "seeds": [3, 5], "best_seed": 3, "best_by": "eval f1", "eval": scores}
    top.results.write_text(json.dumps(results), encoding="utf-8")
    write_report(top)
    facts = read_json(top.report_facts)
    values = [{"eval": {"accuracy": value, "f1": value}} for value in (0.6, 0.4)]
    assert facts["seeds"] == [
        {"seed": 3, "scores": values[0], "best": True, "report": "seed-3/report.html"},
        {"seed": 5, "scores": values[1], "best": False, "report": "seed-5/report.html"},
    ]
    assert (facts["splits"], facts["scores"]["eval"]["f1"]["spread"]) == ({}, 0.1)
    assert (facts["ended"], facts["checks"]["remarks"]) == ("time limit of 1 s", ["of both", "seed 5: of one"])
    assert "weights" not in facts
    assert "The run ended early: time limit of 1 s" in top.report.read_text(encoding="utf-8")
    assert [(top.seed(seed).report).is_file() for seed in (3, 5)] == [True, True]
    assert read_json(top.seed(5).report_facts)["splits"]["eval"]["galleries"]


def test_pictures_are_small_and_are_kept(tmp_path: Path):
    rows = [{**row, "input": f"cat/{row['id']}.png"} for row in ROWS]
    folder = run_folder(tmp_path / "seen", rows, RECIPE.replace("text-classification", "image-classification"))
    asked = []

    def pictures(split: str, ids: Any) -> dict[int, Image.Image]:
        asked.append((split, list(ids)))
        return {number: Image.new("RGB", (400, 200), "red") for number in ids}

    write_report(folder, pictures)
    first = read_json(folder.report_facts)["splits"]["eval"]["galleries"]
    assert asked == [("eval", [0, 2])]
    assert {gallery["kind"] for gallery in first} == {"pictures"}
    assert all(example["picture"].startswith("data:image/jpeg;base64,") for g in first for example in g["examples"])
    write_report(folder)  # as hfft report does later, without the data
    assert read_json(folder.report_facts)["splits"]["eval"]["galleries"] == first
    folder.report_facts.write_text("{", encoding="utf-8")
    assert "picture" not in collect(folder)["splits"]["eval"]["galleries"][0]["examples"][0]


def test_thumbnails_fit_and_all_together_stay_below_their_budget(tmp_path: Path):
    from base64 import b64decode
    from io import BytesIO

    clear = Image.new("RGBA", (300, 150), (0, 0, 0, 0))
    small = Image.open(BytesIO(b64decode(thumbnail(clear).partition(",")[2])))
    assert (small.size, small.getpixel((5, 5))) == ((SIDE, SIDE // 2), (255, 255, 255))
    assert Image.open(BytesIO(b64decode(thumbnail(Image.new("L", (8, 8))).partition(",")[2]))).size == (8, 8)
    noise = Image.effect_noise((SIDE, SIDE), 200)
    count = 2 * BUDGET // len(thumbnail(noise))
    examples: list[dict[str, Any]] = [{"id": number} for number in range(count)]
    splits = {"eval": {"galleries": [{"kind": "pictures", "examples": examples}]}}
    add_pictures(splits, lambda split, ids: dict.fromkeys(ids, noise), {})
    assert 0 < sum(len(example.get("picture", "")) for example in examples) <= BUDGET


def test_a_real_run_says_what_its_results_say(tiny: Any, tmp_path: Path):
    """Entities as spans of characters: counted by the report as by the metrics."""
    run = hfft.train(Recipe.from_dict(tiny("spans")), output=tmp_path / "run", quiet=True).folder
    facts = collect(RunFolder(run))
    results = read_json(RunFolder(run).results)
    for split in ("eval", "test"):
        labels, bins = facts["splits"][split]["labels"], facts["splits"][split]["calibration"]["bins"]
        right = sum(row["recall"]["value"] * row["examples"] for row in labels)
        assert right / sum(row["examples"] for row in labels) == pytest.approx(results[split]["recall"]["value"])
        answered = sum(part["examples"] for part in bins)
        assert answered == results[f"{split}_answers"]["entities"]
        assert sum(part["accuracy"] * part["examples"] for part in bins) == pytest.approx(right)
    assert (facts["strategy"], len(facts["curves"]["loss"]["step"])) == ("full", facts["steps"])
