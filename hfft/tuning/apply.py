"""The one door of this package: does with a model what `tune` says: which weights learn, when, and how fast.

In this order: blocks, re-initialised weights, adapter, freezing, phases, rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from transformers import PreTrainedModel

from hfft.errors import RecipeError
from hfft.tuning.adapters import add_adapter, added_parameters, fast_parameters, merges_exactly
from hfft.tuning.blocks import HEAD, Block, BlockMap, blocks, learning_names, plain_name, stack_sizes
from hfft.tuning.freeze import freeze, frozen_blocks, frozen_names
from hfft.tuning.l2_sp import Anchor, anchored_names
from hfft.tuning.param_groups import Rates, new_weights, parameter_table, stuck_weights
from hfft.tuning.parameter_table import ParameterRow
from hfft.tuning.phases import Phase, enter, first_steps, gradually, probing
from hfft.tuning.reinit import reinitialise
from hfft.tuning.section import FreezeSection, ProbeSection, TuneSection, UnfreezeSection
from hfft.tuning.train_mode import set_modes


@dataclass(frozen=True)
class Tuned:
    """A model of which it is settled what learns; at first it stands as in its last phase, when all that may does.

    Attributes:
        model: With its adapter.
        block_of: Tells the block of a parameter.
        frozen: Plain names of what never learns, by `tune.freeze`.
        learning: Plain names of what learns in some phase.
        as_loaded: Plain names of what never learns and is as the model's files have it.
        phases: In order; one where all that learns does so from the start.
        rows: What happens to each parameter.
        dropout: Whether dropout is on in what is frozen.
        still_statistics: Whether every BatchNorm uses the checkpoint's statistics.
        anchor: What draws weights to where they start; None where nothing does.
        merges: Whether its adapter can be merged exactly into the weights; true where there is none.
        warnings: What people should know.
    """

    model: Any
    block_of: BlockMap
    frozen: frozenset[str]
    learning: frozenset[str]
    as_loaded: frozenset[str]
    phases: list[Phase]
    rows: list[ParameterRow]
    dropout: bool
    still_statistics: bool
    anchor: Anchor | None
    merges: bool
    warnings: list[str] = field(default_factory=list)

    def enter(self, phase: Phase) -> None:
        """Lets those weights learn that a phase is for, and puts the model in the modes of its training."""
        enter(self.model, self.learning, phase)
        set_modes(self.model, self.frozen | phase.closed, self.block_of, self.dropout, self.still_statistics)


@dataclass(frozen=True)
class Length:
    """How long a run is, in steps: an epoch, and all."""

    per_epoch: int
    total: int


def apply(
    tune: TuneSection, model: PreTrainedModel, new: Sequence[str], lr: float, weight_decay: float, length: Length
) -> Tuned:
    """Does with a model what `tune` says.

    Args:
        tune: What is to be done.
        model: As loaded; it is changed in place.
        new: Names of its parameters that start at random.
        lr: The peak learning rate of the run.
        weight_decay: Of the weights that have any.
        length: Of the run.

    Raises:
        RecipeError: `tune` does not fit the model or the length of the run.
        ModelError: The model's blocks cannot be found.
    """
    found = blocks(model, tune.blocks)
    block_of = BlockMap(found)
    warnings = new_weights(new, found)
    if tune.reinit is not None:
        new = [*new, *reinitialise(model, found, tune.reinit.blocks, tune.reinit.pooler)]
    adapted: Any = model
    loaded = {name: weight.data_ptr() for name, weight in model.named_parameters() if name not in new}
    merges = True
    if tune.adapter is not None:
        adapted = add_adapter(model, found, tune.adapter.name, tune.adapter.model_dump(exclude={"name"}))
        merges = merges_exactly(adapted)
        warnings += (
            [] if merges else ["tune.adapter cannot be merged exactly into the weights: model/ will be missing."]
        )
    rates = _rates(tune, adapted, lr, weight_decay)
    rates.check(stack_sizes(found))
    frozen = _frozen(tune.freeze, rates.below(tune.freeze_below, found), adapted, block_of)
    freeze(adapted, frozen)
    _require_learners(tune, adapted, block_of)
    held = _held(tune, adapted, new)
    rates = replace(rates, anchored=frozenset(held))
    phases = _phases(tune.unfreeze, tune.probe, adapted, block_of, length)
    rows = parameter_table(adapted, block_of, rates, first_steps(phases), added_parameters(adapted, found))
    warnings += [*_without_effect(tune, rows), *stuck_weights(new, rows)]
    made = Tuned(
        model=adapted,
        block_of=block_of,
        frozen=frozen,
        learning=_learning(adapted),
        as_loaded=_as_loaded(adapted, loaded),
        phases=phases,
        rows=rows,
        dropout=tune.freeze is not None and tune.freeze.dropout,
        still_statistics=tune.batch_norm == "eval",
        anchor=Anchor(adapted, held, tune.l2_sp) if tune.l2_sp is not None else None,
        merges=merges,
        warnings=warnings,
    )
    made.enter(phases[-1])
    return made


def _without_effect(tune: TuneSection, rows: Sequence[ParameterRow]) -> list[str]:
    """Warns of settings that do nothing for what learns."""
    learning = {row.stack for row in rows if row.trainable}
    decayed = tune.layer_decay if isinstance(tune.layer_decay, dict) else {}
    warnings = [
        f"tune.layer_decay.{stack} has no effect: nothing in that stack learns." for stack in decayed.keys() - learning
    ]
    if learning == {HEAD} and tune.layer_decay not in (1.0, None) and not warnings:
        warnings.append(f"tune.layer_decay is {tune.layer_decay}, but only the head learns: it has no effect.")
    if HEAD not in learning and tune.head_scale != 1.0:
        warnings.append(f"tune.head_scale is {tune.head_scale:g}, but this model has no head that learns: no effect.")
    if learning == {HEAD} and tune.adapter is None and (tune.freeze is None or tune.freeze.blocks != "all"):
        warnings.append(
            "Only the head learns. tune.freeze.blocks: all says so, and has a higher learning rate by default."
        )
    return warnings


def _rates(tune: TuneSection, model: Any, lr: float, weight_decay: float) -> Rates:
    return Rates(
        lr=lr,
        weight_decay=weight_decay,
        layer_decay=1.0 if tune.layer_decay is None else tune.layer_decay,
        head_scale=tune.head_scale,
        min_scale=tune.min_scale,
        patterns=list(tune.rates.items()),
        fast=fast_parameters(model, getattr(tune.adapter, "lr_ratio", 1.0)),
    )


def _held(tune: TuneSection, model: Any, new: Sequence[str]) -> list[str]:
    """The names of what `tune.l2_sp` holds."""
    if tune.l2_sp is None:
        return []
    if tune.adapter is not None:
        raise RecipeError(
            "tune.l2_sp draws the checkpoint's weights to where they start, and beside tune.adapter they stay there "
            "anyway: it has no effect. Leave one of the two out."
        )
    return anchored_names(model, new)


def _frozen(section: FreezeSection | None, slow: Sequence[Block], model: Any, block_of: BlockMap) -> frozenset[str]:
    if section is None:
        return frozen_names(model, block_of, slow)
    chosen = frozen_blocks(block_of.found, section.blocks) if section.blocks is not None else []
    patterns = [rule.pair for rule in section.patterns]
    return frozen_names(model, block_of, [*chosen, *slow], section.kept, patterns)


def _require_learners(tune: TuneSection, model: Any, block_of: BlockMap) -> None:
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if not trained and any(block.stack == HEAD for block in block_of.found):
        raise RecipeError(
            "tune.freeze freezes all that this model has, its head too: nothing would learn. Freeze less."
        )
    if not trained:
        raise RecipeError(
            "tune.freeze freezes all that this model has, for it has no head of its own (its output layer is its table "
            "of words): nothing would learn. Freeze fewer blocks, such as tune.freeze.blocks.encoder=all."
        )
    if tune.adapter is not None and all(block_of[name].stack == HEAD for name in trained):
        raise RecipeError(
            "tune.adapter adds weights to blocks that tune.freeze freezes, all of them: no adapter would learn. "
            "Freeze fewer blocks, or leave one of the two out."
        )


def _phases(
    unfreeze: UnfreezeSection | None,
    probe: ProbeSection | None,
    model: Any,
    block_of: BlockMap,
    length: Length,
) -> list[Phase]:
    if unfreeze is not None:
        every = steps_of(unfreeze.steps, unfreeze.epochs, length.per_epoch)
        phases = gradually(model, block_of, every, unfreeze.blocks)
        if len(phases) == 1:
            raise RecipeError("tune.unfreeze has no effect: only one part of this model learns. Leave it out.")
        if phases[-1].first_step > length.total:
            raise RecipeError(
                f"tune.unfreeze lets the next blocks learn every {every} steps, the last ones from step "
                f"{phases[-1].first_step} on, but the run has {length.total}. Train longer, give a shorter time or a "
                "larger tune.unfreeze.blocks, or freeze for good what need not learn."
            )
        return phases
    if probe is not None:
        steps = steps_of(probe.steps, probe.epochs, length.per_epoch)
        phases = probing(model, block_of, steps)
        heads = [name for name in _learning(model) if block_of[name].stack == HEAD]
        if not heads or not phases[0].closed:
            missing = "nothing else learns in this recipe" if heads else "this model has no head of its own that learns"
            raise RecipeError(f"tune.probe lets the head learn alone at first, but {missing}. Leave it out.")
        if steps >= length.total:
            raise RecipeError(
                f"tune.probe lets the head learn alone for {steps} steps, but the run has {length.total}: no step "
                "would be left for the rest. Give a shorter time, or tune.freeze.blocks: all for the head alone."
            )
        return phases
    return [Phase(1, frozenset())]


def _learning(model: Any) -> frozenset[str]:
    return frozenset(learning_names(model))


def _as_loaded(model: Any, loaded: Mapping[str, int]) -> frozenset[str]:
    """The plain names of what does not learn and stands where it was loaded: PiSSA puts other weights in its place.

    Args:
        model: With its adapter, and `requires_grad` as it is when all that may learn does.
        loaded: By name, where in memory each weight stood before the adapter came.
    """
    still = {
        plain_name(name): weight.data_ptr() for name, weight in model.named_parameters() if not weight.requires_grad
    }
    return frozenset(name for name, place in still.items() if loaded.get(name) == place)


def steps_of(steps: int | None, epochs: float | None, per_epoch: int) -> int:
    """The steps that something lasts which is given in steps or, without these, in epochs."""
    return steps or math.ceil(Fraction(str(epochs)) * per_epoch)
