"""Fetches a run that hfft published: a run folder again, whole or not at all."""

from __future__ import annotations

import glob
import json
import os
import shutil
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, snapshot_download

from hfft.errors import SetupError
from hfft.folder import RunFolder, whole_folder
from hfft.hub.publication import BELOW, LISTED
from hfft.hub.target import calm, told
from hfft.hub_access import RECIPE, fetch, parted

UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def pull(repo: str, revision: str | None = None, output: str | os.PathLike[str] | None = None) -> Path:
    """Fetches a published run into a run folder, which can be asked, evaluated, and compared as far as its files go.

    It has model/ or adapter/, recipe, results, environment, parameters and metrics, but no checkpoints and no
    predictions.

    Args:
        repo: USER/NAME, or USER/NAME@REVISION.
        revision: A branch, tag or commit.
        output: The folder; by default `runs/NAME`. It must not be there.

    Returns:
        The folder.

    Raises:
        SetupError: hfft has not published the repository, it cannot be fetched, or the folder is there.
    """
    name, found = parted(repo)
    if found is not None and revision is not None and found != revision:
        raise SetupError(f"'{repo}' names the revision {found}, and --revision is {revision}: give one of them.")
    revision = revision or found
    folder = Path(output) if output is not None else Path("runs", name.partition("/")[2])
    if folder.exists():
        raise SetupError(f"{folder} is there already. Choose another folder with --output.")
    fetch(name, revision, RECIPE)  # else hfft has not published it
    doing = f"Fetching {name}"
    with told(doing, name, revision):
        commit = HfApi().model_info(name, revision=revision).sha
    kind, files = _listed(name, commit)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as place:
        weights = place / getattr(RunFolder(folder), kind).name
        with calm(), told(doing, name, revision):
            patterns = [glob.escape(file) for file in files]
            snapshot_download(name, revision=commit, local_dir=weights, allow_patterns=patterns)
        missing = [file for file in files if not (weights / file).is_file()]
        if missing:
            raise SetupError(f"{name} lacks files that {LISTED} names: {', '.join(missing[:3])}. Push the run again.")
        _sort(weights, place)
    return folder


def _sort(weights: Path, place: Path) -> None:
    """Puts what hfft needs beside the weights where a run folder has it."""
    shutil.rmtree(weights / ".cache", ignore_errors=True)  # the client's own notes
    for file in (weights / BELOW).iterdir():
        os.replace(file, place / file.name)
    (weights / BELOW).rmdir()
    (place / PurePosixPath(LISTED).name).unlink()


def _listed(name: str, commit: str | None) -> tuple[str, list[str]]:
    """Which folder of a run a repository has at its root, and the files that hfft put there."""
    try:
        found = json.loads(fetch(name, commit, LISTED).read_text(encoding="utf-8"))
        kind, files = found["kind"], [str(file) for file in found["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{LISTED} of {name} is damaged; push the run again.") from error
    outside = [file for file in files if ".." in file.split("/") or file.startswith(("/", "."))]
    unsafe = [file for file in files if file.endswith(UNSAFE)]
    if kind not in ("model", "adapter") or outside or unsafe:
        odd = ", ".join([*outside, *unsafe][:3]) or kind
        raise SetupError(f"{LISTED} of {name} names what hfft does not publish: {odd}. It is not fetched.")
    return kind, files
