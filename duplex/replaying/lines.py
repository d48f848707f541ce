"""A replay's report for a person."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from duplex.replaying.reports import CommandShown, FieldChange, PartitionReport, RecordChange, Report, totals
from streams.merge.values import EXISTENCE

CHANGES = {
    "opens": "would wait for a person",
    "closes": "would not wait for a person",
    "decides": "would be decided otherwise",
    "arises": "would be a conflict",
    "vanishes": "would be no conflict",
}
OPERATIONS = {"c": "create", "u": "update", "d": "delete"}


def lines(report: Report, limit: int) -> Iterator[str]:
    """The whole report, of records at most `limit`."""
    for partition in report.partitions:
        yield from _partition(partition)
    rate = f", {report.events / report.seconds:,.0f} events/s" if report.seconds > 0 and report.events else ""
    yield f"{report.events:,} events folded in {report.seconds:.1f} s{rate}"
    if report.rules is None:
        yield from _same(report)
    else:
        yield from _otherwise(report)
    for record in report.records[:limit]:
        yield from _record(record)
    if len(report.records) > limit:
        yield f"… and {len(report.records) - limit:,} more (--limit {len(report.records)} shows all, --json too)"


def _partition(one: PartitionReport) -> Iterator[str]:
    digest = f"  digest {one.digest[:16]}" if one.records else ""
    if one.live_digest is None:
        against = ""
    else:
        against = ", equal to the live state" if one.live_digest == one.digest else f", live {one.live_digest[:16]}"
    place = f"{one.entity}/{one.partition}: offsets {one.first} to {one.position}"
    yield f"{place}, {one.records:,} records{digest}{against}"
    if one.apart:
        yield f"  {one.apart:,} records differ from the live state"
    if one.bookkeeping:
        yield f"  {one.bookkeeping:,} of the processor's own entries differ"
    if one.first > 0:
        yield (
            f"  the log begins at offset {one.first}: its retention removed what stood before. Records that were "
            "changed there cannot be told from the log; those whose fold is the live state are exact"
        )


def _same(report: Report) -> Iterator[str]:
    if report.equal:
        yield "no difference: the log makes the live state, byte for byte"
    else:
        yield f"{len(report.records):,} records differ"


def _otherwise(report: Report) -> Iterator[str]:
    counts = totals(report)
    yield f"by {report.rules}: {len(report.records):,} records would be otherwise"
    if counts["fields"]:
        yield f"  values: {_listed(counts['fields'])}"
    for change, count in counts["conflicts"].items():
        yield f"  {count:,} conflicts {CHANGES[change]}" if count > 1 else f"  1 conflict {CHANGES[change]}"
    if counts["commands"]:
        yield f"  commands that would be sent: {_listed(counts['commands'])}"
    if counts["spoken"]:
        yield f"  without an object by then: {_listed(counts['spoken'])}"
    if report.unjudged:
        yield (
            f"  {report.unjudged:,} more cannot be judged: their fold is not the live state (the log's beginning is "
            "gone, or the state is spoilt)"
        )
    if report.asked_in_vain:
        yield f"  of {report.asked_in_vain:,} records the condition could not be asked: they are left out"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _record(one: RecordChange) -> Iterator[str]:
    yield f"{one.entity} {one.record_id}  (partition {one.partition})"
    yield from (f"  {_field(each)}" for each in one.fields)
    for conflict in one.conflicts:
        yield f"  conflict of {_named(conflict.field)} at offset {conflict.offset} {CHANGES[conflict.change]}"
        if conflict.now is not None:
            yield f"    now   {conflict.now}"
        if conflict.then is not None:
            yield f"    then  {conflict.then}"
    yield from (f"  {_command(each)}" for each in one.commands)
    for spoken in one.spoken:
        yield f"  {spoken.kind} at offset {spoken.offset} without an object: {spoken.why}"


def _field(one: FieldChange) -> str:
    if one.field == EXISTENCE:
        return f"would be {'deleted' if one.then is None else 'alive'}  ({one.why})"
    only = "" if one.amendable else ", a field that only one of the rules has"
    return f"{one.field}: {_json(one.now)} → {_json(one.then)}  ({one.why}{only})"


def _command(one: CommandShown) -> str:
    wanted = one.set or {}
    base = one.base or {}
    changed = {name: value for name, value in wanted.items() if one.base is None or base.get(name) != value}
    values = ", ".join(f"{name}: {_json(value)}" for name, value in changed.items() if value is not None or base)
    return f"would {OPERATIONS[one.op]} {one.system} {one.local_id or ''} {values}".rstrip()


def _named(field: str) -> str:
    return "the record's existence" if field == EXISTENCE else field


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def limited(report: Report, limit: int | None) -> dict[str, Any]:
    """The report as data; without a limit, all of it."""
    records: Sequence[RecordChange] = report.records if limit is None else report.records[:limit]
    return {
        "rules": report.rules,
        "equal": report.equal,
        "events": report.events,
        "seconds": report.seconds,
        "partitions": report.partitions,
        "totals": totals(report),
        "unjudged": report.unjudged,
        "asked_in_vain": report.asked_in_vain,
        "differences": len(report.records),
        "records": records,
    }
