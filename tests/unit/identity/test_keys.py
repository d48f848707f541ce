"""The first claim makes the record; further rows join, are parked, or take over."""

from schemas.identifiers import record_of_natural_key
from streams.identity.keys import Answers, KeyState, decide
from tests.unit.identity.events import claim

R0, R1 = (record_of_natural_key("contact", '["a"]', generation) for generation in (0, 1))


def after(*claims) -> tuple[KeyState, Answers]:
    """The state after these claims, and the answers to the last of them."""
    state, answers = KeyState(), Answers()
    for event in claims:
        answers = decide(state, event)
    return state, answers


def links(answers: Answers) -> list[tuple[str, str, str | None]]:
    return [(link.system, link.local_id, link.record_id) for link in answers.links]


def test_first_claim_makes_the_record():
    _, answers = after(claim("claim", "crm", "1"))
    assert links(answers) == [("crm", "1", R0)]


def test_claim_of_another_system_joins_it():
    _, answers = after(claim("claim", "crm", "1"), claim("claim", "erp", "9"))
    assert links(answers) == [("erp", "9", R0)] and answers.conflicts == []


def test_repeated_claim_gets_the_same_answer():
    state, answers = after(claim("claim", "crm", "1"), claim("claim", "crm", "1"))
    assert links(answers) == [("crm", "1", R0)] and state.generation == 1


def test_second_row_of_a_system_is_parked_and_recorded_once():
    first = claim("claim", "crm", "1")
    state, answers = after(first, claim("claim", "crm", "2"))
    assert links(answers) == [("crm", "2", None)] and answers.links[0].parked
    assert [(each.kind, each.winner, each.record_id) for each in answers.conflicts] == [("duplicate", "parked", R0)]
    assert decide(state, claim("claim", "crm", "2")).conflicts == []


def test_parked_row_takes_the_place_of_a_deleted_one():
    _, answers = after(claim("claim", "crm", "1"), claim("claim", "crm", "2"), claim("gone", "crm", "1"))
    assert links(answers) == [("crm", "2", R0)]


def test_parked_row_that_goes_is_forgotten():
    claims = [claim("claim", "crm", "1"), claim("claim", "crm", "2"), claim("gone", "crm", "2")]
    state, answers = after(*claims, claim("gone", "crm", "1"))
    assert answers.links == [] and state.parked == []


def test_record_stays_with_the_key_of_its_deleted_rows():
    _, answers = after(claim("claim", "crm", "1"), claim("gone", "crm", "1"), claim("claim", "erp", "9"))
    assert links(answers) == [("erp", "9", R0)]


def test_released_key_makes_another_record():
    moved = [claim("claim", "crm", "1"), claim("release", "crm", "1", R0)]
    _, answers = after(*moved, claim("claim", "crm", "2"))
    assert links(answers) == [("crm", "2", R1)]


def test_key_is_not_free_before_the_record_left_it_in_every_system():
    both = [claim("claim", "crm", "1"), claim("claim", "erp", "9"), claim("release", "crm", "1", R0)]
    state, answers = after(*both, claim("claim", "crm", "2"))
    assert links(answers) == [("crm", "2", None)]
    assert links(decide(state, claim("release", "erp", "9", R0))) == [("crm", "2", R1)]


def test_row_that_turns_its_key_back_holds_it_again():
    both = [claim("claim", "crm", "1"), claim("claim", "erp", "9"), claim("release", "crm", "1", R0)]
    state, _ = after(*both, claim("hold", "crm", "1", R0))
    assert state.holders == {"crm": "1", "erp": "9"} and state.left == {}


def test_hold_of_a_key_that_is_free_takes_it():
    state, _ = after(claim("hold", "crm", "1", "X"))
    assert state.record_id == "X" and state.holders == {"crm": "1"}
    assert links(decide(state, claim("claim", "erp", "9"))) == [("erp", "9", "X")]


def test_key_taken_by_hold_and_freed_never_brings_back_an_earlier_record():
    _, answers = after(claim("hold", "crm", "1", "X"), claim("release", "crm", "1", "X"), claim("claim", "erp", "9"))
    assert links(answers) == [("erp", "9", R1)]


def test_hold_of_anothers_key_is_a_conflict_and_moves_nothing():
    state, answers = after(claim("claim", "crm", "1"), claim("hold", "erp", "9", "X"))
    assert [(each.kind, each.record_id) for each in answers.conflicts] == [("key", "X")]
    assert answers.links == [] and state.record_id == R0 and state.holders == {"crm": "1"}
    assert decide(state, claim("hold", "erp", "9", "X")).conflicts == []


def test_contested_key_goes_to_the_one_who_waits_once_it_is_free():
    state, _ = after(claim("claim", "crm", "1"), claim("hold", "erp", "9", "X"), claim("release", "crm", "1", R0))
    assert state.record_id == "X" and state.holders == {"erp": "9"}


def test_row_whose_id_changed_replaces_itself():
    state, answers = after(claim("claim", "crm", "1"), claim("hold", "crm", "2", R0, moved_from="1"))
    assert state.holders == {"crm": "2"} and answers == Answers()


def test_two_rows_of_a_system_linked_to_one_record_are_recorded_as_duplicates():
    state, answers = after(claim("claim", "crm", "1"), claim("hold", "crm", "2", R0))
    assert [each.kind for each in answers.conflicts] == ["duplicate"] and state.holders == {"crm": "1"}
    decide(state, claim("gone", "crm", "1"))
    assert state.holders == {"crm": "2"}


def test_echo_wins_over_the_record_made_for_its_row_in_passing():
    state, answers = after(claim("claim", "crm", "1"), claim("hold", "crm", "1", "X"))
    assert state.record_id == "X" and answers.conflicts == []
