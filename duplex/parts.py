"""What each child process does: one source, one sink, or the processors."""

import asyncio
import hashlib
import os
import socket
from pathlib import Path

import structlog

from connectors.registry import open_connector
from duplex import broker, composition
from duplex.supervisor import backoff
from schemas.heartbeats import beat
from schemas.project.loading import Loaded, load

log = structlog.get_logger(__name__)


async def run(path: Path, kind: str, system: str) -> None:
    """Run one part of the project in this file (an absolute path) until cancelled.

    Raises what the part cannot live with.
    """
    composed = await _composed(load(path, os.environ))
    if kind == "source":
        await _source(composed, system)
    elif kind == "sink":
        await _sink(composed, system, path)
    else:
        await _processors(composed, path)


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


async def _source(composed: composition.Composition, system: str) -> None:
    from connectors.source_runner import run_source

    settings = composed.project.systems[system]
    connector = open_connector(settings.connector, system, composed.project.pipeline, settings.options)
    try:
        source = connector.open_source(composed.specs[system])
        try:
            await run_source(source, composed.route(), composed.kafka, system)
        finally:
            await source.close()
    finally:
        await connector.close()


async def _sink(composed: composition.Composition, system: str, path: Path) -> None:
    from connectors.sink_runner import run_sink

    settings = composed.project.systems[system]
    group = composition.sink_group(composed.project.pipeline, system)
    connector = open_connector(settings.connector, system, composed.project.pipeline, settings.options)
    try:
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
            )
        finally:
            await sink.close()
    finally:
        await connector.close()


async def _processors(composed: composition.Composition, path: Path) -> None:
    from duplex.explaining.serving import serving
    from streams.app import run_processors

    async with serving(composed, path):
        await run_processors(
            composed.project,
            composed.topics,
            composed.rules,
            composed.kafka,
            path.parent,
            compile_rules=composed.compile,
            instance=instance(path),
        )


def instance(path: Path) -> str:
    """What this process is called among all that run the pipeline: the same after a restart, another elsewhere."""
    return f"{socket.gethostname()}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
