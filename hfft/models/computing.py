"""How a model computes what it computes: by which attention, and what is kept for the backward pass."""

from __future__ import annotations

from transformers import PreTrainedModel

from hfft.errors import ModelError


def set_attention(model: PreTrainedModel, name: str) -> str:
    """Lets a model compute its attention by another implementation of transformers, and says so.

    Args:
        model: As loaded.
        name: As `attn_implementation` of transformers has it, such as "sdpa".

    Raises:
        ModelError: The model has none of that name, or it cannot run here.
    """
    before = model.config._attn_implementation
    try:
        model.set_attn_implementation(name)
    except (ValueError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        raise ModelError(
            f"model.attention is '{name}', which {type(model).__name__} cannot use here: {reason}."
        ) from None
    if model.config._attn_implementation != name or not model._can_set_attn_implementation():
        raise ModelError(
            f"model.attention is '{name}', but {type(model).__name__} has one attention alone ({before}): leave it out."
        )
    return f"Attention is computed by {name} (model.attention); transformers would take {before}"


def recompute_activations(model: PreTrainedModel) -> str:
    """Lets a model compute what blocks hold once more in the backward pass, which saves memory, and says so.

    Gradients stay as they are (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").

    Raises:
        ModelError: transformers cannot do so with this model.
    """
    if not model.supports_gradient_checkpointing:
        raise ModelError(
            f"train.gradient_checkpointing is on, but transformers has none for {type(model).__name__}. For less "
            "memory give a smaller train.micro_batch_size, freeze blocks, or train an adapter."
        )
    model.activation_checkpointing_enable({"use_reentrant": False})
    return "What blocks hold is computed once more in the backward pass (train.gradient_checkpointing)"
