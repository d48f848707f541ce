"""Which deliveries are in Kafka already, by the sender's id: a repeat of one is answered, and not kept again."""

import hashlib
from collections import OrderedDict

from connectors.webhook.documents import at, decoded
from connectors.webhook.endpoints import Endpoint, Remembered
from connectors.webhook.signatures import Request, Verified

LONGEST_ID_BYTES = 200
SHORT_ID_BYTES = 40


class Deliveries:
    """Ids of one system's deliveries, as long and as many as are to be remembered; the oldest go first.

    Times are seconds since the epoch, and passed in. An id counts once the delivery is safe, never before.
    """

    def __init__(self, remembered: Remembered) -> None:
        self.remembered = remembered
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, delivery_id: bytes, at_s: float) -> None:
        """This delivery, received then, is safe."""
        self._known.setdefault(_short(delivery_id), at_s)
        self._forget(at_s)

    def knows(self, delivery_id: bytes, now_s: float) -> bool:
        """Whether a delivery of this id is safe, as far as is remembered."""
        at_s = self._known.get(_short(delivery_id))
        return at_s is not None and now_s - at_s <= self.remembered.time_s

    def _forget(self, now_s: float) -> None:
        known, oldest_s = self._known, now_s - self.remembered.time_s
        while len(known) > self.remembered.count or (known and next(iter(known.values())) < oldest_s):
            known.popitem(last=False)


def _short(delivery_id: bytes) -> bytes:
    """The id itself where it is short, as most are; else a digest, longer than any of those."""
    return delivery_id if len(delivery_id) <= SHORT_ID_BYTES else hashlib.blake2b(delivery_id).digest()


def delivery_id(endpoint: Endpoint, request: Request, verified: Verified, fallback: bytes) -> bytes:
    """The sender's id of a delivery where it gives one.

    Otherwise, where a time in milliseconds is signed, a digest of time and body: a repeat of the same request has the
    same. Otherwise `fallback`, new for each: two edits may well lead to the same body within a second, and taking the
    second for a repeat of the first would lose it.
    """
    text = _given(endpoint, request)
    if text:
        named = text.encode("utf-8", "surrogateescape")
        return named if len(named) <= LONGEST_ID_BYTES else hashlib.sha256(named).hexdigest().encode()
    scheme = endpoint.scheme
    if scheme is not None and scheme.unit == "ms" and verified.sent_s is not None:
        return hashlib.sha256(f"{verified.sent_s:.3f} ".encode() + request.body).hexdigest().encode()
    return fallback


def _given(endpoint: Endpoint, request: Request) -> str | None:
    if endpoint.id_path is not None:
        return at(decoded(request.body), endpoint.id_path)
    return request.header(endpoint.id_header) if endpoint.id_header is not None else None
