"""What of a run is published: the files of a repository, and nothing that names a path or holds an example's text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hfft.card.portable import as_published, places_of, portable, without_paths
from hfft.errors import SetupError, near
from hfft.folder import RunFolder, read_json, scored_splits
from hfft.hub_access import RECIPE, SCHEME
from hfft.recipe import Recipe

BELOW = "hfft"  # the folder of a repository that holds what is not for transformers
LISTED = f"{BELOW}/files.json"
CARD = "README.md"
Kind = Literal["model", "adapter"]


@dataclass(frozen=True)
class Publication:
    """What goes into a repository.

    Attributes:
        recipe: Of the run, portable.
        kind: Which folder of the run is at the root.
        files: What each file has, by its name there.
        title: What the commit is called.
    """

    recipe: Recipe
    kind: Kind
    files: dict[str, Path | bytes]
    title: str


def publication(run: RunFolder, repo: str, revision: str | None, adapter: bool) -> Publication:
    """Gathers what a finished run publishes.

    Args:
        run: Its folder; of several seeds the one above them, with the weights of the best.
        repo: The repository, which the card names.
        revision: A branch other than the main one.
        adapter: adapter/ rather than model/, where there are both.

    Raises:
        SetupError: There is no finished run with such weights.
    """
    _require_finished(run)
    recipe, results = Recipe.load(run.recipe), read_json(run.results)
    inner = run.seed(results["best_seed"]) if "best_seed" in results else run
    facts = {"results.json": run.results, **_facts(inner)}
    return _publication(recipe, run, run.path, facts, (repo, revision), adapter, _title(recipe, results))


def publication_on_the_way(
    run: RunFolder, weights: RunFolder, repo: str, revision: str | None, adapter: bool, title: str
) -> Publication:
    """Gathers what a run that goes on publishes: other weights than it will end with, and no results yet.

    Args:
        run: Its folder.
        weights: Where model/ and adapter/ lie.
        repo: As for `publication`.
        revision: As for `publication`.
        adapter: As for `publication`.
        title: What the commit is called.
    """
    recipe = Recipe.load(run.recipe)
    return _publication(recipe, weights, run.path, _facts(run), (repo, revision), adapter, title)


def _publication(
    recipe: Recipe,
    weights: RunFolder,
    run: Path,
    facts: dict[str, Path],
    target: tuple[str, str | None],
    adapter: bool,
    title: str,
) -> Publication:
    kind, places = _kind(weights, adapter), places_of(recipe, run)
    root = weights.adapter if kind == "adapter" else weights.model
    files: dict[str, Path | bytes] = {}
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        name = file.relative_to(root).as_posix()
        if not any(part.startswith(".") for part in name.split("/")):
            files[name] = file
    if CARD in files:
        files[CARD] = _addressed((root / CARD).read_text(encoding="utf-8"), *target).encode()
    files[RECIPE] = as_published(recipe).encode()
    for name, file in facts.items():
        files[f"{BELOW}/{name}"] = _text(file, places).encode()
    listed = {"kind": kind, "files": sorted([*files, LISTED])}
    files[LISTED] = _json(listed).encode()
    return Publication(portable(recipe), kind, files, title)


def _facts(run: RunFolder) -> dict[str, Path]:
    named = {"environment.json": run.environment, "parameters.json": run.parameters, "metrics.jsonl": run.metrics}
    return {name: file for name, file in named.items() if file.is_file()}


def _require_finished(run: RunFolder) -> None:
    if not run.path.is_dir():
        siblings = [path.name for path in run.path.parent.iterdir()] if run.path.parent.is_dir() else []
        raise SetupError(f"There is no run folder {run.path}.{near(run.path.name, siblings)}")
    if not run.recipe.is_file():
        if (run.path / "config.json").is_file() or (run.path / "adapter_config.json").is_file():
            raise SetupError(f"{run.path} is a model and no run: give the run folder, the one above it.")
        raise SetupError(f"{run.path} is no run folder: it has no {run.recipe.name}.")
    if not run.results.is_file():
        raise SetupError(
            f"The run in {run.path} is not finished: it has no {run.results.name} yet. `hfft train` with the same "
            f"recipe and --output {run.path} goes on with it."
        )


def _kind(weights: RunFolder, adapter: bool) -> Kind:
    if adapter and not weights.adapter.is_dir():
        raise SetupError(f"The run in {weights.path} has no {weights.adapter.name}/: leave --adapter out.")
    if not weights.model.is_dir() and not weights.adapter.is_dir():
        raise SetupError(f"The run in {weights.path} has no weights: neither {weights.model.name}/ nor an adapter.")
    return "adapter" if adapter or not weights.model.is_dir() else "model"


def _addressed(card: str, repo: str, revision: str | None) -> str:
    """A card that names the repository where it spoke of a folder."""
    more = f', revision="{revision}"' if revision else ""
    card = re.sub(r'"path/to/(model|adapter)"', f'"{repo}"{more}', card)
    return re.sub(rf"{SCHEME}path/to/model", f"{SCHEME}{repo}{f'@{revision}' if revision else ''}", card)


def _text(file: Path, places: list[tuple[str, str]]) -> str:
    if file.suffix == ".json":
        return _json(without_paths(read_json(file), places))
    return without_paths(file.read_text(encoding="utf-8"), places)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _title(recipe: Recipe, results: dict[str, Any]) -> str:
    return ", ".join([recipe.name, *_headline(recipe, results)])


def _headline(recipe: Recipe, results: dict[str, Any]) -> Iterator[str]:
    for split in ("test", "eval"):
        if split in scored_splits(results) and results[split]:
            watched = recipe.train.best_metric
            metric = watched if watched in results[split] else next(iter(results[split]))
            yield f"{split} {metric} {results[split][metric]['value']:.4f}"
            return
