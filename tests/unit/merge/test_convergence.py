"""Laws of every policy, through exact, lossy and grouping lenses: at rest all rows show one record."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.merge.rules import Function, Manual, Newest, Owner, Policy, Priority, Rules, Sum, Union
from streams.merge.values import Value
from tests.simulation.lenses import Piece, SimpleLens
from tests.unit.merge.clusters import Cluster
from tests.unit.merge.scenes import rules, upper_lens

SYSTEMS = ("crm", "erp", "shop")
FEW = settings(max_examples=120, deadline=None)
KINDS = st.sampled_from(("edit", "edit", "edit", "forward", "serve", "forward", "serve", "retry"))
SITES = st.sampled_from(SYSTEMS)
LONGEST = Function("longest", lambda current, incoming, base: max(str(current), str(incoming), key=len))
POLICIES: st.SearchStrategy[Policy] = st.sampled_from(
    [Newest(), Priority(("shop", "crm", "erp")), Owner("erp"), Sum(), Union(), LONGEST]
)
TEXTS = st.sampled_from(["Ada", "ADA", "ada", "Eva", "a longer name", None])
PAIRS = st.tuples(st.integers(0, 3), st.integers(0, 3))


def _play(cluster: Cluster, name: str, steps: list[tuple[str, str, Any]]) -> None:
    for kind, system, value in steps:
        if kind == "edit":
            cluster.edit(system, name, value)
        else:
            getattr(cluster, kind)(system)


@FEW
@given(POLICIES, st.lists(st.tuples(KINDS, SITES, TEXTS), max_size=30))
def test_lossy_and_exact_rows_come_to_show_one_record(policy: Policy, steps: list[tuple[str, str, Value]]) -> None:
    cluster = Cluster(rules(policy, SYSTEMS, lens=upper_lens()), {"name": "Ada", "phone": "1"})
    _play(cluster, "name", steps)
    cluster.rest()
    assert all(cluster.shows_the_hub(system) for system in SYSTEMS)


def _group_rules(policy: Policy) -> Rules:
    lens = SimpleLens((Piece("group", ("g",), ("g0", "g1")),))
    return Rules("thing", ("g",), SYSTEMS, {"g": policy}, dict.fromkeys(SYSTEMS, lens))


@FEW
@given(st.sampled_from([Newest(), Priority(SYSTEMS), Owner("erp")]), st.lists(st.tuples(KINDS, SITES, PAIRS)))
def test_a_group_is_what_one_user_left(policy: Policy, steps: list[tuple[str, str, Value]]) -> None:
    cluster = Cluster(_group_rules(policy), {"g": (0, 0)})
    _play(cluster, "g", steps)
    cluster.rest()
    assert all(cluster.shows_the_hub(system) for system in SYSTEMS)
    assert cluster.hub("g") in {(0, 0)} | {value for kind, _, value in steps if kind == "edit"}


@FEW
@given(st.lists(st.tuples(KINDS, SITES, TEXTS), max_size=30))
def test_fields_left_to_nobody_end_as_one_record(steps: list[tuple[str, str, Value]]) -> None:
    """What was parked is decided by new rules, and then nothing is left apart."""
    cluster = Cluster(rules(Manual(), SYSTEMS, lens=upper_lens()), {"name": "Ada", "phone": "1"})
    _play(cluster, "name", steps)
    cluster.rest()
    cluster.rules = rules(Newest(), SYSTEMS, lens=upper_lens())
    cluster.nudge("rules")
    cluster.rest()
    assert all(cluster.shows_the_hub(system) for system in SYSTEMS)
