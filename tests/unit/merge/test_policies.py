"""Laws of the policies: which of two values stays does not depend on the order in which they come."""

from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.merge.policies import Claim, incoming_wins, is_blank
from streams.merge.rules import Manual, Newest, Owner, Priority
from streams.merge.turns import DECISION

SYSTEMS = ("crm", "erp", "shop", "desk")
RANK = {system: place for place, system in enumerate(SYSTEMS)}
POLICIES = st.sampled_from([Newest(), Priority(("shop", "crm", "desk", "erp")), Owner("erp")])
VALUES = st.one_of(st.none(), st.text(max_size=3), st.tuples(st.none(), st.none()))
CLAIMS = st.tuples(VALUES, st.integers(0, 5))
FEW = settings(max_examples=50, deadline=None)


def _claims(drawn: dict[str, tuple[object, int]]) -> list[Claim]:
    return [Claim(value, ts_us, system) for system, (value, ts_us) in drawn.items()]  # type: ignore[arg-type]


def _stays(policy: object, claims: list[Claim]) -> Claim:
    return reduce(lambda a, b: b if incoming_wins(policy, b, a, RANK) else a, claims)  # type: ignore[arg-type]


@FEW
@given(st.dictionaries(st.sampled_from(SYSTEMS), CLAIMS, min_size=2), st.randoms(use_true_random=False))
def test_the_newest_of_one_claim_a_system_is_the_same_in_every_order(drawn, pick) -> None:  # type: ignore[no-untyped-def]
    claims = _claims(drawn)
    first = _stays(Newest(), claims)
    pick.shuffle(claims)
    assert _stays(Newest(), claims) == first


@FEW
@given(st.dictionaries(st.sampled_from(SYSTEMS), CLAIMS, min_size=2), st.randoms(use_true_random=False))
def test_priority_is_the_same_in_every_order(drawn, pick) -> None:  # type: ignore[no-untyped-def]
    claims, policy = _claims(drawn), Priority(("shop", "crm", "desk", "erp"))
    first = _stays(policy, claims)
    pick.shuffle(claims)
    assert _stays(policy, claims) == first


@FEW
@given(POLICIES, CLAIMS, st.sampled_from(SYSTEMS))
def test_a_claim_against_itself_changes_nothing(policy, drawn, system) -> None:  # type: ignore[no-untyped-def]
    (claim,) = _claims({system: drawn})
    assert _stays(policy, [claim, claim]) == claim


@FEW
@given(POLICIES, st.lists(st.tuples(st.sampled_from(SYSTEMS), CLAIMS), min_size=3, max_size=3))
def test_of_three_claims_any_two_may_meet_first(policy, drawn) -> None:  # type: ignore[no-untyped-def]
    one, two, three = (Claim(value, ts_us, system) for system, (value, ts_us) in drawn)
    later = _stays(policy, [one, _stays(policy, [two, three])])
    assert _stays(policy, [_stays(policy, [one, two]), three]) == later


@FEW
@given(CLAIMS)
def test_the_owner_always_wins_and_nobody_else_does(drawn) -> None:  # type: ignore[no-untyped-def]
    owned, other = Claim(drawn[0], drawn[1], "erp"), Claim("x", 9, "crm")
    assert incoming_wins(Owner("erp"), owned, other, RANK)
    assert not incoming_wins(Owner("erp"), other, owned, RANK)


def test_manual_never_lets_the_incoming_win() -> None:
    assert not incoming_wins(Manual(), Claim("x", 9, "crm"), Claim("y", 1, "erp"), RANK)


def test_a_decision_outranks_every_system() -> None:
    decided = Claim("x", 1, DECISION)
    assert not incoming_wins(Priority(SYSTEMS), Claim("y", 9, "crm"), decided, RANK)
    assert not incoming_wins(Newest(), Claim("y", 1, "crm"), decided, RANK)


def test_a_system_that_is_gone_ranks_last() -> None:
    assert incoming_wins(Newest(), Claim("y", 1, "desk"), Claim("x", 1, "gone"), RANK)


def test_a_group_of_nulls_is_blank() -> None:
    assert is_blank((None, (None,)))
    assert not is_blank((None, ""))
