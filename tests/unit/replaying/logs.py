"""A record log in memory: two systems, whose sinks carry out at once what the merge wants."""

from typing import Any

import msgspec

from schemas.codec import Codec
from schemas.messages import Change, Command, Decision, Origin
from schemas.project.model import Entity
from schemas.topics import Topics
from streams.mapping.rules import compile_rules
from streams.processors.merging import MergeProcessor
from streams.processors.records import Output, Record, Rejected
from streams.processors.stores import PartitionStore

CODEC, TOPICS = Codec(), Topics("shop")
COLUMNS = {
    "crm": {"id": "bigint", "name": "text", "phone": "text", "note": "text"},
    "erp": {"id": "bigint", "name": "text", "phone": "text", "note": "text"},
}
MAP = {"name": "name", "phone": "phone"}


def entity(phone: Any = "newest", **more: str) -> Entity:
    """Names and phones of both systems; `more` are further fields, each with its column in crm."""
    fields = {"name": {"type": "string"}, "phone": {"type": "string", "on_conflict": phone}}
    return Entity.model_validate(
        {
            "identity": "key",
            "fields": {**fields, **{name: {"type": "string"} for name in more}},
            "systems": {
                "crm": {"table": "public.contacts", "map": {**MAP, **more}},
                "erp": {"table": "public.customers", "map": MAP},
            },
        }
    )


def processor(made: Entity) -> MergeProcessor:
    """The production processor of such an entity."""
    return MergeProcessor(TOPICS, made, compile_rules("contact", made, COLUMNS), CODEC)


class Log:
    """The record log of one partition, as it grows under the true rules."""

    def __init__(self, made: Entity) -> None:
        self.processor, self.store = processor(made), PartitionStore()
        self.records: list[Record] = []
        self.rejected: list[Rejected] = []
        self.sequence = 0
        self.rows: dict[tuple[str, bytes], dict[str, Any]] = {}
        self.waiting: list[Command] = []
        for system in COLUMNS:
            self.add(self.change(system, "l", None), None)

    def add(self, message: msgspec.Struct, key: bytes | None = b"R") -> list[Command]:
        """Append a message and merge it; the commands that come of it."""
        offset = len(self.records)
        record = Record("shop.records.contact", 0, offset, key, CODEC.encode(message), 1000 + offset)
        self.records.append(record)
        results = self.processor.apply([record], self.store)
        self.rejected += [each for each in results if isinstance(each, Rejected)]
        made = [each.value for each in results if isinstance(each, Output) and ".commands." in each.topic]
        commands = [CODEC.decode_as(value, Command) for value in made if value is not None]
        self.waiting += commands
        return commands

    def change(self, system: str, op: str, row: dict[str, Any] | None, **more: Any) -> Change:
        self.sequence += 1
        image = None if row is None else msgspec.json.encode(row).decode()
        names = {"system": system, "entity": "contact", "table": "t", "incarnation": 1, "local_id": "[1]"}
        place = {"seq": self.sequence, "op": op, "after": image, "ts_us": 1_000_000 + self.sequence}
        return Change(**(names | place | more))

    def edit(self, system: str, key: bytes = b"R", **values: Any) -> None:
        """A user writes a row."""
        row = {"id": 1, "name": "Ada", "phone": "1", "note": ""} | self.rows.get((system, key), {}) | values
        op = "u" if (system, key) in self.rows else "c"
        self.rows[system, key] = row
        self.add(self.change(system, op, row), key)

    def delete(self, system: str, key: bytes = b"R") -> None:
        """A user deletes a row."""
        del self.rows[system, key]
        self.add(self.change(system, "d", None), key)

    def serve(self) -> None:
        """The sinks carry out what waits, and what follows from that."""
        while self.waiting:
            command = self.waiting.pop(0)
            key = command.record_id.encode()
            row: dict[str, Any] | None = dict(self.rows.get((command.system, key), {"id": 1, "note": ""}))
            for unit in command.units:
                base = None if unit.base is None else msgspec.json.decode(unit.base)
                if unit.set is None:
                    row = None
                elif row is not None and (base is None or all(row.get(name) == base[name] for name in base)):
                    row |= msgspec.json.decode(unit.set)
            if row is None:
                self.rows.pop((command.system, key), None)
            else:
                self.rows[command.system, key] = row
            origin = Origin(command=command.id, record_id=command.record_id, hop=1)
            self.add(self.change(command.system, command.op, row, origin=origin), key)

    def clash(self, key: bytes = b"R") -> None:
        """Both edit the phone out of sight of each other; the later edit is erp's."""
        self.edit("crm", key)
        self.serve()
        self.edit("crm", key, phone="crm's")
        self.edit("erp", key, phone="erp's")
        self.serve()

    def decide(self, item: str, candidate: str, version: int, value: str) -> None:
        """An operator decides."""
        texts = {
            name: msgspec.json.encode(text).decode() for name, text in (("candidate", candidate), ("value", value))
        }
        self.add(
            Decision(record_id="R", entity="contact", item=item, version=version, decided_by="me", ts_us=9, **texts)
        )
