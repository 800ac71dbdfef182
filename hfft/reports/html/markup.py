"""Fills the templates: whatever stands in a value is text there, never markup."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from hfft.reports.html.examples import answer_text, inputs, is_right, probability_text, texts
from hfft.reports.html.numbers import range_text, score_text


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
    made = Environment(
        loader=PackageLoader("hfft.reports.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_short,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "answer": answer_text,
        "between": range_text,
        "breakable": breakable,
        "inputs": inputs,
        "is_right": is_right,
        "probability": probability_text,
        "score": score_text,
        "texts": texts,
    }
    return made


def breakable(value: Any) -> Markup:
    """Text whose long names may go on in the next line after one of the marks that join them, not within a word.

    >>> breakable("models/precision_weighted.json 0.1.dev0 <b>")
    Markup('models/<wbr/>precision_<wbr/>weighted.<wbr/>json 0.1.dev0 &lt;b&gt;')
    """
    joints = r"(?<=\w)([_/|]+|(?<=[^\W\d_])\.)(?=[^\W\d_])"
    return Markup(re.sub(joints, r"\1<wbr/>", str(escape(_short(value)))))


def _short(value: Any) -> Any:
    """Numbers of charts without needless digits."""
    return f"{value:.12g}" if isinstance(value, float) else value
