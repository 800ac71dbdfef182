"""Fills the templates: whatever stands in a value is text there, never markup."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def filled(template: str, **values: Any) -> str:
    """The text of a template with values in it.

    Args:
        template: Its name within `templates`.
        values: By the names they have there.
    """
    return environment().get_template(template).render(values)


@cache
def environment() -> Environment:
    """The templates, in which a name that is not given is an error."""
    return Environment(
        loader=PackageLoader("hfft.reports.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_short,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _short(value: Any) -> Any:
    """Numbers of charts without needless digits."""
    return f"{value:g}" if isinstance(value, float) else value
