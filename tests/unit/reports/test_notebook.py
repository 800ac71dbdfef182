"""What a notebook shows of a result, an evaluation, a plan and a comparison: a screenful, and a piece of a page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import hfft
from hfft.api import Result
from hfft.io.run_folder import read_json
from hfft.reports.html.numbers import score_text
from hfft.reports.notebook import LINES, WIDTH, screenful
from tests.unit.reports.test_page import EVIL, read

Shown = dict[str, Any]


@pytest.fixture(scope="module")
def shown(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A value of each kind, of one small run."""
    recipe = hfft.Recipe.from_dict(tiny("text-classification"))
    run = tmp_path_factory.mktemp("notebook") / "run"
    result = hfft.train(recipe, output=run, quiet=True)
    found = recipe.data.files or {}
    return {
        "result": result,
        "plan": hfft.plan(recipe),
        "evaluation": hfft.evaluate(run, str(Path(recipe.data.root) / str(found["test"]))),
        "comparison": hfft.compare([run, run]),
    }


KINDS = ("result", "plan", "evaluation", "comparison")


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_told_on_one_screen(shown: Shown, kind: str) -> None:
    lines = repr(shown[kind]).splitlines()
    assert 3 < len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("kind", KINDS)
def test_a_notebook_gets_a_piece_of_a_page_whose_style_touches_nothing_else(shown: Shown, kind: str) -> None:
    html = shown[kind]._repr_html_()
    page = read(html)
    assert html.startswith('<div class="hfft">')
    assert not {"html", "head", "body", "script", "link"} & set(page.names)
    assert page.values("id") == [], "another output may have the same"
    assert page.values("href") == []
    style = re.sub(r"/\*.*?\*/", "", html.split("<style>")[1].split("</style>")[0], flags=re.DOTALL)
    assert all(".hfft" in rule for rule in outer(style))
    assert len(outer(style)) == 3


def outer(style: str) -> list[str]:
    """The selectors of the rules that stand in no other rule."""
    found, depth, selector = [], 0, ""
    for sign in style:
        if sign == "{":
            found += [selector.strip()] if depth == 0 else []
            depth, selector = depth + 1, ""
        elif sign == "}":
            depth, selector = depth - 1, ""
        elif depth == 0:
            selector += sign
    assert depth == 0
    return found


def test_a_result_says_its_headline_and_where_it_lies(shown: Shown) -> None:
    result = shown["result"]
    first = read_json(result.folder / "report.json")["headline"]
    for told in (repr(result), words(result)):
        assert str(result.folder) in told
        assert f"{first['examples']} examples" in told
    scores = result.scores[first["split"]][first["metric"]]
    line = f"{first['split']} {first['metric']} {score_text(scores['value'])}"
    assert repr(result).splitlines()[1].startswith(f"{line} ({score_text(scores['low'])} to ")
    assert "mistake" in words(result)


def words(value: Any) -> str:
    return " ".join("".join(read(value._repr_html_()).words).split())


def test_a_result_whose_folder_is_gone_says_its_scores(shown: Shown, tmp_path: Path) -> None:
    result = Result(tmp_path / "gone", shown["result"].scores)
    value = score_text(result.scores["test"]["accuracy"]["value"])
    assert re.search(rf"test accuracy +{value}", repr(result))
    assert value in words(result)
    assert str(tmp_path / "gone") in words(result)


def test_texts_of_a_run_are_no_markup(shown: Shown, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(shown["result"].folder, run, ignore=shutil.ignore_patterns("checkpoints", "*.safetensors"))
    facts = {**read_json(run / "report.json"), "name": EVIL}
    (run / "report.json").write_text(json.dumps(facts), "utf-8")
    result = Result(run, shown["result"].scores)
    page = read(result._repr_html_())
    assert not {"script", "img"} & set(page.names)
    assert EVIL in "".join(page.words)


def test_an_evaluation_says_what_was_asked_and_keeps_its_rows(shown: Shown) -> None:
    evaluation, folder = shown["evaluation"], str(shown["result"].folder)
    assert repr(evaluation).startswith(f"{folder} on {evaluation.examples} rows\n")
    assert folder in words(evaluation)
    assert f"accuracy {score_text(evaluation.scores['accuracy']['value'])}" in repr(evaluation)
    assert len(evaluation.rows) == evaluation.rows_read
    assert "model" not in evaluation.as_json(), "as `hfft evaluate --json` prints it"


def test_a_plan_says_what_learns_for_how_long(shown: Shown) -> None:
    plan = shown["plan"]
    for told in (" ".join(repr(plan).split()), words(plan)):  # lines end where there is no room
        assert f"{plan.steps} steps of {plan.samples_per_step} samples" in told
        assert f"{plan.task} with " in told
        assert "MiB" in told
    assert len(plan.parameters) > 5


def test_a_comparison_says_its_verdict(shown: Shown) -> None:
    found = shown["comparison"]
    for told in (repr(found), words(found)):
        assert "no difference that these" in told
        assert str(shown["result"].folder) in told
    assert found.as_json()["against"][0]["verdict"] == "no difference"


def test_a_screen_is_never_full() -> None:
    assert screenful(["word " * 30]).splitlines() == [("word " * 20).strip(), "    " + ("word " * 10).strip()]
    lines = screenful([str(number) for number in range(60)]).splitlines()
    assert (len(lines), lines[-1]) == (LINES, "  ... and 36 more lines")
    assert len(screenful(["x " * 400]).splitlines()) == 3
