"""A Hub, hfft at work with it, and runs to publish, made once for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hfft
from tests.unit.hub.door import Door, door
from tests.unit.hub.server import TOKEN, Hub, User, hub

ROOT = Path(__file__).resolve().parents[3]
LILY = "tune.adapter={name: lily, r: 4}"  # which PEFT cannot merge


@pytest.fixture(scope="session")
def lasting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with hub(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(scope="session")
def lasting_door(lasting_server: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    settings = {**os.environ, **lasting_server.environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with door(settings, tmp_path_factory.mktemp("door")) as opened:
        yield opened


@pytest.fixture
def server(lasting_server: Hub) -> Iterator[Hub]:
    """A Hub without faults, whose repositories are all gone; `me` may write."""
    yield lasting_server
    lasting_server.faults.clear()
    lasting_server.meanwhile.clear()
    lasting_server.requests.clear()
    lasting_server.repositories.clear()
    lasting_server.users = {TOKEN: User("me")}


@pytest.fixture
def cli(server: Hub, lasting_door: Door) -> Door:
    """hfft, logged in to that Hub."""
    return lasting_door


@pytest.fixture(scope="session")
def trained(tiny: Callable[[str], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives the folder of a finished run of a tiny recipe with overrides; each is made once, so leave it as it is."""
    made: dict[tuple[str, ...], Path] = {}

    def give(task: str, *overrides: str) -> Path:
        if (task, *overrides) not in made:
            folder = tmp_path_factory.mktemp("run") / "run"
            hfft.train(hfft.Recipe.from_dict(tiny(task), *overrides), output=folder, quiet=True)
            made[task, *overrides] = folder
        return made[task, *overrides]

    return give
