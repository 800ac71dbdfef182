"""Every fenced block of the README and the pages of docs/ is run, or checked as what it is.

A page's blocks share a workspace, in their order. `bash` blocks are run command by command (`bash fails`: the last one
ends with 2); `python` blocks too, and each `def test_...` in them is called; `yaml` blocks that begin with the name of
a file are recipes; `text output` is what the command before printed, numbers and labels aside, or, where the models
are not in it, `text output exactly`; `text files` is a run folder; `json NAME` are rows for NAME.yaml. Models, data and
finished runs that a page names are tiny stand-ins (world.py).
"""

from __future__ import annotations

import contextlib
import inspect
import io
import math
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import hfft
from hfft.io.run_folder import RunFolder
from hfft.recipe.recipe import differences
from hfft.tasks import find_task
from tests.docs.blocks import PAGES, ROOT, Block, blocks_of
from tests.docs.shell import NOT_RUN, Shell
from tests.docs.world import World
from tests.product import first_of_all

NUMBER = re.compile(r"([=<] )?[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?%?")
VERDICT = re.compile(r" is (?:better: \S+ \+|worse: \S+ -)|: no difference that these \d+ examples can show: \S+ [+-]")
COMPARED = re.compile(r"\S+ +(0\.\d+) +(0\.\d+) +([+-]\d\.\d+) +([+-]\d\.\d+) to ([+-]\d\.\d+) ")
OPTIONAL = {"adapter": "with an adapter", "track": "with a tracker"}
"""Of the files of a run folder those that not every run has, and when it does."""
LABELS = re.compile(
    r"\b(lights|thermostat|music|volume|timer|alarm|weather|shopping_list|reminder|lock|vacuum|camera|good|bad|odd)\b"
)
WITH_BLOCKS = {page.stem: page for page in PAGES if any(blocks_of(page))}
READ_HERE = {"README", "first_recipe", "own_task", "command_line", "resuming", "extending"}
"""The pages that a newcomer reads: what every run tries."""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def shell(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Shell]:
    folder = tmp_path / "workspace"
    folder.mkdir()
    world.furnish(folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COLUMNS", raising=False)  # of the terminal that the tests run in
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield Shell(world, folder, lambda: replace(request.getfixturevalue("cli"), folder=folder))
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning")  # Marian's; it is optional
@pytest.mark.parametrize("stem", first_of_all([*WITH_BLOCKS], READ_HERE))
def test_what_a_page_shows_is_so(shell: Shell, stem: str, tmp_path: Path):
    page = WITH_BLOCKS[stem]
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
        check_output(block.text, shell.world.as_written(shell.said), masked)
    elif kind == ("text", "output exactly"):
        check_output(block.text, shell.world.as_written(shell.said), str.rstrip)
    elif kind == ("text", "files"):
        shell.world.provide("runs/tickets", shell.folder)
        check_files(block.text, shell.folder / "runs" / "tickets")
    elif kind == ("toml", ""):
        assert set(tomllib.loads(block.text)["project"]["entry-points"]) == {"hfft.tasks"}
    elif block.language == "json" and block.note:
        check_rows(block, shell)
    else:
        pytest.fail(f"{block.place}: say what this block is: bash, python, yaml, json, toml, text output or text files")


def run_python(block: Block, shell: Shell, names: dict[str, Any], place: Path) -> None:
    shell.world.provide(block.text, shell.folder)
    text = shell.world.small(block.text)
    if block.file:
        Path(block.file).write_text(text, "utf-8")
    if ".push(" in text:
        assert shell.door().run(text).code == 0
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


def check_rows(block: Block, shell: Shell) -> None:
    """Checks that the recipe that a block of JSON rows is for reads them, beside rows of its own."""
    shell.world.provide(f"{block.note}.yaml", shell.folder)
    own = (hfft.Recipe.load(f"{block.note}.yaml").data.files or {})["train"]
    Path("shown.jsonl").write_text(block.text, "utf-8")
    made = (hfft.Recipe.load(f"{block.note}.yaml", *more) for more in ([], [f"data.files.train=[{own}, shown.jsonl]"]))
    without, read = (sum(part["rows"] for part in hfft.plan(recipe).splits.values()) for recipe in made)
    assert read == without + len(block.text.splitlines())


def check_output(expected: str, said: str, masked: Callable[[str], str]) -> None:
    """Checks that all lines stand in what was said, in their order; `...` stands for others, or the rest of a line."""
    for text in (expected, said):
        check_differences(text)
    lines = iter([masked(line) for line in said.splitlines()])
    for line in expected.splitlines():
        wanted = masked(line.removesuffix("..."))
        cut = line.endswith("...")
        found = any(line.startswith(wanted) if cut else line == wanted for line in lines) if wanted else True
        assert found, f"not printed, or not in this order: {line}\n{said}"


def masked(line: str) -> str:
    """A line without what a tiny model answers otherwise: numbers, labels, verdicts that go with their sign."""
    return " ".join(LABELS.sub("LABEL", NUMBER.sub("#", VERDICT.sub(" VERDICT #", line))).split())


def check_differences(text: str) -> None:
    """Checks that each row of a table of differences adds up, and that verdicts are told of what stands in it."""
    rows = [[float(value) for value in found] for found in COMPARED.findall(text)]
    for first, second, difference, low, high in rows:
        assert math.isclose(second - first, difference, abs_tol=1.5e-4)
        assert low <= difference <= high
    for verdict, value in re.findall(r" is (worse|better): \S+ ([+-]\d\.\d+) ", text):
        assert float(value) in [difference for *_, difference, _, _ in rows]
        assert verdict == ("better" if float(value) > 0 else "worse")


def check_files(text: str, run: Path) -> None:
    """Checks that what is listed below a run folder is what a run has, no less and no more."""
    listed = {line.split()[0] for line in text.splitlines()[1:]}
    there = {f"{path.name}/" if path.is_dir() else path.name for path in run.iterdir() if path.name[0] != "."}
    known = vars(RunFolder(run))
    optional = {f"{known[name].name}/" for name in OPTIONAL}
    assert there - listed == set()
    assert listed - there <= optional <= listed
    named = re.findall(r"^  predictions/ +(\w+\.jsonl), (\w+\.jsonl):", text, re.MULTILINE)
    assert {path.name for path in (run / "predictions").iterdir()} == set(*named)


def test_what_the_first_recipe_says_in_words_is_what_it_shows():
    text = (ROOT / "docs" / "first_recipe.md").read_text("utf-8")
    scores = re.findall(r"^test accuracy (0\.\d+) \((0\.\d+) to (0\.\d+)\)", text, re.MULTILINE)
    said = re.findall(r"once, at the end: (\d+) % .* (\d+) to (\d+) %\.", text)
    assert [tuple(f"{float(share):.0%}".rstrip("%") for share in shares) for shares in scores] == said
    (full,), (head,) = (
        re.findall(r"^accuracy +(0\.\d+) ", text, re.M),
        re.findall(r"^accuracy +0\.\d+ +(0\.\d+)", text, re.M),
    )
    assert full == scores[0][0]
    assert float(head) < float(full)  # "It would not"
    assert "requests-head is worse" in text


def test_everything_that_is_not_run_stands_on_some_page():
    said = "\n".join(block.text for page in PAGES for block in blocks_of(page) if block.language == "bash")
    assert {word for word in NOT_RUN if re.search(rf"^{word} ", said, re.MULTILINE)} == set(NOT_RUN)


def test_every_page_stands_in_the_map():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index, f"{page.name} is missing in docs/index.md"
