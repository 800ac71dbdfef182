"""Small pictures inside the report: made at the end of a training, kept when the report is written again."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

Pictures = Callable[[str, Sequence[int]], Mapping[int, Image.Image]]
"""Gives pictures as the model saw them, by split and ids."""

SIDE = 112  # pixels, at most
QUALITY = 80
BUDGET = 3 << 20  # characters of all pictures together: the whole report stays below 5 MB


def add_pictures(splits: Mapping[str, Mapping[str, Any]], pictures: Pictures | None, before: Path) -> None:
    """Puts a picture into each example of the galleries of pictures, until there are 3 MB of them.

    Args:
        splits: What the report shows of each split; changed in place.
        pictures: Gives them; None where they can only be those of an earlier report.
        before: That report's report.json.
    """
    kept = _kept(before) if pictures is None else {}
    used = 0
    for split, facts in splits.items():
        examples = list(_pictured(facts))
        ids = sorted({example["id"] for example in examples})
        given = kept.get(split, {}) if pictures is None else _made(pictures(split, ids) if ids else {})
        for example in examples:
            picture = given.get(example["id"])
            if picture is not None and used + len(picture) <= BUDGET:
                example["picture"] = picture
                used += len(picture)


def has_pictures(before: Path) -> bool:
    """Whether an earlier report.json has any."""
    return any(_kept(before).values())


def thumbnail(picture: Image.Image) -> str:
    """A small JPEG of a picture, as a data URI; what is transparent is white."""
    small = picture.copy()
    small.thumbnail((SIDE, SIDE))
    if small.has_transparency_data:
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small.convert("RGBA"))
    file = BytesIO()
    small.convert("RGB").save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _made(pictures: Mapping[int, Image.Image]) -> dict[int, str]:
    return {number: thumbnail(picture) for number, picture in pictures.items()}


def _pictured(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for gallery in facts.get("galleries", []):
        if gallery["kind"] == "pictures":
            yield from gallery["examples"]


def _kept(before: Path) -> dict[str, dict[int, str]]:
    """The pictures of an earlier report by split and id; none where it cannot be read, for it is to be replaced."""
    try:
        splits = json.loads(before.read_text(encoding="utf-8"))["splits"]
        return {
            split: {example["id"]: example["picture"] for example in _pictured(facts) if "picture" in example}
            for split, facts in splits.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
