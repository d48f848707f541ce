"""What there is to know of a pipeline, as values."""

import msgspec

from connectors.errors import ConnectorsError, RefusedError, UnreachableError
from duplex.supervisor.presence import Running


class Hop(msgspec.Struct, frozen=True):
    """One step of the way: who reads which topic, and how many messages lie between."""

    name: str
    group: str
    topic: str
    behind: int
    started: bool


class Problem(msgspec.Struct, frozen=True):
    """Something that is not as it should be, and what mends it."""

    where: str
    what: str
    remedy: str
    fatal: bool = True


def trouble(system: str, error: ConnectorsError) -> Problem:
    """What a system's error comes to, with the remedy that the error itself names, if it names one."""
    if isinstance(error, RefusedError):
        return Problem(system, f"{error.what}: {error.why}", error.remedy.rstrip("."))
    if isinstance(error, UnreachableError):
        return Problem(system, f"{error.address} cannot be reached: {error.reason}", f"look at {error.setting}")
    return Problem(system, str(error), f"look at systems.{system} in the project file")


class Refusal(msgspec.Struct, frozen=True):
    """A field of a record on which a system and the others stay apart, until someone changes it.

    `rule` says why: refused (the system did not take a write), border (it holds something that is not valid),
    unwritable (it has no way to say the value).
    """

    record_id: str
    entity: str
    system: str
    detail: str
    ts_us: int
    rule: str = "refused"


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """How an entity of a system without a log is read as a whole. Times in us UTC; None: not, or not known.

    `last_us` is when the last sweep that came to its end had begun, `started_us` when the one under way did, which has
    `listed` so many rows; `asked_us` when one was asked for that has not begun. `is_loaded`: the first one has ended.
    `rows` are known; `waiting` commands are tried again, for the application made trouble about their rows.
    """

    system: str
    entity: str
    last_us: int | None = None
    started_us: int | None = None
    listed: int = 0
    asked_us: int | None = None
    is_loaded: bool | None = None
    rows: int | None = None
    waiting: int | None = None


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A system that does not answer, or does not let us in: since when and until when that was tried (us UTC; `last_us`
    to the minute), what it said last, the key of the project file to look at, and how many commands wait for it.

    `is_read`: it gives its rows nevertheless. None waiting: that could not be seen.
    """

    system: str
    since_us: int
    last_us: int
    reason: str
    setting: str
    is_read: bool
    waiting: int | None = None


class Stage(msgspec.Struct, frozen=True):
    """A source, a processor or a sink: how much lies before it, and how much of it is done in a second."""

    name: str
    behind: int
    per_second: float

    @property
    def seconds(self) -> float:
        """How long it needs for what lies before it now; infinite where nothing moves."""
        return self.behind / self.per_second if self.per_second > 0 else float("inf")


class Status(msgspec.Struct, kw_only=True):
    """The pipeline now. Numbers that could not be had are None; `problems` then says why.

    `applied`: whether `duplex apply` ever ran for it; None: that could not be seen.

    `unpublished` are log entries per system that are not on Kafka yet; `last_event_ms` is when the newest change
    was appended to a record log (UTC); `counters` are sums of the running processes' own counts; `bottleneck` is the
    stage that the others wait for, if there is a backlog.
    """

    pipeline: str
    project: str
    running: Running | None = None
    applied: bool | None = None
    healthy: bool | None = None
    reasons: list[str] = []
    hops: list[Hop] = []
    unpublished: dict[str, int] = {}
    last_event_ms: int | None = None
    counters: dict[str, float] = {}
    conflicts: int | None = None
    refusals: list[Refusal] = []
    deadletters: int | None = None
    parked_commands: dict[str, int] = {}
    sweeps: list[Sweep] = []
    outages: list[Outage] = []
    bottleneck: Stage | None = None
    problems: list[Problem] = []

    @property
    def ok(self) -> bool:
        """Running, healthy, every system answers, and there is nothing that stops it."""
        stopped = self.outages or any(each.fatal for each in self.problems)
        return bool(self.running) and self.healthy is not False and not stopped
