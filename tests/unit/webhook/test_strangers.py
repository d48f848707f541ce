"""Who guesses runs out of credit; who is verified never does; and nothing grows."""

import pytest

from connectors.webhook.endpoints import Rate
from connectors.webhook.strangers import OTHERS, StrangerError, Strangers, household


def strangers(requests: int = 3, most: int = 10_000) -> Strangers:
    return Strangers(Rate(requests, 60.0), most)


def wait_s(found: Strangers, address: str, now_s: float) -> float:
    """How long an address is to wait; 0: its request was taken."""
    try:
        found.charge(address, now_s)
    except StrangerError as error:
        return error.wait_s
    return 0.0


def test_who_guesses_runs_out_of_credit_and_gets_it_back_with_time() -> None:
    found = strangers(3)
    assert [wait_s(found, "a", 0.0) for _ in range(4)] == [0, 0, 0, 20.0]
    assert wait_s(found, "b", 0.0) == 0, "another address has its own"
    assert wait_s(found, "a", 19.0) == pytest.approx(1.0)
    assert [wait_s(found, "a", 20.0), wait_s(found, "a", 20.0)] == [0, pytest.approx(20.0)]
    assert [wait_s(found, "a", 1000.0) for _ in range(4)] == [0, 0, 0, 20.0]


def test_who_is_verified_owes_nothing_however_much_it_sends() -> None:
    found = strangers(3)
    for number in range(10_000):
        found.take_back(found.charge("a", number * 0.001))
    assert len(found) == 0


def test_what_is_not_verified_yet_counts() -> None:
    found = strangers(3)
    charged = [found.charge("a", 0.0) for _ in range(3)]
    assert wait_s(found, "a", 0.0) > 0
    found.take_back(charged[0])
    assert wait_s(found, "a", 0.0) == 0


def test_a_clock_that_is_set_back_lends_and_takes_nothing() -> None:
    found = strangers(3)
    assert [wait_s(found, "a", 100.0), wait_s(found, "a", 0.0), wait_s(found, "a", 0.0)] == [0, 0, 0]
    assert wait_s(found, "a", 0.0) == 20.0


def test_addresses_are_forgotten_when_they_owe_nothing() -> None:
    found = strangers(3, most=100)
    for number in range(1000):
        assert wait_s(found, f"a{number}", number * 60.0) == 0
    assert len(found) <= 100


def test_too_many_addresses_share_one_account() -> None:
    found = strangers(3, most=100)
    for number in range(100):
        found.charge(f"a{number}", 0.0)
    assert [wait_s(found, f"b{number}", 0.0) for number in range(4)] == [0, 0, 0, 20.0]
    assert len(found) == 101
    assert wait_s(found, "a7", 0.0) == 0, "those that have an account keep it"


def test_who_is_verified_is_not_held_up_by_many_others() -> None:
    found = strangers(3, most=100)
    for number in range(100):
        found.charge(f"a{number}", 0.0)
    for _ in range(50):
        charged = found.charge("honest", 0.0)
        assert charged == OTHERS
        found.take_back(charged)


def test_one_that_owes_much_hides_none_that_owe_nothing() -> None:
    found = strangers(3, most=3)
    for address in ("much", "much", "much", "b", "c"):
        found.charge(address, 0.0)
    for number in range(4):
        found.charge(f"d{number}", 30.0)
    assert len(found) <= 4


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("/run/socket", "/run/socket"),
    ],
)
def test_an_address_is_judged_by_its_household(address: str, expected: str) -> None:
    assert household(address) == expected
