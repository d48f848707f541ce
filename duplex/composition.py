"""A project put together: file and catalog made into what sources, processors and sinks take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from connectors.base import Removal, TableSpec
from duplex import broker, catalog, systems, topics
from schemas.identifiers import record_of_key, row_key
from schemas.messages import Change
from schemas.project.kafka import client_options
from schemas.project.loading import Loaded
from schemas.project.model import Mode, Project
from schemas.topics import Topics
from streams.mapping.compiled import TableLens
from streams.mapping.rules import compile_rules, table_units
from streams.merge.rules import Rules

Route = Callable[[Change], tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Composition:
    """Everything the parts of a pipeline are made from. `rules` by entity, `specs` by system."""

    project: Project
    topics: Topics
    catalog: catalog.Catalog
    rules: Mapping[str, Rules]
    specs: Mapping[str, tuple[TableSpec, ...]]
    kafka: broker.Options

    def lens(self, entity: str, system: str) -> TableLens:
        """The mapping of an entity in one system."""
        found = self.rules[entity].lenses[system]
        assert isinstance(found, TableLens)
        return found

    def route(self) -> Route:
        """Where a source's changes go: see `route`."""
        return route(self.project, self.topics)


def compose(loaded: Loaded, found: catalog.Catalog) -> Composition:
    """The composition of a project whose every table is in the catalog.

    Raises CatalogMissingError, and MappingError for a table that no longer fits the file.
    """
    project, names = loaded.project, topics.names(loaded.project)
    catalog.require(found, project, names.catalog)
    rules = {
        name: compile_rules(name, entity, catalog.columns(found, project, name))
        for name, entity in project.entities.items()
    }
    specs = {system: _specs(project, system, rules) for system in systems.used(project)}
    return Composition(project, names, found, rules, specs, client_options(project.kafka))


async def composed(loaded: Loaded) -> Composition:
    """The composition of a project that was applied. Raises BrokerError, CatalogMissingError, MappingError."""
    names = topics.names(loaded.project)
    return compose(loaded, await catalog.read(client_options(loaded.project.kafka), names.catalog))


def _specs(project: Project, system: str, rules: Mapping[str, Rules]) -> tuple[TableSpec, ...]:
    found = []
    for name, entity in project.entities.items():
        held = entity.systems.get(system)
        lens = rules[name].lenses.get(system)
        if held is not None and isinstance(lens, TableLens):
            key = tuple(held.key) if held.key else None
            match = tuple(column for field in entity.match for column in _columns(lens, field))
            spec = TableSpec(name, held.table, lens.columns, table_units(lens), key, dict(held.constants), match)
            found.append(replace(spec, removal=removal(entity.on_delete.modes.get(system, Mode()))))
    return tuple(found)


def removal(mode: Mode) -> Removal:
    """How a system carries a delete out. One that ignores deletes is sent none."""
    if mode.kind == "inactive":
        return Removal("inactive", column=mode.column, value=mode.value, restore=mode.restore)
    return Removal("archive", archive=mode.table) if mode.kind == "archive" else Removal()


def _columns(lens: TableLens, field: str) -> tuple[str, ...]:
    return next((unit.columns for unit in lens.units if field in unit.fields), ())


def route(project: Project, names: Topics) -> Route:
    """The topic and the key of each change.

    Where all systems share the primary key, the record is known at the source and the change goes straight to the
    record log; elsewhere it goes to the changes topic, under the key that the row had *before* the change, so that
    a change of its key stays in order with what came before.
    """
    keyed = {name for name, entity in project.entities.items() if entity.identity == "key"}

    def to(change: Change) -> tuple[str, bytes]:
        local = change.local_id if change.before_id is None else change.before_id
        if change.entity in keyed:
            return names.records(change.entity), record_of_key(change.entity, local).encode()
        return names.changes(change.system, change.entity), row_key(change.system, local)

    return to


def sink_group(pipeline: str, system: str) -> str:
    """The consumer group that carries out the commands for a system."""
    return f"{pipeline}.sink.{system}"
