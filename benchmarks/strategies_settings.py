"""What the page of benchmarks/strategies.py says of settings: learning rates, defaults, recipes, and what is unlike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import mean

from strategies_plan import METHODS, TRIAL_SEED, Study, best_methods, chosen_rate, common
from strategies_runs import Done, of_stage
from strategies_text import listed, markdown, span


def command(study: Study) -> str:
    """How to do the study again."""
    given = f"--rows {study.rows} --epochs {study.epochs:g} --whole-epochs {study.whole_epochs:g}"
    given += f" --batch-size {study.batch_size} --seeds {' '.join(map(str, study.seeds))} --best {study.best}"
    given += f" --precision {study.precision} --at-once {study.at_once}"
    if study.methods != METHODS:
        given += f" --methods {' '.join(json.dumps(method.name) for method in study.methods)}"
    return f"python benchmarks/strategies.py --data path/to/clinc150 --runs runs/strategies.jsonl {given}"


def marked(study: Study, name: str) -> str:
    """A method's name, with a star where there is more to say of it."""
    return rf"{name} \*" if study.method(name).note else name


def notes(study: Study) -> str:
    """What is to be said of the methods with a star."""
    return "\n".join(rf"- \* {method.name}: {method.note}" for method in study.methods if method.note)


def ranking(study: Study, done: Sequence[Done]) -> str:
    """Which methods go on to all rows, and whom the way of choosing them flatters."""
    best = best_methods(study, done)
    text = f"Highest mean validation accuracy above, {study.methods[0].name} aside: {listed(best)}."
    for method in study.methods[1:]:
        if "keep_best" in " ".join(method.overrides(study.epochs)):
            place = "it is among them with that help" if method.name in best else "it is not among them even so"
            text += f" This order flatters {method.name}, whose weights the same validation rows choose: {place}."
    return text


def rates(study: Study, done: Sequence[Done]) -> str:
    """The validation accuracy of every learning rate, and which were the best although at an end."""
    rows, ends = [], []
    for method in study.methods:
        best = chosen_rate(done, method.name)
        tried = {one.job.lr: one.validation for one in of_stage(done, "choose", method.name)}
        cells = [f"{lr:g}: {100 * found:.1f}" for lr, found in sorted(tried.items())]
        bold = [f"**{cell}**" if lr == best else cell for lr, cell in zip(sorted(tried), cells, strict=True)]
        kept = [one.validation for one in of_stage(done, "few", method.name)]
        rows.append([marked(study, method.name), " &nbsp; ".join(bold), f"{100 * mean(kept):.1f}"])
        if best in (min(tried), max(tried)) and len(tried) > 1:
            ends.append(f"{method.name} ({'lowest' if best == min(tried) else 'highest'})")
    text = markdown(
        [
            "method",
            f"rate: validation accuracy, %, seed {study.choosing_seed}",
            f"the chosen one, mean of the seeds {listed(study.seeds)}",
        ],
        rows,
    )
    text += (
        "\n\nWhich rates each method has to choose from was settled by hand, after a few trial runs with seed "
        f"{TRIAL_SEED} on the validation rows."
    )
    if ends:
        text += f"\n\nThe best is an end of what was tried, and one beyond it may be better: {', '.join(ends)}."
    return text


def defaults(study: Study, done: Sequence[Done]) -> str:
    """Where hfft's default learning rates lie beside those tried and chosen."""
    from hfft.workflows.build import DEFAULT_LR

    lines = [
        "What hfft takes where a recipe names no rate, beside what was tried and chosen here "
        f"({study.rows:,} rows, batches of {study.batch_size}, {study.epochs:g} epoch(s)):",
        "",
    ]
    for kind in dict.fromkeys(method.kind for method in study.methods):
        methods = [method for method in study.methods if method.kind == kind]
        chosen = [chosen_rate(done, method.name) for method in methods]
        default = DEFAULT_LR[kind]
        times = span(min(chosen) / default, max(chosen) / default, "{:.3g}".format)
        lines.append(
            f"- `{kind}` ({listed(method.name for method in methods)}): {default:g}, "
            f"{beside(default, [lr for method in methods for lr in method.rates])}. "
            f"Chosen: {span(min(chosen), max(chosen), '{:g}'.format)}, {times} times the default."
        )
    return "\n".join(lines)


def beside(default: float, tried: Sequence[float]) -> str:
    """Where a rate lies beside those tried."""
    all_tried = span(min(tried), max(tried), "{:g}".format)
    if min(tried) <= default <= max(tried):
        end = {min(tried): ", at their lower end", max(tried): ", at their upper end"}.get(default, "")
        return f"within the rates tried ({all_tried}){end}"
    where = "below" if default < min(tried) else "above"
    return f"{where} all rates tried ({all_tried}), so what it gives was not measured"


def overrides(study: Study, done: Sequence[Done]) -> str:
    """The changes to the recipe, as the command line takes them; those on all rows where they are others."""
    lines = ["- all methods: " + both(common(study, study.epochs)[1:], common(study, study.whole_epochs)[1:])]
    on_all = [study.methods[0].name, *best_methods(study, done)]
    for method in study.methods:
        few = method.overrides(study.epochs)
        whole = method.overrides(study.whole_epochs) if method.name in on_all else few
        lines.append(f"- {method.name}: {both(few, whole)}")
    return "\n".join(lines)


def both(few: Sequence[str], whole: Sequence[str]) -> str:
    """Settings on few rows, and those that differ on all of them."""
    text = " ".join(f"`{given}`" for given in few) or "nothing"
    others = " ".join(f"`{given}`" for given in whole if given not in few)
    return f"{text}; on all rows {others}" if others else text
