"""The lock on the message schemas."""

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import compatibility
from schemas.errors import IncompatibleSchemaError


def _field(name: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, **rest}


OLD: dict[str, Any] = {
    "type": "record",
    "name": "Thing",
    "fields": [_field("a", type="string"), _field("n", type="int")],
}


def _with(*fields: dict[str, Any], without: str = "") -> dict[str, Any]:
    new = copy.deepcopy(OLD)
    new["fields"] = [one for one in new["fields"] if one["name"] != without] + list(fields)
    return new


LOCKED = compatibility.lock({"thing": OLD}, {})


def test_the_envelopes_are_locked() -> None:
    assert compatibility.check(compatibility.envelopes(), compatibility.read_lock()) == []


def test_an_unchanged_schema_passes_whatever_its_words() -> None:
    assert compatibility.check({"thing": {**OLD, "doc": "said otherwise"}}, LOCKED) == []


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (_with(_field("b", type="string")), "reader field missing default value: b"),
        (_with(_field("n", type="string"), without="n"), "type mismatch"),
        ({**OLD, "name": "Other"}, "name mismatch"),
    ],
)
def test_a_change_that_old_logs_cannot_follow_fails(schema: dict[str, Any], reason: str) -> None:
    (error,) = compatibility.check({"thing": schema}, LOCKED)
    assert str(error).startswith("schema thing is not compatible with its locked version: ")
    assert reason in str(error)
    with pytest.raises(IncompatibleSchemaError):
        compatibility.lock({"thing": schema}, LOCKED)


def test_a_compatible_change_fails_until_it_is_locked() -> None:
    new = _with(_field("b", type=["null", "string"], default=None))
    (error,) = compatibility.check({"thing": new}, LOCKED)
    assert "it has changed" in str(error) and "--lock" in str(error)
    relocked = compatibility.lock({"thing": new}, LOCKED)
    assert relocked["thing"].version == 2
    assert compatibility.check({"thing": new}, relocked) == []


def test_a_change_of_a_default_counts_though_the_fingerprint_is_the_same() -> None:
    first = _with(_field("b", type="int", default=0))
    second = _with(_field("b", type="int", default=7))
    (error,) = compatibility.check({"thing": second}, compatibility.lock({"thing": first}, {}))
    assert isinstance(error, compatibility.UnlockedSchemaError)


def test_both_directions_are_reported() -> None:
    found = compatibility.compare("thing", _with(without="n"), LOCKED["thing"])
    assert found.backward == ()
    assert "n" in found.forward[0]
    (error,) = compatibility.check({"thing": _with(without="n")}, LOCKED)
    assert "readers of version 1 could not follow" in str(error)


def test_new_and_removed_subjects_fail() -> None:
    assert "it is new" in str(compatibility.check({"other": OLD}, {})[0])
    assert "was removed" in str(compatibility.check({}, LOCKED)[0])
    with pytest.raises(IncompatibleSchemaError, match="was removed"):
        compatibility.lock({}, LOCKED)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "schemas.lock"
    (tmp_path / "thing.avsc").write_bytes(msgspec.json.encode(OLD))
    assert compatibility.main([], tmp_path, path) == 1
    assert "it is new" in capsys.readouterr().err
    assert compatibility.main(["--lock"], tmp_path, path) == 0
    assert compatibility.main([], tmp_path, path) == 0
    (tmp_path / "thing.avsc").write_bytes(msgspec.json.encode(_with(_field("b", type="string"))))
    assert compatibility.main(["--lock"], tmp_path, path) == 1
    assert compatibility.main(["--lock", "--allow-incompatible"], tmp_path, path) == 0
    assert compatibility.main(["--what"], tmp_path, path) == 2


def test_every_earlier_version_is_kept_and_read() -> None:
    earlier = compatibility.envelopes(compatibility.ENVELOPES / "earlier")
    assert compatibility.check_earlier(compatibility.envelopes(), compatibility.read_lock(), earlier) == []


def test_locking_a_change_keeps_what_was_locked_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "schemas.lock"
    for schema in (OLD, _with(_field("b", type="int", default=0))):
        (tmp_path / "thing.avsc").write_bytes(msgspec.json.encode(schema))
        assert compatibility.main(["--lock"], tmp_path, path) == 0
    assert msgspec.json.decode((tmp_path / "earlier" / "thing.1.avsc").read_bytes()) == OLD
    assert compatibility.main([], tmp_path, path) == 0
    (tmp_path / "earlier" / "thing.1.avsc").unlink()
    assert compatibility.main([], tmp_path, path) == 1
    assert "its version 1 is not in envelopes/earlier" in capsys.readouterr().err


def test_a_change_must_follow_every_earlier_version_not_only_the_last() -> None:
    locked = {"thing": compatibility.Locked(2, "", _with(without="n"))}
    again = {"thing": _with(_field("x", type="int", default=0), without="n")}
    first = {"thing.1": {**OLD, "name": "Other"}}
    (error,) = compatibility.check_earlier(again, locked, first)
    assert "against version 1" in str(error)
