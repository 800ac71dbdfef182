"""What several laws share: finished runs, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.laws.kinds")

from tests.laws.runs import STRATEGIES, train  # noqa: E402


@pytest.fixture(scope="session")
def trained(
    tiny: Callable[[str], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Path]:
    """Gives the folder of a finished run of a task or variant with a strategy, for laws that only read it."""
    made: dict[tuple[str, str], Path] = {}

    def give(task: str, strategy: str) -> Path:
        if (task, strategy) not in made:
            output = tmp_path_factory.mktemp("trained") / "run"
            made[task, strategy] = train(tiny(task), output, *STRATEGIES[strategy]).folder
        return made[task, strategy]

    return give
