"""A status asked of a real broker: before anything was applied, and of a system's notes."""

from pathlib import Path

import pytest

from connectors import memory
from connectors.kafka_notes import KafkaNotes
from duplex import broker
from duplex.status import gathering, sweeps
from schemas.project.loading import load
from schemas.topics import Topics

FILE = """
pipeline: PIPELINE
systems:
  crm: {connector: memory, tables: {people: {columns: {id: integer, email: text}, key: [id]}}}
  erp: {connector: memory, tables: {people: {columns: {id: integer, email: text}, key: [id]}}}
entities:
  person:
    fields: {email: {}}
    systems:
      crm: {table: people, map: {email: email}}
      erp: {table: people, map: {email: email}}
"""


async def test_what_was_never_applied_is_said_so(tmp_path: Path, kafka_bootstrap: str, pipeline_name: str) -> None:
    path = tmp_path / "duplex.yaml"
    path.write_text(FILE.replace("PIPELINE", pipeline_name).lstrip())
    found = await gathering.gather(load(path, {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap}))
    for name in ("crm", "erp"):
        memory.forget(name)
    assert (found.applied, found.ok) == (False, False)
    assert [problem.what for problem in found.problems] == [gathering.NEVER_APPLIED]


async def test_of_very_many_notes_only_the_newest_are_read(
    kafka_bootstrap: str, pipeline_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, kafka = Topics(pipeline_name), {"bootstrap_servers": kafka_bootstrap}
    topic, tables = names.notes("blog"), {"contact": "members"}
    await broker.create_missing(kafka, [names.table(topic, partitions=1)], 1)
    notes = KafkaNotes(kafka, "blog", topic)
    await notes.open()
    await notes.put({f"parked/contact/{number}": b"x" for number in range(8)} | {"swept/contact": b"7"})
    await notes.close()
    (whole,) = await sweeps.of_system(kafka, topic, "blog", tables)
    monkeypatch.setattr(sweeps, "MOST_NOTES", 5)
    monkeypatch.setattr(sweeps, "NEWEST_NOTES", 2)
    (newest,) = await sweeps.of_system(kafka, topic, "blog", tables)
    await broker.delete(kafka, [topic])
    assert (whole.last_us, whole.waiting, whole.rows) == (7, 8, 0)
    assert (newest.last_us, newest.waiting, newest.rows) == (7, None, None)
