"""The folder of the servers, its lock, and who holds it."""

import os
from pathlib import Path

import pytest

from duplex.embedded import binaries, holders, home, processes
from duplex.embedded.holders import Holders
from duplex.embedded.home import Home, default_home
from duplex.embedded.processes import Account, ProcessRecord
from duplex.embedded.runtime import Runtime
from duplex.errors import DuplexError


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home(tmp_path / "servers", tmp_path / "downloads")


def test_the_variable_moves_the_home(tmp_path: Path) -> None:
    found = default_home({"DUPLEX_HOME": str(tmp_path)})
    assert found == Home(tmp_path.resolve() / "servers", tmp_path.resolve() / "downloads")
    assert default_home({}) != found


def test_a_busy_home_is_named_after_the_limit(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "LOCK_LIMIT_S", 0.1)
    with place.locked(), pytest.raises(DuplexError, match=str(place.root)), place.locked():
        pass
    with place.locked():
        pass


def test_a_lock_outlives_a_wipe(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "LOCK_LIMIT_S", 0.1)
    with place.locked():
        place.wipe()
        with place.locked(), pytest.raises(DuplexError), place.locked():
            pass


def test_dead_holders_are_forgotten(tmp_path: Path) -> None:
    me = processes.this_process()
    dead = ProcessRecord(me.pid, me.started - 60)
    path = tmp_path / "holders.json"
    assert holders.read(path).none
    holders.write(path, Holders().joined(dead).joined(me))
    assert holders.read(path).alive() == Holders(guards=(me,))
    assert holders.read(path).alive().left(me).none
    path.write_text(path.read_text()[:5])
    assert holders.read(path).none
    assert not Holders().joined(None).none


def test_given_addresses_need_no_server_no_folder_and_no_extra(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    given = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "CRM_DSN": "postgresql://crm/x", "ERP_DSN": "postgresql://erp/y"}
    addresses = Runtime(place, environment=given).start()
    assert addresses.environment() == given
    assert not place.root.exists()


def test_the_missing_extra_is_named(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(DuplexError, match=r"pip install 'duplex-sync\[embedded\]'"):
        Runtime(place, environment={}).start()


@pytest.mark.parametrize("name", ["", "../crm", "Crm", "1st", "a" * 32])
def test_a_database_name_must_be_a_plain_word(place: Home, name: str) -> None:
    with pytest.raises(DuplexError, match="lower-case"):
        Runtime(place, environment={}).start((name,))


def test_programs_out_of_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account("other", os.getuid(), os.getgid())
    monkeypatch.setattr(binaries, "open_to_all", lambda _path: False)
    copied = binaries.find_binaries(tmp_path, account)
    assert tmp_path in copied.parents
    assert binaries.find_binaries(tmp_path, account) == copied
    assert processes.spawn([copied / "psql", "--version"], tmp_path / "log").pid
    assert processes.wait_until(lambda: "PostgreSQL" in processes.tail(tmp_path / "log"), 10)
