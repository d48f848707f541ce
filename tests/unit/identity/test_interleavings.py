"""Whatever the order of delivery, whatever is repeated after a crash: one record, every event, in order."""

from collections import defaultdict, deque

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.messages import Change
from schemas.topics import Topics
from streams.identity.claims import ClaimsProcessor
from streams.identity.links import LinksProcessor
from streams.processors.records import Output, Record
from streams.processors.stores import PartitionStore
from tests.unit.identity.events import CODEC, change, email_of

TOPICS = Topics("p")
SYSTEMS = ("crm", "erp")


class World:
    """The two processors, their state, and the messages under way: one queue per topic and key, order kept."""

    def __init__(self) -> None:
        codec = Codec()
        links = LinksProcessor(TOPICS, "contact", SYSTEMS, email_of, codec=codec)
        self.claims_topic = TOPICS.claims("contact")
        self.processors = {"links": links, "claims": ClaimsProcessor(TOPICS, "contact", codec)}
        self.stores = {name: PartitionStore() for name in self.processors}
        self.queues: dict[tuple[str, bytes], deque[bytes]] = defaultdict(deque)
        self.forwarded: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.records: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.conflicts = 0
        self.offset = 0

    def publish(self, made: Change) -> None:
        key = f"{made.system}:{made.before_id or made.local_id}".encode()
        self.queues[TOPICS.changes(made.system, "contact"), key].append(CODEC.encode(made))

    def step(self, choice: int, count: int, crash: bool) -> bool:
        """Process some messages of one queue; in a crash, their outputs leave and their state is lost."""
        ready = sorted(place for place, queue in self.queues.items() if queue)
        if not ready:
            return False
        topic, key = ready[choice % len(ready)]
        name = "claims" if topic == self.claims_topic else "links"
        queue, store = self.queues[topic, key], self.stores[name]
        batch = [self._record(topic, key, queue[at]) for at in range(min(count, len(queue)))]
        outputs = self.processors[name].apply(batch, store)
        if crash:
            store.rollback()
        else:
            store.settle()
            for _ in batch:
                queue.popleft()
        for output in outputs:
            self._arrive(output)
        return True

    def _record(self, topic: str, key: bytes, value: bytes) -> Record:
        self.offset += 1
        return Record(topic, 0, self.offset, key, value, 0)

    def _arrive(self, output: object) -> None:
        assert isinstance(output, Output), output
        if output.topic == TOPICS.records("contact"):
            made = CODEC.decode_as(output.value, Change)
            row = (made.system, made.before_id or made.local_id)
            self.forwarded[row].append(made.seq)
            self.records[row].add(output.key.decode())
        elif output.topic == TOPICS.conflicts:
            self.conflicts += 1
        elif output.value is not None:
            self.queues[output.topic, output.key].append(output.value)

    def run(self, steps: list[tuple[int, int, bool]]) -> None:
        for choice, count, crash in steps:
            self.step(choice, count, crash)
        while self.step(0, 1, False):
            pass


STEPS = st.lists(st.tuples(st.integers(0, 99), st.integers(1, 3), st.booleans()), max_size=40)


def firsts(seqs: list[int]) -> list[int]:
    return list(dict.fromkeys(seqs))


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(0, 2), st.integers(0, 2))
def test_same_person_created_in_two_systems_at_once_is_one_record(steps, crm_edits, erp_edits):
    world = World()
    for system, edits in zip(SYSTEMS, (crm_edits, erp_edits), strict=True):
        world.publish(change(1, "c", "a", system=system))
        for seq in range(2, 2 + edits):
            world.publish(change(seq, "u", "a", system=system))
    world.run(steps)
    assert firsts(world.forwarded["crm", "[1]"]) == list(range(1, 2 + crm_edits))
    assert firsts(world.forwarded["erp", "[1]"]) == list(range(1, 2 + erp_edits))
    assert len(world.records["crm", "[1]"] | world.records["erp", "[1]"]) == 1 and world.conflicts == 0


def live(world: World, edits: list[str]) -> None:
    """One row of the crm, created, edited, deleted and created again."""
    email, alive = "a", True
    world.publish(change(1, "c", email))
    for seq, edit in enumerate(edits, 2):
        email = edit if edit in "ab" else email
        world.publish(change(seq, "c" if not alive else ("d" if edit == "d" else "u"), email))
        alive = not (alive and edit == "d")


EDITS = st.lists(st.sampled_from(["u", "d", "a", "b"]), max_size=6)


@settings(max_examples=300, deadline=None)
@given(STEPS, EDITS)
def test_every_event_of_a_row_is_passed_on_in_order(steps, edits):
    world = World()
    live(world, edits)
    world.run(steps)
    assert firsts(world.forwarded["crm", "[1]"]) == list(range(1, 2 + len(edits)))


@settings(max_examples=300, deadline=None)
@given(STEPS, EDITS)
def test_a_counterpart_elsewhere_does_not_disturb_the_order(steps, edits):
    world = World()
    live(world, edits)
    world.publish(change(1, "c", "a", system="erp"))
    world.run(steps)
    passed = firsts(world.forwarded["crm", "[1]"])
    assert passed == sorted(passed) and passed[:1] == [1]
    assert firsts(world.forwarded["erp", "[1]"]) == [1]


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_row_whose_key_changes_keeps_its_record(steps):
    world = World()
    world.publish(change(1, "c", "a"))
    world.publish(change(2, "u", "a", row="[2]", before_id="[1]"))
    world.publish(change(3, "u", "a", row="[2]"))
    world.run(steps)
    assert firsts(world.forwarded["crm", "[1]"]) == [1, 2] and firsts(world.forwarded["crm", "[2]"]) == [3]
    assert len(world.records["crm", "[1]"] | world.records["crm", "[2]"]) == 1


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_second_row_of_a_system_never_joins_silently(steps):
    world = World()
    for row in ("[1]", "[2]"):
        world.publish(change(1, "c", "a", row=row))
    world.run(steps)
    passed = {row for row in ("[1]", "[2]") if world.forwarded["crm", row]}
    assert len(passed) == 1 and world.conflicts >= 1
