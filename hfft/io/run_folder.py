"""The run folder: its files, written whole or not at all; manifests; the lock; what its results are about."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import itertools
import json
import os
import re
import secrets
import shutil
import socket
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hfft.errors import DiskError, SetupError, near


def weights_shown(results: dict[str, Any]) -> str:
    """Names the weights that results.json is about.

    >>> weights_shown({"best_step": 8, "soup": {"steps": [8, 12]}}), weights_shown({"best_step": 8, "ema": 0.9})
    ('the mean of steps 8, 12', 'the average (EMA 0.9) at step 8')
    """
    steps, decay = results.get("soup", {}).get("steps", [results["best_step"]]), results.get("ema")
    averaged = "" if decay is None else f"average{'' if len(steps) == 1 else 's'} (EMA {decay:g}) at "
    if len(steps) == 1:
        return f"{f'the {averaged}' if averaged else ''}step {steps[0]}"
    return f"the mean of {f'the {averaged}' if averaged else ''}steps {', '.join(map(str, steps))}"


MANIFEST = "manifest.json"

UNFINISHED = ".tmp-"  # how the names begin of what is being written

ABANDONED = 24 * 60 * 60  # seconds after which nobody writes on what is not finished yet

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)

NUMBER_IN_TEXT = re.compile(r"\(os error (\d+)\)")  # as libraries written in Rust name what the system said


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
            with tempfile.TemporaryFile(dir=self.path):
                pass
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
        """Deletes what an interrupted write left behind. For who has the folder alone."""
        for place in (self.path, self.checkpoints, self.path / "predictions"):
            for leftover in place.glob(f"{UNFINISHED}*"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    def remove_results(self) -> None:
        """Deletes what says that the run is finished."""
        for old in (self.results, self.report, self.report_facts):
            old.unlink(missing_ok=True)


def _steps(place: Path, kind: str) -> list[int]:
    names = (path.name.removeprefix(f"{kind}-") for path in place.glob(f"{kind}-*"))
    return sorted(int(name) for name in names if name.isdigit())


def require_no_near_name(place: str) -> None:
    """Raises SetupError where a run, or a model, that is not there is likely a misspelt one that is.

    The Hub is not asked then: it would take its time to say that it does not know the name either.
    """
    path = Path(place)
    if "://" in place or path.exists():
        return
    if len(path.parts) == 1:
        hint = f" Did you mean '{Path('runs', place)}'?" if Path("runs", place).is_dir() else ""
    else:
        hint = (
            near(place, [str(each) for each in path.parent.iterdir() if each.is_dir()]) if path.parent.is_dir() else ""
        )
    if hint:
        raise SetupError(f"There is no run or model {place}.{hint}")


def next_free(path: Path) -> Path:
    """The path, or where something lies there the next of path-2, path-3, ... that is free."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return next(found for found in itertools.chain([path], numbered) if not found.exists())


def check_writable(path: Path) -> None:
    """Raises SetupError where a file cannot be written, before anything is computed for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise SetupError(f"{path} is a folder; give the name of a file.")
        if _is_device(path):
            return
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise SetupError(f"{path} cannot be written ({error.strerror}). Choose another place.") from error


def write_text(path: Path, text: str) -> None:
    """Writes a file whole: a reader sees the old text or the new, never a part. Several may write it at once.

    Raises:
        DiskError: The disk is full, or cannot be written to.
    """
    with writing(path):
        if _is_device(path):
            path.write_text(text, encoding="utf-8", newline="\n")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = own_name(path)
        try:
            with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what is raised inside, where the system does not let `path` be written, into one message.

    Raises:
        DiskError: The disk is full, read-only, or not this user's.
    """
    try:
        yield
    except DiskError:  # of a file in the folder that is written
        raise
    except Exception as error:
        number = refusal(error)
        if number is None:
            raise
        raise DiskError(f"{path} cannot be written: {os.strerror(number)}.{_room_said(path, number)}") from error


def refusal(error: BaseException) -> int | None:
    """The number of the system's error by which a file could not be written; None where `error` is another.

    Libraries written in Rust say it in their text alone.
    """
    cause: BaseException | None = error
    while cause is not None:
        found = NUMBER_IN_TEXT.search(str(cause))
        number = int(found[1]) if found is not None else getattr(cause, "errno", None)
        if number in FULL or (number in CLOSED and cause is error):
            return number
        cause = cause.__cause__ or cause.__context__  # as where closing a file fails that could not be written
    return None


def room_at(path: Path) -> tuple[Path, int]:
    """The folder in which a file or folder is, or will be, as far as that is there; and the bytes free on its disk."""
    place = next(place for place in path.absolute().parents if place.is_dir())
    return place, shutil.disk_usage(place).free


def mib(size: int) -> str:
    """A size in bytes for people.

    >>> mib(3 << 20)
    '3.0 MiB'
    """
    return f"{size / 2**20:,.1f} MiB"


def _room_said(path: Path, number: int) -> str:
    if number not in FULL or path.is_char_device():
        return ""
    place, free = room_at(path)
    return f" On the disk of {place} {mib(free)} are free."


def own_name(path: Path) -> Path:
    """A name beside `path` that no other writer has. What others began under such names long ago is deleted."""
    for leftover in path.parent.glob(f"{UNFINISHED}{glob.escape(path.name)}-*"):
        with contextlib.suppress(OSError):  # another is faster
            if time.time() - leftover.stat().st_mtime > ABANDONED:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return path.with_name(f"{UNFINISHED}{path.name}-{secrets.token_hex(4)}")


def _is_device(path: Path) -> bool:
    """Whether this is /dev/stdout or the like, which cannot be replaced by a file."""
    return path.is_symlink() or (path.exists() and not path.is_file())


def write_json(path: Path, value: Any) -> None:
    """Writes a value as JSON, whole. Not-a-number is refused: JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def left_out(path: Path, lines: Sequence[int]) -> str:
    """The warning of lines of a file that cannot be read and were passed over."""
    listed = ", ".join(map(str, lines[:5])) + (", ..." if len(lines) > 5 else "")
    return f"{len(lines)} line(s) of {path.name} cannot be read and are left out: {listed}."


def scored_splits(results: dict[str, Any]) -> list[str]:
    """The splits of which results.json has scores."""
    return [name.removesuffix("_examples") for name in results if name.endswith("_examples")]


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder to fill; at the end it is listed, synced and renamed to `path`, replacing it.

    On an error the temporary folder is deleted and whatever stood at `path` stays.

    Raises:
        DiskError: The disk is full, or cannot be written to.
    """
    temporary, old = own_name(path), own_name(path)
    with writing(path):
        try:
            temporary.mkdir(parents=True)
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


@contextlib.contextmanager
def alone_in(folder: RunFolder) -> Iterator[None]:
    """Keeps other runs out of a run folder while inside; makes the folder. For the main process alone.

    The operating system holds the lock and drops it with the process, however that ends: a killed run locks nobody out.
    Nothing is left in the folder, except by a kill.

    Raises:
        SetupError: Another run is in the folder, or the folder cannot be written to.
    """
    folder.create()
    lock = FileLock(folder.lock, fallback_to_soft=False)  # a soft one would outlive a killed run
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise SetupError(
            f"Another run is at work in {folder.path}{_described(folder.holder)}. Wait for its end, or choose another "
            "folder with --output."
        ) from None
    except (OSError, NotImplementedError) as error:  # Timeout is an OSError too
        warnings.warn(f"{folder.path} cannot be locked ({error}): start no second run there.", stacklevel=2)
        yield
        return
    try:
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(folder.holder, {"process": os.getpid(), "host": socket.gethostname(), "since": since})
        yield
    finally:
        folder.holder.unlink(missing_ok=True)
        with contextlib.suppress(PermissionError):  # Windows removes it itself, after the release
            folder.lock.unlink(missing_ok=True)  # while it is held: who has opened it sees that it is gone, and retries
        lock.release()


def _described(holder: Path) -> str:
    """Who is in the folder; nothing where that cannot be read, because it comes or goes at this very moment."""
    try:
        told = read_json(holder)
        return f": process {told['process']} on {told['host']}, since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
