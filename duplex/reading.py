"""Messages of any of our topics, as values that can be shown."""

from typing import Any

import msgspec

from duplex import topics
from duplex.broker import Message
from duplex.epochs import Epochs, Known, golden_schemas
from schemas.codec import Codec
from schemas.deadletters import PREFIX
from schemas.errors import UndecodableError
from schemas.goldens import GoldenCodec
from schemas.project.model import Project
from streams.errors import StreamsError
from streams.merge import states
from streams.processors import changelogs

ROW_TEXTS = ("before", "after", "base", "set", "found", "left")


class Reader:
    """Decodes what our topics hold: messages of the contract, merge states, JSON; anything else is shown as it is.

    `applied` are the epochs of the entities: merged records written by earlier rules are read by them.
    """

    def __init__(self, project: Project, applied: Epochs | None = None) -> None:
        self._codec = Codec()
        names, known = topics.names(project), applied or {}
        self._golden = {
            names.golden(name): GoldenCodec(
                project.pipeline, name, entity, golden_schemas(project.pipeline, name, known.get(name, Known()))
            )
            for name, entity in project.entities.items()
        }

    def shown(self, message: Message) -> dict[str, Any]:
        """A message as a JSON-like value: its place, its key, what it says, and its headers if it has any."""
        kind, value = self.decoded(message)
        answer: dict[str, Any] = {
            "partition": message.partition,
            "offset": message.offset,
            "ts_ms": message.ts_ms,
            "key": None if message.key is None else message.key.decode(errors="replace"),
            "kind": kind,
            "value": value,
        }
        if message.headers:
            answer["headers"] = {name: value.decode(errors="replace") for name, value in message.headers}
        return answer

    def decoded(self, message: Message) -> tuple[str, Any]:
        """What kind of message it is, and what it says."""
        data = message.value
        if data is None:
            return "tombstone", None
        if any(name.startswith(PREFIX) for name, _ in message.headers):
            return "dead letter", _text(data)
        try:
            if (golden := self._golden.get(message.topic)) is not None:
                return "golden", msgspec.to_builtins(golden.decode(data))
            found = self._codec.decode(data)
            return type(found).__name__.lower(), opened(msgspec.to_builtins(found))
        except UndecodableError:
            return _other(message, data)


def _other(message: Message, data: bytes) -> tuple[str, Any]:
    if ".state." in message.topic:
        return _state(message, data)
    try:
        return "json", msgspec.json.decode(data)
    except msgspec.DecodeError:
        return "bytes", _text(data)


def _state(message: Message, data: bytes) -> tuple[str, Any]:
    try:
        stamp, content = changelogs.parse(changelogs.Entry(message.key or b"", data))
        if message.key == changelogs.MARK_KEY:
            return "mark", {"epoch": stamp.epoch, "positions": msgspec.json.decode(content or b"null")}
        return "state", {"epoch": stamp.epoch, **_by_name(states.decode(content or b""))}
    except (StreamsError, msgspec.DecodeError):
        return "bytes", _text(data)


def _by_name(value: Any) -> Any:
    """A struct that travels as an array, as an object with names."""
    if isinstance(value, msgspec.Struct):
        return {name: _by_name(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): _by_name(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_by_name(item) for item in value]
    return value


def opened(value: Any) -> Any:
    """The same value with row images, which travel as JSON text, opened."""
    if isinstance(value, dict):
        return {key: _row(item) if key in ROW_TEXTS else opened(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [opened(item) for item in value]
    return value


def _row(text: Any) -> Any:
    if not isinstance(text, str):
        return opened(text)
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.hex()
