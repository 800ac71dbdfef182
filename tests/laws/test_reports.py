"""What a training leaves for people to look at: its report shows texts as texts, and pictures as pictures."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape

import pytest

from hfft.io.run_folder import RunFolder, read_json, scored_splits
from hfft.reports.facts import write_report
from hfft.reports.html.numbers import score_text
from hfft.testing import predictions
from tests.tiny import TASKS

SHOWN = {
    "text-classification": ("texts", 'class="verdict"'),
    "pairs": ("texts", 'class="verdict"'),
    "several-labels": ("texts", 'class="verdict"'),
    "numbers": ("numbers", "answer less truth"),
    "token-classification": ("tags", 'class="sentence"'),
    "summarization": ("writing", 'class="sides"'),
    "translation": ("writing", 'class="sides"'),
    "image-classification": ("pictures", 'src="data:image/jpeg;base64,'),
    "question-answering": ("writing", 'class="sides"'),
    "outside": ("texts", 'class="verdict"'),
}
"""The kind of the galleries of each task or variant, and what only such a gallery has in the page."""

SECTIONS = ("Scores", "Curves", "Data checks", "Parameters", "The run", "How to repeat it")

FIRST = {"confusion": "Confusion", "numbers": "Answers against truths"}

FOLDED = {
    "labels": "By label",
    "calibration": "Calibration",
    "distributions": "Distributions",
    "slices": "Slices",
}
"""The headings of what report.json may hold of a split: before the galleries of what is wrong, and behind them."""

MARKUP = "<i>\"&'</i>"


def test_every_task_has_a_kind_of_gallery():
    assert set(TASKS) <= set(SHOWN)


@pytest.mark.parametrize("task", SHOWN)
def test_the_report_that_a_training_leaves_shows_inputs_as_what_they_are(trained, task):
    run, (kind, mark) = trained(task, "full"), SHOWN[task]
    galleries = [
        gallery for facts in read_json(run / "report.json")["splits"].values() for gallery in facts["galleries"]
    ]
    assert {gallery["kind"] for gallery in galleries} == {kind}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert mark in page
    assert ('class="pictures"' in page) == (kind == "pictures")
    assert ("<img" in page) == (kind == "pictures")


@pytest.mark.parametrize("task", SHOWN)
def test_the_page_that_a_training_leaves_has_all_there_is_to_show(trained, task):
    run = trained(task, "full")
    facts, results = read_json(run / "report.json"), read_json(run / "results.json")
    page = (run / "report.html").read_text(encoding="utf-8")
    splits = scored_splits(results)
    assert set(re.findall(r"<h2[^>]*>([^<]+?) *<", page)) == {*SECTIONS, *(f"The {split} split" for split in splits)}
    for split, found in facts["splits"].items():
        part = re.split(rf"<h2[^>]*>The {split} split", page)[1].split("<h2")[0]
        headings = [unescape(heading) for heading in re.findall(r"([^<>]+)</h3>", part)]
        first, behind = ([name for key, name in parts.items() if found.get(key)] for parts in (FIRST, FOLDED))
        wrong, others = (
            [one["title"] for one in found["galleries"] if one["open"] == is_open] for is_open in (True, False)
        )
        assert headings == [*first, *wrong, *behind, *others]
    table = page.split("<caption>Scores by metric and split", 1)[1].split("</section>")[0].replace("<wbr/>", "")
    rows = dict(re.findall(r'scope="row">([^<]+)</th>(.*?)</tr>', table, re.DOTALL))
    for split in splits:
        for metric, entry in results[split].items():
            assert f">{score_text(entry['value'])}<" in rows[metric]
    assert not re.search(r">\s*(None|nan|inf|undefined|Undefined)\b|\{\{|\{%", page)


@pytest.mark.parametrize("task", SHOWN)
def test_texts_of_the_data_are_no_markup_in_the_page(trained, task, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained(task, "full"), run, ignore=shutil.ignore_patterns("checkpoints", "*.safetensors"))
    results = read_json(run / "results.json")
    results["remarks"] = [f"A remark {MARKUP}"]
    (run / "results.json").write_text(json.dumps(results), encoding="utf-8")
    texts = False
    for split in scored_splits(results):
        rows = predictions(run, split)
        for row in rows:
            given = row.get("input")
            texts = texts or given is not None
            if given is not None:
                row["input"] = [f"{part} {MARKUP}" for part in given] if isinstance(given, list) else given + MARKUP
        lines = (json.dumps(row) + "\n" for row in rows)
        (run / "predictions" / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    page = write_report(RunFolder(run)).read_text(encoding="utf-8")
    assert MARKUP not in page
    assert unescape(page).count(MARKUP) > (10 if texts else 1)
    assert texts == (task != "image-classification")
