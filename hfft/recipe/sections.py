"""The sections of a recipe, closed schemas: task, data, model, optim, train, track, eval."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from hfft.section import Section, mended

Share = Annotated[float, Field(gt=0, lt=1)]

Cadence = Annotated[float, Field(gt=0)]


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?) ?([smh]?)", value)
    if found is None:
        raise ValueError(f"'{value}' is no time: give seconds, or a text such as 90s, 45m or 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


Duration = Annotated[float, BeforeValidator(_seconds, json_schema_input_type=float | str), Field(gt=0)]
"""A time in seconds, or as a text such as 90s, 45m or 2h."""


class TaskSection(BaseModel):
    """`task`: the kind of problem, and that task's own options beside its name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(description="A task of hfft, of an installed package, or 'module:Name' (needs trust).")

    @property
    def options(self) -> dict[str, Any]:
        """The task's own options, as the recipe gives them."""
        return dict(self.model_extra or {})


class MemoryTable(Section):
    """What is known of a table that Python gave: `hfft.train(recipe, data=...)` writes it."""

    kind: str | None = Field(default=None, description="Such as DataFrame.")
    rows: int | None = None
    columns: list[str] | None = None
    fingerprint: str | None = Field(default=None, description="SHA-256 of the rows.")


class DataSection(Section):
    """`data`: where the examples come from and how they are split."""

    hub: str | None = Field(default=None, description="A data set on the Hub, such as 'nyu-mll/glue'.")
    config: str | None = Field(default=None, description="The Hub data set's configuration, such as 'sst2'.")
    revision: str | None = Field(default=None, description="A branch, tag or commit of the Hub data set.")
    files: dict[str, str | list[str]] | None = Field(
        default=None,
        description="Local files by split (train, eval, test, or a name that data.eval or data.test gives): csv, tsv, "
        "xlsx, json, jsonl, parquet, txt, conll; globs allowed.",
    )
    memory: dict[str, MemoryTable] | None = Field(
        default=None,
        description="What hfft.train(recipe, data=...) notes of the tables that it was given, by split. A recipe with "
        "it needs them again: the command line cannot repeat it.",
    )
    root: str = Field(default=".", description="The folder that relative file names start from.")
    train: str = Field(default="train", description="The training split, with a slice if wanted: 'train[:8000]'.")
    eval: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None,
        description="The split scored while training; with files, 'eval' where given. Of several the first is that "
        "one, and the others are scored once, at the end.",
    )
    test: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, description="The split, or splits, scored once, at the end; with files, 'test' where given."
    )
    holdout: Share | Literal[False] | None = Field(
        default=None,
        description="Share of the training rows cut off as eval: stratified, the same rows for every seed; false cuts "
        "none. Default: none where there is an eval or a test split, else chosen.",
    )
    streaming: bool = Field(
        default=False,
        description="Read the training rows of 'hub' as they are needed instead of downloading all of them first; "
        "needs train.steps. Checks see only the first rows. Evaluation splits are read whole.",
    )
    workers: int = Field(default=0, ge=0, description="Processes that load batches beside each training process.")

    @model_validator(mode="after")
    def _one_source(self) -> DataSection:
        given = [name for name in ("hub", "files", "memory") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "give either 'hub' (a data set on the Hub) or 'files' (local files), exactly one of them, or in Python "
                f"tables: hfft.train(recipe, data=...); here is {' and '.join(given) or 'none'}"
            )
        named = self.local
        if named is not None and "train" not in named:
            raise ValueError(f"'{given[0]}' has no 'train'")
        wanted = {"train", "eval", "test", *(text.partition("[")[0] for text in self.expressions().values() if text)}
        for name in named or ():
            if name not in wanted:
                raise ValueError(
                    f"'{given[0]}' has '{name}'; a split is 'train', 'eval' or 'test', or is named by 'eval' or 'test'"
                )
        if self.hub is None and (self.config or self.revision):
            raise ValueError("'config' and 'revision' belong to 'hub'; local data have none")
        if self.holdout and (self.eval is not None or "eval" in (named or {})):
            raise ValueError("'holdout' cuts an eval split, and 'eval' names one: give only one of them")
        if self.streaming and named is not None:
            raise ValueError(f"'streaming' reads 'hub', which may be a folder of files too; '{given[0]}' is read whole")
        if self.streaming and self.holdout:
            raise ValueError(
                "'holdout' cuts its part off all the training rows, which a stream never holds: name an 'eval' split, "
                "or slices such as train: 'train[1000:]' with eval: 'train[:1000]'"
            )
        return self

    @property
    def local(self) -> dict[str, Any] | None:
        """By split the files or tables, where the data are not the Hub's."""
        return self.memory if self.files is None else self.files

    @property
    def has_eval(self) -> bool:
        """Whether an eval split is named or cut off."""
        return bool(self.holdout) or self.eval is not None or "eval" in (self.local or {})

    def expressions(self) -> dict[str, str | None]:
        """What to read, `NAME` or `NAME[slice]`, by split; of several eval or test splits the first has that name.

        Raises:
            ValueError: Two splits would have one name.
        """
        found: dict[str, str | None] = {"train": self.train}
        for role, given in (("eval", self.eval), ("test", self.test)):
            first, *more = given if isinstance(given, list) else [given]
            found[role] = first
            for text in more:
                split = f"{role}-{(text or '').partition('[')[0]}"
                if split in found or "/" in split:
                    raise ValueError(f"'{role}' names two splits that would both be '{split}': {given}")
                found[split] = text
        return found


class ModelSection(Section):
    """`model`: the pretrained weights to start from. A plain text is its `name`; a pair has two instead."""

    name: str | None = Field(default=None, description="A Hub id, a local folder, or package://NAME/PATH.")
    encoder: str | None = Field(
        default=None,
        description="Instead of 'name', with 'decoder': the weights of an encoder, named as there, for a model that "
        "reads with it and writes with the decoder.",
    )
    decoder: str | None = Field(
        default=None, description="The weights of the decoder, which may be those of an encoder too, such as BERT's."
    )
    revision: str | None = Field(default=None, description="A branch, tag or commit of the Hub model 'name'.")
    from_scratch: bool = Field(
        default=False, description="Take the model's configuration only, and start from new weights."
    )
    new_head: bool = Field(
        default=False, description="Start from a new head even where the checkpoint brings a trained one."
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None,
        description="Sets the dropout of what layers give, and of attention, activations and heads where the "
        "checkpoint has it on; 0 turns off all dropout and layer drop. The plan says which rates it sets.",
    )
    attention: Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"] | None = Field(
        default=None,
        description="The implementation of attention: `attn_implementation` of transformers. Default: its choice.",
    )
    drop_path: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="Sets the rate of stochastic depth (Huang et al. 2016) in the model's configuration."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_model_or_two(self) -> ModelSection:
        pair = (self.encoder, self.decoder)
        if (self.name is None) == (pair == (None, None)) or (self.name is None and None in pair):
            given = [key for key in ("name", "encoder", "decoder") if getattr(self, key) is not None]
            raise ValueError(
                f"give either 'name', or 'encoder' and 'decoder' together; here is {' and '.join(given) or 'none'} "
                "(what a recipe gives is taken back by null: model.name=null)"
            )
        if self.encoder is not None and self.revision is not None:
            raise ValueError("'revision' goes with 'name'; of 'encoder' and 'decoder' the newest is taken")
        if self.encoder is not None and self.new_head:
            raise ValueError("'new_head' goes with 'name'; a pair of encoder and decoder has no head to replace")
        return self

    @property
    def shown(self) -> str:
        """The model's name for people: 'ENCODER+DECODER' for a pair."""
        return self.name or f"{self.encoder}+{self.decoder}"


class OptimSection(Section):
    """`optim`: the optimizer and its schedule."""

    name: str = Field(
        default="adamw",
        description="adamw, adam, sgd, adagrad, rmsprop, or 'module:Class' (needs trust): those of torch with its "
        "defaults (betas 0.9 and 0.999; eps 1e-8, of adagrad 1e-10; alpha 0.99 of rmsprop), but sgd has momentum 0.9.",
    )
    lr: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Peak learning rate. Default: chosen by what learns and by the size of the model.",
    )
    weight_decay: float = Field(default=0.01, ge=0, description="Not applied to biases and norms.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Further arguments of the optimizer, such as momentum: 0 for sgd."
    )
    warmup: float = Field(default=0.1, ge=0, description="Below 1 a share of the steps, else steps.")
    schedule: Literal["linear", "cosine", "constant", "slanted_triangular"] = Field(
        default="linear", description="How the learning rate goes from its peak to the end, after the warm-up."
    )
    clip: Annotated[float, Field(gt=0)] | None = Field(
        default=1.0, description="Largest norm of the gradient; null for none."
    )

    @field_validator("options", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        return mended(value)


class TrainSection(Section):
    """`train`: how long, in which batches, and what is kept on the way."""

    epochs: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Default: chosen, as many as there are steps enough; null where `steps` is given."
    )
    steps: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Instead of `epochs`.")
    batch_size: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Samples per optimizer step, over all processes. Default: chosen."
    )
    micro_batch_size: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Samples a process holds at once; the loss is the same. Default: its whole share."
    )
    group_by_length: bool | Literal["micro"] | None = Field(
        default=None,
        description="Whether batches hold texts of like length, which leaves little padding: true; false for random "
        "batches; micro for random ones whose micro-batches are of like length. Default: true; of tags micro; of "
        "images false.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Computes what blocks hold once more in the backward pass: the same gradients with less memory, in "
        "more time.",
    )
    compile: bool = Field(
        default=False,
        description="Compiles the model by torch.compile: the first steps take long, the others less. It wants a C++ "
        "compiler.",
    )
    seed: int = Field(
        default=0, ge=0, description="Of new weights, of the order of the samples, of dropout and of augmentation."
    )
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = Field(
        default=None,
        description="Train once with each of these seeds, into seed-N/ of the run folder, and give mean, spread and "
        "interval over them. The one with the best eval becomes model/.",
    )
    ema: Share | None = Field(
        default=None, description="Decay of an average of the weights, which is then what is scored and kept: 0.999."
    )
    time_limit: Duration | None = Field(
        default=None,
        description="Seconds of training, or 90s, 45m, 2h, after which the run ends, scored and saved as usual. The "
        "schedule stays that of all steps: the learning rate is not down yet.",
    )
    keep_best: str | bool | None = Field(
        default=None,
        description="The metric whose best evaluation gives the final weights; true for the one that counts most for "
        "the task, false for the weights of the last step. '-NAME' where less of it is better, for metrics that hfft "
        "does not know. Default: chosen by how many rows eval has.",
    )
    early_stop: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Stop after this many evaluations without a better `keep_best`."
    )
    soup: Annotated[int, Field(ge=2)] | None = Field(
        default=None,
        description="Take the mean of the weights of up to this many evaluations, the best by `keep_best`: at the end "
        "each in turn is added where the mean scores no worse with it. So many weights are kept on the disk.",
    )
    eval_every: Cadence | None = Field(
        default=None,
        description="Steps, or below 1 a share of an epoch. Default: each epoch, or a tenth of the run where more than "
        "ten epochs are chosen; with data.streaming only at the end.",
    )
    checkpoint_every: Cadence | None = Field(default=None, description="As `eval_every`.")
    keep_checkpoints: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="How many to keep: the newest. Default: 2 while the run goes on, and when it is done the last one, "
        "by which it can be made longer. With 0 one while it goes on, and none when it is done.",
    )
    log_every: int = Field(
        default=10,
        ge=1,
        description="Steps between flushes of metrics.jsonl and news on the screen; where that goes to a file it has "
        "about 50 lines a run, with --verbose all.",
    )

    @model_validator(mode="before")
    @classmethod
    def _steps_replace_epochs(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("steps") is not None:
            if value.get("epochs") is not None:
                raise ValueError("'epochs' and 'steps' both say how long to train; give one (epochs: null)")
            return {**value, "epochs": None}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> TrainSection:
        if self.seeds is not None and (self.seed != 0 or len(set(self.seeds)) < len(self.seeds)):
            raise ValueError(f"'seeds' is {self.seeds}: give each once, and no 'seed' beside them")
        if self.early_stop is not None and not self.keep_best:
            raise ValueError("'early_stop' watches the metric of 'keep_best': name one, such as keep_best: accuracy")
        if self.soup is not None and not self.keep_best:
            raise ValueError("'soup' goes by the metric of 'keep_best': name one, such as keep_best: accuracy")
        for name in ("eval_every", "checkpoint_every"):
            every = getattr(self, name)
            if every is not None and every >= 1 and every != int(every):
                raise ValueError(f"'{name}' is {every}: give whole steps, or a share of an epoch below 1")
        return self

    @property
    def rows_a_step(self) -> int:
        """`batch_size`, which stands in the recipe of every run."""
        assert self.batch_size is not None
        return self.batch_size

    @property
    def checkpoints_meanwhile(self) -> int:
        """How many checkpoints are kept while the run goes on."""
        return 2 if self.keep_checkpoints is None else max(1, self.keep_checkpoints)

    @property
    def best_metric(self) -> str | None:
        """The name of the metric of `keep_best`, where it names one."""
        return self.keep_best.removeprefix("-") if isinstance(self.keep_best, str) else None

    def less_is_better(self, known: frozenset[str]) -> bool:
        """Whether less of the metric of `keep_best` is better: it says so, or is one of `known`."""
        if not isinstance(self.keep_best, str):
            return False
        plain = self.keep_best.removeprefix("evaluate_").partition("/")[0]  # rmse/price, evaluate_mse
        return self.keep_best.startswith("-") or plain in known


class TrackSection(Section):
    """`track`: trackers that get what metrics.jsonl gets."""

    to: list[Literal["tensorboard", "wandb", "trackio", "mlflow"]] = Field(
        default_factory=list, description="Trackers, each of which needs its package: pip install 'hfft[tensorboard]'."
    )
    project: str = Field(default="hfft", description="The name under which trackers file the run.")


class EvalSection(Section):
    """`eval`: how the eval and test splits are scored."""

    batch_size: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Samples one process scores at once. Default: what one process trains on at once, or batch_tokens.",
    )
    batch_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Instead of batch_size: tokens one process scores at once, padding included. Default where answers "
        "are generated: 8192.",
    )
    while_training: Annotated[int, Field(ge=1)] | Literal["all"] | None = Field(
        default=None,
        description="How many rows of eval, the same ones each time, are scored while training; at the end all are. "
        "Default: all, or 500 where answers are generated.",
    )
    confidence: Share = Field(default=0.95, description="Of the intervals.")
    metrics: list[str] = Field(
        default_factory=list,
        description="Functions (answers, truths) -> {name: number}, as 'module:name', or modules of the `evaluate` "
        "library, as 'evaluate:f1?average=macro' (both need trust).",
    )
    slices: list[str] = Field(
        default_factory=list,
        description="Columns of the eval and test splits: each of their values (of many numbers, each quarter) is "
        "scored by itself as well. Parts by length are scored in any case.",
    )

    def with_defaults(self, while_training: int | None, batch_tokens: int | None) -> EvalSection:
        """The same with a task's own values where the recipe gives none."""
        tokens = self.batch_tokens or (None if self.batch_size else batch_tokens)
        update = {"while_training": self.while_training or while_training or "all", "batch_tokens": tokens}
        return self.model_copy(update=update)

    @model_validator(mode="after")
    def _one_size(self) -> EvalSection:
        if self.batch_size is not None and self.batch_tokens is not None:
            raise ValueError(
                "'batch_size' and 'batch_tokens' both say how much is scored at once; give one (null takes one back)"
            )
        return self
