"""The end of a run: weights chosen, scored, saved and looked at again; then the closing lines."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from hfft.errors import ModelError
from hfft.hub.metadata import Trained
from hfft.hub.model_card import adapter_card, card
from hfft.io.console import Console
from hfft.io.run_folder import RunFolder, scored_splits, weights_shown, whole_folder, write_json, write_text
from hfft.tasks.inputs import shown_inputs
from hfft.tasks.scores import Scored, headline, headline_metric, interval_text, score_table, show_scores
from hfft.tasks.slices import LENGTH, Part, parts_by_column, parts_by_length, slice_scores
from hfft.training.callbacks.checkpoint import summed
from hfft.training.callbacks.divergence import require_a_step, require_answers, require_finite, skips_told
from hfft.training.callbacks.ema import averaged
from hfft.training.loop import Progress, plain_model
from hfft.training.processes import on_main
from hfft.training.soup import Soup, greedy_soup
from hfft.tuning.adapters import merged, save_adapter
from hfft.workflows.build import Callbacks, Setup
from hfft.workflows.verify import require_same_answers


def finish(setup: Setup, folder: RunFolder, callbacks: Callbacks, console: Console) -> None:
    """Chooses the weights, scores them on eval and test, and writes the rest of the run folder; results.json last.

    All processes call it.

    Raises:
        Interrupted: A signal came while scoring.
        TrainingError: The run has diverged.
        ModelError: The saved model, opened again, is another one; all else is written, and results.json says so.
    """
    run = setup.run
    require_a_step(run.progress)
    chosen, soup = run.progress.best_step or run.progress.step, None
    if setup.recipe.train.soup is not None and callbacks.evaluate is not None:
        soup = greedy_soup(run, callbacks.evaluate, callbacks.checkpoint, console)
    elif chosen != run.progress.step:
        callbacks.checkpoint.load_best(run, chosen)
    require_finite(run)
    own = soup is None and chosen == run.progress.step
    with averaged(run) if own else nullcontext():  # what was kept is of the average already
        scored: dict[str, Scored] = {}
        known = _known(callbacks, chosen, soup)
        # What is chosen on eval decides the answers to the others: eval comes first.
        for split, evaluator in sorted(setup.evaluators.items(), key=lambda item: not item[1].tunes_threshold):
            done = known is not None and split == "eval" and len(known.ids) == len(evaluator.examples)
            tell = callbacks.log.line.scoring(split)
            scored[split] = known if known and done else evaluator(run.model, run.accelerator, run.asked_to_stop, tell)
            require_answers(run.progress, split, scored[split].answered, len(scored[split].ids))
        callbacks.log.end_progress()
        progress = summed(run)

        def leave() -> None:
            results = _results(setup, progress, chosen, soup, scored)
            late = _late_warnings(progress, scored)
            results["warnings"] = [*setup.warnings, *late]
            fault = _write(setup, folder, callbacks, scored, results)
            show_results(results, setup.recipe.train.best_metric, console)
            for text in late:
                console.warn(text)
            if fault is not None:
                raise fault

        on_main(run.accelerator, leave)


def _known(callbacks: Callbacks, chosen: int, soup: Soup | None) -> Scored | None:
    """The answers with the weights chosen, where they were the last to be scored."""
    if soup is not None:
        return soup.scored
    latest = callbacks.evaluate.latest if callbacks.evaluate is not None else None
    return latest[1] if latest is not None and latest[0] == chosen else None


def _write(
    setup: Setup, folder: RunFolder, callbacks: Callbacks, scored: dict[str, Scored], results: dict[str, Any]
) -> ModelError | None:
    """Writes all files; results.json, the last, with what is wrong with the saved model, which is returned too."""
    for split, found in scored.items():
        inputs = shown_inputs(setup.task, setup.rows[split].select(found.ids))
        uncut = setup.uncut.get(split)
        rows = (row if uncut is None else {**row, "row": uncut[row["id"]]} for row in found.rows(inputs))
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        write_text(folder.predictions(split), "".join(lines))
    model, fault = save_model(setup, folder, results), None
    try:
        results["remarks"] += require_same_answers(setup, model, folder.model) if model is not None else []
    except ModelError as error:
        fault = error
        results["remarks"].append(str(error))
    track = callbacks.log.track
    for split in scored:
        values = {name: entry["value"] for name, entry in results[split].items()}
        if track is not None:
            track({"step": results["steps"], "event": f"final-{split}", **values})
    write_json(folder.results, results)
    return fault


def _results(
    setup: Setup, progress: Progress, chosen: int, soup: Soup | None, scored: dict[str, Scored]
) -> dict[str, Any]:
    recipe, seconds = setup.recipe, max(progress.seconds, 1e-9)
    results: dict[str, Any] = {
        "task": recipe.task.name,
        "steps": progress.step,
        "best_step": chosen,
        **({"soup": soup.as_json()} if soup is not None else {}),
        **({"ema": recipe.train.ema} if recipe.train.ema is not None else {}),
        "ended": progress.ended,
    }
    said: list[str] = soup.remarks if soup is not None else []
    for split, found in scored.items():
        selected = split == "eval" and (recipe.train.best_metric is not None or setup.task.tunes_threshold)
        whole, by_label = score_table(found, recipe.eval.confidence, selected)
        results[split] = whole
        results |= {f"{split}_labels": by_label} if by_label else {}
        results[f"{split}_examples"] = len(found.labelled[1])
        parts = slice_scores(found, _parts(setup, split), recipe.eval.confidence, selected)
        results |= {f"{split}_slices": parts} if parts else {}
        notes = found.notes(split)
        results |= {f"{split}_answers": notes.facts} if notes.facts else {}
        said += [str(finding) for finding in notes.findings]
    return {
        **results,
        "settled": setup.task.fitted,
        "output": setup.task.output,
        "confidence": recipe.eval.confidence,
        "train_seconds": progress.seconds,
        "skipped_steps": progress.skipped,
        "samples": progress.samples,
        "samples_per_second": progress.samples / seconds,
        "tokens_per_second": progress.tokens / seconds,
        "padding_share": 1 - progress.tokens / progress.cells if progress.cells else 0.0,
        "remarks": said,
    }


def _late_warnings(progress: Progress, scored: dict[str, Scored]) -> list[str]:
    """What went wrong after the first step; of several splits the same only once."""
    told = (text for split, found in scored.items() for text in found.warnings(split))
    return list(dict.fromkeys([*skips_told(progress), *told]))


def _parts(setup: Setup, split: str) -> list[Part]:
    examples = setup.evaluators[split].examples
    rows, columns = setup.rows[split].select(examples.ids), setup.recipe.eval.slices
    parts = [part for column in columns for part in parts_by_column(rows, split, column)]
    return parts_by_length(examples.lengths) + parts


def save_model(setup: Setup, folder: RunFolder, results: dict[str, Any]) -> Any | None:
    """Writes adapter/, and model/ where that merges exactly. Neither names a path of this machine.

    The model is used up: what belongs into its weights is put there. Give a copy where training goes on.

    Args:
        setup: The run, with the weights to save.
        folder: Gets the two.
        results: As results.json has them, for the card.

    Returns:
        The model that stands in model/; None where there is none.
    """
    run, recipe, prepared = setup.run, setup.recipe, setup.prepared
    trained = Trained(recipe, setup.task, setup.base, setup.strategy, prepared.summary, prepared.findings)
    model = plain_model(run.model, run.accelerator)
    setup.task.fuse_scale(model)
    for name, value in setup.task.fitted.items():
        setattr(model.config, name, value)
    if recipe.tune.adapter is not None:
        with whole_folder(folder.adapter) as place:
            save_adapter(model, place, setup.base or Path(recipe.model.shown).name)
            _save_beside(setup, place, adapter_card(trained, results, model, folder.path))
            _save_settings(model.get_base_model(), place)
        if not setup.tuned.merges:
            return None
        model = merged(model)
    with whole_folder(folder.model) as place:
        model.save_pretrained(place)
        _save_beside(setup, place, card(trained, results, folder.path))
    return model


def _save_settings(model: PreTrainedModel, place: Path) -> None:
    """Writes what an adapter's folder lacks of a finished model: the names of its answers, and how it generates."""
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(place)
    if model.can_generate():
        model.generation_config.save_pretrained(place)


def _save_beside(setup: Setup, place: Path, text: str) -> None:
    setup.task.processor.save_pretrained(place)
    write_text(place / "README.md", text)


def show_results(results: dict[str, Any], watched: str | None, console: Console) -> None:
    """Prints the scores of every split and of its slices, remarks and cost; where details are wanted, labels too.

    Args:
        results: As results.json has them.
        watched: The metric of `keep_best`.
        console: Where to.
    """
    splits, confidence = scored_splits(results), results["confidence"]
    show_scores(f"Scores of {weights_shown(results)}", {name: results[name] for name in splits}, confidence, console)
    for split in splits if console.verbose else ():
        labels = {f"{split} {label}": table for label, table in results.get(f"{split}_labels", {}).items()}
        show_scores(f"{split}, by label", labels, confidence, console)
    for split in splits:
        _show_slices(split, results, headline_metric(results[split], watched) or "", console)
    for name, value in results["settled"].items():
        console.say(f"{name}: {value}")
    for remark in results["remarks"]:
        console.say(remark)
    if results["ended"]:
        console.say(f"The run ended early: {results['ended']}")
    padding = f", {results['padding_share']:.1%} of the tokens padding" if results["tokens_per_second"] else ""
    console.say(f"{results['train_seconds']:.0f} s of training, {results['samples_per_second']:.0f} samples/s{padding}")


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


def _show_slices(split: str, results: dict[str, Any], metric: str, console: Console) -> None:
    """Prints a table for each column by which the split was cut; the lengths, which nobody asked for, as a detail."""
    parts = results.get(f"{split}_slices", [])
    for column in dict.fromkeys(part["column"] for part in parts):
        if column == LENGTH and not console.verbose:
            continue
        rows = []
        for part in (part for part in parts if part["column"] == column):
            entry = part["scores"].get(metric)
            if entry is None:
                rows.append((part["value"], str(part["examples"]), "-", part.get("failed", "not defined")))
                continue
            rows.append((part["value"], str(part["examples"]), f"{entry['value']:.4f}", interval_text(entry)))
        title = f"{split} {metric} by {column}"
        console.table(title, ("", "examples", "value", f"{100 * results['confidence']:g}% interval"), rows)
