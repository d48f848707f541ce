"""From what a person chose to the decision that is sent: pure, and refused here where it cannot be."""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from duplex.conflicts.book import Entry
from duplex.conflicts.errors import BadValueError, ChoiceError, NotDecidableError
from duplex.conflicts.live import Standing
from schemas.messages import Conflict, Decision
from schemas.project.model import FieldRule, Project
from streams.errors import InvalidValueError
from streams.mapping.conversions import canonical
from streams.mapping.validity import validator
from streams.merge.values import EXISTENCE

LIVES = "true"
DIGEST_LENGTH = 6


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose: a side (`take`: incoming, current, or the system whose value it is), another value (JSON
    text), or for a record's existence to `keep` or to `delete` it. Exactly one is given."""

    take: str | None = None
    value: str | None = None
    keep: bool = False
    delete: bool = False

    def __post_init__(self) -> None:
        given = [self.take is not None, self.value is not None, self.keep, self.delete]
        if sum(given) != 1:
            raise ChoiceError(
                "the options given",
                "a decision is one of --take, --value, --keep and --delete",
                "Give exactly one: `--take current` keeps the value that is in force, `--take incoming` takes the "
                "other, a system's name stands for its value, and `--value JSON` is another one.",
            )

    def words(self) -> str:
        """The options that say this."""
        if self.take is not None:
            return f"--take {self.take}"
        if self.value is not None:
            return f"--value {self.value}"
        return "--keep" if self.keep else "--delete"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person was shown, and decides upon: JSON text of both values, and the hub's version of the current one."""

    candidate: str | None
    current: str | None
    version: int

    @property
    def token(self) -> str:
        """What names this on a command line: the version and a digest of the candidate."""
        return f"{self.version}.{digest(self.candidate)}"


@dataclass(frozen=True, slots=True)
class Signed:
    """Who decides, why, and when (µs)."""

    by: str
    reason: str
    at_us: int


def digest(candidate: str | None) -> str:
    """A few letters that change when a parked value does."""
    return hashlib.sha256(repr(candidate).encode()).hexdigest()[:DIGEST_LENGTH]


def seen_on_record(conflict: Conflict) -> Seen | None:
    """What the last message about a conflict showed; None where it did not tell the version."""
    if conflict.version == 0:
        return None
    return Seen(conflict.incoming.value, conflict.current.value, conflict.version)


def seen_now(standing: Standing) -> Seen:
    """What a look at the record shows now."""
    return Seen(standing.candidate, standing.current, standing.version)


def decision(project: Project, entry: Entry, choice: Choice, seen: Seen, signed: Signed) -> Decision:
    """The decision of an open conflict. Raises NotDecidableError, ChoiceError, BadValueError."""
    last = entry.last
    if not entry.decidable:
        raise NotDecidableError(entry.id, last.kind, last.detail)
    existence = last.field == EXISTENCE
    value = _existence(entry, choice, seen) if existence else _value(project, entry, choice, seen)
    return Decision(
        record_id=last.record_id,
        entity=last.entity,
        item=entry.id,
        candidate=seen.candidate,
        version=seen.version,
        value=value,
        decided_by=signed.by,
        reason=signed.reason,
        ts_us=signed.at_us,
    )


def _value(project: Project, entry: Entry, choice: Choice, seen: Seen) -> str:
    if choice.keep or choice.delete:
        raise ChoiceError(
            entry.id,
            f"--keep and --delete are for a record's existence, and this is about its {entry.last.field}",
            "Use --take current, --take incoming, or --value JSON.",
        )
    if choice.value is not None:
        return _canonical(project, entry.last, choice.value)
    taken = seen.candidate if _side(entry, choice.take or "") == "incoming" else seen.current
    return "null" if taken is None else taken


def _existence(entry: Entry, choice: Choice, seen: Seen) -> str | None:
    """Null: the record is to be gone. A parked delete has no candidate; parked edits of a deleted record have one."""
    if choice.value is not None:
        raise ChoiceError(
            entry.id, "this is about whether the record lives, which has no other value", "Use --keep or --delete."
        )
    if choice.take is None:
        return LIVES if choice.keep else None
    delete_taken = _side(entry, choice.take) == "incoming"
    lives = not delete_taken if seen.candidate is None else delete_taken
    return LIVES if lives else None


def _side(entry: Entry, take: str) -> str:
    if take in ("incoming", "current"):
        return take
    incoming, current = entry.last.incoming.system, entry.last.current.system
    if incoming == current == take:
        raise ChoiceError(entry.id, f"both values came from {take}", "Use --take incoming or --take current.")
    if take == incoming:
        return "incoming"
    if take == current:
        return "current"
    raise ChoiceError(
        entry.id,
        f"{take} has neither of the two values: current is of {current or 'nobody'}, incoming of {incoming}",
        f"Use --take {incoming}, --take current, or --value JSON.",
    )


def _canonical(project: Project, conflict: Conflict, given: str) -> str:
    place = f"--value {given} for {conflict.entity}.{conflict.field}"
    try:
        parsed = msgspec.json.decode(given)
    except msgspec.DecodeError as error:
        raise BadValueError(place, f"it is no JSON: {error}", f"Text needs quotes: --value '\"{given}\"'.") from error
    rule = rule_of(project, conflict)
    try:
        value = canonical(rule, _exact(rule, given, parsed))
        if value is not None and (validate := validator(rule)) is not None:
            validate(value)
        return msgspec.json.encode(value).decode()
    except InvalidValueError as error:
        raise BadValueError(place, str(error), f"The field is {_described(rule)}.") from error


def _exact(rule: FieldRule, given: str, parsed: Any) -> Any:
    """A number for a decimal field as it was typed: a float would round it."""
    return given.strip() if rule.type == "decimal" and isinstance(parsed, int | float) else parsed


def rule_of(project: Project, conflict: Conflict) -> FieldRule:
    """What the project file says of a conflict's field. Raises BadValueError where it says nothing any more."""
    entity = project.entities.get(conflict.entity)
    rule = None if entity is None else entity.fields.get(conflict.field)
    if rule is None:
        raise BadValueError(
            f"{conflict.entity}.{conflict.field}",
            "the project file has no such field any more",
            "Use --take current or --take incoming.",
        )
    return rule


def _described(rule: FieldRule) -> str:
    if rule.group is None:
        return f"of type {rule.type}"
    return f"a group: a JSON list with a {rule.type} for each of {', '.join(rule.group)}"
