"""The laws of lenses, tried on generated values: `check` refuses a mapping that breaks one, and shows where.

Randomness is a parameter, so that a counterexample can be found again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeGuard, TypeVar

from schemas.project.column_types import ColumnType
from schemas.project.model import FieldRule
from streams.mapping.conversions import canonical
from streams.mapping.fields import FieldLens
from streams.mapping.parts import ColumnPart, Part
from streams.merge.values import Row, Value, Values

T = TypeVar("T")


class Randomness(Protocol):
    """What a `random.Random` offers, as far as it is needed here."""

    def choice(self, seq: Sequence[T], /) -> T: ...

    def randint(self, a: int, b: int, /) -> int: ...


class Table(Protocol):
    """A lens with what the laws need beside it: column types, fields, and the way into row images and back."""

    @property
    def system(self) -> str: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def kinds(self) -> Mapping[str, ColumnType]: ...

    @property
    def fields(self) -> Sequence[FieldLens]: ...

    def get(self, row: Row) -> dict[str, Value]: ...

    def put(self, values: Values, row: Row | None) -> dict[str, Value]: ...

    def load(self, text: str) -> dict[str, Value]: ...

    def dump(self, row: Row) -> str: ...

    def normalise(self, column: str, value: object) -> Value: ...


def counterexample(lens: Table, randomness: Randomness, rounds: int = 200) -> str | None:
    """A case in which the lens breaks a law, told for a person; None if none is found in so many rounds.

    The laws: putting back what was got changes nothing; putting twice is putting once; what was put is shown as
    such; a row image written and read again is the same row.
    """
    for _ in range(rounds):
        row, values = sample_row(lens, randomness), sample_values(lens.fields, randomness)
        for law in (_put_back, _put_twice, _image):
            if (found := law(lens, row, values)) is not None:
                return f"{lens.system}: {found}"
    return None


def _put_back(lens: Table, row: Row, values: Values) -> str | None:
    back = lens.put(lens.get(row), row)
    return _difference("reading a row and writing it back changes it", row, back)


def _put_twice(lens: Table, row: Row, values: Values) -> str | None:
    for base in (row, None):
        once = lens.put(values, base)
        again = f"writing {_told(values)} a second time changes the row again"
        if (found := _difference(again, once, lens.put(values, once))) is not None:
            return found
        if (found := _put_back(lens, once, values)) is not None:
            return f"after writing {_told(values)}, {found}"
    return None


def _image(lens: Table, row: Row, values: Values) -> str | None:
    return _difference("a row image does not hold the row", row, lens.load(lens.dump(row)))


def _difference(what: str, was: Row, now: Row) -> str | None:
    changed = [
        f"column {column} from {was[column]!r} to {now[column]!r}" for column in was if was[column] != now[column]
    ]
    return f"{what}: {', '.join(changed)}" if changed else None


def flapping(first: Table, second: Table, randomness: Randomness, rounds: int = 200) -> str | None:
    """A value that two systems pass to and fro without end, told for a person; None if none is found.

    A value goes to `second` and is read there, goes to `first` and is read there: after one such round it must
    stay as it is, or every edit would grow, shrink or swing for ever.
    """
    for _ in range(rounds):
        values = sample_values([*first.fields, *second.fields], randomness)
        for rows in ((None, None), (sample_row(first, randomness), sample_row(second, randomness))):
            once = _there_and_back(first, second, values, rows)
            twice = _there_and_back(first, second, once, rows)
            for field in sorted(once.keys() & twice.keys()):
                if once[field] != twice[field]:
                    return (
                        f"{field} does not come to rest between {first.system} and {second.system}: "
                        f"{values.get(field)!r} becomes {once[field]!r}, then {twice[field]!r}"
                    )
    return None


def _there_and_back(
    first: Table, second: Table, values: Values, rows: tuple[Row | None, Row | None]
) -> dict[str, Value]:
    there = {**values, **second.get(second.put(values, rows[1]))}
    return {**there, **first.get(first.put(there, rows[0]))}


def _told(values: Values) -> str:
    return ", ".join(f"{field} = {value!r}" for field, value in values.items())


WORDS = ("", "Anna", "Maria", "Lopez", "ß", "İ", "é", "O'Neil", "van", "x" * 40, "\t", "Ünal-Öz", "安", "null")
INTEGERS = (0, 1, -1, 7, 255, -32768, 32767, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1)
DECIMALS = ("0", "0.1", "-0.005", "1.005", "2.675", "99.995", "12345.6789", "-1", "1000000", "0.000001", "7.5")
FLOATS = (0.0, 0.1, -1.5, 1e-300, 3.4e38, 16777217.0, 1 / 3, "NaN", "-Infinity")
DATES = ("2024-02-29", "1999-12-31", "2000-01-01", "0987-06-05", "9999-12-31", "1969-07-20", "infinity")
CLOCKS = ("00:00:00", "02:30:00", "23:59:59.999999", "12:00:00.5", "02:30:00.125", "10:15:00")
DAYS_OF_CHANGE = ("2024-03-31", "2024-10-27", "2000-02-28", "1970-01-01")


def sample_values(fields: Sequence[FieldLens], randomness: Randomness) -> dict[str, Value]:
    """A value for each of these fields, as canonical values are."""
    return {one.name: _field_value(one, randomness) for one in fields}


def _field_value(one: FieldLens, randomness: Randomness) -> Value:
    if one.rule.group is not None:
        return tuple(_member_value(one, place, randomness) for place in range(len(one.rule.group)))
    return _member_value(one, 0, randomness)


def _member_value(one: FieldLens, place: int, randomness: Randomness) -> Value:
    chance = randomness.randint(0, 9)
    if chance == 0:
        return None
    meanings = next((part.conversion.meanings for part in one.parts if _is_column(part, place)), ())
    return randomness.choice(meanings) if meanings and chance > 1 else _CANONICAL[one.rule.type](randomness)


def sample_value(rule: FieldRule, randomness: Randomness) -> Value:
    """A canonical value of a field, whether a system maps it or not; sometimes none."""

    def member() -> Value:
        return None if randomness.randint(0, 9) == 0 else _CANONICAL[rule.type](randomness)

    return canonical(rule, member() if rule.group is None else [member() for _ in rule.group])


def _is_column(part: Part, place: int) -> TypeGuard[ColumnPart]:
    return isinstance(part, ColumnPart) and part.places == (place,)


def sample_row(lens: Table, randomness: Randomness) -> dict[str, Value]:
    """A row such as the table may hold, in normal form."""
    row = {column: _column_value(kind, randomness) for column, kind in lens.kinds.items()}
    # Half of the rows show values that a mapping wrote: codes and formats are not met by chance.
    if randomness.randint(0, 1):
        row = lens.put(sample_values(lens.fields, randomness), row)
    return {column: lens.normalise(column, value) for column, value in row.items()}


def _column_value(kind: ColumnType, randomness: Randomness) -> Value:
    if randomness.randint(0, 9) == 0:
        return None
    if kind.kind == "array" and kind.item is not None:
        return tuple(_column_value(kind.item, randomness) for _ in range(randomness.randint(0, 3)))
    if kind.kind == "integer":
        limit = 1 << (kind.bits - 1)
        return randomness.choice([number for number in INTEGERS if -limit <= number < limit])
    value = _COLUMNS[kind.kind](randomness)
    return value[: kind.length] if isinstance(value, str) and kind.length is not None else value


def _text(randomness: Randomness) -> str:
    count = randomness.randint(1, 4)
    return randomness.choice((" ", " ", "  ", ", ")).join(randomness.choice(WORDS) for _ in range(count))


def _instant(randomness: Randomness) -> str:
    return f"{_local(randomness)}Z"


def _local(randomness: Randomness) -> str:
    return f"{randomness.choice((*DAYS_OF_CHANGE, *DATES[:3]))}T{randomness.choice(CLOCKS)}"


def _hex(randomness: Randomness) -> str:
    return "".join(f"{randomness.randint(0, 255):02x}" for _ in range(randomness.randint(0, 4)))


def _uuid(randomness: Randomness) -> str:
    digits = "".join(f"{randomness.randint(0, 15):x}" for _ in range(32))
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _json(randomness: Randomness) -> str:
    return randomness.choice(('{"a":[1,2.5,"x"],"b":null}', "[]", "1.5", '"text"', '{"n":12345678901234567890.5}'))


def _list(randomness: Randomness) -> Value:
    return tuple(randomness.choice(("a", "b,c", "", "{}")) for _ in range(randomness.randint(0, 3)))


Sample = Callable[[Randomness], Value]
_SHARED: dict[str, Sample] = {
    "date": lambda randomness: randomness.choice(DATES),
    "boolean": lambda randomness: randomness.choice((True, False)),
    "float": lambda randomness: randomness.choice(FLOATS),
    "uuid": _uuid,
    "json": _json,
}
_CANONICAL: dict[str, Sample] = {
    **_SHARED,
    "string": _text,
    "integer": lambda randomness: randomness.choice(INTEGERS),
    "decimal": lambda randomness: randomness.choice(DECIMALS),
    "datetime": _instant,
    "bytes": _hex,
    "list": _list,
}
_COLUMNS: dict[str, Sample] = {
    **_SHARED,
    "text": _text,
    "opaque": lambda randomness: randomness.choice(WORDS[1:4]),
    "numeric": lambda randomness: randomness.choice(DECIMALS),
    "timestamp": _local,
    "timestamptz": _instant,
    "time": lambda randomness: randomness.choice(CLOCKS),
    "bytea": _hex,
}
