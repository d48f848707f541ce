"""Held deletes: counted, and an approval spread over the partitions."""

from typing import Any

import pytest

from duplex.conflicts import braking, deciding, live
from duplex.conflicts.book import Entry
from duplex.conflicts.braking import Ceiling, Held
from duplex.conflicts.deciding import Choice, Signed
from duplex.conflicts.errors import BrakeError
from schemas.messages import Allowance, Side
from tests.unit.conflicts.scenes import RECORD, START_US, Scene, conflict, project

SIGNED = Signed("ann", "cleaning up", START_US)


def held(number: int, **more: Any) -> Entry:
    deleted = Side(system="erp", value=None, ts_us=START_US)
    made = conflict(number, **({"field": "$", "kind": "existence", "rule": "brake", "incoming": deleted} | more))
    return Entry(made, made, True)


def test_held_deletes_are_counted_by_entity_and_system() -> None:
    other = Side(system="crm", value=None, ts_us=START_US)
    entries = [held(1), held(2, ts_us=START_US + 9), held(3, incoming=other), held(4, rule="manual")]
    assert braking.held(entries) == [
        Held("contact", "crm", 1, START_US, START_US),
        Held("contact", "erp", 2, START_US, START_US + 9),
    ]
    assert braking.held([held(5, winner="incoming")]) == []


@pytest.mark.parametrize(("deletes", "shares"), [(10, [3, 3, 2, 2]), (2, [1, 1]), (4000, [1000] * 4)])
def test_a_ceiling_is_spread_over_the_partitions_and_never_grows(deletes: int, shares: list[int]) -> None:
    letters = braking.allowances("contact", "erp", Ceiling(deletes, START_US + 5), SIGNED, 4)
    assert [each.partition for each in letters] == list(range(len(shares)))
    made = [each.message for each in letters if isinstance(each.message, Allowance)]
    assert [each.deletes for each in made] == shares
    assert {(each.until_us, each.allowed_by, each.reason) for each in made} == {(START_US + 5, "ann", "cleaning up")}
    assert {each.key for each in letters} == {b"$allowance"}


def test_a_system_or_entity_that_is_not_there_is_refused() -> None:
    assert braking.entities_of(project(), "erp", None) == ["contact"]
    with pytest.raises(BrakeError, match="crm, erp, shop"):
        braking.entities_of(project(), "desk", None)
    with pytest.raises(BrakeError, match="erp holds contact"):
        braking.entities_of(project(), "erp", "invoice")


def test_the_record_of_a_held_delete_is_decided_as_any_item() -> None:
    assert held(7).id == f"{RECORD}/7"
    assert held(7).held


BRAKE = {"brake": {"count": 4, "share": 0.1, "window": "1h"}}
RECORDS = [f"3fa85f64-{number:04}-4562-b3fc-2c963f66afa6" for number in range(6)]


def braked() -> Scene:
    """erp deletes six contacts of six, one after the other; in each of four partitions one may pass."""
    scene = Scene(on_delete=BRAKE)
    for record_id in RECORDS:
        scene.edit("crm", record_id, email=f"{record_id}@example.com", phone="1")
    for record_id in RECORDS:
        scene.delete("erp", record_id)
    return scene


@pytest.mark.parametrize("approve", [True, False])
def test_held_deletes_are_carried_out_or_the_rows_come_back(approve: bool) -> None:
    scene = braked()
    assert [each.count for each in braking.held(scene.open)] == [5]
    for entry in scene.open:
        now = live.standing(scene.state(entry.last.record_id), scene.rules, int(entry.id.rpartition("/")[2]))
        assert now is not None
        choice = Choice(delete=True) if approve else Choice(keep=True)
        scene.decide(deciding.decision(scene.project, entry, choice, deciding.seen_now(now), SIGNED))
    assert (scene.rejected, scene.open) == ([], [])
    rows = [scene.rows[system, record_id] for system in ("crm", "erp", "shop") for record_id in RECORDS[1:]]
    assert {row is None for row in rows} == {approve}


def test_an_allowance_lets_that_many_pass() -> None:
    scene = Scene(on_delete=BRAKE)
    for record_id in RECORDS:
        scene.edit("crm", record_id, email=f"{record_id}@example.com", phone="1")
    first, *_ = braking.allowances("contact", "erp", Ceiling(8, START_US + 10**9), SIGNED, 4)
    scene.add(first.message, first.key)
    for record_id in RECORDS:
        scene.delete("erp", record_id)
    assert [each.count for each in braking.held(scene.open)] == [3]
