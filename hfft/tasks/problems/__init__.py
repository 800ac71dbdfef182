"""What is asked about each input, be it a text or an image: one label, several labels, or numbers."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset

from hfft.data.label_columns import are_marks, marks_in_lists
from hfft.data.label_warnings import refuse_decimal_commas
from hfft.data.labels import are_lists_of_numbers, have_decimals
from hfft.errors import RecipeError
from hfft.models.pretrained import Pretrained
from hfft.tasks.problems.multi_label import MultiLabel
from hfft.tasks.problems.problem import Problem, ProblemName, ProblemOptions
from hfft.tasks.problems.regression import Regression
from hfft.tasks.problems.single_label import SingleLabel

PROBLEMS: dict[ProblemName, type[SingleLabel] | type[MultiLabel] | type[Regression]] = {
    "single": SingleLabel,
    "multi": MultiLabel,
    "regression": Regression,
}

OF_MODEL: dict[str, ProblemName] = {
    "single_label_classification": "single",
    "multi_label_classification": "multi",
    "regression": "regression",
}


def problem_of_data(options: ProblemOptions, train: Dataset) -> Problem:
    """Makes the problem that the options name, or that the label columns of the training rows look like.

    Raises:
        RecipeError: An option has no effect on that problem.
    """
    found = options.problem or find_problem(train, options.columns, options.delimiter, options.labels)
    problem = _made(found, options)
    problem.look(train)
    return problem


def problem_of_model(options: ProblemOptions, pretrained: Pretrained) -> Problem:
    """Makes the problem that a finished model answers, and takes labels and thresholds from it."""
    config = pretrained.config
    found = OF_MODEL.get(config.problem_type or "", "regression" if config.num_labels == 1 else "single")
    problem = _made(options.problem or found, options)
    problem.restore(config)
    return problem


def find_problem(
    train: Dataset, columns: Sequence[str], delimiter: str | None, labels: Sequence[str] | None = None
) -> ProblemName:
    """Tells from the label columns what is asked: numbers with decimals are to be predicted, lists are sets of labels.

    Several columns, and lists of numbers, are several labels where they hold nothing but 0 and 1, or true and false;
    else several numbers.

    Raises:
        DataError: It cannot be told.
    """
    if delimiter is not None:
        return "multi"
    if len(columns) > 1:
        return "multi" if are_marks(train, columns) else "regression"
    if hasattr(train.features[columns[0]], "feature"):
        numbers = are_lists_of_numbers(train.features, columns[0])
        return "regression" if numbers and not marks_in_lists(train, columns[0], labels or ()) else "multi"
    if labels is None:
        refuse_decimal_commas(train, columns[0])
    return "regression" if have_decimals(train, columns[0]) else "single"


def _made(problem: ProblemName, options: ProblemOptions) -> Problem:
    kind = PROBLEMS[problem]
    for name in ("labels", "delimiter", "class_weights", "label_smoothing", "threshold"):
        value = getattr(options, name)
        if value != ProblemOptions.model_fields[name].default and name not in kind.uses:
            raise RecipeError(
                f"task.{name} is {value!r}, but has no effect here: the problem is '{problem}'"
                f"{'' if options.problem else ' (found from the data; task.problem says otherwise)'}."
            )
    if len(options.columns) > 1 and problem == "single":
        raise RecipeError(f"task.label names {len(options.columns)} columns, but task.problem is 'single': name one.")
    if options.loss is not None and options.loss.name not in kind.losses:
        raise RecipeError(
            f"task.loss is '{options.loss.name}', but the problem is '{problem}'; it takes {', '.join(kind.losses)}."
        )
    if options.loss is not None and options.loss.name == "focal" and options.label_smoothing:
        raise RecipeError("task.label_smoothing has no effect on the focal loss: leave one of the two out.")
    return kind(options)
