"""Record logs with conflicts in them, merged by the real processor, and the messages that it published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from duplex.conflicts.book import Book, Entry
from schemas import deadletters
from schemas.codec import Codec
from schemas.messages import Change, Command, Conflict, Decision, Origin
from schemas.project.model import Project
from schemas.topics import Topics
from streams.mapping.rules import compile_rules
from streams.merge import states
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.processors.merging import MergeProcessor
from streams.processors.records import Output, Record, Rejected
from streams.processors.stores import PartitionStore

CODEC, TOPICS = Codec(), Topics("shop")
SYSTEMS = ("crm", "erp", "shop")
COLUMNS = {"id": "bigint", "email": "text", "phone": "text", "credit": "numeric(10,2)"}
RECORD = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
OTHER = "3fa85f64-9999-4562-b3fc-2c963f66afa6"
MANUAL = {"policy": "manual"}
START_US = 1_790_000_000_000_000


def project(on_delete: Mapping[str, Any] = MANUAL) -> Project:
    """Contacts in three systems; phone and credit are left to a person."""
    fields = {
        "email": {"type": "string"},
        "phone": {"type": "string", "on_conflict": "manual"},
        "credit": {"type": "decimal", "on_conflict": "manual"},
    }
    held = {"table": "public.contacts", "map": {name: name for name in fields}}
    return Project.model_validate(
        {
            "pipeline": "shop",
            "kafka": {"bootstrap": "127.0.0.1:1"},
            "systems": {system: {"connector": "memory"} for system in SYSTEMS},
            "entities": {
                "contact": {
                    "identity": {"match": ["email"]},
                    "fields": fields,
                    "on_delete": dict(on_delete),
                    "systems": dict.fromkeys(SYSTEMS, held),
                }
            },
        }
    )


def rules(made: Project) -> Rules:
    return compile_rules("contact", made.entities["contact"], dict.fromkeys(SYSTEMS, COLUMNS))


@dataclass
class Scene:
    """One partition of a record log. A sink carries every command out at once, unless `answering` is off."""

    on_delete: Mapping[str, Any] = field(default_factory=lambda: MANUAL)
    answering: bool = True
    store: PartitionStore = field(default_factory=PartitionStore)
    conflicts: list[bytes] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    waiting: list[Command] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    rows: dict[tuple[str, str], dict[str, Any] | None] = field(default_factory=dict)
    offset: int = 0

    def __post_init__(self) -> None:
        self.project = project(self.on_delete)
        self.rules = rules(self.project)
        self.processor = MergeProcessor(TOPICS, self.project.entities["contact"], self.rules, CODEC)
        for system in SYSTEMS:
            self.add(self._change(system, "l", None), None)

    def add(self, message: msgspec.Struct, key: bytes | None) -> int:
        """Append a message to the log; its offset."""
        offset, self.offset = self.offset, self.offset + 1
        record = Record("shop.records.contact", 0, offset, key, CODEC.encode(message), START_US // 1000 + offset)
        made: list[Command] = []
        for result in self.processor.apply([record], self.store):
            if isinstance(result, Rejected):
                self.rejected.append(result)
            elif isinstance(result, Output) and result.topic == TOPICS.conflicts:
                self.conflicts.append(result.value or b"")
            elif isinstance(result, Output) and ".commands." in result.topic:
                made.append(CODEC.decode_as(result.value or b"", Command))
        self.commands += made
        if not self.answering:
            self.waiting += made
            return offset
        for command in made:
            self.answer(command)
        return offset

    def edit(self, system: str, record_id: str = RECORD, **values: Any) -> int:
        """A user writes these columns."""
        known = self.rows.get((system, record_id))
        row = {**(known or dict.fromkeys(COLUMNS) | {"id": 1}), **values}
        self.rows[system, record_id] = row
        return self.add(self._change(system, "u" if known else "c", row), record_id.encode())

    def delete(self, system: str, record_id: str = RECORD) -> int:
        """A user deletes the row."""
        self.rows[system, record_id] = None
        return self.add(self._change(system, "d", None), record_id.encode())

    def answer(self, command: Command) -> None:
        """The sink carries a command out as far as the row is what the command says, and leaves its echo."""
        place = command.system, command.record_id
        row = self.rows.get(place)
        for unit in command.units:
            base, wanted = _row(unit.base), _row(unit.set)
            if base is None or wanted is None:
                row = None if wanted is None else {**dict.fromkeys(COLUMNS), "id": 1, **wanted}
            elif row is not None and all(row[name] == value for name, value in base.items()):
                row = row | wanted
        self.rows[place] = row
        origin = Origin(command=command.id, record_id=command.record_id, hop=command.hop)
        self.add(self._change(command.system, command.op, row, origin), command.record_id.encode())

    def answer_all(self) -> None:
        """From now on commands are carried out, those that are out first."""
        self.answering, waiting, self.waiting = True, self.waiting, []
        for command in waiting:
            self.answer(command)

    def park_phone(self, record_id: str = RECORD) -> None:
        """crm's phone is in force, erp's is parked; shop shows crm's."""
        self.edit("crm", record_id, email=f"{record_id[9]}@example.com", phone="1")
        self.answering = False
        self.edit("crm", record_id, phone="2")
        self.edit("erp", record_id, phone="3")
        self.answer_all()

    def decide(self, made: Decision) -> int:
        return self.add(made, made.record_id.encode())

    def _change(self, system: str, op: Any, row: dict[str, Any] | None, origin: Origin | None = None) -> Change:
        return Change(
            system=system, entity="contact", table="public.contacts", incarnation=1, seq=self.offset, op=op,
            local_id="[1]", after=None if row is None else msgspec.json.encode(row).decode(),
            ts_us=START_US + self.offset, origin=origin,
        )  # fmt: skip

    @property
    def book(self) -> Book:
        read = Book(CODEC)
        read.take_all(self.conflicts)
        return read

    @property
    def open(self) -> list[Entry]:
        return [entry for entry in self.book if entry.open]

    def past(self, entry: Entry) -> list[Conflict]:
        decoded = [CODEC.decode_as(value, Conflict) for value in self.conflicts]
        return [conflict for conflict in decoded if conflict.id == entry.id]

    def state(self, record_id: str = RECORD) -> State:
        return states.decode(self.store.get(record_id.encode()) or b"")

    def value(self, name: str, record_id: str = RECORD) -> Any:
        return self.state(record_id).fields[name].value


def _row(text: str | None) -> dict[str, Any] | None:
    return None if text is None else msgspec.json.decode(text)


def dead_letter(rejected: Rejected) -> deadletters.Headers:
    """The headers with which a rejected record goes to the dead letters."""
    record = rejected.record
    failure = deadletters.Failure(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        stage=rejected.stage,
        component="merge.contact",
        error_class=rejected.error_class,
        message=rejected.message,
    )
    return deadletters.headers(failure, [], now_ms=0)


def conflict(number: int = 1, **more: Any) -> Conflict:
    """A parked phone of a record, with what a test says otherwise."""
    from schemas.messages import Side

    sides = {
        "current": Side(system="crm", value='"2"', ts_us=START_US),
        "incoming": Side(system="erp", value='"3"', ts_us=START_US),
    }
    names = {"entity": "contact", "field": "phone", "kind": "value", "rule": "manual", "winner": "parked"}
    place = {"record_id": RECORD, "partition": 0, "offset": 9, "ts_us": START_US, "version": 4}
    told = names | sides | place | more
    return Conflict(**({"id": f"{told['record_id']}/{number}"} | told))
