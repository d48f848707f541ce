"""The job as Faust's own manual would have it: an agent, a table, a topic."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import faust

from benchmarks.child import Run, Watch
from benchmarks.hosts.job import merged


@asynccontextmanager
async def stock_faust(
    bootstrap: str, pipeline: str, source: str, events: int
) -> AsyncIterator[Callable[[], Awaitable[Run]]]:
    """Its defaults, but for one worker without a web server."""
    app = faust.App(
        pipeline,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        topic_partitions=4,
        topic_replication_factor=1,
        web_enabled=False,
        autodiscover=False,
        loghandlers=[],
    )
    watch = Watch()
    _define(app, watch, source, f"{pipeline}.out", events)

    async def work() -> Run:
        await app.start()
        await watch.done.wait()
        found = watch.run()
        await app.producer.flush()
        return found

    yield work


def _define(app: faust.App, watch: Watch, source: str, sink: str, events: int) -> None:
    out = app.topic(sink, key_type=str, value_type=None, value_serializer="json")
    table: Any = app.Table("state", default=dict, partitions=4)

    @app.agent(app.topic(source, key_type=str, value_serializer="json"))
    async def job(stream: Any) -> None:
        async for key, event in stream.items():
            watch.start()
            table[key] = state = merged(table[key], event["field"], event["value"], event["at"])
            await out.send(key=key, value=state)
            watch.events += 1
            if watch.events == events:
                watch.done.set()
                return
