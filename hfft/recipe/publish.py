"""`publish` in a recipe: where the finished model goes, and what its card says of it."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from hfft.section import Section

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")

LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")

LANGUAGE = re.compile(r"[a-z]{2,3}|code|multilingual")


class PublishSection(Section):
    """`publish`: where the finished model goes on the Hub, and what its card says of it."""

    to: str | None = Field(
        default=None,
        description="A repository of the Hub, USER/NAME, that gets the finished model; log in first: hf auth login. "
        "Default: none; `hfft push` publishes a finished run at any time.",
    )
    when: Literal["end", "best"] = Field(
        default="end",
        description="'best': each evaluation that is the best so far is published too, in a commit of its own; needs "
        "train.keep_best.",
    )
    private: bool = Field(default=False, description="Make a new repository private.")
    revision: str | None = Field(default=None, min_length=1, description="The branch to publish to. Default: main.")
    adapter: bool = Field(default=False, description="Publish the adapter itself rather than the merged weights.")
    overwrite: bool = Field(
        default=False, description="Replace another model that is there: of other settings, or trained on other rows."
    )
    license: str | None = Field(
        default=None, description="For the card: an identifier that the Hub knows, such as apache-2.0, mit, cc-by-4.0."
    )
    language: str | list[str] | None = Field(
        default=None,
        description="For the card: codes such as en, de. Default: those that the task names, where it names any.",
    )

    @field_validator("to")
    @classmethod
    def _repository(cls, to: str | None) -> str | None:
        if to is not None and (not REPOSITORY.fullmatch(to) or "--" in to or ".." in to):
            raise ValueError(f"'{to}' is no repository: write USER/NAME, such as me/my-model")
        return to

    @field_validator("license")
    @classmethod
    def _identifier(cls, text: str | None) -> str | None:
        if text is not None and not LICENSE.fullmatch(text):
            raise ValueError(f"'{text}' is no identifier of a licence: write it as the Hub does, such as apache-2.0")
        return text

    @field_validator("language", mode="before", json_schema_input_type=str | list[str] | None)
    @classmethod
    def _codes(cls, given: Any) -> Any:
        for code in given if isinstance(given, list) else [] if given is None else [given]:
            if isinstance(code, bool):
                raise ValueError('YAML reads a bare no as false: quote it, "no", for Norwegian')
            if not isinstance(code, str) or not LANGUAGE.fullmatch(code):
                raise ValueError(f"{code!r} is no code of a language: give two or three letters, such as en or deu")
        return given or None

    @model_validator(mode="after")
    def _something_to_do(self) -> PublishSection:
        fields = type(self).model_fields
        places = ("when", "private", "revision", "adapter", "overwrite")
        idle = [key for key in places if getattr(self, key) != fields[key].default]
        if self.to is None and idle:
            raise ValueError(f"{_listed(idle)} without 'to', the repository: give it, such as to: me/my-model")
        return self

    @property
    def only_card(self) -> PublishSection:
        """The same without a place to publish to."""
        return PublishSection(license=self.license, language=self.language)

    @property
    def languages(self) -> list[str]:
        """The codes of `language`."""
        return [self.language] if isinstance(self.language, str) else self.language or []


def _listed(keys: list[str]) -> str:
    return f"{', '.join(repr(key) for key in keys)} {'has' if len(keys) == 1 else 'have'} no effect"
