"""How commands end: quietly where nobody reads on, and without a last look through all objects."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PRINTING = """
import sys
from hfft.cli import app, main
@app.command("print")
def many():
    {how}
main(["print"])
"""

HOWS = [
    "sys.stdout.write('a line' * 100_000 + chr(10))",
    "sys.stdout.write('a short line' + chr(10))",  # it is written as the process ends
    "from hfft.io.console import Console; Console().say('a line')",
]


@pytest.mark.parametrize("how", HOWS)
def test_nobody_reads_on(how):
    with subprocess.Popen(
        [sys.executable, "-c", PRINTING.format(how=how)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 128 + signal.SIGPIPE


def test_answers_go_where_they_are_read_and_the_rest_elsewhere(tiny, run_of):
    run = run_of(tiny("text-classification"), "train.epochs=1")
    lines = "".join(f"w{number % 7} w{number % 5}\n" for number in range(50))
    command = [sys.executable, "-m", "hfft.cli", "predict", str(run), "-"]
    found = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=240, check=True)
    answers = [line.split("\t") for line in found.stdout.splitlines()]
    assert [answer[2] for answer in answers] == lines.splitlines()
    assert {answer[0] for answer in answers} <= {"good", "bad"}
    assert found.stderr.startswith("50 rows in ")


ENDING = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count() > 10_000))  # the last to be called
from hfft.cli import main
main(["tasks", "text-classification"])
"""


def test_the_end_of_the_process_looks_through_no_objects():
    found = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=240, check=True)
    assert found.stdout.splitlines()[-1] == "True"
