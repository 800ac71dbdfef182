"""The words of tiny data: what tokenizers of whole words know, and tasks are made of."""

from __future__ import annotations

SIGNS = {"good": ["fine", "nice", "great"], "bad": ["poor", "awful", "weak"], "odd": ["weird", "strange", "queer"]}
FILLERS = [f"w{number}" for number in range(40)]
GERMAN = {
    "the": "das", "house": "Haus", "tree": "Baum", "dog": "Hund", "bird": "Vogel", "water": "Wasser", "child": "Kind",
    "old": "alte", "new": "neue", "big": "grosse", "red": "rote",
    "sees": "sieht", "finds": "findet", "likes": "mag",
}  # fmt: skip
"""A dictionary: English words and their German ones."""


def all_words() -> list[str]:
    return [*FILLERS, *(word for sign in SIGNS.values() for word in sign)]
