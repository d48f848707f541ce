"""The record log in; commands, conflicts and the merged record out, on the wire."""

import msgspec
import pytest

from schemas.codec import Codec
from schemas.goldens import GoldenCodec
from schemas.messages import Change, Command, Conflict, Decision, Origin
from schemas.project.model import Entity
from schemas.topics import Topics
from streams.mapping.rules import compile_rules
from streams.processors.merging import MergeProcessor
from streams.processors.records import Output, Record, Rejected
from streams.processors.stores import PartitionStore

CODEC, TOPICS = Codec(), Topics("shop")
COLUMNS = {
    "crm": {"id": "bigint", "email": "text", "name": "text", "kind": "text"},
    "erp": {"id": "bigint", "mail": "text", "full_name": "text"},
}


def entity(on_leave: str = "ignore") -> Entity:
    return Entity.model_validate(
        {
            "identity": {"match": ["email"]},
            "fields": {"email": {"type": "string"}, "name": {"type": "string"}},
            "systems": {
                "crm": {
                    "table": "public.contacts",
                    "map": {"email": "email", "name": "name"},
                    "filter": [{"column": "kind", "equals": "customer"}],
                    "on_leave": on_leave,
                },
                "erp": {"table": "public.customers", "map": {"email": "mail", "name": "full_name"}},
            },
        }
    )


class Log:
    """A record log of one record, merged as it grows. Both systems' loads have passed."""

    def __init__(self, on_leave: str = "ignore") -> None:
        made = entity(on_leave)
        self.processor = MergeProcessor(TOPICS, made, compile_rules("contact", made, COLUMNS), CODEC)
        self.goldens = GoldenCodec("shop", "contact", made)
        self.store, self.offset = PartitionStore(), 0
        for system in COLUMNS:
            self.add(change(system, "l", 0, None), key=None)

    def add(self, message, key: bytes | None = b"R", timestamp_ms: int = 1000) -> list:
        value = message if isinstance(message, bytes) else CODEC.encode(message)
        record = Record("shop.records.contact", 3, self.offset, key, value, timestamp_ms)
        self.offset += 1
        return self.processor.apply([record], self.store)

    def commands(self, message, **more) -> list[Command]:
        return [made for made in sent(self.add(message, **more)) if isinstance(made, Command)]


def sent(results) -> list:
    assert not [each for each in results if isinstance(each, Rejected)], results
    return [CODEC.decode(each.value) for each in results if ".golden." not in each.topic]


def change(system: str, op: str, seq: int, row: dict | None, ts_us: int = 500, **more) -> Change:
    image = None if row is None else msgspec.json.encode(row).decode()
    names = {"system": system, "entity": "contact", "table": "t", "incarnation": 1, "local_id": "[1]"}
    return Change(**(names | {"seq": seq, "op": op, "after": image, "ts_us": ts_us} | more))


def crm(seq: int, email: str = "a@b.c", name: str = "Ann", kind: str = "customer", **more) -> Change:
    row = {"id": 1, "email": email, "name": name, "kind": kind}
    return change("crm", "c" if seq == 1 else "u", seq, row, **more)


def test_new_row_is_created_elsewhere_at_the_inputs_place():
    (command,) = Log().commands(crm(1))
    assert (command.system, command.op, command.id, command.hop) == ("erp", "c", "R/erp/1", 1)
    assert (command.partition, command.offset) == (3, 2)
    assert msgspec.json.decode(command.units[0].set) == {"mail": "a@b.c", "full_name": "Ann"}


def test_command_goes_to_the_partition_of_its_record():
    (output,) = [each for each in Log().add(crm(1)) if each.topic == "shop.commands.erp"]
    assert (output.partition, output.key) == (3, b"R")


def test_merged_record_is_published_typed():
    log = Log()
    (output,) = [each for each in log.add(crm(1)) if each.topic == "shop.golden.contact"]
    golden = log.goldens.decode(output.value)
    assert golden.values == {"email": "a@b.c", "name": "Ann"} and not golden.deleted
    assert golden.provenance["name"].system == "crm"


def answer(seq: int, command: Command) -> Change:
    row = {"id": 1} | msgspec.json.decode(command.units[0].set)
    origin = Origin(command=command.id, record_id="R", hop=command.hop)
    return change("erp", command.op, seq, row, origin=origin)


def test_echo_is_an_acknowledgement_and_leads_to_nothing():
    log = Log()
    (command,) = log.commands(crm(1))
    assert log.commands(answer(1, command)) == []


def test_repeat_leads_to_nothing():
    log = Log()
    log.add(crm(1))
    assert log.add(crm(1)) == []


def test_conflict_is_published_with_both_values():
    log = Log()
    (command,) = log.commands(crm(1))
    log.add(answer(1, command))
    log.add(crm(2, name="Anna", ts_us=700))
    late = change("erp", "u", 2, {"id": 1, "mail": "a@b.c", "full_name": "Anne"}, ts_us=600)
    (conflict,) = [made for made in sent(log.add(late)) if isinstance(made, Conflict)]
    assert (conflict.field, conflict.kind, conflict.winner) == ("name", "value", "current")
    assert (conflict.current.value, conflict.incoming.value) == ('"Anna"', '"Anne"')


def test_fast_clock_cannot_write_into_the_future():
    log = Log()
    log.add(crm(1, ts_us=9_000_000_000), timestamp_ms=1000)
    (output,) = [each for each in log.add(crm(2, name="B"), timestamp_ms=2000) if "golden" in each.topic]
    assert log.goldens.decode(output.value).provenance["email"].ts_us == 1000_999


def test_row_outside_the_filter_is_ignored():
    log = Log()
    assert log.add(crm(1, kind="lead")) == []
    (command,) = log.commands(crm(2))
    assert command.op == "c"


def test_row_that_leaves_the_filter_is_ignored_or_gone():
    for on_leave, ops in (("ignore", []), ("delete", ["d"])):
        log = Log(on_leave)
        (command,) = log.commands(crm(1))
        log.add(answer(1, command))
        assert [each.op for each in log.commands(crm(2, kind="lead"))] == ops


@pytest.mark.parametrize("message", [b"\x00\x01", change("nowhere", "c", 1, {"id": 1}), b""])
def test_what_cannot_be_merged_is_rejected_and_leaves_no_state(message):
    log = Log()
    before = dict(log.store.items())
    (rejected,) = log.add(message)
    assert isinstance(rejected, Rejected) and dict(log.store.items()) == before


def test_image_that_is_no_row_is_rejected():
    (rejected,) = Log().add(change("crm", "c", 1, {"id": 1}))
    assert isinstance(rejected, Rejected) and "crm" in rejected.message


def test_decision_of_nothing_is_rejected_with_its_reason():
    log = Log()
    log.add(crm(1))
    names = {"record_id": "R", "entity": "contact", "item": "9", "decided_by": "ann", "ts_us": 1}
    (rejected,) = log.add(Decision(**names, candidate='"x"', version=1, value='"x"'))
    assert isinstance(rejected, Rejected) and rejected.stage == "decide" and rejected.message


def test_truncation_marker_is_ignored():
    assert Log().add(change("crm", "t", 1, None)) == []


def test_state_says_at_which_offset_it_was_made():
    from streams.merge import states

    log = Log()
    log.add(crm(1))
    assert states.decode(log.store.get(b"R")).offset == 2
    assert all(isinstance(each, Output) for each in log.add(crm(2, name="B")))
