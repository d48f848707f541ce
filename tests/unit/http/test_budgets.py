"""An account's budget keeps below the limit that the application counts, whatever way it counts and tells it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.http.budgets import LONGEST_PAUSE_S, Allowance, Budget, pause_s
from connectors.http.limits import Standing, retry_at_s, standing

NOW_S = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "40", "x-ratelimit-reset": "30"}, (40, 30, 100)),
        ({"x-ratelimit-remaining": "40", "x-ratelimit-reset": "1790000012"}, (40, 12, None)),
        ({"x-ratelimit-remaining": "40", "x-ratelimit-reset": "1790000012000"}, (40, 12, None)),
        ({"x-ratelimit-remaining": "40", "x-ratelimit-reset": "1789999999"}, (40, 0, None)),
        ({"x-rate-limit": "700", "x-rate-limit-remaining": "699", "ratelimit-reset": "41"}, (699, 41, 700)),
        ({"ratelimit-limit": "10, 10;w=1", "ratelimit-remaining": "3", "ratelimit-reset": "1"}, (3, 1, 10)),
        ({"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'}, (50, 30, 100)),
        ({"ratelimit": '"burst";r=9;t=1, "day";r=5;t=999'}, (5, 999, None)),
        ({"x-shopify-shop-api-call-limit": "32/40"}, (8, 60, 40)),
        ({"x-ratelimit-remaining": "0"}, (0, 60, None)),
    ],
)
def test_each_dialect_is_understood(headers: dict[str, str], expected: tuple[int, float, int | None]) -> None:
    remaining, seconds, limit = expected
    assert standing(headers, NOW_S, 60) == Standing(remaining, NOW_S + seconds, limit)


@pytest.mark.parametrize(
    "headers", [{}, {"x-ratelimit-remaining": "many"}, {"ratelimit": "nonsense"}, {"ratelimit": ""}]
)
def test_what_cannot_be_read_says_nothing(headers: dict[str, str]) -> None:
    assert standing(headers, NOW_S, 60) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("Mon, 21 Sep 2026 14:14:00 GMT", 1790000040 - NOW_S),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert retry_at_s({"retry-after": text}, NOW_S) == NOW_S + seconds


@pytest.mark.parametrize("text", ["soon", "-1", "Mon, 99 Sep 2026"])
def test_an_unreadable_retry_after_says_nothing(text: str) -> None:
    assert retry_at_s({"retry-after": text}, NOW_S) is None


def test_a_refusal_closes_the_account_until_it_is_wanted_again() -> None:
    budget = Budget(Allowance(1000))
    budget.observe(429, {"Retry-After": "7"}, NOW_S)
    assert budget.wait_s(NOW_S) == 7
    assert budget.wait_s(NOW_S + 7) == 0


def test_refusals_without_a_time_lead_to_longer_pauses_up_to_a_limit() -> None:
    budget, waits, now_s = Budget(Allowance(1000), lambda: 0.0), [], NOW_S
    for _ in range(12):
        budget.observe(503, {}, now_s)
        waits.append(budget.wait_s(now_s))
        now_s += waits[-1]
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 300
    budget.observe(200, {}, NOW_S + 300)
    budget.observe(429, {}, NOW_S + 300)
    assert budget.wait_s(NOW_S + 300) == 1


def test_requests_that_are_refused_together_are_one_refusal() -> None:
    drawn = iter([0.0, 0.5])
    budget = Budget(Allowance(1000), lambda: next(drawn))
    for _ in range(8):
        budget.observe(503, {}, NOW_S)
    assert budget.wait_s(NOW_S) == 1
    budget.observe(503, {}, NOW_S + 1)
    assert budget.wait_s(NOW_S + 1) == 1.5


def test_accounts_that_are_refused_together_do_not_come_again_together() -> None:
    waits = set[float]()
    for _ in range(20):
        budget = Budget(Allowance(1000))
        budget.observe(503, {}, NOW_S)
        waits.add(budget.wait_s(NOW_S))
    assert len(waits) == 20 and all(0.5 <= wait_s <= 1 for wait_s in waits)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_chance_takes_at_most_half_of_a_pause(refusals: int, chance: float) -> None:
    whole_s = pause_s(refusals, 0.0)
    assert whole_s / 2 <= pause_s(refusals, chance) <= whole_s <= LONGEST_PAUSE_S


def test_a_time_that_the_application_says_is_kept_to_the_second() -> None:
    budget = Budget(Allowance(1000), lambda: 0.9)
    budget.observe(503, {"Retry-After": "7"}, NOW_S)
    assert budget.wait_s(NOW_S) == 7


def test_nothing_is_sent_beyond_what_the_project_allows() -> None:
    budget, sent = Budget(Allowance(10, window_s=60, reserve=0.2)), 0
    while budget.wait_s(NOW_S) == 0:
        budget.spend(NOW_S)
        sent += 1
    assert sent == 8
    assert budget.wait_s(NOW_S) == 60
    assert budget.wait_s(NOW_S + 60) == 0


def test_the_reserve_is_left_to_others() -> None:
    budget = Budget(Allowance(1000))
    budget.observe(200, {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "10", "x-ratelimit-reset": "30"}, NOW_S)
    assert budget.wait_s(NOW_S) == 31


class FixedWindow:
    """An application that counts by windows; others use the account too."""

    def __init__(self, limit: int, window_s: float, others_each_s: float) -> None:
        self.limit, self.window_s, self.others_each_s = limit, window_s, others_each_s
        self.refused = self.taken = 0

    def _spent(self, now_s: float) -> float:
        return (now_s % self.window_s) * self.others_each_s

    def request(self, now_s: float, window: dict[int, int]) -> tuple[int, dict[str, str]]:
        number = int(now_s // self.window_s)
        used = window.get(number, 0) + self._spent(now_s)
        if used >= self.limit:
            self.refused += 1
            return 429, {"Retry-After": str(int(self.window_s - now_s % self.window_s) + 1)}
        window[number] = window.get(number, 0) + 1
        self.taken += 1
        told = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(int(self.limit - used - 1))}
        return 200, told | {"X-RateLimit-Reset": f"{self.window_s - now_s % self.window_s:.0f}"}


@pytest.mark.parametrize(
    ("limit", "window_s", "others"), [(100, 60, 0.0), (100, 60, 0.5), (10, 10, 0.05), (600, 60, 1.0)]
)
def test_in_steady_state_the_application_refuses_nothing(limit: int, window_s: float, others: float) -> None:
    application, budget = FixedWindow(limit, window_s, others), Budget(Allowance(limit, window_s))
    now_s, window = 1200.0, dict[int, int]()
    while now_s < 1200 + 20 * window_s:
        now_s += budget.wait_s(now_s)
        budget.spend(now_s)
        budget.observe(*application.request(now_s, window), now_s)
        now_s += 0.01
    assert application.refused == 0
    assert application.taken > 0.7 * 20 * (limit * 0.9 - others * window_s)
