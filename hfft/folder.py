"""The run folder: the name of every file in a run, and how files come to be there whole or not at all.

Nothing else in hfft knows these paths. Files are written to a temporary name, synced and renamed; folders likewise,
with a manifest of sizes and hashes, so that a reader finds a thing complete or absent, never half.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hfft.errors import SetupError

MANIFEST = "manifest.json"


class RunFolder:
    """Names and writes the files of one run (design: the run folder is a public contract).

    Args:
        path: The folder; made by `create`, not here.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.recipe = self.path / "recipe.yaml"
        self.environment = self.path / "environment.json"
        self.parameters = self.path / "parameters.json"
        self.data = self.path / "data.json"
        self.metrics = self.path / "metrics.jsonl"
        self.results = self.path / "results.json"
        self.report = self.path / "report.html"
        self.report_facts = self.path / "report.json"
        self.checkpoints = self.path / "checkpoints"
        self.track = self.path / "track"
        self.model = self.path / "model"
        self.adapter = self.path / "adapter"
        self.lock = self.path / ".lock"
        self.holder = self.path / ".holder.json"

    def seed(self, seed: int) -> RunFolder:
        """The folder of one of several seeds."""
        return RunFolder(self.path / f"seed-{seed}")

    def predictions(self, split: str) -> Path:
        """The file of one split's predictions."""
        return self.path / "predictions" / f"{split}.jsonl"

    def checkpoint(self, step: int) -> Path:
        """The folder of the checkpoint taken after `step` steps."""
        return self.checkpoints / f"step-{step:08d}"

    def best(self, step: int) -> Path:
        """The folder of the weights that scored best so far, those of `step`."""
        return self.checkpoints / f"best-{step:08d}"

    def create(self) -> None:
        """Makes the folder and checks that it can be written to.

        Raises:
            SetupError: It cannot be made or written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise SetupError(
                f"The output folder {self.path} cannot be written to ({error.strerror}). Choose another with --output."
            ) from error

    def checkpoint_steps(self) -> list[int]:
        """Steps of the checkpoints present, oldest first."""
        return _steps(self.checkpoints, "step")

    def best_steps(self) -> list[int]:
        """Steps of the best weights present, oldest first."""
        return _steps(self.checkpoints, "best")

    def remove_unfinished(self) -> None:
        """Deletes what an interrupted write left behind."""
        for place in (self.path, self.checkpoints, self.path / "predictions"):
            for leftover in place.glob(".tmp-*"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _steps(place: Path, kind: str) -> list[int]:
    names = (path.name.removeprefix(f"{kind}-") for path in place.glob(f"{kind}-*"))
    return sorted(int(name) for name in names if name.isdigit())


def check_writable(path: Path) -> None:
    """Raises SetupError where a file cannot be written, before anything is computed for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise SetupError(f"{path} is a folder; give the name of a file.")
        probe = path.with_name(f".probe-{os.getpid()}")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SetupError(f"{path} cannot be written ({error.strerror}). Choose another place.") from error


def write_text(path: Path, text: str) -> None:
    """Writes a file whole: a reader sees the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}")
    with open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Writes a value as JSON, whole. Not-a-number is refused: JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def scored_splits(results: dict[str, Any]) -> list[str]:
    """The splits of which results.json has scores."""
    return [name.removesuffix("_examples") for name in results if name.endswith("_examples")]


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder to fill; at the end it is listed, synced and renamed to `path`, replacing it.

    On an error the temporary folder is deleted and whatever stood at `path` stays.
    """
    temporary = path.with_name(f".tmp-{path.name}")
    old = path.with_name(f".tmp-old-{path.name}")
    for leftover in (temporary, old):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync_file(file)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if path.exists():
        os.replace(path, old)
    os.replace(temporary, path)
    _sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def write_manifest(folder: Path) -> None:
    """Writes the size and SHA-256 of every file in `folder` into its manifest."""
    files = {
        file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": sha256(file)}
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    write_json(folder / MANIFEST, files)


def damage(folder: Path) -> str | None:
    """Says what is wrong with a folder that has a manifest, or None where every file is as it was written."""
    try:
        files = read_json(folder / MANIFEST)
        for name, written in files.items():
            file = folder / name
            if not file.is_file():
                return f"{name} is missing"
            if file.stat().st_size != written["bytes"]:
                return f"{name} has {file.stat().st_size} bytes instead of {written['bytes']}"
            if sha256(file) != written["sha256"]:
                return f"{name} is not what was written (its SHA-256 differs)"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{MANIFEST} cannot be read ({error})"
    return None


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sync_file(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its renames are journalled
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
