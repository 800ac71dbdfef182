"""Special tokens of a tokenizer that are written in texts, where it reads them as what they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hfft.data.checks import Finding, count_rows

SHOWN = 3  # tokens in a message


class SpecialTokens:
    """What a tokenizer reads as a special token wherever it stands in a text, such as `</s>` and `<pad>`.

    Args:
        tokenizer: The model's.
    """

    def __init__(self, tokenizer: Any):
        tokens = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        any_of = "|".join(re.escape(token) for token in sorted(tokens, key=len, reverse=True))
        self._any = re.compile(any_of or r"(?!)")  # no token: nothing matches
        self._spaced = re.compile(rf"[ \t]*(?:{any_of or '(?!)'})[ \t]*")

    def findings(self, split: str, texts: Sequence[str | None], text: str) -> list[Finding]:
        """Counts the texts that have some. In `text`, which says what of them, `{tokens}` stands for the tokens."""
        found = [self._any.findall(each or "") for each in texts]
        tokens = sorted({token for some in found for token in some})
        listed = ", ".join(tokens[:SHOWN]) + (", ..." if len(tokens) > SHOWN else "")
        told = text.replace("{tokens}", f"special tokens of the tokenizer ({listed})")
        return count_rows("special", split, map(bool, found), len(texts), told)

    def without(self, text: str) -> str:
        """A text without them, as answers are decoded; it is left as it is where it has none."""
        return self._spaced.sub(" ", text).strip() if self._any.search(text) else text
