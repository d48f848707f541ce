"""One endpoint: whether a request is a delivery, and what its sender is told. No HTTP in here.

An answer tells a sender whether to come again, and nothing else; reasons go to our own log, at most one line a second
for an endpoint, and to the counter.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from hmac import compare_digest

import structlog
from prometheus_client import Counter

from connectors.webhook import documents
from connectors.webhook.answers import ACCEPTED, DUPLICATE, ELSEWHERE, Answer
from connectors.webhook.deliveries import Deliveries, delivery_id
from connectors.webhook.endpoints import Challenge, Endpoint
from connectors.webhook.lanes import Lane
from connectors.webhook.origins import Address, within
from connectors.webhook.postings import NotKeptError, Posting
from connectors.webhook.rates import Bucket
from connectors.webhook.rooms import Lease
from connectors.webhook.signatures import Request, SignatureRefusedError, Verified

log = structlog.get_logger(__name__)

DELIVERIES = Counter(
    "duplex_webhook_deliveries", "Requests to an endpoint, by what came of them.", ["system", "outcome"]
)
DELIVERY_HEADER, RECEIVED_HEADER = "duplex.delivery", "duplex.received"
RETRY_AFTER_S = 5
LONGEST_CHALLENGE = 1000
OUTCOMES = ("accepted", "duplicate", "challenge", "refused", "malformed", "too_large", "too_slow", "too_many",
            "unavailable", "unknown")  # fmt: skip


UNSIGNED = Verified(None, None)


class Desk:
    """An endpoint at work. `clock`: seconds since the epoch."""

    def __init__(
        self, endpoint: Endpoint, lane: Lane, deliveries: Deliveries, clock: Callable[[], float] = time.time
    ) -> None:
        self.endpoint = endpoint
        self.lane = lane
        self._deliveries = deliveries
        self._clock = clock
        self._bucket = Bucket(endpoint.rate) if endpoint.rate else None
        self._kept = sorted(endpoint.keep)
        self._numbers = itertools.count()
        self._counters = {word: DELIVERIES.labels(endpoint.system, word) for word in OUTCOMES}
        self._said_s = float("-inf")

    def admits(self, address: Address | None) -> bool:
        """Whether requests may come from there."""
        networks = self.endpoint.allow_from
        return not networks or (address is not None and within(address, networks))

    def challenged(self, query: Mapping[str, str]) -> Answer:
        """The answer to a GET: a challenge by parameters, or nothing here."""
        challenge = self.endpoint.challenge
        if challenge is None or challenge.method != "GET":
            return ELSEWHERE
        return _met(challenge, query.get) or ELSEWHERE

    def verified(self, request: Request) -> Verified:
        """A request that comes from the application. Raises SignatureRefusedError."""
        scheme = self.endpoint.scheme
        if scheme is None:
            return UNSIGNED
        return scheme.verify(request, self.endpoint.secrets, self._clock())

    async def answer(self, request: Request, verified: Verified, query: Mapping[str, str], lease: Lease) -> Answer:
        """The answer to a POST that was verified, given when the delivery is safe or cannot be made so in time.

        `lease` is the memory of its body: the delivery keeps it as long as it is on its way.
        """
        try:
            if self.endpoint.challenge is not None and (found := self._challenge(request.body, query)):
                return found
            if documents.deeper_than(request.body, self.endpoint.depth_limit):
                return Answer(400, "malformed", reason=f"nested deeper than {self.endpoint.depth_limit}")
            return await self._keep(request, verified, lease)
        except SignatureRefusedError as error:
            return refused(error)
        except NotKeptError as error:
            if error.too_large:
                return Answer(413, "too_large", reason=error.reason)
            return Answer(503, "unavailable", retry_after_s=RETRY_AFTER_S, reason=error.reason)

    def note(self, answer: Answer) -> None:
        """Count an answer, and say why where something is wrong."""
        self._counters[answer.outcome].inc()
        if answer.status < 400 or (now_s := self._clock()) < self._said_s + 1.0:
            return
        self._said_s = now_s
        log.warning(
            "a webhook was not taken",
            system=self.endpoint.system,
            status=answer.status,
            outcome=answer.outcome,
            reason=answer.reason,
        )

    def _challenge(self, body: bytes, query: Mapping[str, str]) -> Answer | None:
        challenge = self.endpoint.challenge
        if challenge is None or challenge.method != "POST":
            return None
        if challenge.query is not None:
            return _met(challenge, query.get)
        # Few deliveries are challenges, and a body is not decoded in vain.
        if not all(value.encode() in body for value in challenge.required.values()):
            return None
        if documents.deeper_than(body, self.endpoint.depth_limit):
            return None
        document = documents.decoded(body)
        return _met(challenge, lambda path: documents.at(document, path))

    async def _keep(self, request: Request, verified: Verified, lease: Lease) -> Answer:
        now_s = self._clock()
        received_us = int(now_s * 1e6)
        fallback = f"{received_us}-{next(self._numbers)}".encode()
        key = delivery_id(self.endpoint, request, verified, fallback)
        if self._deliveries.knows(key, now_s):
            return DUPLICATE
        if (same := self.lane.under_way(key)) is not None:
            await self.lane.answer(same)
            return DUPLICATE
        if self._bucket is not None and (wait_s := self._bucket.wait_s(now_s)) > 0:
            return Answer(429, "too_many", retry_after_s=int(wait_s) + 1, reason="more than the project's rate allows")
        posting = Posting(key, request.body, self._headers(request, key, received_us), lease)
        self.lane.take(posting)
        lease.is_kept = True
        await self.lane.answer(posting)
        return ACCEPTED

    def _headers(self, request: Request, key: bytes, received_us: int) -> list[tuple[str, bytes]]:
        found = [
            (name, value.encode("utf-8", "surrogateescape")) for name in self._kept for value in request.values(name)
        ]
        found += ((DELIVERY_HEADER, key), (RECEIVED_HEADER, b"%d" % received_us))
        return found


def refused(error: SignatureRefusedError) -> Answer:
    """The answer to a request that is not proven to come from the application."""
    return Answer(401, "refused", reason=error.reason)


def _met(challenge: Challenge, value_of: Callable[[str], str | None]) -> Answer | None:
    """The text that is asked for, if everything required is as it must be."""
    for name, wanted in challenge.required.items():
        if not compare_digest((value_of(name) or "").encode(), wanted.encode()):
            return None
    text = value_of(challenge.query or challenge.body or "")
    if not text or len(text) > LONGEST_CHALLENGE:
        return None
    return Answer(200, "challenge", text=text)
