"""hfft beside transformers.Trainer and pipeline on the CPU, ten kinds of work in one run: a table, JSON and a picture.

    make bench DATA=path/to/data
    python benchmarks/speed.py --data path/to/data --output speed.json --plot speed.png --works "text, full"

The folder holds sst2, fashion_mnist and g2p_en_us as the recipes want them, and the models mobilenet_v2 and
bart_g2p_en_us. The same rows, model, batch size, steps and rates for all tools, in turn, each training in a fresh
process; seconds as vs_trainer.py counts them, with hfft's caches empty, so that what a frozen trunk costs to be kept is
in the time. Of each work:

    to defaults        hfft at the precision named beside Trainer as it stands: float32, texts of all lengths together
    to best            beside Trainer in that precision, with texts of like length together and fused AdamW
    same precision     hfft in float32 beside Trainer's defaults

ViT-tiny has new weights, for none are at hand: its speed counts, its scores do not. Answering is measured in one
process, model and first batch left out, and the answers are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas
import shared
import torch
from datasets import Dataset
from images_vs_trainer import image_trainer
from shared import Comparison, Tool, accelerate_settings, train_hfft
from strategies import markdown
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    pipeline,
)
from vs_trainer import GROUPED_BF16, text_trainer

import hfft
from hfft.io.console import quiet_libraries
from hfft.io.run_folder import write_text
from hfft.recipe import Recipe

BEAMS, ANSWERED_AT_ONCE, NEW_TOKENS, TESTED = 4, 32, 30, 500
HFFT, SAME, DEFAULTS, BEST = "hfft", "hfft fp32", "Trainer defaults", "Trainer best"
PAIRS = ((HFFT, DEFAULTS), (HFFT, BEST), (SAME, DEFAULTS))
FUSED = {"optim": "adamw_torch_fused"}
HEAD = ("tune.freeze.blocks=all", "optim.lr=3e-3")
TEXT_WORKS = {
    "text, full": (1, ()),
    "text, LoRA": (1, ("tune.adapter={name: lora, targets: all-linear}", "optim.lr=2e-3")),
    "text, 4 of 6 blocks frozen": (5, ("tune.freeze.blocks=4", "optim.lr=2e-4")),
    "text, head only": (10, HEAD),
}
IMAGE_WORKS = {
    "MobileNetV2, full": ("mobilenet_v2", 96, 1, "fp32", ()),
    "MobileNetV2, head only": ("mobilenet_v2", 96, 5, "fp32", HEAD),
    "ViT-tiny, full": ("vit_tiny", 224, 1, "bf16", ()),
    "ViT-tiny, head only": ("vit_tiny", 224, 10, "bf16", HEAD),
}
"""Of each: the epochs and what the recipe says beside rows and model; of images also model, pixels and precision."""
ANSWERING = ("predict, batch 32", "generate, 4 beams")
WORKS = (*TEXT_WORKS, *IMAGE_WORKS, *ANSWERING)


@dataclass(frozen=True)
class Line:
    """What is said of a kind of work.

    Attributes:
        rate: Of hfft, rows per second.
        ratios: How many times as fast hfft is, by pair of PAIRS: each round.
        mebibytes: Of hfft, and of Trainer's defaults, at the largest.
        scores: What `hfft compare` finds, or that the answers are the same.
    """

    work: str
    rate: float
    ratios: dict[str, list[float]]
    mebibytes: tuple[float, float] | None
    scores: str

    @property
    def cells(self) -> tuple[str, ...]:
        memory = "" if self.mebibytes is None else "{:.0f} / {:.0f}".format(*self.mebibytes)
        told = (shared.median(self.ratios[f"{one} / {other}"]) for one, other in PAIRS)
        shown = ["{value:.2f} ({low:.2f} to {high:.2f})".format(**each) for each in told]
        return (self.work, f"{self.rate:.0f}", *shown, memory, self.scores)


COLUMNS = ("work", "hfft, rows/s", "to defaults", "to best", "same precision", "MiB, hfft / Trainer", "scores")


def tools(make: Callable[..., Any], precision: str, best: dict[str, Any], **always: Any) -> list[Tool]:
    train = partial(shared.train_trainer, make)
    return [
        Tool(HFFT, train_hfft, accelerate_settings(precision)),
        *([] if precision == "fp32" else [Tool(SAME, train_hfft, accelerate_settings("fp32"))]),
        Tool(DEFAULTS, train, {"use_cpu": True, **always}),
        Tool(BEST, train, {"use_cpu": True, **always, **best}),
    ]


def text_recipe(options: argparse.Namespace, *changes: str) -> Recipe:
    rows = ("data.files={train: train.csv}", f"data.train='train[:{options.rows}]'", "data.eval=null")
    return shared.recipe_from("minilm_sst2.yaml", options.data / "sst2", *rows, "train.batch_size=32", *changes)


def text_work(work: str, options: argparse.Namespace) -> tuple[list[Tool], Recipe, str]:
    epochs, changes = TEXT_WORKS[work]
    recipe = text_recipe(options, f"train.epochs={options.epochs or epochs}", "tune.layer_decay=1", *changes)
    return tools(text_trainer, "bf16", GROUPED_BF16), recipe, "test.csv"


def image_work(work: str, options: argparse.Namespace) -> tuple[list[Tool], Recipe, str]:
    name, pixels, epochs, precision, changes = IMAGE_WORKS[work]
    rows = ("data.files={train: train.parquet}", f"data.train='train[:{options.images}]'")
    length = f"train.epochs={options.epochs or epochs}"
    place = options.data / name if name == "mobilenet_v2" else vit_tiny(options.made / name)
    model = (f"model.name={json.dumps(str(place.absolute()))}", "model.new_head=true", f"task.image_size={pixels}")
    always = (length, "tune.layer_decay=1", "task.augment=null")
    recipe = shared.recipe_from(
        "mobilenet_local.yaml", options.data / "fashion_mnist", *rows, *model, *always, *changes
    )
    best = FUSED if precision == "fp32" else {**FUSED, "bf16": True}
    return tools(image_trainer, precision, best, remove_unused_columns=False), recipe, few_tests(options)


def few_tests(options: argparse.Namespace) -> str:
    """Writes the first test images to a file, and names it: all of them would take longer than the trainings."""
    file = options.made / "test.parquet"
    if not file.is_file():
        rows = Dataset.from_parquet(str(options.data / "fashion_mnist" / "test.parquet"))
        rows.select(range(min(TESTED, len(rows)))).to_parquet(file)  # type: ignore[union-attr]
    return str(file)


def vit_tiny(folder: Path) -> Path:
    """Writes a ViT-Ti/16 (Touvron et al. 2021) with new weights."""
    if not folder.is_dir():
        torch.manual_seed(0)
        config = ViTConfig(hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768)
        ViTForImageClassification(config).save_pretrained(folder)
        ViTImageProcessor().save_pretrained(folder)
    return folder


def trained(work: str, options: argparse.Namespace) -> Line:
    """Trains with every tool and seed, in turn."""
    made, recipe, test = (text_work if work in TEXT_WORKS else image_work)(work, options)
    with tempfile.TemporaryDirectory() as folder:
        print(f"\n{work}")
        comparison = Comparison(made, PAIRS, test, options, Path(folder))
        outcomes = comparison.train(lambda *_: recipe)
        found = shared.beside(outcomes, HFFT, DEFAULTS, Path(folder))
    names = [tool.name for tool in made]
    ratios = {
        f"{one} / {other}": shared.speed_ratios(outcomes, one if one in names else HFFT, other, "seconds")
        for one, other in PAIRS
    }
    mine, theirs = (
        statistics.median(one.resident_bytes for one in outcomes if one.tool == name) / 2**20
        for name in (HFFT, DEFAULTS)
    )
    rate = statistics.median(one.samples_per_second for one in outcomes if one.tool == HFFT)
    return Line(work, rate, ratios, (mine, theirs), found["scores"]["against"][0]["said"])


def answered(work: str, options: argparse.Namespace) -> Line:
    """Answers the same rows with both tools, in turn, in a process of its own."""
    return shared.apart(predicted if work == ANSWERING[0] else generated, work, options)


def predicted(work: str, options: argparse.Namespace) -> Line:
    quiet_libraries()
    texts = pandas.read_csv(options.data / "sst2" / "test.csv", keep_default_na=False)["sentence"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        hfft.train(text_recipe(options, "train.epochs=1"), output=folder, quiet=True)
        model = str(Path(folder, "model"))
        ours = hfft.load(folder, batch_size=ANSWERED_AT_ONCE, dtype="bfloat16")
        same = hfft.load(folder, batch_size=ANSWERED_AT_ONCE)
        theirs, best = (
            pipeline("text-classification", model=model, batch_size=ANSWERED_AT_ONCE, device="cpu", dtype=dtype)
            for dtype in (torch.float32, torch.bfloat16)
        )
        ways = {HFFT: ours, SAME: same, DEFAULTS: theirs, BEST: best}
        took, said = in_turn(ways, texts, len(options.seeds))
    return line_of(work, len(texts), took, agreement(said[SAME], [row["label"] for row in said[DEFAULTS]]))


def generated(work: str, options: argparse.Namespace) -> Line:
    quiet_libraries()
    place, file = str(options.data / "bart_g2p_en_us"), options.data / "g2p_en_us" / "test.jsonl"
    words = [json.loads(line)["word"] for line in file.read_text("utf-8").splitlines()][: options.answers]
    task = {"name": "translation", "source": "word", "target": "phonemes", "max_target_length": NEW_TOKENS}
    task["generation"] = {"num_beams": BEAMS}
    loaded = {dtype: hfft.load(place, [f"task={json.dumps(task)}"], dtype=dtype) for dtype in ("bfloat16", "float32")}
    tokenizer = AutoTokenizer.from_pretrained(place)
    rows = [{**tokenizer(word), "labels": [tokenizer.eos_token_id]} for word in words]
    with tempfile.TemporaryDirectory() as folder:
        said = {"predict_with_generate": True, "use_cpu": True, "report_to": "none", "disable_tqdm": True}
        said |= {"generation_num_beams": BEAMS, "generation_max_length": NEW_TOKENS + 1}
        trainers = {
            name: Seq2SeqTrainer(
                AutoModelForSeq2SeqLM.from_pretrained(place, dtype=torch.float32),
                Seq2SeqTrainingArguments(folder, **said, **more),
                DataCollatorForSeq2Seq(tokenizer),
                processing_class=tokenizer,
            )
            for name, more in ((DEFAULTS, {}), (BEST, {"bf16_full_eval": True, "per_device_eval_batch_size": 32}))
        }
        ways = {HFFT: loaded["bfloat16"], SAME: loaded["float32"]}
        asked = {name: partial(written, trainer, tokenizer, rows) for name, trainer in trainers.items()}
        took, texts = in_turn({**ways, **asked}, words, len(options.seeds))
    return line_of(work, len(words), took, agreement(texts[SAME], texts[DEFAULTS]))


def agreement(ours: Sequence[dict[str, Any]], theirs: Sequence[str]) -> str:
    equal = statistics.fmean(row["answer"] == answer for row, answer in zip(ours, theirs, strict=True))
    return f"{100 * equal:.1f} % of the answers are the same"


def written(trainer: Seq2SeqTrainer, tokenizer: Any, rows: list[Any], words: Sequence[str]) -> list[str]:
    """The texts that a Trainer generates for the first rows, as many as there are words."""
    ids = trainer.predict(rows[: len(words)]).predictions  # type: ignore[arg-type]
    return tokenizer.batch_decode(torch.tensor(ids).clamp(min=0), skip_special_tokens=True)


def in_turn(
    ways: dict[str, Callable[[list[str]], Any]], texts: list[str], rounds: int
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """The seconds that each way takes for the texts, round by round, and what it answers."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    said = {name: ask(texts[:ANSWERED_AT_ONCE]) for name, ask in ways.items()}
    for _ in range(rounds):
        for name, ask in ways.items():
            began = time.perf_counter()
            said[name] = ask(texts)
            took[name].append(time.perf_counter() - began)
    return took, said


def line_of(work: str, rows: int, took: dict[str, list[float]], scores: str) -> Line:
    ratios = {
        f"{one} / {other}": [theirs / ours for ours, theirs in zip(took[one], took[other], strict=True)]
        for one, other in PAIRS
    }
    return Line(work, rows / statistics.median(took[HFFT]), ratios, None, scores)


def table(lines: Sequence[Line]) -> str:
    return markdown(COLUMNS, [line.cells for line in lines])


def draw(lines: Sequence[Line], place: Path, title: str) -> None:
    """Draws how many times as fast each work is, on a scale of ratios; the line is the speed of the others."""
    from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]  # an extra of its own

    figure = Figure(figsize=(9, 0.7 * len(lines) + 1.5), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    for offset, (pair, colour) in enumerate(zip(PAIRS[:2], ("#1f6fb4", "#8a8f98"), strict=True)):
        values = [statistics.median(line.ratios[" / ".join(pair)]) for line in lines]
        beyond, shown = [value - 1 for value in values], [f"{value:.1f}" for value in values]
        places = [row + 0.36 * (offset - 0.5) for row in range(len(lines))]
        axes.bar_label(axes.barh(places, beyond, 0.34, left=1, color=colour, label=f"to {pair[1]}"), shown, padding=4)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(lines)), [line.work for line in lines])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("times as fast (median of the rounds)")
    axes.legend()
    figure.suptitle(title)
    figure.savefig(place, dpi=160)


def measured(options: argparse.Namespace) -> Iterator[Line]:
    for work in options.works:
        line = (answered if work in ANSWERING else trained)(work, options)
        print(table([line]), flush=True)
        yield line


def main() -> None:
    needed = ("sst2/train.csv", "sst2/test.csv", "fashion_mnist/train.parquet", "fashion_mnist/test.parquet")
    needed += ("mobilenet_v2/config.json", "g2p_en_us/test.jsonl", "bart_g2p_en_us/config.json")
    parser = shared.parser_of(
        "hfft's speed beside Trainer's and pipeline's, on the CPU.", needed, rows=4000, epochs=None
    )
    parser.set_defaults(seeds=[0, 1, 2, 3, 4])
    parser.add_argument("--images", type=int, default=1000, help="training images, the first of the file")
    parser.add_argument("--answers", type=int, default=400, help="words that are spoken by generation")
    parser.add_argument("--works", nargs="+", choices=WORKS, default=WORKS, metavar="WORK", help="; ".join(WORKS))
    options = shared.parsed(parser, needed)
    with tempfile.TemporaryDirectory() as folder:
        options.made = Path(folder)
        lines = list(measured(options))
    title = f"hfft beside transformers' Trainer and pipeline, {torch.get_num_threads()} thread(s)"
    print(f"\n{title}\n\n{table(lines)}")
    if options.output is not None:
        write_text(options.output, json.dumps({"title": title, "lines": [asdict(line) for line in lines]}) + "\n")
    if options.plot is not None:
        draw(lines, options.plot, title)


if __name__ == "__main__":
    main()
