"""One partition of a record log with its merge processor, for tests: what is added is merged at once."""

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.codec import Codec
from schemas.messages import Allowance, Amend, Amendment, Change, Command, Conflict, Decision, Epoch, Nudge, Result
from schemas.project.epochs import fingerprint, rules_text
from schemas.project.model import Entity, Project
from schemas.topics import Topics
from streams.mapping.rules import compile_rules
from streams.merge import states
from streams.merge.states import State
from streams.processors.merging import MergeProcessor
from streams.processors.records import Decided, Output, Record, Rejected
from streams.processors.stores import PartitionStore

CODEC, TOPICS = Codec(), Topics("shop", 1)
SECOND_US = 1_000_000
COLUMNS = {
    "crm": {"id": "bigint", "email": "text", "name": "text", "credit": "numeric(10,2)", "state": "text"},
    "erp": {"id": "bigint", "mail": "text", "full_name": "text", "credit": "numeric(10,2)"},
}


def entity(name_policy: Any = "newest", on_delete: Mapping[str, Any] | None = None) -> Entity:
    """A contact in two systems; the two fields are mapped both ways."""
    return Entity.model_validate(
        {
            "identity": {"match": ["email"]},
            "fields": {
                "email": {"type": "string"},
                "name": {"type": "string", "on_conflict": name_policy},
                "credit": {"type": "decimal", "on_conflict": "manual"},
            },
            "on_delete": dict(on_delete or {}),
            "systems": {
                "crm": {"table": "public.contacts", "map": {"email": "email", "name": "name", "credit": "credit"}},
                "erp": {"table": "public.customers", "map": {"email": "mail", "name": "full_name", "credit": "credit"}},
            },
        }
    )


def epoch(number: int, made: Entity, resolve: bool = False) -> Epoch:
    """The message that begins the rules of this entity."""
    project = Project.model_construct(entities={"contact": made})
    text = rules_text(project, "contact", COLUMNS)
    digest = fingerprint(text)
    return Epoch(entity="contact", number=number, fingerprint=digest, rules=text, resolve=resolve, ts_us=number)


class Partition:
    """Merges what is added; nudges that it sends itself come back as input. Both systems' loads have passed."""

    def __init__(self, made: Entity | None = None, loaded: bool = True, **more: Any) -> None:
        self.entity = made or entity()
        rules = compile_rules("contact", self.entity, COLUMNS)
        self.processor = MergeProcessor(TOPICS, self.entity, rules, CODEC, **more)
        self.store, self.offsets = PartitionStore(), itertools.count()
        self.now_ms = 1_000_000
        self.log: list[Record] = []
        self.results: list[Decided] = []
        for system in COLUMNS if loaded else ():
            self.add(change(system, "l", 0, None), key=None)

    def add(self, message: msgspec.Struct, key: bytes | None = b"R") -> list[Any]:
        """Append a message and merge it; the messages that follow, golden records left out."""
        record = Record(TOPICS.records("contact"), 0, next(self.offsets), key, CODEC.encode(message), self.now_ms)
        self.log.append(record)
        results = list(self.processor.apply([record], self.store))
        self.results += results
        nudges = [each for each in results if isinstance(each, Output) and each.topic == record.topic]
        found = [_shown(each) for each in results if each not in nudges]
        for nudge in nudges:
            found += self.add(CODEC.decode(nudge.value or b""), nudge.key)
        return [each for each in found if each is not None]

    def commands(self, message: msgspec.Struct, key: bytes = b"R") -> list[Command]:
        return [each for each in self.add(message, key) if isinstance(each, Command)]

    def conflicts(self, message: msgspec.Struct, key: bytes = b"R") -> list[Conflict]:
        return [each for each in self.add(message, key) if isinstance(each, Conflict)]

    def tick(self) -> list[Any]:
        """Look at the clock, and merge what that sends."""
        sent = self.processor.due(self.store, self.now_ms * 1000)
        return [found for each in sent for found in self.add(CODEC.decode(each.value or b""), each.key)]

    def state(self, key: bytes = b"R") -> State:
        found = self.store.get(key)
        assert found is not None
        return states.decode(found)

    def value(self, name: str, key: bytes = b"R") -> Any:
        return self.state(key).fields[name].value

    def restarted(self) -> "Partition":
        """The same partition in a new process that was started with the same rules."""
        other = Partition(self.entity, loaded=False)
        other.store, other.offsets, other.now_ms = PartitionStore(dict(self.store.items())), self.offsets, self.now_ms
        return other

    def synced(self, number: int = 1, key: bytes = b"R", **row: Any) -> None:
        """A record whose row both systems have, told and answered."""
        (command,) = self.commands(crm(1, number, **row), key)
        self.add(answer(command, number), key)


def _shown(each: Decided) -> Any:
    if isinstance(each, Rejected):
        return each
    return None if ".golden." in each.topic else CODEC.decode(each.value or b"")


def change(system: str, op: str, seq: int, row: dict[str, Any] | None, number: int = 1, **more: Any) -> Change:
    image = None if row is None else msgspec.json.encode(row).decode()
    given = {
        "system": system,
        "entity": "contact",
        "table": "t",
        "incarnation": 1,
        "seq": seq,
        "op": op,
        "local_id": f"[{number}]",
        "after": image,
        "ts_us": 1_000 * SECOND_US,
    }
    return Change(**(given | more))


def crm(seq: int, number: int = 1, op: str = "u", *, name: str = "Ann", credit: Any = 0, **more: Any) -> Change:
    row = {"id": number, "email": f"{number}@b.c", "name": name, "credit": credit, "state": "on"}
    return change("crm", op, seq, row, number, **more)


def erp(seq: int, number: int = 1, op: str = "u", *, name: str = "Ann", credit: Any = 0, **more: Any) -> Change:
    row = {"id": number, "mail": f"{number}@b.c", "full_name": name, "credit": credit}
    return change("erp", op, seq, row, number, **more)


def gone(system: str, seq: int, number: int = 1, **more: Any) -> Change:
    return change(system, "d", seq, None, number, **more)


def answer(command: Command, number: int = 1, seq: int | None = None) -> Change:
    """The echo of a command that was carried out as a whole, on a row that was as expected."""
    from schemas.messages import Origin

    row: dict[str, Any] | None = {"id": number}
    for unit in command.units:
        row = None if unit.set is None or row is None else row | msgspec.json.decode(unit.set)
    origin = Origin(command=command.id, record_id=command.record_id, hop=command.hop)
    return change(command.system, command.op, seq or 100 + command.number, row, number, origin=origin)


def decision(item: str, candidate: Any, version: int, value: Any) -> Decision:
    return Decision(
        record_id="R",
        entity="contact",
        item=item,
        candidate=None if candidate is None else msgspec.json.encode(candidate).decode(),
        version=version,
        value=value,
        decided_by="ann",
        ts_us=1_000 * SECOND_US,
    )


def amendment(*fields: Amend, kind: Any = "edit") -> Amendment:
    return Amendment(
        record_id="R", entity="contact", kind=kind, fields=fields, amended_by="ann", ts_us=1_000 * SECOND_US
    )


def nudge(reason: Any) -> Nudge:
    return Nudge(record_id="R", entity="contact", reason=reason)


def allowance(deletes: int, until_us: int, system: str = "crm") -> Allowance:
    return Allowance(
        entity="contact", system=system, deletes=deletes, until_us=until_us, allowed_by="ann", ts_us=1_000 * SECOND_US
    )


def result(command: str, orders: tuple[int, int], left: dict[str, Any] | None) -> Result:
    image = None if left is None else msgspec.json.encode(left).decode()
    return Result(
        command=command,
        record_id="R",
        entity="contact",
        system="erp",
        local_id="[1]",
        found_order=orders[0],
        found=None,
        left_order=orders[1],
        left=image,
        outcome="applied",
        ts_us=1_000 * SECOND_US,
    )


def clash(partition: Partition, key: bytes = b"R", number: int = 1) -> Conflict:
    """Both systems give a synchronised record another credit, out of sight of each other; what is put on record."""
    partition.add(crm(200, number, credit=5), key)
    (found,) = partition.conflicts(erp(200, number, credit=7), key)
    return found
