"""Rules applied and changed, on a real broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors import memory
from duplex import applying, broker, catalog, composition, epochs, running
from duplex.planning import comparing
from duplex.planning.actions import Plan
from schemas.codec import Codec
from schemas.messages import Epoch
from schemas.project.kafka import client_options
from schemas.project.loading import Loaded, load
from streams.errors import InvalidValueError
from streams.merge import states
from streams.merge.events import Changed
from streams.merge.merge import merge
from streams.merge.rules import Function, Manual, Newest
from streams.processors import changelogs
from tests.waiting import eventually

PROJECT = """
pipeline: PIPELINE
kafka: {bootstrap: "BOOTSTRAP", partitions: 3}
systems:
  crm: {connector: memory, name: CRM}
  erp: {connector: memory, name: ERP}
entities:
  contact:
    identity: {match: [email]}
    fields:
      email: {type: string, required: true}
      name: {type: string}
    systems:
      crm: {table: contacts, map: {email: email, name: name}}
      erp: {table: customers, map: {email: mail, name: full_name}}
"""


class Applying:
    """A project in a folder of its own, on systems in memory."""

    def __init__(self, folder: Path, pipeline: str, bootstrap: str) -> None:
        self.path, self.pipeline = folder / "duplex.yaml", pipeline
        names = {"PIPELINE": pipeline, "BOOTSTRAP": bootstrap, "CRM": f"{pipeline}_crm", "ERP": f"{pipeline}_erp"}
        self.text = PROJECT
        for word, value in names.items():
            self.text = self.text.replace(word, value)

    def loaded(self, old: str = "", new: str = "") -> Loaded:
        """The file, with one thing changed."""
        self.path.write_text(self.text.replace(old, new))
        return load(self.path, {})

    async def apply(self, old: str = "", new: str = "", *, resolve: bool = True) -> list[epochs.Begun]:
        work = applying.apply(
            self.loaded(old, new), reset_settings=False, say=lambda _: None, applied_by="me", resolve=resolve
        )
        return (await work).epochs

    @property
    def options(self) -> broker.Options:
        return client_options(self.loaded().project.kafka)

    async def log(self) -> list[tuple[int, Epoch]]:
        """The epochs in the record log, each with its partition."""
        codec, topic = Codec(), f"{self.pipeline}.records.contact"
        return [
            (message.partition, codec.decode_as(message.value or b"", Epoch))
            async for batch in broker.read_all(self.options, topic)
            for message in batch
            if message.key == epochs.KEY
        ]

    async def known(self) -> epochs.Known:
        return (await catalog.read_whole(self.options, f"{self.pipeline}.catalog")).epochs["contact"]


@pytest.fixture
async def project(tmp_path: Path, pipeline_name: str, kafka_bootstrap: str) -> AsyncIterator[Applying]:
    names = [f"{pipeline_name}_{name}" for name in ("crm", "erp")]
    tables = {"contacts": ("email", "name"), "customers": ("mail", "full_name")}
    for name, (table, columns) in zip(names, tables.items(), strict=True):
        made = {"id": "integer", **dict.fromkeys(columns, "text")}
        memory.system(name).create_table(table, made, ["id"], generated=True)
    yield Applying(tmp_path, pipeline_name, kafka_bootstrap)
    for name in names:
        memory.forget(name)


NEWEST, MANUAL = "name: {type: string}", "name: {type: string, on_conflict: manual}"


async def test_every_partition_is_told_the_rules_once(project: Applying) -> None:
    (begun,) = await project.apply()
    assert (begun.entity, begun.number, begun.changes) == ("contact", 1, ("never applied",))
    found = await project.log()
    assert sorted(partition for partition, _ in found) == [0, 1, 2]
    assert {(each.number, each.resolve, each.applied_by) for _, each in found} == {(1, True, "me")}
    assert await project.apply() == []
    assert len(await project.log()) == 3


async def test_new_rules_have_the_next_number_and_the_earlier_ones_are_kept(project: Applying) -> None:
    await project.apply()
    (begun,) = await project.apply(NEWEST, MANUAL, resolve=False)
    assert (begun.number, begun.changes) == (2, ("field name: newest → manual",))
    assert [(each.number, each.resolve) for _, each in await project.log() if each.number == 2] == [(2, False)] * 3
    known = await project.known()
    assert known.applied is not None and known.applied.number == 2
    assert sorted(known.every) == [1, 2]


async def test_what_is_no_rule_begins_no_epoch(project: Applying) -> None:
    await project.apply()
    assert await project.apply("partitions: 3", "partitions: 3, records_retention_days: 60") == []


async def test_an_apply_cut_short_is_finished_by_the_next(project: Applying, monkeypatch: pytest.MonkeyPatch) -> None:
    await project.apply()
    composed = composition.compose(project.loaded(NEWEST, MANUAL), (await composed_of(project)).catalog)
    topics = composed.topics
    begun = epochs._applied(2, composed.texts["contact"], epochs.Writing("me", 1, True))
    async with broker.producer(project.options) as client:
        value = epochs.msgspec.json.encode(begun)
        await client.send_and_wait(topics.catalog, value, key=b"epoch/contact/2")
    with pytest.raises(epochs.UnappliedError, match="an apply of other rules was cut short"):
        await require(project.loaded())
    assert [each.number for each in await project.apply(NEWEST, MANUAL)] == [2]
    assert [each.number for each in await project.apply()] == [3]


async def composed_of(project: Applying) -> composition.Composition:
    return await composition.composed(project.loaded())


async def require(loaded: Loaded) -> None:
    await running._require_applied(loaded)


async def test_run_refuses_rules_that_were_not_applied_and_says_what_changed(project: Applying) -> None:
    with pytest.raises(catalog.CatalogMissingError):
        await require(project.loaded())
    await project.apply()
    await require(project.loaded())
    with pytest.raises(epochs.UnappliedError, match=r"contact: field name: newest → manual.*`duplex plan`"):
        await require(project.loaded(NEWEST, MANUAL))
    await project.apply(NEWEST, MANUAL)
    await require(project.loaded(NEWEST, MANUAL))


async def test_a_process_goes_by_what_was_applied_while_the_file_is_edited(project: Applying) -> None:
    await project.apply()
    edited = await composition.composed(project.loaded(NEWEST, MANUAL))
    assert isinstance(edited.rules["contact"].policies["name"], Newest)
    assert edited.rules["contact"].epoch == 1
    await project.apply(NEWEST, MANUAL)
    later = await composition.composed(project.loaded(NEWEST, MANUAL))
    assert isinstance(later.rules["contact"].policies["name"], Manual)
    assert later.rules["contact"].epoch == 2
    (_, first), *_ = await project.log()
    assert isinstance(later.compile(first).policies["name"], Newest)


async def is_gone(project: Applying, topic: str) -> bool:
    return not await broker.partitions_of(project.options, topic)


async def test_a_record_log_made_anew_is_told_the_rules_again(project: Applying) -> None:
    await project.apply()
    topic = f"{project.pipeline}.records.contact"
    await broker.delete(project.options, [topic])
    await eventually(lambda: is_gone(project, topic), timeout_s=20)
    (begun,) = await project.apply()
    assert (begun.number, begun.changes) == (1, ())
    assert sorted(partition for partition, _ in await project.log()) == [0, 1, 2]


async def with_an_open_conflict(project: Applying) -> None:
    """The state of a record whose name is one in crm, and another in erp, under rules that leave it to a person."""
    composed = await composition.composed(project.loaded(NEWEST, MANUAL))
    rules, state = composed.rules["contact"], None
    for system, row in (("crm", {"email": "a", "name": "Ada"}), ("erp", {"mail": "a", "full_name": "Bob"})):
        event = Changed(system=system, local_id="[1]", position=(1, 1), ts_us=5, after=row, load=True)
        state, _ = merge(state, event, rules)
    assert state is not None
    entries = changelogs.batch({b"r": states.encode(state)}, {"x": 1}, changelogs.Stamp(1, 1))
    async with broker.producer(project.options) as client:
        for entry in entries:
            topic = composed.topics.state("merge", "contact")
            await client.send_and_wait(topic, entry.value, key=entry.key, partition=1)


async def planned(project: Applying, old: str = "", new: str = "") -> Plan:
    return await comparing.plan(project.loaded(old, new), say=lambda _: None)


async def test_a_plan_says_what_new_rules_would_make_of_open_conflicts(project: Applying) -> None:
    assert (await planned(project)).rules == ()
    await project.apply(NEWEST, MANUAL)
    assert (await planned(project, NEWEST, MANUAL)).rules == ()
    await with_an_open_conflict(project)
    (change,) = (await planned(project)).rules
    assert (change.entity, change.number, change.changes) == ("contact", 2, ("field name: manual → newest",))
    assert (change.open, change.left) == (1, 0)
    (decided,) = change.decided
    assert (decided.record_id, decided.field, decided.rule) == ("r", "name", "rules:newest")
    assert {decided.current, decided.incoming} == {'crm "Ada"', 'erp "Bob"'}
    assert decided.winner in ("crm", "erp")


async def test_a_plan_leaves_open_what_new_rules_leave_to_a_person(project: Applying) -> None:
    await project.apply(NEWEST, MANUAL)
    await with_an_open_conflict(project)
    later = "name: {type: string, on_conflict: {manual: {deadline: 3d, then: newest}}}"
    (change,) = (await planned(project, NEWEST, later)).rules
    assert change.changes == ("field name: manual → manual, after 3d newest",)
    assert (change.open, change.left, change.decided) == (1, 1, ())


POLICY = """
from streams.mapping.functions import policy

@policy
def chosen(current, incoming, base):
    return "ANSWER"
"""


async def test_a_function_is_read_anew_for_the_epoch_that_was_applied_with_it(project: Applying) -> None:
    folder = project.path.parent / "policies"
    folder.mkdir()
    (folder / "own.py").write_text(POLICY)
    calling = "name: {type: string, on_conflict: {function: chosen}}"
    await project.apply(NEWEST, calling)
    running = await composition.composed(project.loaded(NEWEST, calling))
    (folder / "own.py").write_text(POLICY.replace("ANSWER", "another"))
    (begun,) = await project.apply(NEWEST, calling)
    assert begun.changes == ("function chosen: its file has changed",)
    by_number = {epoch.number: running.compile(epoch).policies["name"] for _, epoch in await project.log()}
    assert isinstance(by_number[2], Function) and isinstance(by_number[1], Function)
    assert by_number[2].call("a", "b", None) == "another"
    assert by_number[1].call("a", "b", None) == "ANSWER"
    later = await composition.composed(project.loaded(NEWEST, calling))
    (_, first), *_ = await project.log()
    earlier = later.compile(first).policies["name"]
    assert isinstance(earlier, Function)
    with pytest.raises(InvalidValueError, match="another text than when these rules were applied"):
        earlier.call("a", "b", None)
