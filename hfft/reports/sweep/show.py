"""The page of a sweep: what was found first, then the pictures, the trials, and the recipe of the best."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hfft.errors import shortened
from hfft.reports.html.markup import filled
from hfft.reports.html.numbers import NOTHING, axis_of, duration_text, entry_strip, range_text, score_text
from hfft.reports.html.parts import Cell, Figure, Section, Table
from hfft.reports.html.scores import OF_SEEDS, headline
from hfft.reports.sweep.figures import best_figures, importance_figure, parallel_figure, setting_figures
from hfft.reports.sweep.trials import Sweep, Trial, entry_text, overrides, setting_text, settings_text

WHOLE, BEST = 15, 10  # so many trials are shown at once; of more, so many of the best

LONGEST = 160  # letters of an error, or of a setting's value, in a table


def page(told: dict[str, Any]) -> str:
    """The page of a sweep as one HTML file that needs nothing beside it.

    Args:
        told: What sweep.json holds; the sweep may still go on.
    """
    sweep = Sweep(told)
    parallel = parallel_figure(sweep)
    sections = [
        _figures("best", "The best so far", best_figures(sweep)),
        _figures("settings", "Each setting", setting_figures(sweep)),
        _importance(sweep),
        _figures("together", "Settings together", [parallel] if parallel is not None else []),
        _finalists(sweep),
        _trials(sweep),
        _recipe(sweep),
        _warnings(sweep),
    ]
    top = {
        "split": "",
        "in_short": _in_short(sweep),
        "summary": _summary(sweep),
        "cards": _cards(sweep),
        "ended": None,
        "warnings": (),
        "findings": (),
    }
    kind = " · ".join(str(told[key]) for key in ("task", "method", "pruner") if told.get(key))
    shown = [section for section in sections if section is not None]
    return filled("report.html", title=str(told["name"]), kind=f"sweep · {kind}", lead="", sections=shown, top=top)


def _in_short(sweep: Sweep) -> list[tuple[str, str]]:
    """What was found, as sentences that lead to where there is more of it."""
    best = sweep.best
    if best is None:
        return [("No trial is complete, so nothing can be said of the settings yet.", "#trials")]
    word, many, own = "Chosen" if sweep.chosen else "Best so far", len(sweep.ranked), sweep.unchanged
    said = f"{word}: {settings_text(best.settings)} (trial {best.number}), with {sweep.metric}"
    first = next(iter(sweep.ranked), best)
    of = "the best" if best is first else "one of the best"
    said += f" {entry_text(best.entry)} on eval{f', {of} of {many} trials, which flatters it' if many > 1 else ''}"
    finalist = sweep.finalist(best.number)
    said += f"; {score_text(finalist['mean'])} on average over {len(finalist['seeds'])} seeds" if finalist else ""
    said += f"; the recipe's own values have {score_text(own.score)}" if own is not None and own is not best else ""
    found, test = [(f"{said}.", "#recipe")], _entry(sweep, "test")
    if test is not None:
        found.append((f"On the test split, scored for it alone: {entry_text(test)}.", ""))
    if first.score != best.score:
        found.append((f"Trial {first.number} has {score_text(first.score)} on eval, but was not chosen.", "#trials"))
    return found


def _entry(sweep: Sweep, split: str) -> Mapping[str, Any] | None:
    """The score of the chosen settings on a split."""
    return (sweep.chosen.get(split) or {}).get(sweep.metric)


def _summary(sweep: Sweep) -> str:
    """How many trials there are, what they took, and what is scored."""
    seconds = sum(trial.told.get("seconds") or 0.0 for trial in sweep.trials)
    workers = len({trial.told["worker"] for trial in sweep.trials if trial.told.get("worker")})
    took = f"; {duration_text(seconds)} of training{f' by {workers} workers' if workers > 1 else ''}" if seconds else ""
    examples = sweep.told.get("eval_examples")
    scored = f", all scored on the same {examples:,} eval examples" if examples else ""
    return f"{sweep.counts}{took}{scored}. Model: {sweep.told.get('model', NOTHING)}"


def _cards(sweep: Sweep) -> list[dict[str, Any]]:
    """The scores of the best settings in large figures: test first, for nothing was chosen by it; eval last."""
    best, metric, many = sweep.best, sweep.metric, len(sweep.ranked)
    if best is None:
        return []
    tests = [split for split in sweep.chosen if split.partition("-")[0] == "test" and _entry(sweep, split)]
    entries = {split: _entry(sweep, split) for split in tests}
    entries["eval"] = _entry(sweep, "eval") or best.entry
    first, entry = next(iter(entries.items()))
    scores = {split: {metric: found} for split, found in entries.items()}
    cards = headline({"headline": {"split": first, "metric": metric, **(entry or {})}, "scores": scores})
    cards[-1]["why_selected"] = f"of {many} trials by this very score, which flatters it" if many > 1 else ""
    finalist = sweep.finalist(best.number)
    if finalist:
        cards[-1]["under"] = f"mean of {len(finalist['seeds'])} seeds · {cards[-1]['under']} {OF_SEEDS}"
    return cards


def _figures(id_: str, title: str, figures: list[Figure]) -> Section | None:
    return Section(id_, title, "figures", {"figures": figures}) if figures else None


def _importance(sweep: Sweep) -> Section:
    """Which setting the score hangs on; a sentence where that cannot be told."""
    importance = sweep.told.get("importance")
    if importance:
        figures, notes = [importance_figure(importance, sweep.metric)], ["It tells how much, not which way."]
    else:
        why = f"the complete trials ({len(sweep.ranked)}) are too few for that, or their scores too much alike"
        figures, notes = [], [f"No importance was estimated: {why}."]
    content = {"figures": figures, "notes": notes, "scores": None}
    return Section("importance", "Importance", "curves", content)


def _finalists(sweep: Sweep) -> Section | None:
    """The best few, trained again with several seeds: the best mean first."""
    finalists = sweep.told.get("finalists")
    if not finalists:
        return None
    ordered = sorted(finalists, key=lambda one: (one["mean"] or 0.0) * (1 if sweep.less_is_better else -1))
    settings = {trial.number: settings_text(trial.settings) for trial in sweep.trials}
    entries = [{**one, "value": one["mean"]} for one in ordered]
    axis = axis_of(entries)
    rows = [
        (
            _run(f"trial {entry['number']}", entry.get("folder"), sweep.badge(entry["number"])),
            Cell(score_text(entry["mean"]), small=range_text(entry, 3)),
            Cell(strip=entry_strip(f"trial {entry['number']}", {"": entry}, axis)) if axis is not None else "",
            score_text(entry.get("spread")),
            Cell(", ".join(map(score_text, entry["values"])), small=f"seeds {', '.join(map(str, entry['seeds']))}"),
            settings.get(entry["number"], NOTHING),
        )
        for entry in entries
    ]
    columns = ("", "mean", Cell(axis=axis), "spread (standard deviation)", "each seed", "settings")
    lead = f"The best few settings, trained again with several seeds: {sweep.metric} on eval, intervals over seeds."
    table = Table(columns, rows, "Finalists, the best mean first", words=(0, 5))
    return Section("finalists", "Finalists", "trials", {"lead": lead, "table": table, "all": None})


def _trials(sweep: Sweep) -> Section:
    """The trials as a table, the best first."""
    ranks = {trial.number: rank for rank, trial in enumerate(sweep.ranked)}
    ordered = sorted(sweep.trials, key=lambda trial: (ranks.get(trial.number, len(ranks)), trial.number))
    table = _trial_table(sweep, ordered)
    long = len(ordered) > WHOLE
    content = {
        "lead": f"The {BEST} best of {len(ordered)} trials." if long else "",
        "table": _trial_table(sweep, ordered[:BEST]) if long else table,
        "all": table if long else None,
    }
    return Section("trials", "Trials", "trials", content)


def _trial_table(sweep: Sweep, trials: list[Trial]) -> Table:
    errors = any(trial.told.get("error") for trial in trials)
    columns = ["trial", "state", f"{sweep.metric} on eval", *sweep.space, "steps", "time", *["error"] * errors]
    rows = [[*_trial_cells(sweep, trial), *[_error(trial)] * errors] for trial in trials]
    worded = [3 + place for place, told in enumerate(sweep.space.values()) if not _is_of_numbers(told)]
    words = [0, 1, *worded, *([len(columns) - 1] if errors else [])]
    return Table(columns, rows, "Trials, the best first", words=words)


def _is_of_numbers(told: Mapping[str, Any]) -> bool:
    return all(isinstance(choice, (int, float)) for choice in told.get("choices") or ())


def _trial_cells(sweep: Sweep, trial: Trial) -> list[Any]:
    again, badge = trial.told.get("retry_of"), sweep.badge(trial.number)
    steps, seconds = trial.told.get("steps"), trial.told.get("seconds")
    settings = (setting_text(trial.settings[key]) if key in trial.settings else NOTHING for key in sweep.space)
    return [
        _run(str(trial.number), trial.told.get("folder") if trial.state == "complete" else None, badge),
        trial.state if again is None else Cell(trial.state, small=f"trial {again} again"),
        Cell(score_text(trial.score), small=range_text(trial.entry, 3)),
        *(shortened(text, LONGEST) for text in settings),
        NOTHING if steps is None else f"{steps:,}",
        NOTHING if seconds is None else duration_text(seconds),
    ]


def _error(trial: Trial) -> str:
    """The first line of what went wrong."""
    return shortened(str(trial.told.get("error") or "").strip().partition("\n")[0], LONGEST)


def _run(name: str, folder: str | None, badge: str) -> Cell:
    """The name of a run, with a link to its report where it has one."""
    return Cell(name, link=f"./{quote(folder)}/report.html" if folder else "", badge=badge)


def _recipe(sweep: Sweep) -> Section | None:
    """How to train with the best settings."""
    best = sweep.best
    if best is None:
        return None
    recipe = sweep.chosen.get("recipe")
    commands = [("In the folder of this page:", f"hfft train {shlex.quote(recipe)}")] if recipe else []
    typed = " \\\n  ".join(["hfft train recipe.yaml", *overrides(best.settings)])
    commands.append(
        (f"{'Or with' if recipe else 'With'} your own recipe.yaml and the settings typed behind it:", typed)
    )
    rows = [
        (key, setting_text(sweep.recipe_values[key]) if key in sweep.recipe_values else NOTHING, setting_text(value))
        for key, value in best.settings.items()
    ]
    columns = ("setting", "recipe", f"trial {best.number}")
    table = Table(columns, rows, f"What the recipe has, and the {sweep.word} trial", words=(0, 1, 2))
    return Section("recipe", "The recipe of the best", "commands", {"commands": commands, "table": table})


def _warnings(sweep: Sweep) -> Section | None:
    warnings = sweep.told.get("warnings")
    content = {"said": warnings, "nothing": False, "findings": None, "splits": None, "labels": None}
    return Section("warnings", "Warnings", "checks", content) if warnings else None
