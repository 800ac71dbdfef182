"""Modules of the `evaluate` library, written on the spot: what they are given, and what becomes of what they give."""

from __future__ import annotations

import json
import textwrap

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hfft.errors import RecipeError, SetupError
from hfft.metrics import weighing
from hfft.metrics.custom import EvaluateModule, find_metric, refuse_same_names
from hfft.metrics.weighing import repeated
from hfft.testing import events
from tests.laws.runs import train

MODULE = """
import datasets
import evaluate
from datasets import Features, Sequence, Value
{imports}

class Written(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features={features})

    def _compute(self, predictions, references{arguments}):
{body}
"""
WHOLE = "Features({'predictions': Value('int32'), 'references': Value('int32')})"
TEXT = "Features({'predictions': Value('string'), 'references': Value('string')})"
F1 = {
    "features": WHOLE,
    "imports": "from sklearn.metrics import f1_score",
    "arguments": ", average='binary', pos_label=1",
    "body": "return {'f1': f1_score(references, predictions, average=average, pos_label=pos_label)}",
}
ANSWERS, TRUTHS = ["ham", "spam", "spam", "ham", "spam"], ["ham", "spam", "ham", "spam", "spam"]
NUMBERS = {"spam": 0, "ham": 1}  # not in the order of the alphabet


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    """The copies that the library imports are made here."""
    import evaluate.config

    place = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", place / "modules")
        patch.setattr(evaluate.config, "HF_METRICS_CACHE", place / "metrics")
        yield


@pytest.fixture
def _few_resamples(monkeypatch):
    monkeypatch.setattr(weighing, "RESAMPLES", 50)


@pytest.fixture
def write(tmp_path):
    """Writes a module, a folder with a script of its name, and gives its path."""

    def write(name="written", *, features=WHOLE, imports="", arguments="", body="return {'count': len(references)}"):
        body = textwrap.indent(body, " " * 8)
        (tmp_path / name).mkdir()
        text = MODULE.format(features=features, imports=imports, arguments=arguments, body=body)
        (tmp_path / name / f"{name}.py").write_text(text)
        return f"evaluate:{tmp_path / name}"

    return write


def module(setting):
    made = EvaluateModule(setting)
    made.numbers = NUMBERS
    return made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 1 / 2),  # that of ham, the second label of the model: one of two right, one of two found
        ("?pos_label=0", 2 / 3),
        ("?pos_label=spam", 2 / 3),
        ("?average=macro", (1 / 2 + 2 / 3) / 2),
    ],
)
def test_labels_are_numbered_as_the_model_numbers_them(write, query, expected):
    assert module(write(**F1) + query)(ANSWERS, TRUTHS) == {"evaluate_f1": pytest.approx(expected)}


def test_a_script_is_as_good_as_a_folder_and_texts_stay_texts(write):
    setting = write(features=TEXT, body="return {'same': sum(p == r for p, r in zip(predictions, references))}")
    assert module(f"{setting}/written.py")(ANSWERS, TRUTHS) == {"evaluate_same": 3.0}


def test_lists_of_tags_stay_lists(write):
    features = "Features({'predictions': Sequence(Value('string')), 'references': Sequence(Value('string'))})"
    setting = write(features=features, body="return {'tags': sum(map(len, predictions))}")
    assert module(setting)([["B", "O"], ["O"]], [["B", "O"], ["B"]]) == {"evaluate_tags": 3.0}


def test_any_of_several_kinds_of_input_will_do(write):
    setting = write(features=f"[{WHOLE}, {TEXT}]", body="return {'first': len(predictions[0])}")
    assert module(setting)(ANSWERS, TRUTHS) == {"evaluate_first": 3.0}


def test_tables_are_opened_and_what_is_no_number_is_left_out_and_said(write):
    body = "return {'PER': {'f1': 0.5, 'number': 2}, 'all': 1, 'each': [1, 2], 'version': 'a', 'odd': float('nan')}"
    made = module(write(body=body))
    assert made(ANSWERS, TRUTHS) == {"evaluate_f1/PER": 0.5, "evaluate_number/PER": 2.0, "evaluate_all": 1.0}
    said = made.warnings()
    assert len(said) == 2
    assert "gives 'each' as list of 2, which is no number and is left out" in said[0]


def test_a_module_without_any_number_is_refused(write):
    with pytest.raises(ValueError, match=r"gives 'each' as list of 5, and no number"):
        module(write(body="return {'each': list(predictions)}"))(ANSWERS, TRUTHS)


@pytest.mark.parametrize(("answer", "said"), [("eggs", "'eggs' is neither"), (0.5, "0.5 is neither")])
def test_answers_that_are_no_whole_numbers_are_refused(write, answer, said):
    with pytest.raises(ValueError, match=f"compares whole numbers, and {said}"):
        module(write(**F1))([answer], [answer])


def test_slow_modules_are_warned_of(write):
    made = module(write())
    made(ANSWERS, TRUTHS)
    assert made.warnings() == [] or made.seconds > 0.06
    made.seconds = 1.2
    assert "takes 1.2 s; its interval, of 1200 calls, about 24 min" in made.warnings()[0]


def test_values_of_weighted_examples_are_those_of_the_function(write):
    weights = np.random.default_rng(0).integers(3, size=(20, 30))
    given = repeated(module(write(**F1) + "?average=macro"), ANSWERS * 4, TRUTHS * 4)
    wanted = []
    for counts in weights.T:
        answers, truths = (np.repeat(np.array(rows * 4), counts) for rows in (ANSWERS, TRUTHS))
        wanted.append(f1_score(truths, answers, average="macro"))
    assert given.values(weights)["evaluate_f1"] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("evaluate:", "names no module"),
        ("evaluate:f1?macro", "'macro' is not of the form argument=value"),
        ("evaluate:f1?average=[", "is not valid YAML"),
        ("evaluate:./no_such", "there is no file no_such/no_such.py"),
        ("evaluate:/no/such.py", "there is no file /no/such.py"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_loaded(setting, said):
    with pytest.raises(RecipeError, match=said.replace("[", r"\[")):
        find_metric(setting, trust=True)


def test_it_needs_trust():
    with pytest.raises(RecipeError, match=r"'evaluate:f1': loading it runs code from outside hfft.*--trust"):
        find_metric("evaluate:f1", trust=False)


def test_a_hub_out_of_reach_is_said(tmp_path):
    with pytest.raises(SetupError, match="'evaluate:no-such-module': the Hub cannot be reached"):
        find_metric("evaluate:no-such-module", trust=True).load()  # type: ignore[attr-defined]


def test_a_module_that_wants_more_or_breaks_is_refused(write):
    features = "Features({'predictions': Value('string'), 'sources': Value('string')})"
    with pytest.raises(RecipeError, match="scores predictions and sources; hfft has"):
        module(write("greedy", features=features)).load()
    with pytest.raises(RecipeError, match="cannot be loaded: ZeroDivisionError"):
        module(write("broken", features="1 / 0")).load()
    with pytest.raises(SetupError, match=r"needs what is not installed.*no_such_package"):
        module(write("missing", imports="import no_such_package")).load()


def test_two_values_of_one_name_are_refused():
    refuse_same_names([("the task itself", ["f1"]), ("'a:b'", ["evaluate_f1"])])
    with pytest.raises(RecipeError, match="'f1' comes from the task itself and from 'a:b'"):
        refuse_same_names([("the task itself", ["f1"]), ("'a:b'", ["f1"])])


@pytest.mark.usefixtures("_few_resamples")
def test_a_run_reports_them_beside_its_own(tiny, tmp_path, write):
    setting = write(**F1)
    recipe = tiny("text-classification")
    overrides = ["train.epochs=1", "train.keep_best=evaluate_f1"]
    result = train(recipe, tmp_path / "run", *overrides, f"eval.metrics=['{setting}?average=macro']", trust=True)
    own, found = (result.scores["test"][name] for name in ("f1", "evaluate_f1"))
    assert found["value"] == pytest.approx(own["value"])
    assert found["low"] == pytest.approx(own["low"], abs=0.1)
    assert "evaluate_f1" in events(tmp_path / "run", "eval")[0]
    assert json.loads((tmp_path / "run" / "results.json").read_text())["eval"]["evaluate_f1"]["selected"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("['{0}']", "a metric failed when tried: ValueError: Target is multiclass"),
        ("['{0}?average=macro', '{0}?average=micro']", "'evaluate_f1' comes from .*macro' and from .*micro'"),
        ("['{0}?avarage=macro']", "unexpected keyword argument 'avarage'"),
    ],
)
def test_what_would_fail_later_fails_before_training(tiny, tmp_path, write, settings, said):
    metrics = f"eval.metrics={settings.format(write(**F1))}"
    with pytest.raises(RecipeError, match=said):
        train(tiny("text-classification"), tmp_path / "run", metrics, trust=True)
    assert not (tmp_path / "run" / "recipe.yaml").exists()
