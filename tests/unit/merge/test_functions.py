"""A project's own function decides, and what it cannot decide is left to a person."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.merge.policies import Claim, Ruling, UndecidedError, rule
from streams.merge.rules import Function, Newest, Owner, Priority, Sum, Union
from streams.merge.values import Value
from tests.unit.merge.scenes import Scene, in_step, row, rules

FEW = settings(max_examples=60, deadline=None)
RANK = {"crm": 0, "erp": 1}
NUMBERS = st.one_of(st.none(), st.integers(-5, 5), st.text(max_size=2), st.lists(st.integers(0, 3)).map(tuple))


def _longest(current: Value, incoming: Value, base: Value) -> Value:
    return max(str(current), str(incoming), key=len)


def _with_base(current: Value, incoming: Value, base: Value) -> Value:
    return f"{base}>{current}+{incoming}"


def _raising(current: Value, incoming: Value, base: Value) -> Value:
    raise KeyError("no such tariff")


def _clashing(call: object) -> Scene:
    scene = in_step(rules(Function("mine", call)))  # type: ignore[arg-type]
    scene.change("crm", row(phone="22"))
    return scene


@pytest.mark.parametrize(("phone", "winner", "value"), [("333", "incoming", "333"), ("3", "current", "22")])
def test_a_function_may_choose_a_side(phone: str, winner: str, value: str) -> None:
    scene = _clashing(_longest)
    (verdict,) = scene.change("erp", row(phone=phone)).verdicts
    assert (verdict.rule, verdict.winner, scene.golden.values["phone"]) == ("function:mine", winner, value)


def test_a_function_may_make_a_third_value_and_sees_what_the_editor_saw() -> None:
    scene = _clashing(_with_base)
    (verdict,) = scene.change("erp", row(phone="3")).verdicts
    assert (verdict.winner, verdict.detail) == ("merged", "made by function mine")
    (command,) = scene.echo("erp", row(phone="3")).commands
    assert (scene.golden.values["phone"], command.units[0].set) == ("1>22+3", {"phone": "1>22+3"})


def test_a_function_is_not_asked_about_an_edit_in_sight_of_the_value() -> None:
    scene = in_step(rules(Function("mine", _raising)))
    assert scene.change("erp", row(phone="3")).verdicts == []


def test_an_edit_that_makes_a_function_raise_is_parked_with_the_reason() -> None:
    scene = _clashing(_raising)
    (verdict,) = scene.change("erp", row(phone="3")).verdicts
    assert (verdict.rule, verdict.winner) == ("function", "parked")
    assert verdict.detail == "function mine raised KeyError: 'no such tariff'"
    assert scene.echo("erp", row(phone="3")).commands == []
    assert scene.decide(verdict, "3").verdicts[0].winner == "incoming"


@pytest.mark.parametrize(
    ("given_back", "words"),
    [
        ({"a": 1}, "a dict, which is no value"),
        (({"x"},), "a set, which is no value"),
        (2**63, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        (float("nan"), "no finite number"),
        (((((((((1,),),),),),),),), "nested too deeply"),
    ],
)
def test_what_is_no_value_is_parked(given_back: object, words: str) -> None:
    scene = _clashing(lambda *values: given_back)
    (verdict,) = scene.change("erp", row(phone="3")).verdicts
    assert (verdict.winner, verdict.rule) == ("parked", "function")
    assert words in verdict.detail


def test_a_list_is_taken_for_what_a_list_is_here() -> None:
    scene = _clashing(lambda current, incoming, base: [current, [incoming]])
    scene.change("erp", row(phone="3"))
    assert scene.golden.values["phone"] == ("22", ("3",))


@FEW
@given(
    st.sampled_from([Newest(), Priority(("erp", "crm")), Owner("erp"), Sum(), Union(), Function("f", _longest)]),
    NUMBERS,
    NUMBERS,
    st.one_of(st.just(()), NUMBERS.map(lambda value: (value,))),
)
def test_every_ruling_names_its_winner(policy, current, incoming, base) -> None:  # type: ignore[no-untyped-def]
    ruling = rule(policy, Claim(incoming, 2, "erp"), Claim(current, 1, "crm"), base, RANK)
    assert isinstance(ruling, Ruling)
    if ruling.winner == "current":
        assert ruling.value == current
    elif ruling.winner == "incoming":
        assert ruling.value == incoming
    else:
        assert ruling.value not in (current, incoming)
        assert ruling.detail


def test_an_error_says_what_went_wrong() -> None:
    with pytest.raises(UndecidedError, match="raised KeyError") as caught:
        rule(Function("f", _raising), Claim(1, 1, "crm"), Claim(2, 2, "erp"), (), RANK)
    assert isinstance(caught.value.__cause__, KeyError)
