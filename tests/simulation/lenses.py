"""A small lens for tests: what it does to each field is plain to see, and it keeps the lens laws."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from operator import itemgetter
from typing import Literal

from streams.merge.lenses import LensUnit
from streams.merge.values import Row, Value, Values

Kind = Literal["plain", "upper", "trim", "round", "group", "joined"]
SEPARATOR = "|"
INVALID = "!"


@dataclass(frozen=True)
class Piece:
    """How some fields are held: `plain` as they are, `upper`, `trim` and `round` as the system can, `group` one column
    for each member, `joined` several fields in one column."""

    kind: Kind
    fields: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def alters(self) -> bool:
        """Whether the system keeps something else than what it is given."""
        return self.kind in ("upper", "trim", "round")

    def read(self, row: Row) -> dict[str, Value]:
        if self.kind == "group":
            return {self.fields[0]: tuple(row.get(column) for column in self.columns)}
        found = row.get(self.columns[0])
        if self.kind == "joined":
            parts = str(found).split(SEPARATOR) if found is not None else []
            return {name: (parts[i] or None) if i < len(parts) else None for i, name in enumerate(self.fields)}
        return {} if isinstance(found, str) and found.startswith(INVALID) else {self.fields[0]: found}

    def write(self, values: Values, row: dict[str, Value]) -> None:
        if self.kind == "joined":
            self._join(values, row)
        elif self.fields[0] not in values:
            return
        elif self.kind == "group":
            parts = values[self.fields[0]]
            row.update(
                zip(self.columns, parts if isinstance(parts, tuple) else (None,) * len(self.columns), strict=True)
            )
        else:
            row[self.columns[0]] = self.normal(values[self.fields[0]])

    def _join(self, values: Values, row: dict[str, Value]) -> None:
        if any(name in values for name in self.fields):
            both = {**self.read(row), **{name: values[name] for name in self.fields if name in values}}
            text = SEPARATOR.join(str(both[name] or "") for name in self.fields)
            row[self.columns[0]] = None if text.strip(SEPARATOR) == "" else text

    def normal(self, value: Value) -> Value:
        if self.kind == "plain" or not isinstance(value, str):
            return value
        if self.kind == "upper":
            return value.upper()
        if self.kind == "round":
            return rounded(value)
        return value.strip() if self.kind == "trim" else value


def rounded(text: str) -> str:
    """A decimal with one place, in canonical text."""
    return canonical(Decimal(text).quantize(Decimal("0.1"), ROUND_HALF_EVEN))


def canonical(number: Decimal) -> str:
    """A decimal as plain text without trailing zeros."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


@dataclass(frozen=True, eq=False)
class SimpleLens:
    """Pieces side by side; `together` names pieces that form one unit. `inward` fields are only read, `outward` only
    written. What was read and written before is remembered, for speed."""

    pieces: tuple[Piece, ...]
    together: frozenset[int] = frozenset()
    inward: frozenset[str] = frozenset()
    outward: frozenset[str] = frozenset()
    columns: tuple[str, ...] = field(init=False)
    readable: frozenset[str] = field(init=False)
    writable: frozenset[str] = field(init=False)
    units: tuple[LensUnit, ...] = field(init=False)
    unit_of: dict[str, frozenset[str]] = field(init=False)
    _cells: Callable[[Row], object] = field(init=False)
    _found: dict[object, dict[str, Value]] = field(init=False, default_factory=dict)
    _got: dict[object, dict[str, Value]] = field(init=False, default_factory=dict)
    _put: dict[tuple[object, ...], dict[str, Value]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        names = frozenset(name for piece in self.pieces for name in piece.fields)
        object.__setattr__(self, "columns", tuple(column for piece in self.pieces for column in piece.columns))
        object.__setattr__(self, "readable", names - self.outward)
        object.__setattr__(self, "writable", names - self.inward)
        object.__setattr__(self, "units", tuple(self._units()))
        unit_of = {name: frozenset(unit.fields) for unit in self.units for name in unit.fields}
        object.__setattr__(self, "unit_of", unit_of)
        object.__setattr__(self, "_cells", itemgetter(*self.columns))

    def _units(self) -> list[LensUnit]:
        joined = [piece for place, piece in enumerate(self.pieces) if place in self.together]
        single = [[piece] for place, piece in enumerate(self.pieces) if place not in self.together]
        return [
            LensUnit(
                tuple(name for piece in pieces for name in piece.fields),
                tuple(column for piece in pieces for column in piece.columns),
            )
            for pieces in ([joined] if joined else []) + single
        ]

    def _place(self, row: Row) -> object:
        """By which a row is remembered: its cells."""
        try:
            return self._cells(row)
        except KeyError:
            return tuple(map(row.get, self.columns))

    def read(self, row: Row) -> Values:
        """Every valid field that a person finds in the row, whatever its direction."""
        place = self._place(row)
        found = self._found.get(place)
        if found is None:
            found = self._found[place] = {}
            for piece in self.pieces:
                found.update(piece.read(row))
        return found

    def get(self, row: Row, names: Container[str] | None = None) -> dict[str, Value]:
        place = self._place(row)
        got = self._got.get(place)
        if got is None:
            got = {name: value for name, value in self.read(row).items() if name in self.readable}
            self._got[place] = got
        return got.copy() if names is None else {name: value for name, value in got.items() if name in names}

    def faults(self, row: Row) -> Mapping[str, str]:
        held = self.get(row)
        return {
            name: f"{piece.columns[0]} holds {row.get(piece.columns[0])!r}, which is not valid"
            for piece in self.pieces
            for name in piece.fields
            if name in self.readable and name not in held
        }

    def unwritable(self, values: Values) -> Mapping[str, str]:
        return {}

    def put(self, values: Values, row: Row | None) -> dict[str, Value]:
        place = (*values.items(), None if row is None else self._place(row))
        put = self._put.get(place)
        if put is None:
            put = self._put[place] = self._written(values, row)
        return put.copy()

    def _written(self, values: Values, row: Row | None) -> dict[str, Value]:
        written: dict[str, Value] = {column: None if row is None else row.get(column) for column in self.columns}
        known = {name: value for name, value in values.items() if name in self.writable}
        for piece in self.pieces:
            piece.write(known, written)
        return written


def plain_lens(*names: str, prefix: str = "") -> SimpleLens:
    """One column for each field."""
    return SimpleLens(tuple(Piece("plain", (name,), (prefix + name,)) for name in names))
