"""What a finished run, or any model of transformers for one of hfft's tasks, says to new rows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from pydantic import BaseModel

from hfft.data.checks import SHOWN, UNLABELLED, Finding, count_rows
from hfft.data.files import read_files
from hfft.data.table import texts_within
from hfft.errors import DataError
from hfft.io.console import Console
from hfft.io.progress import progress, progress_shown
from hfft.io.run_folder import write_text
from hfft.reports.html.page import top_of
from hfft.reports.html.scores import labels_part, scores_section
from hfft.reports.labels import label_rows
from hfft.reports.notebook import fragment, headline_text, score_lines, screenful, warning_lines
from hfft.tasks.inputs import inputs_of, shown_inputs
from hfft.tasks.prepare import new_rows
from hfft.tasks.scores import Scored, Table, headline_metric, score_table, show_scores
from hfft.tasks.task import Task, is_answered
from hfft.training.evaluation import Evaluator
from hfft.workflows.finished import Finished
from hfft.workflows.inputs.reading import read_questions
from hfft.workflows.inputs.rows import Questions, questions_of
from hfft.workflows.inputs.tables import labelled_rows

LEFT_OUT = "the task left it out"

UNSAID = (UNLABELLED, "empty", "unreadable")  # kinds of findings that the answers to new rows say themselves


@dataclass(frozen=True)
class Answers:
    """The answers to new rows, in their order: one for each.

    Attributes:
        rows: One a row: `id` (its number, from 0), `input`, `answer` and what goes with it, as predictions files have
            them, but `probabilities` by label. `input` is missing of a picture without a name. Where there is no answer
            it is None, and `error` says why.
        findings: What the checks found in them, such as texts that were cut.
        seconds: Of tokenizing and answering.
    """

    rows: list[dict[str, Any]]
    findings: list[str]
    seconds: float

    def require_some(self) -> Answers:
        """These, or a DataError where there is no answer to any input."""
        if all("error" in row for row in self.rows):
            several = f"None of the {len(self.rows)} inputs" if len(self.rows) > 1 else "No input"
            raise DataError(f"{several} can be answered: {_unanswered(self.rows)}.")
        return self

    def save(self, path: str) -> None:
        """Writes a line of JSON for each row."""
        _save(self.rows, path)

    def lines(self) -> Iterator[str]:
        """A line for each row: the answer, its probability where it has one, the input."""
        for row in self.rows:
            said = f"no answer: {row['error']}" if "error" in row else _shown(row["answer"])
            score = [f"{row['score']:.4f}"] if "score" in row else []
            asked = row.get("input", "")
            texts = ["" if part is None else part for part in (asked if isinstance(asked, list) else [asked])]
            yield "\t".join(" ".join(str(part).split()) for part in [said, *score, *texts])

    def summary(self) -> Iterator[str]:
        """What was found, which rows have no answer, and how fast the others were answered."""
        yield from self.findings
        without = sum("error" in row for row in self.rows)
        if without:
            yield f"{without} of {len(self.rows)} inputs have no answer: {_unanswered(self.rows)}"
        per_second = len(self.rows) / max(self.seconds, 1e-9)
        yield f"{len(self.rows)} rows in {self.seconds:.1f} s, {per_second:.0f} rows/s"


@dataclass(frozen=True)
class Evaluation:
    """Scores of new rows.

    Attributes:
        scores: By metric: `{"value", "low", "high"}`, as results.json has them.
        by_label: The same by label, then metric.
        examples: How many rows were scored.
        rows_read: How many there were; the findings name those that are not scored.
        confidence: Of the intervals.
        rows: As predictions files have them.
        findings: What the checks found in the rows, and what is odd about the answers.
        facts: What else there is to know, such as signatures of metrics.
        model: What was asked, as it was named.
    """

    scores: Table
    by_label: dict[str, Table]
    examples: int
    rows_read: int
    confidence: float
    rows: list[dict[str, Any]]
    findings: list[str]
    facts: dict[str, Any]
    model: str = ""

    def as_json(self) -> dict[str, Any]:
        """The scores as plain values."""
        values = asdict(self)
        return {name: value for name, value in values.items() if name not in ("rows", "model")}

    def __repr__(self) -> str:
        first = headline_metric(self.scores)
        told = [] if first is None else [headline_text(first, self.scores[first], self.examples)]
        return screenful([self._title(), *told, *warning_lines(self.findings), *score_lines({"": self.scores})])

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        facts = {"scores": {"data": self.scores}, "examples": {"data": self.examples}, "confidence": self.confidence}
        first = headline_metric(self.scores)
        if first is not None:
            facts["headline"] = {"split": "data", "metric": first, **self.scores[first], "examples": self.examples}
        labels = label_rows(self.by_label, None, [])
        by_label = replace(labels_part(labels, ""), folded=True) if labels else None
        top = top_of({**facts, "checks": {"warnings": self.findings}})
        return fragment(self._title(), "evaluation", [scores_section(facts), by_label], top)

    def _title(self) -> str:
        read = "" if self.rows_read == self.examples else f" of {self.rows_read:,}"
        return f"{self.model or 'A model'} on {self.examples:,}{read} rows"

    def save(self, path: str) -> None:
        """Writes a line of JSON for each row, truths beside answers."""
        _save(self.rows, path)

    def show(self, console: Console) -> None:
        """Prints the table of scores, and the findings."""
        show_scores(f"Scores of {self.examples} examples", {"": self.scores}, self.confidence, console)
        for finding in self.findings:
            console.say(finding)


def answer(finished: Finished, inputs: Any) -> Answers:
    """Answers files or inputs. Rows of like length are batched together; the answers come in the rows' order.

    Raises:
        DataError: As `read_questions`.
    """
    asked = read_questions(finished.task, inputs)
    started = time.perf_counter()
    with progress_shown(finished.accelerator.process_index == 0):
        scored, findings, faults = _scored(finished, asked, answered=False)
    said, labels = dict(zip(scored.ids, scored.answers, strict=True)), finished.labels
    rows = [
        {
            "id": number,
            **({} if shown is None else {"input": shown}),
            **_by_label(said.get(number, {"answer": None, "error": faults.get(number, LEFT_OUT)}), labels),
        }
        for number, shown in enumerate(asked.shown)
    ]
    return Answers(rows, findings, time.perf_counter() - started)


def _by_label(row: dict[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """An answer whose probabilities, where it has those of all labels, are by their names."""
    if not labels or "probabilities" not in row:
        return row
    return {**row, "probabilities": dict(zip(labels, row["probabilities"], strict=True))}


def _unanswered(rows: Sequence[dict[str, Any]]) -> str:
    """The first few rows without an answer, counted from 0."""
    faults = [f"{row['id']}{_named(row)} ({row['error'].rstrip('.')})" for row in rows if "error" in row]
    return f"{', '.join(faults[:SHOWN])}{', ...' if len(faults) > SHOWN else ''}"


def _named(row: dict[str, Any]) -> str:
    return f" {row['input']!r:.60}" if isinstance(row.get("input"), str) else ""


def score(finished: Finished, data: Sequence[Any], quiet: bool = False) -> Evaluation:
    """Answers labelled rows and scores the answers.

    Args:
        finished: The model.
        data: Names of files, or one table: a Dataset, a DataFrame or rows as dicts.
        quiet: Do not show how far it is.

    Raises:
        DataError: A file cannot be read, its rows do not fit the model, or none of them can be scored.
    """
    task = finished.task
    in_files = all(isinstance(part, (str, Path)) for part in data)
    if in_files:
        files, numbers = [str(file) for file in data], task.number_columns
        table, faults = read_files(files, ".", "--data", task.file_columns, number_columns=numbers), {}
    else:
        table, faults = labelled_rows(task, data)
    rows, read = table.rows, table.findings("data", _named_columns(task))
    if not len(rows):
        raise DataError("--data: there are no rows to score.")
    if in_files and task.file_columns and any(Path(file).is_dir() for file in data):
        rows = _with_own_names(rows, task)
    asked = questions_of(task, rows, inputs_of(task, rows), faults, read)
    with progress_shown(finished.accelerator.process_index == 0 and not quiet):
        scored, findings, faults = _scored(finished, asked, answered=True)
    if not scored.ids:
        raise DataError(
            f"--data: none of {len(rows)} rows can be scored, the first since {next(iter(faults.values()))}."
        )
    scores, by_label = score_table(scored, finished.confidence)
    notes = scored.notes("data")
    return Evaluation(
        scores=scores,
        by_label=by_label,
        examples=len(scored.labelled[1]),
        rows_read=len(rows),
        confidence=finished.confidence,
        rows=scored.rows(shown_inputs(task, rows.select(scored.ids))),
        findings=[*findings, *scored.warnings("data"), *map(str, [*_left_out(asked, scored), *notes.findings])],
        facts=notes.facts,
    )


def _left_out(asked: Questions, scored: Scored) -> list[Finding]:
    """Counts the rows that could not be asked, by the reason, and all those that are not scored."""
    every, findings = range(len(asked.rows)), []
    for why in dict.fromkeys(asked.faults.values()):
        flags = (asked.faults.get(number) == why for number in every)
        findings += count_rows("unasked", "data", flags, len(every), f"are left out, since {why}")
    known = zip(scored.ids, scored.answers, scored.truths, strict=True)
    counted = {number for number, said, truth in known if truth is not None and is_answered(said)}
    flags = (number not in counted for number in every)
    return findings + count_rows("unscored", "data", flags, len(every), "are not scored, all in all")


def _named_columns(task: Task) -> list[str]:
    """All that may be names of columns: those of its inputs, and whatever texts stand in its options."""
    options = getattr(task, "options", None)
    return [*task.inputs, *(texts_within(options.model_dump()) if isinstance(options, BaseModel) else [])]


def _with_own_names(rows: Dataset, task: Task) -> Dataset:
    """Calls the columns of an image folder, `image` and `label`, as those that the task was trained on."""
    labels = [name for names in getattr(task, "label_columns", {}).values() for name in names]
    return rows.rename_columns({"image": task.file_columns[0], "label": labels[0] if len(labels) == 1 else "label"})


def _scored(finished: Finished, asked: Questions, answered: bool) -> tuple[Scored, list[str], dict[int, str]]:
    """The answers, what the checks found, and why other rows have none."""
    task, faults, nothing = finished.task, asked.faults, Scored(finished.task, [], [], [])
    told = [str(finding) for finding in asked.findings]
    if len(faults) == len(asked.rows):
        return nothing, told, faults
    prepared = new_rows(task, asked.rows, answered)
    faults = {**prepared.unanswered, **faults}
    told += [str(finding) for finding in prepared.findings if answered or finding.kind not in UNSAID]
    examples = prepared.splits.get("data")
    if examples is None:
        return nothing, told, faults
    places = np.flatnonzero([number not in faults for number in examples.ids.tolist()])
    if not len(places):
        return nothing, told, faults
    examples = examples if len(places) == len(examples) else examples.select(places)
    evaluator = Evaluator(task, examples, finished.budget, extra=finished.extra)
    with progress("Answering", "batches") as tell:
        return evaluator(finished.model, finished.accelerator, tell=tell), told, faults


def _save(rows: Sequence[dict[str, Any]], path: str) -> None:
    write_text(Path(path), "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _shown(answer: Any) -> str:
    if isinstance(answer, list):
        return ", ".join(map(_shown, answer)) or "-"
    if isinstance(answer, dict):  # a span of a text
        return f"{answer['label']} {answer['start']}-{answer['end']}"
    return f"{answer:.4f}" if isinstance(answer, float) else str(answer)
