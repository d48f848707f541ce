"""The merge processor of an entity: the record log in; commands, conflicts and the merged record out.

It translates and nothing more: what happens to a record is decided by `streams.merge.merge`, a pure function.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from schemas.codec import Codec
from schemas.errors import SchemasError
from schemas.goldens import Golden, GoldenCodec, Provenance
from schemas.identifiers import command_id
from schemas.messages import Change, Command, Conflict, Decision, Loaded, Nudge, Side, Unit
from schemas.project.model import Entity
from schemas.topics import Topics
from streams.merge import goldens, states
from streams.merge.events import Changed, Decided, Event, Held, Nudged, Outcome, Planned, Verdict
from streams.merge.merge import merge
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.merge.values import EXISTENCE, Row, Value
from streams.processors.loads import MARK, Loads
from streams.processors.records import Decided as Result
from streams.processors.records import Output, Record, Rejected, UnprocessableError, each, rejected
from streams.processors.stores import Store


@runtime_checkable
class RowLens(Protocol):
    """What this processor needs of a lens beside what the merge needs: row images to rows, and back."""

    @property
    def on_leave(self) -> Literal["ignore", "delete"]: ...

    def load(self, text: str) -> dict[str, Value]: ...

    def get(self, row: Row, names: Container[str] | None = None) -> dict[str, Value]: ...

    def dump(self, row: Row) -> str: ...

    def dump_new(self, row: Row) -> str: ...

    def admits(self, row: str | Row) -> bool: ...


class MergeProcessor:
    """See the module's text. State by record id. `rules` has a `RowLens` for every system."""

    def __init__(self, topics: Topics, entity: Entity, rules: Rules, codec: Codec | None = None) -> None:
        name = rules.entity
        self.name = f"merge.{name}"
        self.inputs = (topics.records(name),)
        self.commands = {system: topics.commands(system) for system in rules.systems}
        self.golden, self.conflicts = topics.golden(name), topics.conflicts
        self.outputs = (*self.commands.values(), self.golden, self.conflicts)
        self.free_outputs: tuple[str, ...] = ()
        self.state_topic: str | None = topics.state("merge", name)
        self._rules = rules
        self._loads = Loads(rules)
        self._lenses = row_lenses(rules)
        self._codec = codec or Codec()
        self._golden_codec = GoldenCodec(topics.pipeline, name, entity)

    def apply(self, records: Sequence[Record], store: Store) -> list[Result]:
        """Merge every event of the record log."""
        return each(records, lambda record: self._one(record, store))

    def _one(self, record: Record, store: Store) -> Iterable[Result]:
        if record.value is None:
            raise UnprocessableError("an event of the record log needs a message", "decode")
        message = self._codec.decode(record.value)
        if isinstance(message, Loaded) or (isinstance(message, Change) and message.op == "l"):
            return self._loaded(record, message, store)
        if record.key is None:
            raise UnprocessableError("an event of the record log needs a record id", "decode")
        if (event := self._event(message, record)) is None:
            return ()
        found = store.get(record.key)
        state, outcome = merge(None if found is None else states.decode(found), event, self._loads.rules(store))
        if outcome.refusal:
            return (Rejected(record, "DecisionRefused", outcome.refusal, "decide"),)
        state.offset = record.offset
        hop = message.origin.hop + 1 if isinstance(message, Change) and message.origin is not None else 1
        results = self._results(record, event, state, outcome, hop)
        if not outcome.repeated:
            store.put(record.key, states.encode(state))
        return results

    def _loaded(self, record: Record, message: Loaded | Change, store: Store) -> Iterable[Result]:
        """A load has passed; when that was the last of it, every record that waited for it is nudged."""
        if message.system not in self._lenses or not self._loads.passed(store, message):
            return ()
        rules, topic = self._loads.rules(store), self.inputs[0]
        waited = [key for key, data in store.items() if not key.startswith(MARK) and _waits(data, rules)]
        nudges = [Nudge(record_id=key.decode(), entity=rules.entity, reason="loaded") for key in waited]
        return [
            Output(topic, key, self._codec.encode(nudge), record.partition, cause=record)
            for key, nudge in zip(waited, nudges, strict=True)
        ]

    def _event(self, message: msgspec.Struct, record: Record) -> Event | None:
        # The log's append time bounds the source's clock: a fast one cannot write into the future.
        limit_us = record.timestamp_ms * 1000 + 999
        if isinstance(message, Change):
            return None if message.op == "t" else self._changed(message, min(message.ts_us, limit_us))
        if isinstance(message, Nudge):
            return Nudged(reason=message.reason, system=message.system, at_us=limit_us)
        if isinstance(message, Decision):
            return Decided(
                item=message.item,
                candidate=value_of(message.candidate),
                version=message.version,
                value=value_of(message.value),
                ts_us=min(message.ts_us, limit_us),
            )
        raise UnprocessableError(f"a {type(message).__name__} has no place in the record log", "decode")

    def _changed(self, change: Change, ts_us: int) -> Changed | None:
        lens = self._lenses.get(change.system)
        if lens is None:
            raise UnprocessableError(f"system {change.system} has no part in entity {self._rules.entity}", "decode")
        after = change.after
        if change.origin is None and after is not None and not lens.admits(after):
            if lens.on_leave == "ignore":
                return None
            after = None
        origin = change.origin
        return Changed(
            system=change.system,
            local_id=change.local_id,
            position=(change.incarnation, change.seq),
            ts_us=ts_us,
            after=None if after is None else lens.load(after),
            before_id=change.before_id,
            command=None if origin is None else origin.command,
            failed=None if origin is None or origin.outcome == "applied" else origin.error or "refused by the system",
            load=change.op == "r",
        )

    def _results(self, record: Record, event: Event, state: State, outcome: Outcome, hop: int) -> list[Result]:
        ts_us = event.ts_us if isinstance(event, Changed | Decided) else record.timestamp_ms * 1000
        record_id = (record.key or b"").decode()
        results: list[Result] = []
        for planned in outcome.commands:
            command = self._command(record_id, record, planned, hop, ts_us)
            results.append(self._output(record, self.commands[planned.system], self._codec.encode(command)))
        for verdict in outcome.verdicts:
            conflict = self._conflict(record_id, record, verdict, ts_us)
            results.append(self._output(record, self.conflicts, self._codec.encode(conflict)))
        if outcome.golden:
            results.append(self._published(record, record_id, state))
        return results

    def _published(self, record: Record, record_id: str, state: State) -> Result:
        try:
            return self._output(record, self.golden, self._golden(record_id, state))
        except SchemasError as error:
            # The merge stands; only this rendering of it cannot be had. Taking the event back would lose it.
            return rejected(record, error)

    def _output(self, record: Record, topic: str, value: bytes) -> Output:
        return Output(topic, record.key, value, record.partition, cause=record)

    def _command(self, record_id: str, record: Record, planned: Planned, hop: int, ts_us: int) -> Command:
        lens = self._lenses[planned.system]
        dump_set = lens.dump_new if planned.op == "c" else lens.dump
        units = tuple(
            Unit(
                base=None if unit.base is None else lens.dump(unit.base),
                set=None if unit.set is None else dump_set(unit.set),
            )
            for unit in planned.units
        )
        return Command(
            id=command_id(record_id, planned.system, planned.number),
            record_id=record_id,
            entity=self._rules.entity,
            system=planned.system,
            number=planned.number,
            op=planned.op,
            local_id=planned.local_id,
            units=units,
            partition=record.partition,
            offset=record.offset,
            hop=hop,
            ts_us=ts_us,
        )

    def _conflict(self, record_id: str, record: Record, verdict: Verdict, ts_us: int) -> Conflict:
        return Conflict(
            id=f"{record_id}/{verdict.number}",
            record_id=record_id,
            entity=self._rules.entity,
            field=verdict.field,
            kind=verdict.kind,
            rule=verdict.rule,
            winner=verdict.winner,
            current=_side(verdict, verdict.current),
            incoming=_side(verdict, verdict.incoming),
            detail=verdict.detail,
            partition=record.partition,
            offset=record.offset,
            ts_us=ts_us,
        )

    def _golden(self, record_id: str, state: State) -> bytes:
        merged = goldens.golden(state, self._rules)
        return self._golden_codec.encode(
            Golden(
                record_id=record_id,
                version=state.version,
                deleted=merged.deleted,
                values=merged.values,
                provenance={
                    field: Provenance(system=one.system, ts_us=one.ts_us, version=one.version)
                    for field, one in merged.provenance.items()
                },
            )
        )


def _waits(data: bytes, rules: Rules) -> bool:
    """Whether a record wants something of a system that may be told by these rules."""
    return bool(merge(states.decode(data), Nudged(), rules)[1].commands)


def row_lenses(rules: Rules) -> Mapping[str, RowLens]:
    """The lenses of an entity, each able to read and write row images."""
    found: dict[str, RowLens] = {}
    for system, lens in rules.lenses.items():
        if not isinstance(lens, RowLens):
            raise TypeError(f"the lens of {rules.entity} in {system} cannot read row images")
        found[system] = lens
    return found


def _side(verdict: Verdict, held: Held) -> Side:
    gone = held.value is None and verdict.field == EXISTENCE
    value = None if gone else msgspec.json.encode(held.value).decode()
    return Side(system=held.system, value=value, ts_us=held.ts_us)


def value_of(text: str | None) -> Value:
    """A value from its JSON text, lists as tuples. Raises UnprocessableError."""
    try:
        return None if text is None else _frozen(msgspec.json.decode(text))
    except msgspec.DecodeError as error:
        raise UnprocessableError(f"not a JSON value: {error}", "decode") from error


def _frozen(value: Any) -> Value:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return tuple((name, _frozen(item)) for name, item in value.items())
    return value  # type: ignore[no-any-return]
