"""Counters and lists: nothing that anybody added is lost, whoever wrote when."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.merge.combinations import is_same_set, number, plain, together, total
from streams.merge.events import Held
from streams.merge.rules import Policy, Sum, Union
from streams.merge.states import NOT_SHOWN
from streams.merge.values import Row, Value, Values
from tests.simulation.lenses import Piece, SimpleLens
from tests.unit.merge.clusters import Cluster
from tests.unit.merge.scenes import Scene, row, rules

SYSTEMS = ("crm", "erp", "shop")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("edit", "edit", "forward", "serve", "forward", "serve", "retry")),
        st.sampled_from(SYSTEMS),
        st.integers(-9, 9),
    ),
    max_size=40,
)
FEW = settings(max_examples=150, deadline=None)
DECIMALS = st.decimals(-1000, 1000, places=3).map(plain)
SETS = st.lists(st.integers(0, 5), max_size=4, unique=True).map(tuple)


def _cluster(policy: Policy, start: Value) -> Cluster:
    return Cluster(rules(policy, SYSTEMS), {"name": "Ada", "phone": start})


@FEW
@given(STEPS)
def test_a_counter_is_what_it_was_and_all_that_was_added(steps: list[tuple[str, str, int]]) -> None:
    cluster, added = _cluster(Sum(), 100), 0
    for kind, system, delta in steps:
        if kind == "edit":
            added += delta
            cluster.edit(system, "phone", cluster.value(system, "phone") + delta)  # type: ignore[operator]
        else:
            getattr(cluster, kind)(system)
    cluster.rest()
    assert cluster.hub("phone") == 100 + added
    assert {cluster.value(system, "phone") for system in SYSTEMS} == {100 + added}


@FEW
@given(STEPS)
def test_a_list_keeps_what_anybody_put_in(steps: list[tuple[str, str, int]]) -> None:
    """Each system adds elements of its own, and takes out only those: then a set knows no conflict."""
    cluster, expected = _cluster(Union(), (0,)), {0}
    for kind, system, drawn in steps:
        element, held = 100 * SYSTEMS.index(system) + abs(drawn) + 1, cluster.value(system, "phone")
        assert isinstance(held, tuple)
        if kind != "edit":
            getattr(cluster, kind)(system)
        elif element in held:
            expected.discard(element)
            cluster.edit(system, "phone", tuple(other for other in held if other != element))
        else:
            expected.add(element)
            cluster.edit(system, "phone", (*held, element))
    cluster.rest()
    assert set(cluster.hub("phone")) == expected  # type: ignore[arg-type]
    assert len({cluster.value(system, "phone") for system in SYSTEMS}) == 1


@FEW
@given(DECIMALS, DECIMALS, DECIMALS)
def test_decimals_are_added_exactly(current: str, incoming: str, base: str) -> None:
    result = total(current, incoming, (base,))
    assert isinstance(result, str)
    assert Decimal(result) == Decimal(current) + Decimal(incoming) - Decimal(base)
    assert plain(Decimal(result)) == result


@FEW
@given(DECIMALS, DECIMALS, DECIMALS)
def test_additions_may_come_in_either_order(base: str, one: str, other: str) -> None:
    assert total(total(base, one, (base,)), other, (base,)) == total(total(base, other, (base,)), one, (base,))


@FEW
@given(SETS, SETS, SETS)
def test_sets_may_come_in_either_order(base: tuple[int, ...], one: tuple[int, ...], other: tuple[int, ...]) -> None:
    first = together(together(base, one, (base,)), other, (base,))
    assert is_same_set(first, together(together(base, other, (base,)), one, (base,)))


@FEW
@given(SETS, SETS, SETS)
def test_a_set_merged_twice_is_merged_once(current: Value, incoming: Value, base: Value) -> None:
    once = together(current, incoming, (base,))
    assert together(once, incoming, (base,)) == once


@pytest.mark.parametrize(
    ("current", "incoming", "base", "result"),
    [
        (10, 10, 7, 13),
        (None, 5, None, 5),
        (12, 5, None, 17),
        (None, 12, 10, 2),
        ("10.55", "11.6", "10.6", "11.55"),
        (0.1, 0.3, 0.1, 0.3),
        ("1", "0", "2", "-1"),
        ("2", "0", "2", "0"),
        (10, None, 7, None),
        ("many", "2", "1", None),
        (True, 2, 1, None),
        ("NaN", "2", "1", None),
    ],
)
def test_totals(current: Value, incoming: Value, base: Value, result: Value) -> None:
    found = total(current, incoming, (base,))
    assert (found, type(found)) == (result, type(result))


def test_without_a_base_there_is_no_total() -> None:
    assert total(1, 2, ()) is None


@pytest.mark.parametrize(
    ("current", "incoming", "base", "result"),
    [
        (("a", "b"), ("a", "c"), (("a",),), ("a", "b", "c")),
        (("a", "b"), ("b",), (("a", "b"),), ("b",)),
        (("b",), ("c", "a"), (), ("b", "c", "a")),
        (("a",), None, (("a", "b"),), ()),
        (None, ("a", "a"), (), ("a",)),
        ((1,), (True,), (), (1, True)),
        ("a", ("b",), (), None),
    ],
)
def test_lists_together(current: Value, incoming: Value, base: tuple[Value], result: Value) -> None:
    assert together(current, incoming, base) == result


@pytest.mark.parametrize("value", [None, True, "1e5", "", "abc", float("inf"), ("1",)])
def test_what_is_no_number(value: Value) -> None:
    assert number(value) is None


def _counting(base: Value = 7) -> Scene:
    scene = Scene(rules(Sum()))
    scene.change("crm", row(phone=base))
    scene.echo("erp", row(phone=base))
    return scene


def test_both_sides_additions_count_and_both_are_on_record() -> None:
    scene = _counting()
    scene.change("crm", row(phone=10))
    (verdict,) = scene.change("erp", row(phone=10)).verdicts
    assert (verdict.rule, verdict.winner, verdict.detail) == ("sum", "merged", "10 + 3 (erp) over base 7")
    assert (verdict.current.value, verdict.incoming.value, scene.golden.values["phone"]) == (10, 10, 13)


def test_a_row_that_does_not_show_the_sum_is_behind_and_corrected() -> None:
    scene = _counting()
    scene.change("crm", row(phone=10))
    scene.change("erp", row(phone=9))
    assert scene.state.systems["erp"].behind["phone"] == NOT_SHOWN
    (command,) = scene.echo("erp", row(phone=9)).commands
    assert (command.units[0].base, command.units[0].set) == ({"phone": 9}, {"phone": 12})


def test_counters_that_differ_before_anything_was_in_step_are_not_added() -> None:
    scene = Scene(rules(Sum()))
    scene.change("crm", row(phone=100), load=True)
    (verdict,) = scene.change("erp", row(phone=90), load=True).verdicts
    assert (verdict.rule, verdict.winner, scene.golden.values["phone"]) == ("sum", "current", 100)


def test_a_cleared_counter_is_cleared_by_the_later_edit() -> None:
    scene = _counting()
    scene.change("crm", row(phone=10), ts_us=2000)
    (verdict,) = scene.change("erp", row(phone=None), ts_us=3000).verdicts
    assert (verdict.winner, scene.golden.values["phone"]) == ("incoming", None)


def test_a_counter_too_large_for_a_state_is_parked() -> None:
    scene = _counting()
    scene.change("crm", row(phone=2**63 - 1))
    (verdict,) = scene.change("erp", row(phone=8)).verdicts
    assert (verdict.rule, verdict.winner, scene.golden.values["phone"]) == ("sum", "parked", 2**63 - 1)
    assert "64 bits" in verdict.detail


def test_an_addition_on_a_deleted_record_is_added_to_what_it_had() -> None:
    scene = _counting()
    scene.change("crm", row(phone=10))
    scene.change("crm", None)
    scene.change("erp", row(phone=8))
    assert (scene.golden.deleted, scene.golden.values["phone"]) == (False, 11)


def test_additions_parked_against_a_tombstone_are_added_when_it_lives_again() -> None:
    scene = Scene(rules(Sum(), SYSTEMS, existence="manual"))
    scene.change("crm", row(phone=7))
    for system in SYSTEMS[1:]:
        scene.echo(system, row(phone=7))
    scene.change("crm", row(phone=10))
    scene.change("crm", None)
    scene.change("erp", row(phone=8))
    scene.change("erp", row(phone=9))
    scene.change("crm", row(phone=20), local_id="[2]")
    assert (scene.golden.deleted, scene.golden.values["phone"]) == (False, 22)


@dataclass(frozen=True)
class RoundingLens(SimpleLens):
    """A system that keeps one decimal place."""

    def put(self, values: Values, row: Row | None) -> dict[str, Value]:
        written = super().put(values, row)
        kept = number(written["phone"])
        return {**written, "phone": None if kept is None else plain(kept.quantize(Decimal("0.1"), ROUND_HALF_UP))}


def _rounded() -> Scene:
    """crm has 10.55, and erp shows as much of it as it can."""
    pieces = (Piece("plain", ("name",), ("name",)), Piece("plain", ("phone",), ("phone",)))
    scene = Scene(rules(Sum(), lens=RoundingLens(pieces)))
    scene.change("crm", row(phone="10.55"))
    scene.echo("erp", row(phone="10.6"))
    return scene


def test_an_addition_to_a_rounded_counter_leaves_the_rest_unrounded() -> None:
    scene = _rounded()
    outcome = scene.change("erp", row(phone="11.6"))
    assert (outcome.verdicts, scene.golden.values["phone"]) == ([], "11.55")
    assert [(c.system, c.units[0].set) for c in outcome.commands] == [("crm", {"phone": "11.55"})]


def test_an_addition_to_a_rounded_counter_that_it_has_not_seen_is_exact() -> None:
    scene = _rounded()
    scene.change("crm", row(phone="12.55"))
    scene.change("erp", row(phone="11.1"))
    assert scene.golden.values["phone"] == "13.05"


def test_a_rounded_row_that_shows_another_rounding_is_corrected() -> None:
    scene = _rounded()
    outcome = scene.change("erp", row(phone="10.65"))
    assert (scene.golden.values["phone"], [c.system for c in outcome.commands]) == ("10.6", ["crm", "erp"])


def test_lists_that_were_never_in_step_are_put_together() -> None:
    scene = Scene(rules(Union(), loading=frozenset({"crm", "erp"})))
    scene.change("crm", row(phone=("a", "b")), load=True)
    (verdict,) = scene.change("erp", row(phone=("c", "a")), load=True).verdicts
    assert (verdict.rule, verdict.winner, scene.golden.values["phone"]) == ("union", "merged", ("a", "b", "c"))
    scene.rules = rules(Union())
    assert [command.units[0].set for command in scene.nudge().commands] == [{"phone": ("a", "b", "c")}] * 2


def test_a_list_reordered_in_sight_of_it_is_reordered() -> None:
    scene = Scene(rules(Union()))
    scene.change("crm", row(phone=("a", "b")))
    scene.echo("erp", row(phone=("a", "b")))
    outcome = scene.change("erp", row(phone=("b", "a")))
    assert (outcome.verdicts, scene.golden.values["phone"]) == ([], ("b", "a"))


def test_the_record_of_a_union_says_what_was_added_and_removed() -> None:
    scene = Scene(rules(Union()))
    scene.change("crm", row(phone=("a", "b")))
    scene.echo("erp", row(phone=("a", "b")))
    scene.change("crm", row(phone=("a", "b", "c")))
    (verdict,) = scene.change("erp", row(phone=("b", "d"))).verdicts
    assert verdict.detail == "added d and removed a (erp)"
    assert (verdict.current, scene.golden.values["phone"]) == (Held("crm", ("a", "b", "c"), 1003), ("b", "c", "d"))
