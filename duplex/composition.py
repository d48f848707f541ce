"""A project put together: file and catalog made into what sources, processors and sinks take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from connectors.base import Removal, TableSpec
from duplex import broker, catalog, policies, systems, topics
from duplex.epochs import Epochs, Known, golden_schemas
from schemas.goldens import GoldenCodec
from schemas.identifiers import record_of_key, row_key
from schemas.messages import Change, Epoch, Result
from schemas.project import epochs as rules_as_text
from schemas.project.kafka import client_options
from schemas.project.loading import Loaded
from schemas.project.model import Mode, Project
from schemas.topics import Topics
from streams.mapping.compiled import TableLens
from streams.mapping.functions import Functions
from streams.mapping.rules import compile_epoch, compile_rules, table_units
from streams.merge.rules import Rules

Route = Callable[[Change], tuple[str, bytes]]
ResultRoute = Callable[[Result], tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Composition:
    """Everything the parts of a pipeline are made from. `rules` by entity, `specs` by system.

    `functions` are the project's policy functions; `texts` the rules as text, by entity; `epochs` what was applied.
    """

    project: Project
    topics: Topics
    catalog: catalog.Catalog
    rules: Mapping[str, Rules]
    specs: Mapping[str, tuple[TableSpec, ...]]
    kafka: broker.Options
    functions: Functions = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    epochs: Epochs = field(default_factory=dict)
    folder: Path = Path()

    def compile(self, epoch: Epoch) -> Rules:
        """The rules of an epoch met in a record log. Raises RulesTextError, MappingError, PolicyError.

        An epoch that was applied while this process ran may name functions whose files were changed for it: then they
        are read anew.
        """
        wanted, known = rules_as_text.read(epoch.rules).functions, self.functions
        if wanted.items() - policies.digests(known).items():
            known = policies.load(self.folder)
        return compile_epoch(epoch, known)

    def golden_codec(self, entity: str) -> GoldenCodec:
        """What reads the merged records of an entity, those of earlier epochs among them."""
        pipeline = self.project.pipeline
        earlier = golden_schemas(pipeline, entity, self.epochs.get(entity, Known()))
        return GoldenCodec(pipeline, entity, self.project.entities[entity], earlier)

    def lens(self, entity: str, system: str) -> TableLens:
        """The mapping of an entity in one system."""
        found = self.rules[entity].lenses[system]
        assert isinstance(found, TableLens)
        return found

    def route(self) -> Route:
        """Where a source's changes go: see `route`."""
        return route(self.project, self.topics)

    def result_route(self) -> ResultRoute:
        """Where a sink's answers go: see `result_route`."""
        return result_route(self.project, self.topics)


def compose(loaded: Loaded, found: catalog.Catalog, epochs: Epochs | None = None) -> Composition:
    """The composition of a project whose every table is in the catalog, by the rules that its file says.

    Raises CatalogMissingError, MappingError for a table that no longer fits the file, and PolicyError.
    """
    return _composed(loaded, found, epochs or {}, {})


async def composed(loaded: Loaded) -> Composition:
    """The composition of a project by the rules that were applied, whatever its file says by now.

    A process that starts while somebody edits the file goes on by the rules that the others have. What is no rule
    (Kafka's settings, a system's connection) is the file's. Raises BrokerError, CatalogMissingError, MappingError,
    PolicyError.
    """
    topic = topics.names(loaded.project).catalog
    whole = await catalog.read_whole(client_options(loaded.project.kafka), topic)
    applied = {
        name: known.applied.rules
        for name, known in whole.epochs.items()
        if known.applied is not None and name in loaded.project.entities
    }
    entities = {name: rules_as_text.read(text).entity for name, text in applied.items()}
    project = loaded.project.model_copy(update={"entities": {**loaded.project.entities, **entities}})
    return _composed(replace(loaded, project=project), whole.tables, whole.epochs, applied)


def _composed(loaded: Loaded, found: catalog.Catalog, epochs: Epochs, applied: Mapping[str, str]) -> Composition:
    project, names = loaded.project, topics.names(loaded.project)
    catalog.require(found, project, names.catalog)
    functions = policies.of_project(project, loaded.path.parent)
    texts = {**rules_texts(project, found, functions), **applied}
    rules = {name: _rules(name, text, epochs.get(name, Known()), functions) for name, text in texts.items()}
    specs = {system: _specs(project, system, rules) for system in systems.used(project)}
    kafka = client_options(project.kafka)
    return Composition(project, names, found, rules, specs, kafka, functions, texts, epochs, loaded.path.parent)


def _rules(name: str, text: str, known: Known, functions: Functions) -> Rules:
    """Compiled from the text, as the processors do it: what the text lacks, nobody has."""
    applied = known.applied
    number = applied.number if applied is not None and applied.rules == text else 0
    held = rules_as_text.read(text)
    return compile_rules(name, held.entity, held.columns, functions, number, held.functions)


def rules_texts(project: Project, found: catalog.Catalog, functions: Functions) -> dict[str, str]:
    """The rules of every entity as text."""
    digests = policies.digests(functions)
    return {
        name: rules_as_text.rules_text(project, name, catalog.columns(found, project, name), digests)
        for name in project.entities
    }


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


def result_route(project: Project, names: Topics) -> ResultRoute:
    """The topic and the key of each answer of a system without a log.

    It goes the way of its row's looks, so that the row it made is linked before they come; where there is no row, or
    the record is known at the source, straight to the record.
    """
    keyed = {name for name, entity in project.entities.items() if entity.identity == "key"}

    def to(result: Result) -> tuple[str, bytes]:
        if result.local_id is None or result.entity in keyed:
            return names.records(result.entity), result.record_id.encode()
        return names.changes(result.system, result.entity), row_key(result.system, result.local_id)

    return to


def sink_group(pipeline: str, system: str) -> str:
    """The consumer group that carries out the commands for a system."""
    return f"{pipeline}.sink.{system}"
