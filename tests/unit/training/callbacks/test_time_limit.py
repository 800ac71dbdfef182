"""How long a run may train, as people write it."""

from __future__ import annotations

import pytest

import hfft
from hfft.errors import RecipeError

RECIPE = {"task": {"name": "text-classification"}, "data": {"hub": "some/data"}, "model": "some/model"}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("600", 600), ("2.5", 2.5), ("'30'", 30), ("90s", 90), ("45m", 2700), ("1.5 h", 5400), ("2e3", 2000)],
)
def test_times_are_read_as_seconds(written, seconds):
    assert hfft.Recipe.from_dict(RECIPE, f"train.time_limit={written}").train.time_limit == seconds


@pytest.mark.parametrize(
    ("written", "said"), [("0", "greater than 0"), ("soon", "'soon' is no time"), ("2d", "90s, 45m or 2h")]
)
def test_what_is_no_time_is_refused(written, said):
    with pytest.raises(RecipeError, match=said):
        hfft.Recipe.from_dict(RECIPE, f"train.time_limit={written}")
