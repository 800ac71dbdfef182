"""What a finished run, or any model of transformers for one of hfft's tasks, says to new rows."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from io import BytesIO
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from datasets import Dataset, Features
from datasets import Image as DatasetImage
from PIL.Image import Image
from pydantic import BaseModel
from transformers.image_utils import load_image

from hfft.backbone import Backbone
from hfft.data.checks import UNLABELLED
from hfft.data.files import KINDS, read_files
from hfft.data.folders import IMAGE_ENDINGS
from hfft.data.order import Budget
from hfft.data.table import Table as ReadTable
from hfft.data.table import texts_within
from hfft.errors import DataError, ModelError, SetupError, quoted
from hfft.folder import RunFolder, write_text
from hfft.metrics.further import find_metric, load_modules, number_labels
from hfft.recipe import Recipe
from hfft.recipe_text import override
from hfft.score_table import Table, score_table, show_scores
from hfft.scoring import ExtraMetric, Scored, Scorer
from hfft.screen import Screen
from hfft.tasks import find_task, make_task, task_of_architectures
from hfft.tasks.inputs import inputs_of, shown_inputs
from hfft.tasks.task import Pictured, Task

TRANSIENT = "answers only"  # stands where a recipe wants data, which a finished model does without


@dataclass(frozen=True)
class Finished:
    """A finished model, ready to answer.

    Attributes:
        task: What it was trained for.
        model: On its device.
        accelerator: The device, and the precision of the forward pass.
        budget: What is answered at once.
        confidence: Of the intervals of scores.
        extra: Further metrics of the recipe.
    """

    task: Task
    model: Any
    accelerator: Accelerator
    budget: Budget
    confidence: float
    extra: Sequence[ExtraMetric]


@dataclass(frozen=True)
class Answers:
    """The answers to new rows, in their order.

    Attributes:
        rows: One a row: `id` (its number, from 0), `answer` and what goes with it, as predictions files have them.
        inputs: What was asked, a tuple of inputs a row.
        findings: What the checks found in them, such as texts that were cut.
        seconds: Of tokenizing and answering.
    """

    rows: list[dict[str, Any]]
    inputs: list[tuple[Any, ...]]
    findings: list[str]
    seconds: float

    def save(self, path: str) -> None:
        """Writes a line of JSON for each answer."""
        _save(self.rows, path)

    def show(self, screen: Screen) -> None:
        """Prints a line for each answer: the answer, its probability where it has one, the input."""
        for row, inputs in zip(self.rows, self.inputs, strict=True):
            score = [f"{row['score']:.4f}"] if "score" in row else []
            texts = (" ".join(str(part).split()) for part in inputs)
            screen.say("\t".join([_shown(row["answer"]), *score, *texts]))
        self.show_summary(screen)

    def show_summary(self, screen: Screen) -> None:
        """Prints the findings, and how many rows were answered how fast."""
        for finding in self.findings:
            screen.say(finding)
        screen.say(self.speed)

    @property
    def speed(self) -> str:
        """Says how many rows were answered, and how fast."""
        return f"{len(self.rows)} rows in {self.seconds:.1f} s, {len(self.rows) / max(self.seconds, 1e-9):.0f} rows/s"


@dataclass(frozen=True)
class Evaluation:
    """Scores of new rows.

    Attributes:
        scores: By metric: `{"value", "low", "high"}`, as results.json has them.
        by_label: The same by label, then metric.
        examples: How many rows had a label.
        confidence: Of the intervals.
        rows: As predictions files have them.
        findings: What the checks found in the rows, and what is odd about the answers.
        facts: What else there is to know, such as signatures of metrics.
    """

    scores: Table
    by_label: dict[str, Table]
    examples: int
    confidence: float
    rows: list[dict[str, Any]]
    findings: list[str]
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The scores as plain values."""
        values = asdict(self)
        del values["rows"]
        return values

    def save(self, path: str) -> None:
        """Writes a line of JSON for each row, truths beside answers."""
        _save(self.rows, path)

    def show(self, screen: Screen) -> None:
        """Prints the table of scores, and the findings."""
        show_scores(f"Scores of {self.examples} examples", {"": self.scores}, self.confidence, screen)
        for finding in self.findings:
            screen.say(finding)


def open_finished(
    place: str, overrides: Sequence[str], batch_size: int | None, trust: bool, accelerator: Accelerator
) -> Finished:
    """Loads the model of a run folder, or a model of transformers, and the task it was trained for.

    Args:
        place: A run folder, a folder of a model, a Hub id, or package://NAME/PATH.
        overrides: Changes to the recipe, such as `task.text=body`; for a plain model, to the task's defaults.
        batch_size: Rows answered at once; by default the recipe's, or 32.
        trust: Whether code of the recipe or of the model may run.
        accelerator: What to run on.

    Raises:
        HfftError: There is no such model, it has no trained head, or an override does not fit.
    """
    folder = RunFolder(place)
    if folder.recipe.is_file():
        if not folder.model.is_dir() and folder.results.is_file() and folder.adapter.is_dir():
            raise SetupError(
                f"The adapter of the run in {folder.path} cannot be merged exactly into the weights, so there is no "
                f"{folder.model.name}/, which answers are made with here. Load {folder.adapter} with PEFT instead: "
                "PeftModel.from_pretrained."
            )
        if not folder.model.is_dir():
            raise SetupError(f"The run in {folder.path} is not finished: it has no {folder.model.name}/ yet.")
        recipe = Recipe.load(folder.recipe, *overrides)
        backbone = Backbone(str(folder.model), trust=trust)
    else:
        backbone = Backbone(place, trust=trust)
        task = reduce(override, overrides, {}).get("task")
        named = task.get("name") if isinstance(task, dict) else None
        name = named or task_of_architectures(place, backbone.config.architectures)
        values = {"task": {"name": name}, "model": place}
        recipe = Recipe.from_dict({**values, "data": {"hub": TRANSIENT}}, *overrides)
    kind = find_task(recipe.task.name, trust)
    extra = [find_metric(name, trust) for name in recipe.eval.metrics]
    task = make_task(kind, recipe.task_options(kind.Options))
    task.reopen(backbone)
    model, new = task.model(backbone)
    if new:
        raise ModelError(f"'{place}' has no trained head: {', '.join(new[:3])} would start at random. Train it first.")
    load_modules(extra)
    number_labels(extra, model.config.label2id)
    model = accelerator.prepare_model(model.to(accelerator.device), evaluation_mode=True)
    settings = recipe.eval.with_defaults(**vars(kind.scoring))
    rows = batch_size or settings.batch_size or (None if settings.batch_tokens else recipe.train.batch_size)
    budget = Budget(rows, None if batch_size else settings.batch_tokens)
    return Finished(task, model, accelerator, budget, recipe.eval.confidence, extra)


def answer(finished: Finished, inputs: Any) -> Answers:
    """Answers files or inputs. Rows of like length are batched together; the answers come in the rows' order.

    Raises:
        DataError: As `read_inputs`, or a row cannot be asked.
    """
    table = read_inputs(finished.task, inputs)
    rows, read = table.rows, table.findings("data", finished.task.inputs)
    started = time.perf_counter()
    scored, findings = _scored(finished, rows, answered=False)
    found = [{"id": number, **said} for number, said in zip(scored.ids, scored.answers, strict=True)]
    seconds = time.perf_counter() - started
    return Answers(found, inputs_of(finished.task, rows.select(scored.ids)), [*map(str, read), *findings], seconds)


def score(finished: Finished, files: Sequence[str]) -> Evaluation:
    """Answers the rows of files and scores the answers by the labels that stand in them.

    Raises:
        DataError: A file cannot be read, or its rows do not fit the model.
    """
    task = finished.task
    table = read_files(list(files), ".", "--data", task.file_columns if isinstance(task, Pictured) else [])
    read = table.findings("data", _named(task))
    rows = table.rows
    if isinstance(task, Pictured) and any(Path(file).is_dir() for file in files):
        rows = _with_own_names(rows, task)
    scored, findings = _scored(finished, rows, answered=True)
    scores, by_label = score_table(scored, finished.confidence)
    remarks = scored.remarks("data")
    return Evaluation(
        scores=scores,
        by_label=by_label,
        examples=len(scored.labelled[1]),
        confidence=finished.confidence,
        rows=scored.rows(shown_inputs(task, rows.select(scored.ids))),
        findings=[*map(str, read), *findings, *scored.warnings("data"), *map(str, remarks.findings)],
        facts=remarks.facts,
    )


def _named(task: Task) -> list[str]:
    """All that may be names of columns: those of its inputs, and whatever texts stand in its options."""
    options = getattr(task, "options", None)
    return [*task.inputs, *(texts_within(options.model_dump()) if isinstance(options, BaseModel) else [])]


def _with_own_names(rows: Dataset, task: Pictured) -> Dataset:
    """Calls the columns of an image folder, `image` and `label`, as those that the task was trained on."""
    labels = [name for names in getattr(task, "label_columns", {}).values() for name in names]
    return rows.rename_columns({"image": task.file_columns[0], "label": labels[0] if len(labels) == 1 else "label"})


def _scored(finished: Finished, rows: Dataset, answered: bool) -> tuple[Scored, list[str]]:
    prepared = finished.task.questions(rows, answered)
    examples = prepared.splits["data"]
    scorer = Scorer(finished.task, examples, finished.budget, extra=finished.extra)
    told = [str(finding) for finding in prepared.findings if answered or finding.kind != UNLABELLED]
    return scorer(finished.model, finished.accelerator), told


def read_inputs(task: Task, inputs: Any) -> ReadTable:
    """Makes rows of what there is to answer: files, or inputs themselves (texts; of pairs, both texts; pictures).

    Args:
        task: Says in which columns its inputs stand.
        inputs: One or several names of files (any name of a file that is there, or that ends as one without a space,
            such as `new.csv`), or inputs. A pair is a tuple, or two neighbours. Of a task that sees, names are those of
            images, of folders of images, or of tables; inputs are pictures of PIL.

    Raises:
        DataError: Files and inputs are mixed, a file or picture cannot be read, half a pair is left over, or an input
            of a task that sees is no picture and no name.
    """
    given = _listed(inputs)
    if not given:
        raise DataError("There is nothing to answer: give texts, or files.")
    if isinstance(task, Pictured):
        return _read_pictures(task, given)
    pictures = [item for item in given if isinstance(item, Image) or _is_image_file(item)]
    if pictures:
        raise DataError(f"{pictures[0]!s} is an image, but this model reads texts ({', '.join(task.inputs)}).")
    files = [item for item in given if _is_file(item)]
    if files and len(files) < len(given):
        other = next(item for item in given if not _is_file(item))
        raise DataError(f"'{files[0]}' is a file and {quoted(other)} is none: give either files or texts.")
    if files:
        return read_files([str(file) for file in files], ".", "the input")
    columns = task.inputs
    together = f"This model reads {len(columns)} input(s) together ({', '.join(columns)})"
    for item in given:
        if isinstance(item, (tuple, list)) and len(item) != len(columns):
            raise DataError(f"{together}, but one of those given has {len(item)}: {quoted(item)}.")
    flat = [part for item in given for part in (item if isinstance(item, (tuple, list)) else [item])]
    if len(flat) % len(columns):
        raise DataError(f"{together}, but {len(flat)} are given.")
    return ReadTable(Dataset.from_dict({name: flat[number :: len(columns)] for number, name in enumerate(columns)}))


def _listed(inputs: Any) -> list[Any]:
    """The inputs as a list: what is one thing, though Python could go through it, is one."""
    try:
        items = iter([inputs] if isinstance(inputs, (str, Path, Image, bytes, bytearray, Mapping)) else inputs)
    except TypeError:  # a number, None, ...
        return [inputs]
    return list(items)


def _read_pictures(task: Pictured, given: list[Any]) -> ReadTable:
    """Rows of pictures: of files, whatever a folder or a table calls them, or pictures themselves."""
    column = task.file_columns[0]
    for number, item in enumerate(given):
        if not isinstance(item, (str, Path, Image)):
            raise DataError(
                f"Input {number} (from 0) is of type {type(item).__name__}, but this model sees pictures of PIL or the "
                "names of images, folders and tables. PIL.Image.fromarray makes a picture of an array of numbers from "
                "0 to 255, (height, width, 3), and PIL.Image.open(io.BytesIO(...)) one of the bytes of a file."
            )
    named = [item for item in given if isinstance(item, (str, Path))]
    if named and len(named) < len(given):
        raise DataError(f"'{named[0]}' is the name of a file and others are pictures: give either of the two.")
    if not named:
        held = [
            {"bytes": _as_png(picture, number), "path": getattr(picture, "filename", None) or None}
            for number, picture in enumerate(given)
        ]
        return ReadTable(Dataset.from_dict({column: held}, features=Features({column: DatasetImage(decode=False)})))
    table = read_files([str(name) for name in named], ".", "the input", [column], labelled=False)
    if table.rows.column_names == ["image"] != [column]:
        return replace(table, rows=table.rows.rename_column("image", column))
    return table


def _as_png(picture: Image, number: int) -> bytes:
    """A picture as it is seen, without loss: datasets would write one that was read from a JPEG as a JPEG again."""
    file = BytesIO()
    try:
        load_image(picture).save(file, "PNG")
    except Exception as error:  # Pillow reads a file when it is asked for pixels, and raises almost anything
        name = getattr(picture, "filename", None)
        place = f"picture {number} (from 0){f', {name},' if name else ''}"
        raise DataError(f"The {place} cannot be read: {str(error) or type(error).__name__}.") from error
    return file.getvalue()


def _is_image_file(item: Any) -> bool:
    if not isinstance(item, (str, Path)) or Path(item).suffix.lower() not in IMAGE_ENDINGS:
        return False
    return " " not in str(item) or Path(item).is_file()  # a text may end like a file


def _is_file(item: Any) -> bool:
    if isinstance(item, Path):
        return True
    if not isinstance(item, str) or "\n" in item or Path(item).suffix.lower() not in KINDS:
        return False
    return " " not in item or Path(item).is_file()


def _save(rows: Sequence[dict[str, Any]], path: str) -> None:
    write_text(Path(path), "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _shown(answer: Any) -> str:
    if isinstance(answer, list):
        return ", ".join(map(_shown, answer)) or "-"
    if isinstance(answer, dict):  # a span of a text
        return f"{answer['label']} {answer['start']}-{answer['end']}"
    return f"{answer:.4f}" if isinstance(answer, float) else str(answer)
