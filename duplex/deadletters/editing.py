"""A message as JSON that a person can edit, and back. Row images keep every digit: they are never read as numbers."""

from typing import Any

import msgspec

from duplex.deadletters.errors import EditError
from duplex.reading import ROW_TEXTS
from schemas.codec import Codec
from schemas.errors import UndecodableError

FIXED = ("system", "entity", "table", "incarnation", "seq", "local_id", "before_id", "record_id", "partition", "offset")
"""What says which message it is, and of which row: another would be somebody else's message."""


class Draft:
    """A message of ours as `text`, indented JSON with row images opened. Raises EditError for bytes that are none."""

    def __init__(self, name: str, value: bytes | None) -> None:
        self._codec, self._name = Codec(), name
        try:
            self._message = self._codec.decode(value or b"")
        except UndecodableError as error:
            why = f"its bytes are no message of ours ({error})"
            raise EditError(name, why, f"`duplex deadletters drop {name}` puts it away.") from error
        self._plain = msgspec.to_builtins(self._message)
        raw = msgspec.json.encode(_opened(self._plain))
        self.text = msgspec.json.format(raw, indent=2).decode() + "\n"

    def encoded(self, text: str) -> bytes:
        """The bytes of the edited message. Raises EditError, which names the field."""
        try:
            closed = _closed(msgspec.Raw(text.encode()), self._plain)
            made = msgspec.convert(closed, type(self._message))
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise EditError(self._name, str(error), "Give the field a value of its own type, as JSON.") from error
        self._refuse(closed, msgspec.to_builtins(made))
        return self._codec.encode(made)

    def _refuse(self, closed: dict[str, Any], made: dict[str, Any]) -> None:
        if unknown := _unknown(closed, made):
            raise EditError(self._name, f"there is no field {unknown}", f"There are {', '.join(made)}.")
        if moved := [name for name in FIXED if made.get(name) != self._plain.get(name)]:
            why = f"{moved[0]} says which message this is"
            raise EditError(self._name, why, "Leave it as it is, or drop the letter.")
        if made == self._plain:
            raise EditError(self._name, "nothing was changed", "Send it again as it is, without --edit or --set.")


def assigned(text: str, assignment: str) -> str:
    """A draft's text with `path=value` done in it: `after.phone="+44 20"`, `units.0.set.tel=null`. Raises EditError."""
    path, equals, value = assignment.partition("=")
    try:
        new = msgspec.json.decode(value, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        why = "a path, =, and a value as JSON are expected" if equals else "it has no ="
        raise EditError(f"--set {assignment}", why, "For example --set 'after.phone=\"+44 20\"'.") from error
    return bytes(_put(msgspec.Raw(text.encode()), path.split("."), new, assignment)).decode()


def _put(raw: msgspec.Raw, path: list[str], new: msgspec.Raw, assignment: str) -> msgspec.Raw:
    if not path:
        return new
    found = _parts(raw)
    step: Any = int(path[0]) if isinstance(found, list) and path[0].isdecimal() else path[0]
    inside = step in found if isinstance(found, dict) else isinstance(step, int) and step < len(found or ())
    if not inside or found is None:
        having = ", ".join(found) if isinstance(found, dict) else "nothing by a name"
        remedy = f"There is {having}; --edit can add what is missing."
        raise EditError(f"--set {assignment}", f"there is no {path[0]}", remedy)
    found[step] = _put(found[step], path[1:], new, assignment)
    return msgspec.Raw(msgspec.json.encode(found))


def _parts(raw: msgspec.Raw) -> Any:
    """The members of an object or the items of a list, unread; None for anything else."""
    start = bytes(raw).lstrip()[:1]
    if start == b"{":
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return msgspec.json.decode(raw, type=list[msgspec.Raw]) if start == b"[" else None


def _opened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _image(item) if name in ROW_TEXTS else _opened(item) for name, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list | tuple) else value


def _image(text: Any) -> Any:
    """A row image's own text, untouched; one that is no JSON object stays a string."""
    if not isinstance(text, str):
        return text
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return text
    return msgspec.Raw(text.encode())


def _closed(raw: msgspec.Raw, before: Any, name: str = "") -> Any:
    """The value of edited JSON, with row images as text again: the text they had where nothing in them was changed."""
    found = _parts(raw)
    if name in ROW_TEXTS and isinstance(found, dict):
        return _text(raw, before)
    if isinstance(found, dict):
        known = before if isinstance(before, dict) else {}
        return {key: _closed(item, known.get(key), key) for key, item in found.items()}
    if isinstance(found, list):
        known_items = list(before) if isinstance(before, list | tuple) else []
        known_items += [None] * (len(found) - len(known_items))
        return [_closed(item, old) for item, old in zip(found, known_items, strict=False)]
    return msgspec.json.decode(raw)


def _text(raw: msgspec.Raw, before: Any) -> str:
    compact = msgspec.json.format(bytes(raw), indent=-1)
    same = isinstance(before, str) and isinstance(_image(before), msgspec.Raw)
    if same and msgspec.json.format(before.encode(), indent=-1) == compact:
        return str(before)
    return compact.decode()


def _unknown(given: Any, made: Any) -> str | None:
    """The first name in what was given that the message does not have."""
    if isinstance(given, dict) and isinstance(made, dict):
        for name, item in given.items():
            if name not in made:
                return str(name)
            if (found := _unknown(item, made[name])) is not None:
                return found
    if isinstance(given, list) and isinstance(made, list | tuple):
        return next((found for one in zip(given, made, strict=False) if (found := _unknown(*one))), None)
    return None
