"""`duplex replay`: the record log folded again, and set beside what is."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from duplex import composition
from duplex.composition import Composition
from duplex.replaying import cuts, logs, reports, rulesets, saved
from duplex.replaying.cuts import Cut
from duplex.replaying.errors import CombinationError, EntityMissingError, StateUnreadError
from duplex.replaying.filters import Condition
from duplex.replaying.folds import MisfitError, OtherFold, TrueFold
from duplex.replaying.places import START, Place
from duplex.replaying.reports import PartitionReport, Report
from duplex.replaying.saved import Progress
from schemas.codec import Codec
from schemas.messages import Epoch
from schemas.placement import partition_of
from schemas.project.loading import Loaded
from streams.merge.digests import digest
from streams.merge.rules import Rules
from streams.processors.merging import MergeProcessor
from streams.processors.regimes import Regimes

SAVE_EVERY_S = 10.0
Say = Callable[[str], None]
Advance = Callable[[str, int, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to replay. `key` is a record's id (with its entity in `entity`). `since` is the place from which the other
    rules hold, `until` the place at which the fold ends (None: the live state's).
    """

    entity: str | None = None
    rules: Path | None = None
    since: Place = START
    until: Place | None = None
    key: str | None = None
    condition: Condition | None = None
    restart: bool = False


@dataclass(slots=True)
class Replay:
    """One replay of a project. `say` takes remarks, `advance` (entity, partition, events folded, events in all)."""

    loaded: Loaded
    wanted: Wanted
    say: Say
    advance: Advance
    report: Report = field(init=False)
    _composed: Composition = field(init=False)
    _others: tuple[Loaded, Composition] | None = field(init=False, default=None)
    _name: str = field(init=False)
    _codec: Codec = field(init=False, default_factory=Codec)

    async def run(self) -> Report:
        """Fold and compare. Cancelled, it keeps what it has folded, and goes on there the next time.

        Raises BrokerError, CatalogMissingError, ProjectFileError for rules that do not fit the log, LogReadError,
        StateUnreadError, RecoveryError, and UsageErrors for what was asked.
        """
        self._check()
        self._composed = await composition.composed(self.loaded)
        entities = self._entities()
        if self.wanted.rules is not None:
            self._others = rulesets.read(self.wanted.rules, self._composed, entities)
        self.report = Report(rules=None if self.wanted.rules is None else str(self.wanted.rules))
        self._name = self._digest()
        for entity in entities:
            await self._entity(entity)
        return self.report

    @property
    def composed(self) -> Composition:
        """The project as it is applied; once the replay has run."""
        return self._composed

    def _check(self) -> None:
        wanted = self.wanted
        if wanted.rules is None and wanted.since != START:
            raise CombinationError(
                "--from without --rules",
                "the same rules can only be followed from the log's start: the state at any other place is not kept",
                "Leave --from away, or name other rules that hold from there.",
            )
        if wanted.rules is None and wanted.condition is not None:
            raise CombinationError(
                "--where without --rules", "the same rules are judged by whole partitions", "Leave --where away."
            )

    def _entities(self) -> tuple[str, ...]:
        known = tuple(self._composed.rules)
        if self.wanted.entity is None:
            return known
        if self.wanted.entity not in known:
            raise EntityMissingError(self.wanted.entity, known)
        return (self.wanted.entity,)

    def _digest(self) -> str:
        others = "" if self._others is None else self._others[0].digest
        return saved.digest([self.loaded.digest, others, repr(self.wanted.since)])

    async def _entity(self, entity: str) -> None:
        topic = self._composed.topics.records(entity)
        bounds = await logs.bounds(self._composed.kafka, topic)
        partitions = sorted(bounds)
        if self.wanted.key is not None:
            partitions = [partition_of(self.wanted.key.encode(), len(bounds))]
        options = self._composed.kafka
        since = await self.wanted.since.in_partitions(options, topic, bounds, partitions)
        until = (
            None
            if self.wanted.until is None
            else await self.wanted.until.in_partitions(options, topic, bounds, partitions)
        )
        for partition in partitions:
            cut = await cuts.cut(self._composed, entity, partition)
            place = _Place(entity, partition, topic, bounds[partition], since[partition])
            await self._partition(place, cut, None if until is None else until[partition])

    async def _partition(self, place: "_Place", cut: Cut, until: int | None) -> None:
        end = cut.position if until is None else min(until, place.bounds.end)
        if end is None:
            if place.bounds.end > place.bounds.first:
                raise StateUnreadError(self._composed.topics.state("merge", place.entity), place.partition)
            end = place.bounds.end
        progress = self._known(place, end)
        started_s, start = time.monotonic(), progress.next_offset
        true, other = self._folds(place, progress)
        await self._fold(place, progress, true, other, end)
        folded = true.states()
        report = PartitionReport(
            entity=place.entity,
            partition=place.partition,
            first=place.bounds.first,
            position=end,
            events=end - start,
            seconds=round(time.monotonic() - started_s, 3),
            records=len(folded),
            digest=digest(folded.items()),
        )
        self.report.partitions.append(report)
        apart = reports.compare(report, true, cut) if until is None else set()
        self._records(place, cut, true, other, apart)

    def _records(self, place: "_Place", cut: Cut, true: TrueFold, other: OtherFold | None, apart: set[bytes]) -> None:
        """What would be otherwise: of records whose fold is the live state, since of others nothing can be said."""
        entity, partition = place.entity, place.partition
        only = None if self.wanted.key is None else self.wanted.key.encode()
        if other is None:
            keys = apart if only is None else apart & {only}
            self.report.records += reports.of_live(entity, partition, keys, cut, true)
            return
        found = reports.of_rules(entity, partition, other, self.wanted.condition, only)
        self.report.unjudged += len(found.keys() & apart)
        self.report.records += [change for key, change in found.items() if key not in apart]
        if self.wanted.condition is not None:
            self.report.asked_in_vain = self.wanted.condition.failed

    def _known(self, place: "_Place", end: int) -> Progress:
        path = self._path(place)
        if self.wanted.restart:
            saved.forget(path)
        found = saved.load(path)
        if found is None or found.next_offset > end or found.next_offset < place.bounds.first:
            return Progress(place.bounds.first)
        self.say(f"{place.name}: taken up at offset {found.next_offset} (--restart folds from the start)")
        return found

    def _path(self, place: "_Place") -> Path:
        return saved.path(self.loaded.path, self._name, place.entity, place.partition)

    def _folds(self, place: "_Place", progress: Progress) -> tuple[TrueFold, OtherFold | None]:
        true = TrueFold(processor(self._composed, place.entity, self._codec), progress.content)
        if self._others is None:
            return true, None
        others = self._others[1]
        reader = processor(others, place.entity, self._codec)
        other = OtherFold(true, reader, place.since, self._codec)
        other.apart, other.notes, other.last_us = progress.apart, progress.notes, progress.last_us
        return true, other

    async def _fold(
        self, place: "_Place", progress: Progress, true: TrueFold, other: OtherFold | None, end: int
    ) -> None:
        saved_s, fold = time.monotonic(), true if other is None else other
        total = end - place.bounds.first
        reading = logs.records(self._composed.kafka, place.topic, place.partition, progress.next_offset, end)
        try:
            async with contextlib.aclosing(reading) as batches:
                async for batch in batches:
                    fold.take(batch)
                    progress.next_offset = max([progress.next_offset, *(each.offset + 1 for each in batch)])
                    self.advance(place.entity, place.partition, progress.next_offset - place.bounds.first, total)
                    if time.monotonic() - saved_s > SAVE_EVERY_S:
                        self._keep(place, progress, true, other)
                        saved_s = time.monotonic()
            progress.next_offset = end
        except asyncio.CancelledError:
            # Only ever between two batches: what is folded is whole.
            self._keep(place, progress, true, other)
            raise
        except MisfitError as error:
            assert self._others is not None
            lens = self._others[1].lens(place.entity, error.system)
            raise rulesets.misfit(error, self._others[0], lens) from error
        self._keep(place, progress, true, other)

    def _keep(self, place: "_Place", progress: Progress, true: TrueFold, other: OtherFold | None) -> None:
        progress.content = true.content()
        if other is not None:
            progress.apart, progress.notes, progress.last_us = other.apart, other.notes, other.last_us
        saved.save(self._path(place), progress)


@dataclass(frozen=True, slots=True)
class _Place:
    entity: str
    partition: int
    topic: str
    bounds: logs.Bounds
    since: int

    @property
    def name(self) -> str:
        return f"{self.entity}/{self.partition}"


def processor(composed: Composition, entity: str, codec: Codec) -> MergeProcessor:
    """The production processor of an entity, for folding what has been: it goes by the rules of every epoch, also of
    one with systems that the project no longer has. What it would send has a topic, and goes nowhere."""
    topics, rules, held = composed.topics, composed.rules[entity], composed.project.entities[entity]
    made = MergeProcessor(topics, held, rules, codec, composed.compile)

    def compiled(epoch: Epoch) -> Rules:
        found = composed.compile(epoch)
        made.commands.update({system: topics.commands(system) for system in found.systems})
        return found

    made.regimes = Regimes(topics, held, rules, compiled, reads_only=True)
    return made
