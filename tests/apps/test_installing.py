"""How applications are installed, started and ended, shown with programs that every machine has."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from duplex.embedded.processes import wait_until
from duplex.embedded.settings import Progress
from duplex.examples import __main__ as command
from duplex.examples import installation
from duplex.examples.errors import ApplicationError
from duplex.examples.ghost import installing as ghost
from duplex.examples.installation import Recipe
from duplex.examples.processes import Server

ROOT = Path(__file__).parents[2]
SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


class Counted:
    """An application that is a file; how often it was installed."""

    def __init__(self, folder: Path) -> None:
        self.lock = folder / "lock.json"
        self.lock.write_text("1")
        self.times = 0
        self.fails = False
        self.recipe = Recipe("counted", "Counted 1", "nothing, at once", (self.lock,), self.install)

    def install(self, folder: Path, progress: Progress) -> None:
        self.times += 1
        progress(f"part {self.times}")
        (folder / f"part {self.times}").touch()
        if self.fails:
            raise ApplicationError("cut off", "here", "it shall be", "Nothing.")


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.setenv("DUPLEX_HOME", str(tmp_path / "home"))
    return Counted(tmp_path)


def server(folder: Path, line: list[str] = SLEEPER) -> Server:
    return Server("Sleeper", line, folder, dict(os.environ), folder / "log")


def test_an_application_is_installed_once(counted: Counted) -> None:
    assert not counted.recipe.installed
    assert installation.ensure(counted.recipe) == installation.ensure(counted.recipe)
    assert counted.recipe.installed and counted.times == 1


def test_what_an_installation_costs_is_said_before_it_begins(counted: Counted) -> None:
    said: list[str] = []
    installation.ensure(counted.recipe, said.append)
    assert "Counted 1 is not installed yet. Once: nothing, at once, into" in said[0]
    assert said[1] == "part 1" and said[2].startswith("Counted 1 is installed")
    installation.ensure(counted.recipe, said.append)
    assert len(said) == 3


def test_a_machine_that_lacks_something_is_told_before_anything_is_begun(counted: Counted) -> None:
    def check() -> None:
        installation.require("nodde", "it runs on it", "Install it.")

    with pytest.raises(ApplicationError, match="nodde"):
        installation.ensure(replace(counted.recipe, check=check))
    assert counted.times == 0 and not counted.recipe.folder.exists()


def test_another_lock_is_another_installation(counted: Counted) -> None:
    first = installation.ensure(counted.recipe)
    counted.lock.write_text("2")
    assert installation.ensure(counted.recipe) != first and counted.times == 2


def test_an_installation_that_was_cut_off_begins_anew(counted: Counted) -> None:
    counted.fails = True
    with pytest.raises(ApplicationError, match="cut off"):
        installation.ensure(counted.recipe)
    assert not counted.recipe.installed
    counted.fails = False
    assert sorted(path.name for path in installation.ensure(counted.recipe).iterdir()) == [".installed", "part 2"]


def test_two_that_install_at_once_take_turns(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "LOCK_POLL_S", 0.01)
    threads = [threading.Thread(target=installation.ensure, args=(counted.recipe,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.times == 1


def test_a_step_that_fails_shows_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match=r"ended with 3[\s\S]*no such thing"):
        installation.run(["sh", "-c", "echo no such thing >&2; exit 3"], tmp_path)


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(ApplicationError, match=r"no `nodde` on this machine \(PATH\): Ghost runs on it\. Install"):
        installation.require("nodde", "Ghost runs on it", "Install Node.js.")


def test_a_node_that_ghost_does_not_run_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v16.20.0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ApplicationError, match=r"it is v16\.20\.0, and Ghost 5\.130\.6 runs on"):
        ghost.node()


def test_another_package_than_the_locked_one_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "ghost.tgz"
    archive.write_bytes(b"something else")
    with pytest.raises(ApplicationError, match="is not the one that was locked"):
        ghost.prepare(tmp_path, archive)


def test_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["examples", "gohst"])
    with pytest.raises(SystemExit):
        command.main()
    assert "no application gohst; there are ghost, tryton" in capsys.readouterr().err


def test_a_server_is_started_and_stopped_twice(tmp_path: Path) -> None:
    sleeper = server(tmp_path)
    for _ in range(2):
        sleeper.start(lambda: "up" in sleeper.tail(), 20)
        assert sleeper.running
    for _ in range(2):
        sleeper.stop()
        assert not sleeper.running


def test_a_server_that_ends_by_itself_shows_its_log(tmp_path: Path) -> None:
    broken = server(tmp_path, ["sh", "-c", "echo no database; exit 1"])
    with pytest.raises(ApplicationError, match=r"Sleeper does not start[\s\S]*ended by itself[\s\S]*no database"):
        broken.start(lambda: False, 20)


def test_a_server_that_does_not_get_ready_is_ended(tmp_path: Path) -> None:
    slow = server(tmp_path)
    with pytest.raises(ApplicationError, match="was not ready within"):
        slow.start(lambda: False, 0.2)
    assert not slow.running


STARTER = """
import sys
from pathlib import Path
from tests.apps.test_installing import server
sleeper = server(Path(sys.argv[1]))
sleeper.start(lambda: "up" in sleeper.tail(), 20)
print("started", flush=True)
sys.stdin.read()
"""


def test_a_server_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as starter:
        assert starter.stdout is not None and starter.stdout.readline() == b"started\n"
        children = psutil.Process(starter.pid).children(recursive=True)
        assert len(children) == 2
        starter.kill()
    assert wait_until(lambda: not any(child.is_running() for child in children), 20)
