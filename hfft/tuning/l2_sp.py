"""L2-SP: weights are drawn towards where they started, the checkpoint, and not towards zero."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hfft.errors import RecipeError


def anchored_names(model: nn.Module, new: Collection[str]) -> list[str]:
    """The names of the parameters that L2-SP holds: those that learn and start from the checkpoint.

    The others start at random, as a new head does, and have nothing to be drawn back to.

    Args:
        model: With `requires_grad` set as it will be when all that is to learn learns. It has no adapter.
        new: Names of the parameters that start at random.

    Raises:
        RecipeError: There are none.
    """
    learning = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    held = [name for name in learning if name not in new]
    if not held:
        raise RecipeError(
            f"tune.l2_sp draws weights back to the checkpoint, and none of the {len(learning)} that learn come from "
            "it: leave tune.l2_sp out, or freeze less."
        )
    return held


class Anchor:
    """The penalty of L2-SP (Li et al. 2018, "Explicit inductive bias for transfer learning", section 3, equation 2).

    Called, it gives alpha / 2 times the squared distance of the weights from where they start, as a scalar with a
    gradient. Parameters that ask for no gradient just now, as those that gradual unfreezing has not reached, are left
    out: they are where they started.

    Equation 3 adds beta / 2 times the squared norm of the new weights. Here they have the optimizer's weight decay
    instead, which AdamW takes off the weights themselves and hfft off matrices alone. The penalty is part of the
    gradient, so Adam scales it as it does the rest.

    Args:
        model: With the weights at their start; made before a checkpoint is restored.
        names: Names of its parameters to hold (`anchored_names`).
        alpha: The strength.
    """

    def __init__(self, model: nn.Module, names: Sequence[str], alpha: float):
        parameters = dict(model.named_parameters())
        self.alpha = alpha
        self.weights = [parameters[name] for name in names]
        self.starts = [weight.detach().clone() for weight in self.weights]

    def __call__(self) -> Tensor:
        """Computes the penalty, where the weights are."""
        device = self.weights[0].device
        if self.starts[0].device != device:  # the model was moved after this was made
            self.starts = [start.to(device) for start in self.starts]
        # mse_loss keeps its two arguments for the gradient, which are there anyway, and no difference beside them.
        squares = [
            F.mse_loss(weight, start, reduction="sum")
            for weight, start in zip(self.weights, self.starts, strict=True)
            if weight.requires_grad
        ]
        total = torch.stack(squares).sum() if squares else torch.zeros((), device=device, requires_grad=True)
        return self.alpha / 2 * total

    @property
    def bytes(self) -> int:
        """The memory that the starting values take."""
        return sum(start.nbytes for start in self.starts)
