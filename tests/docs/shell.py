"""Runs the commands of a page: hfft's own in this process, launchers by what they are asked, the rest by name."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser

import hfft
from hfft.cli import app, main
from tests.docs.blocks import ROOT, Block
from tests.docs.world import World
from tests.unit.hub.door import Door

ASSIGNMENT = re.compile(r"(\w+)=(.*)")
DATA_FILE = re.compile(r"[\w./-]+\.(csv|tsv|jsonl|parquet|txt|jpg|png)")
NOT_RUN = {
    "pip": "it installs; that the extras it names exist is checked",
    "make": "it sets up or tests everything; that the target exists is checked",
    "hf": "it asks for a token of the real Hub",
}
"""What is not run, and why. Launchers run once (`REAL`); else their arguments are read by themselves and by hfft: two
processes take twenty seconds, and tests/laws launches accelerate_configs/cpu_2proc.yaml."""
CPU_BUILD = ["torch", "--index-url", "https://download.pytorch.org/whl/cpu"]
"""As PyTorch says how to install it for CPUs."""
REAL = "accelerate_configs/cpu.yaml -m hfft.run tickets.yaml"


@dataclass
class Shell:
    """A page's workspace, and what its last command printed.

    Attributes:
        world: What stands in for models, data and runs.
        folder: The workspace.
        door: Gives a process in the workspace for which the Hub is a server on loopback.
        said: What the last command printed, on both channels.
    """

    world: World
    folder: Path
    door: Callable[[], Door]
    said: str = ""

    def run(self, block: Block) -> None:
        """Runs a block, command by command: each ends with 0, but the last of one that `fails`, which ends with 2."""
        all_of_it = list(commands(block.text))
        for number, command in enumerate(all_of_it, 1):
            if not command.startswith("hfft init"):  # which writes what it names
                self.world.provide(command, self.folder)
            words = shlex.split(self.world.small(command), comments=True)
            given = {}
            while words and (found := ASSIGNMENT.fullmatch(words[0])):
                given[found[1]] = found[2]
                words = words[1:]
            with pytest.MonkeyPatch.context() as patch:
                for name, value in given.items():
                    patch.setenv(name, value)
                code = self._one(words)
            assert code == (2 if block.note == "fails" and number == len(all_of_it) else 0), self.said

    def _one(self, words: list[str]) -> int:
        if words[:1] == ["hfft"]:
            return self._hfft(words[1:])
        if words[:3] == ["python", "-m", "hfft.run"]:
            return self._hfft(["train", *words[3:]])
        if words[:2] == ["accelerate", "launch"]:
            return self._accelerate(words[2:])
        check = {"torchrun": torchrun, "pip": pip, "make": make, "hf": hf}.get(words[0])
        assert check is not None, f"no test knows how to run {shlex.join(words)}"
        check(words[1:])
        return 0

    def _hfft(self, words: list[str]) -> int:
        if words[0] in ("predict", "evaluate"):
            for word in words[2:]:
                if DATA_FILE.fullmatch(word) and words[words.index(word) - 1] not in ("--output", "--predictions"):
                    self.world.write_input(words[1], word, self.folder)
        if self._wants_the_hub(words):
            answer = self.door().ask(*words)
            self.said = answer.out + answer.err
            return answer.code
        quick = self.world.overrides(words[1], self.folder) if words[0] in ("train", "plan", "sweep") else []
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), pytest.raises(SystemExit) as stop:
            main([*words, *quick])
        self.said = out.getvalue()
        if words[0] == "init":  # which may propose a model
            recipe = self.folder / words[words.index("--output") + 1]
            recipe.write_text(self.world.small(recipe.read_text("utf-8")), "utf-8")
        return int(stop.value.code or 0)

    def _wants_the_hub(self, words: list[str]) -> bool:
        """Whether a command speaks with the Hub; its client reads where that is when it is imported."""
        if words[0] in ("push", "pull") or any(word.startswith("hf://") for word in words):
            return True
        return words[0] == "train" and hfft.Recipe.load(words[1]).publish.to is not None

    def _accelerate(self, words: list[str]) -> int:
        asked = launch_command_parser().parse_args(words)
        if asked.config_file is not None:
            load_config_from_file(asked.config_file)
        assert asked.module
        assert asked.training_script == "hfft.run"
        training = list(asked.training_script_args)
        if REAL in shlex.join(words):
            return self._really(["accelerate.commands.launch", *words, *self.world.overrides(training[0], self.folder)])
        read_training(training)
        return 0

    def _really(self, words: list[str]) -> int:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=self.folder, env=environment, capture_output=True, text=True
        )
        self.said = done.stdout + done.stderr
        return done.returncode


def commands(text: str) -> Iterator[str]:
    """The commands of a block, those over several lines joined."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def read_training(words: list[str]) -> None:
    """Reads the arguments of a training as `hfft train` does, and its recipe, and trains nothing."""
    command: Any = typer.main.get_command(app)
    asked = command.commands["train"].make_context("train", list(words)).params
    hfft.Recipe.load(asked["recipe"], *(asked["overrides"] or []))


def torchrun(words: list[str]) -> None:
    from torch.distributed.run import parse_args

    asked = parse_args(words)
    assert asked.module
    assert asked.training_script == "hfft.run"
    read_training(asked.training_script_args)


def pip(words: list[str]) -> None:
    assert words[0] == "install"
    if words[1:] == CPU_BUILD:
        return
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for word in words[1:]:
        name, _, extra = word.rstrip("]").partition("[")
        assert name in (".", "hfft") or word in (ROOT / "Makefile").read_text("utf-8")
        assert not extra or extra in extras


def make(words: list[str]) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert words[0] in targets


def hf(words: list[str]) -> None:
    assert words == ["auth", "login"]
