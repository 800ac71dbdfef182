"""A process that is hfft at work: commands go in one by one, and what they say comes out.

The client of the Hub reads its settings when it is imported, so it wants a process of its own; one for many commands,
for each would spend seconds on imports.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LOOP = """
import contextlib, io, json, os, sys, time, types
out = sys.stdout
import torch
torch.set_num_threads(1)
from hfft.cli import main
from huggingface_hub import file_download
from huggingface_hub.utils import _http

_http.time = file_download.time = types.SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})
home = os.getcwd()
for line in sys.stdin:
    asked = json.loads(line)
    said, errors, code = io.StringIO(), io.StringIO(), None
    os.chdir(asked["folder"] or home)
    os.environ.update(asked["settings"])
    for name, value in asked["settings"].items():
        if value == "":
            del os.environ[name]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        try:
            if asked["code"] is not None:
                exec(asked["code"], {})
            else:
                main(asked["arguments"])
        except SystemExit as end:
            code = end.code
    out.write(json.dumps([code or 0, said.getvalue(), errors.getvalue()]) + "\\n")
    out.flush()
"""
"""Takes a line of JSON for each command. The client's waits between its retries are left out: they last 23 seconds."""


@dataclass(frozen=True)
class Said:
    """What a command said: its exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Door:
    """The process, which works in its own folder or in another one."""

    process: subprocess.Popen[str]
    folder: Path | None = None

    def ask(self, *arguments: str | Path, settings: Mapping[str, str] | None = None) -> Said:
        """Runs `hfft ARGUMENTS`; settings of the environment stay, and an empty one is unset."""
        return self._send({"arguments": [str(argument) for argument in arguments], "code": None}, settings)

    def run(self, code: str) -> Said:
        """Runs Python code."""
        return self._send({"arguments": [], "code": code}, None)

    def _send(self, asked: dict[str, object], settings: Mapping[str, str] | None) -> Said:
        put, got = _pipes(self.process)
        folder = None if self.folder is None else str(self.folder)
        put.write(json.dumps({**asked, "folder": folder, "settings": dict(settings or {})}) + "\n")
        put.flush()
        line = got.readline()
        assert line, "the process ended"
        return Said(*json.loads(line))


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


@contextmanager
def door(environment: Mapping[str, str], folder: Path) -> Iterator[Door]:
    """Opens the process in a folder."""
    command = [sys.executable, "-W", "error::UserWarning:huggingface_hub", "-c", LOOP]
    with subprocess.Popen(
        command, env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Door(process)
        finally:
            process.kill()  # there is nothing that it has to bring to an end
