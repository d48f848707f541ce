"""What each child process does: one source, one sink, both of a system without a log, the processors, the bridge."""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import structlog

from connectors.base import Connector
from duplex import broker, composition, systems
from duplex.supervisor import backoff
from schemas.heartbeats import beat
from schemas.project.loading import Loaded, load

log = structlog.get_logger(__name__)
FIRST = 1


async def run(path: Path, kind: str, system: str) -> None:
    """Run one part of the project in this file (an absolute path) until cancelled.

    Raises what the part cannot live with.
    """
    composed = await _composed(load(path, os.environ))
    match kind:
        case "source":
            await _source(composed, system)
        case "sink":
            await _sink(composed, system, path)
        case "system":
            await _system(composed, system, path)
        case "bridge":
            await _bridge(composed)
        case _:
            await _processors(composed, path, int(system or FIRST))


async def _composed(loaded: Loaded) -> composition.Composition:
    """The composition; a broker that does not answer is waited for."""
    failures = 0
    while True:
        try:
            return await composition.composed(loaded)
        except broker.BrokerError as error:
            failures += 1
            delay_s = backoff.delay_s(failures, 0.0)
            log.warning(f"{error} Trying again in {delay_s:.1f} s.")
            beat("start")
            await asyncio.sleep(delay_s)


@asynccontextmanager
async def _opened(composed: composition.Composition, system: str) -> AsyncIterator[Connector]:
    connector = systems.made(composed.project, system)
    try:
        yield connector
    finally:
        await connector.close()


async def _source(composed: composition.Composition, system: str) -> None:
    async with _opened(composed, system) as connector:
        await _read(composed, system, connector)


async def _read(composed: composition.Composition, system: str, connector: Connector) -> None:
    from connectors.source_runner import run_source

    source = connector.open_source(composed.specs[system])
    try:
        await run_source(source, composed.route(), composed.kafka, system, composed.topics.deadletters)
    finally:
        await source.close()


async def _sink(composed: composition.Composition, system: str, path: Path) -> None:
    async with _opened(composed, system) as connector:
        await _write(composed, system, path, connector)


async def _write(composed: composition.Composition, system: str, path: Path, connector: Connector) -> None:
    from connectors.sink_runner import run_sink

    group = composition.sink_group(composed.project.pipeline, system)
    sink = connector.open_sink(composed.specs[system])
    try:
        await run_sink(
            sink,
            system=system,
            topic=composed.topics.commands(system),
            group=group,
            kafka=composed.kafka,
            deadletters=composed.topics.deadletters,
            instance=f"{group}.{instance(path)}",
            results=composed.result_route(),
        )
    finally:
        await sink.close()


async def _system(composed: composition.Composition, system: str, path: Path) -> None:
    """Source and sink in one process, with one connector: its locks, numbers and budgets hold for both."""
    from duplex.surroundings import lent

    project, topics, kafka = composed.project, composed.topics, composed.kafka
    async with _opened(composed, system) as connector, lent(connector, system, project, topics, kafka, running=True):
        await _both(_write(composed, system, path, connector), _read(composed, system, connector))


async def _both(*works: Coroutine[Any, Any, None]) -> None:
    """Run these until one ends, then end the other too; the first error is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


async def _bridge(composed: composition.Composition) -> None:
    from connectors.webhook.server import run_bridge
    from connectors.webhook.settings import read_endpoints

    names = systems.hooked(composed.project)
    options = {name: composed.project.systems[name].options for name in names}
    endpoints = read_endpoints(options, {name: composed.topics.hooks(name) for name in names})
    await run_bridge(composed.project.bridge, endpoints, composed.kafka, _say_port(composed.project.bridge.host))


def _say_port(host: str) -> Callable[[int], None]:
    return lambda port: log.info(f"webhooks are taken at {host}:{port}")


async def _processors(composed: composition.Composition, path: Path, worker: int) -> None:
    from streams.app import run_processors

    async with _beside_the_first(composed, path) if worker == FIRST else nullcontext():
        await run_processors(
            composed.project,
            composed.topics,
            composed.rules,
            composed.kafka,
            path.parent,
            compile_rules=composed.compile,
            instance=instance(path, worker),
            worker=worker,
        )


@asynccontextmanager
async def _beside_the_first(composed: composition.Composition, path: Path) -> AsyncIterator[None]:
    """What one of the workers does for all."""
    from duplex.deadletters import automatic
    from duplex.explaining.serving import serving

    async with serving(composed, path), automatic.beside(composed.project, path):
        yield


def instance(path: Path, worker: int = FIRST) -> str:
    """What this process is called among all that run the pipeline: the same after a restart, another elsewhere."""
    name = f"{socket.gethostname()}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    return name if worker == FIRST else f"{name}-{worker}"
