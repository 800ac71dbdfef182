"""What benchmarks/strategies.py tries: ways of tuning, the runs they take, and what is chosen by finished ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from strategies_runs import Done, Job, of_stage

RECIPE = "recipes/minilm_clinc150.yaml"
DRAW_SEED = 0  # of the training rows of the small part
TRIAL_SEED = 0  # of the runs after which the learning rates to choose from were settled
NEVER = 10**6  # steps: so that eval is scored once, at the end
EVALUATIONS = 10  # of a soup, whose parts are weights that were scored


@dataclass(frozen=True)
class Method:
    """A way of tuning.

    Attributes:
        name: As the page has it.
        kind: By which hfft chooses its default learning rate: "full", "adapter" or "head".
        rates: Learning rates to choose from, rising.
        overrides: What it changes in the recipe, from the number of epochs.
        note: What a reader must know who compares it with the others.
    """

    name: str
    kind: str
    rates: tuple[float, ...]
    overrides: Callable[[float], tuple[str, ...]]
    note: str = ""


def soup(epochs: float) -> tuple[str, ...]:
    """The mean of the best five of ten evaluations."""
    every = epochs / EVALUATIONS
    share = f"{every:g}" if every < 1 else "null"  # 1 would be one step; null is each epoch
    return ("train.soup=5", "train.keep_best=accuracy", f"train.eval_every={share}")


LORA = "tune.adapter={name: lora}"
FULL, ADAPTED = (2e-4, 5e-4, 1e-3), (1e-3, 2.5e-3, 6e-3)
UNFREEZING = (
    "its schedule is the slanted triangle that goes with it (Howard and Ruder 2018), that of the others the recipe's: "
    "what it gains or loses may be the schedule's. The pace of unfreezing was not searched."
)
PROBING = "the learning rate of its probe, 3e-3, and the probe's share of the epochs, 30 %, were not searched."
SOUP = (
    f"the validation rows choose its weights out of {EVALUATIONS} evaluations, and so flatter its validation accuracy; "
    "the others are scored once, at their end. Its time in all includes the evaluations. Where the last weights are "
    "the best and no mean with others does as well, it is full tuning at a higher price."
)
METHODS = (
    Method("full", "full", FULL, lambda _: ()),
    Method("head only", "head", (1e-3, 3e-3, 1e-2), lambda _: ("tune.freeze.blocks=all",)),
    Method("freeze 3", "full", FULL, lambda _: ("tune.freeze.blocks=3",)),
    Method("layer decay 0.9", "full", (3e-4, 7e-4, 1.5e-3), lambda _: ("tune.layer_decay=0.9",)),
    Method("layer decay 0.8", "full", (4e-4, 1e-3, 2e-3), lambda _: ("tune.layer_decay=0.8",)),
    Method("LoRA", "adapter", ADAPTED, lambda _: (LORA,)),
    Method("LoRA + decay 0.9", "adapter", ADAPTED, lambda _: (LORA, "tune.layer_decay=0.9")),
    Method(  # seven times something joins the head, six blocks and the stem: all learns from half of the run on
        "gradual unfreezing",
        "full",
        FULL,
        lambda epochs: (f"tune.unfreeze={{epochs: {epochs / 14:.4g}}}", "optim.schedule=slanted_triangular"),
        UNFREEZING,
    ),
    Method("LP-FT", "full", FULL, lambda epochs: (f"tune.probe={{epochs: {0.3 * epochs:.4g}, lr: 3e-3}}",), PROBING),
    Method("soup", "full", FULL, soup, SOUP),
)


@dataclass(frozen=True)
class Study:
    """The study as a whole.

    Attributes:
        methods: The first is the one that the others are compared with.
        model: Where the weights come from.
        rows: Training rows of the small part; the other part has them all.
        epochs: Of the small part.
        whole_epochs: Of the part on all rows.
        batch_size: Rows of a step.
        seeds: Of the runs that are scored on test; the seed that chooses learning rates is none of them.
        best: So many methods beside the first go on to all rows.
        precision: "bf16" or "fp32".
        at_once: Runs at a time.
    """

    methods: tuple[Method, ...]
    model: str
    rows: int
    epochs: float
    whole_epochs: float
    batch_size: int
    seeds: tuple[int, ...]
    best: int
    precision: str
    at_once: int

    def method(self, name: str) -> Method:
        """The method of a name."""
        return next(method for method in self.methods if method.name == name)

    @property
    def choosing_seed(self) -> int:
        """The seed of the runs that choose learning rates."""
        return next(seed for seed in range(len(self.seeds) + 1) if seed not in self.seeds)


def choosing_jobs(study: Study) -> list[Job]:
    """Each method with each of its learning rates, one seed, on few rows."""
    return [_job(study, "choose", method, lr, study.choosing_seed) for method in study.methods for lr in method.rates]


def few_jobs(study: Study, done: Sequence[Done]) -> list[Job]:
    """Each method with its best learning rate and each seed, on few rows."""
    return [
        _job(study, "few", method, chosen_rate(done, method.name), seed)
        for seed in study.seeds
        for method in study.methods
    ]


def all_jobs(study: Study, done: Sequence[Done]) -> list[Job]:
    """The first method and the best of the others, with each seed, on all rows; learning rates as on few."""
    names = [study.methods[0].name, *best_methods(study, done)]
    return [
        _job(study, "all", method, chosen_rate(done, method.name), seed)
        for seed in study.seeds
        for method in study.methods
        if method.name in names
    ]


def chosen_rate(done: Iterable[Done], method: str) -> float:
    """The learning rate with the best validation accuracy; of equals the smallest."""
    return max(of_stage(done, "choose", method), key=lambda one: (one.validation, -one.job.lr)).job.lr


def best_methods(study: Study, done: Iterable[Done]) -> list[str]:
    """The methods, the first aside, with the highest mean validation accuracy over the seeds on few rows."""
    done = list(done)
    value = {m.name: mean(one.validation for one in of_stage(done, "few", m.name)) for m in study.methods[1:]}
    return sorted(value, key=lambda name: -value[name])[: study.best]


def _job(study: Study, stage: str, method: Method, lr: float, seed: int) -> Job:
    epochs = study.whole_epochs if stage == "all" else study.epochs
    overrides = (*common(study, epochs), f"optim.lr={lr:g}", f"train.seed={seed}", *method.overrides(epochs))
    rows = None if stage == "all" else study.rows
    return Job(stage, method.name, lr, seed, rows, overrides, study.precision)


def common(study: Study, epochs: float) -> tuple[str, ...]:
    """What all methods change in the recipe."""
    return (
        f"model={study.model}",
        "train.seeds=null",
        f"train.epochs={epochs:g}",
        f"train.batch_size={study.batch_size}",
        f"train.eval_every={NEVER}",
        f"train.checkpoint_every={NEVER}",
        "optim.warmup=0.1",
    )
