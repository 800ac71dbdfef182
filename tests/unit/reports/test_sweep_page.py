"""The page of a sweep, from dictionaries alone: what it says, how many marks it draws, what it makes of odd sweeps."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from hfft.reports.sweep import page
from tests.unit.reports.test_page import EVIL, read

Told = dict[str, Any]
RATES = {"kind": "float", "low": 1e-5, "high": 1e-3, "log": True}
SPACE = {
    "optim.lr": RATES,
    "train.epochs": {"kind": "int", "low": 1, "high": 5, "log": False},
    "tune.layer_decay": {"kind": "choice", "choices": [0.7, 0.8, None, {"head": True}]},
}


def trial(number: int, score: float | None, state: str = "complete", **more: Any) -> Told:
    choices = SPACE["tune.layer_decay"]["choices"]
    settings = {"optim.lr": 1e-5 * (number + 1), "train.epochs": 3, "tune.layer_decay": choices[number % 4]}
    ends = {"low": None, "high": None} if score is None else {"low": score - 0.01, "high": score + 0.01}
    cost = {"steps": 282, "seconds": 30.0, "started": "2026-12-01T10:00:00Z", "worker": "host-1"}
    told = {"number": number, "state": state, "settings": settings, "score": score, **ends, "evaluations": []}
    return {**told, **cost, "folder": f"trials/{number:04d}", "retry_of": None, "error": None, **more}


def sweep(*trials: Told, **more: Any) -> Told:
    told = {"name": "clinc", "task": "text-classification", "model": "a/model", "metric": "accuracy"}
    told |= {"direction": "maximize", "method": "tpe", "pruner": None, "space": SPACE, "eval_examples": 3000}
    told |= {"recipe_values": {"optim.lr": 2e-5, "train.epochs": 3, "tune.layer_decay": 0.8}, "importance": None}
    return {**told, "trials": list(trials), "finalists": [], "chosen": None, "warnings": [], **more}


def whole() -> Told:
    """A sweep that has all there is: trial 1 has the recipe's values, trial 3 the best score, trial 0 was chosen."""
    trials = [
        trial(0, 0.82),
        trial(1, 0.5),
        trial(2, None, "pruned", evaluations=[[40, 0.2], [80, 0.31]], steps=80, seconds=9.0),
        trial(3, 0.83),
        trial(4, None, "failed", error="TrainingError: the loss is not finite.\nTraceback", steps=None, seconds=None),
        trial(5, None, "running", retry_of=4, steps=None, seconds=None),
    ]
    test = {"accuracy": {"value": 0.8, "low": 0.78, "high": 0.82}}
    eval_ = {"accuracy": {"value": 0.815, "low": 0.8, "high": 0.83}}
    seeds = {"seeds": [0, 1], "spread": 0.01}
    return sweep(
        *trials,
        importance={"train.epochs": 0.1, "optim.lr": 0.7, "tune.layer_decay": 0.2},
        finalists=[
            {
                "number": 3,
                "mean": 0.8,
                "low": 0.79,
                "high": 0.81,
                "values": [0.81, 0.79],
                "folder": "final/0003",
                **seeds,
            },
            {
                "number": 0,
                "mean": 0.815,
                "low": 0.8,
                "high": 0.83,
                "values": [0.81, 0.82],
                "folder": "final/0",
                **seeds,
            },
        ],
        chosen={"number": 0, "settings": {}, "eval": eval_, "test": test, "folder": "final/0", "recipe": "best.yaml"},
        warnings=["The best optim.lr lies at the end of its range."],
    )


def text(html: str) -> str:
    """The words of a page, as they are read."""
    body = html.partition("<body>")[2]
    return " ".join("".join(read(f"<body>{body}".removesuffix("\n").removesuffix("</html>")).words).split())


def section(html: str, id_: str) -> str:
    return html.partition(f'<section id="{id_}">')[2].partition("</section>")[0]


def marks(html: str) -> dict[str, int]:
    """How many shapes of each kind are drawn in a section, legend and all."""
    kinds = re.findall(r'class="trial-(\w+)"', html)
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def test_the_findings_stand_first() -> None:
    words = text(page(whole()))
    assert (
        "Chosen: optim.lr=1e-5, train.epochs=3, tune.layer_decay=0.7 (trial 0), with accuracy 0.8200 "
        "(0.8100 to 0.8300) on eval, one of the best of 3 trials, which flatters it; 0.8150 on average over 2 seeds; "
        "the recipe's own values have 0.5000. On the test split, scored for it alone: 0.8000 (0.7800 to 0.8200). "
        "Trial 3 has 0.8300 on eval, but was not chosen." in words
    )
    assert "6 trials (3 complete, 1 pruned, 1 failed, 1 running); 1 min 39 s of training" in words


def test_scores_stand_in_large_figures_test_first() -> None:
    told = whole()
    told["chosen"]["test-hard"] = {"accuracy": {"value": 0.6, "low": 0.5, "high": 0.7}}
    cards = page(told).partition('<div class="headline">')[2].partition("</header>")[0]
    assert re.findall(r'class="value">([^<]+)<', cards) == ["0.800", "0.600", "0.815"]
    assert re.findall(r'class="range quiet">([^<]+)<', cards) == [
        "95%: 0.780 to 0.820",
        "95%: 0.500 to 0.700",
        "mean of 2 seeds · 95%: 0.800 to 0.830 over seeds, not over examples",
    ]
    assert cards.count(">selected<") == 1


def test_sections_stand_in_their_order() -> None:
    ids = re.findall(r'<section id="([\w-]+)">', page(whole()))
    assert ids == ["best", "settings", "importance", "together", "finalists", "trials", "recipe", "warnings"]


def test_states_are_told_apart_by_shape_and_each_trial_has_a_mark() -> None:
    best = section(page(whole()), "best")
    one = {"failed": 2, "pruned": 2, "complete": 4, "best": 2}  # a sample of each in the legend
    assert marks(best) == {kind: 2 * count for kind, count in one.items()}, "by trial, and by time"
    shapes = dict(re.findall(r'd="M[\d.]+ [\d.]+(m[^"]+)" class="trial-(\w+)"', best))
    assert len(shapes) == 4
    assert "trial 2, pruned: 0.3100" in best, "the last score before it was pruned"
    assert "the recipe&#39;s own values" in best


def test_the_best_line_goes_by_the_direction() -> None:
    trials = [trial(0, 0.5), trial(1, 0.7), trial(2, 0.4)]
    up, down = (section(page(sweep(*trials, direction=way)), "best") for way in ("maximize", "minimize"))
    assert "From 0.5000 at trial 0 to 0.7000 at the end." in up
    assert "From 0.5000 at trial 0 to 0.4000 at the end." in down
    assert "less is better" in down
    assert "less is better" not in up
    line, _ = re.findall(r'<path d="(M[^"]+)" class="line stroke-0"/>', up)  # and its sample
    assert line.count("L") == 4, "a step up at the second trial, on to the third"


def test_each_setting_has_a_chart_the_most_important_first() -> None:
    settings = section(page(whole()), "settings")
    names = re.findall(r"<strong>([^<]+)</strong>([^<]*)<", settings)
    assert names == [
        ("optim.lr", " · importance 70% · chosen 1e-5 · recipe 2e-5"),
        ("tune.layer_decay", " · importance 20% · chosen 0.7 · recipe 0.8"),
        ("train.epochs", " · importance 10% · chosen 3 · recipe 3"),
    ]
    assert settings.count('class="diagonal"') == 6, "the recipe's value and its sample, three times"
    rates = settings.partition("</figure>")[0]
    assert re.findall(r'text-anchor="middle">([^<]+)<', rates)[:2] == ["1e-5", "2e-5"], "an axis by powers of ten"
    assert [choice in settings for choice in (">null<", ">{head: true}<")] == [True, True]


def test_choices_without_room_have_numbers() -> None:
    long = [f"a long name of a choice {number}" for number in range(6)]
    trials = [trial(number, 0.5 + number / 10, settings={"a": name}) for number, name in enumerate(long)]
    told = sweep(*trials, space={"a": {"kind": "choice", "choices": long}}, recipe_values={"a": "elsewhere"})
    settings = section(page(told), "settings")
    assert re.findall(r'text-anchor="middle">([^<]+)<', settings) == list("123456")
    assert '<span dir="auto">6: a long name of a choice 5</span>' in settings
    assert "recipe elsewhere" in settings
    assert 'class="diagonal"' not in settings, "what is no choice has no place on the axis"


def test_values_beyond_the_space_have_a_place() -> None:
    trials = [trial(0, 0.5, settings={"optim.lr": 1e-1}), trial(1, 0.6, settings={"optim.lr": 1e-4})]
    settings = section(page(sweep(*trials, space={"optim.lr": RATES})), "settings")
    assert marks(settings)["complete"] == 3
    places = [float(place) for place in re.findall(r'd="M([\d.]+) [\d.]+m[^"]+" class="trial-complete"', settings)]
    assert max(places) <= 388


def test_importance_is_bars_or_a_sentence() -> None:
    told = whole()
    bars = section(page(told), "importance")
    assert bars.count('class="bar fill-0"') == 3
    assert re.findall(r'class="strong">([^<]+)<', bars) == ["70%", "20%", "10%"]
    none = section(page({**told, "importance": None}), "importance")
    assert "No importance was estimated: the complete trials (3) are too few for that" in none
    assert "<svg" not in none


def test_lines_join_the_settings_of_each_trial_with_its_score() -> None:
    together = section(page(whole()), "together")
    drawn = re.findall(r'<path d="(M[^"]+)" class="trial ([\w -]+)"/></g>', together)
    assert [kind for _, kind in drawn] == ["pruned", "grade-4", "grade-2", "grade-0", "top"]
    assert all(path.count("L") == 3 for path, _ in drawn), "three settings and the score"
    ends = [float(path.rpartition("L")[2].split()[0]) for path, _ in drawn]
    assert ends[:4] == sorted(ends[:4]), "the better, the farther to the right"


def test_finalists_stand_by_their_means() -> None:
    finalists = section(page(whole()), "finalists")
    assert re.findall(r'href="([^"]+)">([^<]+)<', finalists) == [
        ("./final/0/report.html", "trial 0"),
        ("./final/0003/report.html", "trial 3"),
    ]
    assert finalists.count('class="range stroke-0"') == 2
    assert "0.8100, 0.8200" in finalists


def test_trials_stand_by_their_scores_with_links_and_errors() -> None:
    trials = section(page(whole()), "trials")
    rows = re.findall(r'scope="row">(?:<a href="([^"]+)">)?(\d)', trials)
    assert [number for _, number in rows] == ["3", "0", "1", "2", "4", "5"]
    assert rows[0][0] == "./trials/0003/report.html"
    assert rows[4][0] == "", "a trial that failed has no report"
    assert "TrainingError: the loss is not finite." in trials
    assert "Traceback" not in trials
    assert "trial 4 again" in trials


def test_many_trials_are_folded() -> None:
    trials = section(page(sweep(*(trial(number, number / 200) for number in range(200)))), "trials")
    shown, _, folded = trials.partition("<details")
    assert "The 10 best of 200 trials." in shown
    assert re.findall(r"trials/(\d+)/", shown) == [f"{number:04d}" for number in range(199, 189, -1)]
    assert folded.count('scope="row"') == 200
    assert "error" not in shown


def test_the_recipe_of_the_best_can_be_typed() -> None:
    recipe = section(page(whole()), "recipe")
    assert "<code>hfft train best.yaml</code>" in recipe
    settings = {"optim.lr": 1.2345e-05, "tune.freeze": {"blocks": 4}, "model.revision": "12", "data.a": True}
    html = section(page(sweep(trial(0, 0.5, settings=settings))), "recipe")
    assert "best.yaml" not in html, "nothing was chosen yet"
    (typed,) = re.findall("<code>(.*?)</code>", html, re.DOTALL)
    assert typed.replace("&#39;", "'").replace("&#34;", '"').split(" \\\n  ") == [
        "hfft train recipe.yaml",
        "optim.lr=1.2345e-05",
        "'tune.freeze={blocks: 4}'",
        """'model.revision='"'"'12'"'"''""",
        "data.a=true",
    ]


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [trial(0, None, "failed", error="no")],
        [trial(0, None, "pruned", evaluations=[[1, 0.2]]), trial(1, None, "pruned")],
        [trial(0, None, "running", steps=None, seconds=None)],
        [trial(0, None), trial(1, float("nan"))],
    ],
    ids=["none", "failed", "pruned", "running", "no scores"],
)
def test_a_sweep_without_a_complete_trial_says_so(trials: list[Told]) -> None:
    html = page(sweep(*trials))
    assert "No trial is complete, so nothing can be said of the settings yet." in text(html)
    assert 'id="recipe"' not in html
    assert 'id="together"' not in html


def test_the_best_of_several_is_said_to_run_high() -> None:
    words = text(page(sweep(trial(0, 0.5), trial(1, 0.6), trial(2, 0.4))))
    assert "accuracy 0.6000 (0.5900 to 0.6100) on eval, the best of 3 trials, which flatters it." in words
    assert "selected: of 3 trials by this very score, which flatters it." in words


def test_trials_of_the_same_choice_stand_beside_each_other() -> None:
    trials = [trial(number, 0.5, settings={"a": [True, False][number % 2]}) for number in range(20)]
    told = sweep(*trials, space={"a": {"kind": "choice", "choices": [True, False]}})
    drawn = re.findall(r'd="M([\d.]+) [\d.]+m[^"]+" class="trial-complete"', section(page(told), "settings"))[:20]
    places = [float(place) for place in drawn]
    assert len(set(places)) == 20
    assert max(places[::2]) < min(places[1::2])


def test_a_single_trial_is_no_choice() -> None:
    words = text(page(sweep(trial(0, 0.5))))
    assert "Best so far: optim.lr=1e-5" in words
    assert "flatters" not in words
    assert "1 trial (1 complete)" in words
    assert "selected" not in words


def test_whatever_stands_in_a_sweep_is_text() -> None:
    told = whole()
    told |= {"name": EVIL, "task": EVIL, "model": EVIL, "metric": EVIL, "method": EVIL, "warnings": [EVIL]}
    told["space"] = {EVIL: {"kind": "choice", "choices": [EVIL, True, None]}, **SPACE}
    told["chosen"]["recipe"] = EVIL
    for each in told["trials"]:
        each |= {"error": EVIL, "worker": EVIL, "folder": EVIL, "settings": {EVIL: EVIL, **each["settings"]}}
    reader = read(page(json.loads(json.dumps(told))))
    assert "script" not in reader.names
    assert "img" not in reader.names
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert all(value.startswith(("#", "data:,", "./")) for value in reader.values("href"))
    ids = reader.values("id")
    assert len(set(ids)) == len(ids)
    assert {value[1:] for value in reader.values("href") if value.startswith("#")} <= set(ids)
    assert {part for value in reader.values("aria-labelledby") for part in value.split()} <= set(ids)
    assert reader.untitled == 0, "each drawing says first what it is"


def test_losses_far_apart_have_an_axis_by_powers_of_ten() -> None:
    told = sweep(trial(0, 900.0), trial(1, 2.0), trial(2, 30.0), metric="mse", direction="minimize")
    best = section(page(told), "best")
    assert re.findall(r'text-anchor="end">([^<]+)<', best)[:3] == ["10", "100", "number of the trial"]
