"""A status in sentences: first how it is, then what to do."""

import time
from collections.abc import Iterator

from duplex.status import bottlenecks
from duplex.status.facts import Hop, Outage, Refusal, Status, Sweep

MANY = 10_000


def sentences(status: Status, now_s: float) -> Iterator[str]:
    """The whole status for a person. Pure: `now_s` is the time in seconds since the epoch."""
    yield _running(status, now_s)
    yield from (f"  {reason}" for reason in status.reasons)
    yield from _way(status)
    for sweep in status.sweeps:
        yield from _sweep(sweep, now_s, runs=status.running is not None)
    if status.last_event_ms is not None:
        yield f"The last change came {ago(now_s - status.last_event_ms / 1000)} ago."
    for outage in status.outages:
        yield _outage(outage, now_s, runs=status.running is not None)
    yield from _incidents(status, now_s)
    for problem in status.problems:
        yield f"{'PROBLEM' if problem.fatal else 'Note'}: {problem.where}: {problem.what}. To do: {problem.remedy}"


def _running(status: Status, now_s: float) -> str:
    running = status.running
    if running is None and status.applied is False:
        return f"{status.pipeline} is not running, and was never applied."
    if running is None:
        return f"{status.pipeline} is not running. `duplex run` starts it."
    parts = f"{len(running.children)} processes, process {running.pid}"
    how = {True: "all healthy", False: "NOT healthy", None: "its health cannot be read"}[status.healthy]
    return f"{status.pipeline} has been running for {ago(now_s - running.started_at_s)} ({parts}): {how}."


def _way(status: Status) -> Iterator[str]:
    for system, count in status.unpublished.items():
        if not count:
            continue
        yield f"Source {system}: {entries(count, 'log entry', 'log entries')} not published yet."
    behind = [hop for hop in status.hops if hop.behind]
    for hop in behind:
        yield _hop(hop)
    idle = len(status.hops) - len(behind)
    if idle and not behind and status.applied is not False:
        yield f"Every consumer is up to date ({idle})."
    if status.bottleneck is not None:
        yield bottlenecks.sentence(status.bottleneck)
    for system, count in status.parked_commands.items():
        if count:
            yield f"Sink {system}: {entries(count, 'command waits', 'commands wait')} for a row they refer to."


def _sweep(sweep: Sweep, now_s: float, *, runs: bool) -> Iterator[str]:
    whose, first = f"{sweep.entity} of {sweep.system}", "first " if sweep.is_loaded is False else ""
    if sweep.started_us is not None:
        since, listed = ago(now_s - sweep.started_us / 1e6), entries(sweep.listed, "row", "rows")
        later = "" if runs else " `duplex run` goes on with it."
        yield f"A {first}sweep of {whose} is under way: it began {since} ago, and has listed {listed}.{later}"
    if sweep.asked_us is not None:
        later = "" if runs else " `duplex run` begins it."
        yield f"A sweep of {whose} was asked for {ago(now_s - sweep.asked_us / 1e6)} ago, and has not begun.{later}"
    if sweep.last_us is not None:
        known = "" if sweep.rows is None else f" {entries(sweep.rows, 'row is', 'rows are')} known."
        yield f"The last whole sweep of {whose} began {ago(now_s - sweep.last_us / 1e6)} ago.{known}"
    elif sweep.started_us is None and sweep.asked_us is None and sweep.is_loaded is False:
        yield f"{whose} was not read yet. `duplex run` begins with it."
    if sweep.waiting:
        waiting = entries(sweep.waiting, "command waits", "commands wait")
        why = f"the application makes trouble about single rows of {sweep.entity}"
        yield f"Sink {sweep.system}: {waiting} to be tried again, for {why}."


def _outage(outage: Outage, now_s: float, *, runs: bool) -> str:
    what = "takes nothing" if outage.is_read else "does not answer"
    since, last = ago(now_s - outage.since_us / 1e6), ago(now_s - outage.last_us / 1e6)
    waits = ""
    if outage.waiting:
        many = entries(
            outage.waiting, "command waits for it, and goes out", "commands wait for it, and go out in order"
        )
        waits = f" {many} when it is back."
    tried = "" if runs else f" That was last tried {last} ago; `duplex run` tries again."
    return (
        f"DOWN: {outage.system} {what}, for {since} now. The last answer: {outage.reason}.{waits}{tried} "
        f"To do: look at {outage.setting}, and at the application."
    )


def _hop(hop: Hop) -> str:
    never = "" if hop.started else "; it has not read anything yet"
    much = "; if this number does not fall, more partitions and processes are needed" if hop.behind > MANY else ""
    return f"{hop.name} is {entries(hop.behind, 'message', 'messages')} behind on {hop.topic}{never}{much}."


def _incidents(status: Status, now_s: float) -> Iterator[str]:
    if status.conflicts:
        yield (
            f"{entries(status.conflicts, 'conflict is', 'conflicts are')} on record; "
            "`duplex conflicts list` has those that wait for a person, `--all` every one."
        )
    for refusal in status.refusals:
        yield _refusal(refusal, ago(now_s - refusal.ts_us / 1e6))
    if status.deadletters:
        yield (
            f"DEAD LETTERS: {entries(status.deadletters, 'message', 'messages')} could not be processed. To do: "
            "`duplex deadletters list` groups them by their reason."
        )


def _refusal(refusal: Refusal, when: str) -> str:
    record = f"record {refusal.record_id} of {refusal.entity}"
    show = f"`duplex record show {refusal.record_id}` shows both sides."
    if refusal.rule == "border":
        return (
            f"HELD BACK: what {refusal.system} holds in {record} is not valid and goes no further ({when} ago): "
            f"{refusal.detail}. To do: mend it in {refusal.system}. {show}"
        )
    if refusal.rule == "unwritable":
        return (
            f"HELD BACK: {refusal.system} has no way to say a value of {record} ({when} ago): {refusal.detail}. "
            f"To do: complete the mapping of {refusal.system} in the project file. {show}"
        )
    return (
        f"REFUSED: {refusal.system} did not take {record} ({when} ago): {refusal.detail}. To do: change the value, or "
        f"touch the row in {refusal.system} once it can take it: either is tried again. {show}"
    )


def entries(count: int, one: str, many: str) -> str:
    """A count with its noun: `1 message`, `1,204 messages`."""
    return f"{count:,} {one if count == 1 else many}"


def ago(seconds: float) -> str:
    """A length of time as people say it: `3 s`, `12 min`, `2 h 5 min`, `4 days`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days"


def stamp(ts_us: int) -> str:
    """A moment, in UTC, to the millisecond."""
    whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ts_us // 1_000_000))
    return f"{whole}.{ts_us // 1000 % 1000:03d}Z"
