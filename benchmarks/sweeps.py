"""How the cost of the merge grows: with the width of rows, the size of batches, systems, conflicts and state.

The real processor's `apply` on recorded events, as in the benchmark `merge`: pure computing, one process. One thing is
varied at a time, everything else is as in that benchmark; every size is measured in every round. The figures of
`python -m benchmarks sweeps` and their plots are written to docs/plots.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msgspec import structs

from benchmarks import merge, plots
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage
from schemas.codec import Codec
from schemas.messages import Change, Command
from schemas.project.model import Entity
from streams.mapping.rules import compile_rules
from streams.processors.merging import MergeProcessor
from streams.processors.records import Output, Record
from streams.processors.stores import PartitionStore

TITLE = "sweeps: what an event costs the merge, one thing varied at a time (one process, no I/O)"
BASELINE = ""
FOLDER = Path(__file__).parents[1] / "docs" / "plots"
SYSTEMS = ("crm", "erp", "shop", "desk", "mail")
# Of equal length, so that the state of one record can be made that of another.
FIRST = 10_000_000
# From one row to the next: a prime, so that every row comes once before any comes twice.
STEP = 7_919
# Later than all that made the state.
AFTER = 1_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What is recorded and how it is read: `columns` of text, `conflicts` in a hundred edits, `batch` records at once.

    `records` have state before the edits; `edits` are made.
    """

    systems: int = 2
    columns: int = 10
    conflicts: int = 0
    batch: int = 1000
    records: int = 500
    edits: int = 3_000

    @property
    def names(self) -> list[str]:
        return [f"c{number}" for number in range(self.columns)]


def varied(edits: int, records: int) -> Mapping[str, Mapping[str, Shape]]:
    """The shapes of each sweep, by what is varied and how much it is."""
    plain = Shape(edits=edits, records=records)
    return {
        "columns of a row": {str(n): replace(plain, columns=n) for n in (5, 20, 100)},
        "records in a batch": {f"{n:,}": replace(plain, batch=n) for n in (1, 10, 100, 1_000, 5_000)},
        "systems": {str(n): replace(plain, systems=n, edits=edits // n) for n in (2, 3, 5)},
        "conflicts in 100 edits": {str(n): replace(plain, conflicts=n) for n in (0, 1, 10)},
    }


async def run(_stage: Stage, scale: Scale) -> list[Sample]:
    """Every sweep, the sizes of each in turn."""
    samples = []
    for case, shapes in varied(scale.of(3_000, 20), scale.of(500, 5)).items():
        logs = {size: recorded(shape) for size, shape in shapes.items()}
        for number in range(scale.rounds):
            samples += [_measured(case, size, shapes[size], logs[size], number) for size in logs]
    return samples + list(states(scale, (50_000, 200_000, 1_000_000)))


def finish(samples: Sequence[Sample], scale: Scale) -> None:
    """Write the figures and the plots, unless the sizes were tiny."""
    if not scale.quick:
        plots.write(FOLDER, "sweeps", samples)


def states(scale: Scale, sizes: Sequence[int]) -> Iterator[Sample]:
    """Edits of records that were not touched lately, with so many in the state."""
    shape = Shape(edits=scale.of(10_000, 20))
    for size in sizes:
        records = min(size, 200) if scale.quick else size
        store, made = filled(shape, records), processor(shape)
        for number in range(scale.rounds):
            edits = cold_edits(shape, records, number)
            yield _timed("records of state", f"{size:,}", made, store, edits, shape.batch, number)


def _measured(case: str, size: str, shape: Shape, log: tuple[list[Record], list[Record]], number: int) -> Sample:
    made, store = processor(shape), PartitionStore()
    _applied(made, store, log[0], 1000)
    return _timed(case, size, made, store, log[1], shape.batch, number)


def _timed(
    case: str, size: str, made: MergeProcessor, store: PartitionStore, events: Sequence[Record], batch: int, number: int
) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    _applied(made, store, events, batch)
    shares = {"process": (time.process_time() - cpu) * 1e6 / len(events)}
    wall_s = time.perf_counter() - wall
    return Sample(case=case, variant=size, round=number, events=len(events), wall_s=wall_s, cpu_us=shares)


def _applied(made: MergeProcessor, store: PartitionStore, events: Sequence[Record], batch: int) -> None:
    for start in range(0, len(events), batch):
        made.apply(events[start : start + batch], store)
        store.changes()
        store.settle()


def processor(shape: Shape) -> MergeProcessor:
    """The merge as `duplex run` hosts it, for rows of this shape."""
    systems = SYSTEMS[: shape.systems]
    held = {system: {"table": "contact", "map": {name: name for name in shape.names}} for system in systems}
    fields = {name: {"type": "string"} for name in shape.names}
    entity = Entity.model_validate({"identity": "key", "fields": fields, "systems": held})
    columns = {system: {"id": "bigint", **dict.fromkeys(shape.names, "text")} for system in systems}
    return MergeProcessor(merge.TOPICS, entity, compile_rules("contact", entity, columns), Codec())


def recorded(shape: Shape) -> tuple[list[Record], list[Record]]:
    """The log of one partition: every row as it was loaded; and the edits after that, with the echoes of each."""
    log = Log(SYSTEMS[: shape.systems], shape=shape)
    log.load(range(FIRST, FIRST + shape.records))
    place, chance = len(log.records), random.Random(7)
    for edit in range(shape.edits):
        number = FIRST + chance.randrange(shape.records)
        if chance.randrange(100) < shape.conflicts:
            log.conflict(number, chance, edit)
        else:
            log.edit(chance.choice(log.systems), number, chance, edit)
    return log.records[:place], log.records[place:]


def filled(shape: Shape, records: int) -> PartitionStore:
    """The state of so many records: of one as the load leaves it, and copies of that under other names."""
    log = Log(SYSTEMS[: shape.systems], shape=shape)
    log.load(range(FIRST, FIRST + 1))
    content, name, digits = dict(log.store.items()), _key(FIRST), str(FIRST).encode()
    made = {key: value for key, value in content.items() if key != name}
    for number in range(FIRST, FIRST + records):
        made[_key(number)] = content[name].replace(digits, str(number).encode())
    return PartitionStore(made)


def cold_edits(shape: Shape, records: int, number: int) -> list[Record]:
    """Edits of rows here and there, each of a row of its own where there are enough; nothing is echoed."""
    log, chance = Silent(SYSTEMS[: shape.systems], shape=shape), random.Random(number)
    log.since = (number + 1) * AFTER
    for edit in range(shape.edits):
        log.edit("crm", FIRST + (edit * STEP + number) % records, chance, edit)
    return log.records


class Log(merge.Log):
    """Plays the systems, with rows of a shape; commands may wait until both sides have edited."""

    def __init__(self, systems: Sequence[str], *, shape: Shape) -> None:
        self.shape, self.waiting, self.is_carrying = shape, list[tuple[Command, int]](), True
        super().__init__(systems)

    def __post_init__(self) -> None:
        self.merge = processor(self.shape)

    def load(self, numbers: range) -> None:
        """Every row, read once in every system."""
        for number in numbers:
            for system in self.systems:
                self._known(system, number)
                self.write(system, number, "r", None)
        for system in self.systems:
            self.end_load(system)

    def edit(self, system: str, number: int, chance: random.Random, edit: int) -> None:
        """A user changes two columns of a row."""
        names = chance.sample(self.shape.names, 2)
        self._set(system, number, {name: f"{name} {edit}" for name in names})

    def conflict(self, number: int, chance: random.Random, edit: int) -> None:
        """Users of two systems change the same column, neither in sight of the other."""
        name = chance.choice(self.shape.names)
        self.is_carrying = False
        for system in self.systems[:2]:
            self._set(system, number, {name: f"{system} {edit}"})
        self.is_carrying, waiting, self.waiting = True, self.waiting, []
        for command, place in waiting:
            self._carry_out(command, place)

    def _set(self, system: str, number: int, values: Mapping[str, Any]) -> None:
        row = self._known(system, number)
        before = dict(row)
        row.update(values)
        self.write(system, number, "u", before)

    def _known(self, system: str, number: int) -> dict[str, Any]:
        row = {"id": number, **{name: f"{name} of {number}" for name in self.shape.names}}
        return self.rows.setdefault((system, number), row)

    def _carry_out(self, command: Command, number: int) -> None:
        if self.is_carrying:
            super()._carry_out(command, number)
        else:
            self.waiting.append((command, number))


class Silent(Log):
    """Only writes down what happens: after `since` other events."""

    since = 0

    def _change(self, *what: Any) -> Change:
        place = self.since + len(self.records)
        change: Change = super()._change(*what)
        return structs.replace(change, seq=place, transaction=place, ts_us=change.ts_us + self.since)

    def _applied(self, key: bytes | None, change: Change) -> list[Output]:
        place = self.since + len(self.records)
        value, time_ms = self.codec.encode(change), 1_790_000_000_000 + place
        self.records.append(Record(merge.TOPICS.records("contact"), 0, place, key, value, time_ms))
        return []


def _key(number: int) -> bytes:
    return f"record-{number}".encode()
