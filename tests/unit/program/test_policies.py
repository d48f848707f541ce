"""A project's own policy functions: found, tried, refused with their place."""

from pathlib import Path

import pytest

from duplex import policies
from duplex.checking import check_file
from schemas.project.loading import Loaded, load
from streams.mapping.functions import PolicyError

PROJECT = """
pipeline: shop
kafka: {bootstrap: "nowhere:1"}
systems:
  crm: {connector: memory}
entities:
  contact:
    fields:
      name: {on_conflict: {function: longest}}
      note: {on_conflict: {manual: {deadline: 1h, then: {function: longest}}}}
    systems:
      crm: {table: contacts, map: {name: name, note: note}}
"""
LONGEST = """
from streams.mapping.functions import policy

@policy
def longest(current, incoming, base):
    return max(current or "", incoming or "", key=lambda text: (len(text), text))
"""
ANY = LONGEST.replace('return max(current or "", incoming or "", key=lambda text: (len(text), text))', "return {}")
OF_HASHES = ANY.replace("{}", 'next(iter({current or "a", incoming or "b", base or "c"}))')


def project(folder: Path, code: str = LONGEST, text: str = PROJECT) -> Loaded:
    (folder / "policies").mkdir()
    (folder / "policies" / "own.py").write_text(code)
    (folder / "duplex.yaml").write_text(text)
    return load(folder / "duplex.yaml", {})


def loaded_functions(loaded: Loaded) -> policies.Functions:
    return policies.of_project(loaded.project, loaded.path.parent)


def test_every_use_of_a_function_is_found(tmp_path: Path) -> None:
    found = policies.uses(project(tmp_path).project)
    assert [(use.field, use.function) for use in found] == [("name", "longest"), ("note", "longest")]


def test_functions_are_found_by_their_names(tmp_path: Path) -> None:
    found = loaded_functions(project(tmp_path))
    assert found["longest"].function("a", "bc", None) == "bc"
    assert len(policies.digests(found)["longest"]) == 64


def test_nothing_is_run_where_no_field_names_a_function(tmp_path: Path) -> None:
    text = PROJECT.replace("{function: longest}", "newest")
    assert loaded_functions(project(tmp_path, "raise SystemExit", text)) == {}


def test_another_text_is_another_digest_even_within_the_same_second(tmp_path: Path) -> None:
    loaded = project(tmp_path)
    before = loaded_functions(loaded)["longest"]
    (tmp_path / "policies" / "own.py").write_text(LONGEST.replace("max", "min"))
    after = loaded_functions(loaded)["longest"]
    assert before.digest != after.digest
    assert (before.function("a", "bc", None), after.function("a", "bc", None)) == ("bc", "a")
    assert not list(tmp_path.rglob("*.pyc"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def f(:\n", r"own\.py:1: "),
        (LONGEST + "\n1 / 0\n", r"own\.py:8: ZeroDivisionError"),
        (LONGEST.replace(", base", ""), r"own\.py:4: policy longest must take three arguments"),
        (ANY.format("str(__import__('time').perf_counter_ns())"), r"own\.py:4: is not deterministic: longest\("),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        loaded_functions(project(tmp_path, code))


def test_a_name_belongs_to_one_file(tmp_path: Path) -> None:
    loaded = project(tmp_path)
    (tmp_path / "policies" / "second.py").write_text(LONGEST)
    with pytest.raises(PolicyError, match=r"second\.py:4: policy longest is also declared in .*own\.py:4"):
        loaded_functions(loaded)


async def test_a_good_function_passes_and_its_laws_are_told(tmp_path: Path) -> None:
    checked = await check_file(project(tmp_path))
    assert checked.errors == []
    assert "contact.name: policy longest is commutative" in checked.facts


async def test_one_that_depends_on_the_order_of_a_set_is_found_in_another_interpreter(tmp_path: Path) -> None:
    loaded = project(tmp_path, OF_HASHES)
    loaded_functions(loaded)
    first, *_ = (await check_file(loaded)).errors
    assert (first.line, first.path) == (9, "entities.contact.fields.name.on_conflict.function")
    assert "own.py:4) is not deterministic: longest(" in first.message
    assert "in another process" in first.message


CLOCKS = [
    "str(datetime.date.today())",
    "str(datetime.datetime.now().year)",
    "str(datetime.datetime.now(datetime.UTC).date())",
    "str(int(time.time()) // 86400)",
    "str(time.time_ns() // 86400_000_000_000)",
]


@pytest.mark.parametrize("answer", CLOCKS)
async def test_one_that_looks_at_the_calendar_is_found_by_another_clock(tmp_path: Path, answer: str) -> None:
    first, *_ = (await check_file(project(tmp_path, "import datetime, time\n" + ANY.replace("{}", answer)))).errors
    assert "in another process" in first.message


async def test_one_that_reads_dates_may_do_so(tmp_path: Path) -> None:
    code = "from datetime import date\n" + ANY.replace("{}", 'str(date.fromisoformat("2024-02-29"))')
    assert (await check_file(project(tmp_path, code))).errors == []


async def test_one_that_does_not_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "OTHER_INTERPRETER_TIMEOUT_S", 2.0)
    code = LONGEST.replace("    return", "    while True: pass\n    return")
    first, *_ = (await check_file(project(tmp_path, code))).errors
    assert "does not end: no answers after 2 s" in first.message


async def test_a_name_that_is_not_declared_is_refused_with_the_nearest(tmp_path: Path) -> None:
    first, second = (await check_file(project(tmp_path, text=PROJECT.replace("longest", "longst")))).errors
    assert (first.line, first.column) == (9, 38)
    assert str(first).endswith('no function longst is declared in policies/*.py; did you mean "longest"?')
    assert second.path == "entities.contact.fields.note.on_conflict.manual.then.function"


async def test_a_file_with_an_error_is_one_finding(tmp_path: Path) -> None:
    (found,) = (await check_file(project(tmp_path, "import nowhere_at_all"))).errors
    assert "own.py:1:1: ModuleNotFoundError" in str(found)


async def test_what_a_function_prints_is_no_answer(tmp_path: Path) -> None:
    code = LONGEST.replace("    return", "    print('hm')\n    return")
    assert (await check_file(project(tmp_path, code))).errors == []


async def test_the_example_of_the_page_passes(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "policies.md").read_text()
    code = page.split("```python\n", 1)[1].split("```", 1)[0]
    assert (await check_file(project(tmp_path, code))).errors == []
