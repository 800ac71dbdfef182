"""A sheet of training pictures: how the model sees them, for people to look at before hours go by."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hfft.data.loaders import load
from hfft.data.sampling import Part, epoch_batches
from hfft.errors import DataError, RecipeError
from hfft.tasks.task import Pictured
from hfft.workflows.build import Setup

EXAMPLES, EPOCHS = 8, 6

SHEET = "train.png"

CELL = 160  # pixels a side of a picture, at least

LINE = 18

GAP = 8

INK, PAPER = (30, 30, 30), (255, 255, 255)


def write_samples(setup: Setup, folder: str | os.PathLike[str]) -> Path:
    """Writes `train.png`: a line an example, as it is scored and then as it is seen in the first epochs.

    Where images are mixed, the partner of each is the next one on the sheet; in training it is one of the same batch.

    Args:
        setup: The run.
        folder: Where to; made where it is not there.

    Returns:
        The file.

    Raises:
        RecipeError: The task has no pictures.
        DataError: The folder cannot be written to.
    """
    recipe, task = setup.recipe, require_pictures(setup.task, setup.recipe.task.name)
    examples = setup.prepared.splits["train"]
    rows = epoch_batches(len(examples), min(EXAMPLES, len(examples)), recipe.train.seed, 0, examples.lengths)[0]
    part = Part(rows, True, np.roll(rows, -1))
    drawn = [None, *((recipe.train.seed, epoch) for epoch in range(EPOCHS if examples.views is not None else 0))]
    batches = load(examples, ((part, numbers) for numbers in drawn), setup.task.collate, workers=0)
    columns = [task.pictures(batch.batch) for batch in batches]
    heads = ["as scored", *(f"epoch {epoch}" for epoch in range(1, len(columns)))]
    sheet = _sheet(recipe.name, heads, columns)
    try:
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        sheet.save(place / SHEET)
    except OSError as error:
        raise DataError(f"--samples is '{folder}', which cannot be written to: {error}.") from error
    return place / SHEET


def pictures_of(setup: Setup) -> Callable[[str, Sequence[int]], dict[int, Image.Image]] | None:
    """Gives pictures of a scored split as the model saw them, by the number of the example; None if there are none."""
    task = setup.task
    if not isinstance(task, Pictured):
        return None

    def give(split: str, ids: Sequence[int]) -> dict[int, Image.Image]:
        examples = setup.evaluators[split].examples
        place = {number: row for row, number in enumerate(examples.ids.tolist())}
        return {number: task.pictures(task.collate([examples.rows[place[number]]]))[0][1] for number in ids}

    return give


def require_pictures(task: Any, name: str) -> Pictured:
    """The task of this name, which has pictures to show.

    Raises:
        RecipeError: It has none.
    """
    if not isinstance(task, Pictured):
        raise RecipeError(f"--samples shows pictures, but the task '{name}' has none. Leave it out.")
    return task


def _sheet(name: str, heads: list[str], columns: list[list[tuple[str, Image.Image]]]) -> Image.Image:
    """Draws the sheet: a column of titled pictures below each head."""
    height, width = columns[0][0][1].height, columns[0][0][1].width
    times = max(1, -(-CELL // max(height, width)))  # small ones are enlarged, each pixel to a square
    cell = (width * times + GAP, height * times + 2 * LINE + GAP)
    sheet = Image.new("RGB", (cell[0] * len(columns) + GAP, cell[1] * len(columns[0]) + 2 * LINE + 2 * GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    draw.text((GAP, GAP), f"{_plain(name)}: training images as the model sees them", INK, font)
    for column, (head, pictures) in enumerate(zip(heads, columns, strict=True)):
        left = GAP + column * cell[0]
        draw.text((left, GAP + LINE), head, INK, font)
        for row, (title, picture) in enumerate(pictures):
            top = 2 * GAP + 2 * LINE + row * cell[1]
            big = picture.resize((width * times, height * times), Image.Resampling.NEAREST)
            sheet.paste(big, (left, top))
            for number, line in enumerate(_lines(_plain(title), draw, font, width * times)[:2]):
                draw.text((left, top + big.height + number * LINE), line, INK, font)
    return sheet


def _plain(title: str) -> str:
    """The title in ASCII, for Pillow's own font has no other signs: without accents, what is left as its escape."""
    parts = unicodedata.normalize("NFKD", title)
    bare = "".join(part for part in parts if not unicodedata.combining(part))
    return bare.encode("ascii", "backslashreplace").decode("ascii")


def _lines(
    title: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    """Breaks a title where it is too wide: between words, and what still is too wide is cut."""
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [
        next(line[:end] for end in range(len(line), -1, -1) if draw.textlength(line[:end], font) <= width)
        for line in lines
    ]
