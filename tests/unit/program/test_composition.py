"""A project put together: what connectors are told of deletes, and which rules hold."""

from pathlib import Path

import pytest

from connectors.base import Removal
from duplex import catalog, composition, epochs
from duplex.composition import Composition
from duplex.epochs import Applied, Known
from schemas.messages import Epoch
from schemas.project import epochs as texts
from schemas.project.loading import load
from streams.errors import MappingError
from streams.merge.rules import Manual

PROJECT = """
pipeline: shop
kafka: {bootstrap: "nowhere:1"}
systems:
  a: {connector: memory}
  b: {connector: memory}
  c: {connector: memory}
entities:
  contact:
    identity: key
    fields: {name: {on_conflict: manual}}
    on_delete:
      a: {inactive: {column: active, value: false, restore: true}}
      b: {archive: {table: old.contacts}}
      brake: {count: 5}
    systems:
      a: {table: public.contacts, map: {name: name}}
      b: {table: public.contacts, map: {name: name}}
      c: {table: public.contacts, map: {name: name}}
"""


def entry(system: str) -> catalog.Entry:
    columns = {"id": "integer", "name": "text", "active": "boolean"}
    return catalog.Entry(
        system=system, entity="contact", table="public.contacts", key=("id",), columns=columns, fingerprint=""
    )


def composed(folder: Path, text: str = PROJECT, known: epochs.Epochs | None = None) -> Composition:
    (folder / "duplex.yaml").write_text(text)
    return composition.compose(load(folder / "duplex.yaml", {}), catalog.catalog(map(entry, "abc")), known)


def test_each_system_is_told_how_to_delete(tmp_path: Path) -> None:
    found = composed(tmp_path)
    assert {system: specs[0].removal for system, specs in found.specs.items()} == {
        "a": Removal("inactive", column="active", value=False, restore=True),
        "b": Removal("archive", archive="old.contacts"),
        "c": Removal("remove"),
    }
    assert found.lens("contact", "a").is_gone('{"id": 1, "name": "x", "active": false}')


def test_rules_that_were_applied_have_their_number_and_others_none(tmp_path: Path) -> None:
    text = composed(tmp_path).texts["contact"]
    applied = Applied(number=4, fingerprint=texts.fingerprint(text), rules=text, applied_at_us=0)
    known = {"contact": Known(applied, {4: applied})}
    assert composed(tmp_path, known=known).rules["contact"].epoch == 4
    assert composed(tmp_path, PROJECT.replace("manual", "newest"), known).rules["contact"].epoch == 0


def test_an_epoch_is_compiled_whatever_the_file_says(tmp_path: Path) -> None:
    text = composed(tmp_path).texts["contact"]
    now = composed(tmp_path, PROJECT.replace("manual", "newest"))
    rules = now.compile(Epoch(entity="contact", number=2, fingerprint="", rules=text, ts_us=0))
    assert isinstance(rules.policies["name"], Manual)
    with pytest.raises(texts.RulesTextError):
        now.compile(Epoch(entity="contact", number=2, fingerprint="", rules="{", ts_us=0))


def test_a_function_that_is_not_declared_stops_the_composition(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="no function longest is declared"):
        composed(tmp_path, PROJECT.replace("manual", "{function: longest}"))
