"""The pictures of a sweep: the best so far, each setting against the score, all settings at once, importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from hfft.errors import shortened
from hfft.reports.html.charts import Box, Chart, Choices, Plot, Scale, Words, path
from hfft.reports.html.numbers import axis_of, limit_of, score_text, share_text
from hfft.reports.html.parts import Figure, slugs
from hfft.reports.sweep.trials import Sweep, Trial, setting_text

SHAPES = {
    "failed": "m-3.6-3.6l7.2 7.2m0-7.2l-7.2 7.2",
    "pruned": "m0-4.4l4.4 4.4l-4.4 4.4l-4.4-4.4z",
    "complete": "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0",
    "best": "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0",
}
"""What stands for a trial, drawn from its place: the first below the others, for it has no score, the last on top."""

LINE = "M1 6H27"  # a sample of a line

WIDE = 50.0  # scores that differ by more than this factor, and are no shares, have an axis by powers of ten

GRADES = 5  # colours of lines

MOST_SPREAD, GOLDEN = 36.0, 0.618034  # units; steps of the golden ratio fill a range evenly, however many there are

MANY = 50  # beyond so many, lines are thinner

ROW, BAR_ROW = 60.0, 36.0  # units from one axis, or bar, to the next

LONGEST = 44  # letters of a name in a drawing


@dataclass(frozen=True)
class SettingAxis:
    """The places of a setting's values."""

    name: str
    scale: Scale | Choices

    def __call__(self, settings: Mapping[str, Any]) -> float | None:
        """The place of what settings have; None where they have nothing that is on the axis."""
        if self.name not in settings:
            return None
        value = settings[self.name]
        if isinstance(self.scale, Choices):
            text = setting_text(value)
            return self.scale(self.scale.names.index(text)) if text in self.scale.names else None
        if not isinstance(value, (int, float)) or not self.scale.low <= value <= self.scale.high:
            return None
        return self.scale(value)

    @property
    def key(self) -> list[str]:
        """What the numbers along it stand for, where they stand for names."""
        return self.scale.key if isinstance(self.scale, Choices) else []


def setting_axis(sweep: Sweep, key: str, start: float, end: float) -> SettingAxis:
    """An axis with all that a setting could be, and what trials had beyond that."""
    told = sweep.space[key]
    seen = [trial.settings[key] for trial in sweep.trials if key in trial.settings]
    if told["kind"] == "choice":
        names = dict.fromkeys(setting_text(value) for value in [*told["choices"], *seen])
        return SettingAxis(key, Choices(list(names), start, end))
    log, whole = bool(told.get("log")), told["kind"] == "int"
    there = [value for value in seen if isinstance(value, (int, float)) and (value > 0 or not log)]
    low, high = min([told["low"], *there]), max([told["high"], *there])
    return SettingAxis(key, Scale(low, high, start, end, log=log, whole=whole))


def score_scale(sweep: Sweep, start: float, end: float) -> Scale | None:
    """The axis of the scores of all trials; None where no trial has one."""
    scores = [trial.score for trial in sweep.trials if trial.score is not None]
    axis = axis_of({"value": score} for score in scores)
    if axis is None:
        return None
    if limit_of({"value": score} for score in scores) is None and min(scores) > 0 and max(scores) > WIDE * min(scores):
        return Scale(min(scores), max(scores), start, end, log=True)
    return Scale(axis.low, axis.high, start, end)


def best_figures(sweep: Sweep) -> list[Figure]:
    """The best score so far, by the number of the trial, and by minutes where trials differ much in time."""
    seconds = [trial.told.get("seconds") or 0.0 for trial in sweep.trials]
    figures = [_best_figure(sweep, "trial", [trial.number for trial in sweep.trials], "number of the trial")]
    if max(seconds, default=0.0) > 2 * min(seconds, default=0.0):
        minutes = [whole / 60 for whole in accumulate(seconds)]
        figures.append(_best_figure(sweep, "time", minutes, "minutes of training, one trial after the other"))
    return [figure for figure in figures if figure is not None]


def _best_figure(sweep: Sweep, by: str, places: Sequence[float], x_name: str) -> Figure | None:
    box = Box()
    y = score_scale(sweep, box.bottom, box.top)
    if y is None:
        return None
    x = Scale(min(places), max(places), box.left + 8, box.right - 8, whole=by == "trial")
    ranked = {trial.number for trial in sweep.ranked}
    done = [(trial, x(place)) for trial, place in zip(sweep.trials, places, strict=True) if trial.number in ranked]
    so_far = list(accumulate((trial.score or 0.0 for trial, _ in done), min if sweep.less_is_better else max))
    points: list[tuple[float, float]] = []
    for (_, place), best in zip(done, so_far, strict=True):
        points += [(place, points[-1][1]), (place, y(best))] if points else [(place, y(best))]
    told = "No trial is complete."
    if so_far:
        told = f"From {score_text(so_far[0])} at trial {done[0][0].number} to {score_text(so_far[-1])} at the end."
    words = Words(f"best-by-{by}", f"Best {sweep.metric} so far by {by}", told, x_name, sweep.metric)
    own = sweep.unchanged
    across = y(own.score) if own is not None and own.score is not None else None
    marks = _marks(sweep, [x(place) for place in places], y, box)
    legend = [("best so far", LINE, "line stroke-0")] if points else []
    legend += [("the recipe's own values", LINE, "diagonal")] if across is not None else []
    shapes = {"marks": marks, "path": path(points), "across": across, "down": None}
    chart = Chart("trials", Plot(words, box, x, y), {**shapes, "legend": [*legend, *_legend(sweep, marks)]})
    return Figure(chart, "Best so far", f" by {by}{_direction(sweep)}")


def _direction(sweep: Sweep) -> str:
    return "; less is better" if sweep.less_is_better else ""


def _marks(sweep: Sweep, places: Sequence[float | None], y: Scale, box: Box) -> list[dict[str, Any]]:
    """What stands for each trial; a failed one has no score and stands at the foot."""
    marks = []
    for trial, x in zip(sweep.trials, places, strict=True):
        failed = trial.state == "failed"
        if x is None or trial.state not in SHAPES or (trial.score is None and not failed):
            continue
        place = box.bottom - 6 if trial.score is None else y(trial.score)
        for kind in [trial.state, *(["best"] if sweep.badge(trial.number) else [])]:
            title = f"trial {trial.number}, {trial.state}: {score_text(trial.score)}"
            marks.append({"kind": kind, "title": title, "path": f"M{x:g} {place:g}{SHAPES[kind]}"})
    return sorted(marks, key=lambda mark: list(SHAPES).index(mark["kind"]))


def _legend(sweep: Sweep, marks: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """What the shapes stand for that there are."""
    names = {"pruned": "pruned, at its last score", "failed": "failed, no score", "best": f"the {sweep.word}"}
    kinds = {mark["kind"] for mark in marks}
    return [(names.get(kind, kind), f"M14 6{SHAPES[kind]}", f"trial-{kind}") for kind in SHAPES if kind in kinds]


def setting_figures(sweep: Sweep) -> list[Figure]:
    """Each setting against the score, the most important first."""
    importance = sweep.told.get("importance") or {}
    keys = sorted(sweep.space, key=lambda key: -(importance.get(key) or 0.0))
    figures = [
        _setting_figure(sweep, key, id_, importance.get(key))
        for key, id_ in zip(keys, slugs(keys, "setting-"), strict=True)
    ]
    return [figure for figure in figures if figure is not None]


def _setting_figure(sweep: Sweep, key: str, id_: str, share: float | None) -> Figure | None:
    box, best, own = Box(), sweep.best, sweep.recipe_values
    y, axis = score_scale(sweep, box.bottom, box.top), setting_axis(sweep, key, box.left + 8, box.right - 8)
    if y is None:
        return None
    told = [] if share is None else [f"importance {share_text(share)}"]
    told += [] if best is None or key not in best.settings else [f"{sweep.word} {setting_text(best.settings[key])}"]
    told += [f"recipe {setting_text(own[key])}"] if key in own else []
    words = Words(id_, f"{sweep.metric} by {key}", f"{', '.join(told)}.", shortened(key, LONGEST), sweep.metric)
    marks = _marks(sweep, _spread([axis(trial.settings) for trial in sweep.trials], axis.scale), y, box)
    down = axis(own)
    legend = [("the recipe's own value", LINE, "diagonal")] if down is not None else []
    legend = [*legend, *_legend(sweep, marks), *((name, "", "") for name in axis.key)]
    shapes = {"marks": marks, "path": "", "across": None, "down": down, "legend": legend}
    caption = "".join(f" · {each}" for each in told) + _direction(sweep)
    return Figure(Chart("trials", Plot(words, box, axis.scale, y), shapes), key, caption)


def _spread(places: Sequence[float | None], scale: Scale | Choices) -> list[float | None]:
    """The places of trials; those at the same choice stand beside each other, so that each is seen."""
    if not isinstance(scale, Choices):
        return list(places)
    width = min(MOST_SPREAD, (scale.end - scale.start) / len(scale.names) / 2)
    return [
        None if place is None else place + width * (number * GOLDEN % 1 - 0.5) for number, place in enumerate(places)
    ]


def importance_figure(importance: Mapping[str, float | None], metric: str) -> Figure:
    """How much of the difference in score each setting explains, as bars."""
    rows = sorted(((key, share or 0.0) for key, share in importance.items()), key=lambda row: -row[1])
    box = Box(14, 4, 340, 4 + BAR_ROW * len(rows))
    x = Scale(0, max([share for _, share in rows], default=0.0) or 1.0, box.left, box.right)
    told = ", ".join(f"{key} {share_text(share)}" for key, share in rows)
    words = Words("importance-bars", f"Importance of each setting for {metric}", f"{told}.")
    bars = [(shortened(key, LONGEST), x(share), share_text(share)) for key, share in rows]
    plot = Plot(words, box, x, Scale(0, len(rows), box.top, box.bottom))
    return Figure(Chart("bars", plot, {"bars": bars}), "Importance", " of each setting: its share of how scores vary")


def parallel_figure(sweep: Sweep) -> Figure | None:
    """All settings at once: a line for each trial from axis to axis, down to its score."""
    box = Box(14, 30, 386, 30 + ROW * len(sweep.space))
    score = score_scale(sweep, *((box.right, box.left) if sweep.less_is_better else (box.left, box.right)))
    if score is None or len(sweep.ranked) < 2:
        return None
    axes = [setting_axis(sweep, key, box.left, box.right) for key in sweep.space]
    plot = Plot(_parallel_words(sweep), box, score, Scale(0, len(axes), box.top, box.bottom))
    lines = _graded(sweep)
    drawn = []
    for trial, kind in lines:
        places = [*(axis(trial.settings) for axis in axes), score(trial.score or 0.0)]
        points = [None if place is None else (place, plot.y(number)) for number, place in enumerate(places)]
        drawn.append((f"trial {trial.number}: {score_text(trial.score)}", path(points), f"trial {kind}"))
    samples = {f"the {sweep.word}": "top", "best scores": "grade-0", "middle": "grade-2", "worst": "grade-4"}
    kinds = {word for _, kind in lines for word in kind.split()}
    legend = [(n, LINE, f"trial {kind}") for n, kind in {**samples, "pruned": "pruned"}.items() if kind in kinds]
    legend += [(f"{axis.name} {name}", "", "") for axis in axes for name in axis.key]
    rows = [*((shortened(axis.name, LONGEST), axis.scale) for axis in axes), (sweep.metric, score)]
    chart = Chart("parallel", plot, {"lines": drawn, "rows": rows, "legend": legend})
    return Figure(chart, "Settings together", f", a line for each trial; {sweep.metric}: better to the right")


def _parallel_words(sweep: Sweep) -> Words:
    lines = f"A line for each of {len(sweep.ranked)} complete trials, and for those that were pruned"
    title = f"All settings of each trial and its {sweep.metric}"
    return Words("parallel-lines", title, f"{lines}; the table of trials has the numbers.")


def _graded(sweep: Sweep) -> list[tuple[Trial, str]]:
    """Trials that have a score with how their lines look: the pruned ones first, the best on top."""
    lines = [(trial, "pruned") for trial in sweep.trials if trial.state == "pruned" and trial.score is not None]
    last, many = max(len(sweep.ranked) - 1, 1), " many" if len(sweep.ranked) > MANY else ""
    for rank, trial in reversed(list(enumerate(sweep.ranked))):
        lines.append((trial, f"grade-{rank * (GRADES - 1) // last}{many}"))
    return [*lines, *((trial, "top") for trial in sweep.ranked if sweep.badge(trial.number))]
