"""The rules that were applied to each entity, and those that a project file says now.

They are kept on the catalog's topic. `epoch/<entity>/<number>` is written before the epoch's messages go to the record
log, and `epoch/<entity>` when every partition has it: an apply that was cut short between the two is finished by the
next one under the same number if the rules are still the same, and under a new number if they are not, so that no
number ever has two meanings. The processor ignores an epoch that it has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from duplex import broker
from duplex.errors import DuplexError
from schemas.codec import Codec
from schemas.goldens import golden_schema
from schemas.messages import Epoch
from schemas.project import epochs as texts
from schemas.project.differences import differences
from schemas.topics import Topics

PREFIX = "epoch/"
KEY = b"$epoch"


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one epoch as text, and when they were applied (µs)."""

    number: int
    fingerprint: str
    rules: str
    applied_at_us: int
    applied_by: str = ""
    resolve: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an entity's epochs: the one that was applied as a whole, and every one by its number."""

    applied: Applied | None = None
    every: Mapping[int, Applied] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The greatest number that any partition may have; 0 where there is none."""
        return max((*self.every, self.applied.number if self.applied else 0), default=0)


Epochs = Mapping[str, Known]
Texts = Mapping[str, str]


def is_epoch(key: str) -> bool:
    """Whether a key of the catalog's topic is an epoch's."""
    return key.startswith(PREFIX)


def parse(found: Mapping[str, bytes]) -> Epochs:
    """The epochs among the catalog topic's last messages, by entity."""
    applied: dict[str, Applied] = {}
    every: dict[str, dict[int, Applied]] = {}
    for key, value in found.items():
        if is_epoch(key):
            entity, _, number = key.removeprefix(PREFIX).partition("/")
            one = msgspec.json.decode(value, type=Applied)
            if number:
                every.setdefault(entity, {})[one.number] = one
            else:
                applied[entity] = one
    names = sorted(applied.keys() | every.keys())
    return {name: Known(applied.get(name), every.get(name, {})) for name in names}


def is_applied(known: Known, text: str) -> bool:
    """Whether these rules hold in every partition, and no others were begun."""
    last = known.applied
    return last is not None and last.fingerprint == texts.fingerprint(text) and last.number == known.last


def number_for(known: Known, text: str) -> int:
    """The number under which these rules are to be written: that of an apply cut short, if it had the same rules."""
    begun = known.every.get(known.last) or known.applied
    same = begun is not None and begun.fingerprint == texts.fingerprint(text)
    return known.last if same else known.last + 1


def changes(known: Known, text: str) -> list[str]:
    """What changed since the rules were applied, in words; empty if nothing did."""
    if known.applied is None:
        return ["never applied"]
    if is_applied(known, text):
        return []
    return differences(known.applied.rules, text) or ["an apply of other rules was cut short"]


@dataclass(frozen=True, slots=True)
class Begun:
    """An epoch that `apply` wrote, and what is new in it."""

    entity: str
    number: int
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Writing:
    """How epochs are to be written: by whom, when (µs), and whether open conflicts are decided by them."""

    by: str
    now_us: int
    resolve: bool


async def write(
    options: broker.Options,
    topics: Topics,
    wanted: Texts,
    known: Epochs,
    created: Iterable[str],
    writing: Writing,
) -> list[Begun]:
    """Begin an epoch for every entity whose rules differ from those applied. Raises BrokerError.

    `wanted` has the rules' texts by entity; `created` the topics that are new: a new record log is told its rules,
    whether they differ or not.
    """
    anew, done = set(created), []
    for entity, text in wanted.items():
        of_entity = known.get(entity, Known())
        if not is_applied(of_entity, text) or topics.records(entity) in anew:
            number = number_for(of_entity, text)
            await _begin(options, topics, entity, _applied(number, text, writing))
            done.append(Begun(entity, number, tuple(changes(of_entity, text))))
    return done


def _applied(number: int, text: str, writing: Writing) -> Applied:
    return Applied(
        number=number,
        fingerprint=texts.fingerprint(text),
        rules=text,
        applied_at_us=writing.now_us,
        applied_by=writing.by,
        resolve=writing.resolve,
    )


async def _begin(options: broker.Options, topics: Topics, entity: str, one: Applied) -> None:
    value, topic = msgspec.json.encode(one), topics.records(entity)
    message = Codec().encode(message_of(entity, one))
    async with broker.producer(options) as client:
        # 1. What this number means, before anything can have it. 2. Every partition. 3. That every one has it.
        await client.send_and_wait(topics.catalog, value, key=f"{PREFIX}{entity}/{one.number}".encode())
        for partition in range(topics.partitions):
            await client.send_and_wait(topic, message, key=KEY, partition=partition)
        await client.send_and_wait(topics.catalog, value, key=f"{PREFIX}{entity}".encode())


def message_of(entity: str, one: Applied) -> Epoch:
    """The message that begins an epoch in a partition of the record log."""
    return Epoch(
        entity=entity,
        number=one.number,
        fingerprint=one.fingerprint,
        rules=one.rules,
        resolve=one.resolve,
        applied_by=one.applied_by,
        ts_us=one.applied_at_us,
    )


def golden_schemas(pipeline: str, entity: str, known: Known) -> list[dict[str, object]]:
    """The schemas that the entity's merged records may have been written with.

    Rules that this version of the program cannot read are left out: records written by them cannot be read either.
    """
    found = []
    for one in known.every.values():
        try:
            found.append(golden_schema(pipeline, entity, texts.read(one.rules).entity))
        except texts.RulesTextError:
            continue
    return found


class UnappliedError(DuplexError):
    """The project file says other rules than those that were applied."""

    def __init__(self, path: str, found: Mapping[str, list[str]]) -> None:
        entities = "; ".join(f"{entity}: {', '.join(words)}" for entity, words in found.items())
        super().__init__(
            "the rules in the project file are not those that were applied",
            path,
            entities,
            "See what they would change with `duplex plan`, then run `duplex apply`; or take the changes back.",
        )
        self.entities = tuple(found)


def unapplied(known: Epochs, wanted: Texts) -> dict[str, list[str]]:
    """The entities whose rules differ from those applied, each with what changed."""
    found = {entity: changes(known.get(entity, Known()), text) for entity, text in wanted.items()}
    return {entity: words for entity, words in found.items() if words}
