"""`apply`: topics, the rules' epochs, each system's installation, and the catalog; and its opposite.

The order matters: capture starts when a system is installed, and must find its topics, and in them the rules that hold
from there on; children start when the catalog is there, and must find everything else.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from connectors.base import Connector
from connectors.errors import ConnectorsError
from duplex import broker, catalog, checking, composition, epochs, surroundings, systems, topics
from duplex.epochs import Begun
from duplex.errors import DuplexError
from schemas.project.findings import ProjectFileError
from schemas.project.kafka import client_options
from schemas.project.loading import Loaded

Say = Callable[[str], None]


@dataclass(slots=True)
class Applied:
    """What `apply` did, and what it found different and left alone."""

    topics: list[str] = field(default_factory=list)
    epochs: list[Begun] = field(default_factory=list)
    systems: dict[str, list[str]] = field(default_factory=dict)
    catalog: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class PartitionsDifferError(DuplexError):
    """Topics whose partition count is not the project's: keys would not stay together."""

    def __init__(self, pipeline: str, sentences: list[str]) -> None:
        super().__init__(
            "nothing was applied",
            f"topics of {pipeline}",
            "; ".join(sentences),
            "Set kafka.partitions to what the topics have, or choose another pipeline name.",
        )


async def apply(
    loaded: Loaded, *, reset_settings: bool, say: Say, applied_by: str = "", resolve: bool = True
) -> Applied:
    """Make everything ready for `run`. May be repeated; says only what it did.

    `resolve`: open conflicts are decided by new rules that no longer leave them to a person. Raises ProjectFileError
    for what does not fit the tables, BrokerError, UnreachableError, PartitionsDifferError, MappingError, PolicyError.
    """
    async with systems.opened(loaded.project) as connectors:
        say("reading the tables of each system")
        checked = await checking.check(loaded, connectors)
        _raise_if_wrong(checked)
        entries = catalog.catalog(catalog.entry(*place, table) for place, table in checked.tables.items())
        composed = composition.compose(loaded, entries)
        done = Applied(warnings=[str(finding) for finding in checked.findings])
        await _topics(loaded, done, reset_settings, say)
        writing = epochs.Writing(applied_by, time.time_ns() // 1000, resolve)
        done.epochs = await _epochs(composed, done.topics, writing)
        for name, connector in connectors.items():
            say(f"installing in {name}")
            async with surroundings.lent(connector, name, loaded.project, composed.topics, composed.kafka):
                done.systems[name] = list(await connector.install(composed.specs[name]))
                done.systems[name] += await _restart(connector, composed, name, done.topics)
        topic = topics.names(loaded.project).catalog
        done.catalog = await catalog.write(composed.kafka, topic, entries.values())
    return done


async def _restart(
    connector: Connector, composed: composition.Composition, system: str, created: Collection[str]
) -> list[str]:
    """Begin anew with entities whose log was just created: offsets known here belong to a log that is gone."""
    known = [spec.entity for spec in composed.specs[system]]
    anew = [entity for entity in known if composed.topics.records(entity) in created]
    if not anew:
        return []
    await connector.restart(anew)
    return [f"every row of {entity} will be read" for entity in anew]


async def _epochs(composed: composition.Composition, created: Collection[str], writing: epochs.Writing) -> list[Begun]:
    whole = await catalog.read_whole(composed.kafka, composed.topics.catalog)
    return await epochs.write(composed.kafka, composed.topics, composed.texts, whole.epochs, created, writing)


def _raise_if_wrong(checked: checking.Checked) -> None:
    for error in checked.silent.values():
        raise error
    if checked.errors:
        raise ProjectFileError(tuple(checked.errors))


async def _topics(loaded: Loaded, done: Applied, reset_settings: bool, say: Say) -> None:
    say("comparing topics")
    options = client_options(loaded.project.kafka)
    wanted = topics.wanted(loaded.project)
    drifted = await broker.drifts(options, wanted)
    apart = [line for drift in drifted if drift.partitions for line in drift.sentences()]
    if apart:
        raise PartitionsDifferError(loaded.project.pipeline, apart)
    done.topics = await broker.create_missing(options, wanted, loaded.project.kafka.replication_factor)
    done.drift = [line for drift in drifted for line in drift.sentences()]
    if reset_settings and drifted:
        await broker.reset(options, drifted)


async def uninstall(loaded: Loaded, *, with_topics: bool) -> dict[str, list[str]]:
    """Take away what `apply` installed: what was done, by system (and "kafka", if topics go too).

    A system that cannot be reached does not keep the others from being cleaned; its error is raised at the end.
    """
    names, kafka = topics.names(loaded.project), client_options(loaded.project.kafka)
    async with systems.opened(loaded.project) as connectors:

        async def one(name: str, connector: Connector) -> list[str]:
            async with surroundings.lent_if_there(connector, name, loaded.project, names, kafka) as lent:
                return list(await connector.uninstall()) if lent else []

        results = await systems.each(connectors, one)
    done = {name: result for name, result in results.items() if not isinstance(result, ConnectorsError)}
    if with_topics:
        deleted = await broker.delete(kafka, [spec.name for spec in topics.wanted(loaded.project)])
        done["kafka"] = [f"deleted topic {name}" for name in deleted]
    for result in results.values():
        if isinstance(result, ConnectorsError):
            raise result
    return done
