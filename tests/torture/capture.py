"""Capture under load: what transactions commit is on Kafka, all of it and in order, whatever is killed meanwhile.

Every update counts a row's `credit_limit` up by one under the row's lock: the order of a row's commits is the order of
its counts. So the events of a row, repeats dropped as any reader of the topic drops them, must count without a gap.
"""

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from duplex.demo import databases
from duplex.embedded.binaries import find_binaries
from duplex.embedded.home import default_home
from schemas.codec import Codec
from schemas.messages import Change
from schemas.topics import Topics
from tests.acceptance.showings import Showing
from tests.servers import PrivateKafka
from tests.waiting import eventually

SCRIPT = Path(__file__).parent / "load.sql"
# One range for the whole log: none of it may be dropped before it is counted.
WHOLE_LOG = "connector: postgres, segment_rows: 50000000,"
BROKER_AWAY_S = 1.0
CATCH_UP_S = 300.0
HELD_ROW, DOOMED_ROW = 150, 151


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients, for how long, and how long one transaction stays open meanwhile."""

    clients: int
    time_s: float
    held_s: float
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What was in the log, what arrived, and what was wrong with it."""

    entries: int = 0
    events: int = 0
    repeats: int = 0
    transactions: int = 0
    missing: list[int] = field(default_factory=list)
    invented: list[int] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing made up, every row in the order of its commits."""
        return bool(self.entries) and not (self.missing or self.invented or self.disordered)

    def __str__(self) -> str:
        return (
            f"{'ok' if self.sound else 'FAILED'}: {self.transactions:,} transactions, {self.entries:,} entries in "
            f"the log, {self.events:,} distinct events on Kafka (and {self.repeats:,} repeats), {len(self.missing)} "
            f"missing, {len(self.invented)} never committed, {len(self.disordered)} rows out of order"
        )


async def prepared(folder: Path, pipeline: str, broker: PrivateKafka, dsns: databases.Pair) -> Showing:
    """The demo's databases, applied, and `duplex run` with the CRM's source alone."""
    await databases.fill(dsns)
    text = databases.script("project.yaml").replace("PIPELINE", pipeline)
    (folder / "duplex.yaml").write_text(text.replace("connector: postgres,", WHOLE_LOG))
    showing = Showing(folder, pipeline, broker.bootstrap, dsns)
    await showing.call("apply")
    with (folder / "run.log").open("ab") as log:
        words = ("run", "--only", "source:crm", "--http-port", "0")
        showing.processes.append(await showing._spawn(*words, stdout=log, stderr=log))
    return showing


async def endure(showing: Showing, broker: PrivateKafka, load: Load) -> Outcome:
    """Load the CRM, kill the relay and the broker in the middle, and compare the log with the topic."""
    quarter_s, before = load.time_s / 4, await _credits(showing.dsns.crm)
    writing = asyncio.create_task(_write(showing.dsns.crm, load))
    held = asyncio.create_task(_hold(showing.dsns.crm, load.held_s))
    await asyncio.sleep(quarter_s)
    await showing.kill("source", "crm")
    await asyncio.sleep(quarter_s)
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(BROKER_AWAY_S)
    await asyncio.to_thread(broker.start)
    await asyncio.sleep(quarter_s)
    await showing.kill("source", "crm")
    transactions = await writing
    await held
    await eventually(lambda: _published(showing.dsns.crm), CATCH_UP_S, "the relay publishes all of the log")
    outcome = await _compared(showing, before)
    outcome.transactions = transactions
    return outcome


async def _write(dsn: str, load: Load) -> int:
    """Run the clients; how many transactions they made."""
    program = find_binaries(default_home().downloads, None) / "pgbench"
    words = ["--no-vacuum", f"--file={SCRIPT}", f"--client={load.clients}", "--jobs=2"]
    words += [f"--time={max(1, round(load.time_s))}", f"--random-seed={load.seed}", dsn]
    process = await asyncio.create_subprocess_exec(
        program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=dict(os.environ)
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0 and "aborted" not in output, output[-2000:]
    found = re.search(r"actually processed: (\d+)", output)
    assert found is not None, output[-2000:]
    return int(found[1])


async def _hold(dsn: str, held_s: float) -> None:
    """One transaction that commits long after it drew its numbers, and one that gives them up."""
    update = "update shop.contacts set credit_limit = credit_limit + 1 where id = $1"
    keeper, loser = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    kept, lost = keeper.transaction(), loser.transaction()
    await kept.start()
    await lost.start()
    await keeper.execute(update, HELD_ROW)
    await loser.execute(update, DOOMED_ROW)
    await asyncio.sleep(held_s)
    await keeper.execute(update, HELD_ROW)
    await kept.commit()
    await lost.rollback()
    await keeper.close()
    await loser.close()


async def _published(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        query = "select low_mark >= (select max(seq) from duplex.change_log) from duplex.source"
        return bool(await connection.fetchval(query))
    finally:
        await connection.close()


async def _credits(dsn: str) -> dict[str, Decimal]:
    """The count of every row, by its local id."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select id, credit_limit from shop.contacts")
        return {f"[{row['id']}]": row["credit_limit"] for row in rows}
    finally:
        await connection.close()


async def _compared(showing: Showing, before: dict[str, Decimal]) -> Outcome:
    changes = await _topic(showing.bootstrap, Topics(showing.pipeline).changes("crm", "contact"))
    connection = await asyncpg.connect(showing.dsns.crm)
    logged = {row["seq"] for row in await connection.fetch("select seq from duplex.change_log")}
    await connection.close()
    captured = [change for change in changes if change.op in "cud"]
    events = {change.seq for change in captured}
    return Outcome(
        entries=len(logged),
        events=len(events),
        repeats=len(captured) - len(events),
        missing=sorted(logged - events),
        invented=sorted(events - logged),
        disordered=disordered(captured, before, await _credits(showing.dsns.crm)),
    )


def disordered(changes: Sequence[Change], first: dict[str, Decimal], final: dict[str, Decimal]) -> list[str]:
    """Rows whose events, repeats dropped, do not count up one by one from the row as it was to the row as it is."""
    counts: dict[str, list[Decimal]] = {local: [count] for local, count in first.items()}
    last: dict[str, int] = {}
    for change in changes:
        if change.seq > last.get(change.local_id, -1):
            last[change.local_id] = change.seq
            counts[change.local_id] += [_credit(change.before), _credit(change.after)]
    return [local for local, seen in counts.items() if not _counts_up([*seen, final[local]])]


def _credit(image: str | None) -> Decimal:
    found: Any = msgspec.json.decode(image or "{}", type=dict[str, Any])["credit_limit"]
    return Decimal(str(found))


def _counts_up(seen: list[Decimal]) -> bool:
    """As it was; before and after each event; as it is: an event adds one, and between events nothing happens."""
    between = list(zip(seen[::2], seen[1::2], strict=True))
    events = zip(seen[1:-1:2], seen[2:-1:2], strict=True)
    return all(after == before for after, before in between) and all(after == before + 1 for before, after in events)


async def _topic(bootstrap: str, name: str) -> list[Change]:
    """Every change on a topic, in order within each partition."""
    codec, found = Codec(), list[Change]()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(name, number) for number in range(4)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=1000, max_records=5000)).values():
                found += [codec.decode_as(record.value, Change) for record in records]
    finally:
        await consumer.stop()
    return found
