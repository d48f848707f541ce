"""The job as a batch processor in our own service, inside the Faust app that hosts the real ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from benchmarks.child import Run, Watch
from benchmarks.hosts.job import Event, State, merged
from benchmarks.waiting import until
from streams.app import build_app, host
from streams.processors import metrics
from streams.processors.records import Output, Record
from streams.processors.settings import Hosting
from streams.processors.stores import Store


class Merging:
    """`streams.processors.lanes.BatchProcessor` around the job."""

    name = "job"
    free_outputs: tuple[str, ...] = ()

    def __init__(self, pipeline: str, source: str) -> None:
        self.watch = Watch()
        self.inputs = (source,)
        self.outputs = (f"{pipeline}.out",)
        self.state_topic = f"{pipeline}.state"

    def apply(self, records: Sequence[Record], store: Store) -> list[Output]:
        self.watch.start()
        return [self._one(record, store) for record in records]

    def _one(self, record: Record, store: Store) -> Output:
        assert record.key is not None and record.value is not None
        event = msgspec.json.decode(record.value, type=Event)
        known = store.get(record.key)
        state: State = {} if known is None else msgspec.json.decode(known)
        data = msgspec.json.encode(merged(state, event.field, event.value, event.at))
        store.put(record.key, data)
        return Output(self.outputs[0], record.key, data, record.partition, cause=record)


@asynccontextmanager
async def batches(
    bootstrap: str, pipeline: str, source: str, events: int
) -> AsyncIterator[Callable[[], Awaitable[Run]]]:
    """Until the service says that so many records are settled."""
    processor = Merging(pipeline, source)
    hosting = Hosting(kafka={"bootstrap_servers": bootstrap}, pipeline=pipeline)
    settled = metrics.RECORDS.labels(processor.name)

    async def work() -> Run:
        task = asyncio.create_task(host(build_app(hosting, [processor])))
        await until(lambda: settled._value.get() >= events, task)
        processor.watch.events = int(settled._value.get())
        found = processor.watch.run()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return found

    yield work
