"""What of a run is published: the files of a repository, and nothing that names a path or holds an example's text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hfft.errors import SetupError
from hfft.hub.portable import as_published, places_of, portable, without_any_path, without_paths
from hfft.io.hub_client import RECIPE, SCHEME
from hfft.io.run_files import finished_results, parsed, read_environment
from hfft.io.run_folder import RunFolder
from hfft.recipe import Recipe
from hfft.tasks.scores import headline

BELOW = "hfft"  # the folder of a repository that holds what is not for transformers

LISTED = f"{BELOW}/files.json"

RESULTS = f"{BELOW}/results.json"

ENVIRONMENT = f"{BELOW}/environment.json"

KNOWN = (RECIPE, LISTED, RESULTS, ENVIRONMENT, f"{BELOW}/parameters.json", f"{BELOW}/metrics.jsonl")

TOLD = ("warnings", "remarks", "ended")  # texts of results.json that may name a path of any machine

CARD = "README.md"

Kind = Literal["model", "adapter"]


@dataclass(frozen=True)
class Publication:
    """What goes into a repository.

    Attributes:
        recipe: Of the run, portable.
        kind: Which folder of the run is at the root.
        files: What each file has, by its name there.
        rows: The fingerprint of each split; none where it is not known.
        title: What the commit is called.
    """

    recipe: Recipe
    kind: Kind
    files: dict[str, Path | bytes]
    rows: Mapping[str, str]
    title: str


def publication(run: RunFolder, repo: str, revision: str | None, adapter: bool) -> Publication:
    """Gathers what a finished run publishes.

    Args:
        run: Its folder; of several seeds the one above them, with the weights of the best.
        repo: The repository, which the card names.
        revision: A branch other than the main one.
        adapter: adapter/ rather than model/, where there are both.

    Raises:
        SetupError: There is no finished run with such weights, or a file of it is damaged.
    """
    results, recipe = finished_results(run), Recipe.load(run.recipe)
    title, best = _headline(results, recipe), results.get("best_seed")
    inner = run if best is None or not run.seed(best).path.is_dir() else run.seed(best)  # a pulled run has it all above
    facts = {"results.json": run.results, **_facts(inner)}
    return _publication(recipe, run, run.path, facts, (repo, revision), adapter, title)


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
        files[CARD] = addressed(without_paths(_text(root / CARD), places), *target).encode()
    files[RECIPE] = as_published(recipe).encode()
    for name, file in facts.items():
        files[f"{BELOW}/{name}"] = _published(file, places).encode()
    listed = {"kind": kind, "repo": target[0], "revision": target[1], "files": sorted([*files, LISTED])}
    files[LISTED] = _json(listed).encode()
    rows = read_environment(facts["environment.json"]).get("data") if "environment.json" in facts else None
    return Publication(portable(recipe), kind, files, rows or {}, title)


def _facts(run: RunFolder) -> dict[str, Path]:
    named = {"environment.json": run.environment, "parameters.json": run.parameters, "metrics.jsonl": run.metrics}
    return {name: file for name, file in named.items() if file.is_file()}


def _kind(weights: RunFolder, adapter: bool) -> Kind:
    if adapter and not weights.adapter.is_dir():
        raise SetupError(f"The run in {weights.path} has no {weights.adapter.name}/: leave --adapter out.")
    if not weights.model.is_dir() and not weights.adapter.is_dir():
        raise SetupError(f"The run in {weights.path} has no weights: neither {weights.model.name}/ nor an adapter.")
    return "adapter" if adapter or not weights.model.is_dir() else "model"


def addressed(card: str, repo: str, revision: str | None) -> str:
    """A card that names the repository where it spoke of a folder."""
    more = f', revision="{revision}"' if revision else ""
    card = re.sub(r'"path/to/(model|adapter)"', f'"{repo}"{more}', card)
    return card.replace(f"{SCHEME}path/to/model", f"{SCHEME}{repo}{f'@{revision}' if revision else ''}")


def unaddressed(card: str, kind: str, repo: str, revision: str | None) -> str:
    """A card that speaks of a folder again where `addressed` made it name the repository."""
    more = f', revision="{revision}"' if revision else ""
    card = card.replace(f'"{repo}"{more}', f'"path/to/{kind}"')
    return card.replace(f"{SCHEME}{repo}{f'@{revision}' if revision else ''}\n", f"{SCHEME}path/to/model\n")


def _published(file: Path, places: list[tuple[str, str]]) -> str:
    """What a file of the run has, without paths of this machine, or of the one that it was on before."""
    if file.suffix != ".json":
        lines = without_paths(_text(file), places).splitlines(keepends=True)
        return "".join(without_any_path(line) if '"failed"' in line else line for line in lines)
    values = without_paths(parsed(file.read_bytes(), str(file)), places)
    if isinstance(values, dict):
        values |= {key: without_any_path(values[key]) for key in TOLD if key in values}
    try:
        return _json(values)
    except ValueError as error:  # a number too large to be one
        raise _damaged(file, "no JSON") from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _damaged(file, "no text in UTF-8") from error


def _damaged(file: Path, what: str) -> SetupError:
    return SetupError(f"{file} is damaged: it is {what}. Put back what the run wrote, or train again.")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _headline(results: Mapping[str, Any], recipe: Recipe) -> str:
    """The title of the commit, with a score."""
    found = headline(results, recipe.train.best_metric)
    if found is None:
        return recipe.name
    split, metric = found
    return f"{recipe.name}, {split} {metric} {results[split][metric]['value']:.4f}"
