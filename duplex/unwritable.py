"""Fields that would be written where nothing can be written, or not this; and what to say in the file instead."""

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.base import Connector, Kind
from connectors.registry import kind_of
from connectors.remote.connector import RemoteConnector
from duplex import systems
from schemas.project.findings import Finding, Path
from schemas.project.loading import Loaded
from schemas.project.model import Entity, EntitySystem

ALL = frozenset("cud")


@dataclass(frozen=True, slots=True)
class _Held:
    """An entity in a system that takes no updates of it. `ways` are the writes that it does take: c, u, d."""

    name: str
    entity: Entity
    system: str
    held: EntitySystem
    ways: frozenset[str]
    kind: Kind

    @property
    def whose(self) -> str:
        return f"{self.held.table} of {self.system}" if self.kind.writes else self.system

    @property
    def written(self) -> list[Path]:
        """The mappings that would be written."""
        return [path for path, one in self.held.singles() if one.direction != "in"]

    def at(self, path: Path) -> Path:
        return ("entities", self.name, "systems", self.system, "map", *path)


def findings(loaded: Loaded, connectors: systems.Connectors) -> Iterator[Finding]:
    """What the file would have written in vain, and fields whose edits elsewhere could never be told."""
    kinds = {name: kind_of(loaded.project.systems[name].connector, name) for name in connectors}
    for name, entity in loaded.project.entities.items():
        for system, held in entity.systems.items():
            ways = _ways(kinds[system], connectors[system], held.table) if system in kinds else ALL
            if "u" not in ways:
                one = _Held(name, entity, system, held, ways, kinds[system])
                yield from _written(loaded, one)
                yield from _unowned(loaded, one)


def _ways(kind: Kind, connector: Connector, table: str) -> frozenset[str]:
    if not kind.writes:
        return frozenset()
    api = connector.apis.get(table) if isinstance(connector, RemoteConnector) else None
    return ALL if api is None else api.abilities.writes


def _written(loaded: Loaded, one: _Held) -> Iterator[Finding]:
    """Mappings that are to be written. A natural key that a create can bring is seldom edited, and not spoken of."""
    if not one.kind.writes:
        what = f"{one.system} can only be read: its connector has no way to write"
        remedy = f"{{column: …, direction: in}} for every field of {one.system}"
        for path in one.written:
            yield loaded.positions.finding(one.at(path), what, remedy, at_key=True)
        return
    lacks = "update" if "c" in one.ways else "create and no update"
    for path in one.written:
        if "c" in one.ways and path[0] in one.entity.match:
            continue
        what = f"{one.whose} has no {lacks}: what is sent there is refused each time, and put on record"
        remedy = f"set direction: in; or declare what is missing under {one.held.table}"
        yield loaded.positions.finding(one.at(path), what, remedy, at_key=True, severity="warning")


def _unowned(loaded: Loaded, one: _Held) -> Iterator[Finding]:
    """Fields that others may edit, and that cannot be told here."""
    for field in one.held.map:
        rule, read = one.entity.fields.get(field), _is_read(one.held, field)
        if rule is None or rule.owner is not None or field in one.entity.match or not read:
            continue
        others = [name for name, held in one.entity.systems.items() if name != one.system and _is_read(held, field)]
        if others:
            names = " or ".join(others)
            what = f"an edit of it in {names} is never told to {one.whose}, which takes none: the two stay different"
            remedy = f"write owner: {one.system}, and such edits are set back; or direction: out in {names}"
            path = ("entities", one.name, "fields", field)
            yield loaded.positions.finding(path, what, remedy, at_key=True, severity="warning")


def _is_read(held: EntitySystem, field: str) -> bool:
    return any(path[0] == field and one.direction != "out" for path, one in held.singles())
