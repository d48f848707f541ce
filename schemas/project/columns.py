"""The project file against the systems' own columns: what would be refused, lost or left unfilled."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from schemas.project import column_types
from schemas.project.column_types import ColumnType
from schemas.project.findings import Finding, Path, listing, nearest
from schemas.project.model import Column, Entity, EntitySystem, FieldRule, Mode, Scalar, Single
from schemas.project.positions import Positions

if TYPE_CHECKING:
    from schemas.project.loading import Loaded


class ColumnDescription(Protocol):
    """A column as the system's catalog describes it; `values` are an enum's labels. Connectors have such a type."""

    @property
    def type(self) -> str: ...

    @property
    def nullable(self) -> bool: ...

    @property
    def has_default(self) -> bool: ...

    @property
    def generated(self) -> bool: ...


Columns = Mapping[str, ColumnDescription]
Catalog = Mapping[tuple[str, str], Columns]
Keys = Mapping[tuple[str, str], tuple[str, ...]]


def check_columns(loaded: "Loaded", catalog: Catalog, keys: Keys | None = None) -> list[Finding]:
    """What does not fit between the file and the tables found, errors and warnings, in the file's order.

    `catalog` has the columns of every table found, by (system, entity); `keys` the tables' key columns where they
    are known. A table that is absent from `catalog` is itself an error.
    """
    findings: list[Finding] = []
    for name, entity in loaded.project.entities.items():
        for system, held in entity.systems.items():
            place = _Place(name, entity, system, held, loaded.positions, catalog.get((system, name)) or {})
            if not place.columns:
                message = f"{system} has no table {held.table}, or it cannot be seen"
                findings.append(place.positions.finding((*place.base, "table"), message))
                continue
            key = tuple(held.key or (keys or {}).get((system, name), ()))
            for part in (
                _keys(place),
                _maps(place),
                _constants(place),
                _filters(place),
                _inactive(place, key),
                _creates(place, key),
            ):
                findings += part
    return findings


class _Place:
    """One entity in one system: what is declared, what was found, and where the file says so."""

    def __init__(
        self, name: str, entity: Entity, system: str, held: EntitySystem, positions: Positions, columns: Columns
    ) -> None:
        self.entity, self.system, self.held = entity, system, held
        self.positions, self.columns = positions, columns
        self.base: Path = ("entities", name, "systems", system)
        self.mode = entity.on_delete.modes.get(system, Mode())
        self.on_delete: Path = ("entities", name, "on_delete", system)

    def unknown(self, path: Path, column: str, *, at_key: bool = False) -> Finding:
        remedy = nearest(column, self.columns) or listing(self.columns)
        message = f"{self.held.table} of {self.system} has no column {column}"
        return self.positions.finding(path, message, remedy, at_key=at_key)

    def error(self, path: Path, message: str, suggestion: str | None = None) -> Finding:
        return self.positions.finding(path, message, suggestion)

    def warning(self, path: Path, message: str, suggestion: str | None = None) -> Finding:
        return self.positions.finding(path, message, suggestion, severity="warning")


def _keys(place: _Place) -> Iterator[Finding]:
    for index, column in enumerate(place.held.key or ()):
        path = (*place.base, "key", index)
        if column not in place.columns:
            yield place.unknown(path, column)
        elif place.columns[column].nullable:
            yield place.error(path, f"column {column} may be null, so it cannot tell rows apart")


def _maps(place: _Place) -> Iterator[Finding]:
    for inner, single in place.held.singles():
        path = (*place.base, "map", *inner)
        rule = place.entity.fields.get(inner[0])
        for index, column in enumerate(single.columns):
            here = _column_path(single, path, index, place.positions)
            if column not in place.columns:
                yield place.unknown(here, column)
                continue
            if place.columns[column].generated and single.direction != "in":
                yield place.error(here, f"column {column} is generated and cannot be written", "set direction: in")
            if rule is not None:
                yield from _fit(place, rule, single, column, here)


def _column_path(single: Single, path: Path, index: int, positions: Positions) -> Path:
    steps: dict[str, Path] = {"Join": ("join", index), "Split": ("split",), "Column": ("column",)}
    whole = (*path, *steps[type(single).__name__])
    return whole if whole in positions.values else path


def _fit(place: _Place, rule: FieldRule, single: Single, column: str, path: Path) -> Iterator[Finding]:
    found = place.columns[column]
    kind = column_types.parse(found.type)
    if isinstance(single, Column) and single.values is not None:
        yield from _codes(place, single, single.values, kind, getattr(found, "values", ()), path)
        return
    allowed = frozenset({"text", "opaque"}) if not isinstance(single, Column) else column_types.HOLDS[rule.type]
    if kind.kind not in allowed:
        remedy = _remedy(kind)
        yield place.error(path, f"column {column} is {found.type}, which cannot hold a {rule.type}", remedy)
        return
    if isinstance(single, Column):
        yield from _options(place, rule, single, kind, path)
        lost = column_types.loss(rule.type, kind) or _scale_loss(rule, kind)
        if lost and single.direction != "in":
            beside = "; of what the sum's edits add, it does not show the rest" if rule.on_conflict == "sum" else ""
            yield place.warning(path, f"column {column} is {found.type}: {lost}{beside}")


def _remedy(kind: ColumnType) -> str | None:
    """The field type that such a column is made for."""
    made_for = {
        "integer": "integer", "numeric": "decimal", "float": "float", "boolean": "boolean", "text": "string",
        "date": "date", "timestamp": "datetime", "timestamptz": "datetime", "uuid": "uuid", "json": "json",
        "bytea": "bytes", "array": "list", "time": "string", "opaque": "string",
    }  # fmt: skip
    return f"a field of type {made_for[kind.kind]} fits, or a table of values"


def _scale_loss(rule: FieldRule, kind: ColumnType) -> str | None:
    if rule.places is None or kind.scale is None or kind.scale >= rule.places:
        return None
    return f"the field keeps {rule.places} decimal places, and the column {kind.scale}"


def _options(place: _Place, rule: FieldRule, single: Column, kind: ColumnType, path: Path) -> Iterator[Finding]:
    if single.format is not None and kind.kind != "text":
        yield place.error(path, f"format is for text columns, and {single.column} is {kind.text}")
    zoned = {"datetime": ("timestamp", "date", "text"), "date": ("timestamptz",)}.get(rule.type, ())
    if single.zone is not None and kind.kind not in zoned:
        yield place.error(path, f"zone has no meaning for a {rule.type} in a column of type {kind.text}")
    text_options = [name for name in ("trim", "case", "length") if getattr(single, name)]
    if text_options and kind.kind != "text":
        yield place.error(path, f"{', '.join(text_options)} is for text columns, and {single.column} is {kind.text}")


def _codes(
    place: _Place, single: Column, table: Mapping[str, object], kind: ColumnType, labels: tuple[str, ...], path: Path
) -> Iterator[Finding]:
    if kind.kind not in column_types.CODES:
        yield place.error(path, f"a table of values does not go with a column of type {kind.text}")
        return
    wanted = {"integer": int, "boolean": bool}.get(kind.kind, str)
    base = path[:-1] if path[-1] == "column" else path
    for canonical, code in table.items():
        here = (*base, "values", canonical)
        if type(code) is not wanted:
            remedy = "write it in quotes" if wanted is str else None
            yield place.error(here, f"the code is no value of a column of type {kind.text}", remedy)
        elif labels and code not in labels:
            remedy = nearest(str(code), labels) or listing(labels)
            yield place.error(here, f"{kind.text} has no label {code}", remedy)


def _constants(place: _Place) -> Iterator[Finding]:
    for column in place.held.constants:
        path = (*place.base, "constants", column)
        if column not in place.columns:
            yield place.unknown(path, column, at_key=True)
        elif place.columns[column].generated:
            yield place.error(path, f"column {column} is generated and cannot be written")
        elif place.held.constants[column] is None and not place.columns[column].nullable:
            yield place.error(path, f"column {column} may not be null")


def _filters(place: _Place) -> Iterator[Finding]:
    mapped = {column for _, single in place.held.singles() for column in single.columns}
    filled = mapped | set(place.held.constants)
    for index, one in enumerate(place.held.filter):
        path = (*place.base, "filter", index, "column")
        if one.column not in place.columns:
            yield place.unknown(path, one.column)
        elif one.column not in filled and not place.columns[one.column].has_default:
            message = f"rows that duplex creates have no {one.column}, so they would not pass this filter"
            yield place.warning(path, message, f"add {one.column} to constants")


_CODED: dict[column_types.Kind, type] = {"integer": int, "numeric": int, "float": int, "boolean": bool}


def _inactive(place: _Place, key: tuple[str, ...]) -> Iterator[Finding]:
    """The column that marks deleted rows: it is there, can be written, and can hold both values."""
    column, path = place.mode.column, (*place.on_delete, "inactive")
    if column is None:
        return
    found = place.columns.get(column)
    if found is None:
        yield place.unknown((*path, "column"), column)
    elif found.generated:
        yield place.error((*path, "column"), f"column {column} is generated and cannot be written")
    elif column in key and not place.held.key:
        yield place.error((*path, "column"), f"column {column} is part of the key")
    else:
        yield from _marks(place, found, "value", place.mode.value, path)
        yield from _marks(place, found, "restore", place.mode.restore, path)


def _marks(place: _Place, found: ColumnDescription, option: str, given: Scalar | None, path: Path) -> Iterator[Finding]:
    kind, labels = column_types.parse(found.type), getattr(found, "values", ())
    if given is None:
        if not found.nullable:
            yield place.error((*path, option), f"column {place.mode.column} may not be null")
    elif type(given) is not _CODED.get(kind.kind, str):
        remedy = "write it in quotes" if kind.kind not in _CODED else None
        yield place.error((*path, option), f"is no value of a column of type {found.type}", remedy)
    elif labels and given not in labels:
        remedy = nearest(str(given), labels) or listing(labels)
        yield place.error((*path, option), f"{found.type} has no label {given}", remedy)


def _creates(place: _Place, key: tuple[str, ...]) -> Iterator[Finding]:
    """Columns that a created row must fill. Shared keys are filled from the record's own key.

    Where every field is read alone, the system is told nothing, and no row is created in it.
    """
    writers = {column: inner for inner, one in place.held.singles() if one.direction != "in" for column in one.columns}
    if not writers:
        return
    given = set(place.held.constants) | (set(key) if place.entity.identity == "key" else set()) | {place.mode.column}
    for column, found in place.columns.items():
        if found.nullable or found.has_default or found.generated or column in given:
            continue
        if column not in writers:
            unsure = place.entity.identity == "key" and not key
            message = f"column {column} may not be null, has no default, and nothing fills it when a row is created"
            report = place.warning if unsure else place.error
            yield report((*place.base, "map"), message, f"map it, or add {column} to constants")
        elif (rule := place.entity.fields.get(writers[column][0])) is not None and not rule.required:
            message = f"column {column} may not be null, but {writers[column][0]} is not required"
            yield place.warning((*place.base, "map", *writers[column]), message)
