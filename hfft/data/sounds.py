"""Columns of sounds and films, which no task takes: they are never decoded, and a task that is given one says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from datasets import Audio, Video

SOUND_ENDINGS = (".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma")
FILM_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm")
NO_TASK = "no task takes sounds or films yet: they take texts, words and images"


def is_sound(feature: Any) -> bool:
    """Whether a column holds sounds or films."""
    return isinstance(feature, (Audio, Video))


def undecoded(rows: Any) -> Any:
    """The same rows, a data set or a stream, of whose sounds and films the bytes are given as they are."""
    for name, feature in (rows.features or {}).items():
        if is_sound(feature) and feature.decode:
            rows = rows.cast_column(name, replace(feature, decode=False))
    return rows
