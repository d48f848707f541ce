"""A task that was told to stop ends, though a cancellation gets lost on its way."""

import asyncio
import contextlib

import pytest
from structlog.testing import capture_logs

from connectors import ending, source_runner
from connectors.ending import end

AT_ONCE_S = 0.01


async def swallow(cancellations: int) -> None:
    """Goes on, for ever, after this many cancellations; ends at the next."""
    for _ in range(cancellations):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


async def fail_when_cancelled() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("found while it cleared up") from None


async def started(*works: object) -> list["asyncio.Future[None]"]:
    tasks = [asyncio.ensure_future(work) for work in works]  # type: ignore[call-overload]
    await asyncio.sleep(0)
    return tasks


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    tasks = await started(swallow(0), swallow(1), swallow(3))
    async with asyncio.timeout(5):
        assert await end(tasks, AT_ONCE_S) is None
    assert all(task.cancelled() for task in tasks)


async def test_a_task_that_clears_up_within_the_patience_is_cancelled_once() -> None:
    tasks = await started(swallow(0))
    await end(tasks)
    assert tasks[0].cancelling() == 1  # type: ignore[attr-defined]


async def test_the_first_error_is_told_and_those_that_were_over_are_left_alone() -> None:
    tasks = await started(asyncio.sleep(0), fail_when_cancelled(), swallow(0))
    await asyncio.wait(tasks[:1])
    assert str(await end(tasks, AT_ONCE_S)) == "found while it cleared up"
    assert not tasks[0].cancelled()


async def test_a_task_that_never_ends_is_left_behind_and_said() -> None:
    tasks = await started(swallow(ending.CANCELLATIONS))
    with capture_logs() as logs:
        await end(tasks, AT_ONCE_S)
    assert [log["log_level"] for log in logs] == ["error"]
    assert await end(tasks, AT_ONCE_S) is None
    assert tasks[0].cancelled()


async def test_nothing_to_end_takes_no_time() -> None:
    assert await end([]) is None


async def test_a_round_of_a_source_ends_with_the_error_of_its_first_task_to_end() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async with asyncio.timeout(10):
        with pytest.raises(ValueError, match="broken"):
            await source_runner._first_to_end(swallow(1), fail())
