"""The merge processor's throughput with 1,000 open conflicts in its records, beside the same with none.

Both get the same edits of other fields, in the same order, on records of which some have a parked field in one variant:
one in ten, as a backlog that nobody has looked at for a while, and every second one, as bad as it gets. What parks them
comes before, and is not measured. Pure computing: no Kafka, no database.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import merge
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage
from schemas.codec import Codec
from schemas.messages import Command
from schemas.project.model import Entity
from streams.mapping.rules import compile_rules
from streams.merge import states
from streams.processors.merging import MergeProcessor
from streams.processors.records import Record
from streams.processors.stores import PartitionStore

TITLE = "conflicts: the merge processor's apply on records with a field that waits for a person"
BASELINE = "no open conflicts"
SYSTEMS = ("crm", "erp")


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """Each in turn, on logs that differ in nothing but what is parked."""
    parked, edits = scale.of(1_000, 10), scale.of(10_000, 100)
    return [
        sample
        for name, share in (("one record in ten", 10), ("every second record", 2))
        for sample in _compared(f"edits of other fields, {name}", parked * share, parked, edits, scale.rounds)
    ]


def _compared(case: str, records: int, parked: int, edits: int, rounds: int) -> list[Sample]:
    """Batch by batch in turn: what a shared machine takes meanwhile, it takes from both."""
    logs = {
        BASELINE: recorded(records, 0, edits),
        f"{parked:,} open conflicts": recorded(records, parked, edits),
    }
    return [sample for number in range(rounds) for sample in _round(case, logs, number)]


def _round(case: str, logs: Mapping[str, tuple[list[Record], list[Record]]], number: int) -> Iterator[Sample]:
    runs = {variant: Run(before, after) for variant, (before, after) in logs.items()}
    for start in range(0, max(len(run.after) for run in runs.values()), merge.BATCH):
        for run in runs.values() if start // merge.BATCH % 2 == 0 else reversed(runs.values()):
            run.step(start)
    for variant, run in runs.items():
        yield run.sample(case, variant, number)


class Run:
    """One variant: what parks the conflicts applied, and the batches after it timed."""

    def __init__(self, before: Sequence[Record], after: Sequence[Record]) -> None:
        self.after, self.made, self.store = after, processor(), PartitionStore()
        self.wall_s = self.cpu_s = 0.0
        _applied(self.made, self.store, before)

    def step(self, start: int) -> None:
        """The batch that starts there; past the end there is none."""
        wall, cpu = time.perf_counter(), time.process_time()
        _applied(self.made, self.store, self.after[start : start + merge.BATCH])
        self.cpu_s += time.process_time() - cpu
        self.wall_s += time.perf_counter() - wall

    def sample(self, case: str, variant: str, number: int) -> Sample:
        """What all batches took."""
        return Sample(
            case=case,
            variant=variant,
            round=number,
            events=len(self.after),
            wall_s=self.wall_s,
            cpu_us={"process": self.cpu_s * 1e6 / len(self.after)},
            more={"open conflicts": float(open_in(self.store))},
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
