"""Change events, claims and deciders for the tests of identity."""

import msgspec

from schemas.codec import Codec
from schemas.messages import Change, Claim, Link, Origin
from streams.identity.keys import ClaimEvent
from streams.identity.rows import RowEvent, RowLinker

CODEC = Codec()


def email_of(system: str, image: str) -> str | None:
    """The natural key of the tests: the e-mail, if there is one."""
    email = msgspec.json.decode(image).get("email")
    return None if email is None else f'["{email}"]'


def linker() -> RowLinker:
    return RowLinker("contact", email_of, lambda data: CODEC.decode_as(data, Change))


def change(seq: int, op: str, email: str | None = None, *, row: str = "[1]", system: str = "crm", **more) -> Change:
    image = msgspec.json.encode({"email": email, "seq": seq}).decode()
    return Change(
        system=system,
        entity="contact",
        table="public.contacts",
        incarnation=1,
        seq=seq,
        op=op,
        local_id=row,
        after=None if op == "d" else image,
        before=image if op == "d" else None,
        ts_us=seq,
        **more,
    )


def event(*args, **more) -> RowEvent:
    made = change(*args, **more)
    return RowEvent(made, CODEC.encode(made))


def echo(seq: int, op: str, email: str | None, record_id: str, outcome: str = "applied", **more) -> RowEvent:
    origin = Origin(command=f"{record_id}/crm/1", record_id=record_id, hop=1, outcome=outcome)
    return event(seq, op, email, origin=origin, **more)


def link(record_id: str | None, row: str = "[1]", system: str = "crm", **more) -> Link:
    parked = "duplicate" if record_id is None else None
    return Link(entity="contact", system=system, local_id=row, record_id=record_id, parked=parked, **more)


def claim(kind: str, system: str, row: str, record_id: str | None = None, key: str = '["a"]', **more) -> ClaimEvent:
    made = Claim(
        kind=kind, entity="contact", natural_key=key, system=system, local_id=row, record_id=record_id, ts_us=1, **more
    )
    return ClaimEvent(made, 0, 0)


def seqs(forwards: list[tuple[str, bytes]]) -> list[tuple[str, int]]:
    return [(record_id, CODEC.decode_as(data, Change).seq) for record_id, data in forwards]


def kinds(claims: list[Claim]) -> list[tuple[str, str]]:
    return [(made.kind, made.natural_key) for made in claims]
