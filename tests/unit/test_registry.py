"""Names resolve by table, then entry point, then `module:attribute`; only the last needs trust."""

from __future__ import annotations

import sys
from collections import OrderedDict

import pytest

from hfft.errors import RecipeError, SetupError
from hfft.registry import find, require

TABLE = {"ordered": "collections:OrderedDict", "counter": "collections:Counter"}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed package that adds names to hfft's tasks."""
    (tmp_path / "some_plugin.py").write_text("class Ranking: ...\n")
    information = tmp_path / "some_plugin-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugin\nVersion: 1.0\n")
    points = "[hfft.tasks]\nranking = some_plugin:Ranking\nordered = some_plugin:Ranking\nbroken = some_plugin:Gone\n"
    (information / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("some_plugin", None)


def test_a_name_of_the_table_needs_no_trust():
    assert find("ordered", TABLE, where="task.name", trust=False) is OrderedDict


def test_a_path_is_imported_where_it_is_trusted():
    assert find("collections:OrderedDict", TABLE, where="task.name", trust=True) is OrderedDict


def test_an_entry_point_needs_no_trust(plugin):
    found = find("ranking", TABLE, where="task.name", trust=False, group="hfft.tasks")
    assert (found.__module__, found.__name__) == ("some_plugin", "Ranking")


def test_an_entry_point_cannot_take_a_name_of_the_table(plugin):
    assert find("ordered", TABLE, where="task.name", trust=False, group="hfft.tasks") is OrderedDict


def test_entry_points_of_other_groups_add_nothing(plugin):
    with pytest.raises(RecipeError, match="not known"):
        find("ranking", TABLE, where="optim.name", trust=False, group="hfft.optimizers")


def test_a_path_that_is_not_trusted_is_refused_before_any_of_its_code_runs(plugin):
    with pytest.raises(RecipeError, match=r"task.name is 'some_plugin:Ranking'.*add --trust \(in Python: trust=True\)"):
        find("some_plugin:Ranking", TABLE, where="task.name", trust=False)
    assert "some_plugin" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("orderd", "task.name is 'orderd', which is not known. Did you mean 'ordered'? Known: ordered, counter"),
        ("rankin", "Did you mean 'ranking'? Known: ordered, counter, ranking"),
        ("nothing", "One of your own is named 'package.module:Name' and needs --trust"),
        ("collections:OrderDict", "collections has no 'OrderDict'. Did you mean 'OrderedDict'?"),
        ("no_such_module:Name", "no_such_module cannot be imported: No module named 'no_such_module'"),
        ("collections:", "collections has no ''"),
    ],
)
def test_a_name_that_leads_nowhere_is_explained(plugin, name, message):
    with pytest.raises(RecipeError) as caught:
        find(name, TABLE, where="task.name", trust=True, group="hfft.tasks")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", [":Name", ".module:Name"])
def test_a_path_without_a_whole_module_is_explained(name):
    with pytest.raises(RecipeError, match=r"task\.name"):
        find(name, TABLE, where="task.name", trust=True)


def test_a_broken_entry_point_is_explained(plugin):
    with pytest.raises(RecipeError, match="some_plugin"):
        find("broken", TABLE, where="task.name", trust=False, group="hfft.tasks")


def test_where_there_is_no_table_no_names_are_listed():
    with pytest.raises(RecipeError) as caught:
        find("accuracy", {}, where="eval.metrics", trust=True)
    assert "Known: ." not in str(caught.value)


def test_require_names_the_line_that_installs_what_is_missing():
    require("json", "extra", "Reading")
    with pytest.raises(
        SetupError, match=r"Reading images needs the package 'no_such_module': pip install 'hfft\[image\]'"
    ):
        require("no_such_module", "image", "Reading images")
