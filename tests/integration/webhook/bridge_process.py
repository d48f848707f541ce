"""A bridge in a process of its own, to be killed: `python -m tests.integration.webhook.bridge_process PORT BOOTSTRAP
TOPIC DIE_AT`. With DIE_AT above 0 it kills itself when Kafka has acknowledged that delivery, before anybody is told."""

import asyncio
import itertools
import os
import signal
import sys

from connectors.webhook.postings import NotKeptError, Posting
from connectors.webhook.server import run_bridge
from connectors.webhook.settings import read_endpoint
from schemas.project.bridge import Bridge
from tests.integration.webhook.senders import GITHUB


def die_at(wanted: int) -> None:
    """Have the process killed when so many deliveries are safe."""
    settle, numbers = Posting.settle, itertools.count(1)

    def settling(posting: Posting, error: NotKeptError | None) -> None:
        if error is None and next(numbers) == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        settle(posting, error)

    Posting.settle = settling  # type: ignore[assignment, method-assign]


async def main(port: str, bootstrap: str, topic: str, wanted: str) -> None:
    die_at(int(wanted))
    settings = Bridge(port=int(port), answer_timeout="30s")
    await run_bridge(settings, [read_endpoint("shop", GITHUB, topic)], {"bootstrap_servers": bootstrap})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
