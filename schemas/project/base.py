"""What every part of the project file is made of."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field
from pydantic_core import PydanticCustomError

from schemas.project.findings import nearest_of

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Kind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=80)]
"""A connector as its package names it: `my-shop`."""
Scalar = str | int | bool


def refuse(message: str) -> PydanticCustomError:
    """The error of a shape that pydantic alone would accept."""
    return PydanticCustomError("refused", "{reason}", {"reason": message})


class Part(BaseModel):
    """Anything in the file: unknown keys are errors, and nothing is changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def word_or(*mappings: str) -> Discriminator:
    """Tells a bare word from mappings known by their key, so that an error is reported once, for the form that was
    meant: a key that is none of these counts as the one most like it.
    """

    def tag(value: Any) -> str:
        keys = tuple(type(value).model_fields) if isinstance(value, BaseModel) else value
        if not isinstance(keys, tuple | Mapping):
            return "<word>"
        known = next((key for key in mappings if key in keys), None)
        near = (nearest_of(str(key), mappings) for key in keys)
        return f"<{known or next(filter(None, near), mappings[0])}>"

    return Discriminator(tag)
