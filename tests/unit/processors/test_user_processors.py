"""Users' processors: found, checked, retried, taken apart."""

import re

import pytest

from streams.processors import user_processors
from streams.processors.records import Output, Record, Rejected
from streams.processors.stores import PartitionStore
from streams.processors.user import UserCodeError

HEAD = "from streams.processors.user import Output, Record, processor\n"
SHOUT = """
@processor(input="{pipeline}.golden.contact", output="{pipeline}.shouts")
async def shout(batch):
    return [Output(record.key, record.value.upper()) for record in batch]
"""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(user_processors, "BACKOFF_SECONDS", 0)


@pytest.fixture
def load(tmp_path):
    """Load one file with this text as a project's only processor file."""

    def write(text: str, name: str = "mine.py"):
        (tmp_path / "processors").mkdir(exist_ok=True)
        (tmp_path / "processors" / name).write_text(text)
        return user_processors.load(tmp_path, "shop")

    return write


def record(value: bytes, offset: int = 0) -> Record:
    return Record("shop.golden.contact", 0, offset, b"k", value, 0)


async def applied(processor, *values: bytes):
    return await processor.apply([record(value, at) for at, value in enumerate(values)], PartitionStore())


def test_project_without_a_folder_has_none(tmp_path):
    assert user_processors.load(tmp_path, "shop") == []


def test_decorated_function_is_found_with_its_topics(load):
    (found,) = load(HEAD + SHOUT)
    assert (found.name, found.inputs, found.free_outputs) == ("user.shout", ("shop.golden.contact",), ("shop.shouts",))


async def test_outputs_go_to_the_decorators_topic(load):
    (found,) = load(HEAD + SHOUT)
    (output,) = await applied(found, b"hello")
    assert isinstance(output, Output) and (output.topic, output.key, output.value) == ("shop.shouts", b"k", b"HELLO")


def test_same_name_in_two_files_is_refused(load):
    load(HEAD + SHOUT, "one.py")
    with pytest.raises(UserCodeError, match=r"two\.py:3: processor shout is also declared in .*one\.py:3"):
        load(HEAD + SHOUT, "two.py")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("x = = 1\n", 1, "invalid syntax"),
        ("\n\nimport no_such_module\n", 3, "no_such_module"),
        (HEAD + '@processor(input="a")\ndef plain(batch):\n    return []\n', 2, "must be an `async def`"),
        (HEAD + '@processor(input="a")\nasync def two(batch, more):\n    return []\n', 2, "one argument"),
        (HEAD + '@processor(input="a", attempts=0)\nasync def never(batch):\n    return []\n', 2, "positive"),
    ],
)
def test_mistake_in_a_file_names_file_and_line(load, text, line, reason):
    with pytest.raises(UserCodeError, match=rf"mine\.py:{line}: .*{re.escape(reason)}"):
        load(text)


async def test_failing_batch_is_tried_again(load):
    (found,) = load(
        HEAD
        + """
calls = []

@processor(input="in", output="out")
async def flaky(batch):
    calls.append(1)
    if len(calls) < 3:
        raise OSError("not yet")
    return [Output(b"k", b"done")]
"""
    )
    assert [output.value for output in await applied(found, b"a", b"b")] == [b"done"]


PICKY = """
@processor(input="in", output="out")
async def picky(batch):
    return [Output(record.key, b"%d" % int(record.value)) for record in batch]
"""


async def test_only_the_record_that_fails_by_itself_is_rejected(load):
    (found,) = load(HEAD + PICKY)
    results = await applied(found, b"1", b"2", b"x", b"4", b"5")
    assert [result.value for result in results if isinstance(result, Output)] == [b"1", b"2", b"4", b"5"]
    (rejected,) = [result for result in results if isinstance(result, Rejected)]
    assert rejected.record.value == b"x" and re.search(r"mine\.py:5: ValueError", rejected.message)


@pytest.mark.parametrize("returned", ["None", "[1]", "[Output(b'k', b'v')]"])
async def test_result_that_is_none_of_ours_is_rejected(load, returned):
    (found,) = load(HEAD + f'@processor(input="in")\nasync def odd(batch):\n    return {returned}\n')
    (rejected,) = await applied(found, b"a")
    assert isinstance(rejected, Rejected) and "mine.py:2" in rejected.message


async def test_call_that_takes_too_long_is_rejected(load):
    text = 'import asyncio\n@processor(input="in", timeout_s=0.05, attempts=1)\nasync def slow(batch):\n'
    (found,) = load(HEAD + text + "    await asyncio.Event().wait()\n")
    (rejected,) = await applied(found, b"a")
    assert rejected.error_class == "TimeoutError"
