"""The commands with which one looks at finished runs: report and compare."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
) -> None:
    """Write report.html and report.json into a run folder, as the end of a training does."""
    from hfft.folder import RunFolder
    from hfft.report import write_report

    typer.echo(write_report(RunFolder(run)))


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Finished runs; the first is the measure.")],
    split: Annotated[str | None, typer.Option(help="The split to compare on. Default: test, else eval.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="A score to compare; may be repeated.")] = None,
    html: Annotated[str | None, typer.Option("--html", metavar="FILE", help="Write a page too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Allow code that the recipes name.")] = False,
) -> None:
    """Compare finished runs on the same examples: paired differences with intervals, and what differs in recipes."""
    from hfft.compare import compare as make
    from hfft.folder import check_writable, write_text
    from hfft.screen import Screen, quiet_libraries

    quiet_libraries()
    if html is not None:
        check_writable(Path(html))
    found = make(runs, split=split, metrics=metric, trust=trust)
    if html is not None:
        write_text(Path(html), found.page())
    if as_json:
        sys.stdout.write(json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        found.show(Screen())
