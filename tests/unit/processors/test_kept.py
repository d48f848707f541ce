"""States in memory stand for the bytes in the store, and for nothing else."""

from schemas.goldens import GoldenCodec
from streams.merge import states
from streams.merge.states import FieldState, State
from streams.processors.kept import Kept, Record
from tests.unit.processors.partitions import Partition, crm, entity, gone

CODEC = GoldenCodec("shop", "contact", entity())
PIECES = {"name": (1, b"a", b"b")}


def state(value: str) -> State:
    return State(fields={"$": FieldState(True, 1), "name": FieldState(value, 2)})


def kept(held: State, limit: int = 10) -> tuple[Kept, bytes]:
    memory, data = Kept(limit), states.encode(held)
    memory.keep(b"k", Record(data, held, CODEC, PIECES))
    return memory, data


def test_a_state_is_given_out_for_its_own_bytes_once():
    held = state("Ann")
    memory, data = kept(held)
    assert memory.take(b"k", data, CODEC) == (held, PIECES)
    again, pieces = memory.take(b"k", data, CODEC)
    assert again == held and again is not held and pieces == {}


def test_other_bytes_in_the_store_count():
    memory, _ = kept(state("Ann"))
    other = states.encode(state("Bea"))
    found, pieces = memory.take(b"k", other, CODEC)
    assert found == state("Bea") and pieces == {}


def test_pieces_are_given_out_for_their_own_codec():
    held = state("Ann")
    memory, data = kept(held)
    assert memory.take(b"k", data, GoldenCodec("shop", "contact", entity())) == (held, {})


def test_no_more_than_the_limit_is_kept():
    memory, data = kept(state("Ann"), limit=1)
    memory.keep(b"l", Record(data, state("Ann"), CODEC, {}))
    assert memory.take(b"k", data, CODEC)[1] == {}


def test_no_more_bytes_than_the_limit_are_kept():
    held = state("Ann")
    data = states.encode(held)
    memory = Kept(limit_bytes=2 * len(data))
    for key in (b"k", b"l", b"l", b"m"):
        memory.keep(key, Record(data, held, CODEC, PIECES))
    assert [memory.take(key, data, CODEC)[1] for key in (b"k", b"l", b"m")] == [{}, PIECES, PIECES]


def test_a_state_larger_than_all_that_may_be_kept_is_not():
    held = state("Ann")
    data = states.encode(held)
    memory = Kept(limit_bytes=len(data) - 1)
    memory.keep(b"k", Record(data, held, CODEC, PIECES))
    assert memory.take(b"k", data, CODEC)[1] == {}


def test_a_batch_taken_back_leaves_no_trace_in_memory():
    partition = Partition()
    partition.synced()
    partition.store.settle()
    before = partition.store.get(b"R")
    partition.add(crm(3, name="Bea"))
    partition.store.rollback()
    assert partition.store.get(b"R") == before
    (command,) = partition.commands(crm(3, name="Cleo"))
    assert "Cleo" in (command.units[0].set or "") and "Ann" in (command.units[0].base or "")


def test_what_is_no_news_is_not_remembered_in_memory_either():
    one, other = Partition(), Partition()
    for partition in (one, other):
        partition.synced()
    one.add(gone("erp", 300, number=2))
    for partition in (one, other):
        partition.add(crm(3, name="Bea"))
    assert (one.state().systems, one.state().fields) == (other.state().systems, other.state().fields)
