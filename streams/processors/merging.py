"""The merge processor of an entity: the record log in; commands, conflicts and the merged record out.

What happens to a record is decided by `streams.merge.merge`, a pure function. Here stands what is true of a whole
partition: which rules hold (`regimes`), which loads have passed (`loads`), whether deletes are held (`brake`); and
what is noted beside a record's state, so that time (`dues`) and people (`trails`) find it.
"""

from collections.abc import Iterable, MutableMapping, Sequence
from itertools import chain, islice
from typing import Literal
from weakref import WeakKeyDictionary

import msgspec

from schemas.codec import Codec
from schemas.goldens import Pieces
from schemas.messages import Allowance, Change, Epoch, Loaded, Nudge
from schemas.project.model import Entity
from schemas.topics import Topics
from streams.errors import InvalidValueError
from streams.mapping.rules import compile_epoch
from streams.merge import states
from streams.merge.events import Changed, Event, Nudged, Outcome
from streams.merge.merge import merge
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.processors import brake, dues, kept, metrics, outgoing, trails
from streams.processors.incoming import at_us, event_of
from streams.processors.records import Decided as Result
from streams.processors.records import Output, Record, Rejected, UnprocessableError, each
from streams.processors.regimes import Compile, Regime, Regimes
from streams.processors.reserved import MARK
from streams.processors.stores import Store

NUDGES_AT_ONCE = 1000
Reason = Literal["loaded", "rules", "deadline", "forget"]


class MergeProcessor:
    """See the module's text. State by record id. `rules` has a `RowLens` for every system.

    `compile_rules` makes the rules of an epoch that the log begins; before the first, `rules` hold.
    """

    def __init__(
        self,
        topics: Topics,
        entity: Entity,
        rules: Rules,
        codec: Codec | None = None,
        compile_rules: Compile = compile_epoch,
    ) -> None:
        name = rules.entity
        self.name = f"merge.{name}"
        self.inputs = (topics.records(name),)
        self.commands = {system: topics.commands(system) for system in rules.systems}
        self.golden, self.conflicts = topics.golden(name), topics.conflicts
        self.outputs = (*self.commands.values(), self.golden, self.conflicts)
        self.free_outputs: tuple[str, ...] = ()
        self.state_topic: str | None = topics.state("merge", name)
        self.regimes = Regimes(topics, entity, rules, compile_rules)
        self._targets = outgoing.Targets(self.commands, self.conflicts, self.golden)
        self._partitions = topics.partitions
        self._codec = codec or Codec()
        self._kept = kept.Kept()
        self._asked: MutableMapping[Store, set[tuple[bytes, str]]] = WeakKeyDictionary()

    def apply(self, records: Sequence[Record], store: Store) -> list[Result]:
        """Merge every event of the record log. Raises EpochError: see `regimes`."""
        return each(records, lambda record: self._one(record, store))

    def due(self, store: Store, now_us: int) -> list[Output]:
        """Nudges for the records that time itself concerns, each asked for once until it was merged."""
        horizon_us = self.regimes.at(store).rules.horizon_us
        wanted: Iterable[tuple[bytes, Reason]] = ((key, "deadline") for key in dues.due(store, now_us))
        if horizon_us is not None:
            wanted = chain(wanted, ((key, "forget") for key in dues.spent(store, horizon_us, now_us)))
        asked = self._asked.setdefault(store, set())
        found = list(islice((one for one in wanted if one not in asked), NUDGES_AT_ONCE))
        asked.update(found)
        return [self._nudge(key, reason) for key, reason in found]

    def _one(self, record: Record, store: Store) -> Iterable[Result]:
        if record.value is None:
            raise UnprocessableError("an event of the record log needs a message", "decode")
        message = self._codec.decode(record.value)
        if type(message) is Change and message.op != "l" and record.key and record.key[0]:
            return self._event(record, record.key, message, store)
        if isinstance(message, Loaded) or (isinstance(message, Change) and message.op == "l"):
            return self._loaded(record, message, store)
        if isinstance(message, Epoch):
            return self._begun(record, message, store)
        if isinstance(message, Allowance):
            return self._allowed(message, store)
        if not record.key or record.key.startswith(MARK):
            raise UnprocessableError("an event of the record log needs a record id", "decode")
        return self._event(record, record.key, message, store)

    def _event(self, record: Record, key: bytes, message: msgspec.Struct, store: Store) -> Iterable[Result]:
        regime, found = self.regimes.at(store), store.get(key)
        state: State | None = None
        pieces: Pieces = {}
        if found is not None:
            state, pieces = self._kept.take(key, found, regime.goldens)
        try:
            event = event_of(message, record, regime, state)
        except InvalidValueError as error:
            return (Rejected(record, "DecisionRefused", str(error), "decide"),)
        if event is None or (state is None and isinstance(event, Nudged)):
            return ()
        hop = message.origin.hop + 1 if isinstance(message, Change) and message.origin is not None else 1
        return self._merged(_Input(record, key, event, hop, pieces), regime, state, store)

    def _merged(self, given: "_Input", regime: Regime, state: State | None, store: Store) -> Iterable[Result]:
        event, record, guard = given.event, given.record, regime.entity.on_delete.brake
        seen = None if _stays(event, state) else brake.watch(store, guard, event, state, self._partitions)
        held = seen is not None and seen.ruling is not None and seen.ruling.held
        rules = regime.loads.rules(store, seen.system if seen is not None and held else None)
        was_alive = state is None or state.alive
        state, outcome = merge(state, event, rules)
        if outcome.refusal:
            return (Rejected(record, "DecisionRefused", outcome.refusal, "decide"),)
        made = outgoing.results(
            self._targets, regime, self._codec.encode, record, event, state, outcome, given.hop, given.pieces
        )
        if not outcome.repeated:
            if seen is not None:
                brake.watched(store, guard, seen, state, at_us(record), record.offset)
            if held:
                self._count_held(outcome, regime.rules.entity)
            self._keep(given, regime, state, outcome, store, was_alive)
        return made

    def _keep(
        self, given: "_Input", regime: Regime, state: State, outcome: Outcome, store: Store, was_alive: bool
    ) -> None:
        key, offset = given.key, given.record.offset
        if isinstance(given.event, Nudged) and (asked := self._asked.get(store)):
            asked.discard((key, given.event.reason))
        if outcome.forget:
            store.delete(key)
            trails.forget(store, key)
            dues.forget(store, key)
            return
        state.offset = offset
        trails.extend(store, key, state.trail, offset)
        data = states.encode(state)
        store.put(key, data)
        self._kept.keep(key, kept.Record(data, state, regime.goldens, given.pieces))
        # Nothing is parked or settled without a verdict, and only what is dead grows old.
        if outcome.verdicts or not (was_alive and state.alive):
            dues.note(store, key, state)

    def _loaded(self, record: Record, message: Loaded | Change, store: Store) -> Iterable[Result]:
        """A load has passed; when that was the last of it, every record that waited for it is nudged."""
        regime = self.regimes.at(store)
        if message.system not in regime.lenses or not regime.loads.passed(store, message, record.offset):
            return ()
        rules = regime.loads.rules(store)
        waited = [key for key, data in store.items() if not key.startswith(MARK) and _waits(data, rules)]
        return [self._nudge(key, "loaded", record) for key in waited]

    def _begun(self, record: Record, message: Epoch, store: Store) -> Iterable[Result]:
        """Other rules hold from here on; where they are to decide what is open, each record with such is nudged."""
        if not self.regimes.switch(store, message, record.offset) or not message.resolve:
            return ()
        return [self._nudge(key, "rules", record) for key in dues.has_open(store)]

    def _allowed(self, message: Allowance, store: Store) -> Iterable[Result]:
        if message.system not in self.regimes.at(store).lenses:
            reason = f"system {message.system} has no part in entity {message.entity}"
            raise UnprocessableError(reason, "decide")
        brake.allow(store, message)
        return ()

    def _nudge(self, key: bytes, reason: Reason, cause: Record | None = None) -> Output:
        nudge = Nudge(record_id=key.decode(), entity=self.regimes.first.entity, reason=reason)
        partition = None if cause is None else cause.partition
        return Output(self.inputs[0], key, self._codec.encode(nudge), partition, cause=cause)

    def _count_held(self, outcome: Outcome, entity: str) -> None:
        for verdict in outcome.verdicts:
            if verdict.rule == brake.RULE and verdict.winner == "parked":
                metrics.DELETES_HELD.labels(entity, verdict.incoming.system).inc()


class _Input(msgspec.Struct, frozen=True, gc=False):
    """An event of the record log with its place; `hop` is that of the commands it leads to, `pieces` are those of the
    merged record as it was written before."""

    record: Record
    key: bytes
    event: Event
    hop: int
    pieces: Pieces


def _stays(event: Event, state: State | None) -> bool:
    """Whether this event finds and leaves its row there: nothing for the brake to count."""
    return type(event) is Changed and event.after is not None and brake.has_row(state, event.system)


def _waits(data: bytes, rules: Rules) -> bool:
    """Whether a record wants something of a system that may be told by these rules."""
    return bool(merge(states.decode(data), Nudged(), rules)[1].commands)
