"""The laws that hold for every task, as checks for tasks of one's own: `check_task(recipe)` tries them all.

What `check_estimator` is for estimators of scikit-learn. hfft's own tests try its tasks with these checks, and each
can be called alone. A law that does not hold is an AssertionError that says what differs.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from safetensors import safe_open
from torch import Tensor

from hfft import api
from hfft.io.run_files import read_events, read_lines
from hfft.io.run_folder import RunFolder, read_json, scored_splits
from hfft.recipe import Recipe
from hfft.training.weights import digest, left_out_of
from hfft.tuning.blocks import plain_name
from hfft.workflows.build import Setup, build
from hfft.workflows.resolve import resolve

TOLERANCE = 1e-5
"""How far numbers may differ that are summed up in another order, relative and absolute."""

_TIMING = ("train_seconds", "samples_per_second", "tokens_per_second", "warnings")
_ALL_KEPT = ("train.checkpoint_every=1", "train.keep_checkpoints=99")  # a checkpoint of each step
_BESIDE = ("truth", "unknown")  # what stands beside an answer in a file of predictions

Start = dict[str, Tensor]


def check_task(recipe: Recipe, trust: bool = False) -> None:
    """Trains a recipe of the task several times, and checks every law of this file on it.

    Args:
        recipe: Of a tiny model without dropout (`model.dropout: 0`), which runs in seconds. It learns from at least 20
            rows, and its test split is one file.
        trust: Whether code that the recipe names may run.

    Raises:
        AssertionError: A law does not hold.
        HfftError: The recipe cannot be trained.
    """
    with TemporaryDirectory(prefix="hfft-") as made:
        place = Path(made)
        check_micro_batches(with_settings(recipe, "train.log_every=1"), place / "micro_batches", trust=trust)
        check_batch_size(recipe, place / "batch_size", trust)
        check_frozen(with_settings(recipe, "tune.freeze.blocks=1"), place / "frozen", trust)
        twice = ("tune.freeze.blocks=1", "train.steps=null", "train.epochs=2")
        check_cache(with_settings(recipe, *twice), place / "cache", trust)
        check_resume(recipe, place / "resume", trust=trust)
        check_repeats(recipe, place / "repeats", trust)
        assert recipe.data.files is not None
        check_answers(place / "repeats" / "first", Path(recipe.data.root, str(recipe.data.files["test"])), trust)


def check_micro_batches(recipe: Recipe, folder: Path, sizes: Sequence[int] = (3, 1), trust: bool = False) -> None:
    """Law 1: how a batch is cut into micro-batches does not change the loss of a step.

    Args:
        recipe: Without dropout; `train.log_every` says how many losses are compared.
        folder: Where its runs are made.
        sizes: Rows of the micro-batches, which are compared with whole batches.
        trust: Whether code that the recipe names may run.
    """

    def cut_into(size: int | None) -> list[float]:
        of_size = with_settings(recipe, f"train.micro_batch_size={size or 'null'}")
        return losses(_train(of_size, folder / f"of_{size}", trust))

    whole = cut_into(None)
    for size in sizes:
        np.testing.assert_allclose(cut_into(size), whole, TOLERANCE, TOLERANCE, err_msg=f"micro-batches of {size} rows")


def check_batch_size(recipe: Recipe, folder: Path, trust: bool = False) -> None:
    """Law 8: each row weighs the same in an epoch, however rows are batched.

    With weights that stand still, the mean of the steps' losses, each with its `weight`, is that over the data.
    """
    still = ("optim.lr=1e-30", "optim.weight_decay=0", "train.epochs=null", "train.log_every=1")
    train = assembled(recipe, trust).prepared.splits["train"]
    means, totals = [], []
    for size in (len(train), 7):
        steps = -(-len(train) // size)
        sized = with_settings(recipe, *still, f"train.batch_size={size}", f"train.steps={steps}")
        run = assembled(sized, trust).run
        batches = run.batches(0, steps)
        weights = [sum(run.task.weight(part.batch) for part in step.micro_batches) for step in batches]
        totals.append(sum(weights))
        means.append(np.average(losses(_train(sized, folder / f"of_{size}", trust)), weights=weights))
    np.testing.assert_allclose(totals[1], totals[0], TOLERANCE, err_msg="the sum of `weight` over an epoch")
    np.testing.assert_allclose(means[1], means[0], TOLERANCE, err_msg="the mean of `loss` over an epoch")


def check_resume(
    recipe: Recipe, folder: Path, steps: Sequence[int] = (), unbroken: Path | None = None, trust: bool = False
) -> None:
    """Law 3: a run that was cut off and resumed equals the unbroken one, bit for bit.

    Args:
        recipe: What is trained; dropout and augmentation may be on.
        folder: Where its runs are made.
        steps: After the checkpoints of which steps it is cut off; by default one amid the run and the last one.
        unbroken: A finished run of the recipe that has kept these checkpoints; by default it is made.
        trust: Whether code that the recipe names may run.
    """
    if unbroken is None:
        recipe = with_settings(recipe, *_ALL_KEPT)
        unbroken = _train(recipe, folder / "unbroken", trust)
    kept = RunFolder(unbroken).checkpoint_steps()
    for step in steps or (kept[len(kept) // 2], kept[-1]):
        cut_off(unbroken, folder / f"cut_{step}", step)
        assert_same_run(_train(recipe, folder / f"cut_{step}", trust), unbroken)


def check_repeats(recipe: Recipe, folder: Path, trust: bool = False) -> None:
    """The recipe that a run leaves repeats it, byte by byte: into `first` and `second` of the folder."""
    one = _train(with_settings(recipe, "data.workers=0"), folder / "first", trust)
    two = _train(Recipe.load(one / "recipe.yaml"), folder / "second", trust)
    for name in ("recipe.yaml", "metrics.jsonl", "parameters.json", "model/model.safetensors"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def check_answers(run: Path, file: Path, trust: bool = False) -> None:
    """Law 4: `predict` and `evaluate` say of the rows of the test split what the run said of them.

    Args:
        run: A finished run.
        file: The rows of its test split.
        trust: Whether code that its recipe names may run.
    """
    told, scores = predictions(run, "test"), read_json(run / "results.json")["test"]
    answers = api.predict(run, [str(file)], batch_size=5, trust=trust)
    without_truth = [{key: row[key] for key in row if key not in _BESIDE} for row in told]
    assert_alike([_as_in_files(row) for row in answers], without_truth)
    found = api.evaluate(run, file, trust=trust)
    assert_alike(found.rows, told)
    assert set(found.scores) == set(scores)
    # Answers of numbers that are nearly equal differ by rounding in batches of another size, and so their ranks: two
    # neighbours that change places move Spearman's correlation by so much. A count of some dozens moves by more.
    places = 12 / (len(told) * (len(told) + 1))
    for name, entry in found.scores.items():
        ranks = places if name.startswith("spearman") else 0
        for bound, tolerance in (("value", max(1e-3, ranks)), ("low", max(1e-2, ranks)), ("high", max(1e-2, ranks))):
            near = _nan_for_none(entry[bound]), _nan_for_none(scores[name][bound])
            np.testing.assert_allclose(*near, tolerance / 10, tolerance, err_msg=f"{name}, {bound}")


def check_frozen(recipe: Recipe, folder: Path, trust: bool = False) -> None:
    """Laws 5 and 6: what parameters.json says is what happens, and frozen weights do not move by a bit."""
    kept = with_settings(recipe, *_ALL_KEPT)
    start = check_groups(assembled(kept, trust))
    check_moves(start, _train(kept, folder, trust))


def check_groups(made: Setup) -> Start:
    """Law 6: every parameter is in one block, and in the one group that the table tells, or in none.

    Returns the weights and buffers with which the run starts, by name, for `check_moves`.
    """
    model = made.run.accelerator.unwrap_model(made.run.model)
    names = {parameter: plain_name(name) for name, parameter in model.named_parameters()}
    in_blocks = [name for block in made.tuned.block_of.found for name in block.parameters]
    assert len(in_blocks) == len(set(in_blocks))
    told = {row.name: row for row in made.parameters}
    assert len(told) == len(made.parameters) == len(names)
    groups = [(parameter, group) for group in made.run.optimizer.param_groups for parameter in group["params"]]
    assert len(groups) == len({parameter for parameter, _ in groups})
    for parameter, group in groups:
        row = told[names[parameter]]
        peak = (group["initial_lr"], group["weight_decay"])
        assert (row.trainable, row.lr, row.weight_decay) == (True, *peak), row
        assert parameter.requires_grad == (row.from_step == 1), row
    for name in told.keys() - {names[parameter] for parameter, _ in groups}:
        row = told[name]
        assert (row.trainable, row.lr, row.weight_decay, row.from_step) == (False, 0, 0, 0), row
    for parameter, name in names.items():
        assert parameter.requires_grad <= told[name].trainable, name
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


def check_cache(recipe: Recipe, folder: Path, trust: bool = False) -> None:
    """A run for which what frozen blocks make of its examples is kept learns what one does that computes it each time.

    Args:
        recipe: Freezes blocks; over several epochs.
        folder: Where its runs are made.
        trust: Whether code that the recipe names may run.
    """
    logged = with_settings(recipe, "train.log_every=1")
    kept, anew = (_train(with_settings(logged, f"tune.cache={how}"), folder / how, trust) for how in ("auto", "off"))
    np.testing.assert_allclose(losses(kept), losses(anew), TOLERANCE * 10, TOLERANCE * 10, err_msg="losses")


def check_moves(start: Start, run: Path) -> int:
    """Law 5: what the table calls frozen does not move by a bit; all else does, from its first step on, not before.

    Each checkpoint that the run has kept is looked at: what it leaves out is frozen and as it was at the start, and at
    the last one all that learns has moved. Returns their number. Statistics of batches must stand still
    (`tune.batch_norm: eval`).
    """
    told = {row["name"]: row for row in read_json(run / "parameters.json")}
    folder = RunFolder(run)
    kept = folder.checkpoint_steps()
    for step in kept:
        file = folder.checkpoint(step) / "model.safetensors"
        saved, left_out = tensors(file), left_out_of(file)
        for name, before in start.items():
            row = told.get(plain_name(name))
            if name in left_out:
                assert row is not None, name
                assert (row["from_step"], left_out[name]) == (0, digest(before)), (name, step)
            elif row is None:
                assert name not in saved or torch.equal(before, saved[name]), name
            elif step == kept[-1] or row["from_step"] == 0 or step < row["from_step"]:
                assert torch.equal(before, saved[name]) != (0 < row["from_step"] <= step), (name, step)
    return len(kept)


def assert_same_run(run: Path, other: Path) -> None:
    """Checks that two runs have the same weights, losses, scores and answers, to the bit; times and warnings apart."""
    one, two = _whole(run), _whole(other)
    assert one.keys() == two.keys()
    for what, found in one.items():
        assert found == two[what], f"{what} of {run} and {other} differ"


def _whole(run: Path) -> dict[str, Any]:
    """All that must be equal. The order in which a file names tied weights is any, so that tensors are compared."""
    folder = RunFolder(run)
    last = folder.checkpoint(folder.checkpoint_steps()[-1])  # where the best weights, which model/ has, are of before
    results = {key: value for key, value in read_json(folder.results).items() if key not in _TIMING}
    return {
        **{
            f"{name} in {file.name}": tensor.numpy().tobytes()
            for file in sorted(last.glob("*.safetensors"))
            for name, tensor in tensors(file).items()
        },
        "model/model.safetensors": (folder.model / "model.safetensors").read_bytes(),
        "metrics.jsonl": folder.metrics.read_text("utf-8"),
        "results.json": results,
        **{f"predictions of {split}": predictions(run, split) for split in scored_splits(results)},
    }


def assert_alike(found: Any, told: Any) -> None:
    """Checks that lists and mappings, of any depth, are equal: numbers with a point to 1e-5, all else exactly."""
    mine, theirs = _leaves(found), _leaves(told)
    near = [place for place, leaf in theirs.items() if isinstance(leaf, float)]
    assert {place: None if place in near else leaf for place, leaf in mine.items()} == {
        place: None if place in near else leaf for place, leaf in theirs.items()
    }
    np.testing.assert_allclose([mine[place] for place in near], [theirs[place] for place in near], TOLERANCE, TOLERANCE)


def _leaves(value: Any, place: str = "") -> dict[str, Any]:
    """What stands inside lists and mappings, by its place."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    else:
        return {place: value}
    return {name: leaf for key, part in parts for name, leaf in _leaves(part, f"{place}/{key}").items()}


def with_settings(recipe: Recipe, *overrides: str) -> Recipe:
    """The recipe with some settings changed, such as `"train.epochs=1"`."""
    return Recipe.from_dict(recipe.model_dump(mode="json"), *overrides)


def assembled(recipe: Recipe, trust: bool = False) -> Setup:
    """A run on the CPU, ready to go."""
    return build(resolve(recipe, trust), Accelerator(cpu=True))


def cut_off(run: Path, copy: Path, step: int) -> None:
    """Copies a run as a kill would have left it that came some steps after the checkpoint of `step`."""
    shutil.copytree(run, copy)
    (copy / "results.json").unlink()
    for name in ("model", "adapter", "predictions"):
        shutil.rmtree(copy / name, ignore_errors=True)
    folder = RunFolder(copy)
    for late in [found for found in folder.checkpoint_steps() if found > step]:
        shutil.rmtree(folder.checkpoint(late))
    for late in [found for found in folder.best_steps() if found > step]:
        shutil.rmtree(folder.best(late))


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    """The rows of one kind in metrics.jsonl: train, eval, ..."""
    return [row for row in read_events(run / "metrics.jsonl")[0] if row["event"] == kind]


def losses(run: Path) -> list[float]:
    """The loss of each step that was logged."""
    return [row["loss"] for row in events(run, "train")]


def predictions(run: Path, split: str = "eval") -> list[dict[str, Any]]:
    """The answers of a run to the rows of a split."""
    return [row for _, row in read_lines(RunFolder(run).predictions(split))]


def tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. One that the model knows by several names, and the file by one, has all."""
    with safe_open(file, "pt") as opened:
        found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (it is no dict)
        names = opened.metadata() or {}
    return found | {name: found[kept] for name, kept in names.items() if kept in found}


def _train(recipe: Recipe, folder: Path, trust: bool) -> Path:
    return api.train(recipe, output=folder, quiet=True, trust=trust).folder


def _nan_for_none(value: float | None) -> float:
    return float("nan") if value is None else value


def _as_in_files(row: dict[str, Any]) -> dict[str, Any]:
    """An answer as predictions files have it: probabilities as a list, a picture by its file and the folder around."""
    asked, chances = row.get("input"), row.get("probabilities")
    named = {"input": "/".join(Path(asked).parts[-2:])} if isinstance(asked, str) and Path(asked).is_absolute() else {}
    listed = {"probabilities": list(chances.values())} if isinstance(chances, dict) else {}
    return {**row, **named, **listed}
