"""The merge processor's throughput with 1,000 open conflicts in its records, beside the same with none.

Both get the same edits of other fields, in the same order, on records of which every second one has a parked field in
one case. What parks them comes before, and is not measured. Pure computing: no Kafka, no database.
"""

import random
import time
from collections.abc import Sequence
from typing import Any

from benchmarks import merge
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, in_turns
from schemas.codec import Codec
from schemas.messages import Command
from schemas.project.model import Entity
from streams.mapping.rules import compile_rules
from streams.merge import states
from streams.processors.merging import MergeProcessor
from streams.processors.records import Record
from streams.processors.stores import PartitionStore

TITLE = "conflicts: the merge processor's apply, every second record with a field that waits for a person"
BASELINE = "no open conflicts"
SYSTEMS = ("crm", "erp")


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """Each in turn, on logs that differ in nothing but what is parked."""
    records, edits = scale.of(2_000, 20), scale.of(10_000, 100)
    logs = {
        BASELINE: recorded(records, 0, edits),
        f"{records // 2:,} open conflicts": recorded(records, records // 2, edits),
    }
    return [_measured(variant, *logs[variant], number) for number, variant in in_turns(scale.rounds, tuple(logs))]


def _measured(variant: str, before: Sequence[Record], after: Sequence[Record], number: int) -> Sample:
    made, store = processor(), PartitionStore()
    _applied(made, store, before)
    wall, cpu = time.perf_counter(), time.process_time()
    _applied(made, store, after)
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    return Sample(
        case="edits of other fields",
        variant=variant,
        round=number,
        events=len(after),
        wall_s=wall_s,
        cpu_us={"process": cpu_s * 1e6 / len(after)},
        more={"open conflicts": float(open_in(store))},
    )


def _applied(made: MergeProcessor, store: PartitionStore, records: Sequence[Record]) -> None:
    for start in range(0, len(records), merge.BATCH):
        made.apply(records[start : start + merge.BATCH], store)
        store.changes()
        store.settle()


def open_in(store: PartitionStore) -> int:
    """How many items wait for a person in these records."""
    found = (states.decode(data) for key, data in store.items() if not key.startswith(b"\x00"))
    return sum(len(entry.dissent) for state in found for entry in state.systems.values())


def entity() -> Entity:
    """The ten fields of the merge benchmark; the phone is left to a person."""
    plain = merge.entity(SYSTEMS).model_dump(exclude_defaults=True, by_alias=True)
    plain["fields"]["phone"] = {"type": "string", "on_conflict": "manual"}
    return Entity.model_validate(plain)


def processor() -> MergeProcessor:
    """The merge as `duplex run` hosts it."""
    made = entity()
    columns = {system: {"id": "bigint", **merge.TYPES} for system in SYSTEMS}
    return MergeProcessor(merge.TOPICS, made, compile_rules("contact", made, columns), Codec())


def recorded(records: int, parked: int, edits: int) -> tuple[list[Record], list[Record]]:
    """The log of one partition: loads and edits of the phone, after which so many records have it parked; and the
    edits of other fields that follow, each with its echo."""
    log = Log(SYSTEMS)
    for number in range(records):
        for system in SYSTEMS:
            log.write(system, number, "r", None)
    for system in SYSTEMS:
        log.end_load(system)
    for number in range(records):
        log.phones(number, at_once=number < parked)
    place, chance = len(log.records), random.Random(7)
    for edit in range(edits):
        log.other_field(chance.choice(SYSTEMS), chance.randrange(records), chance, edit)
    return log.records[:place], log.records[place:]


class Log(merge.Log):
    """Plays the systems; a command may wait until a user has edited the row that it is for."""

    def __post_init__(self) -> None:
        self.merge = processor()
        self.waiting: list[tuple[Command, int]] = []
        self.carrying = True

    def phones(self, number: int, at_once: bool) -> None:
        """Both systems' users write a phone: one in sight of the other's, or neither in sight of the other."""
        self.carrying = not at_once
        for system in SYSTEMS:
            self._set(system, number, phone=f"{system} {number}")
        self.carrying, waiting, self.waiting = True, self.waiting, []
        for command, place in waiting:
            self._carry_out(command, place)

    def other_field(self, system: str, number: int, chance: random.Random, edit: int) -> None:
        """A user changes two columns that nobody has parked."""
        names = chance.sample(("name", "status", "street", "city", "zip"), 2)
        self._set(system, number, **{name: f"{name} {edit}" for name in names})

    def _set(self, system: str, number: int, **values: Any) -> None:
        before = dict(self.rows[system, number])
        self.rows[system, number].update(values)
        self.write(system, number, "u", before)

    def _carry_out(self, command: Command, number: int) -> None:
        if self.carrying:
            super()._carry_out(command, number)
        else:
            self.waiting.append((command, number))
