"""The real merge processor on recorded events, beside a loop that lets the newest record win.

The events are recorded once: random edits of records with ten fields in every system, and the echoes that the
commands of the merge itself would leave. Both then get the same bytes, decode them, load and store their state as
bytes, and encode what is to be sent. Pure computing: no Kafka, no database.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, in_turns
from schemas.codec import Codec
from schemas.identifiers import command_id
from schemas.messages import Change, Command, Origin, Unit
from schemas.project.model import Entity
from schemas.topics import Topics
from streams.mapping.rules import compile_rules
from streams.processors.merging import MergeProcessor
from streams.processors.records import Output, Record
from streams.processors.stores import PartitionStore, Store

TITLE = "merge: the real processor's apply on recorded events, 10 fields (one process, no I/O)"
BASELINE = "newest record wins"
TYPES = {
    "email": "text", "name": "text", "phone": "text", "status": "text", "credit": "numeric(12,2)", "birthday": "date",
    "street": "text", "city": "text", "zip": "text", "changed": "timestamp with time zone",
}  # fmt: skip
FIELDS = {"credit": "decimal", "birthday": "date", "changed": "datetime"}
TOPICS = Topics("bench")
BATCH = 1000
Apply = Callable[[Sequence[Record], Store], Sequence[Any]]


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """Two systems and five, each way in turn on the same events."""
    samples = []
    for count in (2, 5):
        systems = ("crm", "erp", "shop", "desk", "mail")[:count]
        # An edit leads to a command and an echo for every other system.
        records = recorded(systems, scale.of(500, 50), scale.of(8_000, 400) // count)
        ways: dict[str, Callable[[], Apply]] = {
            BASELINE: lambda systems=systems: Newest(systems).apply,  # type: ignore[misc]
            "our merge": lambda systems=systems: processor(systems).apply,  # type: ignore[misc]
        }
        samples += [
            _measured(f"{count} systems", variant, ways[variant](), records, number)
            for number, variant in in_turns(scale.rounds, tuple(ways))
        ]
    return samples


def _measured(case: str, variant: str, apply: Apply, records: Sequence[Record], number: int) -> Sample:
    store, sent = PartitionStore(), 0
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(records), BATCH):
        sent += len(apply(records[start : start + BATCH], store))
        store.changes()
        store.settle()
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    sizes = [len(value) for _, value in store.items()]
    more = {"state bytes per record": sum(sizes) / len(sizes), "messages per event": sent / len(records)}
    shares = {"process": cpu_s * 1e6 / len(records)}
    return Sample(
        case=case, variant=variant, round=number, events=len(records), wall_s=wall_s, cpu_us=shares, more=more
    )


def entity(systems: Sequence[str]) -> Entity:
    """Ten fields, each in a column of its own name, in every system."""
    fields = {name: {"type": FIELDS.get(name, "string")} for name in TYPES}
    held = {system: {"table": "contact", "map": {name: name for name in TYPES}} for system in systems}
    return Entity.model_validate({"identity": "key", "fields": fields, "systems": held})


def processor(systems: Sequence[str]) -> MergeProcessor:
    """The merge as `duplex run` hosts it."""
    made = entity(systems)
    columns = {system: {"id": "bigint", **TYPES} for system in systems}
    return MergeProcessor(TOPICS, made, compile_rules("contact", made, columns), Codec())


def recorded(systems: Sequence[str], records: int, edits: int) -> list[Record]:
    """The record log of one partition: every row read once by the load, then edits, and the echoes of each."""
    log = Log(systems)
    for number in range(records):
        for system in systems:
            log.write(system, number, "r", None)
    for system in systems:
        log.end_load(system)
    chance = random.Random(7)
    for edit in range(edits):
        log.edit(chance.choice(systems), chance.randrange(records), chance, edit)
    return log.records


@dataclass(slots=True)
class Log:
    """Plays the sources and the sinks of several systems, which carry out every command at once."""

    systems: Sequence[str]
    records: list[Record] = field(default_factory=list)
    rows: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    store: PartitionStore = field(default_factory=PartitionStore)
    codec: Codec = field(default_factory=Codec)
    merge: Any = None

    def __post_init__(self) -> None:
        self.merge = processor(self.systems)

    def edit(self, system: str, number: int, chance: random.Random, edit: int) -> None:
        """A user changes two columns of a row."""
        before = dict(self.rows[system, number])
        row = self.rows[system, number]
        for name in chance.sample(("name", "phone", "status", "street", "city", "zip"), 2):
            row[name] = f"{name} {edit}"
        self.write(system, number, "u", before)

    def write(self, system: str, number: int, op: Any, before: Any, origin: Origin | None = None) -> None:
        """An entry of a system's log; whatever the merge answers is carried out."""
        row = self.rows.setdefault((system, number), _row(number))
        image = self._change(system, op, f"[{number}]", before and _text(before), _text(row), origin)
        for output in self._applied(f"record-{number}".encode(), image):
            if output.topic.startswith("bench.commands."):
                self._carry_out(self.codec.decode_as(output.value or b"", Command), number)

    def end_load(self, system: str) -> None:
        self._applied(None, self._change(system, "l", "", None, None, None))

    def _carry_out(self, command: Command, number: int) -> None:
        before = dict(self.rows[command.system, number])
        for unit in command.units:
            base, wanted = msgspec.json.decode(unit.base or "{}"), msgspec.json.decode(unit.set or "{}")
            if all(before[name] == value for name, value in base.items()):
                self.rows[command.system, number] |= wanted
        origin = Origin(command=command.id, record_id=command.record_id, hop=command.hop)
        self.write(command.system, number, "u", before, origin)

    def _change(
        self, system: str, op: Any, local_id: str, before: str | None, after: str | None, origin: Origin | None
    ) -> Change:
        number = len(self.records)
        return Change(
            system=system, entity="contact", table="public.contact", incarnation=1, seq=number, op=op,
            local_id=local_id, before=before, after=after, types="t", ts_us=1_790_000_000_000_000 + number,
            transaction=number, origin=origin,
        )  # fmt: skip

    def _applied(self, key: bytes | None, change: Change) -> list[Output]:
        number = len(self.records)
        record = Record(
            TOPICS.records("contact"), 0, number, key, self.codec.encode(change), 1_790_000_000_000 + number
        )
        self.records.append(record)
        outputs: list[Output] = self.merge.apply([record], self.store)
        return outputs


def _row(number: int) -> dict[str, Any]:
    return {
        "id": number, "email": f"ada.{number}@example.com", "name": f"Ada Archer {number}", "phone": f"+1 555 {number}",
        "status": "active", "credit": 100.25, "birthday": "1990-05-17", "street": f"{number} Mill Lane",
        "city": "York", "zip": "YO1 7HX", "changed": "2026-01-02T03:04:05.123456+00:00",
    }  # fmt: skip


def _text(row: Any) -> str:
    return msgspec.json.encode(row).decode()


class Newest:
    """What many pipelines do: the record written last is the record, and goes to everybody else whole."""

    def __init__(self, systems: Sequence[str]) -> None:
        self._systems = systems
        self._codec = Codec()

    def apply(self, records: Sequence[Record], store: Store) -> list[Output]:
        return [output for record in records for output in self._one(record, store)]

    def _one(self, record: Record, store: Store) -> list[Output]:
        change = self._codec.decode_as(record.value or b"", Change)
        if record.key is None or change.after is None:
            return []
        row, known = msgspec.json.decode(change.after), store.get(record.key)
        state: dict[str, Any] = msgspec.msgpack.decode(known) if known else {"ts": -1, "row": None}
        if change.ts_us <= state["ts"] or change.origin is not None:
            return []
        store.put(record.key, msgspec.msgpack.encode({"ts": change.ts_us, "row": row}))
        others = [system for system in self._systems if system != change.system] if change.op == "u" else []
        return [self._output(record, change, system, state["row"], row) for system in others]

    def _output(self, record: Record, change: Change, system: str, base: Any, row: Any) -> Output:
        name = (record.key or b"").decode()
        command = Command(
            id=command_id(name, system, record.offset), record_id=name, entity="contact", system=system,
            number=record.offset, op="u", local_id=change.local_id, units=(Unit(base=_text(base), set=_text(row)),),
            partition=0, offset=record.offset, hop=1, ts_us=change.ts_us,
        )  # fmt: skip
        return Output(TOPICS.commands(system), record.key, self._codec.encode(command), 0, cause=record)
