"""Fetches a run that hfft published: a run folder again, whole or not at all."""

from __future__ import annotations

import glob
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, snapshot_download

from hfft.errors import SetupError
from hfft.hub.files import BELOW, CARD, KNOWN, LISTED, RESULTS, unaddressed
from hfft.io.hub_client import RECIPE, calm, fetch, parted, told
from hfft.io.run_folder import RunFolder, check_writable, whole_folder, write_text

UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class Listed:
    """What a repository says of itself.

    Attributes:
        kind: Which folder of a run it has at its root.
        files: Those that hfft put there.
        repo: The repository that its card names.
        revision: The branch that its card names.
    """

    kind: str
    files: list[str]
    repo: str
    revision: str | None


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
        SetupError: hfft has not published a finished run there, it cannot be fetched, or the folder is there or
            cannot be made.
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
    listed = _listed(name, commit)
    check_writable(folder)
    with whole_folder(folder) as place:
        weights = place / getattr(RunFolder(folder), listed.kind).name
        with calm(), told(doing, name, revision):
            patterns = [glob.escape(file) for file in listed.files]
            snapshot_download(name, revision=commit, local_dir=weights, allow_patterns=patterns)
        missing = [file for file in listed.files if not (weights / file).is_file()]
        if missing:
            raise SetupError(f"{name} lacks files that {LISTED} names: {', '.join(missing[:3])}. Push the run again.")
        _sort(weights, place)
        _speak_of_a_folder(weights / CARD, listed)
    return folder


def _sort(weights: Path, place: Path) -> None:
    """Puts what hfft needs beside the weights where a run folder has it."""
    shutil.rmtree(weights / ".cache", ignore_errors=True)  # the client's own notes
    for file in (weights / BELOW).iterdir():
        os.replace(file, place / file.name)
    (weights / BELOW).rmdir()
    (place / PurePosixPath(LISTED).name).unlink()


def _speak_of_a_folder(card: Path, listed: Listed) -> None:
    """Takes the repository's name out of the card, or it would stay there when the run is pushed elsewhere."""
    if card.is_file():
        text = card.read_text(encoding="utf-8", errors="replace")
        write_text(card, unaddressed(text, listed.kind, listed.repo, listed.revision))


def _listed(name: str, commit: str | None) -> Listed:
    """What hfft has noted of a repository, where that is what it notes."""
    try:
        found = json.loads(fetch(name, commit, LISTED).read_text(encoding="utf-8"))
        kind, files, revision = found["kind"], [str(file) for file in found["files"]], found.get("revision")
        listed = Listed(str(kind), files, str(found.get("repo", name)), revision and str(revision))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(f"{LISTED} of {name} is damaged; push the run again.") from error
    odd = [file for file in files if not _is_published(file)]
    if kind not in ("model", "adapter") or odd:
        raise SetupError(
            f"{LISTED} of {name} names what hfft does not publish: {', '.join(odd[:3]) or kind}. It is not fetched."
        )
    lacking = [file for file in (RECIPE, LISTED) if file not in files]
    if lacking:
        raise SetupError(f"{LISTED} of {name} is damaged: it does not name {', '.join(lacking)}. Push the run again.")
    if RESULTS not in files:
        raise SetupError(
            f"{name} has no {RESULTS}: its weights are of a run that is not finished. Pull it when that is, or use it "
            f"as a model: hfft predict {name} ..."
        )
    return listed


def _is_published(file: str) -> bool:
    """Whether hfft publishes a file of that name; only what it knows may get into a run folder beside the weights."""
    parts = file.split("/")
    if parts[0].lower() == BELOW:
        return file in KNOWN
    outside = not file or ".." in parts or file.startswith(("/", ".")) or "\\" in file or ":" in file
    return not outside and not file.lower().endswith(UNSAFE)
