"""Law 4: saved then loaded gives the same answers, with plain transformers and without hfft."""

from __future__ import annotations

import pytest

import hfft
from hfft.testing import assert_alike, check_repeats, predictions
from tests.laws.kinds import assert_adapter_gives_what_merged_does, kind_of, questions
from tests.laws.runs import ENDS, LAWFUL, keep_best, trusted
from tests.tiny import VARIANTS

IN_WINDOWS = ("windows", "long-documents", "long-contexts")  # which plain transformers does not read

AGREEING = [
    *((task, strategy) for task in LAWFUL for strategy in ENDS),
    *(
        (name, "full") for name in VARIANTS if name not in ("windows", "long-documents", "long-contexts")
    ),  # the pipelines know none
]


@pytest.mark.parametrize(("task", "strategy"), AGREEING)
def test_transformers_agrees_without_hfft(tiny, trained, plain, tmp_path, task, strategy):
    """By its pipeline, or by the code that stands in the model's card."""
    recipe, run = tiny(task), trained(task, strategy)
    said = plain(kind_of(task, recipe).asked, run / "model", questions(task, recipe, tmp_path))
    told = [{name: row[name] for name in said[0]} for row in predictions(run)]
    assert_alike(said, told)


@pytest.mark.parametrize("task", LAWFUL)
def test_the_adapter_folder_gives_the_same_logits_as_the_merged_model(tiny, trained, task):
    recipe, run = tiny(task), trained(task, "freeze+decay+lora")
    assert_adapter_gives_what_merged_does(task, recipe, run)


@pytest.mark.parametrize("strategy", ENDS)
@pytest.mark.parametrize("task", LAWFUL)
def test_no_file_for_others_names_a_path_of_this_machine(tiny, trained, task, strategy):
    recipe, run = tiny(task), trained(task, strategy)
    for file in (run / "model").iterdir():
        assert str(run.parent.parent).encode() not in file.read_bytes(), file
        assert str(recipe["model"]).encode() not in file.read_bytes(), file
    assert not list(run.rglob("*.bin"))
    assert not list(run.rglob("*.pt*"))
    assert not list(run.rglob(".tmp-*"))


@pytest.mark.parametrize("task", LAWFUL)
def test_the_written_recipe_repeats_the_run(tiny, tmp_path, task):
    short = hfft.Recipe.from_dict(tiny(task), keep_best(task, tiny(task)), "train.epochs=1")
    check_repeats(short, tmp_path, trusted(tiny(task)))
