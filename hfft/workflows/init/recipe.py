"""Looks at data, asks what is unclear, and writes a recipe that was checked, whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from hfft.errors import DataError, RecipeError, alternatives
from hfft.io.run_folder import check_writable, write_text
from hfft.recipe import Recipe
from hfft.workflows.init.columns import Column, columns_of
from hfft.workflows.init.facts import facts_of
from hfft.workflows.init.guess import Guess, guess
from hfft.workflows.init.models import choose_model
from hfft.workflows.init.options import SIZES, InitOptions, check_options
from hfft.workflows.init.questions import Ask, Question
from hfft.workflows.init.settings import Found, next_steps, sections_of
from hfft.workflows.init.sources import Source, Split, find_source, read_hub, read_split
from hfft.workflows.init.text import about, comment, flow, plain, section, told
from hfft.workflows.resolve import resolve

Say = Callable[[str], None]


def write_first_recipe(wanted: InitOptions, ask: Ask, say: Say) -> Path:
    """Looks at data and writes a recipe for it, whose file it returns.

    Args:
        wanted: The flags.
        ask: Answers what is unclear, or raises an error.
        say: Prints a line.

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
    for line in ("", f"Wrote {output}. Next:", f"  hfft plan {output}", f"  hfft train {output}"):
        say(line)
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
        stem, number = re.sub(r"_[0-9]+$", "", output.stem), 2
        while (free := output.with_name(f"{stem}_{number}{output.suffix}")).exists():
            number += 1
        raise RecipeError(f"There is a {output} already, and it is not overwritten. Give another name: --output {free}")


def check(text: str, output: Path) -> Recipe:
    """Reads a text as a recipe and checks its own words, with those of the task, as a plan does first."""
    recipe = Recipe.from_dict({"name": output.stem, **yaml.safe_load(text)})
    return resolve(recipe, trust=False).recipe


def _look(wanted: InitOptions, ask: Ask, say: Say) -> Found:
    source = find_source(wanted)
    splits = read_hub(source) if source.hub else {"train": read_split(source, "train", wanted.columns)}
    columns = columns_of(splits["train"].rows)
    if any(Path(name).is_dir() for name in source.files.get("train", ())):  # images, whatever their names end in
        columns["image"] = replace(columns["image"], kind="image")
    made = _settled(columns, wanted, ask)
    if not source.hub:
        splits |= _other_splits(source, made, say)
    facts = facts_of(made, splits, columns, wanted.language)
    tokens = max((lengths.tokens for lengths in facts.lengths.values()), default=0)
    model = choose_model(made.task, wanted, facts.languages, tokens, list(facts.labels))
    found = Found(source, splits, made, facts, model)
    for line in told(found):
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
    while questions := [question for question in made.questions if question.field not in asked]:
        question = asked.setdefault(questions[0].field, questions[0])
        parts = question.parts(ask(question))
        several = isinstance(getattr(wanted, question.field), tuple)
        wanted = replace(wanted, **{question.field: parts if several else parts[0]})
        made = guess(columns, wanted)
    answered = {field: f"{question.why} (chosen)" for field, question in asked.items()}
    made.reasons |= {**answered, "name": answered.get("task", reason)}
    return made


def _other_splits(source: Source, made: Guess, say: Say) -> dict[str, Split]:
    """Reads eval and test, and train again where files are named in it.

    What was found beside train and lacks a column is left out, and that is said.
    """
    images, read = made.named("image"), {}
    for name in [name for name in source.files if images or name != "train"]:
        try:
            read[name] = read_split(source, name, made.columns, images)
            _require_columns(read[name], made)
        except DataError as error:
            if name not in source.beside:
                raise
            read.pop(name, None)
            say(f"  {', '.join(source.files[name])} is beside the data, and is not used: {error}")
    return read


def _require_columns(split: Split, made: Guess) -> None:
    there = split.rows.column_names
    for name in made.columns:
        if name not in there and name.partition(".")[0] not in there:
            raise DataError(f"--{split.name}: {split.place} has no column '{name}'.{alternatives(name, there)}")


def _lines(found: Found, wanted: InitOptions, output: Path) -> Iterator[str]:
    """The recipe, line by line."""
    source, sections = found.source, sections_of(found)
    data = source.hub or ", ".join(Path(name).name for name in source.files["train"])
    yield from comment(f"{found.guess.task} of {data}, written by hfft init: every line is yours to change.", "# ")
    yield f"#   hfft plan {output}     # checks data and model, shows what learns how fast, steps and memory"
    yield f"#   hfft train {output}    # settings may be changed behind it: optim.lr=3e-5"
    yield "# What was found:"
    for line in told(found):
        yield from comment(line, "#   ")
    if wanted.name is not None and wanted.name != output.stem:
        yield f"name: {flow(wanted.name)}"
    sizes = "" if wanted.model else f"; hfft init --size {'|'.join(SIZES)} proposes others"
    sections["model"][0] = replace(sections["model"][0], why=f"{about(found.model)}{sizes}")
    for name, settings in sections.items():
        yield from section(name, settings)
    yield "# Learning rate, epochs, batch size and more are chosen when the run begins: hfft plan says which, and why."
    yield "# What to try next, each into a folder of its own:"
    for number, (overrides, why) in enumerate(next_steps(found.facts, sections), start=2):
        yield from comment(why, "# ")
        yield f"#   hfft train {output} {overrides} --output runs/{output.stem}_{number}"
