"""The answer of a sink as an event of its row: in systems without a log, it is what an echo is in the others."""

from schemas.messages import Change, Origin, Result


def as_change(result: Result) -> Change:
    """The row that the sink found and the row that it left, at the place of the latter among the looks.

    `local_id` must be known: a create that failed concerns no row, and goes to its record at once.
    """
    assert result.local_id is not None
    return Change(
        system=result.system,
        entity=result.entity,
        table="",
        incarnation=0,
        seq=result.left_order,
        op="d" if result.left is None else "u",
        local_id=result.local_id,
        before=result.found,
        after=result.left,
        ts_us=result.ts_us,
        origin=Origin(
            command=result.command,
            record_id=result.record_id,
            hop=0,
            outcome=result.outcome,
            error=result.error,
        ),
    )
