"""Other rules for a replay: another project file, judged by itself and against what the log can say."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from connectors.base import ColumnInfo
from duplex import composition
from duplex.composition import Composition
from duplex.replaying.folds import MisfitError
from schemas.project.columns import check_columns
from schemas.project.findings import Finding, ProjectFileError, listing, nearest
from schemas.project.loading import Loaded, load
from schemas.project.model import Entity
from streams.mapping.compiled import TableLens


def read(path: Path, present: Composition, entities: tuple[str, ...]) -> tuple[Loaded, Composition]:
    """The rules in this file, put together with the columns that are known. Raises ProjectFileError, with the place
    and the reason, for a file that is wrong in itself or asks for what the log does not have.
    """
    loaded = load(path, os.environ)
    _raise_if_any([*_against_project(loaded, present, entities)])
    known = {
        (system, entity): _known(present, system, entity) for entity in entities for system in _systems(loaded, entity)
    }
    keys = {place: present.catalog[f"{place[0]}/{place[1]}"].key for place in known}
    findings = check_columns(_only(loaded, entities), known, keys)
    _raise_if_any([finding for finding in findings if finding.severity == "error"])
    return loaded, composition.compose(_only(loaded, entities), present.catalog)


def _only(loaded: Loaded, entities: tuple[str, ...]) -> Loaded:
    """The same file with these entities alone: others may be new, and of no concern here."""
    chosen = {name: loaded.project.entities[name] for name in entities}
    project = loaded.project.model_copy(update={"entities": chosen})
    return Loaded(project, loaded.positions, loaded.path, loaded.digest, loaded.warnings)


def _raise_if_any(findings: list[Finding]) -> None:
    if findings:
        raise ProjectFileError(tuple(findings))


def _systems(loaded: Loaded, entity: str) -> Mapping[str, object]:
    return loaded.project.entities[entity].systems


def _known(present: Composition, system: str, entity: str) -> dict[str, ColumnInfo]:
    columns = present.catalog[f"{system}/{entity}"].columns
    return {name: ColumnInfo(name, type_text) for name, type_text in columns.items()}


def _against_project(loaded: Loaded, present: Composition, entities: tuple[str, ...]) -> Iterator[Finding]:
    positions = loaded.positions
    if loaded.project.pipeline != present.project.pipeline:
        yield positions.finding(
            ("pipeline",),
            f"these are rules for {loaded.project.pipeline}; the log is that of {present.project.pipeline}",
        )
    for name in entities:
        found = loaded.project.entities.get(name)
        if found is None:
            remedy = nearest(name, loaded.project.entities) or "or replay another entity with --entity"
            yield positions.finding(("entities",), f"there is no entity {name} in these rules", remedy, at_key=True)
        else:
            yield from _against_entity(loaded, present, name, found)


def _against_entity(loaded: Loaded, present: Composition, name: str, found: Entity) -> Iterator[Finding]:
    positions, held = loaded.positions, present.project.entities[name]
    if found.identity != held.identity:
        yield positions.finding(
            ("entities", name, "identity"),
            "the log is kept by record, as rows were matched when they came: other rules of identity cannot be "
            "replayed from it",
            "leave identity as it is",
        )
    for system in found.systems:
        if f"{system}/{name}" not in present.catalog:
            known = sorted(each.partition("/")[0] for each in present.catalog if each.endswith(f"/{name}"))
            yield positions.finding(
                ("entities", name, "systems", system),
                f"the log of {name} has nothing of {system}, which was never applied",
                nearest(system, known) or listing(known),
                at_key=True,
            )


def misfit(error: MisfitError, loaded: Loaded, lens: TableLens) -> ProjectFileError:
    """The place in the rules that a row image in the log does not fit."""
    record = error.record
    where = f"offset {record.offset} of {record.topic} partition {record.partition}"
    missing = sorted(set(lens.columns) - _columns(error.image))
    path: tuple[str, ...] = ("entities", lens.entity, "systems", error.system, "map")
    field = next((unit.fields[0] for unit in lens.units if set(unit.columns) & set(missing)), None)
    message = f"the row image at {where} cannot be read by these rules: {error.reason}"
    if field is not None:
        path = (*path, field)
        message = f"the log's rows lack {', '.join(missing)} at {where}, where the table did not have it yet"
    remedy = f"map it to columns that were there, or replay from a later place: --from {record.offset + 1}"
    return ProjectFileError((loaded.positions.finding(path, message, remedy),))


def _columns(image: str) -> set[str]:
    try:
        return set(msgspec.json.decode(image, type=dict[str, msgspec.Raw]))
    except msgspec.DecodeError:
        return set()
