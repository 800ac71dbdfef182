"""What people see at the end of a run: its scores with their intervals, what is odd about them, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hfft.folder import scored_splits
from hfft.score_table import headline, headline_metric, interval_text, show_scores
from hfft.screen import Screen
from hfft.slices import LENGTH
from hfft.soup import weights_shown


def show_results(results: dict[str, Any], watched: str | None, screen: Screen) -> None:
    """Prints the scores of every split and of its slices, remarks and cost; where details are wanted, labels too.

    Args:
        results: As results.json has them.
        watched: The metric of `keep_best`.
        screen: Where to.
    """
    splits, confidence = scored_splits(results), results["confidence"]
    show_scores(f"Scores of {weights_shown(results)}", {name: results[name] for name in splits}, confidence, screen)
    for split in splits if screen.verbose else ():
        labels = {f"{split} {label}": table for label, table in results.get(f"{split}_labels", {}).items()}
        show_scores(f"{split}, by label", labels, confidence, screen)
    for split in splits:
        _show_slices(split, results, headline_metric(results[split], watched) or "", screen)
    for name, value in results["settled"].items():
        screen.say(f"{name}: {value}")
    for remark in results["remarks"]:
        screen.say(remark)
    if results["ended"]:
        screen.say(f"The run ended early: {results['ended']}")
    padding = f", {results['padding_share']:.1%} of the tokens padding" if results["tokens_per_second"] else ""
    screen.say(f"{results['train_seconds']:.0f} s of training, {results['samples_per_second']:.0f} samples/s{padding}")


def closing_line(results: dict[str, Any], watched: str | None, path: Path) -> str:
    """The last line of a run: the score that counts most, with its interval, and the run folder.

    Args:
        results: As results.json has them.
        watched: The metric of `keep_best`.
        path: The run folder.
    """
    found = headline(results, watched)
    if found is None:
        return f"Run folder: {path}"
    split, metric = found
    best = results[split][metric]
    interval = f" ({interval_text(best)})" if interval_text(best) else ""
    return f"{split} {metric} {best['value']:.4f}{interval}, {results[f'{split}_examples']} examples; run folder {path}"


def _show_slices(split: str, results: dict[str, Any], metric: str, screen: Screen) -> None:
    """Prints a table for each column by which the split was cut; the lengths, which nobody asked for, as a detail."""
    parts = results.get(f"{split}_slices", [])
    for column in dict.fromkeys(part["column"] for part in parts):
        if column == LENGTH and not screen.verbose:
            continue
        rows = []
        for part in (part for part in parts if part["column"] == column):
            entry = part["scores"].get(metric)
            if entry is None:
                rows.append((part["value"], str(part["examples"]), "-", part.get("failed", "not defined")))
                continue
            rows.append((part["value"], str(part["examples"]), f"{entry['value']:.4f}", interval_text(entry)))
        title = f"{split} {metric} by {column}"
        screen.table(title, ("", "examples", "value", f"{100 * results['confidence']:g}% interval"), rows)
