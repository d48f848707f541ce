"""A log that names a system which the project no longer has is folded as it was."""

from collections.abc import Mapping

import msgspec
import pytest

from duplex.composition import Composition
from duplex.explaining.finding import Found
from duplex.explaining.retelling import Retold
from duplex.replaying.folds import TrueFold
from duplex.replaying.replay import processor
from duplex.undoing import selecting
from duplex.undoing.selecting import OfRecord
from schemas.codec import Codec
from schemas.messages import Change, Epoch
from schemas.project.epochs import fingerprint, rules_text
from schemas.project.model import Entity, Project
from streams.merge import states
from streams.processors import marks, refolding
from streams.processors.merging import MergeProcessor
from streams.processors.records import Record
from streams.processors.regimes import EpochError, Regimes
from tests.unit.replaying.test_asking import COLUMNS, present

CODEC = Codec()
ROWS = {"crm": ("email", "phone"), "erp": ("mail", "tel"), "web": ("email", "phone")}
WIDE = {**COLUMNS, "web": COLUMNS["crm"]}
__all__ = ["present"]


def wider(composed: Composition) -> Entity:
    """The entity as it was while there was a system `web`."""
    made = composed.project.entities["contact"]
    return made.model_copy(update={"systems": {**made.systems, "web": made.systems["crm"]}})


def epoch(number: int, made: Entity, columns: Mapping[str, Mapping[str, str]]) -> Epoch:
    text = rules_text(
        Project.model_construct(pipeline="shop", systems={}, entities={"contact": made}), "contact", columns
    )
    return Epoch(entity="contact", number=number, fingerprint=fingerprint(text), rules=text, ts_us=number)


def change(system: str, seq: int, phone: str | None) -> Change:
    """A row of a system; with no phone, the end of its load."""
    email, tel = ROWS[system]
    row = None if phone is None else msgspec.json.encode({"id": 1, email: "a@b.c", tel: phone}).decode()
    place = {"incarnation": 1, "seq": seq, "op": "l" if row is None else "u", "after": row, "ts_us": seq}
    return Change(system=system, entity="contact", table="t", local_id="[1]", **place)  # type: ignore[arg-type]


def log(composed: Composition) -> list[Record]:
    """web was there, wrote the phone, and was taken out of the project; crm wrote after that."""
    messages: list[msgspec.Struct] = [
        epoch(1, wider(composed), WIDE),
        *(change(system, 1, None) for system in WIDE),
        change("crm", 2, "1"),
        change("web", 3, "2"),
        epoch(2, composed.project.entities["contact"], COLUMNS),
        change("crm", 4, "3"),
    ]
    return [
        Record("shop.records.contact", 0, offset, b"R", CODEC.encode(message), 1000 + offset)
        for offset, message in enumerate(messages)
    ]


def test_replay_makes_the_state_that_was_made_while_the_system_was_there(present: Composition) -> None:
    fold = TrueFold(processor(present, "contact", CODEC))
    fold.take(log(present))
    then = present.compile(epoch(1, wider(present), WIDE))
    live = TrueFold(MergeProcessor(present.topics, wider(present), then, CODEC, present.compile))
    live.take(log(present))
    assert fold.content() == live.content()
    state = states.decode(fold.states()[b"R"])
    assert "web" in state.systems
    assert state.fields["phone"].value == "3"


def test_a_record_s_events_are_merged_again_with_the_system_that_is_gone(present: Composition) -> None:
    fold = TrueFold(processor(present, "contact", CODEC))
    fold.take(log(present))
    held, rules = present.project.entities["contact"], present.rules["contact"]
    regimes = Regimes(present.topics, held, rules, present.compile, reads_only=True)
    own = [record for record in log(present) if record.offset in (4, 5, 7)]
    retold = refolding.fold(own, marks.marks_of(fold.content()), regimes)
    assert [step.event is not None for step in retold] == [True, True, True]
    data = fold.states()[b"R"]
    found = Retold(states.decode(data), retold, 0, rules)
    assert selecting.is_whole(found)
    (step,) = selecting.of_record(OfRecord(Found("contact", "R", 0, data, {})), found)
    assert (step.field, step.back_to) == ("phone", "2")


def test_a_process_that_sends_commands_still_stops(present: Composition) -> None:
    held, rules = present.project.entities["contact"], present.rules["contact"]
    fold = TrueFold(MergeProcessor(present.topics, held, rules, CODEC, present.compile))
    with pytest.raises(EpochError, match="it names web"):
        fold.take(log(present))
