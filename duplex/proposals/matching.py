"""Which tables and columns of two systems seem to mean the same: a proposal for a person to correct, never more."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import msgspec

SIMILAR = 0.78
LEAST_COLUMNS = 2
SURROGATES = frozenset({"N", "U"})
# Words for one thing, first the canonical one.
SYNONYMS = (
    ("email", "mail", "e_mail", "email_address", "mail_address"),
    ("phone", "tel", "telephone", "phone_number", "tel_no"),
    ("name", "full_name", "display_name"),
    ("street", "addr1", "address1", "address_line1", "street_address", "line1"),
    ("city", "town", "locality"),
    ("zip", "postcode", "postal_code", "zipcode", "zip_code"),
    ("country", "country_code"),
    ("status", "state"),
    ("company", "organisation", "organization", "company_name"),
    ("birthday", "born", "born_on", "birth_date", "date_of_birth", "dob"),
    ("credit", "credit_limit"),
    ("notes", "note", "remark", "remarks", "comment", "comments"),
)
CANONICAL = {word: words[0] for words in SYNONYMS for word in words}


class ColumnFound(msgspec.Struct, frozen=True):
    """A column of a table: `base` is Postgres' type category (S text, N number, D time, U uuid and others …)."""

    name: str
    type: str
    base: str
    unique: bool = False
    generated: bool = False


@dataclass(frozen=True, slots=True)
class TableFound:
    """A table of a system."""

    system: str
    name: str
    columns: tuple[ColumnFound, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldProposal:
    """A canonical field and the column that holds it in each of the two tables."""

    name: str
    type: str
    columns: tuple[ColumnFound, ColumnFound]
    likeness: float


@dataclass(frozen=True, slots=True)
class EntityProposal:
    """Two tables that seem to hold the same kind of record. `identity`: key, a field's name, or nothing found."""

    name: str
    tables: tuple[TableFound, TableFound]
    fields: tuple[FieldProposal, ...]
    identity: str | None


def propose(left: Sequence[TableFound], right: Sequence[TableFound]) -> list[EntityProposal]:
    """The best pairs of tables, each table in one pair at most, best first."""
    pairs = [(_weight(one, other, fields), one, other, fields) for one, other, fields in _candidates(left, right)]
    pairs.sort(key=lambda pair: (-pair[0], pair[1].name, pair[2].name))
    taken: set[tuple[str, str]] = set()
    chosen = []
    for _, one, other, fields in pairs:
        names = {(one.system, one.name), (other.system, other.name)}
        if not names & taken:
            taken |= names
            chosen.append(EntityProposal(_entity(one), (one, other), fields, _identity(one, other, fields)))
    return chosen


def _candidates(
    left: Iterable[TableFound], right: Sequence[TableFound]
) -> Iterator[tuple[TableFound, TableFound, tuple[FieldProposal, ...]]]:
    for one in left:
        for other in right:
            fields = match_columns(one, other)
            if len(fields) >= (1 if _shares_key(one, other) else LEAST_COLUMNS):
                yield one, other, fields


def _weight(one: TableFound, other: TableFound, fields: Sequence[FieldProposal]) -> float:
    share = 2 * sum(field.likeness for field in fields) / (len(one.columns) + len(other.columns))
    return share + likeness(_bare(one.name), _bare(other.name)) / 2


def match_columns(one: TableFound, other: TableFound) -> tuple[FieldProposal, ...]:
    """The columns of two tables that seem to mean the same, in the order of the first table.

    A shared key is the record's identity and no field. A key of numbers or uuids that is not shared is left out too:
    surrogates of two systems coincide without meaning anything.
    """
    shared_key = _shares_key(one, other)
    pairs = [
        (likeness(a.name, b.name), a, b)
        for a in _usable(one, shared_key)
        for b in _usable(other, shared_key)
        if _compatible(a, b)
    ]
    chosen: dict[str, FieldProposal] = {}
    taken: set[str] = set()
    for score, a, b in sorted(pairs, key=lambda pair: -pair[0]):
        if score >= SIMILAR and a.name not in chosen and b.name not in taken:
            chosen[a.name] = FieldProposal(field_name(a.name), canonical_type(a.type), (a, b), score)
            taken.add(b.name)
    return tuple(chosen[column.name] for column in one.columns if column.name in chosen)


def _usable(table: TableFound, shared_key: bool) -> list[ColumnFound]:
    hidden = {
        column.name
        for column in table.columns
        if column.name in table.key and (shared_key or column.base in SURROGATES)
    }
    return [column for column in table.columns if not column.generated and column.name not in hidden]


def _shares_key(one: TableFound, other: TableFound) -> bool:
    types = [
        [(name, column.type) for name in table.key for column in table.columns if column.name == name]
        for table in (one, other)
    ]
    generated = any(column.generated for table in (one, other) for column in table.columns if column.name in table.key)
    numeric_id = one.key == ("id",) and types[0] and "int" in types[0][0][1]
    return bool(one.key) and types[0] == types[1] and not generated and not numeric_id


def likeness(one: str, other: str) -> float:
    """How alike two names are, 0 to 1; known synonyms are alike."""
    a, b = one.lower(), other.lower()
    if a == b:
        return 1.0
    if CANONICAL.get(a, a) == CANONICAL.get(b, b):
        return 0.95
    return SequenceMatcher(None, a.replace("_", ""), b.replace("_", "")).ratio()


def _compatible(a: ColumnFound, b: ColumnFound) -> bool:
    return a.base == b.base or {a.base, b.base} <= {"S", "E"} or {a.base, b.base} <= {"S", "D"}


def canonical_type(postgres: str) -> str:
    """The canonical type that suits a Postgres type."""
    if postgres.endswith("[]"):
        return "list"
    patterns = (
        (r"(small|big)?int|integer", "integer"),
        (r"numeric|decimal|money", "decimal"),
        (r"real|double", "float"),
        (r"bool", "boolean"),
        (r"timestamp", "datetime"),
        (r"date$", "date"),
        (r"uuid", "uuid"),
        (r"jsonb?$", "json"),
        (r"bytea", "bytes"),
    )
    return next((name for pattern, name in patterns if re.match(pattern, postgres)), "string")


def field_name(column: str) -> str:
    """A canonical field's name for a column: the common word for it, in the letters that names may have."""
    word = CANONICAL.get(column.lower(), column.lower())
    cleaned = re.sub(r"[^a-z0-9_]+", "_", word).strip("_")[:40]
    return cleaned if re.match(r"[a-z]", cleaned) else f"f_{cleaned}"[:40]


def _bare(table: str) -> str:
    return table.rsplit(".", 1)[-1]


def _entity(table: TableFound) -> str:
    name = field_name(_bare(table.name))
    if name.endswith("ies") and len(name) > 4:
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") and len(name) > 3 else name


def _identity(one: TableFound, other: TableFound, fields: Sequence[FieldProposal]) -> str | None:
    if _shares_key(one, other):
        return "key"
    named = {field.name: field for field in fields}
    unique = [field.name for field in fields if all(column.unique for column in field.columns)]
    return next((name for name in ("email", *unique) if name in named), None)
