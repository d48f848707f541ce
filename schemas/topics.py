"""The names and settings of every topic, in one place."""

from collections.abc import Sequence
from dataclasses import dataclass

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as `apply` creates it: name, partitions, and the broker's settings for it."""

    name: str
    partitions: int
    config: dict[str, str]


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one pipeline. Every keyed topic has the same partition count, so keys stay together."""

    pipeline: str
    partitions: int = 4

    def changes(self, system: str, entity: str) -> str:
        return f"{self.pipeline}.changes.{system}.{entity}"

    def records(self, entity: str) -> str:
        return f"{self.pipeline}.records.{entity}"

    def links(self, entity: str) -> str:
        return f"{self.pipeline}.links.{entity}"

    def claims(self, entity: str) -> str:
        return f"{self.pipeline}.claims.{entity}"

    def commands(self, system: str) -> str:
        return f"{self.pipeline}.commands.{system}"

    def hooks(self, system: str) -> str:
        return f"{self.pipeline}.hooks.{system}"

    def notes(self, system: str) -> str:
        return f"{self.pipeline}.notes.{system}"

    def golden(self, entity: str) -> str:
        return f"{self.pipeline}.golden.{entity}"

    @property
    def conflicts(self) -> str:
        return f"{self.pipeline}.conflicts"

    @property
    def deadletters(self) -> str:
        return f"{self.pipeline}.deadletters"

    @property
    def catalog(self) -> str:
        return f"{self.pipeline}.catalog"

    def state(self, processor: str, entity: str) -> str:
        return f"{self.pipeline}.state.{processor}.{entity}"

    def log(self, name: str, retention_ms: int, **config: str) -> TopicSpec:
        """A topic that keeps every message for a time (-1: for ever)."""
        settings = {"cleanup.policy": "delete", "retention.ms": str(retention_ms), **config}
        return TopicSpec(name, self.partitions, settings)

    def table(self, name: str, partitions: int | None = None) -> TopicSpec:
        """A topic that keeps the last message of every key; the lag outlives any worker that lost its claim."""
        settings = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(HOUR_MS)}
        return TopicSpec(name, partitions or self.partitions, settings)

    def hook_log(self, system: str) -> TopicSpec:
        """Where webhook deliveries wait for the system's source, in the order of their arrival: so one partition."""
        settings = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS), "max.message.bytes": str(9 * 1024**2)}
        return TopicSpec(self.hooks(system), 1, {**settings, "message.timestamp.type": "LogAppendTime"})

    def all(
        self,
        systems_of: dict[str, tuple[str, ...]],
        records_retention_ms: int = 30 * DAY_MS,
        noted: Sequence[str] = (),
        hooked: Sequence[str] = (),
    ) -> list[TopicSpec]:
        """Every topic of the pipeline; `systems_of` names the systems of each entity.

        `noted` are the systems that keep no log of their own, `hooked` those whose webhooks are taken.
        """
        appended = {"message.timestamp.type": "LogAppendTime"}
        specs = [self.table(self.catalog, partitions=1)]
        for entity, systems in systems_of.items():
            specs += [self.log(self.changes(system, entity), 7 * DAY_MS, **appended) for system in systems]
            specs += [self.log(self.records(entity), records_retention_ms, **appended)]
            specs += [self.log(self.claims(entity), 7 * DAY_MS)]
            specs += [self.table(name) for name in (self.links(entity), self.golden(entity))]
            specs += [self.table(self.state(name, entity)) for name in ("links", "claims", "merge")]
        for system in sorted({system for systems in systems_of.values() for system in systems}):
            specs.append(self.log(self.commands(system), 14 * DAY_MS))
        specs += [self.table(self.notes(system), partitions=1) for system in noted]
        specs += [self.hook_log(system) for system in hooked]
        specs += [self.log(name, 90 * DAY_MS) for name in (self.conflicts, self.deadletters)]
        return specs
