"""Beside a run's summaries the simplest there are: the first sentence of each source (lead-1), scored the same way.

    python benchmarks/lead.py runs/minilm_scitldr path/to/scitldr/test.jsonl

Prints both with intervals, and their difference, paired over the examples.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

import hfft
from hfft.data.files import read_files
from hfft.metrics.generation import generation_scores, generation_weighted
from hfft.metrics.intervals import intervals, percentiles
from hfft.metrics.rouge import NAMES, measure
from hfft.metrics.weighing import resamples

SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(\"'])")
CONFIDENCE = 0.95


def lead(text: str) -> str:
    """The first sentence of a text.

    >>> lead("We do it. It works.")
    'We do it.'
    """
    return SENTENCE.split(text.strip(), maxsplit=1)[0]


def compare(answers: list[str], leads: list[str], truths: list[Any]) -> list[str]:
    """A line for each score of ROUGE: the answers', the leads', and the difference, each with its interval."""
    lines = []
    references = tuple((truth,) if isinstance(truth, str) else tuple(truth) for truth in truths)
    gains = measure(tuple(answers), references)[1] - measure(tuple(leads), references)[1]
    drawn = np.concatenate([counts @ gains / len(gains) for counts in resamples(len(gains))])
    found = [
        (
            generation_scores(texts, truths, ["rouge"]),
            intervals(generation_weighted(texts, truths, ["rouge"]), CONFIDENCE),
        )
        for texts in (answers, leads)
    ]
    for column, name in enumerate(NAMES):
        shown = [f"{scores[name]:.4f} ({bounds[name].low:.4f} to {bounds[name].high:.4f})" for scores, bounds in found]
        low, high = percentiles(drawn[:, column], CONFIDENCE)
        gain = f"{gains[:, column].mean():+.4f} ({low:+.4f} to {high:+.4f})"
        lines.append(f"{name:10} {shown[0]:28} {shown[1]:28} {gain}")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compares a run's summaries with the first sentence of each source.")
    parser.add_argument("run", type=Path, help="the folder of a finished run of summarization")
    parser.add_argument("data", help="the file of its test split")
    arguments = parser.parse_args()
    options = hfft.Recipe.load(arguments.run / "recipe.yaml").task.options
    sources = read_files([arguments.data], ".", "data").rows[options["source"]]
    lines = (arguments.run / "predictions" / "test.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    print(f"{'':10} {'the run':28} {'first sentence':28} difference, paired over {len(rows)} examples")
    leads = [lead(sources[row["id"]]) for row in rows]
    print("\n".join(compare([row["answer"] for row in rows], leads, [row["truth"] for row in rows])))
