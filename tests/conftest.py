"""What all tests share: no network, a cache of their own, tiny examples and finished runs made once.

What is heavy is imported in the fixtures: the process that hands the tests out to workers reads this file and needs
none of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from tests.unit.hub.door import Door
    from tests.unit.hub.server import Hub

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: it reads this once

Recipe = dict[str, Any]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    import datasets.config
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # tiny models gain nothing from more, and tests run side by side
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HFFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("datasets")))
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", Path(os.environ["HF_DATASETS_CACHE"]))
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Makes a folder by its name, once for all workers; gives what making it gave, as JSON holds it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"

    def give(name: str, make: Callable[[Path], Any]) -> Any:
        place, made = shared / name, shared / f"{name}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(shared / f"{name}.lock"):
            if not made.exists():
                shutil.rmtree(place, ignore_errors=True)  # what a failure left
                place.mkdir()
                made.write_text(json.dumps(make(place)), encoding="utf-8")
        return json.loads(made.read_text(encoding="utf-8"))

    return give


@pytest.fixture(scope="session")
def tiny(once: Callable[..., Any]) -> Callable[[str], Recipe]:
    """Gives the tiny recipe of a task or variant, or of the task `outside`, as plain values; all is written once."""
    from tests.outside.example import example
    from tests.tiny import EXAMPLES

    return lambda task: once(f"tiny/{task}", {**EXAMPLES, "outside": example}[task])


@pytest.fixture(scope="session")
def run_of(once: Callable[..., Any]) -> Callable[..., Path]:
    """Gives the folder of a finished run of a recipe with overrides, made once: a test that changes it copies it."""
    from tests.laws.runs import train

    def give(recipe: Recipe, *overrides: str) -> Path:
        key = hashlib.sha256(json.dumps([recipe, overrides]).encode()).hexdigest()[:16]
        return Path(once(f"runs/{key}", lambda place: str(train(recipe, place / "run", *overrides).folder)))

    return give


@pytest.fixture(scope="session")
def _lasting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    from tests.unit.hub.server import hub

    with hub(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(scope="session")
def _lasting_door(_lasting_server: Hub, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    from tests.unit.hub.door import door

    settings = {**os.environ, **_lasting_server.environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(project)}
    settings.pop("COLUMNS", None)  # of the terminal that the tests run in
    with door(settings, tmp_path_factory.mktemp("door")) as opened:
        yield opened


@pytest.fixture
def server(_lasting_server: Hub) -> Iterator[Hub]:
    """A Hub without faults, whose repositories are all gone; `me` may write."""
    yield _lasting_server
    _lasting_server.forget()


@pytest.fixture
def cli(server: Hub, _lasting_door: Door) -> Door:
    """hfft, logged in to that Hub."""
    return _lasting_door


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parent.parent
