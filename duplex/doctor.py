"""`doctor`: is everything that the pipeline stands on as it should be, and if not, what mends it."""

import os
import platform
import sys
from collections.abc import AsyncIterator
from importlib import metadata
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from connectors.base import Connector, Kind
from connectors.errors import ConnectorsError, RefusedError
from connectors.registry import kind_of
from connectors.remote.connector import RemoteConnector
from duplex import broker, catalog, checking, composition, systems, topics
from duplex.status.facts import trouble
from duplex.surroundings import lent_to_check
from schemas.errors import SchemasError
from schemas.project.findings import path_text
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
            checked = await checking.check(loaded, connectors, asking=True)
            for finding in tables(loaded.project, connectors, checked):
                yield finding
            async for problem in _installed(loaded, connectors, checked):
                yield problem
    except RefusedError as error:
        yield _failed(error.system, error)


def _failed(name: str, error: ConnectorsError) -> Finding:
    problem = trouble(name, error)
    return Finding("error", name, problem.what, problem.remedy)


def tables(project: Project, connectors: systems.Connectors, checked: checking.Checked) -> list[Finding]:
    """Which systems answered, and what is wrong with their tables and mappings, as a check that asked found it."""
    found: list[Finding] = []
    for name, connector in connectors.items():
        if name in checked.silent:
            found.append(_failed(name, checked.silent[name]))
        else:
            found += _answered(name, connector, checked)
        found += _encryption(name, project.systems[name])
    found += [
        Finding(each.severity, _subject(each.path, connectors), str(each), each.suggestion or "duplex check")
        for each in checked.findings
    ]
    return found


def _subject(path: str, connectors: systems.Connectors) -> str:
    return next((name for name in connectors if _concerns(path, name)), "mapping")


def _answered(name: str, connector: Connector, checked: checking.Checked) -> list[Finding]:
    """What was seen of a system that answered. Of an application, each page that it refused is a finding already."""
    seen = [entity for system, entity in checked.tables if system == name]
    if not isinstance(connector, RemoteConnector):
        return [Finding("ok", name, f"answers; {_counted(len(seen), 'table')} of the project seen")]
    refused = {finding.path for finding in checked.errors}
    if any(_concerns(path, name) for path in refused):
        return []
    good = [entity for entity in seen if path_text(("entities", entity, "systems", name, "table")) not in refused]
    return (
        [Finding("ok", name, f"answers; the first page of {_counted(len(good), 'resource')} was read")] if good else []
    )


def _concerns(path: str, system: str) -> bool:
    """Whether a path of the project file is a system's own settings."""
    return f"{path}.".startswith(f"systems.{system}.")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


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
            yield _failed(name, error)
            continue
        # What is wrong with a setting was told by the check of the file.
        for problem in (one for one in problems if one.setting is None):
            yield Finding("error" if problem.fatal else "warning", name, problem.what, problem.remedy)
        if not problems:
            yield Finding("ok", name, installed(kind_of(loaded.project.systems[name].connector, name)))


def installed(kind: Kind) -> str:
    """What holds of a system of this kind in which nothing is wrong."""
    if not kind.log:
        return "every resource has what the project asks of it, and is noted as one to be read"
    if not kind.writes:
        return "its topics can be read and understood; nothing is installed there"
    return "capture is installed and enabled on every table"
