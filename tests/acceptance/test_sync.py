"""Two databases kept in step: edits on both sides at once survive, and at rest nothing moves."""

import asyncio
import time

import pytest

from duplex.demo.people import person
from tests.acceptance.showings import Showing

RECORDS = 1000
REST_S = 10.0

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_different_fields_on_both_sides_at_once_all_survive(shared: Showing) -> None:
    async with shared.connected() as (crm, _):
        row = "insert into shop.contacts (email, first_name, last_name) values ($1, 'Ada', 'Archer')"
        await crm.executemany(row, [(f"many.{number}@example.com",) for number in range(RECORDS)])
    await shared.settled()
    async with shared.connected() as (crm, erp):
        await asyncio.gather(
            crm.executemany(
                "update shop.contacts set credit_limit = $2 where email = $1",
                [(f"many.{number}@example.com", number + 1) for number in range(RECORDS)],
            ),
            erp.executemany(
                "update shop.customers set tel = $2 where mail = $1",
                [(f"many.{number}@example.com", str(number)) for number in range(RECORDS)],
            ),
        )
    await shared.settled()
    past = await shared.nothing_lost_or_doubled()
    edits = [entry for entry in past.edits if entry.change.op == "u" and "many." in (entry.change.after or "")]
    assert len(edits) == 2 * RECORDS
    async with shared.connected() as (crm, erp):
        kept = "select count(*) from {} where {} = (split_part({}, '.', 2)::int + 1) and {} = split_part({}, '.', 2)"
        of_crm = kept.format(
            "shop.contacts", "credit_limit", "split_part(email, '@', 1)", "phone", "split_part(email, '@', 1)"
        )
        of_erp = kept.format("shop.customers", "credit", "split_part(mail, '@', 1)", "tel", "split_part(mail, '@', 1)")
        where = " and {} like 'many.%'"
        assert await crm.fetchval(of_crm + where.format("email")) == RECORDS
        assert await erp.fetchval(of_erp + where.format("mail")) == RECORDS


async def entries(showing: Showing) -> tuple[int, ...]:
    async with showing.connected() as (crm, erp):
        query = "select coalesce(max(seq), 0) from duplex.change_log"
        past = await showing.history()
        return (await crm.fetchval(query), await erp.fetchval(query), len(past.commands), len(past.changes))


async def test_at_rest_nothing_moves(shared: Showing) -> None:
    async with shared.connected() as (crm, _):
        await crm.execute("update shop.contacts set phone = '1' where email = $1", person(150).email)
    await shared.settled()
    before, over = await entries(shared), time.monotonic() + REST_S
    while time.monotonic() < over:
        await asyncio.sleep(0.5)
        assert await entries(shared) == before
