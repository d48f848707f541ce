"""Systems that live and write by themselves, with the merge between them: for laws over every interleaving."""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal

from streams.merge import states
from streams.merge.events import Changed, Event, Nudged, Planned
from streams.merge.goldens import golden
from streams.merge.merge import merge
from streams.merge.rules import Rules
from streams.merge.values import Row, Value, Values


@dataclass
class Site:
    """A system: its row, its log on the way to the hub, and the commands on their way to it."""

    row: dict[str, Value]
    log: deque[Changed] = field(default_factory=deque)
    commands: deque[Planned] = field(default_factory=deque)
    sequence: int = 0


@dataclass
class Cluster:
    """Sites with one record, which all of them show when it begins."""

    rules: Rules
    start: Values
    data: bytes = b""

    def __post_init__(self) -> None:
        lenses = self.rules.lenses
        self.sites = {system: Site(lenses[system].put(self.start, None)) for system in self.rules.systems}
        rules, self.rules = self.rules, replace(self.rules, loading=frozenset(self.rules.systems))
        for system in self.sites:
            self._log(system, dict(self.sites[system].row), load=True)
            self.forward(system)
        self.rules = rules

    def edit(self, system: str, name: str, value: Value) -> None:
        """A user writes a value into the row as it is, as well as the system can hold it."""
        site = self.sites[system]
        site.row = self.rules.lenses[system].put({name: value}, site.row)
        self._log(system, dict(site.row))

    def value(self, system: str, name: str) -> Value:
        """What a user of this system sees."""
        return self.rules.lenses[system].get(self.sites[system].row)[name]

    def _log(self, system: str, after: Row, command: str | None = None, load: bool = False) -> None:
        site = self.sites[system]
        site.sequence += 1
        site.log.append(
            Changed(
                system=system, local_id="[1]", position=(1, site.sequence), ts_us=1000, after=after, command=command,
                load=load,
            )
        )  # fmt: skip

    def forward(self, system: str) -> None:
        """The next entry of a system's log reaches the hub."""
        if not self.sites[system].log:
            return
        self._merge(self.sites[system].log.popleft())

    def retry(self, system: str) -> None:
        """An operator gives up waiting for a system's answer, which may come all the same."""
        self._merge(Nudged(reason="retry", system=system))

    def nudge(self, reason: Literal["rules"]) -> None:
        """Somebody nudges the record."""
        self._merge(Nudged(reason=reason))

    def _merge(self, event: Event) -> None:
        before = states.decode(self.data) if self.data else None
        state, outcome = merge(before, event, self.rules)
        self.data = states.encode(state)
        for command in outcome.commands:
            self.sites[command.system].commands.append(command)

    def serve(self, system: str) -> None:
        """The next command reaches a system: each unit is compared and set."""
        site = self.sites[system]
        if not site.commands:
            return
        command = site.commands.popleft()
        for unit in command.units:
            if unit.set is not None and all(site.row[name] == value for name, value in (unit.base or {}).items()):
                site.row.update(unit.set)
        self._log(system, dict(site.row), f"r/{system}/{command.number}")

    def rest(self) -> None:
        """Everything arrives."""
        for _ in range(500):
            if not any(site.log or site.commands for site in self.sites.values()):
                return
            for system in self.sites:
                self.forward(system)
                self.serve(system)
        raise AssertionError("the systems do not come to rest")

    def shows_the_hub(self, system: str) -> bool:
        """Whether a row shows the merged record, as well as its system can."""
        merged, row = golden(states.decode(self.data), self.rules).values, self.sites[system].row
        return self.rules.lenses[system].put(merged, row) == row

    def hub(self, name: str) -> Value:
        """The merged value."""
        return golden(states.decode(self.data), self.rules).values[name]
