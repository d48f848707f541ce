"""A store on disk is as one in memory, whatever is done to it; and it is there again when it is opened anew."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from streams.processors import spilled
from streams.processors.changelogs import MARK_KEY
from streams.processors.spilled import Spill, SpilledStore
from streams.processors.spilled_files import Place
from streams.processors.stores import PartitionStore

KEYS = [b"a", b"b", b"\x00due/a", b"\x00due/b", b"\x00trail/a/0"]
FRAME = bytes(12)


@pytest.fixture
def spill(tmp_path):
    return Spill(tmp_path, 16 * 1024 * 1024)


def place(number: int) -> Place:
    return Place("state", number, FRAME, {"in": number})


class Twins(RuleBasedStateMachine):
    """What is done to both. The store on disk forgets memory at every `keep`, and a part of it in between."""

    spill: Spill

    @initialize()
    def begin(self):
        self.memory, self.disk, self.kept = PartitionStore(), SpilledStore(self.spill, self.spill.open("p", 0)), 0
        for key, _ in list(self.disk.items()):
            self.disk.delete(key)
        self.disk.settle()
        self.disk.keep(place(0))

    def both(self):
        return self.memory, self.disk

    @rule(key=st.sampled_from(KEYS), value=st.binary(max_size=3))
    def put(self, key, value):
        for store in self.both():
            store.put(key, value)

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key):
        for store in self.both():
            store.delete(key)

    @rule()
    def settle(self):
        assert self.memory.changes() == self.disk.changes()
        for store in self.both():
            store.settle()

    @rule()
    def keep(self):
        self.kept += 1
        self.disk.keep(place(self.kept))

    @rule()
    def rollback(self):
        for store in self.both():
            store.rollback()

    @rule(keys=st.lists(st.sampled_from(KEYS)))
    def prefetch(self, keys):
        self.disk.prefetch(keys)

    @invariant()
    def same(self):
        memory, disk = self.both()
        assert dict(memory.items()) == dict(disk.items())
        assert dict(memory.items(b"\x00due/")) == dict(disk.items(b"\x00due/"))
        assert memory.settled_items(b"\x00", 2) == disk.settled_items(b"\x00", 2)
        assert all(memory.settled(key) == disk.settled(key) for key in KEYS)

    @rule(key=st.sampled_from(KEYS))
    def get(self, key):
        assert self.memory.get(key) == self.disk.get(key)

    def teardown(self):
        self.disk.close()


def test_store_on_disk_is_as_one_in_memory(spill, monkeypatch):
    monkeypatch.setattr(spilled, "LEAST_SHARE_BYTES", 1)
    monkeypatch.setattr(spill, "_keys_bytes", 0)
    machine = type("TwinsHere", (Twins,), {"spill": spill})
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    run_state_machine_as_test(
        machine, settings=settings(max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=checks)
    )


def filled(spill: Spill, count: int) -> SpilledStore:
    store = SpilledStore(spill, spill.open("p", 0))
    for number in range(count):
        store.put(b"%d" % number, b"x" * 1000)
        if number % 100 == 99:
            store.settle()
            store.keep(place(number))
    return store


def test_what_was_kept_is_there_again(spill):
    filled(spill, 100).close()
    again = SpilledStore(spill, spill.open("p", 0))
    assert len(dict(again.items())) == 100 and again.get(b"7") == b"x" * 1000
    assert again.get(MARK_KEY) is None or MARK_KEY not in dict(again.items())
    again.close()


def test_what_no_mark_covers_is_not_on_disk(spill):
    store = filled(spill, 100)
    store.put(b"late", b"1")
    store.settle()
    assert store.settled(b"late") == b"1"
    store.close()
    again = SpilledStore(spill, spill.open("p", 0))
    assert again.get(b"late") is None
    again.close()


def test_memory_stays_within_its_share(tmp_path, monkeypatch):
    monkeypatch.setattr(spilled, "LEAST_BYTES", 0)
    store = filled(Spill(tmp_path, 4 * 1024 * 1024), 10_000)
    held = sum(len(key) + len(value or b"") + spilled.KEY_BYTES for key, value in (store._young | store._old).items())
    assert held < 2.5 * 1024 * 1024
    assert all(value == b"x" * 1000 for value in map(store.get, (b"1", b"5000", b"9999")))
    assert len(store) == 10_000
    store.close()


def test_stores_share_the_memory(spill):
    first, alone = SpilledStore(spill, spill.open("p", 0)), spill.share_bytes
    second = SpilledStore(spill, spill.open("p", 1))
    assert spill.share_bytes == alone // 2
    first.close()
    first.close()
    assert spill.share_bytes == alone
    second.close()
