"""Dead letters of a running pipeline: listed, shown, sent again once the reason is mended, edited, dropped, refused."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from duplex import broker
from duplex.deadletters import reading
from duplex.deadletters.conditions import Wanted
from duplex.reading import Reader
from schemas.codec import Codec
from schemas.identifiers import row_key
from schemas.messages import Change, Decision
from schemas.project.loading import load
from schemas.project.model import Project
from schemas.topics import Topics
from tests.acceptance.conftest import Place
from tests.acceptance.shops import Shop
from tests.waiting import eventually

on_the_open_one = pytest.mark.asyncio(loop_scope="module")
AUDITED = ("--error", "no audit")
BEN = "update public.contacts set phone = '{}' where email = 'ben@example.com'"
AUDIT = """
from pathlib import Path

from schemas.codec import Codec
from schemas.errors import UndecodableError
from schemas.messages import Change
from streams.processors.user import processor

FOLDER = Path(__file__).parent.parent
codec = Codec()


@processor(input="{pipeline}.changes.crm.contact", attempts=1)
async def audit(batch):
    seen = []
    for record in batch:
        try:
            change = codec.decode(record.value)
        except UndecodableError:
            continue
        if isinstance(change, Change) and change.op == "u" and '"phone":"9' in change.after:
            if (FOLDER / "broken").exists():
                raise RuntimeError(f"no audit of entry {change.seq}")
            seen.append(f"{change.seq}")
    with (FOLDER / "seen").open("a") as file:
        file.writelines(f"{each}\\n" for each in seen)
    return []
"""
MENDED = {
    "id": 77, "email": "zoe@example.com", "first_name": "Zoe", "last_name": "Zander", "phone": "12", "status": "lead",
    "credit_limit": 1.50, "birthday": None, "street": None, "city": None, "zip": None,
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_shop(place: Place) -> AsyncIterator[Shop]:
    """The sample running for all tests of this module, with a processor of its own that reads crm's changes."""
    async with Shop.made(*place) as shop:
        (shop.folder / "processors").mkdir()
        (shop.folder / "processors" / "audit.py").write_text(AUDIT)
        await shop.json("apply")
        await shop.start()
        await shop.running()
        yield shop


@pytest.fixture
def topics(place: Place) -> Topics:
    return Topics(place[1])


async def letters(shop: Shop, count: int, **wanted: str) -> list[dict[str, Any]]:
    """The open letters by their error or key, once there are so many."""
    ours, meant = project(shop), Wanted(**wanted)  # type: ignore[arg-type]
    reader = Reader(ours)

    async def there() -> bool:
        return len(meant.among(await reading.book(ours), reader, 0)) == count

    assert await eventually(there, timeout_s=30, message=f"not {count} dead letters")
    filters = [word for name, value in wanted.items() for word in (f"--{name}", value)]
    found: list[dict[str, Any]] = (await shop.json("deadletters", "list", "--each", *filters))["letters"]
    return found


def project(shop: Shop) -> Project:
    return load(shop.folder / "duplex.yaml", shop.environment).project


async def send(shop: Shop, topic: str, key: bytes, value: bytes) -> None:
    async with broker.producer({"bootstrap_servers": shop.environment["KAFKA_BOOTSTRAP_SERVERS"]}) as producer:
        await producer.send_and_wait(topic, value, key=key)


@on_the_open_one
async def test_a_processor_that_failed_gets_its_messages_in_order_once_it_is_mended(open_shop: Shop) -> None:
    shop = open_shop
    broken = shop.folder / "broken"
    broken.touch()
    for number in range(3):
        await shop.value(shop.crm, BEN.format(f"9{number}"))
    found = await letters(shop, 3, error="no audit")
    (group,) = (await shop.json("deadletters", "list", *AUDITED))["groups"]
    assert (group["count"], group["components"]) == (3, ["user.audit"])

    code, out, _ = await shop.call("deadletters", "retry", found[0]["id"], "--yes")
    assert (code, "1 failed again" in out) == (1, True)
    assert [one["failures"] for one in await letters(shop, 3, error="no audit")] == [1, 1, 2]
    broken.unlink()
    assert (await shop.json("deadletters", "retry", "--all", *AUDITED, "--dry-run"))["would_send"] == 3
    done = await shop.json("deadletters", "retry", "--all", *AUDITED, "--yes")
    assert (done["sent"], done["closed"], done["failed"], done["held"]) == (3, 3, 0, {})
    seen = [int(line) for line in (shop.folder / "seen").read_text().split()]
    assert (len(seen), seen) == (3, sorted(seen))


@on_the_open_one
async def test_noise_is_listed_refused_counted_and_dropped(open_shop: Shop, topics: Topics) -> None:
    shop = open_shop
    for topic in (topics.changes("crm", "contact"), topics.records("contact"), topics.commands("erp")):
        await send(shop, topic, b"nobody", b"no message of ours")
    found = await letters(shop, 3, key="nobody")
    assert {one["component"] for one in found} == {"links.contact", "merge.contact", "sink erp"}
    sunk = next(one for one in found if one["component"] == "sink erp")
    code, _, errors = await shop.call("deadletters", "retry", sunk["id"], "--yes")
    assert (code, "duplex conflicts retry nobody" in errors) == (1, True), errors
    before = await reading.count_open(project(shop))

    noise = ("--all", "--where", 'kind == "bytes" && value.startsWith("no message")')
    assert (await shop.json("deadletters", "drop", *noise, "--reason", "a test's noise", "--yes"))["dropped"] == 3
    shown = await shop.json("deadletters", "show", sunk["id"])
    assert (shown["letter"]["state"], shown["history"][-1]["detail"]) == ("dropped", "a test's noise")
    assert before - (await shop.json("status"))["deadletters"] == 3


@on_the_open_one
async def test_a_row_that_cannot_be_read_is_edited_and_arrives(open_shop: Shop, topics: Topics) -> None:
    shop = open_shop
    change = Change(
        system="crm", entity="contact", table="public.contacts", incarnation=1, seq=1_000_000, op="c", local_id="[77]",
        after='{"id": 77, "email": ', ts_us=5,
    )  # fmt: skip
    await send(shop, topics.changes("crm", "contact"), row_key("crm", "[77]"), Codec().encode(change))
    (one,) = await letters(shop, 1, key="crm:[77]")
    assert (one["component"], one["key"]) == ("links.contact", "crm:[77]")
    page = (await shop.call("deadletters", "show", one["id"]))[1]
    assert f"duplex deadletters retry {one['id']} --edit" in page

    edit = ("--set", f"after={json.dumps(MENDED)}", "--reason", "cut short", "--by", "support")
    done = await shop.json("deadletters", "retry", one["id"], *edit, "--yes")
    assert (done["closed"], done["failed"]) == (1, 0), done
    await shop.becomes(shop.erp, "select full_name from public.customers where mail = 'zoe@example.com'", "Zoe Zander")
    history = (await shop.json("deadletters", "show", one["id"]))["history"]
    assert [each["what"] for each in history] == ["rejected", "retried", "closed"]
    assert history[1]["by"] == "support"
    assert "edited" in history[1]["detail"]


@on_the_open_one
async def test_a_decision_that_was_refused_stays_refused(open_shop: Shop, topics: Topics) -> None:
    shop = open_shop
    (ben,) = await shop.json("record", "show", "ben@example.com")
    record_id = ben["record_id"]
    decision = Decision(
        record_id=record_id, entity="contact", item=f"{record_id}/99", candidate=None, version=1, value='"x"',
        decided_by="late", ts_us=1,
    )  # fmt: skip
    await send(shop, topics.records("contact"), record_id.encode(), Codec().encode(decision))
    (one,) = await letters(shop, 1, error="DecisionRefused")
    code, _, errors = await shop.call("deadletters", "retry", one["id"], "--yes")
    assert (code, f"duplex conflicts show {record_id}/99" in errors) == (1, True), errors
    code, out, _ = await shop.call("deadletters", "retry", "--all", "--error", "DecisionRefused", "--yes")
    assert (code, "1 not sent" in out) == (1, True)


@on_the_open_one
async def test_what_cannot_be_asked_is_said_with_reason(open_shop: Shop) -> None:
    for words, why in (
        (("show", "9:99"), "no such dead letter"),
        (("retry",), "--all"),
        (("list", "--where", "eror == 1"), "there is no eror"),
    ):
        code, _, errors = await open_shop.call("deadletters", *words)
        assert (code, why in errors, "Traceback" in errors) == (2, True, False), errors
