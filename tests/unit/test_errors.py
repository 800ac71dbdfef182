"""What the doors rely on: exit codes, and suggestions for misspelt names."""

from __future__ import annotations

import signal

import pytest

from hfft import errors
from hfft.errors import near


@pytest.mark.parametrize(
    ("kind", "code"),
    [("RecipeError", 2), ("DataError", 2), ("ModelError", 2), ("SetupError", 2), ("TrainingError", 2)],
)
def test_the_exit_code_tells_users_errors_from_broken_runs(kind, code):
    error = getattr(errors, kind)("a message")
    assert isinstance(error, errors.HfftError)
    assert (error.exit_code, str(error)) == (code, "a message")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_exits_as_shells_have_it(number, code):
    assert errors.Stopped("stopped", number).exit_code == code


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("lable", " Did you mean 'label'?"),
        ("LABEL", " Did you mean 'label'?"),
        ("sentense", " Did you mean 'Sentence'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_near_suggests_the_nearest_name_whatever_its_case(name, suggestion):
    assert near(name, ["label", "Sentence", "id"]) == suggestion


@pytest.mark.parametrize(
    ("name", "names", "suggestion"),
    [
        ("acc", ["mcc", "accuracy", "f1"], "accuracy"),
        ("prec", ["recall", "precision_macro", "precision"], "precision"),
        ("WD", ["lr", "weight_decay", "width"], "weight_decay"),
        ("epoch", ["epochs", "patience"], "epochs"),
        ("a", ["accuracy"], None),
    ],
)
def test_a_name_cut_short_comes_before_one_that_is_spelt_alike(name, names, suggestion):
    assert near(name, names) == (f" Did you mean '{suggestion}'?" if suggestion else "")


def test_near_has_nothing_to_suggest_where_there_are_no_names():
    assert near("label", []) == ""
