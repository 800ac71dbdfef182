"""A recipe for others: no path of this machine in it, and a word on what they give in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import yaml

from hfft.recipe import Recipe
from hfft.recipe.files import described

ELSEWHERE = "evaluate:"  # a prefix of names that may be files

HERE = "./"

LONGEST = 4096  # characters of a path

ABSOLUTE = re.compile(r"""(?<![\w/.:~\\<-])(?:[A-Za-z]:\\|~?/)(?:[^\s'"`,;:()/\\]+[/\\])+([^\s'"`,;:()/\\]*)""")
"""A path from the root or from home with a folder in it, and its last part."""


def portable(recipe: Recipe) -> Recipe:
    """The recipe as others may have it: files by their names alone, nothing of where they lay, and no place to publish.

    File names that are absolute or lead out of the folder lose their folders, as many as leave them different. A model
    or data set in a local folder becomes `./NAME`, which no repository of the Hub is called. `publish` keeps what the
    card says and loses where the model goes: who repeats the recipe has a repository of his own.
    """
    values = _without_places(recipe.model_dump(mode="json"))
    data, model = values["data"], values["model"]
    data["root"] = "." if _is_place(recipe.data.root) else data["root"]
    if recipe.data.files is not None:
        data["files"] = _file_names(recipe.data.files)
    if recipe.data.hub is not None:
        data["hub"] = _folder_name(recipe.data.hub)
    for key in ("name", "encoder", "decoder"):
        given = getattr(recipe.model, key)
        model[key] = None if given is None else _folder_name(given)
    kept = {key: values["publish"][key] for key in ("license", "language")}
    return Recipe.from_dict({**values, "publish": kept})


def as_published(recipe: Recipe) -> str:
    """The portable recipe as YAML, with comments that say what to give in the place of paths.

    Args:
        recipe: As the run has it.
    """
    made = portable(recipe)
    text = yaml.safe_dump(made.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    return "".join(f"# {line}\n" for line in missing(recipe)) + text


def missing(recipe: Recipe) -> list[str]:
    """What others have to give to repeat a recipe, for files of their own machine stand where those of this one did."""
    lines, own = [], recipe.data
    if own.files is not None:
        named = json.dumps(_file_names(own.files), ensure_ascii=False)
        lines.append(f"The data were local files: {named}. Say where yours lie: data.root=FOLDER")
    if own.memory is not None:
        lines.append(
            f"The data were tables in Python: {described(own.memory)}. Give yours: hfft.train(recipe, data={{...}})"
        )
    if own.hub is not None and _folder_name(own.hub).startswith(HERE):
        lines.append("The data were a local folder. Give yours: data.hub=FOLDER")
    for key in ("name", "encoder", "decoder"):
        given = getattr(recipe.model, key)
        if given is not None and _folder_name(given).startswith(HERE):
            lines.append(f"The model was a local folder. Give yours: model.{key}=FOLDER")
    return lines


def without_paths(value: Any, places: Iterable[tuple[str, str]]) -> Any:
    """A plain value in whose texts other texts stand for paths of this machine.

    Args:
        value: As JSON has it.
        places: Pairs of a path and what stands for it.
    """
    longest_first = sorted(places, key=lambda pair: len(pair[0]), reverse=True)
    if isinstance(value, dict):
        return {key: without_paths(item, longest_first) for key, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item, longest_first) for item in value]
    if isinstance(value, str):
        for path, instead in longest_first:
            value = value.replace(path, instead)
    return value


def without_any_path(value: Any) -> Any:
    """A plain value in whose texts the last part alone stands for an absolute path, of whatever machine.

    For texts that are messages, as data may hold what looks like a path.

    >>> without_any_path("no /home/jo/run/step-4: see https://a.org/b/c")
    'no step-4: see https://a.org/b/c'
    """
    if isinstance(value, list):
        return [without_any_path(item) for item in value]
    return ABSOLUTE.sub(r"\1", value) if isinstance(value, str) else value


def places_of(recipe: Recipe, run: Path) -> list[tuple[str, str]]:
    """The paths that messages of a run may name, each with what stands for it.

    Args:
        recipe: As the run has it.
        run: The run folder.
    """
    data, model = recipe.data, recipe.model
    files = [name for given in (data.files or {}).values() for name in ([given] if isinstance(given, str) else given)]
    named = [data.root, data.hub, model.name, model.encoder, model.decoder, *files]
    local = {name: Path(name).name or "." for name in named if name is not None and _is_place(name)}
    known = {**local, **{str(Path(name).expanduser().absolute()): short for name, short in local.items()}}
    known |= dict.fromkeys({str(run.absolute()), *([str(run)] if _is_place(str(run)) else [])}, "RUN")
    known |= {str(Path.cwd()): ".", str(Path.home()): "~"}
    return [(path, short) for path, short in known.items() if len(path) > len("../")]


def _without_places(value: Any) -> Any:
    """Plain values with the last part alone of each text that is an absolute path of this machine."""
    if isinstance(value, dict):
        return {key: _without_places(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_places(item) for item in value]
    if not isinstance(value, str):
        return value
    before = ELSEWHERE if value.startswith(ELSEWHERE) else ""
    path = value.removeprefix(before)
    named = len(path) < LONGEST and "\n" not in path and _is_place(path) and bool(_parts(path))
    return before + _parts(path)[-1] if named and Path(path).expanduser().exists() else value


def _file_names(files: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
    """File names by split, those of this machine with so few of their folders that different ones stay different."""
    given = {name for names in files.values() for name in ([names] if isinstance(names, str) else names)}
    places = {name for name in given if _is_place(name)}
    short = dict.fromkeys(places, "")
    for count in range(1, 1 + max((len(_parts(name)) for name in places), default=0)):
        short = {name: "/".join(_parts(name)[-count:]) for name in places}
        if len({*short.values()} | (given - places)) == len(given):
            break
    return {
        split: short.get(names, names) if isinstance(names, str) else [short.get(name, name) for name in names]
        for split, names in files.items()
    }


def _parts(path: str) -> list[str]:
    kind = PureWindowsPath if "\\" in path or PureWindowsPath(path).drive else PurePosixPath
    pure = kind(path)
    return [part for part in pure.parts if part not in (pure.anchor, "..", "~")]


def _folder_name(name: str) -> str:
    """A name of the Hub as it is; `./NAME` for a folder of this machine."""
    if "://" in name or not (_is_place(name) or name.startswith(".") or Path(name).is_dir()):
        return name
    return f"{HERE}{(_parts(name) or ['folder'])[-1]}"


def _is_place(path: str) -> bool:
    """Whether a path is absolute, or leads out of the folder."""
    absolute = PurePosixPath(path).is_absolute() or bool(PureWindowsPath(path).drive)
    return "://" not in path and (absolute or path.startswith("~") or ".." in PureWindowsPath(path).parts)
