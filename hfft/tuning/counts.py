"""How many blocks are meant: a number of each stack, a share of them, all, or one of these by stack."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, WrapValidator

from hfft.errors import RecipeError, near

Share = Annotated[str, Field(pattern=r"^(100|[1-9]?[0-9])%$")]


def _read(value: Any, read: Callable[[Any], int | str]) -> int | str:
    try:
        if not isinstance(value, bool):  # which Python takes for 0 or 1
            return read(value)
    except ValidationError:
        pass
    raise ValueError(f"it is {value!r}: give a number of blocks, from 0 on, a share such as 50%, or 'all'")


Count = Annotated[Annotated[int, Field(ge=0)] | Literal["all"] | Share, WrapValidator(_read)]


def without_null(value: Any) -> Any:
    """A mapping by stack without the stacks that `null` takes back; any other value as it is."""
    return {stack: item for stack, item in value.items() if item is not None} if isinstance(value, dict) else value


BlockCount = Annotated[
    Annotated[Count, Tag("<count>")] | Annotated[dict[str, Count], Tag("<by stack>")],
    Discriminator(lambda value: "<by stack>" if isinstance(value, dict) else "<count>"),
    BeforeValidator(without_null),
]


def means_none(count: BlockCount) -> bool:
    """Whether no block of any model is meant.

    >>> means_none("0%"), means_none({"encoder": 0}), means_none({}), means_none({"encoder": "all", "decoder": 0})
    (True, True, True, False)
    """
    return all(one in (0, "0%") for one in (count.values() if isinstance(count, Mapping) else [count]))


def counted(
    count: BlockCount, sizes: Mapping[str, int], setting: str, rounded: Callable[[Fraction], int] = math.floor
) -> dict[str, int]:
    """The number of blocks that is meant, of each stack that is meant.

    >>> counted("50%", {"encoder": 5, "decoder": 2}, "tune.freeze.blocks")
    {'encoder': 2, 'decoder': 1}

    Args:
        count: A number that is larger than a stack means all of that stack, if another stack has so many.
        sizes: The number of blocks of each stack of the model.
        setting: Where the count stands, for messages.
        rounded: How a share becomes a whole number.

    Raises:
        RecipeError: A stack is not in the model, or there are not so many blocks.
    """
    if isinstance(count, Mapping):
        check_stacks(count, sizes, setting)
        for stack, one in count.items():
            if isinstance(one, int) and one > sizes[stack]:
                raise RecipeError(
                    f"{setting}.{stack} is {one}, but this model has {sizes[stack]} blocks in its {stack}; use 0 to "
                    f"{sizes[stack]}, a share such as 50%, or 'all'."
                )
        return {stack: _of(one, sizes[stack], rounded) for stack, one in count.items()}
    most = max(sizes.values())
    if isinstance(count, int) and count > most:
        raise RecipeError(
            f"{setting} is {count}, but this model has {most} blocks ({_listed(sizes)}); use 0 to {most}, a share such "
            "as 50%, or 'all'."
        )
    return {stack: _of(count, size, rounded) for stack, size in sizes.items()}


def _of(count: int | str, size: int, rounded: Callable[[Fraction], int]) -> int:
    if isinstance(count, int):
        return min(count, size)
    return size if count == "all" else rounded(Fraction(size * int(count.removesuffix("%")), 100))


def check_stacks(named: Iterable[str], sizes: Mapping[str, int], setting: str) -> None:
    """Raises RecipeError where a setting names a stack that the model does not have."""
    for stack in named:
        if stack not in sizes:
            raise RecipeError(
                f"{setting} names '{stack}', which is no stack of this model.{near(stack, list(sizes))} It has: "
                f"{_listed(sizes)}."
            )


def _listed(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{size} in its {stack}" for stack, size in sizes.items())
