"""The recorded events of the merge benchmark: what is measured must be the work that is claimed."""

import msgspec
import pytest

from benchmarks import merge
from schemas.codec import Codec
from schemas.messages import Change, Command
from streams.merge import states
from streams.processors.records import Output
from streams.processors.stores import PartitionStore

RECORDS, EDITS = 5, 60


@pytest.mark.parametrize("systems", [("crm", "erp"), ("crm", "erp", "shop", "desk", "mail")])
def test_every_command_of_the_recording_is_decided_again_and_echoed(systems: tuple[str, ...]) -> None:
    records, codec = merge.recorded(systems, RECORDS, EDITS), Codec()
    outputs = merge.processor(systems).apply(records, PartitionStore())
    decided = [codec.decode(one.value) for one in outputs if isinstance(one, Output) and ".commands." in one.topic]
    commands = {one.id for one in decided if isinstance(one, Command)}
    changes = [codec.decode_as(record.value or b"", Change) for record in records]
    assert commands == {change.origin.command for change in changes if change.origin}
    assert len(commands) == EDITS * (len(systems) - 1)


def test_both_ways_keep_the_same_record() -> None:
    records, theirs, ours = merge.recorded(("crm", "erp"), RECORDS, EDITS), PartitionStore(), PartitionStore()
    merge.Newest(("crm", "erp")).apply(records, theirs)
    merge.processor(("crm", "erp")).apply(records, ours)
    for number in range(RECORDS):
        key = f"record-{number}".encode()
        row = msgspec.msgpack.decode(theirs.get(key) or b"")["row"]
        state = states.decode(ours.get(key) or b"")
        assert [state.fields[name].value for name in ("name", "phone", "city")] == [
            row[name] for name in ("name", "phone", "city")
        ]
