"""A batch comes to outputs and dead letters, and a record that fails takes nothing with it."""

from schemas.deadletters import failure
from schemas.errors import UndecodableError
from streams.processors.records import Output, Record, Rejected, UnprocessableError, each
from streams.processors.rejections import decide
from streams.processors.stores import PartitionStore


class Counting:
    """Counts per key; the output of a key is as long as its count says."""

    name = "counting"

    def apply(self, records, store):
        return each(records, lambda record: self._one(record, store))

    def _one(self, record, store):
        if record.value == b"bad":
            raise UnprocessableError("it is bad")
        if record.value == b"garbled":
            raise UndecodableError("no header", 7)
        count = int(store.get(record.key) or b"0") + int(record.value)
        store.put(record.key, b"%d" % count)
        return [Output("out", record.key, b"x" * count, cause=record)]


def record(offset: int, value: bytes, key: bytes = b"k") -> Record:
    return Record("in", 2, offset, key, value, 0, (("mine", b"1"),))


async def decided(*records: Record, output_bytes: int = 100):
    store = PartitionStore()
    outputs, rejected = await decide(Counting(), records, store, output_bytes, "dead")
    sent = [output for output in outputs if output.topic == "out"]
    return store, sent, [output for output in outputs if output.topic == "dead"], rejected


async def test_unprocessable_record_is_a_dead_letter_and_the_others_go_on():
    store, sent, dead, count = await decided(record(0, b"1"), record(1, b"bad"), record(2, b"2"))
    assert [len(output.value) for output in sent] == [1, 3] and store.get(b"k") == b"3"
    assert [output.value for output in dead] == [b"bad"] and count == 1


async def test_dead_letter_says_where_and_why_and_keeps_its_own_headers():
    _, _, (dead,), _ = await decided(record(7, b"garbled"))
    found = failure(list(dead.headers))
    assert (found.topic, found.partition, found.offset, found.stage) == ("in", 2, 7, "decode")
    assert found.error_class == "schemas.errors.UndecodableError" and "no header" in found.message
    assert dead.headers[0] == ("mine", b"1") and (dead.key, dead.value) == (b"k", b"garbled")


async def test_record_with_an_oversized_output_leaves_no_trace_in_the_state():
    store, sent, dead, _ = await decided(record(0, b"1"), record(1, b"50"), record(2, b"2"), output_bytes=10)
    assert store.get(b"k") == b"3" and [len(output.value) for output in sent] == [1, 3]
    assert [output.value for output in dead] == [b"50"]


async def test_awaitable_decision_is_awaited():
    class Later(Counting):
        async def apply(self, records, store):
            return [Rejected(one, "Late", "too late") for one in records]

    outputs, rejected = await decide(Later(), [record(0, b"1")], PartitionStore(), 100, "dead")
    assert rejected == 1 and outputs[0].topic == "dead"
