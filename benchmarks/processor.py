"""One small job hosted three ways: stock Faust, our batch service, a plain consumer and producer.

The job: parse a JSON event, find the record's state by its key, merge two fields (the newer value of each wins),
keep the state in a changelog, send the merged record on under its key. Four partitions. Each way runs in a process of
its own; its clock starts at its first event.
"""

import random
import uuid

import msgspec
from aiokafka import AIOKafkaProducer

from benchmarks.accounting import metered
from benchmarks.child import child
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, in_turns
from schemas.placement import partition_of

TITLE = "processor: the identical small job, hosted three ways"
BASELINE = "plain aiokafka"
JOBS = {
    BASELINE: "benchmarks.hosts.plain:plain",
    "our batch service": "benchmarks.hosts.batches:batches",
    "stock Faust": "benchmarks.hosts.stock_faust:stock_faust",
}
PARTITIONS = 4
KEYS = 20_000


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """The same input topic for everyone; stock Faust reads a part of it, being slow."""
    events, source = scale.of(200_000, 4_000), f"p{uuid.uuid4().hex[:8]}"
    await stage.topics(source)
    await fill(stage.bootstrap, source, events)
    wanted = dict.fromkeys(JOBS, events) | {"stock Faust": scale.of(6_000, 1_000)}
    return [
        await _measured(stage, source, variant, wanted[variant], number)
        for number, variant in in_turns(scale.rounds, tuple(JOBS))
    ]


async def fill(bootstrap: str, topic: str, events: int) -> None:
    """Write the input: event n of a random key, one of its two fields changed."""
    chance = random.Random(1)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=500_000) as producer:
        for start in range(0, events, 5000):
            batches = [producer.create_batch() for _ in range(PARTITIONS)]
            for number in range(start, min(start + 5000, events)):
                name = f"record-{chance.randrange(KEYS)}"
                event = {
                    "id": name,
                    "field": chance.choice(("phone", "city")),
                    "value": f"value {number}",
                    "at": number,
                }
                key = name.encode()
                place = partition_of(key, PARTITIONS)
                batches[place].append(timestamp=None, key=key, value=msgspec.json.encode(event))
            for place, batch in enumerate(batches):
                await (await producer.send_batch(batch, topic, partition=place))


async def _measured(stage: Stage, source: str, variant: str, events: int, number: int) -> Sample:
    pipeline = f"{source}-{uuid.uuid4().hex[:8]}"
    await stage.topics(f"{pipeline}.out")
    await stage.topics(f"{pipeline}.state", cleanup_policy="compact")
    await stage.topics(f"{pipeline}.deadletters", partitions=1)
    arguments = {"bootstrap": stage.bootstrap, "pipeline": pipeline, "source": source, "events": events}
    async with child(JOBS[variant], **arguments) as process:
        with metered(lambda: stage.pids("kafka")) as used:
            done = await process.go()
    assert done.events >= events, f"{variant} stopped after {done.events}"
    assert await stage.ends(f"{pipeline}.out") >= events, f"{variant} sent too little"
    cpu = {"process": done.cpu_s * 1e6 / done.events} | used.us_per(done.events)
    return Sample(
        case="parse, state, merge, changelog, send",
        variant=variant,
        round=number,
        events=done.events,
        wall_s=done.wall_s,
        cpu_us=cpu,
    )
