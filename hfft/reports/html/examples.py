"""Examples side by side: texts, what was written, tagged sentences, pictures, numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hfft.reports.html.components import EMPTY, Html, Section, details, join, table, tag, void
from hfft.reports.html.numbers import score_text, value_text

Example = Mapping[str, Any]

LONG = 700  # a text of more letters is folded

SHOWN = 5  # examples of a gallery; the others are folded away

TINTS = 6

NO_LABEL = "(none)"


def gallery(found: Mapping[str, Any], id_: str, labels: Sequence[str] = ()) -> Section:
    """Some examples under one heading, in the form of their kind.

    Args:
        found: `title`, `note`, `kind` and `examples`.
        id_: The section's anchor.
        labels: Names of spans, so that a label has the same colour in all galleries.
    """
    examples, kind = found["examples"], found.get("kind", "texts")
    if kind == "pictures":
        drawn = tag("ul", *(_picture(example) for example in examples), class_="pictures")
    elif kind == "numbers":
        drawn = _numbers(examples)
    elif kind == "tags":
        tints = {name: number % TINTS for number, name in enumerate(labels)}
        entries = [_tagged(example, tints) for example in examples]
        hint = tag("p", "A dashed frame: the other line has no such span.", class_="quiet small")
        drawn = join([hint if any("differs" in entry for entry in entries) else None, _folded(entries)])
    else:
        entry = _writing if kind == "writing" else _given
        drawn = _folded([entry(example) for example in examples])
    return Section(id_, found["title"], drawn, found.get("note", ""))


def span_labels(found: Mapping[str, Any]) -> list[str]:
    """The names of all spans in the galleries of a split."""
    examples = [example for shown in found.get("galleries", ()) for example in shown["examples"]]
    sides = [span for example in examples for side in ("truth", "answer") for span in _spans(example, side)]
    return sorted({span["label"] for span in sides})


def _folded(entries: Sequence[Html]) -> Html:
    """A list of which the first entries are shown, and the others folded away."""
    shown = SHOWN if len(entries) > SHOWN + 2 else len(entries)
    first = tag("ol", *entries[:shown], class_="examples")
    rest = entries[shown:]
    more = details(f"{len(rest)} more", tag("ol", *rest, class_="examples"), printed=False) if rest else ""
    return join([first, more])


def answer_text(value: Any) -> str:
    """An answer or a truth as text: label lists with commas, numbers rounded, nothing as `(none)`."""
    if value is None or value == []:
        return NO_LABEL
    if isinstance(value, float):
        return score_text(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(answer_text(part) for part in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value_text("", value)


def _given(example: Example) -> Html:
    """A text with truth and answer below."""
    return tag("li", *_input(example), _verdict(example))


def _writing(example: Example) -> Html:
    """Source, truth and answer side by side."""
    sides = [("source", _input(example)), *((side, _texts(example.get(side))) for side in ("truth", "answer"))]
    shown = (tag("div", tag("p", name, class_="side-name"), *inside, class_="side") for name, inside in sides if inside)
    scores = (f"{name} {score_text(value, 3)}" for name, value in example.get("scores", {}).items())
    return tag("li", tag("div", *shown, class_="sides"), _under(example, *scores))


def _texts(value: Any) -> list[Html]:
    """What was written, or should have been: a text, or several that are all right."""
    return [_text(part) for part in value] if isinstance(value, (list, tuple)) else [_text(value)]


def _tagged(example: Example, tints: Mapping[str, int]) -> Html:
    """A sentence twice, with its spans as they should be and as they were answered."""
    given = example.get("input") or []
    words = given.split() if isinstance(given, str) else given
    truth, answer = _spans(example, "truth"), _spans(example, "answer")
    lines = []
    for name, spans, others in (("truth", truth, answer), ("answer", answer, truth)):
        sentence = tag("span", _sentence(_spaced(words, example.get("tight", ())), spans, others, tints), dir="auto")
        lines.append(tag("p", tag("span", name, class_="what"), sentence, class_="sentence"))
    return tag("li", *lines, _under(example))


def _spaced(words: Sequence[str], tight: Sequence[int]) -> list[str]:
    """The words with a space before each but the first and those that follow without one."""
    close = {0, *tight}
    return [word if number in close else f" {word}" for number, word in enumerate(words)]


def _sentence(
    words: Sequence[str], spans: Sequence[Example], others: Sequence[Example], tints: Mapping[str, int]
) -> Html:
    """Words, each with the space before it, with spans marked; of spans that overlap the first one is."""
    known = {(span["start"], span["end"], span["label"]) for span in others}
    parts, at = [], 0
    for span in sorted(spans, key=lambda span: (span["start"], -span["end"])):
        if span["start"] < at:
            continue
        inside = "".join(words[span["start"] : span["end"]])
        parts += [*words[at : span["start"]], " " if inside.startswith(" ") else ""]
        kind = "" if (span["start"], span["end"], span["label"]) in known else " differs"
        label = tag("small", span["label"], dir="auto")
        parts.append(tag("mark", inside.removeprefix(" "), label, class_=f"tint-{tints[span['label']]}{kind}"))
        at = span["end"]
    return join([*parts, *words[at:]])


def _picture(example: Example) -> Html:
    """A picture with what it is and what was answered."""
    truth, answer = answer_text(example.get("truth")), answer_text(example.get("answer"))
    alternative = f"Example {example['id']}: truth {truth}, answer {answer}"
    source = example.get("picture", "")
    # Only pictures that are in the page: anything else would have to be fetched.
    shown = void("img", src=source, alt=alternative) if source.startswith("data:image/") else ""
    lines = [tag("span", join([_mark(example), _answer(example, "answer", "score")], " "))]
    if _right(example) is not True:
        lines.append(tag("span", _what("truth"), _answer(example, "truth", "truth_score")))
    name = answer_text(example["input"]) if example.get("input") is not None else ""
    lines.append(tag("span", _about(example, name), class_="quiet", dir="auto"))
    return tag("li", tag("figure", shown, tag("figcaption", *lines)))


def _numbers(examples: Sequence[Example]) -> Html:
    """Numbers with their truths and how far they are off."""
    rows = []
    for example in examples:
        truth, answer = example.get("truth"), example.get("answer")
        off = example.get("note", "")
        if isinstance(truth, (int, float)) and isinstance(answer, (int, float)):
            off = score_text(answer - truth)
        rows.append((join(_input(example)), answer_text(truth), answer_text(answer), off, f"#{example['id']}"))
    return table(("input", "truth", "answer", "answer less truth", "example"), rows)


def _input(example: Example) -> list[Html]:
    """What was given: a text, a pair of texts, or words."""
    given = example.get("input")
    if given is None:
        return []
    if isinstance(given, (list, tuple)):
        texts = given if len(given) == 2 else [" ".join(map(str, given))]
        return [_text(part) for part in texts]
    return [_text(given)]


def _text(value: Any) -> Html:
    """A text with its lines; a long one is folded after its beginning."""
    shown = answer_text(value)
    if len(shown) <= LONG:
        return tag("p", shown, class_="example-text", dir="auto")
    beginning = tag("p", shown[: LONG // 2].rsplit(None, 1)[0], " …", class_="example-text", dir="auto")
    return join([beginning, details("The whole text", tag("p", shown, class_="example-text", dir="auto"))])


def _verdict(example: Example) -> Html:
    """Answer and truth in one line, with their probabilities."""
    parts = [tag("span", join([_mark(example), join([_what("answer"), _answer(example, "answer", "score")])], " "))]
    if _right(example) is not True:
        parts.append(tag("span", _what("truth"), _answer(example, "truth", "truth_score")))
    return tag("p", *parts, tag("span", _about(example), class_="under", dir="auto"), class_="verdict")


def _under(example: Example, *more: str) -> Html:
    """What stands small below an example."""
    return tag("p", _about(example, *more), class_="under", dir="auto")


def _about(example: Example, *more: str) -> str:
    """An example's number, as the files of predictions have it, what there is to add, and why it is here."""
    return " · ".join(part for part in (f"#{example['id']}", *more, example.get("note")) if part)


def _answer(example: Example, side: str, score: str) -> Html:
    """An answer or a truth with its probability."""
    probability = example.get(score)
    shown = tag("b", answer_text(example.get(side)), dir="auto")
    return join([shown, f" {_probability_text(probability)}" if probability is not None else None])


def _probability_text(probability: float) -> str:
    """A probability as people read it beside an answer: of two digits."""
    if 0.995 <= probability < 1:
        return ">0.99"
    return "<0.01" if 0 < probability < 0.01 else score_text(probability, 2)


def _mark(example: Example) -> Html:
    """Whether the answer is right, as a sign and a word for screen readers."""
    right = _right(example)
    if right is None:
        return EMPTY
    sign, name, kind = ("✓", "right", "good") if right else ("✗", "wrong", "bad")
    return tag("span", sign, class_=kind, role="img", aria_label=name)


def _right(example: Example) -> bool | None:
    """Whether answer and truth are the same; None where there is no truth, or none that could be the same."""
    truth, answer = example.get("truth"), example.get("answer")
    if truth is None or isinstance(truth, float):
        return None
    if isinstance(truth, list) and isinstance(answer, list):
        return sorted(map(str, truth)) == sorted(map(str, answer))
    return truth == answer


def _what(name: str) -> Html:
    """The word before a value."""
    return join([tag("span", name, class_="what"), " "])


def _spans(example: Example, side: str) -> Sequence[Example]:
    """The spans of one side."""
    return example.get("spans", {}).get(side, ())
