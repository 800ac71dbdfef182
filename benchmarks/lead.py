"""Beside a run's summaries the simplest there are: the first sentence of each source (lead-1), scored the same way.

    python benchmarks/lead.py runs/minilm_scitldr path/to/scitldr/test.jsonl

Prints what `hfft compare` says of the run beside them, paired over the examples.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from pathlib import Path

from hfft.data.files import read_files
from hfft.io.console import Console
from hfft.io.run_folder import RunFolder, write_text
from hfft.recipe import Recipe
from hfft.reports.compare import Comparison, compare
from hfft.reports.compare.show import show
from hfft.reports.predictions import prediction_lines

SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(\"'])")


def lead(text: str) -> str:
    """The first sentence of a text.

    >>> lead("We do it. It works.")
    'We do it.'
    """
    return SENTENCE.split(text.strip(), maxsplit=1)[0]


def beside_lead(run: RunFolder, data: str, place: Path) -> Comparison:
    """The run beside one like it that answers with first sentences, whose folder is made in `place`."""
    source = Recipe.load(run.recipe).task.options["source"]
    texts = read_files([data], ".", "data").rows[source]
    leads = RunFolder(place / "first sentence")
    shutil.copytree(run.path, leads.path, ignore=shutil.ignore_patterns("checkpoints", "seed-*"))
    rows = prediction_lines(run.predictions("test"))
    answers = (json.dumps({**row, "answer": lead(texts[row["id"]])}) + "\n" for _, row in rows)
    write_text(leads.predictions("test"), "".join(answers))
    return compare([leads.path, run.path], "test")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compares a run's summaries with the first sentence of each source.")
    parser.add_argument("run", type=Path, help="the folder of a finished run of summarization")
    parser.add_argument("data", help="the file of its test split")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        show(beside_lead(RunFolder(options.run), options.data, Path(folder)), Console())
