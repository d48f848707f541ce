"""Every known way to sign, over real HTTP and into Kafka."""

import time

import pytest

from tests.integration.webhook import senders
from tests.integration.webhook.conftest import Bridging
from tests.unit.webhook.signing import SECRET, SIGNERS, URL

BODY = b'{"id": "evt_1", "event_id": "evt_1", "name": "Zo\xc3\xab"}'


@pytest.mark.parametrize("name", SIGNERS)
async def test_an_applications_delivery_is_kept_once(
    bridging: Bridging, kafka_bootstrap: str, topic: str, name: str
) -> None:
    signer = SIGNERS[name]
    sender = await bridging({"url": URL, "signature": {"scheme": name, "secret": signer.secret}})
    headers = dict(signer.sign(BODY, signer.secret, int(time.time())))
    if name == "zendesk":
        headers["X-Zendesk-Webhook-Invocation-Id"] = "i-1"
    assert [await sender.post(BODY, headers) for _ in range(2)] == [200, 200]
    assert await sender.post(BODY + b" ", headers) == 401
    assert [one.body for one in await senders.kept(kafka_bootstrap, topic)] == [BODY]


async def test_a_proxy_says_which_address_was_signed(bridging: Bridging) -> None:
    signer, path = SIGNERS["hubspot"], "/in/crm"
    option = {"path": path, "signature": {"scheme": "hubspot", "secret": signer.secret}}
    headers = dict(signer.sign(BODY, signer.secret, int(time.time())))
    through = headers | {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hooks.example.com"}
    believing = await bridging(option, trusted_proxies=["127.0.0.1"])
    assert await believing.post(BODY, through, path) == 200
    assert await believing.post(BODY, headers, path) == 401
    assert await (await bridging(option)).post(BODY, through, path) == 401


async def test_slack_is_told_what_it_asks_for(bridging: Bridging, kafka_bootstrap: str, topic: str) -> None:
    signer = SIGNERS["slack"]
    sender = await bridging({"signature": {"scheme": "slack", "secret": SECRET}})
    body = b'{"type": "url_verification", "challenge": "3eZbrw1a"}'
    told = await sender.answered(body, dict(signer.sign(body, SECRET, int(time.time()))))
    assert (told.status, told.body) == (200, b"3eZbrw1a")
    told = await sender.answered(body, dict(signer.sign(body, "x", int(time.time()))))
    assert (told.status, told.body) == (401, b"")
    assert await senders.kept(kafka_bootstrap, topic) == []
