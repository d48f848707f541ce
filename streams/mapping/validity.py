"""Checks at the border: what a field must be to be taken from a system at all."""

import re
from collections.abc import Callable
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from schemas.project.model import FieldRule
from streams.errors import InvalidValueError
from streams.merge.values import Value

Validate = Callable[[Value], None]

_PHONE = re.compile(r"^(?:\+|00)?[\d\s()./-]+(?:\s*(?:x|ext\.?)\s*\d{1,6})?$", re.IGNORECASE)
_DIGITS_MIN, _DIGITS_MAX = 5, 15


def validator(rule: FieldRule) -> Validate | None:
    """What raises InvalidValueError for a value that this field does not take; None if it takes every value."""
    steps: list[Validate] = [_required] if rule.required else []
    if rule.check is not None:
        steps.append({"email": _email, "phone": _phone}[rule.check])
    if not steps:
        return None

    def validate(value: Value) -> None:
        for step in steps:
            step(value)

    return validate


def _required(value: Value) -> None:
    parts = value if isinstance(value, tuple) else (value,)
    if all(part is None or (isinstance(part, str) and not part.strip()) for part in parts):
        raise InvalidValueError("nothing", "is there, and the field is required")


def _email(value: Value) -> None:
    reason = None if value is None else _email_fault(str(value))
    if reason is not None:
        raise InvalidValueError(repr(value), f"is no e-mail address: {reason}")


@lru_cache(maxsize=65_536)
def _email_fault(text: str) -> str | None:
    try:
        # Only the form is judged: names like corp.internal are real addresses in somebody's network.
        found = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        return str(error).rstrip(".")
    return None if "." in found.domain else "its domain has no dot"


def _phone(value: Value) -> None:
    if value is None:
        return
    text = str(value).strip()
    number = re.split(r"x|ext", text, maxsplit=1, flags=re.IGNORECASE)[0]
    digits = sum(character.isdigit() for character in number)
    if not _PHONE.match(text) or not _DIGITS_MIN <= digits <= _DIGITS_MAX:
        raise InvalidValueError(repr(value), f"is no phone number: {_DIGITS_MIN} to {_DIGITS_MAX} digits, + ( ) . / -")
