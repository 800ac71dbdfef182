"""What the comparisons with transformers.Trainer share: trainings measured one by one, and what they say together.

Every training is a process of its own that leaves a run folder. `hfft evaluate` then scores each of them by the same
lines, in float32 on the CPU, and `hfft compare` says whether the scores differ.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import transformers
import yaml
from accelerate import Accelerator
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModel, AutoProcessor, PrinterCallback, Trainer, TrainingArguments, set_seed

import hfft
from hfft.io.console import quiet_libraries
from hfft.io.run_folder import RunFolder, read_json, write_json, write_text
from hfft.recipe import Recipe
from hfft.reports.compare import compare
from hfft.tasks.scores import headline_metric
from hfft.workflows.build import open_pretrained
from hfft.workflows.environment import describe
from hfft.workflows.resolve import resolve
from hfft.workflows.splits import read_splits

ROOT = Path(__file__).parents[1]
PICTURES = (".png", ".svg")
COLOURS = {"hfft": "#1f6fb4", "Trainer": "#8a8f98"}


@dataclass(frozen=True)
class Times:
    """Seconds: up to the last step, evaluating and saving left out; of the steps alone; of the tool's whole call."""

    seconds: float
    train_seconds: float
    whole_seconds: float  # hfft has then saved a checkpoint and the model, Trainer nothing


@dataclass(frozen=True)
class Tool:
    """A way to train a recipe into a run folder; its settings are those of `Accelerator`, or `TrainingArguments`."""

    name: str
    train: Callable[[Recipe, RunFolder, dict[str, Any]], Times]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """One training, measured and scored. A score is that of `metric`, answers are in the order of the test file."""

    tool: str
    seed: int
    steps: int
    samples: int
    times: Times
    resident_bytes: int  # the process at its largest, up to the end of training
    device_bytes: int | None  # torch.cuda.max_memory_allocated; None on the CPU
    environment: dict[str, Any]
    metric: str
    score: float
    answers: list[Any]

    @property
    def samples_per_second(self) -> float:
        return self.samples / self.times.seconds


@dataclass(frozen=True)
class Comparison:
    """Tools that learn the same with the same seeds, and what is said of them.

    Attributes:
        tools: Those that take turns; the one that begins moves on from seed to seed.
        pairs: Of which names two are compared.
        test: The file in `data.root` that the models are scored on.
        options: As `options_of` gives them.
        runs: Gets a run folder for each tool.
    """

    tools: Sequence[Tool]
    pairs: Sequence[tuple[str, str]]
    test: str
    options: argparse.Namespace
    runs: Path

    def train(self, recipe_of: Callable[[Tool, int], Recipe]) -> list[Outcome]:
        """Trains with each tool and seed, in turn, and checks that the tools did the same amount of the same work."""
        outcomes: list[Outcome] = []
        for place, seed in enumerate(self.options.seeds):
            first = place % len(self.tools)
            for tool in (*self.tools[first:], *self.tools[:first]):
                recipe, folder = recipe_of(tool, seed), RunFolder(self.runs / tool.name).seed(seed)
                recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": seed})})
                outcomes.append(scored(tool, recipe, folder, self.test, apart(measured, tool, recipe, folder)))
                say_and_check(outcomes[-1], outcomes[0])
        for tool in self.tools:
            gather(RunFolder(self.runs / tool.name), self.options.seeds)
        return outcomes

    def report(self, outcomes: Sequence[Outcome], title: str, **more: Any) -> None:
        """Shows what was measured, and writes what was asked for; `more` is for the file."""
        machine, options = outcomes[0].environment, self.options
        device = ", ".join(machine["devices"]) or machine["processor"]
        title = f"{title}\n{device}, {machine['threads']} thread(s)"
        present = {outcome.tool for outcome in outcomes}
        found = [beside(outcomes, *pair, self.runs) for pair in self.pairs if present.issuperset(pair)]
        print(f"\n{title}\n")
        show(outcomes)
        print("", *map(closing_line, found), sep="\n")
        if options.output is not None:
            given = {name: value for name, value in vars(options).items() if not isinstance(value, Path)}
            given["settings"] = {tool.name: tool.settings for tool in self.tools}
            made = [{**asdict(one), "samples_per_second": one.samples_per_second} for one in outcomes]
            everything = {**more, **given, "title": title, "comparisons": found, "runs": made}
            write_text(options.output, json.dumps(everything) + "\n")
        if options.plot is not None:
            draw(outcomes, options.plot, title)


def parser_of(description: str, files: Sequence[str], rows: int | None, epochs: int | None) -> argparse.ArgumentParser:
    """The options that all comparisons have; `files` are those of the data folder, None is the recipe's own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {' and '.join(files)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="each tool trains once with each")
    parser.add_argument("--rows", type=int, default=rows, help="training rows, the first of the file")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--output", type=Path, help="a JSON file for everything, each answer of each training included")
    parser.add_argument("--plot", type=Path, help="a PNG or SVG file for a picture of speed and scores")
    return parser


def parsed(parser: argparse.ArgumentParser, files: Sequence[str]) -> argparse.Namespace:
    """Reads the command line, and makes sure now that what was measured can be written later."""
    options = parser.parse_args()
    require_files(parser, options.data, files)
    if options.plot is not None and options.plot.suffix not in PICTURES:
        parser.error(f"--plot is {options.plot}; its name must end in {' or '.join(PICTURES)}.")
    if options.plot is not None and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib. Install it: pip install 'hfft[bench]'")
    for place in filter(None, (options.output, options.plot)):
        place.parent.mkdir(parents=True, exist_ok=True)
    return options


def require_files(parser: argparse.ArgumentParser, data: Path, files: Sequence[str]) -> None:
    for name in files:
        if not (data / name).is_file():
            parser.error(f"--data is {data}, which has no {name}; it must hold {' and '.join(files)}.")


def recipe_from(name: str, data: Path, *overrides: str) -> Recipe:
    """A recipe of recipes/ on the files of a folder."""
    return Recipe.load(ROOT / "recipes" / name, f"data.root={json.dumps(str(data.absolute()))}", *overrides)


def accelerate_settings(precision: str) -> dict[str, Any]:
    """What accelerate_configs/ says for "bf16" or "fp32" on the CPU, in the words of `Accelerator`."""
    name = "cpu_bf16.yaml" if precision == "bf16" else "cpu.yaml"
    config = yaml.safe_load((ROOT / "accelerate_configs" / name).read_text(encoding="utf-8"))
    return {"mixed_precision": config["mixed_precision"], "cpu": config["use_cpu"]}


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a fresh process and returns what it returns."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def rows_of(recipe: Recipe) -> dict[str, Any]:
    """The rows of a recipe's splits, as hfft reads them."""
    return read_splits(recipe, resolve(recipe, trust=False).task, {}).splits


def with_head(auto_class: Any, recipe: Recipe, labels: Sequence[str]) -> Any:
    """The model of a recipe with a head for these labels, as plain transformers loads it."""
    return auto_class.from_pretrained(
        backbone_of(recipe).place,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        ignore_mismatched_sizes=True,
        dtype=torch.float32,
    )


def as_tuned(model: Any, recipe: Recipe) -> Any:
    """The model with the blocks frozen that a recipe freezes, and with its LoRA, by plain transformers and PEFT."""
    freeze, adapter = recipe.tune.freeze, recipe.tune.adapter
    if freeze is not None and freeze.blocks == "all":
        model.base_model.requires_grad_(False)
    elif freeze is not None:
        for part in (model.base_model.embeddings, *model.base_model.encoder.layer[: freeze.blocks]):
            part.requires_grad_(False)
    if adapter is None:
        return model
    lora = {"r": adapter.rank, "lora_alpha": adapter.alpha, "target_modules": adapter.targets}  # type: ignore[union-attr]
    return get_peft_model(model, LoraConfig(task_type="SEQ_CLS", **lora))  # type: ignore[arg-type]


def backbone_of(recipe: Recipe) -> Any:
    return open_pretrained(recipe.model, trust=False)


def train_hfft(recipe: Recipe, folder: RunFolder, settings: dict[str, Any]) -> Times:
    """Trains with hfft, as `accelerate launch` with a config file of these settings would."""
    began, began_at = time.perf_counter(), time.time()
    hfft.train(recipe, output=folder.path, accelerator=Accelerator(**settings), quiet=True)
    whole_seconds = time.perf_counter() - began
    train_seconds = read_json(folder.results)["train_seconds"]
    prepared = folder.data.stat().st_mtime - began_at  # data.json is written last before the first step
    return Times(prepared + train_seconds, train_seconds, whole_seconds)


def train_trainer(
    trainer_for: Callable[[Recipe, TrainingArguments], Trainer],
    recipe: Recipe,
    folder: RunFolder,
    settings: dict[str, Any],
) -> Times:
    """Trains with transformers.Trainer, at its defaults where neither recipe nor settings say anything."""
    began = time.perf_counter()
    set_seed(recipe.train.seed)  # a new head's weights
    trainer = trainer_for(recipe, trainer_arguments(recipe, folder, settings))
    if trainer.args.train_batch_size != recipe.train.batch_size:
        raise SystemExit("Trainer would spread each batch over several devices: let it see one only.")
    trainer.remove_callback(PrinterCallback)
    runtime = trainer.train().metrics["train_runtime"]
    whole_seconds = time.perf_counter() - began
    evaluating = sum(entry.get("eval_runtime", 0.0) for entry in trainer.state.log_history)
    learnt = trainer.model.merge_and_unload() if isinstance(trainer.model, PeftModel) else trainer.model
    learnt.save_pretrained(folder.model)  # type: ignore[union-attr]
    trainer.processing_class.save_pretrained(folder.model)  # type: ignore[union-attr]
    resolve(recipe, trust=False).recipe.save(folder.recipe)
    write_json(folder.environment, describe(trainer.accelerator, recipe.train.seed, {}))
    samples = len(trainer.train_dataset) * int(recipe.train.epochs or 0)  # type: ignore[arg-type]
    write_json(folder.results, {"task": recipe.task.name, "steps": trainer.state.global_step, "samples": samples})
    return Times(whole_seconds - evaluating, runtime - evaluating, whole_seconds)


def trainer_arguments(recipe: Recipe, folder: RunFolder, settings: dict[str, Any]) -> TrainingArguments:
    """Says the recipe in Trainer's words. Its weight decay spares biases and norms without being told."""
    optim, train = recipe.optim, recipe.train
    said = {
        "output_dir": str(folder.path / "trainer"),
        "per_device_train_batch_size": train.batch_size,
        "num_train_epochs": train.epochs or 0,
        "learning_rate": optim.lr or 0,
        "weight_decay": optim.weight_decay,
        "lr_scheduler_type": optim.schedule,
        "warmup_steps": optim.warmup,  # below 1 a share, rounded up, as in a recipe
        "max_grad_norm": optim.clip or 0,
        "seed": train.seed,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    return TrainingArguments(**{**said, **settings})


def measured(tool: Tool, recipe: Recipe, folder: RunFolder) -> tuple[Times, int, int | None]:
    """Trains in this process, which should be fresh; returns the times, and the peaks of memory."""
    quiet_libraries()
    transformers.logging.set_verbosity_error()
    place = backbone_of(recipe).place
    AutoModel.from_pretrained(place)  # once, so that no clock sees transformers import it or the disk be slow
    AutoProcessor.from_pretrained(place)
    folder.create()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HFFT_CACHE"] = cache  # no tokens of an earlier run
        times = tool.train(recipe, folder, tool.settings)
    on_cuda = read_json(folder.environment)["accelerate"]["device"] == "cuda"
    return times, resident_bytes(), torch.cuda.max_memory_allocated() if on_cuda else None


def resident_bytes() -> int:
    """This process at its largest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def scored(tool: Tool, recipe: Recipe, folder: RunFolder, test: str, took: tuple[Times, int, int | None]) -> Outcome:
    """Scores a trained model, and writes its answers into the run folder."""
    found = hfft.evaluate(folder.path, Path(recipe.data.root, test), accelerator=Accelerator(cpu=True))
    found.save(str(folder.predictions("test")))
    results = {**read_json(folder.results), "test": found.scores, "test_examples": found.examples}
    write_json(folder.results, results)
    metric = headline_metric(found.scores, recipe.train.best_metric) or ""
    of_run = tool.name, recipe.train.seed, results["steps"], results["samples"]
    of_model = metric, found.scores[metric]["value"], [row["answer"] for row in found.rows]
    return Outcome(*of_run, *took, read_json(folder.environment), *of_model)


def say_and_check(outcome: Outcome, wanted: Outcome) -> None:
    """Prints a line of one training; one of other steps or samples than `wanted` ends everything."""
    speed = f"{outcome.times.seconds:.1f} s, {outcome.samples_per_second:.0f} samples/s"
    print(f"seed {outcome.seed}, {outcome.tool}: {speed}, {outcome.metric} {outcome.score:.4f}", flush=True)
    if (outcome.steps, outcome.samples) != (wanted.steps, wanted.samples):
        raise SystemExit(
            f"{outcome.tool} took {outcome.steps} steps over {outcome.samples} samples, {wanted.tool} "
            f"{wanted.steps} over {wanted.samples}: they cannot be compared."
        )


def gather(folder: RunFolder, seeds: Sequence[int]) -> None:
    """Makes the trainings of several seeds one run, as `train.seeds` does, for `hfft compare`."""
    first = folder.seed(seeds[0])
    shutil.copytree(first.model, folder.model)
    shutil.copy(first.recipe, folder.recipe)
    write_json(folder.results, {**read_json(first.results), "seeds": list(seeds)})


def median(values: Sequence[float]) -> dict[str, float]:
    """The median, with the smallest and the largest value."""
    return {"value": statistics.median(values), "low": min(values), "high": max(values)}


def by_tool(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """The trainings of each tool in the order of their seeds; tools in that in which they first took their turn."""
    tools = dict.fromkeys(outcome.tool for outcome in outcomes)
    ordered = sorted(outcomes, key=lambda outcome: outcome.seed)
    return {tool: [outcome for outcome in ordered if outcome.tool == tool] for tool in tools}


def speed_ratios(outcomes: Sequence[Outcome], tool: str, other: str, clock: str) -> list[float]:
    """How many times faster `tool` is than `other` by a clock of `Times`, seed by seed.

    Trainings of one seed are near each other in time, so a machine that grows slower over the hours does not count.
    """
    pairs = zip(by_tool(outcomes)[tool], by_tool(outcomes)[other], strict=True)
    return [getattr(theirs.times, clock) / getattr(ours.times, clock) for ours, theirs in pairs]


def beside(outcomes: Sequence[Outcome], tool: str, other: str, runs: Path) -> dict[str, Any]:
    """All that is said of one tool beside another, as JSON has it; `scores` is what `hfft compare` finds."""
    return {
        "tool": tool,
        "beside": other,
        "speed_ratio": median(speed_ratios(outcomes, tool, other, "seconds")),
        "whole_speed_ratio": median(speed_ratios(outcomes, tool, other, "whole_seconds")),
        "scores": compare([runs / other, runs / tool], "test").as_json(),
    }


def closing_line(found: dict[str, Any]) -> str:
    """What one comparison says."""
    ratio = "{value:.2f} ({low:.2f}-{high:.2f})".format(**found["speed_ratio"])
    whole = f"({found['whole_speed_ratio']['value']:.2f} with hfft's saving)"
    said = found["scores"]["against"][0]["said"]
    return f"{found['tool']} / {found['beside']}: {ratio} times the samples/s {whole}. {said}"


def show(outcomes: Sequence[Outcome]) -> None:
    """Prints a table of the tools: medians, smallest and largest; of the score the mean over the seeds."""
    columns = ("samples/s", "seconds", "of them steps", "whole call, s", "peak MiB", outcomes[0].metric)
    print("".ljust(24), *(column.rjust(18) for column in columns))
    for tool, mine in by_tool(outcomes).items():
        scores = [100 * one.score for one in mine]
        deviation = f" (sd {statistics.stdev(scores):.2f})" if len(scores) > 1 else ""
        numbers = [("%.0f", [one.samples_per_second for one in mine])]
        numbers += [("%.1f", [getattr(one.times, clock) for one in mine]) for clock in Times.__dataclass_fields__]
        numbers += [("%.0f", [(one.device_bytes or one.resident_bytes) / 2**20 for one in mine])]
        cells = [f"{form} ({form}-{form})" % tuple(median(values).values()) for form, values in numbers]
        cells.append(f"{statistics.fmean(scores):.1f}{deviation}")
        print(tool.ljust(24), *(cell.rjust(18) for cell in cells))


def draw(outcomes: Sequence[Outcome], place: Path, title: str) -> None:
    """Draws each tool's speed, from zero, and its score into a file whose name ends in one of PICTURES."""
    from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]  # an extra of its own

    tools = by_tool(outcomes)
    figure = Figure(figsize=(10, 0.62 * len(tools) + 1.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for row, (tool, mine) in enumerate(tools.items()):
        colour, scores = COLOURS[tool.split()[0]], [100 * one.score for one in mine]
        speed = median([one.samples_per_second for one in mine])
        left.bar_label(left.barh(row, speed["value"], 0.55, color=colour), fmt="%.0f", padding=8)
        left.plot([speed["low"], speed["high"]], [row, row], color="black", marker="|")
        right.plot(scores, [row] * len(scores), "|", color=colour, markersize=12)
        right.plot(statistics.fmean(scores), row, "o", color=colour)
    left.set_yticks(range(len(tools)), tools)
    left.invert_yaxis()  # the first tool on top
    left.set_xlabel("training samples per second\n(bar: median; line: slowest to fastest round)")
    right.set_xlabel(f"test {outcomes[0].metric} in %\n(dot: mean of the seeds; lines: each of them)")
    figure.suptitle(title)
    figure.savefig(place, dpi=160)
