"""The two cases that nearly all events are come to the same bytes as by the rules for all cases."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.merge import states, uncontended
from streams.merge.events import Changed, Event
from streams.merge.merge import merge, merge_generally
from streams.merge.rules import Guard, Manual, Newest, Owner, Policy, Priority, Rules, Sum, Union
from streams.merge.values import Row
from tests.unit.merge.clusters import Cluster
from tests.unit.merge.scenes import Scene, in_step, row, rules, sent, upper_lens
from tests.unit.merge.test_convergence import KINDS, SITES, SYSTEMS, TEXTS

POLICIES: st.SearchStrategy[Policy] = st.sampled_from(
    [
        Newest(),
        Newest(),
        Priority(("shop", "crm", "erp")),
        Manual(),
        Manual(50_000_000, Newest()),
        Owner("erp"),
        Sum(),
        Union(),
    ]
)
STEPS = st.lists(st.tuples(KINDS, SITES, st.sampled_from(("name", "phone")), TEXTS), max_size=30)
GUARDS = st.sampled_from([Guard(), Guard(flips=1), Guard(flips=2, window_us=0), Guard(flips=0)])
EVENTS = st.builds(
    Changed,
    system=SITES,
    local_id=st.sampled_from(["[1]", "[1]", "[1]", "[2]"]),
    position=st.tuples(st.just(1), st.integers(0, 40)),
    ts_us=st.integers(0, 2000),
    after=st.none() | st.builds(row, TEXTS, TEXTS),
    command=st.none() | st.integers(0, 6).map("r/erp/{}".format),
    failed=st.sampled_from([None, None, None, "no"]),
    at_us=st.integers(0, 100_000_000),
)


def _compare(data: bytes, event: Event, given: Rules) -> bytes:
    state, outcome = merge(states.decode(data), event, given)
    other, expected = merge_generally(states.decode(data), event, given)
    assert (states.encode(state), outcome) == (states.encode(other), expected)
    return states.encode(state)


class Compared(Cluster):
    """Merges every event in both ways."""

    def _merge(self, event: Event) -> None:
        before = self.data
        super()._merge(event)
        if before:
            assert _compare(before, event, self.rules) == self.data


def _played(policy: Policy, guard: Guard, steps: list[tuple[str, str, str, Any]]) -> Compared:
    cluster = Compared(rules(policy, SYSTEMS, lens=upper_lens(), guard=guard), {"name": "Ada", "phone": "1"})
    for kind, system, name, value in steps:
        if kind == "edit":
            cluster.edit(system, name, value)
        else:
            getattr(cluster, kind)(system)
    return cluster


def _merged(scene: Scene, system: str, after: Row, command: str | None = None, **more: Any) -> bool:
    """Whether such an entry is one of the two cases."""
    event = Changed(
        system=system, local_id="[1]", position=(1, 100), ts_us=5000, after=after, command=command, **more
    )  # fmt: skip
    return uncontended.merged(scene.state, event, scene.rules) is not None


def test_an_edit_of_a_row_in_step() -> None:
    assert _merged(in_step(rules()), "crm", row("Eva"))


def test_an_edit_beside_a_command_that_is_out() -> None:
    scene = in_step(rules())
    scene.change("crm", row("Eva"))
    assert _merged(scene, "crm", row("Eva", "2"))
    assert _merged(scene, "erp", row("Ada", "2"))


def test_an_edit_of_a_value_that_others_have_replaced() -> None:
    scene = in_step(rules())
    scene.change("crm", row("Eva"))
    assert not _merged(scene, "erp", row("Ida"))


def test_the_echo_of_a_command_carried_out() -> None:
    scene = in_step(rules())
    scene.change("crm", row("Eva"))
    command = f"r/erp/{sent(scene, 'erp').number}"
    assert _merged(scene, "erp", row("Eva"), command)
    assert not _merged(scene, "erp", row("Eva"), command, failed="no")
    assert not _merged(scene, "erp", row("Ada"), command)
    assert not _merged(scene, "erp", row("Eva", "2"), command)
    assert not _merged(scene, "erp", row("Eva"), "r/erp/99")


def test_an_echo_from_a_row_that_showed_it_before() -> None:
    scene = in_step(rules())
    scene.change("crm", row("Eva"))
    command = f"r/erp/{sent(scene, 'erp').number}"
    scene.change("erp", row("Eva"))
    assert not _merged(scene, "erp", row("Eva"), command)


@pytest.mark.parametrize("policy", [Owner("erp"), Sum(), Union()])
def test_what_a_policy_has_a_say_in_even_without_a_conflict(policy: Policy) -> None:
    assert not _merged(in_step(rules(policy)), "crm", row("Eva"))


def _waiting() -> Scene:
    """A record of which the name that erp wrote waits for a person."""
    scene = in_step(rules(Manual()))
    scene.change("crm", row("Eva"))
    scene.change("erp", row("Ida"))
    assert list(scene.state.systems["erp"].dissent) == ["name"]
    return scene


@pytest.mark.parametrize(("system", "after"), [("crm", row("Eva", "2")), ("crm", row("Ada")), ("erp", row("Ida", "2"))])
def test_what_waits_is_in_the_way_of_no_other_edit(system: str, after: Row) -> None:
    assert _merged(_waiting(), system, after)


def test_another_word_on_what_waits() -> None:
    scene = _waiting()
    assert not _merged(scene, "erp", row("Eve"))
    state = scene.state
    state.systems["erp"].behind.clear()
    scene.data = states.encode(state)
    assert not _merged(scene, "erp", row("Eve"))


def test_the_echo_of_another_field_beside_what_waits() -> None:
    scene = _waiting()
    scene.echo("erp", row("Ida"))
    scene.change("crm", row("Eva", "2"))
    command = f"r/erp/{sent(scene, 'erp').number}"
    assert _merged(scene, "erp", row("Ida", "2"), command)


def test_an_echo_over_what_waits() -> None:
    scene = _waiting()
    command = f"r/erp/{sent(scene, 'erp').number}"
    scene.change("erp", row("Ada"))
    assert not _merged(scene, "erp", row("Eva"), command)


def test_an_edit_that_agrees_with_what_waits() -> None:
    outcome = _waiting().change("crm", row("Ida"))
    assert [(v.field, v.rule, v.winner) for v in outcome.verdicts] == [("name", "agreement", "current")]


def test_an_edit_when_what_waits_is_due() -> None:
    scene = in_step(rules(Manual(10_000_000, Newest())))
    scene.change("crm", row("Eva"), at_us=1000)
    scene.change("erp", row("Ida"), at_us=2000)
    outcome = scene.change("crm", row("Eva", "2"), at_us=11_000_000)
    assert [(v.field, v.rule, v.winner) for v in outcome.verdicts] == [("name", "deadline:newest", "incoming")]


def test_a_record_that_is_gone() -> None:
    scene = in_step(rules(existence="delete_wins"))
    scene.change("erp", None)
    assert not _merged(scene, "crm", row("Ada", "2"))


@settings(max_examples=150, deadline=None)
@given(POLICIES, GUARDS, STEPS, st.lists(EVENTS, max_size=8))
def test_any_event_on_any_state(
    policy: Policy, guard: Guard, steps: list[tuple[str, str, str, Any]], events: list[Changed]
) -> None:
    cluster = _played(policy, guard, steps)
    data = cluster.data
    for event in events:
        data = _compare(data, event, cluster.rules)
    cluster.rest()


@settings(max_examples=60, deadline=None)
@given(POLICIES, GUARDS, STEPS, EVENTS)
def test_a_case_that_is_none_changes_nothing(
    policy: Policy, guard: Guard, steps: list[tuple[str, str, str, Any]], event: Changed
) -> None:
    cluster = _played(policy, guard, steps)
    state = states.decode(cluster.data)
    if uncontended.merged(state, event, cluster.rules) is None:
        assert states.encode(state) == cluster.data
