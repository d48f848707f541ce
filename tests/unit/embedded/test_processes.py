"""Knowing a process again, and ending it."""

import os
import signal
import sys
import uuid
from pathlib import Path

import pytest

from duplex.embedded import processes
from duplex.embedded.processes import ProcessRecord

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture
def marker() -> str:
    """An argument that no other process has."""
    return f"duplex-test-{uuid.uuid4().hex}"


def spawn_stubborn(tmp_path: Path, marker: str) -> ProcessRecord:
    log = tmp_path / "log"
    record = processes.spawn([sys.executable, "-c", STUBBORN, marker], log)
    assert processes.wait_until(lambda: "ready" in processes.tail(log), 10)
    return record


def test_a_process_that_ignores_the_signal_is_killed(tmp_path: Path, marker: str) -> None:
    record = spawn_stubborn(tmp_path, marker)
    assert processes.alive(record, marker)
    assert processes.find(marker) == [record]
    processes.stop(record, [(signal.SIGTERM, 0.1)], marker)
    assert not processes.alive(record, marker)
    assert processes.find(marker) == []


def test_a_reused_pid_is_another_process() -> None:
    me = processes.this_process()
    assert processes.alive(me)
    assert not processes.alive(ProcessRecord(me.pid, me.started - 60))
    assert not processes.alive(me, marker="an argument this process does not have")


def test_stopping_a_reused_pid_harms_nobody() -> None:
    processes.stop(ProcessRecord(os.getpid(), 1.0), [(signal.SIGTERM, 1.0)])


def test_a_record_cut_short_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    assert processes.read_record(path) is None
    processes.write_record(path, ProcessRecord(1, 2.0, 3))
    assert processes.read_record(path) == ProcessRecord(1, 2.0, 3)
    path.write_text(path.read_text()[:7])
    assert processes.read_record(path) is None


def test_a_port_in_use_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(processes, "PORT_LIMIT_S", 0.0)
    with socket.create_server((processes.LOOPBACK, 0)) as other:
        taken = other.getsockname()[1]
        assert processes.free_port(taken) != taken
    assert processes.free_port(taken) == taken
