"""Commands for tests of sinks, numbered as a merge would number them."""

import itertools
from typing import Any

import msgspec

from schemas import identifiers
from schemas.messages import Command, Unit

Values = dict[str, Any]
_encode = msgspec.json.Encoder(decimal_format="number").encode


def json_text(values: Values | None) -> str | None:
    """Values of a row as JSON object text."""
    return None if values is None else _encode(values).decode()


class Commander:
    """Makes commands of one entity for one partition, each decided at the next offset."""

    def __init__(self, entity: str = "contact", system: str = "crm", partition: int = 0) -> None:
        self._entity = entity
        self._system = system
        self._partition = partition
        self._offsets = itertools.count(1)

    def update(self, local_id: str, *units: tuple[Values, Values], **place: Any) -> Command:
        """Each unit is (base, set)."""
        pairs = tuple(Unit(base=json_text(base), set=json_text(wanted)) for base, wanted in units)
        return self._command("u", local_id, pairs, **place)

    def raw_update(self, local_id: str, base: str, wanted: str, **place: Any) -> Command:
        """One unit, its two sides given as JSON text."""
        return self._command("u", local_id, (Unit(base=base, set=wanted),), **place)

    def create(self, values: Values, local_id: str | None = None, **place: Any) -> Command:
        return self._command("c", local_id, (Unit(base=None, set=json_text(values)),), **place)

    def delete(self, local_id: str, base: Values, **place: Any) -> Command:
        return self._command("d", local_id, (Unit(base=json_text(base), set=None),), **place)

    def _command(self, op: Any, local_id: str | None, units: tuple[Unit, ...], **place: Any) -> Command:
        offset = place.get("offset", next(self._offsets))
        entity, partition = place.get("entity", self._entity), place.get("partition", self._partition)
        record = f"{entity}-{partition}-{offset}"
        return Command(
            id=identifiers.command_id(record, self._system, 1),
            record_id=record,
            entity=entity,
            system=self._system,
            number=1,
            op=op,
            local_id=local_id,
            units=units,
            partition=partition,
            offset=offset,
            hop=1,
            ts_us=1,
        )
