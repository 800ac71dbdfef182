"""The page of benchmarks/strategies.py, from finished runs alone: every sentence about a finding is reckoned here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median, stdev

from comparison import Spread, score, score_difference
from strategies_plan import DRAW_SEED, METHODS, RECIPE, Study, all_jobs, best_methods, chosen_rate, common
from strategies_runs import Done, of_stage

COLUMNS = (
    "method",
    "learning rate",
    "test accuracy (95 % interval)",
    "each seed",
    "less {first} (95 % interval)",
    "beside {first}",
    "trainable parameters",
    "seconds of steps",
    "seconds in all",
    "peak memory, MiB",
)
ABOUT = """
- Accuracy is the mean of the seeds {seeds}, in %. Intervals and differences come of the same test rows for all (paired
  bootstrap over rows, seeds averaged): they say nothing of other seeds or another draw of training rows.
- *better* and *worse* than {first}: the interval of the difference leaves 0 out, and no seed says otherwise. *not told
  apart*: anything else.
- Trainable parameters are all that learn at any time of the run. Seconds are medians of the seeds: of the steps alone,
  and of all that the run took (reading, tokenizing, scoring on the way and at the end, saving). The peak is that of the
  process, libraries included, at the largest of its seeds.
"""


def page(study: Study, done: Sequence[Done], data: str) -> str:
    """The whole page, in Markdown.

    Args:
        study: What was asked for.
        done: Its runs; those on all rows may be missing.
        data: The data's name.
    """
    first, few = study.methods[0].name, of_stage(done, "few")
    parts = [
        "# Ways of tuning, side by side",
        "Written by `benchmarks/strategies.py`; do not edit.",
        setup(study, done, data),
        f"## {study.rows:,} rows, {study.epochs:g} epoch(s)",
        table(study, done, few),
        findings(few, first),
        *on_all_rows(study, done),
        "## How to read the tables",
        ABOUT.format(seeds=listed(study.seeds), first=first),
        "## Learning rates",
        rates(study, done),
        "## What each method changes in the recipe",
        overrides(study),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def on_all_rows(study: Study, done: Sequence[Done]) -> list[str]:
    """The part on all rows, or how much of it is there."""
    wanted, whole, first = all_jobs(study, done), of_stage(done, "all"), study.methods[0].name
    if len(whole) < len(wanted):
        return ["## All rows", f"Not there yet: {len(whole)} of {len(wanted)} runs are done."]
    return [
        f"## All {round(whole[0].samples / study.whole_epochs):,} rows, {study.whole_epochs:g} epoch(s)",
        f"The method `{first}`, and of the others those with the highest mean validation accuracy above, each with the "
        "learning rate of above.",
        table(study, done, whole),
        findings(whole, first),
    ]


def setup(study: Study, done: Sequence[Done], data: str) -> str:
    """What was run, on what."""
    machine = done[0].environment
    versions = ", ".join(
        f"{name} {machine['versions'][name]}" for name in ("torch", "transformers", "peft", "accelerate")
    )
    threads = listed(sorted({one.environment["threads"] for one in done}))
    small, tests = of_stage(done, "few")[0], len(of_stage(done, "few")[0].right)
    rows = ", ".join(f"{small.environment['data'][split][:12]} ({split})" for split in ("train", "eval", "test"))
    tried = listed(sorted({len(method.rates) for method in study.methods}))
    return (
        f"- Data: {data}; {study.rows:,} training rows, drawn with seed {DRAW_SEED} so that labels have equally many "
        f"as far as that goes, the same for all; {tests:,} test rows. SHA-256 of the rows begins with {rows}.\n"
        f"- Model: `{shown(study.model)}`. Recipe: `{RECIPE}` with the changes at the end of this page.\n"
        f"- Machine: {machine['processor']}, {threads} thread(s) a run, {study.at_once} run(s) at a time, "
        f"{study.precision}; Python {machine['versions']['python']}, {versions}.\n"
        f"- Learning rate: the best of {tried} on the validation rows with seed {study.choosing_seed}; then the seeds "
        f"{listed(study.seeds)} on the test rows.\n"
        f"- Again: `{command(study)}`"
    )


def command(study: Study) -> str:
    """How to do the study again."""
    given = f"--rows {study.rows} --epochs {study.epochs:g} --whole-epochs {study.whole_epochs:g}"
    given += f" --batch-size {study.batch_size} --seeds {' '.join(map(str, study.seeds))} --best {study.best}"
    given += f" --precision {study.precision} --at-once {study.at_once}"
    if study.methods != METHODS:
        given += f" --methods {' '.join(json.dumps(method.name) for method in study.methods)}"
    return f"python benchmarks/strategies.py --data path/to/clinc150 --runs runs/strategies.jsonl {given}"


def table(study: Study, done: Sequence[Done], runs: Sequence[Done]) -> str:
    """A row a method, the highest accuracy first."""
    first = study.methods[0].name
    outcomes = [one.outcome for one in runs]
    names = sorted(dict.fromkeys(one.job.method for one in runs), key=lambda name: -score(outcomes, name).value)
    rows = []
    for name in names:
        mine = [one for one in runs if one.job.method == name]
        found, less = score(outcomes, name), score_difference(outcomes, name, first)
        rows.append(
            [
                name,
                f"{chosen_rate(done, name):g}",
                f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})",
                " ".join(f"{100 * one.outcome.scored.value:.1f}" for one in mine) + seed_deviation(mine),
                "" if name == first else points(less),
                "" if name == first else verdict(runs, name, first),
                f"{max(one.trainable for one in mine):,}",
                f"{median(one.train_seconds for one in mine):.0f}",
                f"{median(one.whole_seconds for one in mine):.0f}",
                f"{max(one.resident_bytes for one in mine) / 2**20:,.0f}",
            ]
        )
    return markdown([column.format(first=first) for column in COLUMNS], rows)


def findings(runs: Sequence[Done], first: str) -> str:
    """What the runs of a part say, in sentences."""
    outcomes = [one.outcome for one in runs]
    names = list(dict.fromkeys(one.job.method for one in runs if one.job.method != first))
    by_verdict = {
        said: [n for n in names if verdict(runs, n, first) == said] for said in ("better", "not told apart", "worse")
    }
    lines = []
    for said, with_it in by_verdict.items():
        each = ", ".join(f"{name} ({points(score_difference(outcomes, name, first))})" for name in with_it)
        start = {"better": f"Better than {first}", "worse": f"Worse than {first}"}.get(
            said, f"Not told apart from {first}"
        )
        lines.append(f"- {start}: {each or 'none'}.")
    good = [first, *by_verdict["better"], *by_verdict["not told apart"]]
    for what, value, form in (
        ("least time in all", lambda one: one.whole_seconds, lambda n: f"{n:.0f} s"),
        ("least memory", lambda one: one.resident_bytes, lambda n: f"{n / 2**20:,.0f} MiB"),
        ("fewest trainable parameters", lambda one: one.trainable, lambda n: f"{n:,.0f}"),
    ):
        lines.append(f"- {least(runs, good, first, what, value, form)}")
    if {"LoRA", "LoRA + decay 0.9"} <= set(names):
        less = score_difference(outcomes, "LoRA + decay 0.9", "LoRA")
        said = verdict(runs, "LoRA + decay 0.9", "LoRA")
        lines.append(f"- LoRA + decay 0.9 beside LoRA: {points(less)}: {said}.")
    return "\n".join(lines)


def least(
    runs: Sequence[Done],
    names: Sequence[str],
    first: str,
    what: str,
    value: Callable[[Done], float],
    form: Callable[[float], str],
) -> str:
    """Which of the methods that are not worse takes least of something, beside the first."""
    of = {name: median(value(one) for one in runs if one.job.method == name) for name in names}
    name = min(names, key=lambda name: of[name])
    beside = "" if name == first else f"; {first} {form(of[first])}"
    return f"Of those not worse than {first}, {what}: {name} ({form(of[name])}{beside})."


def verdict(runs: Sequence[Done], name: str, other: str) -> str:
    """Whether a method is "better" or "worse" than another, or "not told apart"."""
    less = score_difference([one.outcome for one in runs], name, other)
    each = seed_differences(runs, name, other)
    if less.low > 0 and min(each) > 0:
        return "better"
    return "worse" if less.high < 0 and max(each) < 0 else "not told apart"


def seed_differences(runs: Sequence[Done], name: str, other: str) -> list[float]:
    """The difference of two methods' accuracies, seed by seed."""
    value = {(one.job.method, one.job.seed): one.outcome.scored.value for one in runs}
    return [found - value[other, seed] for (method, seed), found in value.items() if method == name]


def rates(study: Study, done: Sequence[Done]) -> str:
    """The validation accuracy of every learning rate, and which were the best although at an end."""
    from hfft.assemble import DEFAULT_LR

    rows, ends = [], []
    for method in study.methods:
        best = chosen_rate(done, method.name)
        tried = {one.job.lr: one.validation for one in of_stage(done, "choose", method.name)}
        cells = [f"{lr:g}: {100 * found:.1f}" for lr, found in sorted(tried.items())]
        marked = [f"**{cell}**" if lr == best else cell for lr, cell in zip(sorted(tried), cells, strict=True)]
        kept = [one.validation for one in of_stage(done, "few", method.name)]
        rows.append([method.name, " &nbsp; ".join(marked), f"{DEFAULT_LR[method.kind]:g}", f"{100 * mean(kept):.1f}"])
        if best in (min(tried), max(tried)) and len(tried) > 1:
            ends.append(f"{method.name} ({'lowest' if best == min(tried) else 'highest'})")
    text = markdown(
        ["method", "rate: validation accuracy, %", "hfft's default rate", "validation, mean of the seeds"], rows
    )
    if ends:
        text += f"\n\nThe best is an end of what was tried, and one beyond it may be better: {', '.join(ends)}."
    if flattered := [m.name for m in study.methods if "keep_best" in " ".join(m.overrides(study.epochs))]:
        text += f"\n\nThe validation rows decide the weights too, and so flatter: {', '.join(flattered)}."
    best = ", ".join(best_methods(study, done))
    return f"{text}\n\nHighest mean validation accuracy, {study.methods[0].name} aside: {best}."


def overrides(study: Study) -> str:
    """The changes to the recipe, as the command line takes them."""
    lines = [f"- all: `{' '.join(common(study, study.epochs)[1:])}`"]
    for method in study.methods:
        given = method.overrides(study.epochs)
        lines.append(f"- {method.name}: " + (" ".join(f"`{text}`" for text in given) or "nothing"))
    return "\n".join(lines)


def points(less: Spread) -> str:
    """A difference in points of accuracy, with its interval."""
    return f"{100 * less.value:+.1f}, {100 * less.low:+.1f} to {100 * less.high:+.1f}"


def seed_deviation(runs: Sequence[Done]) -> str:
    """The standard deviation over seeds, in points, where there are several."""
    values = [100 * one.outcome.scored.value for one in runs]
    return f" (sd {stdev(values):.2f})" if len(values) > 1 else ""


def shown(model: str) -> str:
    """A model's name without a path of the machine."""
    return Path(model).name if Path(model).is_absolute() or Path(model).exists() else model


def listed(values: Sequence[object]) -> str:
    """Several things in a row of words."""
    return ", ".join(map(str, values))


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
