"""What every kind of Argo CD's has in common here: strict types, no unknown fields, and refusals with a sentence."""

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A part of a manifest. Field names are the manifest's in camel case; nulls count as absent."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        strict=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: object) -> object:
        # `retry: null` and no retry are one thing to Kubernetes.
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}


def says_nothing(value: object) -> bool:
    """Tell whether a value means the same as no value: Go leaves out what is false, zero or empty."""
    if isinstance(value, dict):
        return all(says_nothing(item) for item in value.values())
    return not value


def refused(sentence: str) -> Any:
    """Return the annotation of a field that Argo CD has and Outrider does not take (yet); `sentence` says what to do."""

    def check(value: object) -> None:
        if not says_nothing(value):
            raise ValueError(sentence)

    return BeforeValidator(check)


def refused_outright(sentence: str) -> Any:
    """Return the annotation of a field that is refused even when it is empty: its presence alone says something."""

    def check(value: object) -> None:
        if value is not None:
            raise ValueError(sentence)

    return BeforeValidator(check)
