"""The processors of this world: identity as in production, and each record's merge, over topics in memory.

Links and claims are the processors themselves, with the state of one partition. The record log has two partitions, in
whose order the hubs of the records work; a crash between the outputs and the state makes a batch come again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import msgspec

from schemas.identifiers import command_id, row_key
from schemas.messages import Change, Command, Conflict, Loaded, Result, Unit
from schemas.topics import Topics
from streams.identity.claims import ClaimsProcessor
from streams.identity.links import LinksProcessor
from streams.merge.events import Nudged, Planned
from streams.merge.rules import Rules
from streams.merge.values import Row
from streams.processors.records import Decided, Output
from streams.processors.records import Record as Message
from streams.processors.stores import PartitionStore
from tests.simulation.applications.brokers import Topic
from tests.simulation.applications.draws import KEY
from tests.simulation.applications.records import CODEC, ENTITY, Record, natural_key
from tests.simulation.applications.rows import ThingRow
from tests.simulation.applications.servers import Application
from tests.simulation.chances import Chance
from tests.simulation.hubs import Input

PARTITIONS = 2
_encode = msgspec.json.Encoder().encode
Processor = LinksProcessor | ClaimsProcessor
Happens = Callable[[], bool]


@dataclass
class Reading:
    """How far a processor has read each of its topics."""

    processor: Processor
    inputs: Mapping[str, Topic]
    store: PartitionStore = field(default_factory=PartitionStore)
    positions: dict[str, int] = field(default_factory=dict)

    def waiting(self) -> list[str]:
        """Topics with something to read."""
        return [name for name, topic in self.inputs.items() if self.positions.get(name, 0) < len(topic.records)]


class Pipeline:
    """See the module's text. `complaints` are what should never be: a record nobody made, a message set aside."""

    def __init__(
        self, systems: Sequence[str], records: Sequence[Record], applications: Mapping[str, Application], chance: Chance
    ) -> None:
        self.records = {record.id: record for record in records}
        self.applications = applications
        self.chance = chance
        self.topics = Topics("t", PARTITIONS)
        names = [self.topics.changes(system, ENTITY) for system in systems]
        self.changes = {name: Topic() for name in names}
        self.links, self.claims = Topic(), Topic()
        links = LinksProcessor(self.topics, ENTITY, systems, _natural_key, codec=CODEC)
        claims = ClaimsProcessor(self.topics, ENTITY, CODEC)
        self.readings = [
            Reading(links, {self.topics.links(ENTITY): self.links, **self.changes}),
            Reading(claims, {self.topics.claims(ENTITY): self.claims}),
        ]
        self.logs: list[list[tuple[Record, int]]] = [[] for _ in range(PARTITIONS)]
        self.merged = [0] * PARTITIONS
        self.loading = [frozenset(systems)] * PARTITIONS
        self.commands = {(system, at): Topic() for system in systems for at in range(PARTITIONS)}
        self.planned: dict[str, Planned] = {}
        self.conflicts: list[Conflict] = []
        self.complaints: list[str] = []
        self.crashes = 0
        self.news = asyncio.Event()
        self.guesses = 0
        for record in records:
            record.hub.on_append = self._logger(record)

    def _logger(self, record: Record) -> Callable[[int], None]:
        log = self.logs[partition_of(record)]

        def append(place: int) -> None:
            log.append((record, place))
            self.news.set()

        return append

    # --- what comes in

    def publish(self, messages: Sequence[Change | Result]) -> None:
        """Changes and answers, as they arrive."""
        for message in messages:
            self._publish(message)
        self.news.set()

    def _publish(self, message: Change | Result) -> None:
        if isinstance(message, Result) and message.local_id is None:
            self._forward(message.record_id, message)
            return
        name = self.topics.changes(message.system, ENTITY)
        topic = self.changes[name]
        key = row_key(message.system, message.local_id or "")
        topic.append(Message(name, 0, len(topic.records), key, CODEC.encode(message), 0))

    # --- identity

    def identify(self, crashes: Happens) -> bool:
        """Let one of the identity processors read a few messages. Returns whether there were any."""
        ready = [(reading, name) for reading in self.readings for name in reading.waiting()]
        if not ready:
            return False
        reading, name = self.chance.choice(ready)
        begin = reading.positions.get(name, 0)
        batch = reading.inputs[name].records[begin : begin + self.chance.randint(1, 5)]
        for one in reading.processor.apply(batch, reading.store):
            self._route(one)
        if crashes():
            self.crashes += 1
            reading.store.rollback()
            return True
        reading.store.settle()
        reading.positions[name] = begin + len(batch)
        return True

    def _route(self, decided: Decided) -> None:
        if not isinstance(decided, Output):
            self.complaints.append(f"IDENTITY: a message was set aside: {decided.message}")
            return
        if decided.topic == self.topics.records(ENTITY):
            message = CODEC.decode(decided.value or b"")
            if isinstance(message, Loaded):
                self._loaded(message.system, int(decided.partition or 0))
            else:
                self._forward((decided.key or b"").decode(), message)
            return
        if decided.topic == self.topics.conflicts:
            self.conflicts.append(CODEC.decode_as(decided.value or b"", Conflict))
            return
        topic = self.links if decided.topic == self.topics.links(ENTITY) else self.claims
        topic.append(Message(decided.topic, 0, len(topic.records), decided.key, decided.value, 0))

    def _forward(self, record_id: str, message: Any) -> None:
        """A message comes into the log of its record."""
        record = self.records.get(record_id)
        if record is None:
            self.complaints.append(f"ONCE: a record was made that nobody made: {message}")
        elif isinstance(message, Result):
            found = self._place(record, message.system, message.local_id, message.found_order, message.found)
            left = self._place(record, message.system, message.local_id, message.left_order, message.left)
            if self.planned[message.command].op == "c" and message.local_id and message.left:
                # A row that was made earlier is told as it was made, at the number of a look that saw what came of it.
                row = record.tables[message.system]
                assert isinstance(row, ThingRow)
                left = _alike(row, message.local_id, message.left, left) or left
            record.hub.append(record.answer(message, found, left, self.planned[message.command]))
        elif message.incarnation == 0:
            place = self._place(record, message.system, message.local_id, message.seq, message.after)
            if message.op == "d" and _is_invented(record, message):
                self.complaints.append(
                    f"INVENTED: row {message.local_id} of {message.system} was told gone, and never was"
                )
            record.hub.append(record.look(message, place))
        else:
            record.hub.append(record.change(message))

    def _place(self, record: Record, system: str, local_id: str | None, order: int, image: str | None) -> int:
        """Which place of a row's history was seen."""
        row = record.tables[system]
        assert isinstance(row, ThingRow)
        if local_id is None:
            # A create that made nothing has seen no row.
            return 0
        if image is None:
            return row.ends.get(local_id) or max(0, row.begins.get(local_id, 1) - 1)
        found = row.places.get((local_id, order)) if self.applications[system].nature.versioned else None
        if found is None:
            found = self.applications[system].sights.get((order, local_id))
        if found is None:
            self.guesses += 1
            return _alike(row, local_id, image, len(row.log)) or row.begins.get(local_id, 0)
        return found

    # --- the merge

    def _loaded(self, system: str, partition: int) -> None:
        """From here on a system may be told things; whoever waited for that is nudged."""
        if system not in self.loading[partition]:
            return
        self.loading[partition] -= {system}
        for record in self.records.values():
            if partition_of(record) == partition:
                record.hub.append(Input(None, rules=loading(record.hub.rules, self.loading[partition])))
                record.hub.append(Input(Nudged(reason="loaded", at_us=record.now)))

    def merge(self, crashes: Happens) -> bool:
        """Let the hubs of one partition merge a few messages. Returns whether there were any."""
        ready = [at for at in range(PARTITIONS) if self.merged[at] < len(self.logs[at])]
        if not ready:
            return False
        at = self.chance.choice(ready)
        begin = self.merged[at]
        batch = self.logs[at][begin : begin + self.chance.randint(1, 6)]
        crash = crashes()
        offsets = {(record.id, place): begin + n for n, (record, place) in enumerate(batch)}
        sent: list[Command] = []
        for record in dict.fromkeys(record for record, _ in batch):
            count = sum(one is record for one, _ in batch)
            record.hub.work(count, record.now, lambda: crash)
            sent += self._commands(record, at, offsets)
        for command in sorted(sent, key=lambda one: one.offset):
            self.commands[command.system, at].append(_message(command, self.commands[command.system, at]))
        if crash:
            self.crashes += 1
        else:
            self.merged[at] += len(batch)
        return True

    def _commands(self, record: Record, partition: int, offsets: Mapping[tuple[str, int], int]) -> list[Command]:
        queues, record.hub.queues = record.hub.queues, {}
        found = []
        for offset, planned in (one for queue in queues.values() for one in queue):
            command = _command(record, planned, partition, offsets[record.id, offset])
            self.planned[command.id] = planned
            found.append(command)
        return found

    def is_idle(self) -> bool:
        """Whether everything was read."""
        read = all(not reading.waiting() for reading in self.readings)
        return read and all(self.merged[at] == len(log) for at, log in enumerate(self.logs))

    def size(self) -> int:
        """How much there ever was."""
        return sum(map(len, self.logs)) + len(self.claims.records) + len(self.links.records)


def _alike(row: ThingRow, local_id: str, image: str, until: int) -> int | None:
    """The last place up to this one at which the row looked like this, if there is any."""
    values = msgspec.json.decode(image)
    entries = (one for one in reversed(row.log[:until]) if one.local_id == local_id and one.after is not None)
    alike = (one.sequence for one in entries if all(values.get(c) == v for c, v in (one.after or {}).items()))
    return next(alike, None)


def _is_invented(record: Record, message: Change) -> bool:
    """Whether the end of a row was told that is there, and was all the time."""
    row = record.tables[message.system]
    return isinstance(row, ThingRow) and message.local_id in row.begins and message.local_id not in row.ends


def partition_of(record: Record) -> int:
    """Where a record's log is."""
    return crc32(record.id.encode()) % PARTITIONS


def loading(rules: Rules, systems: frozenset[str]) -> Rules:
    """The rules while these systems are loaded."""
    return replace(rules, loading=systems)


def _natural_key(system: str, image: str) -> str | None:
    key = msgspec.json.decode(image).get(KEY)
    return None if key is None else natural_key(key)


def _command(record: Record, planned: Planned, partition: int, offset: int) -> Command:
    units = tuple(Unit(base=_text(unit.base), set=_text(unit.set)) for unit in planned.units)
    return Command(
        id=command_id(record.id, planned.system, planned.number),
        record_id=record.id,
        entity=ENTITY,
        system=planned.system,
        number=planned.number,
        op=planned.op,
        local_id=planned.local_id,
        units=units,
        partition=partition,
        offset=offset,
        hop=1,
        ts_us=record.now,
    )


def _message(command: Command, topic: Topic) -> Message:
    return Message("commands", command.partition, len(topic.records), None, CODEC.encode(command), 0)


def _text(row: Row | None) -> str | None:
    return None if row is None else _encode(row).decode()
