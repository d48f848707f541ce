"""What the commands refuse before they ask anybody, and how they tell a sum."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from duplex.cli import conflicts
from duplex.cli.main import app
from duplex.conflicts.resolving import Summary

PROJECT = """
pipeline: shop
kafka: {bootstrap: "127.0.0.1:1"}
systems:
  crm: {connector: memory, tables: {c: {columns: {id: integer, email: text}, key: [id], generated: true}}}
  erp: {connector: memory, tables: {d: {columns: {id: integer, mail: text}, key: [id], generated: true}}}
entities:
  contact:
    identity: {match: [email]}
    fields: {email: {type: string, required: true}}
    systems:
      crm: {table: c, map: {email: email}}
      erp: {table: d, map: {email: mail}}
"""


@pytest.fixture
def project(tmp_path: Path) -> str:
    (tmp_path / "duplex.yaml").write_text(PROJECT)
    return str(tmp_path / "duplex.yaml")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--take", "crm"], "--all"),
        (["3fa85f64/1", "--all", "--take", "crm"], "exclude each other"),
        (["3fa85f64/1", "--where", "true", "--take", "crm"], "exclude each other"),
        (["3fa85f64/1", "--dry-run", "--take", "crm"], "exclude each other"),
        (["--all", "--shown", "4.abc", "--take", "crm"], "give its ID"),
    ],
)
def test_options_that_do_not_go_together(project: str, words: list[str], why: str) -> None:
    done = CliRunner().invoke(app, ["conflicts", "resolve", "-p", project, *words])
    assert (done.exit_code, why in done.stderr) == (2, True), done.output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["list", "--where", "feild == 1"], "there is no feild"),
        (["list", "--older-than", "soon"], "--older-than 'soon'"),
        (["resolve", "3fa85f64/1"], "Give exactly one"),
        (["resolve", "3fa85f64/1", "--keep", "--delete"], "Give exactly one"),
    ],
)
def test_what_cannot_be_is_an_error_that_explains_itself(project: str, words: list[str], why: str) -> None:
    from duplex.cli import failures

    done = CliRunner().invoke(app, ["conflicts", *words, "-p", project])
    assert done.exception is not None
    text, code = failures.described(done.exception)
    assert (int(code), why in text) == (2, True), text


def test_a_brake_of_a_system_that_is_not_there(project: str) -> None:
    done = CliRunner().invoke(app, ["brake", "reject", "desk", "-p", project])
    assert "system desk" in str(done.exception)
    assert "crm, erp" in str(done.exception)


def test_the_sum_names_the_first_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    conflicts.tell(Summary(1_047, 2, 1, {"a/1": "phone moved on", "b/1": "erp has edited again"}, {"c/1": "no"}), False)
    out, errors = capsys.readouterr()
    assert out == "1,047 decided, 2 refused (stale), 1 left\n"
    assert errors.splitlines() == ["a/1: phone moved on", "b/1: erp has edited again", "c/1: no"]
