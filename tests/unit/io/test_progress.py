"""Progress: on standard error alone, live where somebody watches, a line now and then elsewhere, else nothing."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import nbformat
import pytest
from nbclient import NotebookClient

import hfft
from hfft.io.progress import progress, progress_shown


@pytest.fixture
def at_once(monkeypatch):
    """Nothing is too short to be shown."""
    monkeypatch.setattr("hfft.io.progress.BEGINNING", 0.0)
    monkeypatch.setattr("hfft.io.progress.BETWEEN", 0.0)


def test_answers_and_scores_tell_how_far_they_are_on_standard_error_alone(tiny, run_of, at_once, capsys):
    recipe = tiny("text-classification")
    run = run_of(recipe, "train.epochs=1")
    hfft.predict(run, ["w1 w2", "w3", "w4 w5 w6"], batch_size=1)
    said = capsys.readouterr()
    assert said.out == ""
    assert [re.sub(r"\d+:\d\d:\d\d", "TIME", line) for line in said.err.splitlines()] == [
        f"Answering: {done} of 3 batches, TIME left" for done in (1, 2)
    ]
    hfft.load(run, batch_size=1).evaluate([{"text": "w1", "label": "good"}, {"text": "w2 w3", "label": "bad"}])
    said = capsys.readouterr()
    assert (said.out, said.err.startswith("Answering: 1 of 2 batches, 0:00:0")) == ("", True)


def test_a_cache_that_is_built_tells_how_far_it_is_unless_all_is_quiet(tiny, tmp_path, at_once, capsys, monkeypatch):
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "one"))
    hfft.plan(tiny("image-classification"))
    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(r"^Looking at images: 1 of \d+ images, \d:\d\d:\d\d left$", said.err, re.MULTILINE)
    monkeypatch.setenv("HFFT_CACHE", str(tmp_path / "other"))
    hfft.train(tiny("image-classification"), tmp_path / "run", quiet=True)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_short_work_shows_nothing(capsys):
    with progress_shown(True), progress("Counting") as tell:
        for done in range(5):
            tell(done, 5)
    assert capsys.readouterr() == ("", "")


WATCHED = """
from hfft.io import progress as module
module.BEGINNING = 0.0
module.REFRESH = 0.0
with module.progress_shown(True), module.progress("Counting", "sheep") as tell:
    for done in range(4):
        tell(done, 4)
        print("answer", done)
"""


def test_a_terminal_has_a_bar_that_goes_in_the_end(tmp_path):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        [sys.executable, "-c", WATCHED], stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True
    ) as process:
        os.close(theirs)
        answers, shown = process.communicate(timeout=120)[0], b""
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:  # so Linux says that the other end is closed
                break
            if not read:
                break
            shown += read
    os.close(ours)
    assert answers == "".join(f"answer {number}\n" for number in range(4))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "Counting: 1 of 4 sheep, 0:00:00 left ━" in plain
    assert shown.decode().rstrip("\r").endswith("\x1b[2K")  # the line is empty again
    assert "answer" not in plain


NOTEBOOK = """
import hfft
from hfft.io import progress as module
module.BEGINNING = module.REFRESH = 0.0
result = hfft.train({recipe}, {output})
answers = hfft.predict({output}, ["w1", "w2 w3"], batch_size=1)
"""


def test_a_notebook_has_a_bar_of_html(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    seen: list[str] = []

    class Client(NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] in ("display_data", "update_display_data"):
                seen.append(msg["content"]["data"].get("text/html", ""))
            return super().process_message(msg, cell, cell_index)

    values = {
        "recipe": json.dumps({"name": "tiny", **tiny("text-classification")}),
        "output": repr(str(tmp_path / "run")),
    }
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK.format(**values))])
    Client(notebook, timeout=300, kernel_name="python3").execute()
    steps = [page for page in seen if "<progress" in page and "step " in page]
    assert 'value="24" max="24"' in steps[-1]
    assert "step 24/24" in steps[-1]
    left = [output["data"].get("text/html", "") for output in notebook.cells[0].outputs if "data" in output]
    assert set(left) == {""}  # all bars have gone
