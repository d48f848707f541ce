"""Gathers the facts of a status. What cannot be had is left out and said so: a status is asked for when things fail."""

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from connectors.base import Connector
from connectors.errors import ConnectorsError
from connectors.remote.connector import RemoteConnector
from duplex import broker, catalog, composition, lookups, systems, topics
from duplex.composition import Composition
from duplex.deadletters import reading as letters
from duplex.errors import DuplexError
from duplex.status import bottlenecks, outages, sweeps
from duplex.status.facts import Hop, Problem, Refusal, Status, trouble
from duplex.supervisor import presence
from duplex.surroundings import lent_to_check
from schemas.codec import Codec
from schemas.errors import UndecodableError
from schemas.messages import Conflict
from schemas.project.kafka import client_options
from schemas.project.loading import Loaded
from schemas.project.model import Project
from streams.errors import StreamsError
from streams.merge import states
from streams.processors.settings import group_id

HTTP_TIMEOUT_S = 5.0
NEWEST_CONFLICTS = 5_000
REFUSALS_SHOWN = 10
NEVER_APPLIED = "nothing of it was applied yet, so nothing is captured, and there is nothing to process"
FIRST_STEPS = "`duplex plan` shows what a first sync would do, `duplex apply` prepares it, `duplex run` does it"
COUNTERS = ("duplex_commands_total", "duplex_child_restarts_total", "duplex_sink_retries_total")


@runtime_checkable
class Counting(Protocol):
    """A connector that can say what waits in its system: `unpublished` log entries, `parked` commands."""

    async def backlog(self) -> Mapping[str, int]: ...


async def gather(loaded: Loaded) -> Status:
    """The status of a project. Raises nothing that a part of the pipeline being down would cause."""
    status = Status(pipeline=loaded.project.pipeline, project=str(loaded.path))
    status.running = presence.found(loaded.path)
    if status.running is not None:
        await _supervisor(status, status.running)
    try:
        await _kafka(status, loaded.project)
        status.applied = bool(
            await catalog.read(client_options(loaded.project.kafka), topics.names(loaded.project).catalog)
        )
        if not status.applied:
            status.problems.append(Problem(str(loaded.path), NEVER_APPLIED, FIRST_STEPS))
            return status
        composed = await composition.composed(loaded)
        status.refusals = await _refusals(composed)
        await _systems(status, composed)
        if status.running is not None:
            status.bottleneck = await bottlenecks.measured(_address(status.running), status.hops, status.unpublished)
    except (catalog.CatalogMissingError, broker.BrokerError) as error:
        status.problems.append(Problem(error.where, f"{error.what}: {error.why}", error.remedy))
    except (DuplexError, StreamsError, ConnectorsError) as error:
        status.problems.append(Problem(str(loaded.path), str(error), "duplex doctor"))
    return status


def _address(running: presence.Running) -> str:
    return f"http://{'127.0.0.1' if running.host == '0.0.0.0' else running.host}:{running.port}"


async def _supervisor(status: Status, running: presence.Running) -> None:
    base = _address(running)
    timeout = aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(base, timeout=timeout) as client:
            async with client.get("/health") as response:
                found = msgspec.json.decode(await response.read())
            async with client.get("/metrics") as response:
                metrics = await response.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        status.problems.append(Problem(base, f"does not answer ({error or 'timed out'})", "duplex run again"))
        return
    status.healthy, status.reasons = found["ok"], found["reasons"]
    status.counters = counters(metrics)


def counters(metrics: str) -> dict[str, float]:
    """The sums of the counters that a status shows, over all processes: name and outcome, if it has one."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name in COUNTERS:
                outcome = sample.labels.get("outcome")
                name = f"{sample.name}.{outcome}" if outcome else sample.name
                found[name] = found.get(name, 0) + sample.value
    return found


async def _kafka(status: Status, project: Project) -> None:
    options, names = client_options(project.kafka), topics.names(project)
    wanted = list(hops(project))
    lags = await broker.lags(options, [(hop.group, hop.topic) for hop in wanted])
    status.hops = [
        Hop(hop.name, hop.group, hop.topic, lag.messages, lag.committed) for hop, lag in zip(wanted, lags, strict=True)
    ]
    for entity in project.entities:
        newest = await broker.newest_ms(options, names.records(entity))
        if newest is not None:
            status.last_event_ms = max(newest, status.last_event_ms or 0)
    status.deadletters = await letters.count_open(project)
    status.conflicts = await broker.count(options, names.conflicts)


def hops(project: Project) -> Iterator[Hop]:
    """Every consumer of the pipeline with the topics it reads."""
    names = topics.names(project)

    def processor(name: str, entity: str, topic: str) -> Hop:
        return Hop(f"{name} of {entity}", group_id(project.pipeline, f"{name}.{entity}"), topic, 0, started=False)

    for entity, rule in project.entities.items():
        if rule.identity != "key":
            for system in rule.systems:
                yield processor("links", entity, names.changes(system, entity))
            yield processor("links", entity, names.links(entity))
            yield processor("claims", entity, names.claims(entity))
        yield processor("merge", entity, names.records(entity))
    for system in systems.used(project):
        group = composition.sink_group(project.pipeline, system)
        yield Hop(f"sink {system}", group, names.commands(system), 0, started=False)


async def _refusals(composed: Composition) -> list[Refusal]:
    """The refusals among the newest conflicts that still stand: the latest of each record and system."""
    codec, latest = Codec(), {}
    async for messages in broker.read_all(composed.kafka, composed.topics.conflicts, last=NEWEST_CONFLICTS):
        for message in messages:
            try:
                found = codec.decode_as(message.value or b"", Conflict)
            except UndecodableError:
                continue
            if found.kind == "refused":
                latest[found.record_id, found.incoming.system] = found
    newest = sorted(latest.values(), key=lambda conflict: -conflict.ts_us)[:REFUSALS_SHOWN]
    return [
        Refusal(each.record_id, each.entity, each.incoming.system, each.detail or each.rule, each.ts_us, each.rule)
        for each in newest
        if await _stands(composed, each)
    ]


async def _stands(composed: Composition, refusal: Conflict) -> bool:
    """Whether the system still lacks what it refused, or still holds what was refused of it."""
    entity, system = refusal.entity, refusal.incoming.system
    if entity not in composed.rules or system not in composed.rules[entity].systems:
        return False
    key = refusal.record_id.encode()
    place = lookups.place_of(composed, "merge", entity, key)
    data = (await lookups.recovered(composed.kafka, place, (key,))).get(key)
    held = None if data is None else states.decode(data).systems.get(system)
    if held is None:
        return True
    return bool(held.refused) or (held.image is not None and bool(composed.lens(entity, system).faults(held.image)))


async def _systems(status: Status, composed: Composition) -> None:
    async with systems.opened(composed.project) as connectors:
        for name, connector in connectors.items():
            try:
                async with lent_to_check(connector, name, composed.project, composed.topics, composed.kafka):
                    problems = await connector.check(composed.specs[name])
            except ConnectorsError as error:
                status.problems.append(trouble(name, error))
                continue
            status.problems += [Problem(each.system, each.what, each.remedy, each.fatal) for each in problems]
            await _backlog(status, name, connector)
            if isinstance(connector, RemoteConnector):
                await _notes(status, composed, name)


async def _notes(status: Status, composed: Composition, system: str) -> None:
    """What an application's notes say: how its sweeps stand, and whether it answers."""
    notes, is_whole = await sweeps.notes(composed.kafka, composed.topics.notes(system))
    found = [sweeps.sweep(system, one.entity, one.table, notes, is_whole=is_whole) for one in composed.specs[system]]
    status.sweeps += found
    outage = outages.outage(system, notes, outages.waiting(system, status.hops, [one.waiting for one in found]))
    status.outages += [outage] if outage is not None else []


async def _backlog(status: Status, system: str, connector: Connector) -> None:
    if not isinstance(connector, Counting):
        return
    found = await connector.backlog()
    if "unpublished" in found:
        status.unpublished[system] = found["unpublished"]
    if "parked" in found:
        status.parked_commands[system] = found["parked"]
