"""What the command line writes into pipes and files is UTF-8, on Windows too, whose code page lacks most letters."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.tiny import write_csv


def test_letters_of_any_script_go_into_a_pipe(tmp_path):
    write_csv(tmp_path / "train.csv", [{"text": "Привет 中文", "label": ("да", "нет")[row % 2]} for row in range(8)])
    asked = ["init", "--data", "train.csv", "--yes", "--output", "recipe.yaml"]
    done = subprocess.run(
        [sys.executable, "-m", "hfft.cli", *asked],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},  # as Windows has it in Western Europe
        cwd=tmp_path,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert "нет" in done.stdout.decode("utf-8")
