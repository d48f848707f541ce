"""An application is tried by the command line: its verdicts, and what cannot be tried."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from connectors.errors import UnreachableError
from connectors.memory import connector as logged
from connectors.remote.api import Abilities
from connectors.remote.connector import RemoteConnector
from connectors.remote.memory import MemoryApi, MemoryApplication, MemoryResource
from duplex.kit import trials
from duplex.kit.trials import Trial, Verdict
from duplex.usage import UsageError
from tests.unit.remote.bench import COLUMNS, FakeClock

TRIAL = Trial(
    system="blog",
    resource=None,
    sample={"email": "case-{n}@example.org", "name": "Case {n}", "credit": "1{n}.50", "labels": '["a", "{n}"]'},
    edit={"name": "Edited {n}"},
    match=("email",),
)


@pytest.fixture
def members() -> MemoryResource:
    clock = FakeClock()
    return MemoryApplication(clock_us=clock.now_us, sleep=clock.sleep).resource("members", COLUMNS, Abilities())


def connector(members: MemoryResource) -> RemoteConnector:
    return RemoteConnector("blog", {"members": MemoryApi(members)})


async def run(trial: Trial, members: MemoryResource) -> Sequence[Verdict]:
    bench = trials.bench(trial, connector(members))
    bench.clock = FakeClock()
    return await trials.run(bench, lambda verdict: None)


async def test_an_application_that_is_as_it_should_be_passes(members: MemoryResource) -> None:
    verdicts = await run(TRIAL, members)
    assert {verdict.outcome for verdict in verdicts} == {"passed", "not offered"}
    assert ("removed rows are listed", "it has no list of removed rows") in [(one.title, one.why) for one in verdicts]
    assert not members.stored


async def test_a_case_that_fails_does_not_end_the_others(members: MemoryResource) -> None:
    members.application.habits.normalise = lambda row: {**row, "name": None}
    verdicts = await run(TRIAL, members)
    assert {verdict.outcome for verdict in verdicts} == {"passed", "failed", "not offered"}
    assert all(verdict.why for verdict in verdicts if verdict.outcome == "failed")


async def test_an_application_that_is_away_is_no_failed_case(members: MemoryResource) -> None:
    members.application.habits.down = True
    with pytest.raises(UnreachableError):
        await run(TRIAL, members)


def test_values_are_read_by_the_types_of_their_columns(members: MemoryResource) -> None:
    bench = trials.bench(TRIAL, connector(members))
    assert bench.sample(3) == {"email": "case-3@example.org", "name": "Case 3", "credit": 13.5, "labels": ["a", "3"]}


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"resource": "posts"}, "There are members"), ({"sample": {"mail": "x"}}, "members does not have it")],
)
def test_what_is_not_there_is_said(members: MemoryResource, changed: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        trials.bench(replace(TRIAL, **changed), connector(members))


def test_a_system_with_a_log_is_not_for_these_cases() -> None:
    with pytest.raises(trials.NotTriableError, match="it keeps a log of its own"):
        trials.bench(TRIAL, logged("crm", "p", {}))
