"""`doctor`: is everything that the pipeline stands on as it should be, and if not, what mends it."""

import os
import platform
import sys
from collections.abc import AsyncIterator
from importlib import metadata
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from connectors.errors import ConnectorsError, RefusedError
from duplex import broker, catalog, checking, composition, systems, topics
from duplex.surroundings import lent_to_check
from schemas.errors import SchemasError
from schemas.project.kafka import client_options
from schemas.project.loading import Loaded
from schemas.project.model import Project, System
from streams.errors import StreamsError

Level = Literal["ok", "warning", "error"]
PACKAGES = ("aiokafka", "asyncpg", "faust-streaming", "fastavro")


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: what it is, how it is, and what mends it where it is not well."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


async def examine(loaded: Loaded) -> AsyncIterator[Finding]:
    """Look at the environment, the broker, its topics, and every system."""
    for finding in environment():
        yield finding
    for place in loaded.warnings:
        yield Finding("warning", "project file", str(place))
    yield Finding("ok", "project file", f"{loaded.path} holds together")
    async for finding in _kafka(loaded.project):
        yield finding
    async for finding in _systems(loaded):
        yield finding


def environment() -> list[Finding]:
    """The interpreter and the packages that matter."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    supported = (3, 11) <= sys.version_info < (3, 14)
    python = f"Python {platform.python_version()} on {platform.system()}, duplex {metadata.version('duplex-sync')}"
    remedy = "" if supported else "use Python 3.11, 3.12 or 3.13"
    return [
        Finding("ok" if supported else "error", "environment", python, remedy),
        Finding("ok", "environment", versions),
    ]


async def _kafka(project: Project) -> AsyncIterator[Finding]:
    try:
        options = client_options(project.kafka)
        existing = await _existing(project, options)
        drifted = await broker.drifts(options, topics.wanted(project))
    except (broker.BrokerError, SchemasError) as error:
        yield Finding("error", "kafka", str(error), "duplex dev start, or set kafka.bootstrap")
        return
    yield Finding("ok", "kafka", f"{broker.address(options)} answers, {project.kafka.security_protocol}")
    if project.kafka.security_protocol == "PLAINTEXT" and not _local(broker.address(options)):
        yield Finding(
            "warning", "kafka", "messages travel unencrypted and unauthenticated", "set kafka.security_protocol"
        )
    if project.kafka.replication_factor == 1 and not _local(broker.address(options)):
        yield Finding("warning", "kafka", "one copy of every message is no durability", "set kafka.replication_factor")
    wanted = topics.wanted(project)
    missing = [spec.name for spec in wanted if spec.name not in existing]
    if missing:
        yield Finding(
            "error", "topics", f"{len(missing)} of {len(wanted)} are missing, first {missing[0]}", "duplex apply"
        )
    else:
        yield Finding("ok", "topics", f"all {len(wanted)} exist")
    for drift in drifted:
        for sentence in drift.sentences():
            yield Finding(
                "error" if drift.partitions else "warning", "topics", sentence, "duplex apply --reset-topic-settings"
            )


async def _existing(project: Project, options: broker.Options) -> dict[str, int]:
    async with broker.admin(options) as client:
        return await broker.partition_counts(client, (spec.name for spec in topics.wanted(project)))


def _local(address: str) -> bool:
    return all(server.rsplit(":", 1)[0] in ("localhost", "127.0.0.1", "[::1]") for server in address.split(","))


async def _systems(loaded: Loaded) -> AsyncIterator[Finding]:
    try:
        async with systems.opened(loaded.project) as connectors:
            checked = await checking.check(loaded, connectors)
            for finding in _tables(loaded.project, checked):
                yield finding
            async for problem in _installed(loaded, connectors, checked):
                yield problem
    except RefusedError as error:
        yield Finding("error", error.system, str(error), error.remedy)


def _tables(project: Project, checked: checking.Checked) -> list[Finding]:
    found = []
    for name in systems.used(project):
        if name in checked.silent:
            found.append(Finding("error", name, str(checked.silent[name]), f"look at systems.{name}"))
        else:
            count = sum(system == name for system, _ in checked.tables)
            found.append(Finding("ok", name, f"answers; {count} tables of the project seen"))
        found += _encryption(name, project.systems[name])
    found += [
        Finding(each.severity, "mapping", str(each), each.suggestion or "duplex check") for each in checked.findings
    ]
    return found


def _encryption(name: str, system: System) -> list[Finding]:
    address = urlsplit(str(system.options.get("dsn", "")))
    mode = parse_qs(address.query).get("sslmode", [os.environ.get("PGSSLMODE", "")])[0]
    if not address.hostname or _local(f"{address.hostname}:0") or mode == "verify-full":
        return []
    how = f"sslmode={mode}" if mode else "no sslmode"
    text = f"{how}: the server's identity is not verified"
    return [Finding("warning", name, text, f"add sslmode=verify-full&sslrootcert=… to systems.{name}.dsn")]


async def _installed(
    loaded: Loaded, connectors: systems.Connectors, checked: checking.Checked
) -> AsyncIterator[Finding]:
    if checked.errors or checked.silent:
        return
    entries = catalog.catalog(catalog.entry(*place, table) for place, table in checked.tables.items())
    try:
        composed = composition.compose(loaded, entries)
    except StreamsError as error:
        yield Finding("error", "mapping", str(error), "duplex check")
        return
    for name, connector in connectors.items():
        try:
            async with lent_to_check(connector, name, composed.project, composed.topics, composed.kafka):
                problems = await connector.check(composed.specs[name])
        except ConnectorsError as error:
            yield Finding("error", name, str(error), f"look at systems.{name}")
            continue
        for problem in problems:
            yield Finding("error" if problem.fatal else "warning", name, problem.what, problem.remedy)
        if not problems:
            yield Finding("ok", name, "capture is installed and enabled on every table")
