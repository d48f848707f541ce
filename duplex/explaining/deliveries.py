"""The commands that carried values: from the event that decided each to the event that answered it."""

from collections import defaultdict
from dataclasses import dataclass, field

from duplex.explaining.facts import DeliveryFacts, DeliveryOutcome, EventFacts
from duplex.explaining.steps import Step
from schemas.identifiers import command_id
from streams.merge.answers import holds, is_applied
from streams.merge.events import Answered, Changed, Planned
from streams.merge.states import Sent, SentUnit, SystemState
from streams.merge.values import Row

Version = tuple[str, int]


@dataclass(slots=True)
class _Delivery:
    """A command under way, and what became of each version in it."""

    planned: Planned
    sent: Sent
    offset: int
    decided_us: int
    echo: EventFacts | None = None
    error: str | None = None
    outcomes: dict[str, DeliveryOutcome] = field(default_factory=dict)


class Deliveries:
    """Follows the commands of one record through its steps, fed in order."""

    def __init__(self, record_id: str) -> None:
        self._record_id = record_id
        self._by_number: dict[tuple[str, int], _Delivery] = {}
        self._carriers: dict[Version, list[_Delivery]] = defaultdict(list)

    def feed(self, step: Step) -> None:
        """Take the next step."""
        answered = step.answered()
        if answered is not None:
            self._answered(step, *answered)
        self._withdrawn(step, None if answered is None else answered[1].number)
        for planned in step.outcome.commands:
            sent = step.after.systems[planned.system].out
            if sent is not None and sent.number == planned.number:
                self._sent(step, planned, sent)

    def carriers(self, name: str, version: int, since_us: int) -> tuple[DeliveryFacts, ...]:
        """The commands that carried this version of a field. Delays count from `since_us`."""
        return tuple(self._facts(one, name, since_us) for one in self._carriers[name, version])

    def told(self, step: Step, system: str, name: str) -> bool:
        """Whether this step is the answer by which the system's row came to hold the field's version."""
        answered = step.answered()
        if answered is None or answered[0] != system:
            return False
        found = self._by_number.get((system, answered[1].number))
        return found is not None and found.outcomes.get(name) == "confirmed"

    def waiting(self, system: str, number: int) -> tuple[str, int, int] | None:
        """The id of a command, where it was decided, and when; None where its decision was not read."""
        found = self._by_number.get((system, number))
        return None if found is None else (self._id(found), found.offset, found.decided_us)

    def _id(self, one: _Delivery) -> str:
        return command_id(self._record_id, one.planned.system, one.planned.number)

    def _sent(self, step: Step, planned: Planned, sent: Sent) -> None:
        made = _Delivery(planned, sent, step.offset, step.log_us)
        self._by_number[planned.system, planned.number] = made
        for unit in sent.units:
            for version in unit.versions.items():
                self._carriers[version].append(made)

    def _answered(self, step: Step, system: str, sent: Sent) -> None:
        found = self._by_number.get((system, sent.number))
        if found is None or step.before is None:
            return
        found.echo = step.facts()
        found.error = getattr(step.event, "failed", None)
        before = step.before.systems[system]
        for unit in sent.units:
            outcome = _outcome(step.event, before, sent, unit)  # type: ignore[arg-type]
            found.outcomes |= dict.fromkeys(unit.versions, outcome)

    def _withdrawn(self, step: Step, answered: int | None) -> None:
        for system, before in (step.before.systems if step.before else {}).items():
            now = step.after.systems[system].out
            if before.out is None or before.out.number in (answered, now and now.number):
                continue
            if found := self._by_number.get((system, before.out.number)):
                gone: DeliveryOutcome = "withdrawn"
                found.outcomes |= {name: gone for unit in found.sent.units for name in unit.versions}

    def _facts(self, one: _Delivery, name: str, since_us: int) -> DeliveryFacts:
        echo = one.echo
        return DeliveryFacts(
            command=self._id(one),
            system=one.planned.system,
            op=one.planned.op,
            offset=one.offset,
            decided_us=one.decided_us,
            outcome=one.outcomes.get(name, "waiting"),
            echo=echo,
            delay_us=None if echo is None else echo.log_us - since_us,
            error=one.error,
        )


def _outcome(event: Changed | Answered, before: SystemState, sent: Sent, unit: SentUnit) -> DeliveryOutcome:
    """What the answer says of one unit, judged as the merge judges it: by the row found and the row left."""
    if event.failed is not None:
        return "refused"
    if isinstance(event, Answered):
        found, left = event.found, event.left
    elif _elsewhere(event, before):
        return "elsewhere"
    else:
        found, left = before.image, event.after
    if not is_applied(unit, found) or _came_to_nothing(sent, found, left):
        return "left alone"
    return "found" if holds(unit.set, found) else "confirmed"


def _elsewhere(event: Changed, before: SystemState) -> bool:
    if event.local_id == before.local_id or (before.image is None and event.after is not None):
        return False
    return event.before_id is None or event.before_id != before.local_id


def _came_to_nothing(sent: Sent, found: Row | None, left: Row | None) -> bool:
    if sent.op == "u":
        return found is None or left is None
    return (left is None) == (sent.op == "c")
