"""What checks of data find. It stands alone, for reports read findings too and are made without any data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something worth a look in the data: how many rows or labels of a split, out of how many, and some of them."""

    kind: str
    split: str
    count: int
    total: int
    text: str
    unit: str = "rows"

    def __str__(self) -> str:
        share = f" ({self.count / self.total:.1%})" if self.total else ""
        return f"{self.split}: {self.count} of {self.total} {self.unit}{share} {self.text}"

    def as_json(self) -> dict[str, Any]:
        """The finding as plain values."""
        return asdict(self)
