"""Messages of one topic to changes of rows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from connectors.base import ColumnInfo
from connectors.kafka import events, forms
from connectors.kafka.errors import UnreadableError
from connectors.kafka.events import Event, Row
from connectors.kafka.forms import Convert, Form
from connectors.kafka.settings import Column, Table
from connectors.kafka.shapes import Shape
from connectors.kafka.wires import Datum, Wire
from schemas.messages import Change, Operation

MOST_PLANS = 1000
UNAVAILABLE = "__debezium_unavailable_value"
UNAVAILABLE_FORMS = (UNAVAILABLE, UNAVAILABLE.encode(), "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==")
MISSING = object()
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Message(Protocol):
    """A consumed record, as aiokafka gives it. `timestamp` is in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows of one schema are read: where each column stands (None: under its name) and its conversion; and the
    columns' fingerprint."""

    columns: Mapping[str, tuple[tuple[str, ...] | None, Convert]]
    forms: Mapping[str, Form]
    fingerprint: str


class Rows:
    """Reads the messages of a topic. `mapped` are the columns that must be in every row.

    `single` says that the topic has one partition: only then may messages be without a key.
    """

    def __init__(
        self,
        system: str,
        entity: str,
        table: Table,
        mapped: Sequence[str],
        key: Wire,
        value: Wire,
        single: bool = False,
    ) -> None:
        self._system, self._entity, self._table = system, entity, table
        self._mapped = frozenset(mapped)
        self._key_wire, self._value_wire = key, value
        self._single = single
        self._interpret = events.debezium if table.format.startswith("debezium") else events.plain
        self._plans: dict[Shape | None, Plan] = {}
        self._key_plans: dict[Shape | None, dict[str, Convert]] = {}
        self._deleted: dict[int, tuple[int, str]] = {}

    async def prepare(self, messages: Sequence[Message]) -> None:
        """Fetch the schemas of these. Raises UnreachableError and RefusedError."""
        await self._key_wire.prepare(message.key for message in messages)
        await self._value_wire.prepare(message.value for message in messages)

    def read(self, message: Message, incarnation: int, load: bool = False) -> Change | None:
        """The change that a message tells of; None for one that tells of none, or is to be left alone.

        `load`: it was there before capture began, and rows in it are op r. Raises UnreadableError.
        """
        if self._is_ours(message):
            return None
        event = self._event(message)
        if event is None:
            return None
        plan = self._plan(event.shape)
        local_id, values = self._identify(message, event)
        if event.op == "d":
            return self._deletion(message, event, local_id, incarnation, plan)
        after = self._image(event.after or {}, plan, values)
        operation: Operation = "r" if load else event.op
        before = self._before(event, plan)
        return self._change(message, event, operation, local_id, incarnation, plan, before, after)

    def columns(self, message: Message) -> tuple[tuple[ColumnInfo, ...], tuple[str, ...]]:
        """The columns and the key that a message of a row shows; nothing, if it shows none. Raises UnreadableError."""
        event = self._event(message)
        if event is None or (event.shape is None and not self._table.columns):
            return (), ()
        found = self._plan(event.shape).forms
        # Nothing is ever written here, so no column asks for a value.
        infos = tuple(ColumnInfo(name, form.type, values=form.values) for name, form in found.items())
        return infos, self._table.key or self._key_columns(self._key(message))

    def _event(self, message: Message) -> Event | None:
        return self._interpret(Datum(None) if message.value is None else self._value_wire.read(message.value))

    def _is_ours(self, message: Message) -> bool:
        origin = self._table.origin
        return origin is not None and any(
            name == origin.header and value.decode(errors="replace") in origin.ignore for name, value in message.headers
        )

    def _deletion(self, message: Message, event: Event, local_id: str, incarnation: int, plan: Plan) -> Change | None:
        """A delete. Its `before` may hold the key alone, which cannot be told: it is not passed on. The tombstone
        right behind it says the same again."""
        last = self._deleted.get(message.partition)
        if event.tombstone and last is not None and last[0] < message.offset and last[1] == local_id:
            del self._deleted[message.partition]
            return None
        if not event.tombstone:
            self._deleted[message.partition] = (message.offset, local_id)
        return self._change(message, event, "d", local_id, incarnation, plan, None, None)

    def _change(
        self,
        message: Message,
        event: Event,
        operation: Operation,
        local_id: str,
        incarnation: int,
        plan: Plan,
        before: str | None,
        after: str | None,
    ) -> Change:
        if operation != "d":
            self._deleted.pop(message.partition, None)
        return Change(
            system=self._system,
            entity=self._entity,
            table=self._table.name,
            incarnation=incarnation,
            seq=message.offset,
            op=operation,
            local_id=local_id,
            before=None if operation == "r" else before,
            after=after,
            types=plan.fingerprint,
            ts_us=max(0, message.timestamp * 1000 if event.ts_us is None else event.ts_us),
            transaction=event.transaction,
        )

    def _image(self, row: Row, plan: Plan, values: Mapping[str, Any]) -> str:
        """JSON text of a row. `values` are those of the key, where the row itself does not have them."""
        image: dict[str, Any] = {}
        for name, (path, convert) in plan.columns.items():
            found = row.get(name, MISSING) if path is None else _at(row, path)
            if found is None:
                image[name] = None
            elif found is MISSING or _is_unavailable(found):
                self._make_up(image, name, found, values)
            else:
                image[name] = _converted(name, convert, found)
        if not self._mapped <= image.keys():
            raise UnreadableError(f"column {min(self._mapped - image.keys())}, which is mapped, is not in it")
        return _encode(image).decode()

    def _make_up(self, image: dict[str, Any], name: str, found: Any, values: Mapping[str, Any]) -> None:
        """For a column that the row does not show: what the key says, or what its absence means."""
        if found is MISSING:
            found = values.get(name, None if self._table.absent_is_null else MISSING)
            if found is not MISSING:
                image[name] = found
        elif name in self._mapped:
            remedy = "have the table's whole rows sent (ALTER TABLE … REPLICA IDENTITY FULL)"
            raise UnreadableError(f"column {name}, which is mapped, was left out by the producer: {remedy}")

    def _before(self, event: Event, plan: Plan) -> str | None:
        try:
            return None if event.before is None else self._image(event.before, plan, {})
        except UnreadableError:
            # It is a courtesy to readers of the log; what is merged is the row after.
            return None

    def _identify(self, message: Message, event: Event) -> tuple[str, dict[str, Any]]:
        """The local id, and the values that it is made of. Raises UnreadableError."""
        key = self._key(message)
        wanted = self._table.key or self._key_columns(key)
        if not wanted:
            raise UnreadableError("it has no key, and the project file names no key columns")
        converters, row = self._key_plan(key.shape), event.after or event.before or {}
        values: dict[str, Any] = {}
        for name in wanted:
            found, convert = _key_part(key.value, name, len(wanted) == 1), converters.get(name)
            if found is MISSING:
                path, convert = self._plan(event.shape).columns.get(name, (None, None))
                found = _at(row, path or (name,))
            if found is MISSING or found is None:
                raise UnreadableError(f"key column {name} is neither in its key nor in its row")
            values[name] = _converted(name, convert, found) if convert is not None else self._scalar(key, name, found)
        return _encode(list(values.values())).decode(), values

    def _key(self, message: Message) -> Datum:
        if message.key is not None:
            try:
                return self._key_wire.read(message.key)
            except UnreadableError as error:
                raise UnreadableError(f"its key: {error.reason}") from error
        if not self._single:
            why = "messages of one row may be in several partitions then, and their order is lost"
            raise UnreadableError(f"it has no key: {why}")
        return Datum(None)

    def _key_columns(self, key: Datum) -> tuple[str, ...]:
        return tuple(map(str, key.value)) if isinstance(key.value, dict) else ()

    def _scalar(self, key: Datum, name: str, found: Any) -> Any:
        """A key value of which no type is known by name: alone in its message, or of no declared column."""
        if key.shape is not None and not key.shape.fields:
            return _converted(name, forms.converter(forms.of_shape(key.shape)), found)
        if isinstance(found, dict | list):
            raise UnreadableError(f"key column {name} is no plain value")
        return found

    def _key_plan(self, shape: Shape | None) -> dict[str, Convert]:
        found = self._key_plans.get(shape)
        if found is None:
            if len(self._key_plans) >= MOST_PLANS:
                self._key_plans.clear()
            fields = {} if shape is None else shape.fields
            found = {name: forms.converter(form) for name, form in self._forms(fields).items()}
            self._key_plans[shape] = found
        return found

    def _plan(self, shape: Shape | None) -> Plan:
        found = self._plans.get(shape)
        if found is None:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            found = self._plans[shape] = self._new_plan({} if shape is None else shape.fields)
        return found

    def _new_plan(self, fields: Mapping[str, Shape]) -> Plan:
        found = self._forms(fields)
        columns = {name: (self._path(name), forms.converter(form)) for name, form in found.items()}
        text = _encode({name: [form.type, form.encoding, form.scale] for name, form in found.items()})
        return Plan(columns, found, hashlib.sha256(text).hexdigest()[:16])

    def _forms(self, fields: Mapping[str, Shape]) -> dict[str, Form]:
        """The declared columns; where none is declared, those of the schema."""
        found = {name: forms.of_shape(shape) for name, shape in fields.items()}
        return {name: self._declared(one, found) for name, one in self._table.columns.items()} or found

    def _declared(self, column: Column, found: Mapping[str, Form]) -> Form:
        standard = {"bytea": "base64", "json": "json_text" if self._table.format.startswith("debezium") else "plain"}
        return forms.declared(column.type, column.encoding, found.get(column.path[0]), standard)

    def _path(self, name: str) -> tuple[str, ...] | None:
        column = self._table.columns.get(name)
        return None if column is None or column.path == (name,) else column.path


def _at(row: Row, path: tuple[str, ...]) -> Any:
    found: Any = row
    for step in path:
        if not isinstance(found, dict) or step not in found:
            return MISSING
        found = found[step]
    return found


def _key_part(key: Any, name: str, alone: bool) -> Any:
    if isinstance(key, dict):
        return key.get(name, MISSING)
    return MISSING if key is None or not alone else key


def _converted(name: str, convert: Convert, value: Any) -> Any:
    try:
        return convert(value)
    except UnreadableError as error:
        raise UnreadableError(f"column {name}: {error.reason}") from error


def _is_unavailable(value: Any) -> bool:
    """Whether a value stands for one that the producer did not send: too long to be logged with every change."""
    kind = type(value)
    if kind is str or kind is bytes:
        return value in UNAVAILABLE_FORMS
    if kind is list:
        return len(value) == 1 and type(value[0]) in (str, bytes) and value[0] in UNAVAILABLE_FORMS
    return kind is dict and UNAVAILABLE in value
