"""The section `defaults` of a recipe: how what it leaves open is chosen, and what was."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from hfft.section import Section

Version = Literal["2026-12"]

VERSION: Version = "2026-12"
"""The newest set of defaults. A run's recipe names the one it had, so that a later one changes no old recipe."""

Preset = Literal["quick", "best"]


class Chosen(Section):
    """A value that was chosen for a setting, and why."""

    value: Any = None
    why: str = ""


class DefaultsSection(Section):
    """`defaults`: how the settings that a recipe leaves open are chosen. A plain text is its `version`."""

    version: Version | None = Field(default=None, description="The set of defaults. Default: the newest.")
    preset: Preset | None = Field(
        default=None, description="What is more important than usual: quick, a short time; best, the score."
    )
    chosen: dict[str, Chosen] = Field(
        default_factory=dict,
        description="Written by a run: each setting that was chosen, its value, and why. It changes nothing.",
    )

    @model_validator(mode="before")
    @classmethod
    def _version_alone(cls, value: Any) -> Any:
        return {"version": value} if isinstance(value, str) else value
