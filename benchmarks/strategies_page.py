"""The page of benchmarks/strategies.py, from finished runs alone: every sentence about a finding is reckoned here."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, stdev

from comparison import score
from strategies_plan import DRAW_SEED, RECIPE, Study, all_jobs, chosen_rate
from strategies_runs import Done, of_method, of_stage
from strategies_settings import command, defaults, marked, notes, overrides, ranking, rates
from strategies_text import distinct, listed, markdown, points, shown, span
from strategies_verdicts import BETTER, ERROR, LIKE, WORSE, least, methods_of, reach, same_answers, verdicts

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
PACKAGES = ("hfft", "torch", "transformers", "peft", "accelerate")
COSTS = (
    ("least time in all", lambda one: one.whole_seconds, "{:.0f}".format, " s"),
    ("least peak memory", lambda one: one.resident_bytes, lambda n: f"{n / 2**20:,.0f}", " MiB"),
    ("fewest trainable parameters", lambda one: one.trainable, "{:,}".format, ""),
)
ABOUT = """
- Accuracy is the mean of the seeds {seeds}, in %. Intervals and differences come of the same test rows for all (paired
  bootstrap over rows, seeds averaged): they say nothing of other seeds or another draw of training rows.
- *better* and *worse* than {first}: the difference holds beside all others of its table, and no seed says otherwise.
  *not told apart*: anything else, which is not the same as alike. Each comparison has a p-value (paired z test over
  test rows, seeds averaged), and those of a table are corrected together (Holm 1979): were all methods alike, at most
  {error:.0f} % of such tables would tell any two apart by the chance of their test rows, the only one that is reckoned
  with. The intervals shown are 95 % for one comparison alone, not corrected: one may leave 0 out beside *not told
  apart*.
- Trainable parameters are all that learn at any time of the run. Seconds are medians of the seeds: of the steps alone,
  and of all that the run took (reading, tokenizing, scoring on the way and at the end, saving). The peak is that of the
  process, libraries included, at the largest of its seeds.
- *least*: from the smallest to the largest of the seeds. Named are the method whose largest is smallest, and all others
  whose seeds begin below that: the runs do not tell which of them takes less.
"""


def page(study: Study, done: Sequence[Done], data: str, note: str = "") -> str:
    """The whole page, in Markdown.

    Args:
        study: What was asked for.
        done: Its runs; those on all rows may be missing.
        data: The data's name.
        note: What else there is to say of the machine, as sentences.
    """
    few, starred = of_stage(done, "few"), notes(study)
    parts = [
        "# Ways of tuning, side by side",
        "Written by `benchmarks/strategies.py`; do not edit.",
        setup(study, done, data, note),
        f"## {study.rows:,} rows, {study.epochs:g} epoch(s)",
        table(study, done, few),
        findings(study, few),
        *on_all_rows(study, done),
        "## How to read the tables",
        ABOUT.format(seeds=listed(study.seeds), first=study.methods[0].name, error=100 * ERROR).strip()
        + (f"\n{starred}" if starred else ""),
        "## Learning rates",
        rates(study, done),
        "## hfft's default learning rates",
        defaults(study, done),
        "## What each method changes in the recipe",
        overrides(study, done),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def on_all_rows(study: Study, done: Sequence[Done]) -> list[str]:
    """The part on all rows, or how much of it is there."""
    wanted, whole = all_jobs(study, done), of_stage(done, "all")
    if len(whole) < len(wanted):
        missing = f"Not there yet: {len(whole)} of {len(wanted)} runs are done."
        return ["## All rows", ranking(study, done), missing]
    return [
        f"## All {round(whole[0].samples / study.whole_epochs):,} rows, {study.whole_epochs:g} epoch(s)",
        f"{ranking(study, done)} They and {study.methods[0].name} are here, each with the learning rate that was "
        f"chosen on {study.rows:,} rows.",
        table(study, done, whole),
        findings(study, whole),
    ]


def setup(study: Study, done: Sequence[Done], data: str, note: str) -> str:
    """What was run, on what; where runs differ in that, all of it."""
    machines = [one.environment for one in done]
    versions = listed(
        f"{name} {distinct(machine['versions'][name] for machine in machines)}" for name in ("python", *PACKAGES)
    )
    processor, threads = (distinct(machine[what] for machine in machines) for what in ("processor", "threads"))
    tests = len(of_stage(done, "few")[0].right)
    tried = listed(sorted({len(method.rates) for method in study.methods}))
    lines = [
        f"- Data: {data}; {study.rows:,} training rows, drawn with seed {DRAW_SEED} so that labels have equally many "
        f"as far as that goes, the same for all; {tests:,} test rows. SHA-256 of the rows begins with {hashes(done)}.",
        f"- Model: `{shown(study.model)}`. Recipe: `{RECIPE}` with the changes at the end of this page.",
        f"- Machine: {processor}; {study.precision}; {versions}.",
        f"- Seconds are wall-clock, of runs on {threads} thread(s), {study.at_once} run(s) at a time. "
        f"{' '.join(note.split())}".rstrip(),
        f"- Learning rate: the best of {tried} on the validation rows with seed {study.choosing_seed}; then the seeds "
        f"{listed(study.seeds)} on the test rows.",
        f"- Again: `{command(study)}`",
    ]
    return "\n".join(lines)


def hashes(done: Sequence[Done]) -> str:
    """What the rows are known by, part by part."""
    small = [one for one in done if one.job.stage != "all"]
    parts = (
        ("the training rows drawn", "train", small),
        ("all training rows", "train", of_stage(done, "all")),
        ("validation", "eval", done),
        ("test", "test", [one for one in done if one.right]),
    )
    return listed(
        f"{distinct(one.environment['data'][split][:12] for one in runs)} ({what})"
        for what, split, runs in parts
        if runs
    )


def table(study: Study, done: Sequence[Done], runs: Sequence[Done]) -> str:
    """A row a method, the highest accuracy first."""
    first = study.methods[0].name
    outcomes = [one.outcome for one in runs]
    beside = {found.name: found for found in verdicts(runs, first) if found.other == first}
    rows = []
    for name in sorted(methods_of(runs), key=lambda name: -score(outcomes, name).value):
        mine, found = of_method(runs, name), score(outcomes, name)
        rows.append(
            [
                marked(study, name),
                f"{chosen_rate(done, name):g}",
                f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})",
                " ".join(f"{100 * one.outcome.scored.value:.1f}" for one in mine) + seed_deviation(mine),
                "" if name == first else points(beside[name].less),
                "" if name == first else beside[name].said,
                f"{max(one.trainable for one in mine):,}",
                f"{median(one.train_seconds for one in mine):.0f}",
                f"{median(one.whole_seconds for one in mine):.0f}",
                f"{max(one.resident_bytes for one in mine) / 2**20:,.0f}",
            ]
        )
    return markdown([column.format(first=first) for column in COLUMNS], rows)


def findings(study: Study, runs: Sequence[Done]) -> str:
    """What the runs of a part say, in sentences."""
    first, found = study.methods[0].name, verdicts(runs, study.methods[0].name)
    here = f"on these rows, with {'this seed' if len(study.seeds) == 1 else f'these {len(study.seeds)} seeds'}"
    lines, good = [], [first]
    for said, start in ((BETTER, "Better than"), (LIKE, "Not told apart from"), (WORSE, "Worse than")):
        those = [one for one in found if (one.other, one.said) == (first, said)]
        lines.append(f"- {start} {first} {here}: {', '.join(f'{o.name} ({points(o.less)})' for o in those) or 'none'}.")
        good += [one.name for one in those if said != WORSE]
    lines += [
        f"- {one.name} beside {one.other}: {one.said} ({points(one.less)})." for one in found if one.other != first
    ]
    lines.append(f"- That is {len(found)} comparison(s), corrected together for being so many (Holm).")
    lines.append(f"- Of {first} and those not told apart from it, or better:")
    for what, value, form, unit in COSTS:
        reaches = {name: f"{name} ({span(*reach(runs, name, value), form)}{unit})" for name in good}
        named = least(runs, good, value)
        beside = "" if first in named else f"; {reaches[first]}"
        lines.append(f"  - {what}: {', '.join(reaches[name] for name in named)}{beside}.")
    if same := same_answers(runs, first):
        each = ", ".join(f"{name} (seed(s) {listed(seeds)})" for name, seeds in same.items())
        lines.append(f"- Right on the very same test rows as {first}: {each}.")
    return "\n".join(lines)


def seed_deviation(runs: Sequence[Done]) -> str:
    """The standard deviation over seeds, in points, where there are several."""
    values = [100 * one.outcome.scored.value for one in runs]
    return f" (sd {stdev(values):.2f})" if len(values) > 1 else ""
