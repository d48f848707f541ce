"""The merge processor of an entity: the record log in, commands, conflicts and golden records out.

Everything that is decided is decided in `streams.merge`; here messages become events and outcomes become messages.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from schemas.codec import Codec
from schemas.errors import SchemasError
from schemas.goldens import Golden, GoldenCodec, Provenance
from schemas.identifiers import command_id
from schemas.messages import Change, Command, Conflict, Decision, Side, Unit
from schemas.topics import Topics
from streams.mapping.compiled import TableLens
from streams.merge import goldens, states
from streams.merge.events import Changed, Decided, Event, Held, Outcome, Planned, Verdict
from streams.merge.merge import merge
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.merge.values import Row, Value
from streams.processors.records import Output, Record, Rejected, UnprocessableError, each, rejected
from streams.processors.stores import Store

Sent = Output | Rejected


class MergeProcessor:
    """State by record id; reads the entity's record log, and nothing else, so its order is the record's order."""

    def __init__(self, topics: Topics, rules: Rules, golden: GoldenCodec, codec: Codec | None = None) -> None:
        self.name = f"merge.{rules.entity}"
        self.inputs = (topics.records(rules.entity),)
        self.outputs = tuple(topics.commands(system) for system in rules.systems)
        self.state_topic: str | None = topics.state("merge", rules.entity)
        self._topics, self._rules, self._golden = topics, rules, golden
        self._codec = codec or Codec()
        self._lenses: Mapping[str, TableLens] = rules.lenses  # type: ignore[assignment]

    def apply(self, records: Sequence[Record], store: Store) -> list[Sent]:
        """Merge each record in order."""
        return each(records, lambda record: self._one(record, store))

    def _one(self, record: Record, store: Store) -> Iterable[Sent]:
        if record.value is None or record.key is None:
            raise UnprocessableError("a record log holds no message without key or value", "decode")
        message = self._codec.decode(record.value)
        event = self._event(message, record)
        if event is None:
            return ()
        found = store.get(record.key)
        state, outcome = merge(None if found is None else states.decode(found), event, self._rules)
        if outcome.refusal:
            raise UnprocessableError(outcome.refusal, "decide")
        outputs = self._outputs(record, message, state, outcome)
        state.offset = record.offset
        store.put(record.key, states.encode(state))
        return outputs

    def _event(self, message: object, record: Record) -> Event | None:
        if isinstance(message, Change):
            lens = self._lenses.get(message.system)
            return None if message.op == "t" or lens is None else _changed(message, lens, record.timestamp_ms)
        if isinstance(message, Decision):
            return _decided(message)
        raise UnprocessableError(f"a {type(message).__name__} has no place in a record log", "decode")

    def _outputs(self, record: Record, message: object, state: State, outcome: Outcome) -> list[Sent]:
        outputs: list[Sent] = [self._command(record, message, one) for one in outcome.commands]
        outputs += [self._conflict(record, one) for one in outcome.verdicts]
        if outcome.golden:
            outputs.append(self._merged(record, state))
        return outputs

    def _command(self, record: Record, message: object, planned: Planned) -> Output:
        assert record.key is not None
        record_id, lens = record.key.decode(), self._lenses[planned.system]
        hop = message.origin.hop if isinstance(message, Change) and message.origin else 0
        command = Command(
            id=command_id(record_id, planned.system, planned.number),
            record_id=record_id,
            entity=self._rules.entity,
            system=planned.system,
            number=planned.number,
            op=planned.op,
            local_id=planned.local_id,
            units=tuple(Unit(base=_text(lens, unit.base), set=_set(lens, planned, unit.set)) for unit in planned.units),
            partition=record.partition,
            offset=record.offset,
            hop=hop + 1,
            ts_us=record.timestamp_ms * 1000,
        )
        topic = self._topics.commands(planned.system)
        return Output(topic, record.key, self._codec.encode(command), partition=record.partition, cause=record)

    def _conflict(self, record: Record, verdict: Verdict) -> Output:
        assert record.key is not None
        conflict = Conflict(
            id=f"{record.key.decode()}/{verdict.number}",
            record_id=record.key.decode(),
            entity=self._rules.entity,
            field=verdict.field,
            kind=verdict.kind,
            rule=verdict.rule,
            winner=verdict.winner,
            current=_side(verdict.current),
            incoming=_side(verdict.incoming),
            detail=verdict.detail,
            partition=record.partition,
            offset=record.offset,
            ts_us=record.timestamp_ms * 1000,
        )
        return Output(self._topics.conflicts, record.key, self._codec.encode(conflict), cause=record)

    def _merged(self, record: Record, state: State) -> Sent:
        assert record.key is not None
        merged = goldens.golden(state, self._rules)
        sources = {
            name: Provenance(system=one.system, ts_us=one.ts_us, version=one.version)
            for name, one in merged.provenance.items()
        }
        golden = Golden(
            record_id=record.key.decode(),
            version=state.version,
            deleted=merged.deleted,
            values=merged.values,
            provenance=sources,
        )
        try:
            data = self._golden.encode(golden)
        except SchemasError as error:
            # The merge itself stands: only this rendering of it cannot be published.
            return rejected(record, error)
        return Output(self._topics.golden(self._rules.entity), record.key, data, cause=record)


def _changed(message: Change, lens: TableLens, appended_ms: int) -> Changed | None:
    after, origin = message.after, message.origin
    if after is not None and origin is None and not lens.admits(after):
        if lens.on_leave == "ignore":
            return None
        after = None
    return Changed(
        system=message.system,
        local_id=message.local_id,
        before_id=message.before_id,
        position=(message.incarnation, message.seq),
        ts_us=min(message.ts_us, appended_ms * 1000 + 999),
        after=None if after is None else lens.load(after),
        command=origin.command if origin else None,
        failed=(origin.error or "refused without a reason") if origin and origin.outcome == "failed" else None,
        load=message.op == "r",
    )


def _decided(message: Decision) -> Decided:
    return Decided(
        item=message.item,
        candidate=_value(message.candidate),
        version=message.version,
        value=_value(message.value),
        ts_us=message.ts_us,
    )


def _value(text: str | None) -> Value:
    if text is None:
        return None
    try:
        found: Value = msgspec.json.decode(text, type=states.Stored)
    except msgspec.MsgspecError as error:
        raise UnprocessableError(f"the decision's value is not JSON: {error}", "decode") from error
    return found


def _text(lens: TableLens, row: Row | None) -> str | None:
    return None if row is None else lens.dump(row)


def _set(lens: TableLens, planned: Planned, row: Row | None) -> str | None:
    if row is None:
        return None
    return lens.dump_new(row) if planned.op == "c" else lens.dump(row)


def _side(held: Held) -> Side:
    value = None if held.value is None else msgspec.json.encode(held.value).decode()
    return Side(system=held.system, value=value, ts_us=held.ts_us)
