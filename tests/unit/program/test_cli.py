"""The command line as its users meet it: a process, its exit code, its two streams."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = "127.0.0.1:1"
GOOD = """
pipeline: shop
kafka: {bootstrap: "127.0.0.1:1"}
systems:
  crm: {connector: memory, tables: {c: {columns: {id: integer, email: text}, key: [id]}}}
  erp: {connector: memory, tables: {d: {columns: {id: integer, mail: text}, key: [id], generated: true}}}
entities:
  contact:
    identity: {match: [email]}
    fields: {email: {type: string, required: true}}
    systems:
      crm: {table: c, map: {email: email}}
      erp: {table: d, map: {email: mail}}
"""


def duplex(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "duplex", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "duplex.yaml").write_text(GOOD.replace("key: [id]}}}\n  erp", "key: [id], generated: true}}}\n  erp"))
    return tmp_path


def test_version(tmp_path: Path) -> None:
    done = duplex(tmp_path, "version", "--json")
    assert (done.returncode, json.loads(done.stdout)["duplex"][:2], done.stderr) == (0, "0.", "")


def test_no_project_file(tmp_path: Path) -> None:
    done = duplex(tmp_path, "check")
    assert (done.returncode, done.stdout) == (2, "")
    assert "duplex.yaml" in done.stderr
    assert "`duplex init`" in done.stderr


def test_a_wrong_word_is_named_with_its_place(project: Path) -> None:
    (project / "other.yaml").write_text(GOOD.replace("identity", "identiti"))
    done = duplex(project, "--project", "other.yaml", "check")
    assert done.returncode == 2
    assert "other.yaml:9:5: " in done.stdout
    assert '"identity"' in done.stdout


def test_check_as_json_behind_the_command_and_from_the_environment(project: Path) -> None:
    found = [
        duplex(project, "check", "-p", "duplex.yaml", "--json"),
        duplex(project, "check", "--json", DUPLEX_PROJECT="duplex.yaml"),
    ]
    for done in found:
        assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True), done.stderr


def test_plan_of_empty_tables_has_no_changes(project: Path) -> None:
    done = duplex(project, "plan")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "nothing to change"), done.stderr


def test_a_broker_that_does_not_answer_is_one_sentence(project: Path) -> None:
    done = duplex(project, "apply")
    assert done.returncode == 1
    assert f"Kafka cannot be used ({NOBODY})" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Unable" not in done.stderr


def test_debug_shows_the_traceback(project: Path) -> None:
    assert "Traceback" in duplex(project, "--debug", "apply").stderr


def test_uninstall_without_a_terminal_wants_yes(project: Path) -> None:
    done = duplex(project, "uninstall")
    assert (done.returncode, "--yes" in done.stderr) == (2, True)


def test_run_refuses_a_part_that_is_not_there(project: Path) -> None:
    done = duplex(project, "run", "--only", "source:shop")
    assert (done.returncode, "source:crm" in done.stderr) == (2, True)


def test_doctor_says_what_is_wrong_and_what_mends_it(project: Path) -> None:
    done = duplex(project, "doctor", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"]) == (1, False)
    (wrong,) = [each for each in found["findings"] if each["level"] == "error" and each["subject"] == "kafka"]
    assert "duplex dev start" in wrong["remedy"]


def test_status_says_that_nothing_runs(project: Path) -> None:
    done = duplex(project, "status")
    assert done.returncode == 1
    assert done.stdout.startswith("shop is not running. `duplex run` starts it.\n")


def test_init_does_not_write_over_a_file(project: Path) -> None:
    assert duplex(project, "init").returncode == 2
    assert (project / "duplex.yaml").read_text().startswith("\npipeline")
    assert duplex(project, "-p", "new.yaml", "init").returncode == 0
    done = duplex(project, "-p", "new.yaml", "check", "--offline")
    assert (done.returncode, "CRM_DSN is not set" in done.stdout) == (2, True)
