"""The house: how many rooms it has, how large its files are, and that no two files import each other."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "hfft").rglob("*.py"))
LOOSE, FOLDERS, LAYERS, LINES = 7, 12, 9, 420


def module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(file: Path, known: set[str]) -> Iterator[str]:
    """The files of hfft that a file imports anywhere: at its top, inside functions, for type checkers alone."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("hfft"):
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from inside & known or {node.module}
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & known


def test_few_modules_are_loose_and_few_folders_hold_the_rest():
    assert len(list((ROOT / "hfft").glob("*.py"))) <= LOOSE
    assert len({file.relative_to(ROOT).parts[1] for file in FILES if len(file.relative_to(ROOT).parts) > 2}) <= FOLDERS


def test_there_are_few_layers():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert len(layers) <= LAYERS
    assert not any("ignore_imports" in contract for contract in contracts)


@pytest.mark.parametrize("file", FILES, ids=module)
def test_a_file_can_be_read_at_one_go(file):
    assert len(file.read_text("utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("name", ["hfft.reports.facts", "hfft.recipe", "hfft.cli"])
def test_what_needs_no_model_loads_none_of_what_models_need(name):
    heavy = ("torch", "datasets", "transformers", "accelerate", "peft", "hfft.training.loop", "hfft.workflows.build")
    code = f"import sys, {name}; print(*(module for module in {heavy} if module in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not done.stdout.strip()


def test_no_files_import_each_other():
    known = {module(file) for file in FILES}
    graph = {module(file): set(imported(file, known)) - {module(file)} for file in FILES}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the files
