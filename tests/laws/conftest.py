"""What several laws share: finished runs, made once, and a process that knows transformers alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.laws.kinds", "hfft.testing")

from tests.laws.runs import tuning  # noqa: E402


@pytest.fixture(scope="session")
def trained(tiny: Callable[[str], dict[str, Any]], run_of: Callable[..., Path]) -> Callable[[str, str], Path]:
    """Gives the folder of a finished run of a task or variant with a strategy, for laws that only read it."""
    return lambda task, strategy: run_of(tiny(task), *tuning(task, strategy))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Asks a process that knows transformers and not hfft: how it is asked, a model's folder, inputs; gives answers."""
    errors = tmp_path_factory.mktemp("plain") / "errors"
    with (
        open(errors, "w", encoding="utf-8") as stderr,
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("plain.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=errors.parent,
        ) as process,
    ):
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(how: str, place: Path, inputs: Any) -> Any:
            stdin.write(json.dumps([how, str(place), inputs]) + "\n")
            stdin.flush()
            said = next((line for line in stdout if line.startswith("answers ")), None)
            assert said is not None, errors.read_text(encoding="utf-8")
            return json.loads(said.removeprefix("answers "))

        yield ask
