"""Whether a change leaves what is learnt and told as it was, to the byte: quickstart, every tiny task, every strategy.

    python -m tests.same_bytes before.json     on the commit before, and with another file's name after it
    python -m tests.same_bytes before.json after.json     names what differs; exit code 1 where anything does

The times of a run, the machine and the place of its files are left out. Takes about four minutes with one thread.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}  # before torch and transformers are imported

import torch

import hfft
from hfft.testing import losses
from tests.laws.runs import STRATEGIES, keep_best, train
from tests.outside.example import example
from tests.tiny import EXAMPLES

QUICKSTART = "recipes/quickstart.yaml"
VOLATILE = re.compile(
    "second|time|date|started|ended|commit|version|environment|memory|bytes|host|samples_per|tokens_per"
)


def runs(place: Path) -> Iterator[tuple[str, Path]]:
    """Trains one case after the other: its name and its folder."""
    output = place / "quickstart"
    hfft.train(hfft.Recipe.load(QUICKSTART), output=output, quiet=True)
    yield "quickstart", output
    for task, make in {**EXAMPLES, "outside": example}.items():
        recipe, output = make(place / f"tiny-{task}"), place / task
        train(recipe, output)
        yield task, output
        if task == "text-classification":
            for strategy, overrides in STRATEGIES.items():
                train(recipe, place / strategy, keep_best(task, recipe), *overrides)
                yield f"{task}, {strategy}", place / strategy


def facts(run: Path, place: Path) -> dict[str, Any]:
    """What must stay as it is: losses as they are, of files a digest or their lasting content."""
    digests = {
        str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted([run / "parameters.json", *run.glob("predictions/*"), *run.rglob("model/*.safetensors")])
    }
    told = {
        name: lasting(json.loads((run / name).read_text("utf-8")), str(place))
        for name in ("results.json", "report.json")
    }
    return {"losses": losses(run), **digests, **told}


def lasting(value: Any, place: str) -> Any:
    """A value of JSON without what is another in each run, and without the place of its files."""
    if isinstance(value, dict):
        return {name: lasting(part, place) for name, part in value.items() if not VOLATILE.search(name)}
    if isinstance(value, list):
        return [lasting(part, place) for part in value]
    return value.replace(place, "") if isinstance(value, str) else value


def differences(before: Any, after: Any, where: str = "") -> Iterator[str]:
    """Where two values of JSON are not the same."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            yield from differences(before.get(name), after.get(name), f"{where} / {name}" if where else name)
    elif before != after:
        yield f"{where}: {str(before)[:100]} became {str(after)[:100]}"


def main(first: str, second: str | None = None) -> int:
    if second is not None:
        before, after = (json.loads(Path(name).read_text("utf-8")) for name in (first, second))
        found = list(differences(before, after))
        print(*found, f"{len(before)} cases, {len(found)} differences", sep="\n")
        return 1 if found else 0
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HFFT_CACHE"] = str(Path(folder, "cache"))
        found = {name: facts(run, Path(folder)) for name, run in runs(Path(folder))}
    Path(first).write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(f"{len(found)} cases written to {first}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
