"""A system with a log in this world: its source and its sink, as the simulation's tables have them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.memory_sink import NO_ROW_ID
from schemas.messages import Change, Command, Origin
from tests.simulation.applications.pipelines import PARTITIONS, Pipeline
from tests.simulation.applications.records import CODEC, ENTITY, Record, image
from tests.simulation.chances import Chance
from tests.simulation.tables import Entry, Table

REPEATED = 0.1
PAUSE_S = 1.0


@dataclass
class Database:
    """Forwards every row's log in its order, now and then twice; carries commands out, now and then twice."""

    name: str
    records: list[Record]
    pipeline: Pipeline
    chance: Chance
    now_us: Callable[[], int]
    sent: dict[str, int] = field(default_factory=dict)
    done: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    repeated: float = REPEATED

    def load(self) -> None:
        """The rows that are there, and the marker behind them."""
        for record in self.records:
            self.forward(record)
        marker = Change(
            system=self.name, entity=ENTITY, table="t", incarnation=1, seq=1, op="l", local_id="", ts_us=self.now_us()
        )
        self.pipeline.publish([marker])

    async def run(self) -> None:
        """Live, for ever."""
        while True:
            await asyncio.sleep(self.chance.uniform(0.01, PAUSE_S))
            for record in self.records:
                self.forward(record, self.repeated)
            self.serve(self.repeated)

    def forward(self, record: Record, repeated: float = 0.0) -> None:
        """What is new in a row's log."""
        table = record.tables[self.name]
        begin = self.sent.get(record.id, 0)
        if repeated and begin and self.chance.random() < repeated:
            begin -= self.chance.randint(1, min(3, begin))
        self.sent[record.id] = len(table.log)
        self.pipeline.publish([self._change(record, table, entry) for entry in table.log[begin:]])

    def serve(self, repeated: float = 0.0) -> None:
        """Carry out what is to be done."""
        for at in range(PARTITIONS):
            messages = self.pipeline.commands[self.name, at].records
            if repeated and self.done[at] and self.chance.random() < repeated:
                self.done[at] -= 1
            for message in messages[self.done[at] :]:
                self._apply(CODEC.decode_as(message.value, Command))
            self.done[at] = len(messages)

    def _apply(self, command: Command) -> None:
        record = self.pipeline.records[command.record_id]
        table, planned = record.tables[self.name], self.pipeline.planned[command.id]
        now = self.now_us()
        table.apply(planned, command.id, command.offset, now, now + record.skew[self.name], record.users.trigger)

    def _change(self, record: Record, table: Table, entry: Entry) -> Change:
        origin = None
        is_nowhere = entry.failed is not None and entry.after is None
        if entry.command is not None:
            outcome = "applied" if entry.failed is None else "failed"
            origin = Origin(command=entry.command, record_id=record.id, hop=0, outcome=outcome, error=entry.failed)  # type: ignore[arg-type]
        return Change(
            system=self.name,
            entity=ENTITY,
            table="t",
            incarnation=1,
            seq=entry.sequence,
            op="r" if entry.load else "d" if entry.after is None else "u",
            local_id=NO_ROW_ID if is_nowhere else entry.local_id,
            after=image(table, entry.local_id, entry.after),
            ts_us=entry.ts_us,
            origin=origin,
        )
