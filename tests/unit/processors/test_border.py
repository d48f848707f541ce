"""Values that stop at a border: invalid ones where they come in, unsayable ones where they would go out."""

import itertools

from schemas.codec import Codec
from schemas.messages import Change, Command, Conflict
from schemas.project.model import Entity
from schemas.topics import Topics
from streams.mapping.rules import compile_rules
from streams.processors.merging import MergeProcessor
from streams.processors.records import Record
from streams.processors.stores import PartitionStore
from tests.unit.processors.test_merging import change

CODEC, TOPICS = Codec(), Topics("shop")
COLUMNS = {
    "crm": {"id": "bigint", "email": "text", "status": "text"},
    "erp": {"id": "bigint", "mail": "text", "code": "text"},
}
ENTITY = Entity.model_validate(
    {
        "identity": {"match": ["email"]},
        "fields": {"email": {"required": True, "check": "email"}, "status": {}},
        "systems": {
            "crm": {"table": "c", "map": {"email": "email", "status": "status"}},
            "erp": {"table": "e", "map": {"email": "mail", "status": {"column": "code", "values": {"lead": "L"}}}},
        },
    }
)


class Log:
    """A record log of one record, both loads passed."""

    def __init__(self) -> None:
        self.processor = MergeProcessor(TOPICS, ENTITY, compile_rules("contact", ENTITY, COLUMNS), CODEC)
        self.store, self.offsets = PartitionStore(), itertools.count()
        for system in COLUMNS:
            self.add(change(system, "l", 0, None), key=None)

    def add(self, made: Change, key: bytes | None = b"R") -> tuple[list[Command], list[Conflict]]:
        record = Record("shop.records.contact", 0, next(self.offsets), key, CODEC.encode(made), 1000)
        outputs = [one for one in self.processor.apply([record], self.store) if ".golden." not in one.topic]
        found = [CODEC.decode(one.value) for one in outputs if one.topic != record.topic]
        commands = [one for one in found if isinstance(one, Command)]
        return commands, [one for one in found if isinstance(one, Conflict)]


def crm(seq: int, email: str, status: str = "lead") -> Change:
    return change("crm", "c" if seq == 1 else "u", seq, {"id": 1, "email": email, "status": status})


def test_record_without_a_valid_required_field_is_created_nowhere_until_it_has_one() -> None:
    log = Log()
    commands, conflicts = log.add(crm(1, "nonsense"))
    assert commands == []
    assert [(one.kind, one.rule, one.field, one.incoming.system) for one in conflicts] == [
        ("refused", "border", "email", "crm")
    ]
    commands, conflicts = log.add(crm(2, "ada@example.com"))
    assert ([one.op for one in commands], conflicts) == (["c"], [])


def test_value_that_the_target_cannot_say_is_put_on_record() -> None:
    log = Log()
    commands, conflicts = log.add(crm(1, "ada@example.com", status="unheard of"))
    assert [one.op for one in commands] == ["c"]
    assert [(one.rule, one.field, one.incoming.system) for one in conflicts] == [("unwritable", "status", "erp")]
    assert "unheard of" in conflicts[0].detail
