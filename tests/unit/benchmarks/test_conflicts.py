"""The recorded events of the conflicts benchmark: both ways must do the same work but for what is parked."""

from benchmarks import conflicts
from streams.processors.records import Output, Rejected
from streams.processors.stores import PartitionStore

RECORDS, EDITS = 8, 40


def test_both_logs_lead_to_as_many_commands_and_one_has_open_conflicts() -> None:
    sent, waiting = [], []
    for parked in (0, RECORDS // 2):
        before, after = conflicts.recorded(RECORDS, parked, EDITS)
        made, store = conflicts.processor(), PartitionStore()
        made.apply(before, store)
        outputs = made.apply(after, store)
        assert not [each for each in outputs if isinstance(each, Rejected)]
        sent.append((len(after), len([each for each in outputs if isinstance(each, Output) and "comm" in each.topic])))
        waiting.append(conflicts.open_in(store))
    assert sent == [(2 * EDITS, EDITS)] * 2
    assert waiting == [0, RECORDS // 2]
