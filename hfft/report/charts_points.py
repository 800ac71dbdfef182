"""Points: the answers of a regression against the truths."""

from __future__ import annotations

from collections.abc import Sequence

from hfft.report.charts import Box, Scale, Words, axes, drawing, legend, line, nice_bounds, sample
from hfft.report.page_html import Html, join, void


def scatter(words: Words, truths: Sequence[float], answers: Sequence[float]) -> Html:
    """Answers against truths, on axes alike; on the diagonal an answer is right.

    Args:
        words: What the chart says of itself.
        truths: To the right.
        answers: Upwards.
    """
    box = Box(bottom=306)
    low, high = nice_bounds(min([*truths, *answers], default=0.0), max([*truths, *answers], default=1.0))
    x, y = Scale(low, high, box.left, box.right), Scale(low, high, box.bottom, box.top)
    parts = [*axes(words, box, x, y), line(x(low), y(low), x(high), y(high), "diagonal")]
    parts += [
        void("circle", cx=f"{x(truth):g}", cy=f"{y(answer):g}", r=3, class_="dot fill-0")
        for truth, answer in zip(truths, answers, strict=True)
    ]
    diagonal = sample(void("path", d="M1 11L27 1", class_="diagonal"))
    return join([drawing(words, parts, box.bottom + 36), legend([(diagonal, "where answer and truth are the same")])])
