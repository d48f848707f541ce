"""The webhook bridge, as the project file's `bridge` describes it."""

from pydantic import Field, IPvAnyNetwork

from schemas.project.base import Part
from schemas.project.durations import Duration
from schemas.project.sizes import Size


class Tls(Part):
    """PEM files: the certificate with its chain, and its key."""

    certificate: str = Field(min_length=1)
    key: str = Field(min_length=1)


class Strangers(Part):
    """Requests of one address that nobody has verified: so many at once, and as many again in every window."""

    requests: int = Field(600, ge=1, le=1_000_000)
    window: Duration = 60_000_000


class Bridge(Part):
    """Where webhooks arrive, for all systems.

    `trusted_proxies`: whose X-Forwarded-* headers are believed. `queue` and `memory` bound what waits for Kafka; a
    sender is told to come again beyond them. `connections` and `strangers` bound who is listened to at all.
    `head_timeout` and `read_timeout`: for the head and the body of a request to arrive. `answer_timeout`: how long a
    sender waits for Kafka before it is told to come again; the shortest patience of a known application is 2 s.
    """

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8470, ge=0, le=65535)
    tls: Tls | None = None
    trusted_proxies: list[IPvAnyNetwork] = Field(default_factory=list)
    queue: int = Field(10_000, ge=1, le=1_000_000)
    memory: Size = 64 * 1024**2
    connections: int = Field(2000, ge=1, le=1_000_000)
    connections_per_address: int = Field(256, ge=1, le=1_000_000)
    strangers: Strangers = Strangers()
    head_timeout: Duration = 10_000_000
    read_timeout: Duration = 10_000_000
    answer_timeout: Duration = 1_000_000

    @property
    def head_timeout_s(self) -> float:
        """`head_timeout` in seconds."""
        return self.head_timeout / 1e6

    @property
    def read_timeout_s(self) -> float:
        """`read_timeout` in seconds."""
        return self.read_timeout / 1e6

    @property
    def answer_timeout_s(self) -> float:
        """`answer_timeout` in seconds."""
        return self.answer_timeout / 1e6
