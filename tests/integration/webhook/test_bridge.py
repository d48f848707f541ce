"""A delivery is answered with 200 when, and only when, Kafka has it."""

import asyncio

from tests.integration.webhook import senders
from tests.integration.webhook.conftest import Bridging
from tests.integration.webhook.senders import GITHUB, SECRET, signed

BODY = b'{"action": "edited", "name": "Zo\xc3\xab"}'


async def test_a_delivery_is_kept_as_it_came(bridging: Bridging, kafka_bootstrap: str, topic: str) -> None:
    sender = await bridging(GITHUB | {"keep_headers": ["X-Tenant"]})
    headers = {**signed(BODY, "d-1"), "Content-Type": "application/json", "X-Tenant": "a", "X-Other": "b",
               "X-GitHub-Event": "push"}  # fmt: skip
    assert await sender.post(BODY, headers) == 200
    (found,) = await senders.kept(kafka_bootstrap, topic)
    assert (found.key, found.body) == ("d-1", BODY)
    assert found.headers.pop("duplex.received").isdecimal()
    assert found.headers == {"content-type": "application/json", "x-tenant": "a", "x-github-event": "push",
                             "duplex.delivery": "d-1"}  # fmt: skip


async def test_what_nobody_signed_leaves_no_trace(bridging: Bridging, kafka_bootstrap: str, topic: str) -> None:
    sender = await bridging()
    answer = await sender.answered(BODY, signed(BODY + b" "))
    assert (answer.status, answer.body) == (401, b"")
    assert await senders.kept(kafka_bootstrap, topic) == []


async def test_a_repeat_is_answered_and_not_kept(bridging: Bridging, kafka_bootstrap: str, topic: str) -> None:
    sender = await bridging()
    assert [await sender.post(BODY, signed(BODY, "d-1")) for _ in range(3)] == [200, 200, 200]
    assert len(await senders.kept(kafka_bootstrap, topic)) == 1


async def test_two_copies_at_once_are_one(bridging: Bridging, kafka_bootstrap: str, topic: str) -> None:
    sender = await bridging()
    answers = await asyncio.gather(*(sender.post(BODY, signed(BODY, "d-1")) for _ in range(20)))
    assert set(answers) == {200}
    assert len(await senders.kept(kafka_bootstrap, topic)) == 1


async def test_the_memory_of_deliveries_survives_a_restart(
    bridging: Bridging, kafka_bootstrap: str, topic: str
) -> None:
    assert await (await bridging()).post(BODY, signed(BODY, "d-1")) == 200
    assert await (await bridging()).post(BODY, signed(BODY, "d-1")) == 200
    assert len(await senders.kept(kafka_bootstrap, topic)) == 1


async def test_many_at_once_are_all_kept_in_few_batches(bridging: Bridging, kafka_bootstrap: str, topic: str) -> None:
    sender = await bridging()
    bodies = [b'{"n": %d}' % number for number in range(300)]
    answers = await asyncio.gather(*(sender.post(body) for body in bodies))
    assert set(answers) == {200}
    assert sorted(one.body for one in await senders.kept(kafka_bootstrap, topic)) == sorted(bodies)


async def test_the_largest_body_that_may_be_allowed_passes(
    bridging: Bridging, kafka_bootstrap: str, topic: str
) -> None:
    sender = await bridging(GITHUB | {"body_limit": "8MiB"})
    body = b'"' + b"x" * (8 * 1024**2 - 2) + b'"'
    assert await sender.post(body) == 200
    assert [one.body for one in await senders.kept(kafka_bootstrap, topic)] == [body]


async def test_without_a_signature_deliveries_have_an_id_of_ours(
    bridging: Bridging, kafka_bootstrap: str, topic: str
) -> None:
    sender = await bridging({"signature": "none", "allow_unsigned": True})
    assert [await sender.post(BODY, {}) for _ in range(2)] == [200, 200]
    assert len({one.key for one in await senders.kept(kafka_bootstrap, topic)}) == 2


async def test_a_secret_on_its_way_out_still_works(bridging: Bridging) -> None:
    sender = await bridging({"signature": {"scheme": "github", "secrets": ["the new one", SECRET]}})
    assert await sender.post(BODY) == 200
