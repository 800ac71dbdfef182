"""Seconds to the first step, and memory, for tables of ten thousand to ten million rows.

`PYTHONPATH=. python benchmarks/data_scale.py --folder DIR --trainer` writes parquet files of short texts with labels,
trains a tiny BERT on each for a step, and prints a table in Markdown. The model is so small that data is all there is
to wait for. Every training is a process of its own with empty caches. Its memory is read from /proc (Linux): pages of
mapped files, which the system takes back when others need them, are told apart from those that only the process has.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet
import yaml

from tests.tiny.encoders import bert
from tests.tiny.words import all_words

ROWS = [10_000, 100_000, 1_000_000, 10_000_000]
WRITTEN = 100_000  # rows at once
WORDS = (4, 20)  # in a text: 4 to 19
LABELS = ("billing", "delivery", "refund", "other")
EVAL_ROWS = 1000
BATCH_SIZE = 32
LOOKED = 0.05  # seconds between two looks at a process
MIB = 2**20


@dataclass(frozen=True)
class Measured:
    """A process up to its first step: seconds, and its memory at its largest in bytes."""

    tool: str
    rows: int
    seconds: float
    cpu_seconds: float  # of all its threads: what else runs on the machine counts less
    resident: int  # with the pages of mapped files
    anonymous: int  # without


def write_rows(file: Path, rows: int, seed: int) -> None:
    """Writes short texts with labels, drawn from the words of the tiny tokenizer; few stand twice."""
    draw, words = np.random.default_rng(seed), pyarrow.array(all_words())
    names, compute = pyarrow.array(LABELS), cast(Any, pyarrow.compute)  # whose functions are made as it is imported
    schema = pyarrow.schema({"text": pyarrow.string(), "label": pyarrow.string()})
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for first in range(0, rows, WRITTEN):
            count = min(WRITTEN, rows - first)
            ends = np.concatenate([[0], np.cumsum(draw.integers(*WORDS, count))])
            drawn = words.take(pyarrow.array(draw.integers(0, len(words), ends[-1])))
            texts = compute.binary_join(pyarrow.ListArray.from_arrays(pyarrow.array(ends, "int32"), drawn), " ")
            labels = names.take(pyarrow.array(draw.integers(0, len(names), count)))
            writer.write_table(pyarrow.table({"text": texts, "label": labels}, schema))


def recipe_of(folder: Path, data: Path, holdout: float | None) -> Path:
    """Writes a recipe of one step on the CPU."""
    files = {"train": str(data)} if holdout else {"train": str(data), "eval": str(folder / "eval.parquet")}
    recipe = {
        "task": {"name": "text-classification"},
        "model": {"name": str(folder / "bert")},
        "data": {"files": files, **({"holdout": holdout} if holdout else {})},
        "optim": {"lr": 0.001},
        "train": {"steps": 1, "batch_size": BATCH_SIZE, "log_every": 1},
    }
    file = folder / "scale.yaml"
    file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return file


def train_with_trainer(model: str, data: str, told: Path) -> None:
    """A step of transformers.Trainer on a file, as its users write it; `told` is written behind the step."""
    from datasets import load_dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    class Tell(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            told.write_text("done", encoding="utf-8")

    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = load_dataset("parquet", data_files=data, split="train").class_encode_column("label")
    rows = rows.map(lambda batch: tokenizer(batch["text"], truncation=True), batched=True, remove_columns=["text"])
    arguments = TrainingArguments(
        output_dir=str(told.parent / "trainer"),
        per_device_train_batch_size=BATCH_SIZE,
        max_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
    )
    head = AutoModelForSequenceClassification.from_pretrained(model, num_labels=len(LABELS))
    Trainer(head, arguments, DataCollatorWithPadding(tokenizer), rows, callbacks=[Tell()]).train()


def commands(folder: Path, data: Path, run: Path, holdout: float | None) -> dict[str, tuple[list[str], Path]]:
    """For each tool how it is started, and the file that has something in it behind the first step."""
    told, me = run / "told", [sys.executable, __file__]
    train = ["train", str(recipe_of(folder, data, holdout)), "--output", str(run / "hfft")]
    return {
        "hfft": ([str(Path(sys.executable).with_name("hfft")), *train], run / "hfft" / "metrics.jsonl"),
        "Trainer": ([*me, "--as-trainer", str(folder / "bert"), str(data), str(told)], told),
    }


def measure(tool: str, rows: int, command: Sequence[str], told: Path, run: Path) -> Measured:
    """Runs a command up to its first step."""
    caches = {"HFFT_CACHE": str(run / "tokens"), "HF_DATASETS_CACHE": str(run / "datasets"), "HF_HUB_OFFLINE": "1"}
    began, cpu, anonymous, resident = time.perf_counter(), 0.0, 0, 0
    with (run / "output").open("w") as output:
        process = subprocess.Popen(command, env={**os.environ, **caches}, stdout=output, stderr=output)
        try:
            while process.poll() is None and not (told.exists() and told.stat().st_size):
                held, cpu = memory_of(process.pid), cpu_seconds_of(process.pid)
                anonymous, resident = max(anonymous, held["RssAnon"]), max(resident, held["VmHWM"])
                time.sleep(LOOKED)
            seconds = time.perf_counter() - began
        finally:
            process.terminate()
            process.wait()
    if not told.exists():
        raise SystemExit((run / "output").read_text(encoding="utf-8"))
    return Measured(tool, rows, seconds, cpu, resident, anonymous)


def memory_of(process: int) -> dict[str, int]:
    """What a process holds in bytes: `RssAnon`, its own pages; `VmHWM`, all pages at its largest; 0 once it is gone."""
    lines = (line.split() for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines())
    found = {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines if line[-1] == "kB"}
    return {name: found.get(name, 0) for name in ("RssAnon", "VmHWM")}


def cpu_seconds_of(process: int) -> float:
    """The time that all threads of a process have computed, its own and the system's."""
    behind_name = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, behind_name[11:13])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measures what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/data_scale"), help="for the files; kept")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--holdout", type=float, help="data.holdout; default: a file of rows to score")
    parser.add_argument("--trainer", action="store_true", help="measure transformers.Trainer as well")
    parser.add_argument("--as-trainer", nargs=3, metavar=("MODEL", "DATA", "TOLD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_trainer:
        model, data, told = options.as_trainer
        train_with_trainer(model, data, Path(told))
        return
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    bert(folder / "bert", layers=2)
    write_rows(folder / "eval.parquet", EVAL_ROWS, seed=1)
    print(
        "| tool | rows | seconds to the first step | of CPU | CPU s per million rows | peak RSS, MiB | anonymous, MiB |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for rows in options.rows:
        data, run = folder / f"{rows}.parquet", folder / "run"
        if not data.exists():
            write_rows(data, rows, seed=0)
        for tool in ("hfft", "Trainer") if options.trainer else ("hfft",):
            shutil.rmtree(run, ignore_errors=True)
            run.mkdir()
            print(table_row(measure(tool, rows, *commands(folder, data, run, options.holdout)[tool], run)), flush=True)
    shutil.rmtree(run)


def table_row(one: Measured) -> str:
    """A line of the table."""
    each = one.cpu_seconds / one.rows * 1e6
    memory = f"{one.resident / MIB:,.0f} | {one.anonymous / MIB:,.0f}"
    return f"| {one.tool} | {one.rows:,} | {one.seconds:.1f} | {one.cpu_seconds:.1f} | {each:.1f} | {memory} |"


if __name__ == "__main__":
    main()
