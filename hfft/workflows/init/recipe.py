"""The first recipe as text: what was found, in comments; checked; written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from hfft.errors import DataError, RecipeError, alternatives
from hfft.io.run_folder import check_writable, write_text
from hfft.recipe import Recipe
from hfft.workflows.build import resolve
from hfft.workflows.init.columns import Column, columns_of
from hfft.workflows.init.facts import Facts, facts_of
from hfft.workflows.init.guess import guess, languages_of
from hfft.workflows.init.languages import factor, shown
from hfft.workflows.init.models import Model, choose_model
from hfft.workflows.init.settings import Setting, Settings, number, settings_of
from hfft.workflows.init.sources import Source, Split, find_source, read_hub, read_split, shown_files
from hfft.workflows.init.state import SIZES, Guess, InitOptions, Question, check_options

Ask = Callable[[Question], str]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """All that was found and chosen."""

    source: Source
    splits: dict[str, Split]
    guess: Guess
    facts: Facts
    model: Model
    settings: Settings


def write_first_recipe(wanted: InitOptions, ask: Ask, say: Say) -> Path:
    """Looks at data and writes a recipe for it.

    Args:
        wanted: What the user said.
        ask: Answers what is unclear, or raises an error.
        say: Prints a line.

    Returns:
        The recipe's file.

    Raises:
        HfftError: Data, flags or model do not fit; then nothing is written.
    """
    check_options(wanted)
    output = _output(wanted)
    if not wanted.data:
        answer = ask(Question("data", "The data: a file, a folder, or the name of a data set on the Hub", None))
        wanted = replace(wanted, data=(answer,))
    found = _look(wanted, ask, say)
    text = "\n".join(_lines(found, wanted, output)) + "\n"
    check(text, output)
    _refuse_existing(output)
    write_text(output, text)
    say("")
    say(f"Wrote {output}. Next:")
    say(f"  hfft plan {output}")
    say(f"  hfft train {output}")
    return output


def _output(wanted: InitOptions) -> Path:
    output = Path(wanted.output or f"{wanted.name or 'recipe'}.yaml")
    if output.suffix not in (".yaml", ".yml"):
        raise RecipeError(f"--output is '{output}': a recipe is a YAML file, such as {output.name}.yaml.")
    _refuse_existing(output)
    check_writable(output)
    return output


def _refuse_existing(output: Path) -> None:
    if output.exists():
        stem = re.sub(r"_[0-9]+$", "", output.stem)
        free = next(
            name
            for number in range(2, 10**6)
            if not (name := output.with_name(f"{stem}_{number}{output.suffix}")).exists()
        )
        raise RecipeError(f"There is a {output} already, and it is not overwritten. Give another name: --output {free}")


def check(text: str, output: Path) -> Recipe:
    """Reads a text as a recipe and checks its own words, with those of the task, as a plan does first."""
    recipe = Recipe.from_dict({"name": output.stem, **yaml.safe_load(text)})
    return resolve(recipe, trust=False).recipe


def _look(wanted: InitOptions, ask: Ask, say: Say) -> Found:
    source = find_source(wanted)
    splits = read_hub(source) if source.hub else {"train": read_split(source, "train", wanted.columns)}
    train = splits["train"]
    columns = columns_of(train.rows)
    if any(Path(name).is_dir() for name in source.files.get("train", ())):  # images, whatever their names end in
        columns["image"] = replace(columns["image"], kind="image")
    made = _settled(columns, wanted, ask)
    if not source.hub:
        splits, source = _all_splits(source, made, splits, say)
    languages = languages_of(columns, wanted, made)
    facts = facts_of(made, splits, columns, languages)
    read = languages if made.task == "translation" else [facts.language]
    model = choose_model(made.task, wanted, read, _tokens(facts), list(facts.labels))
    found = Found(source, splits, made, facts, model, settings_of(made, facts, model))
    for line in told(made, facts, splits, source):
        say(f"  {line}")
    say(f"task: {made.task}: {made.reasons['name']}")
    for option, value in made.options.items():
        say(f"  {option}: {plain(flow(value))}: {made.reasons[option]}")
    say(f"model: {model.name}: {about(model)}")
    return found


def _settled(columns: Mapping[str, Column], wanted: InitOptions, ask: Ask) -> Guess:
    """Guesses until nothing is unclear."""
    asked: dict[str, Question] = {}
    made = guess(columns, wanted)
    reason = made.reasons["name"]
    while True:
        questions = [question for question in made.questions if question.field not in asked]
        if not questions:
            answered = {field: f"{question.why} (chosen)" for field, question in asked.items()}
            made.reasons |= {**answered, "name": answered.get("task", reason)}
            return made
        asked[questions[0].field] = questions[0]
        parts = questions[0].parts(ask(questions[0]))
        several = isinstance(getattr(wanted, questions[0].field), tuple)
        wanted = replace(wanted, **{questions[0].field: parts if several else parts[0]})
        made = guess(columns, wanted)


def _all_splits(source: Source, made: Guess, splits: dict[str, Split], say: Say) -> tuple[dict[str, Split], Source]:
    """Reads eval and test. What was found beside train and lacks a column is left out, and that is said."""
    image = [made.options["image"]] if made.task == "image-classification" else []
    read = {"train": read_split(source, "train", made.columns, image) if image else splits["train"]}
    files = {"train": source.files["train"]}
    for name in source.files:
        if name == "train":
            continue
        try:
            split = read_split(source, name, made.columns, image)
            _require_columns(split, made)
        except DataError as error:
            if name not in source.beside:
                raise
            say(f"  {', '.join(source.files[name])} is beside the data, and is not used: {error}")
            continue
        read[name], files[name] = split, source.files[name]
    return read, replace(source, files=files, beside=source.beside & files.keys())


def _require_columns(split: Split, made: Guess) -> None:
    there = split.rows.column_names
    for name in made.columns:
        if name not in there and name.partition(".")[0] not in there:
            raise DataError(f"--{split.name}: {split.place} has no column '{name}'.{alternatives(name, there)}")


def _tokens(facts: Facts) -> int:
    return max((lengths.tokens for lengths in facts.lengths.values()), default=0)


def _lines(found: Found, wanted: InitOptions, output: Path) -> Iterator[str]:
    """The recipe, line by line."""
    made, settings = found.guess, found.settings
    data = found.source.hub or ", ".join(Path(name).name for name in found.source.files["train"])
    yield from comment(f"{made.task} of {data}, written by hfft init: every line is yours to change.", "# ")
    yield f"#   hfft plan {output}     # checks data and model, shows what learns how fast, steps and memory"
    yield f"#   hfft train {output}    # settings may be changed behind it: optim.lr=3e-5"
    yield "# What was found:"
    for line in told(made, found.facts, found.splits, found.source):
        yield from comment(line, "#   ")
    if wanted.name is not None and wanted.name != output.stem:
        yield f"name: {flow(wanted.name)}"
    yield from section("task", settings.task)
    yield from section("data", list(_data(found)))
    yield from section("model", list(_model(found, wanted)))
    for name in ("tune", "optim", "train", "eval"):
        yield from section(name, getattr(settings, name))
    yield "# What to try next, each into a folder of its own:"
    for place, (overrides, why) in enumerate(settings.next, start=2):
        yield from comment(why, "# ")
        yield f"#   hfft train {output} {overrides} --output runs/{output.stem}_{place}"


def _data(found: Found) -> Iterator[Setting]:
    source = found.source
    if source.hub:
        yield Setting("hub", source.hub)
        if source.config:
            yield Setting("config", source.config)
        for name, split in found.splits.items():
            yield Setting(name, split.place)
    else:
        root, files = shown_files(source.files)
        if root is not None:
            absolute = os.path.isabs(root)  # noqa: PTH117
            where = "as found on this machine" if absolute else "seen from the folder in which hfft is called"
            yield Setting("root", root, f"where the files lie, {where}")
        yield Setting("files", dict(files), "" if root is not None else "seen from the folder in which hfft is called")
    if found.settings.holdout is not None:
        yield found.settings.holdout


def _model(found: Found, wanted: InitOptions) -> Iterator[Setting]:
    model = found.model
    sizes = "" if wanted.model else f"; hfft init --size {'|'.join(SIZES)} proposes others"
    yield Setting("name", model.name, f"{about(model)}{sizes}")
    if model.new_head:
        yield Setting("new_head", True)


SHOWN = 8  # labels

PROBLEMS = {
    "single": "one label a row",
    "multi": "any number of labels a row",
    "regression": "numbers to predict",
    "entities": "entities",
    "words": "a tag for every word",
}


def told(guess: Guess, facts: Facts, splits: Mapping[str, Split], source: Source) -> Iterator[str]:
    """Lines about the splits, the texts and the labels."""
    for name, split in splits.items():
        found = " (found beside it)" if name in source.beside else ""
        yield f"{name}: {_rows(split)}, {split.place}{found}"
        yield from map(str, split.findings)
    for option, lengths in facts.lengths.items():
        columns = guess.options[option]
        shown_columns = " with ".join(columns) if isinstance(columns, list) else columns
        yield (
            f"{shown_columns}: {lengths.words:g} words in the median, {lengths.longest} at most; 99 of 100 have "
            f"{lengths.tokens} tokens at most, {factor(lengths.language)}; {shown(lengths.language)}"
        )
    if facts.side is not None:
        yield f"{guess.options['image']}: images of {facts.side[0]:g} x {facts.side[1]:g} pixels in the median"
    if facts.span is not None:
        yield f"{_label(guess)}: numbers from {facts.span[0]:g} to {facts.span[1]:g}"
    elif facts.labels:
        yield f"{_label(guess)}: {PROBLEMS[facts.problem]}; {_counts(facts)}"
    if facts.unanswered:
        yield f"{facts.unanswered:,} training rows have no answer and are left out"


def _rows(split: Split) -> str:
    if split.total is None:
        return f"of the rows the first {len(split.rows):,} were looked at"
    looked = "" if split.whole else f", of which the first {len(split.rows):,} were looked at"
    return f"{'' if split.exact else 'about '}{split.total:,} rows{looked}"


def _label(guess: Guess) -> str:
    columns = guess.options.get("label") or guess.options["tags"]
    return ", ".join(columns) if isinstance(columns, list) else columns


def _counts(facts: Facts) -> str:
    most = facts.labels.most_common()
    if len(most) <= SHOWN:
        return ", ".join(f"{name} ({count:,})" for name, count in most)
    (common, many), (rare, few) = most[0], most[-1]
    if many == few:
        return f"{len(most)} labels, {many:,} of each"
    return f"{len(most)} labels, from {few:,} ({rare}) to {many:,} ({common})"


def about(model: Model) -> str:
    """What is known of a model, in words."""
    size = None if model.millions is None else f"{model.millions:,.3g} million parameters"
    limit = None if model.limit is None else f"reads {model.limit:,} tokens at most"
    facts = [fact for fact in (size, model.languages, limit, model.note) if fact]
    if model.new_head:
        facts.append("its own head answers something else, so it gets a new one")
    return "; ".join(facts) or "nothing is known here of its size"


WIDTH = 118

INDENT = "  "


def section(name: str, settings: Sequence[Setting]) -> Iterator[str]:
    """The lines of a section; none where it has no settings."""
    if settings:
        yield f"{name}:"
    for setting in settings:
        line, why = f"{INDENT}{setting.name}: {flow(setting.value)}", plain(setting.why)
        if not why:
            yield line
        elif len(line) + len(why) + 4 <= WIDTH:
            yield f"{line}  # {why}"
        else:
            yield from comment(why, f"{INDENT}# ")
            yield line


def comment(text: str, before: str) -> Iterator[str]:
    """A text as lines of comment, each with `before`, which ends in `# `, in front."""
    line = ""
    for word in plain(text).split(" "):
        if line and len(before) + len(line) + len(word) + 1 > WIDTH:
            yield before + line
            line = ""
        line = f"{line} {word}" if line else word
    yield before + line


def plain(text: str) -> str:
    """A text in one line, without characters that a line of comment cannot hold."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


class _OneLine(yaml.SafeDumper):
    """Writes numbers as recipes have them, and texts with line ends in one line."""

    def number(self, value: float) -> yaml.Node:
        text = number(value)
        return self.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)

    def text(self, value: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=None if value.isprintable() else '"')


_OneLine.add_representer(float, _OneLine.number)
_OneLine.add_representer(str, _OneLine.text)


def flow(value: Any) -> str:
    """A value as YAML in one line."""
    text = yaml.dump(value, Dumper=_OneLine, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False)
    return text.removesuffix("...\n").strip()
