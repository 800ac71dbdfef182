"""What users are told where the Hub does not answer, or does not let them read: one line, soon, and no token in it.

The libraries read their settings when they are imported, so what is tried here runs in processes of its own: one that
is asked for many plans, at whose address of the Hub there is one or none; and the command line itself.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import hfft
from tests.tiny import labelled_texts, write_csv

ROOT = Path(__file__).resolve().parents[3]
RECIPES = {file.stem: hfft.Recipe.load(file) for file in sorted((ROOT / "recipes").glob("*.yaml"))}
TOKEN = "hf_thisIsNoTokenOfAnyone"
LOG_IN = "`hf auth login` or set HF_TOKEN"
PLAN_EACH = """
import contextlib, io, json, os, sys
import hfft.api
from hfft.cli import main

for line in sys.stdin:
    if os.fork():  # each line is for a process of its own, which remembers whether it has reached the Hub
        os.wait()
        continue
    for arguments in json.loads(line):
        out, err = io.StringIO(), io.StringIO()
        code = None
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(["plan", *arguments])
            except SystemExit as end:
                code = end.code
        sys.__stdout__.write(json.dumps([code, out.getvalue(), err.getvalue()]) + "\\n")
    sys.__stdout__.flush()
    os._exit(0)
"""

REFUSALS: dict[str, tuple[int, dict[str, str]]] = {
    "private": (401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Invalid username or password."}),
    "missing": (404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}),
    "gated": (401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."}),
    "unanswered": (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "You are not in the authorized list."}),
    "forbidden": (403, {"X-Error-Message": "Your token does not allow this."}),
    "expired": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
}
"""How the Hub answers by the owner of what is asked for: status and headers."""


class Refusing(BaseHTTPRequestHandler):
    """A Hub that is there, and refuses all that is asked."""

    def do_HEAD(self) -> None:
        owner = next((part for part in self.path.split("/") if part in REFUSALS), None)
        status, headers = REFUSALS[owner] if owner else (200, {})
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_POST = do_HEAD

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the screen."""


@dataclass(frozen=True)
class Planning:
    """A process that makes plans, for which the Hub is at a port of this machine; what it prints of errors."""

    process: subprocess.Popen[str]
    port: int
    errors: Path

    def messages(self, plans: list[list[str]]) -> list[str]:
        """The messages of `hfft plan`; each ends with code 2 and says one line."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        found = []
        self.process.stdin.write(json.dumps(plans) + "\n")
        self.process.stdin.flush()
        for _ in plans:
            code, out, err = json.loads(self.process.stdout.readline())
            assert (code, out) == (2, ""), err
            assert err.startswith("Error: ")
            assert err.count("\n") == 1
            found.append(err)
        assert not self.errors.read_text("utf-8")
        return found


@pytest.fixture(scope="module")
def planning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planning]:
    folder = tmp_path_factory.mktemp("planning")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        open(folder / "errors", "w", encoding="utf-8") as errors,
        subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning:__main__", "-c", PLAN_EACH],  # it forks beside threads
            env=environment(f"http://127.0.0.1:{port}", folder),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        yield Planning(process, port, folder / "errors")


@pytest.fixture
def refusing_hub(planning: Planning) -> Iterator[None]:
    """A Hub that refuses, where the process looks for it."""
    with ThreadingHTTPServer(("127.0.0.1", planning.port), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.fixture
def silent_hub() -> Iterator[str]:
    """An address that takes a connection and never says a word, as where a firewall swallows packets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def local(tmp_path: Path) -> list[str]:
    """Overrides for data that needs no Hub."""
    for split, seed in (("train", 0), ("eval", 1)):
        write_csv(tmp_path / f"{split}.csv", labelled_texts(20, seed))
    files = {split: str(tmp_path / f"{split}.csv") for split in ("train", "eval")}
    return [f"data={json.dumps({'files': files})}", "task={name: text-classification}"]


def test_every_recipe_says_in_one_line_that_the_hub_is_out_of_reach(planning, local):
    plans = [[str(ROOT / "recipes" / f"{name}.yaml")] for name in RECIPES]
    models = {recipe.model.shown: name for name, recipe in RECIPES.items() if recipe.data.hub is not None}
    plans += [[str(ROOT / "recipes" / f"{name}.yaml"), *local] for name in models.values()]
    answers = planning.messages(plans)
    for recipe, message in zip(RECIPES.values(), answers, strict=False):
        if recipe.data.hub is not None:
            assert f"data.hub is '{recipe.data.hub}', but the Hub cannot be reached" in message
            assert "give local files (data.files)" in message
        else:
            assert "data.files.train" in message
            assert f"There is no folder {recipe.data.root}; data.root says where the files lie" in message
    for model, message in zip(models, answers[len(RECIPES) :], strict=True):
        assert f"model is '{model}'. Tried: " in message
        assert "the Hub, which cannot be reached. Give a local folder" in message


def test_a_hub_that_swallows_what_it_is_asked_is_out_of_reach_too(tmp_path, silent_hub):
    """Through the command line itself: the Hub is asked once, and waited for five seconds."""
    command = [sys.executable, "-m", "hfft.cli", "plan", str(ROOT / "recipes" / "bert_sst2.yaml")]
    settings = environment(silent_hub, tmp_path)
    done = subprocess.run(command, env=settings, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: data.hub is 'nyu-mll/glue', but the Hub cannot be reached")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("refusing_hub")
def test_what_may_not_be_read_is_said_with_how_to_log_in(planning, local):
    recipe = str(ROOT / "recipes" / "bert_sst2.yaml")
    plans = [[recipe, f"model={owner}/it", *local] for owner in REFUSALS]
    plans += [[recipe, f"data={{hub: {owner}/it, eval: validation}}"] for owner in REFUSALS]
    for arguments, message in zip(plans, planning.messages(plans), strict=True):
        assert "private or gated" in message
        assert LOG_IN in message
        assert arguments[1].partition("/")[0].split("=")[-1].removeprefix("{hub: ") in message
        assert TOKEN not in message
        assert "token=" not in message  # which a recipe has nowhere to put


def environment(endpoint: str, folder: Path) -> dict[str, str]:
    """A machine that knows the Hub under an address, with a token and nothing in its cache."""
    hub = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(folder / "home"), "HF_TOKEN": TOKEN}
    return {**os.environ, **hub, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
