"""Every fenced block of the README and the pages of docs/ is run, or checked as what it is.

A page's blocks share a workspace, in their order. `bash` blocks are run command by command (`bash fails`: the last one
ends with 2); `python` blocks too, and each `def test_...` in them is called; `yaml` blocks that begin with the name of
a file are recipes; `text output` is what the command before printed, numbers and labels aside; `text files` is a run
folder. Models, data and finished runs that a page names are tiny stand-ins (world.py).
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import hfft
from hfft.folder import RunFolder
from hfft.recipe import differences
from hfft.tasks import find_task
from tests.docs.blocks import PAGES, ROOT, Block, blocks_of
from tests.docs.shell import NOT_RUN, Shell
from tests.docs.world import World

NUMBER = re.compile(r"([=<] )?[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?%?")
VERDICTS = re.compile(r" is (worse|better):|: no difference that these # examples can show:")
LABELS = re.compile(
    r"\b(lights|thermostat|music|volume|timer|alarm|weather|shopping_list|reminder|lock|vacuum|camera|good|bad|odd)\b"
)
WITH_BLOCKS = [page for page in PAGES if any(blocks_of(page))]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def shell(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    folder = tmp_path / "workspace"
    folder.mkdir()
    world.furnish(folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COLUMNS", raising=False)  # of the terminal that the tests run in
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    with contextlib.ExitStack() as stack:
        yield Shell(world, folder, stack)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning")  # Marian's; it is optional
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.stem)
def test_what_a_page_shows_is_so(shell: Shell, page: Path, tmp_path: Path):
    names: dict[str, Any] = {}
    for block in blocks_of(page):
        try:
            check(block, shell, names, tmp_path)
        except BaseException as error:
            error.add_note(f"{block.place}:\n{block.text}\nThe last command printed:\n{shell.said}")
            raise


def check(block: Block, shell: Shell, names: dict[str, Any], place: Path) -> None:
    kind = (block.language, block.note)
    if block.language == "bash":
        shell.run(block)
    elif kind == ("python", ""):
        run_python(block, shell, names, place)
    elif kind == ("yaml", ""):
        check_yaml(block, shell)
    elif kind == ("text", "output"):
        check_output(block.text, shell.world.as_written(shell.said))
    elif kind == ("text", "files"):
        check_files(block.text)
    elif kind == ("toml", ""):
        assert tomllib.loads(block.text)
    elif kind == ("json", ""):
        assert all(json.loads(line) for line in block.text.splitlines())
    else:
        pytest.fail(f"{block.place}: say what this block is: bash, python, yaml, json, toml, text output or text files")


def run_python(block: Block, shell: Shell, names: dict[str, Any], place: Path) -> None:
    shell.world.provide(block.text, shell.folder)
    text = shell.world.small(block.text)
    if block.file:
        Path(block.file).write_text(text, "utf-8")
    if ".push(" in text:
        assert shell.door.run(text).code == 0
        return
    made = {**names}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, block.place, "exec"), made)
        for name, value in made.items():
            if name.startswith("test_") and inspect.isfunction(value):
                value(place)
    shell.said = out.getvalue()
    names.update({name: value for name, value in made.items() if not name.startswith("test_")})


def check_yaml(block: Block, shell: Shell) -> None:
    text = shell.world.small(block.text)
    if block.file and (shell.folder / block.file).exists():  # a command wrote it
        recipe = hfft.Recipe.load(shell.folder / block.file)
        shown = hfft.Recipe.from_dict({"name": recipe.name, **yaml.safe_load(text)})
        assert differences(shown, recipe) == []
    elif block.file:
        recipe = shell.world.write_recipe(block.file.removesuffix(".yaml"), shell.folder)
    else:  # a part of one
        base = {"data": {"files": {"train": "train.csv"}}, "model": "model", "task": {"name": "text-classification"}}
        recipe = hfft.Recipe.from_dict({**base, **yaml.safe_load(text)})
    recipe.task_options(find_task(recipe.task.name, trust=True).Options)


def check_output(expected: str, said: str) -> None:
    """Checks that all lines stand in what was said, in their order; `...` stands for others, or the rest of a line."""
    lines = iter([masked(line) for line in said.splitlines()])
    for line in expected.splitlines():
        wanted = masked(line.removesuffix("..."))
        cut = line.endswith("...")
        found = any(line.startswith(wanted) if cut else line == wanted for line in lines) if wanted else True
        assert found, f"not printed, or not in this order: {line}\n{said}"


def masked(line: str) -> str:
    """A line without what a tiny model answers otherwise: numbers, labels, verdicts."""
    return " ".join(VERDICTS.sub(" VERDICT", LABELS.sub("LABEL", NUMBER.sub("#", line))).split())


def check_files(text: str) -> None:
    """Checks that what is listed below a run folder is what a run folder has."""
    folder = RunFolder(Path("run"))
    parts = {value.name for value in vars(folder).values() if isinstance(value, Path)} | {"predictions"}
    listed = [line.split()[0].rstrip("/") for line in text.splitlines()[1:]]
    assert listed
    assert set(listed) <= parts


def test_everything_that_is_not_run_stands_on_some_page():
    said = "\n".join(block.text for page in PAGES for block in blocks_of(page) if block.language == "bash")
    assert {word for word in NOT_RUN if re.search(rf"^{word} ", said, re.MULTILINE)} == set(NOT_RUN)


def test_every_page_stands_in_the_map():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index, f"{page.name} is missing in docs/index.md"
